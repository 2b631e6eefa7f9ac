package message

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// PreviewLength is how many characters a preview has at most (RFC 8970 section
// 3.1 recommends 200).
const PreviewLength = 200

// maxPreviewed is how much text is looked at for a preview.
const maxPreviewed = 32 << 10

// Preview returns the beginning of a text as one line of at most
// [PreviewLength] characters, cut between words where it can be: what its author
// wrote, or, where that is nothing, what is quoted.
func Preview(text string) string {
	if written := NewText(text); !isBlank(written) {
		text = written
	}
	var b strings.Builder
	n, word := 0, 0 // characters, and the end of the last whole word
	for field := range strings.FieldsFuncSeq(strings.ToValidUTF8(text, ""), isGap) {
		length := utf8.RuneCountInString(field)
		if n > 0 {
			length++
		}
		if n+length > PreviewLength {
			return cutPreview(b.String(), field, PreviewLength-n, word)
		}
		if n > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(field)
		n += length
		word = b.Len()
	}
	return b.String()
}

// cutPreview ends a preview of which the next word does not fit. A first word
// that is too long, or a text without spaces, is cut within it.
func cutPreview(done, next string, left, word int) string {
	if word > 0 && left < PreviewLength/2 {
		return done
	}
	if done != "" {
		done, left = done+" ", left-1
	}
	for i := range next {
		if left == 0 {
			return done + next[:i]
		}
		left--
	}
	return done + next
}

// isGap reports whether r stands between words, or is not seen at all, as what
// senders fill the beginning of HTML with so that nothing else is shown.
func isGap(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Zs, r) || isUnseen(r)
}

// isUnseen reports whether r fills space without being seen.
func isUnseen(r rune) bool {
	switch r {
	case '\u034f', '\u00ad', '\u200b', '\u200c', '\u200e', '\u200f', '\u2060', '\u2800', '\ufeff':
		return true
	}
	return r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// Preview reads the beginning of the part, which is text, and returns a
// [Preview] of it; of HTML, of what a person reads there. A part that ends too
// early, because only its beginning was fetched, is no error.
func (p *Part) Preview() (string, error) {
	text, err := io.ReadAll(io.LimitReader(p.Text(), maxPreviewed))
	if err != nil && len(text) == 0 {
		return "", fmt.Errorf("message: preview of part %s: %w", p.Number, err)
	}
	if p.ContentType == "text/html" {
		return Preview(HTMLText(string(text))), nil
	}
	return Preview(string(text)), nil
}

// ReadPreview returns a [Preview] of the message that r begins with, made of its
// first part that is text and no attachment, and has any. The message may end too
// early: then it is of what came. Without such a part it is empty.
func ReadPreview(r io.Reader) (string, error) {
	for p, err := range Walk(r, nil) {
		if err != nil {
			break // it is a beginning: it ends too early
		}
		if p.Disposition == "attachment" || p.ContentType != "text/plain" && p.ContentType != "text/html" {
			continue
		}
		if preview, err := p.Preview(); err != nil || preview != "" {
			return preview, err
		}
	}
	return "", nil
}

// Preview returns a [Preview] of the message: of its plain text, or where there is
// none, of what a person reads of its HTML.
func (m *Message) Preview() string {
	if isBlank(m.Text) {
		return Preview(HTMLText(m.HTML))
	}
	return Preview(m.Text)
}
