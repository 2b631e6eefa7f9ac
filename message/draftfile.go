package message

import (
	"fmt"
	"mime"
	"path"
	"strings"
)

// A DraftFile is a file that a [Draft] brings along.
type DraftFile struct {
	// Name is the file name, in whatever script. It is written for programs that
	// know RFC 2231, and as an encoded word for those that do not, Outlook among
	// them. Where it is empty, the name of the file that Content reads is taken.
	Name string
	// ContentType is the media type, with or without parameters, such as
	// "text/csv; charset=utf-8". Where it is empty, it is what the extension of the
	// name stands for, or application/octet-stream.
	ContentType string
	// ContentID is what HTML refers to the file by, as cid: and the identifier
	// (RFC 2392): one of the form of a Message-ID, without angle brackets. A file
	// that HTML refers to is written beside it, in a multipart/related; any other is
	// an attachment.
	ContentID string
	// Inline asks the reader's program to show an attachment together with the
	// text instead of as a file.
	Inline bool
	// Description is what is to be said of the file besides its name.
	Description string
	// Content is what is in the file: [File], [FileFS], [Bytes], [Reader], or a
	// message's own Source. It is written in base64 and comes out byte for byte,
	// except that a message (message/rfc822) may not be encoded (RFC 2046 section
	// 5.2.1): its lines end in CR LF afterwards. One with lines of more than 998
	// bytes cannot travel like that, and becomes application/octet-stream.
	Content Source
}

// maxDraftName is how long the name of a file may be. No system has longer ones.
const maxDraftName = 1000

// file returns the part for a file, the n-th from 1.
func (d *Draft) file(c *composer, f DraftFile, n int, related bool) *entity {
	if f.Content == nil {
		c.w.fail("Files", fmt.Sprintf("has nothing in Content of file %d", n))
		return &entity{}
	}
	name := f.name()
	if strings.ContainsFunc(name, isControl) || len(name) > maxDraftName {
		c.w.fail("Content-Disposition", fmt.Sprintf("has a control character in the name of file %d, or that is too long", n))
	}
	if f.ContentID != "" && !isID(bareID(f.ContentID)) {
		c.w.fail("Content-ID", fmt.Sprintf("of file %d is too long, or not printable ASCII without spaces and angle brackets", n))
	}
	e := &entity{
		disposition: "attachment", fileName: strings.ToValidUTF8(name, "\ufffd"), content: f.Content,
		contentID: bareID(f.ContentID), description: f.Description, encoding: "base64",
	}
	if related || f.Inline {
		e.disposition = "inline"
	}
	contentType := f.ContentType
	if contentType == "" {
		contentType = typeOf(name)
	}
	var err error
	if e.mediaType, e.params, err = mime.ParseMediaType(contentType); err != nil || hasBreak(contentType) ||
		strings.Count(e.mediaType, "/") != 1 || strings.HasPrefix(e.mediaType, "multipart/") || !validParams(e.params) {
		c.w.fail("Content-Type", fmt.Sprintf("of file %d is not a media type that a file can have", n))
	}
	if strings.HasPrefix(e.mediaType, "message/") && e.mediaType != "message/global" {
		c.message(e, n)
	}
	return e
}

// name returns the name of the file.
func (f DraftFile) name() string {
	if s, ok := f.Content.(namedSource); ok && f.Name == "" {
		return s.fileName()
	}
	return f.Name
}

// validParams reports whether parameters can be written as they are.
func validParams(params map[string]string) bool {
	for name, value := range params {
		if len(name)+len(value) > maxWord || strings.ContainsFunc(value, isControl) || !isStrictToken(name) || strings.ContainsAny(name, "*'%") {
			return false
		}
	}
	return true
}

// typeOf returns the media type that the extension of a name stands for. That
// does not ask the system, whose tables differ from machine to machine.
func typeOf(name string) string {
	extension := strings.ToLower(path.Ext(name))
	switch extension {
	case ".htm":
		return "text/html"
	case ".jpeg":
		return "image/jpeg"
	case ".md":
		return "text/markdown"
	case ".log", ".text":
		return "text/plain"
	case ".gz", ".tgz":
		return "application/gzip"
	case ".css", ".xhtml":
		return "text/" + extension[1:]
	case ".bin", ".dat", "":
		return octetStream
	}
	for _, contentType := range []string{
		"text/plain", "text/html", "text/csv", "text/calendar", "text/vcard", "application/xml", "application/json", "application/pdf",
		"application/zip", "application/rtf", "application/pkcs7-signature", "message/rfc822", "image/jpeg", "image/png", "image/gif",
		"image/bmp", "image/webp", "image/tiff", "image/heic", "video/mp4", "audio/ogg", "image/svg+xml", "audio/mpeg", "audio/wav",
		"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", docx, xlsx, pptx, odt, ods,
	} {
		if extensionOf(contentType) == extension {
			return contentType
		}
	}
	return octetStream
}

// octetStream is the media type of which nothing is known.
const octetStream = "application/octet-stream"
