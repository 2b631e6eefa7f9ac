package message

import (
	"bufio"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/transform"
)

// Text returns a reader of the content as UTF-8 with line feeds at the ends of
// lines, decoded from the character set that the part claims, and that an HTML
// page without such a claim declares in its first kilobyte. The content is not
// looked at as a whole, so what [Parse] finds to be mislabelled is not: in text
// that claims to be UTF-8, ASCII or something unknown, bytes that are not UTF-8
// are read as windows-1252. The paragraphs of format=flowed (RFC 3676) are on one
// line each.
//
// It reads from p and is used instead of [Part.Read].
func (p *Part) Text() io.Reader {
	var r io.Reader = p
	charset := p.Params["charset"]
	if charset == "" && p.ContentType == "text/html" {
		buffered := bufio.NewReaderSize(p, htmlHead)
		head, _ := buffered.Peek(htmlHead) // an error comes again with the next Read
		charset, r = htmlCharset(head), buffered
	}
	r = transform.NewReader(r, transform.Chain(charsetTransformer(charset), &lineFeeder{}))
	return unflowed(r, p.ContentType, p.Params)
}

// charsetTransformer returns a decoder of the named character set.
func charsetTransformer(name string) transform.Transformer {
	switch name = charsetName(name); name {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
		return &lenientUTF8{}
	case "iso-8859-1", "windows-1252":
		return charmap.Windows1252.NewDecoder()
	}
	if d := findDecoder(name); d != nil {
		return d
	}
	return &lenientUTF8{}
}

// A lenientUTF8 passes UTF-8 on, and reads other bytes as windows-1252.
type lenientUTF8 struct{ transform.NopResetter }

// Transform implements [transform.Transformer].
func (*lenientUTF8) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		r, size := utf8.DecodeRune(src[nSrc:])
		if r == utf8.RuneError && size == 1 {
			if !atEOF && !utf8.FullRune(src[nSrc:]) {
				return nDst, nSrc, transform.ErrShortSrc
			}
			r = charmap.Windows1252.DecodeByte(src[nSrc])
		}
		if nDst+utf8.RuneLen(r) > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		nDst += utf8.EncodeRune(dst[nDst:], r)
		nSrc += size
	}
	return nDst, nSrc, nil
}

// A lineFeeder does what lineFeeds does. Carriage returns are counted, not
// held, however many there are.
type lineFeeder struct{ returns int }

// Reset implements [transform.Transformer].
func (f *lineFeeder) Reset() { f.returns = 0 }

// Transform implements [transform.Transformer].
func (f *lineFeeder) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		c := src[nSrc]
		switch c {
		case '\r':
			f.returns++
			nSrc++
			continue
		case '\n':
			f.returns = 0
		}
		for ; f.returns > 0 && nDst < len(dst); f.returns-- {
			dst[nDst] = '\r'
			nDst++
		}
		if nDst == len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		dst[nDst] = c
		nDst, nSrc = nDst+1, nSrc+1
	}
	return nDst, nSrc, nil
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
