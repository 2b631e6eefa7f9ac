package imapx

import (
	"encoding/base64"
	"encoding/binary"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// asItCame begins the name of a folder that the server does not write in the
// encoding it has to. Such a name is kept, and sent back, as it came.
const asItCame = "\x00"

// knownName returns the name by which a folder is known here, of what the
// server writes: in UTF-8. Servers of IMAP4rev1 write modified UTF-7 (RFC 3501
// section 5.1.3) unless UTF8=ACCEPT was enabled, and it never is here; those of
// IMAP4rev2 alone write UTF-8 (RFC 9051 section 5.1).
func (c *conn) knownName(raw string) string {
	name := raw
	if !c.namesInUTF8() {
		name = decodeUTF7(raw)
		if encodeUTF7(name) != raw {
			return asItCame + raw
		}
	}
	if !utf8.ValidString(name) || strings.Contains(name, asItCame) {
		return asItCame + raw
	}
	return name
}

// shownName returns what people read of a folder's name.
func shownName(name string) string {
	return strings.ToValidUTF8(strings.TrimPrefix(name, asItCame), "\uFFFD")
}

// mailboxName writes a folder's name as an argument of a command: between
// quotes, or between NULs, of which [conn.pieces] makes a literal.
func (c *conn) mailboxName(name string) string {
	raw, odd := strings.CutPrefix(name, asItCame)
	if !odd && !c.namesInUTF8() {
		raw = encodeUTF7(name)
	}
	raw = strings.ReplaceAll(raw, "\x00", "") // no command can hold one
	if !quotable(raw) {
		return "\x00" + raw + "\x00"
	}
	return quote(raw)
}

// namesInUTF8 reports whether the names of folders are in UTF-8: both versions
// together mean the older one until the newer is enabled.
func (c *conn) namesInUTF8() bool { return c.caps["IMAP4REV2"] && !c.caps["IMAP4REV1"] }

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
