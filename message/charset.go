package message

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// decodeCharset reads b as the named character set. It reports false if the
// name is not known, or says UTF-8 or ASCII and b is neither.
func decodeCharset(name string, b []byte) (string, bool) {
	switch name = charsetName(name); {
	case isUTF8(name):
		if !utf8.Valid(b) {
			return "", false
		}
		return string(b), true
	case name == "iso-8859-1", name == "windows-1252":
		return fromWindows1252(b), true
	}
	d := findDecoder(name)
	if d == nil {
		return "", false
	}
	out, err := d.Bytes(b)
	if err != nil {
		return "", false
	}
	return strings.ToValidUTF8(string(out), "\ufffd"), true
}

// isUTF8 reports whether a character set, by its name in lower case, is UTF-8 or a
// part of it. Much mail that says ASCII is UTF-8.
func isUTF8(name string) bool {
	switch name {
	case "utf-8", "utf8", "us-ascii", "ascii":
		return true
	}
	return false
}

// charsetName returns the name of a character set in lower case, without the
// white space and quotes that are around some.
func charsetName(name string) string { return strings.ToLower(strings.Trim(name, " \t'\"")) }

// findDecoder returns a decoder of the character set of that name, in lower
// case, or nil.
func findDecoder(name string) *encoding.Decoder {
	if d := mailDecoder(name); d != nil {
		return d
	}
	if e := findEncoding(name); e != nil {
		return e.NewDecoder()
	}
	return nil
}

// findEncoding returns the encoding of that name, in lower case, or nil. The
// names of the HTML standard come first, because they give what senders mean:
// GBK for gb2312, windows-1252 for iso-8859-1. "cp932", "cp850" and "1251" are
// common for what has a longer name.
func findEncoding(name string) encoding.Encoding {
	if e := htmlEncoding(name); e != nil {
		return e
	}
	short := strings.TrimPrefix(strings.TrimPrefix(name, "cp"), "-")
	for _, n := range []string{name, "windows-" + short, "ibm" + short} {
		if e, err := ianaindex.MIME.Encoding(n); err == nil && e != nil {
			return e
		}
		if e := htmlEncoding(n); e != nil {
			return e
		}
	}
	return nil
}

// htmlEncoding returns the encoding that the HTML standard knows by that name,
// or nil. Encodings that are unsafe in a browser it replaces by one that gives
// nothing.
func htmlEncoding(name string) encoding.Encoding {
	e, err := htmlindex.Get(name)
	if err != nil {
		return nil
	}
	if canonical, err := htmlindex.Name(e); err != nil || canonical == "replacement" {
		return nil
	}
	return e
}
