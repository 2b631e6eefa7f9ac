package message

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
)

// A PartInfo is what is known of a MIME part without its content.
type PartInfo struct {
	// Number is the number of the part, as in IMAP's FETCH BODY[1.2] (RFC 9051
	// section 6.4.5.1). A multipart that is all of a message has none: it is ""
	// at the top, and in a message that is a part the number of that.
	Number string
	// ContentType is the media type in lower case, without its parameters.
	ContentType string
	// Params are the parameters of the Content-Type by their names in lower case,
	// decoded (RFC 2231).
	Params map[string]string
	// Name is the file name that the sender gave, decoded, or "". It may be any
	// line of text, also a path: files are saved under [PartInfo.FileName].
	Name string
	// Disposition is inline or attachment, or "" if the part does not say. Each
	// that is not known counts as attachment (RFC 2183 section 2.8).
	Disposition string
	// ContentID is the identifier that HTML refers to as cid:, without its angle
	// brackets, or "".
	ContentID string
	// Multipart tells that the parts of this one come next. Its content is what
	// stands before the first of them, which is no part of the message.
	Multipart bool
}

// FileName returns the name of the part as a safe file name, as
// [Attachment.FileName] does.
func (p PartInfo) FileName() string { return SafeFileName(p.Name, p.ContentType) }

// DescribePart returns what the header of a part says of it, without a number.
func DescribePart(h Header) PartInfo {
	n := &node{header: h}
	n.describe(func(*node, DefectKind) {})
	info := n.info()
	info.Number = ""
	return info
}

// info returns what is known of n.
func (n *node) info() PartInfo {
	p := PartInfo{Number: n.number(), ContentType: n.mediaType, Params: n.params, Multipart: n.multipart, ContentID: contentID(n.header)}
	var params map[string]string
	p.Disposition, params = parseDisposition(n.header.Get("Content-Disposition"))
	p.Name = fileName(params, n.params)
	return p
}

// A StructurePart is a part in a [Structure].
type StructurePart struct {
	PartInfo

	// Encoding is the transfer encoding in lower case, such as base64; "7bit"
	// where the part does not say.
	Encoding string
	// Size is the length of the content in bytes with that encoding, which makes
	// base64 a third longer than the file that it holds; -1 of a multipart, and
	// where it is not known.
	Size int64
}

// A Structure is the parts of a message in the order of [Walk], each multipart
// before its parts. Behind a message that is a part, a message/rfc822, come the
// parts of that message.
type Structure []StructurePart

// maxEnclosed is how deep [ReadStructure] goes into messages within messages.
const maxEnclosed = 16

// ReadStructure reads a message to its end and returns its structure. What is
// said of errors at [Walk] holds here: with an error the structure is what came
// before it.
func ReadStructure(r io.Reader) (Structure, error) {
	var s Structure
	err := s.read(Walk(r, nil), maxEnclosed)
	return s, err
}

func (s *Structure) read(parts iter.Seq2[*Part, error], depth int) error {
	for p, err := range parts {
		if err != nil {
			return err
		}
		at := len(*s)
		*s = append(*s, StructurePart{PartInfo: p.PartInfo, Encoding: encodingOf(p.Header), Size: -1})
		if p.ContentType == "message/rfc822" && depth > 0 {
			err := s.read(p.Walk(nil), depth-1)
			if err != nil && p.err != nil && !errors.Is(p.err, io.EOF) {
				return err
			} // else that message is cut off alone, and the one around it goes on
		}
		if _, err := io.Copy(io.Discard, p); err != nil {
			return fmt.Errorf("message: part %s: %w", p.Number, err)
		}
		if !p.Multipart {
			(*s)[at].Size = p.seen
		}
	}
	return nil
}

func encodingOf(h Header) string {
	value, _, _ := strings.Cut(strings.TrimSpace(h.Get("Content-Transfer-Encoding")), " ")
	if value = strings.ToLower(strings.TrimRight(value, ";")); value != "" {
		return value
	}
	return "7bit"
}

