package message

import (
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// mailDecoder returns a decoder of those character sets of mail that the HTML
// standard does not allow, or reads in another way, or nil.
func mailDecoder(name string) *encoding.Decoder {
	switch name {
	case "utf-16":
		// Without a mark big endian (RFC 2781 section 4.3).
		return unicode.UTF16(unicode.BigEndian, unicode.UseBOM).NewDecoder()
	case "utf-7", "unicode-1-1-utf-7":
		return &encoding.Decoder{Transformer: &utf7Decoder{}}
	case "iso-2022-kr":
		return &encoding.Decoder{Transformer: transform.Chain(&shiftDecoder{}, korean.EUCKR.NewDecoder())}
	}
	return nil
}

// A utf7Decoder reads UTF-7 (RFC 2152): ASCII, and UTF-16 as base64 between a
// plus sign and what is no digit.
type utf7Decoder struct {
	shifted bool
	empty   bool // nothing came behind the plus sign yet
	bits    uint32
	n       int // how many bits
	high    rune
}

// Reset implements [transform.Transformer].
func (d *utf7Decoder) Reset() { *d = utf7Decoder{} }

// Transform implements [transform.Transformer].
func (d *utf7Decoder) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for nSrc < len(src) {
		if nDst+utf8.UTFMax > len(dst) {
			return nDst, nSrc, transform.ErrShortDst
		}
		c := src[nSrc]
		digit := base64Digit(c)
		switch {
		case d.shifted && digit != noDigit:
			nDst += utf8.EncodeRune(dst[nDst:], d.add(digit))
			if dst[nDst-1] == 0 {
				nDst-- // not a whole character
			}
		case d.shifted && d.empty && c == '-':
			dst[nDst] = '+'
			nDst++
			d.shifted = false
		case d.shifted:
			d.shifted = false
			if c != '-' {
				continue // it stands for itself
			}
		case c == '+':
			*d = utf7Decoder{shifted: true, empty: true}
		case c < utf8.RuneSelf:
			dst[nDst] = c
			nDst++
		default:
			nDst += utf8.EncodeRune(dst[nDst:], utf8.RuneError)
		}
		nSrc++
	}
	return nDst, nSrc, nil
}

// add takes a digit, and returns the character that it completes, or 0.
func (d *utf7Decoder) add(digit byte) rune {
	d.empty = false
	d.bits, d.n = d.bits<<6|uint32(digit), d.n+6
	if d.n < 16 {
		return 0
	}
	d.n -= 16
	unit := rune(d.bits >> d.n & 0xffff)
	high := d.high
	d.high = 0
	switch {
	case high != 0:
		return utf16.DecodeRune(high, unit)
	case utf16.IsSurrogate(unit):
		d.high = unit
		return 0
	}
	return unit
}

// A shiftDecoder makes EUC-KR of ISO-2022-KR (RFC 1557): what is between the
// control characters SO and SI has the eighth bit.
type shiftDecoder struct {
	shifted bool
	skip    int // bytes of an escape sequence
}

// Reset implements [transform.Transformer].
func (d *shiftDecoder) Reset() { *d = shiftDecoder{} }

// Transform implements [transform.Transformer].
func (d *shiftDecoder) Transform(dst, src []byte, _ bool) (nDst, nSrc int, err error) {
	for ; nSrc < len(src); nSrc++ {
		c := src[nSrc]
		switch {
		case d.skip > 0:
			d.skip--
		case c == '\x1b':
			d.skip = len("$)C")
		case c == '\x0e', c == '\x0f':
			d.shifted = c == '\x0e'
		case nDst == len(dst):
			return nDst, nSrc, transform.ErrShortDst
		default:
			if d.shifted && c > ' ' {
				c |= 0x80
			}
			dst[nDst] = c
			nDst++
		}
	}
	return nDst, nSrc, nil
}
