package message

import (
	"bytes"
	"encoding/base64"
	"slices"
	"strings"
)

// A transferDecoder removes a transfer encoding (RFC 2045 section 6) piece by
// piece. What comes out does not depend on where the pieces are cut.
type transferDecoder interface {
	// appendTo decodes src behind dst.
	appendTo(dst, src []byte) []byte
	// decodedLen returns how much n bytes can become.
	decodedLen(n int) int
	// flush ends the content, and decodes what was held back.
	flush(dst []byte) []byte
	// malformed returns the position of the first byte that does not belong in
	// the encoding, or -1.
	malformed() int64
}

// newTransferDecoder returns the decoder for a Content-Transfer-Encoding, or
// nil if the content is not encoded, and whether the encoding is known.
func newTransferDecoder(value string) (d transferDecoder, known bool) {
	value, _, _ = strings.Cut(strings.TrimSpace(value), " ")
	switch strings.ToLower(strings.TrimRight(value, ";")) {
	case "base64":
		return &base64Decoder{bad: -1}, true
	case "quoted-printable":
		return &quotedPrintableDecoder{}, true
	case "", "7bit", "8bit", "binary":
		return nil, true
	}
	return nil, false
}

// A base64Decoder reads the base64 of a part. Every byte that is no digit is
// passed over, a padding character ends a group of digits.
type base64Decoder struct {
	digits []byte // of a group that is not complete, at most three
	pos    int64
	bad    int64
}

func (d *base64Decoder) appendTo(dst, src []byte) []byte {
	for len(src) > 0 {
		n := 1
		if len(d.digits) == 0 {
			// Nearly always a line is whole groups of digits.
			n = max(1, groups(src))
			if decoded, err := base64.StdEncoding.AppendDecode(dst, src[:n]); err == nil {
				dst, src, d.pos = decoded, src[n:], d.pos+int64(n)
				continue
			}
		}
		if d.bad < 0 {
			if i := slices.IndexFunc(src[:n], isForeign); i >= 0 {
				d.bad = d.pos + int64(i)
			}
		}
		dst, d.digits = appendBase64(dst, d.digits, src[:n])
		src, d.pos = src[n:], d.pos+int64(n)
	}
	return dst
}

// groups returns the length of src up to the end of the line, in whole groups
// of four and not too many.
func groups(src []byte) int {
	const longest = 4 << 10
	src = src[:min(len(src), longest)]
	if i := bytes.IndexByte(src, '\n'); i >= 0 {
		src = src[:i]
	}
	return len(src) &^ 3
}

// isForeign reports whether c does not belong in base64.
func isForeign(c byte) bool {
	return base64Digit(c) == noDigit && c != '=' && c != '\n' && c != '\r' && c != ' ' && c != '\t'
}

func (d *base64Decoder) flush(dst []byte) []byte { return appendLastDigits(dst, d.digits) }

func (*base64Decoder) decodedLen(n int) int { return n/4*3 + 3 }

func (d *base64Decoder) malformed() int64 { return d.bad }

// A quotedPrintableDecoder reads quoted-printable. What is no encoded byte and
// no line break after an equals sign is left as it is. White space at the end of
// a line was put there on the way (RFC 2045 section 6.7 rule 3).
type quotedPrintableDecoder struct {
	// held cannot be decoded before more has come: an equals sign and what
	// follows it, or white space.
	held []byte
}

// maxHeldSpace is how much white space is taken back at the end of a line. A
// line has no more than 998 bytes (RFC 5322 section 2.1.1).
const maxHeldSpace = 1000

func (d *quotedPrintableDecoder) appendTo(dst, src []byte) []byte {
	for i := 0; i < len(src); {
		if len(d.held) > 0 {
			var taken bool
			if dst, taken = d.hold(dst, src[i]); taken {
				i++
			}
			continue
		}
		n := plainRun(src[i:])
		dst = append(dst, src[i:i+n]...)
		if i += n; i < len(src) {
			d.held = append(d.held, src[i])
			i++
		}
	}
	return dst
}

// plainRun returns how many bytes src begins with that stand for themselves.
func plainRun(src []byte) int {
	for i, c := range src {
		switch c {
		case '=', '\r':
			return i
		case ' ', '\t':
			if i+1 == len(src) || src[i+1] <= ' ' {
				return i
			}
		}
	}
	return len(src)
}

// hold takes c behind what is held, or decodes that without c.
func (d *quotedPrintableDecoder) hold(dst []byte, c byte) ([]byte, bool) {
	held := d.held
	escaped := held[0] == '='
	digit := escaped && len(held) == 2 && unhex(held[1]) != noDigit
	switch {
	case digit && unhex(c) != noDigit:
		d.held = held[:0]
		return append(dst, unhex(held[1])<<4|unhex(c)), true
	case escaped && len(held) == 1 && unhex(c) != noDigit,
		!digit && len(held) < maxHeldSpace && (c == ' ' || c == '\t' || c == '\r'):
		d.held = append(held, c)
		return dst, true
	case digit || c != '\n':
		d.held = held[:0]
		return append(dst, held...), false
	}
	d.held = held[:0]
	switch {
	case escaped:
		return dst, true // a soft line break
	case held[len(held)-1] == '\r':
		return append(dst, '\r', '\n'), true
	}
	return append(dst, '\n'), true
}

func (d *quotedPrintableDecoder) flush(dst []byte) []byte {
	if len(d.held) > 1 && d.held[0] == '=' && unhex(d.held[1]) != noDigit {
		dst = append(dst, d.held...)
	}
	d.held = nil
	return dst
}

func (*quotedPrintableDecoder) decodedLen(n int) int { return n }

func (*quotedPrintableDecoder) malformed() int64 { return -1 }