// An AttachedPart is a part beside the text of a message.
type AttachedPart struct {
	StructurePart

	// Inline tells that the part is to be shown with the text, not as a file.
	Inline bool
}

// Attachments returns the parts that [Parse] makes attachments of, in their
// order, as far as that can be known without the content. A message that is a
// part is one of them, and its own parts are not.
func (s Structure) Attachments() []AttachedPart {
	var all []AttachedPart
	s.sort(func(p StructurePart, u use) {
		if u == useFile || u == useInline {
			all = append(all, AttachedPart{StructurePart: p, Inline: u == useInline})
		}
	})
	return all
}

// TextPart returns the part with the text that a message begins with: the first
// plain text that is not empty, or else the first HTML. ok is false where the
// message has neither.
func (s Structure) TextPart() (text StructurePart, ok bool) {
	s.sort(func(p StructurePart, u use) {
		better := !ok || text.ContentType == "text/html" && p.ContentType == "text/plain"
		if u == useText && p.Size != 0 && better {
			text, ok = p, true
		}
	})
	return text, ok
}

// sort tells the use of each part that is not a multipart.
func (s Structure) sort(yield func(p StructurePart, u use)) {
	open := map[string]*container{}
	var sorted sorter
	before, inside := "none", "none" // numbers
	for _, p := range s {
		if p.Number == inside || strings.HasPrefix(p.Number, inside+".") {
			continue
		}
		if inside = "none"; p.ContentType == "message/rfc822" {
			inside = p.Number
		}
		if p.Multipart {
			before, open[p.Number] = p.Number, &container{mediaType: p.ContentType}
			continue
		}
		outer := outerNumber(p.Number)
		u := sorted.use(p.PartInfo, open[outer], before == outer)
		if u == useText && p.Size != 0 {
			sorted.gathered(p.ContentType)
		}
		before = p.Number
		yield(p, u)
	}
}

// outerNumber returns the number of the multipart that a part is in.
func outerNumber(number string) string {
	return number[:max(strings.LastIndexByte(number, '.'), 0)]
}

// use is what a part is there for.
type use int

const (
	useText use = iota
	useInline
	useFile
)

// A container is the multipart around a part, and which kinds of text were taken
// of a multipart/alternative.
type container struct {
	mediaType             string
	plainTaken, htmlTaken bool
}

func (c *container) is(mediaType string) bool { return c != nil && c.mediaType == mediaType }

// A sorter tells the text of a message from its attachments.
type sorter struct{ plain, html bool } // which text has gathered

func (s *sorter) gathered(mediaType string) {
	if mediaType == "text/html" {
		s.html = true
		return
	}
	s.plain = true
}

// use tells what the next part is, in the multipart c. root tells that it is the
// first in there.
func (s *sorter) use(p PartInfo, c *container, root bool) use {
	isText := p.ContentType == "text/plain" || p.ContentType == "text/html"
	switch {
	case p.Disposition != "attachment" && isText && s.isText(p, c, root):
		return useText
	case p.Disposition == "inline",
		p.Disposition == "" && (p.ContentID != "" || c.is("multipart/related") || c.is("multipart/alternative")):
		return useInline
	}
	return useFile
}

// isText reports whether a part of a text type belongs to the text that has
// gathered. A named one does only if it is the first; one of several
// alternatives if it is the first of its type; and what follows the root of a
// multipart/related is there to be referred to.
func (s *sorter) isText(p PartInfo, c *container, root bool) bool {
	alternative := c.is("multipart/alternative")
	if p.Name != "" && (s.plain || s.html) && !alternative {
		return false
	}
	same := s.plain
	if p.ContentType == "text/html" {
		same = s.html
	}
	if c.is("multipart/related") && !root && same {
		return false
	}
	if !alternative {
		return true
	}
	taken := &c.plainTaken
	if p.ContentType == "text/html" {
		taken = &c.htmlTaken
	}
	first := !*taken
	*taken = true
	return first
}
