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
	decoder, known := newTransferDecoder(n.header.Get("Content-Transfer-Encoding"))
	if !known {
		b.defect(n, DefectEncoding, 0)
	}
	if decoder == nil {
		return n.body
	}
	content := decoder.appendTo(make([]byte, 0, decoder.decodedLen(len(n.body))), n.body)
	content = decoder.flush(content)
	if at := decoder.malformed(); at >= 0 {
		b.defect(n, DefectBase64, at)
	}
	return content
}

// decodeText returns the text of a part as UTF-8 with line feeds, without the line
// breaks of format=flowed.
func (b *builder) decodeText(n *node) string {
	content := b.decode(n)
	text, ok := claimedText(n.mediaType, n.params, content)
	if !ok {
		b.defect(n, DefectCharset, 0)
		text = b.guess(n.mediaType, content)
	}
	return unflow(lineFeeds(text), n.mediaType, n.params)
}

// Text returns the content of a text as UTF-8 with line feeds at the ends of
// lines, decoded from the character set that the attachment claims. What is not
// in that is read as UTF-8 if all of it can be, and else as windows-1252. The
// paragraphs of format=flowed (RFC 3676) are on one line each.
func (a Attachment) Text() string {
	text, ok := claimedText(a.ContentType, a.Params, a.Content)
	switch {
	case ok:
	case utf8.Valid(a.Content):
		text = string(a.Content)
	default:
		text = fromWindows1252(a.Content)
	}
	return unflow(lineFeeds(text), a.ContentType, a.Params)
}

// claimedText returns content as UTF-8 if it is in the character set that it
// claims, by its parameters or as an HTML page does.
func claimedText(mediaType string, params map[string]string, content []byte) (text string, ok bool) {
	charset := params["charset"]
	if charset == "" && mediaType == "text/html" {
		charset = htmlCharset(content)
	}
	if charset == "" {
		charset = "us-ascii"
	}
	return decodeCharset(charset, content)
}

// The bounds within which character sets are guessed. That takes a fifth of a
// millisecond and then a hundred times as long as all else, so it is done with a
// small share of the message.
const (
	minGuessed   = 100 // bytes of a text: less is not enough to tell
	leastGuessed = 512 // bytes of a text that are looked at in a short message
	maxGuessed   = 32 << 10
	guessedShare = 32 // of the message, for each text
	maxGuesses   = 4  // texts of a message
	guessedEvery = 8 << 10
)

// guess reads text whose character set is not told, or not the one that was
// told.
func (b *builder) guess(mediaType string, content []byte) string {
	first := bytes.IndexFunc(content, func(r rune) bool { return r >= utf8.RuneSelf })
	if utf8.Valid(content) {
		return string(content)
	}
	if b.plain || len(content) < minGuessed || b.guesses >= min(maxGuesses, 1+len(b.raw)/guessedEvery) {
		return fromWindows1252(content)
	}
	b.guesses++
	head := content[bytes.LastIndexByte(content[:first], '\n')+1:]
	head = head[:min(len(head), maxGuessed, max(leastGuessed, len(b.raw)/guessedShare))]
	if i := bytes.LastIndexByte(head, '\n'); i > minGuessed {
		head = head[:i] // not in the middle of a character
	}
	if part, err := b.readLeaf(leaf(mediaType, head)); err == nil && part.Charset != "" {
		if text, ok := decodeCharset(part.Charset, content); ok {
			return text
		}
	}
	return fromWindows1252(content)
}

// readLeaf has enmime decode one part. It never sees more than that, with a
// header of ours, because its time grows exponentially with multiparts that do
// not close, and its memory with base64 that is none. Its Envelope would link a
// renderer of HTML and of tables, a megabyte, for nothing.
func readLeaf(part io.Reader) (*enmime.Part, error) {
	parser := enmime.NewParser(
		enmime.MaxStoredPartErrors(1),
		enmime.MultipartWOBoundaryAsSinglePart(true),
	)
	return parser.ReadParts(part)
}

// leaf returns a message of one part without a character set.
func leaf(mediaType string, content []byte) io.Reader {
	header := "Content-Type: " + mediaType + "\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	return io.MultiReader(strings.NewReader(header), bytes.NewReader(content))
}

// htmlHead is how much of a page is searched for its character set.
const htmlHead = 1024

// htmlCharset returns the character set that a page declares in its first
// kilobyte, or "".
func htmlCharset(page []byte) string {
	head := bytes.ToLower(page[:min(len(page), htmlHead)])
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

func (b *builder) defect(n *node, kind DefectKind, at int64) {
	b.report(n, Defect{Kind: kind, Offset: n.offset + at}, false)
}
