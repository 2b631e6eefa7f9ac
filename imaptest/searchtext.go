package imaptest

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"
)

// textKey reads the arguments of a key that looks at text.
func (k *keys) textKey(name string) (test, error) {
	var header string
	switch name {
	case "FROM", "TO", "CC", "BCC", "SUBJECT":
		header = name
	case "HEADER":
		if err := k.space(); err != nil {
			return nil, err
		}
		var err error
		if header, err = k.astring(); err != nil {
			return nil, err
		}
	case "KEYWORD", "UNKEYWORD":
		return k.keyword(name == "KEYWORD")
	case "BODY", "TEXT":
	default:
		return nil, syntaxError("unknown search key " + name)
	}
	if err := k.space(); err != nil {
		return nil, err
	}
	text, err := k.astring()
	if err != nil {
		return nil, err
	}
	text = strings.ToLower(text)
	return func(l *loaded) bool {
		if header != "" {
			return l.top().hasField(header, text)
		}
		return l.entity().hasText(text, name == "TEXT")
	}, nil
}

func (k *keys) keyword(set bool) (test, error) {
	if err := k.space(); err != nil {
		return nil, err
	}
	flag, err := k.atom()
	if err != nil {
		return nil, err
	}
	return func(l *loaded) bool { return l.Has(flag) == set }, nil
}

// date returns the time of the Date field, in its own zone.
func (e *entity) date() (time.Time, bool) {
	date, err := mail.ParseDate(e.get("Date"))
	return date, err == nil
}

// hasField reports whether a field of that name contains the text, which is in
// lower case.
func (e *entity) hasField(name, text string) bool {
	for _, f := range e.fields {
		if strings.EqualFold(f.name, name) && containsText(decodeWords(f.value), text) {
			return true
		}
	}
	return false
}

// hasText reports whether the text parts contain the text, or any header where
// headers is set. So do enclosed messages, as on Dovecot.
func (e *entity) hasText(text string, headers bool) bool {
	if headers {
		for _, f := range e.fields {
			if containsText(f.name+": "+decodeWords(f.value), text) {
				return true
			}
		}
	}
	for _, p := range e.parts {
		if p.hasText(text, headers) {
			return true
		}
	}
	if e.enclosed != nil {
		return e.enclosed.hasText(text, headers)
	}
	return len(e.parts) == 0 && strings.HasPrefix(e.kind.value, "TEXT/") && containsText(e.decoded(), text)
}

func containsText(s, lower string) bool { return strings.Contains(strings.ToLower(s), lower) }

// decodeWords decodes the encoded words of RFC 2047, as far as they can be.
func decodeWords(value string) string {
	if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil {
		return decoded
	}
	return value
}

// decoded returns the body without its transfer encoding and in UTF-8, as far
// as it can be decoded.
func (e *entity) decoded() string {
	var r io.Reader = strings.NewReader(e.body)
	switch strings.ToLower(e.get("Content-Transfer-Encoding")) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	// What comes before a mistake in the encoding still counts.
	data, _ := io.ReadAll(r)
	text := string(data)
	if utf8.ValidString(text) {
		return text
	}
	// Each byte of Latin-1 is the character of its own number.
	latin := make([]rune, 0, len(text))
	for _, b := range data {
		latin = append(latin, rune(b))
	}
	return string(latin)
}
