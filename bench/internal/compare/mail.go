package compare

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"iter"
	"math/rand/v2"
	"mime"
	"strings"
	"time"
)

// Messages makes mail as people and programs send it: no two messages are alike,
// and all are the same in every run. They are about size bytes long, from 60 % to
// 140 % of that, a single one as long as that; one is made when it is asked for.
func Messages(count, size int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for n := range count {
			m := &maker{random: rand.New(rand.NewPCG(uint64(n), uint64(size)))} //nolint:gosec // G404, G115: it is to be the same in every run.
			length := size
			if count > 1 {
				length = size*6/10 + m.random.IntN(size*8/10)
			}
			if !yield(m.message(n, length)) {
				return
			}
		}
	}
}

// maker makes one message.
type maker struct {
	bytes.Buffer

	random *rand.Rand
}

// message makes the n-th message: a text in two forms, and base64 for the rest
// of its size.
func (w *maker) message(n, size int) []byte {
	w.header(n)
	boundary := fmt.Sprintf("=_%016x", w.random.Uint64())
	w.line("MIME-Version: 1.0")
	w.line("Content-Type: multipart/mixed; boundary=\"" + boundary + "\"")
	w.line("")
	for _, kind := range []string{"plain", "html"} {
		w.line("--" + boundary)
		w.line("Content-Type: text/" + kind + "; charset=utf-8")
		w.line("")
		for range 20 + w.random.IntN(40) {
			w.line(w.words(8 + w.random.IntN(4)))
		}
	}
	w.line("--" + boundary)
	w.line("Content-Type: application/octet-stream")
	w.line("Content-Disposition: attachment; filename=\"" + w.word() + ".bin\"")
	w.line("Content-Transfer-Encoding: base64")
	w.line("")
	var block [57]byte
	for w.Len() < size {
		for i := 0; i < len(block); i += 8 {
			var number [8]byte
			binary.LittleEndian.PutUint64(number[:], w.random.Uint64())
			copy(block[i:], number[:])
		}
		w.line(base64.StdEncoding.EncodeToString(block[:]))
	}
	w.line("--" + boundary + "--")
	return w.Bytes()
}

// header writes the fields that mail has on its arrival.
func (w *maker) header(n int) {
	date := time.Date(2026, time.January, 1, 8, 0, 0, 0, time.UTC).Add(time.Duration(n) * 17 * time.Minute).Format(time.RFC1123Z)
	from := w.person()
	for range 2 {
		w.line("Received: from " + w.word() + ".example.org (" + w.word() + ".example.org [192.0.2.7])")
		w.line("\tby mx." + w.word() + ".example.com with ESMTPS id " + w.id() + "; " + date)
	}
	w.line("Return-Path: <" + w.word() + "@example.org>")
	w.line("From: " + from)
	to := []string{w.person()}
	for w.random.IntN(2) == 0 {
		to = append(to, w.person())
	}
	w.line("To: " + strings.Join(to, ",\r\n\t"))
	if n%4 == 0 {
		w.line("Cc: " + w.person())
	}
	w.line("Subject: " + w.subject(n))
	w.line("Date: " + date)
	w.line("Message-ID: <" + w.id() + "@example.org>")
	if n%3 == 0 {
		w.line("In-Reply-To: <" + w.id() + "@example.org>")
		w.line("References: <" + w.id() + "@example.org>\r\n <" + w.id() + "@example.org>")
	}
}

func (w *maker) line(text string) {
	w.WriteString(text)
	w.WriteString("\r\n")
}

// subject is in another script than ASCII now and then.
func (w *maker) subject(n int) string {
	text := w.words(3 + w.random.IntN(5))
	if n%3 == 0 {
		text = mime.QEncoding.Encode("utf-8", "Grüße: "+text)
	}
	if n%2 == 0 {
		text = "Re: " + text
	}
	return text
}

func (w *maker) person() string {
	first, last := w.word(), w.word()
	name := first + " " + last
	if w.random.IntN(4) == 0 {
		name = mime.QEncoding.Encode("utf-8", name+" Müller")
	}
	return name + " <" + first + "." + last + "@example.org>"
}

func (w *maker) id() string { return fmt.Sprintf("%016x.%08x", w.random.Uint64(), w.random.Uint32()) }

func (w *maker) words(count int) string {
	words := make([]string, count)
	for i := range words {
		words[i] = w.word()
	}
	return strings.Join(words, " ")
}

// word makes a word of two to four syllables.
func (w *maker) word() string {
	var b strings.Builder
	for range 2 + w.random.IntN(3) {
		b.WriteByte("bdfgklmnprstvz"[w.random.IntN(14)])
		b.WriteByte("aeiou"[w.random.IntN(5)])
	}
	return b.String()
}
