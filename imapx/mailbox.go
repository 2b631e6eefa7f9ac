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
