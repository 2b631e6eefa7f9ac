package imapx

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
)

// mailboxName writes a folder's name as an argument of a command: between
// quotes, in the modified UTF-7 of RFC 3501 section 5.1.3, which every server
// understands unless UTF8=ACCEPT was enabled, and it never is here.
func mailboxName(name string) string { return quote(encodeUTF7(name)) }

// encodeUTF7 keeps printable ASCII as it is, writes "&" as "&-" and everything
// else as UTF-16 in base64 between "&" and "-".
func encodeUTF7(name string) string {
	var b strings.Builder
	var wide []rune
	flush := func() {
		if len(wide) == 0 {
			return
		}
		var bytes []byte
		for _, u := range utf16.Encode(wide) {
			bytes = binary.BigEndian.AppendUint16(bytes, u)
		}
		b.WriteString("&" + strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(bytes), "/", ",") + "-")
		wide = wide[:0]
	}
	for _, r := range name {
		if r < ' ' || r > '~' {
			wide = append(wide, r)
			continue
		}
		flush()
		if b.WriteRune(r); r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

// decodeUTF7 is the reverse of encodeUTF7. What is not in that encoding comes
// out as something that encodeUTF7 writes in another way.
func decodeUTF7(name string) string {
	var b strings.Builder
	for name != "" {
		plain, rest, shifted := strings.Cut(name, "&")
		b.WriteString(plain)
		if !shifted {
			break
		}
		wide, after, _ := strings.Cut(rest, "-")
		name = after
		if wide == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := base64.RawStdEncoding.DecodeString(strings.ReplaceAll(wide, ",", "/"))
		if err != nil {
			return ""
		}
		units := make([]uint16, 0, len(raw)/2)
		for i := 0; i+1 < len(raw); i += 2 {
			units = append(units, binary.BigEndian.Uint16(raw[i:]))
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String()
}
