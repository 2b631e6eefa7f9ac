package session

import (
	"errors"
	"fmt"
)

// ErrCursorExpired says that what has changed since a [Cursor] can no longer be
// told: the server renumbered the folder, or has forgotten.
var ErrCursorExpired = errors.New("the cursor has expired; the folder has to be read anew")

// Cursor is a place in the history of one folder, for [Session.Changes] to go on
// from. It is opaque: keep it, marshal it (it is text), give it back, also after
// a restart. One of another mailbox is refused with [ErrOtherMailbox], one of
// another folder with [ErrOtherFolder]. The zero Cursor is the place before the
// first message.
//
// Where a server keeps no history, the Cursor holds what is needed to find the
// differences, and is as long as the folder asks for.
type Cursor struct{ text string }

// CursorParts is what a backend puts into a Cursor.
type CursorParts struct {
	Backend  string // "imap"
	Mailbox  string // see [Fingerprint]
	Folder   string // the server's name of the folder
	Validity string // what changes when the server renumbers, UIDVALIDITY
	State    string // the place within all that
}

// NewCursor returns the Cursor made of the parts.
func NewCursor(p CursorParts) Cursor {
	return Cursor{text: joinParts(p.Backend, p.Mailbox, p.Folder, p.Validity, p.State)}
}

// Parts returns what the Cursor is made of. Only backends have a use for it.
func (c Cursor) Parts() (CursorParts, error) {
	p, ok := splitParts(c.text)
	if !ok {
		return CursorParts{}, fmt.Errorf("session: %.80q is not a cursor", c.text)
	}
	return CursorParts{Backend: p[0], Mailbox: p[1], Folder: p[2], Validity: p[3], State: p[4]}, nil
}

// String returns the Cursor as text.
func (c Cursor) String() string { return c.text }

// IsZero reports whether c is the place before the first message.
func (c Cursor) IsZero() bool { return c.text == "" }

// MarshalText implements [encoding.TextMarshaler].
func (c Cursor) MarshalText() ([]byte, error) { return []byte(c.text), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It refuses what is not a
// Cursor; the empty text is the zero Cursor.
func (c *Cursor) UnmarshalText(text []byte) error {
	parsed := Cursor{text: string(text)}
	if !parsed.IsZero() {
		if _, err := parsed.Parts(); err != nil {
			return err
		}
	}
	*c = parsed
	return nil
}
