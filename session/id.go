package session

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/url"
	"strings"
)

// ID names one message of one mailbox for good. It is opaque: keep it, compare
// it, marshal it (it is text), give it back. An ID of another mailbox is
// refused with [ErrOtherMailbox], one from before the server renumbered the
// folder with [ErrStaleID].
//
// A message that is moved gets a new ID, see [Result].
type ID struct{ text string }

// IDParts is what a backend puts into an ID.
type IDParts struct {
	Backend  string // "imap"
	Mailbox  string // see [Fingerprint]
	Folder   string // the server's name of the folder
	Validity string // what changes when the server renumbers, UIDVALIDITY
	Key      string // the message within all that
}

// NewID returns the ID made of the parts.
func NewID(p IDParts) ID {
	return ID{text: joinParts(p.Backend, p.Mailbox, p.Folder, p.Validity, p.Key)}
}

// joinParts makes the text of an [ID] or a [Cursor].
func joinParts(parts ...string) string {
	n := len(parts)
	for _, part := range parts {
		n += len(part)
	}
	var b strings.Builder
	b.Grow(n)
	for i, part := range parts {
		if i > 0 {
			b.WriteByte(':')
		}
		b.WriteString(escape(part))
	}
	return b.String()
}

// splitParts undoes joinParts of five parts.
func splitParts(text string) (parts []string, ok bool) {
	p := strings.Split(text, ":")
	if len(p) != 5 {
		return nil, false
	}
	for i := range p {
		if !strings.Contains(p[i], "%") && !strings.Contains(p[i], "+") {
			continue
		}
		part, err := url.QueryUnescape(p[i])
		if err != nil {
			return nil, false
		}
		p[i] = part
	}
	return p, true
}

// escape keeps the parts apart and the whole printable, and leaves what is
// plain as it is.
func escape(s string) string {
	for _, c := range []byte(s) {
		if c <= ' ' || c >= 0x7f || c == ':' || c == '%' || c == '+' {
			return url.QueryEscape(s)
		}
	}
	return s
}

// Parts returns what the ID is made of. Only backends have a use for it.
func (id ID) Parts() (IDParts, error) {
	p, ok := splitParts(id.text)
	if !ok {
		return IDParts{}, fmt.Errorf("session: %q is not the id of a message", id.text)
	}
	return IDParts{Backend: p[0], Mailbox: p[1], Folder: p[2], Validity: p[3], Key: p[4]}, nil
}

// String returns the ID as text.
func (id ID) String() string { return id.text }

// IsZero reports whether id names nothing.
func (id ID) IsZero() bool { return id.text == "" }

// MarshalText implements [encoding.TextMarshaler].
func (id ID) MarshalText() ([]byte, error) { return []byte(id.text), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It refuses what is not
// an ID; the empty text is the zero ID.
func (id *ID) UnmarshalText(text []byte) error {
	parsed := ID{text: string(text)}
	if !parsed.IsZero() {
		if _, err := parsed.Parts(); err != nil {
			return err
		}
	}
	*id = parsed
	return nil
}

// Fingerprint returns a short text that stands for a mailbox: the same for the
// same server and user, whatever the letters' case, and telling neither.
func Fingerprint(server, user string) string {
	sum := sha256.Sum256([]byte(strings.ToLower(server) + "\x00" + strings.ToLower(user)))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}
