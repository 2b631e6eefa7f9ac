package message

import (
	"bytes"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
)

// decode returns the content of a part without its transfer encoding (RFC 2045
// section 6).
func (b *builder) decode(n *node) []byte {
	encoding, _, _ := strings.Cut(strings.TrimSpace(n.header.Get("Content-Transfer-Encoding")), " ")
	switch strings.ToLower(strings.TrimRight(encoding, ";")) {
	case "base64":
		content, bad := decodeBase64(n.body)
		if bad >= 0 {
			b.defect(n, DefectBase64, bad)
		}
		return content
	case "quoted-printable":
		e, err := readLeaf("application/octet-stream", "quoted-printable", n.body)
		if err != nil {
			b.defect(n, DefectUndecodable, 0)
			return n.body
		}
		return e.Root.Content
	case "", "7bit", "8bit", "binary":
	default:
		b.defect(n, DefectEncoding, 0)
	}
	return n.body
}

// decodeText returns the text of a part as UTF-8 with line feeds.
func (b *builder) decodeText(n *node) string {
	content := b.decode(n)
	charset := n.params["charset"]
	if charset == "" && n.mediaType == "text/html" {
		charset = htmlCharset(content)
	}
	if charset == "" {
		charset = "us-ascii"
	}
	text, ok := decodeCharset(charset, content)
	if !ok {
		b.defect(n, DefectCharset, 0)
		text = guess(n.mediaType, content)
	}
	return lineFeeds(text)
}

// lineFeeds returns text with line feeds alone at the ends of lines.
func lineFeeds(text string) string {
	text = strings.TrimRight(text, "\r") // of a line break that was cut in two
	if !strings.Contains(text, "\r\r\n") {
		return strings.ReplaceAll(text, "\r\n", "\n")
	}
	var b strings.Builder
	b.Grow(len(text))
	for line := range strings.SplitAfterSeq(text, "\n") {
		end := len(line)
		if strings.HasSuffix(line, "\n") {
			end = len(strings.TrimRight(line[:end-1], "\r"))
		}
		b.WriteString(line[:end])
		if strings.HasSuffix(line, "\n") {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// guess reads text whose character set is not told, or not the one that was
// told.
func guess(mediaType string, content []byte) string {
	if utf8.Valid(content) {
		return string(content)
	}
	if e, err := readLeaf(mediaType, "8bit", content); err == nil && utf8.Valid(e.Root.Content) {
		return string(e.Root.Content)
	}
	return fromWindows1252(content)
}

// readLeaf has enmime decode one part. It never sees more than that, with a
// header of ours, because its time grows exponentially with multiparts that do
// not close, and its memory with base64 that is none.
func readLeaf(mediaType, encoding string, body []byte) (*enmime.Envelope, error) {
	parser := enmime.NewParser(
		enmime.DisableTextConversion(true),
		enmime.MaxStoredPartErrors(1),
		enmime.MultipartWOBoundaryAsSinglePart(true),
	)
	header := "Content-Type: " + mediaType + "\r\nContent-Transfer-Encoding: " + encoding + "\r\n\r\n"
	return parser.ReadEnvelope(io.MultiReader(strings.NewReader(header), bytes.NewReader(body)))
}

// htmlCharset returns the character set that a page declares in its first
// kilobyte, or "".
func htmlCharset(page []byte) string {
	head := bytes.ToLower(page[:min(len(page), 1024)])
	_, rest, ok := bytes.Cut(head, []byte("charset="))
	if !ok || !bytes.Contains(head, []byte("<meta")) {
		return ""
	}
	rest = bytes.TrimLeft(rest, "\"' ")
	if i := bytes.IndexAny(rest, "\"' ;/>\r\n\t"); i >= 0 {
		rest = rest[:i]
	}
	if bytes.HasPrefix(rest, []byte("utf-16")) {
		return "utf-8" // it cannot be: this much was read as ASCII
	}
	return string(rest)
}

func (b *builder) defect(n *node, kind DefectKind, at int) {
	b.msg.Defects = addDefect(b.msg.Defects, Defect{Kind: kind, Part: n.id, Offset: int64(n.offset + at)})
}
