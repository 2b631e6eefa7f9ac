package ews

import (
	"io"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// FuzzPieces: a message that is divided is whole in its pieces: the text has none of
// what is attached, and each piece has the bytes that it announces.
func FuzzPieces(f *testing.F) {
	f.Add([]byte("Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n--bb\r\n--b\r\n" +
		"Content-Disposition: attachment; filename=a\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n--b\r\n\r\nz\r\n--b--\r\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\"b \"\r\n\r\n--b\n\ntext\n--b\n\nmore"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, pieces, ok, err := inPieces(message.Bytes(raw))
		if err != nil || !ok {
			return
		}
		r, err := text.Open()
		if err != nil {
			t.Fatal(err)
		}
		begun, err := io.ReadAll(r)
		if err != nil || int64(len(begun)) != text.Size() {
			t.Fatalf("the text has %d bytes (%v), and announces %d", len(begun), err, text.Size())
		}
		if _, further, err := attachmentsOf(message.Bytes(begun)); err == nil && len(further) > 0 {
			t.Errorf("the text has %d attachments still: %q", len(further), begun)
		}
		for _, p := range pieces {
			r, err := p.Open()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := io.Copy(io.Discard, r); err != nil || n != p.size {
				t.Errorf("a piece has %d bytes (%v), and announces %d", n, err, p.size)
			}
		}
	})
}
