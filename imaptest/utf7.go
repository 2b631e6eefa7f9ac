package imaptest

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// utf7 is the base64 of modified UTF-7 (RFC 3501, section 5.1.3).
func utf7() *base64.Encoding {
	return base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").
		WithPadding(base64.NoPadding).Strict()
}

// encodeUTF7 writes a folder name in modified UTF-7.
func encodeUTF7(name string) string {
	var b strings.Builder
	for rest := name; rest != ""; {
		plain := strings.IndexFunc(rest, func(r rune) bool { return r == '&' || r < ' ' || r > '~' })
		if plain < 0 {
			b.WriteString(rest)
			break
		}
		b.WriteString(rest[:plain])
		rest = rest[plain:]
		if after, ampersand := strings.CutPrefix(rest, "&"); ampersand {
			b.WriteString("&-")
			rest = after
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return ' ' <= r && r <= '~' })
		if end < 0 {
			end = len(rest)
		}
		var units []byte
		for _, u := range utf16.Encode([]rune(rest[:end])) {
			units = binary.BigEndian.AppendUint16(units, u)
		}
		b.WriteString("&" + utf7().EncodeToString(units) + "-")
		rest = rest[end:]
	}
	return b.String()
}

// decodeUTF7 reads a folder name in modified UTF-7 and reports whether it is
// one in the only form that the name has.
func decodeUTF7(name string) (string, bool) {
	var b strings.Builder
	for rest := name; rest != ""; {
		plain, shifted, found := strings.Cut(rest, "&")
		b.WriteString(plain)
		if !found {
			break
		}
		text, after, ended := strings.Cut(shifted, "-")
		if !ended {
			return "", false
		}
		rest = after
		if text == "" {
			b.WriteByte('&')
			continue
		}
		decoded, ok := decodeShifted(text)
		if !ok {
			return "", false
		}
		b.WriteString(decoded)
	}
	decoded := b.String()
	return decoded, utf8.ValidString(decoded) && encodeUTF7(decoded) == name
}

func decodeShifted(text string) (string, bool) {
	data, err := utf7().DecodeString(text)
	if err != nil || len(data)%2 != 0 {
		return "", false
	}
	units := make([]uint16, 0, len(data)/2)
	for i := 0; i < len(data); i += 2 {
		units = append(units, binary.BigEndian.Uint16(data[i:]))
	}
	return string(utf16.Decode(units)), true
}
