//go:build interop

package interop_test

import (
	"fmt"
	"math/rand/v2"
	"net/mail"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
)

// A writer draws messages.
type writer struct{ *rand.Rand }

func newWriter(seed uint64) writer {
	return writer{rand.New(rand.NewPCG(seed, 0))} //nolint:gosec // G404: the same messages each time.
}

// alphabets are what words are made of: letters of many scripts, from left to
// right and from right to left, with marks and without, and what is special in
// headers.
func alphabets() [][]string {
	letters := func(s string) []string { return strings.Split(s, "") }
	return [][]string{
		letters("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789"),
		letters("abcdefghijklmnopqrstuvwxyz"),
		letters("äöüßéèêñçøåabcdefgh"),
		letters("αβγδεζηθικλμνξοπρστυφχψω"),
		letters("абвгдежзийклмнопрстуфхцчшщъыьэюя"),
		letters("אבגדהוזחטיכלמנסעפצקרשת"),
		letters("ابتثجحخدذرزسشصضطظعغفقكلمنهوي"),
		letters("的一是不了人我在有他这中大来上国"),
		letters("あいうえおかきくけこアイウエオ漢字"),
		letters("가나다라마바사아자차카타파하"),
		letters("กขคงจฉชซญฎฏฐ"),
		{"कि", "खी", "ग", "घे", "क्ष"},
		{"e\u0301", "a\u0308", "o\u0302\u0323", "n\u0303"},
		{"😀", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "❤\ufe0f", "𝔘"},
		letters("abc!#$%&'*+-/=?^_`{|}~.,;:()[]<>@\"\\"),
	}
}

// word draws a word of up to n letters of one script.
func (w writer) word(n int) string {
	all := alphabets()
	alphabet := all[w.IntN(len(all))]
	var b strings.Builder
	for range 1 + w.IntN(n) {
		b.WriteString(alphabet[w.IntN(len(alphabet))])
	}
	return b.String()
}

// words draws up to n words with one space between them.
func (w writer) words(n int) string {
	all := make([]string, w.IntN(n+1))
	for i := range all {
		all[i] = w.word(1 + w.IntN(14))
	}
	return strings.Join(all, " ")
}

// header draws a value that readers do not take for anything else: they have
// views of their own of what looks like an encoded word or a comment.
func (w writer) header(n int) string {
	return strings.Trim(strings.ReplaceAll(w.words(n), "=?", "?="), " ")
}

// text draws lines of all lengths.
func (w writer) text(flowed bool) string {
	var b strings.Builder
	for range w.IntN(20) {
		line := ""
		switch w.IntN(8) {
		case 0:
		case 1:
			line = w.word(1200) // one word, much longer than a line may be
		case 2:
			line = w.words(120)
		default:
			line = w.words(12)
		}
		if flowed { // in which a line that begins so is a quote
			line = strings.TrimLeft(line, ">")
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// people draws addresses.
func (w writer) people(n int) []mail.Address {
	var all []mail.Address
	for i := range w.IntN(n + 1) {
		// A name without quotes and backslashes at its ends: readers take those off.
		name := strings.Trim(w.header(4), `'"\ `)
		all = append(all, mail.Address{Name: name, Address: fmt.Sprintf("p%d.%d@example.com", i, w.IntN(1000))})
	}
	return all
}

// files draws attachments, and pictures that the page shows.
func (w writer) files(d *message.Draft) {
	types := []string{"application/pdf", "text/plain", "text/csv; charset=utf-8", "application/octet-stream", "image/png", "message/rfc822"}
	for i := range w.IntN(5) {
		f := message.DraftFile{Name: w.fileName(), ContentType: types[w.IntN(len(types))]}
		// A text that is to be shown is taken for a part of the message's own.
		f.Inline = w.IntN(3) == 0 && f.ContentType == types[0]
		content := make([]byte, w.IntN(3000))
		for i := range content {
			content[i] = byte(w.IntN(256)) //nolint:gosec // G115: it is less than 256.
		}
		if f.ContentType == "message/rfc822" {
			content = []byte("From: a@example.com\r\nSubject: inner\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n" +
				"Content-Transfer-Encoding: 8bit\r\n\r\n" + strings.ReplaceAll(w.words(20), " ", "\r\n") + "\r\n")
		}
		if d.HTML != "" && f.ContentType == "image/png" {
			f.ContentID = fmt.Sprintf("picture%d@example.com", i)
			d.HTML += fmt.Sprintf("<img src=\"cid:%s\">\n", f.ContentID)
		}
		f.Content = message.Bytes(content)
		d.Files = append(d.Files, f)
	}
}

// fileName draws a name of a file without what is a path.
func (w writer) fileName() string {
	name := strings.NewReplacer("/", "-", "=?", "?=", "\\", "-").Replace(w.words(1 + w.IntN(8)))
	return strings.TrimLeft(strings.TrimSpace(name)+"."+[]string{"pdf", "txt", "bin"}[w.IntN(3)], " ")
}

// draft draws a message.
func (w writer) draft(i int) *message.Draft {
	d := &message.Draft{
		From: mail.Address{Name: strings.Trim(w.header(3), `'"\ `), Address: "author@example.com"},
		To:   w.people(4), Cc: w.people(3), ReplyTo: w.people(2),
		Subject:   w.header(16),
		MessageID: fmt.Sprintf("%d.%d@example.com", i, w.Uint64()),
		Date:      time.Unix(1.7e9+w.Int64N(1e8), 0).In(time.FixedZone("", 60*(w.IntN(24*60)-12*60))),
		Extra:     []message.Field{{Name: "X-Test", Value: w.header(12)}},
		Flowed:    w.IntN(4) == 0, EightBit: w.IntN(4) == 0,
	}
	if w.IntN(5) > 0 {
		d.Text = w.text(d.Flowed)
	}
	if w.IntN(2) == 0 {
		for line := range strings.Lines(w.text(false)) {
			d.HTML += "<p>" + strings.NewReplacer("<", "&lt;", "&", "&amp;").Replace(strings.TrimSuffix(line, "\n")) + "</p>\n"
		}
	}
	if w.IntN(6) == 0 {
		d.Calendar = w.calendar()
	}
	w.files(d)
	return d
}

// calendar draws an iCalendar object.
func (w writer) calendar() string {
	methods := []string{"REQUEST", "CANCEL", "REPLY"}
	return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nMETHOD:" + methods[w.IntN(len(methods))] + "\r\nBEGIN:VEVENT\r\nSUMMARY:" +
		strings.NewReplacer("\\", "", ",", "", ";", "").Replace(w.words(10)) + "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
}
