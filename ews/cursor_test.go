package ews

import (
	"testing"

	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// FuzzCursor: whatever a program gives back as a cursor, it is refused, or goes to
// the server as the state that it has.
func FuzzCursor(f *testing.F) {
	c, err := New(session.Server{Host: "mail.example.com"}, session.Credentials{User: "ann@example.com", Password: secret.New("horse")}, nil)
	if err != nil {
		f.Fatal(err)
	}
	inbox := &folder{id: "AAA=", mark: markOf("AAA=")}
	f.Add(c.cursorOf(inbox, "QUJD").String())
	f.Add("ews:::" + inbox.mark + ":")
	f.Fuzz(func(t *testing.T, text string) {
		var cursor session.Cursor
		if cursor.UnmarshalText([]byte(text)) != nil || cursor.IsZero() {
			return
		}
		h := &history{client: c}
		if err := h.goOn(inbox, cursor); err == nil && c.cursorOf(inbox, h.state).String() != cursor.String() {
			if again, err := cursor.Parts(); err != nil || again.State != h.state || again.Folder != inbox.mark || again.Mailbox != c.mailbox {
				t.Errorf("the cursor %q is taken for the state %q", text, h.state)
			}
		}
	})
}

// FuzzIDs: the id of an item comes back as the server wrote it.
func FuzzIDs(f *testing.F) {
	for _, s := range []string{"AAMkAD+/=", "a-b_c", "!x", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, item string) {
		if got := itemOf(keyOf(item)); got != item {
			t.Errorf("%q comes back as %q", item, got)
		}
	})
}
