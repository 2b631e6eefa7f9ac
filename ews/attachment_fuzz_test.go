package ews

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// FuzzAttachments: what is told of attachments is the same in whatever pieces it comes,
// and of each it is known what it is.
func FuzzAttachments(f *testing.F) {
	f.Add([]byte(`<a><t:FileAttachment><t:AttachmentId Id="i"/><t:Name>n</t:Name><t:Size>3</t:Size><t:IsInline>true</t:IsInline></t:FileAttachment></a>`))
	f.Add([]byte(`<a><ItemAttachment><AttachmentId Id="&amp;"/><Message><Name>x</Name></Message></ItemAttachment><Other/></a>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		read := func(r io.Reader) ([]Attachment, error) {
			x := newScanner(r)
			if first, err := x.next(false); first != startTag || err != nil {
				return nil, err
			}
			return x.attachments()
		}
		got, err := read(bytes.NewReader(in))
		slow, slowErr := read(iotest.OneByteReader(bytes.NewReader(in)))
		if !slices.Equal(got, slow) || (err == nil) != (slowErr == nil) {
			t.Errorf("%q reads as %v, %v at once and as %v, %v byte by byte", in, got, err, slow, slowErr)
		}
		for _, a := range got {
			if a.Kind == "" {
				t.Errorf("%q has an attachment of no kind", in)
			}
		}
	})
}
