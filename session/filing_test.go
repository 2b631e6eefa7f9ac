package session_test

import (
	"context"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// mover notes where messages are to go.
type mover struct {
	side

	to  []session.FolderRef
	ids []session.ID
}

func (m *mover) Apply(_ context.Context, c session.Change, ids ...session.ID) ([]session.Result, error) {
	m.to = append(m.to, c.MoveTo)
	m.ids = append(m.ids, ids...)
	return nil, nil
}

// TestFiling: each verb moves all messages to the folder of its role.
func TestFiling(t *testing.T) {
	var m mover
	s, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return &m, nil }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	one := session.NewID(session.IDParts{Backend: "side", Key: "1"})
	two := session.NewID(session.IDParts{Backend: "side", Key: "2"})
	for _, file := range []func(context.Context, ...session.ID) ([]session.Result, error){s.Trash, s.Archive, s.Junk} {
		if _, err := file(t.Context(), one, two); err != nil {
			t.Fatal(err)
		}
	}
	if want := []session.FolderRef{session.Trash, session.Archive, session.Junk}; !slices.Equal(m.to, want) {
		t.Errorf("messages went to %q, want %q", m.to, want)
	}
	if want := []session.ID{one, two, one, two, one, two}; !slices.Equal(m.ids, want) {
		t.Errorf("messages %v went there, want %v", m.ids, want)
	}
}
