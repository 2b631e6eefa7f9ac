package message

import (
	"strings"
	"unicode"
)

// ReadableText returns the text of the message for people, whichever parts it
// has: [Message.Text], or if that is empty, [HTMLText] of [Message.HTML].
//
// Where there are both, they should say the same. If the HTML says several times
// as much, the plain text is not the message: it tells that the reader's program
// is too old, or is the footer that a mailing list added. Then the HTML counts,
// and the plain text follows it unless it is in there too.
func (m *Message) ReadableText() string {
	text, _ := m.readable()
	return text
}

// Passages returns the passages of [Message.ReadableText], by [Passages] or
// [HTMLPassages].
func (m *Message) Passages() []Passage {
	text, kinds := m.readable()
	return joinPassages(text, kinds)
}

// NewText returns what the author of the message wrote, without what is quoted
// and without the signature, as [NewText] does.
func (m *Message) NewText() string { return written(m.Passages()) }

// readable returns the text for people, and what its HTML tells of its lines.
func (m *Message) readable() (string, []PassageKind) {
	if m.HTML == "" {
		return m.Text, nil
	}
	r := htmlReader{links: true}
	r.read(m.HTML)
	page := r.out.String()
	if isBlank(m.Text) {
		if page == "" {
			return m.Text, nil
		}
		return page, r.kinds
	}
	words := htmlReader{}
	words.read(m.HTML)
	inPage, inText := letters(words.out.String()), letters(m.Text)
	if len(inPage) < moreWords*len(inText) || len(inPage) < enoughLetters {
		return m.Text, nil
	}
	if strings.Contains(inPage, inText) {
		return page, r.kinds
	}
	return page + "\n" + m.Text, append(r.kinds, r.style.kind)
}

// HTML says more than plain text if it has so many times as many letters, and so
// many at all.
const (
	moreWords     = 4
	enoughLetters = 200
)

// letters returns the letters and digits of a text.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, s)
}
