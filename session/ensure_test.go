package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
	"github.com/mailsession/mailsession/state"
)

// hasty is a backend that is told to make a folder when somebody else does so.
type hasty struct {
	session.Incoming
	session.FolderEditor

	meanwhile func()
}

var errRefused = errors.New("NO that cannot be")

func (h hasty) CreateFolder(context.Context, string) error {
	h.meanwhile()
	return errRefused
}

// TestAFolderIsMadeUnlessItIsThere: by whomever, and whatever the server says.
func TestAFolderIsMadeUnlessItIsThere(t *testing.T) {
	t.Parallel()
	server := &sessiontest.Reference{Box: mailtest.New(), Facts: sessiontest.ReferenceFacts()}
	ann := server.Box.Add("ann@example.com", secret.New("correct horse"))
	creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
	open := func(way session.IncomingBackend, mode session.Mode) *session.Session {
		s, err := session.New(creds, way, nil, &session.Options{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	usual := server.Incoming(server.Dial)
	s := open(usual, session.ReadWrite)
	for range 2 {
		if err := s.EnsureFolder(t.Context(), "Bills/Done"); err != nil {
			t.Errorf("EnsureFolder: %v", err)
		}
	}
	if _, err := ann.Folder("Bills/Done"); err != nil {
		t.Errorf("the folder is not there: %v", err)
	}
	if err := open(usual, session.ReadOnly).EnsureFolder(t.Context(), "Bills/Done"); err != nil {
		t.Errorf("EnsureFolder of one that is there, in a session that may only read: %v", err)
	}
	var mode *session.ModeError
	if err := open(usual, session.ReadOnly).EnsureFolder(t.Context(), "New"); !errors.As(err, &mode) {
		t.Errorf("EnsureFolder of a new one, in a session that may only read: %v, want a *ModeError", err)
	}

	handle := func(context.Context, session.Task) error { return nil }
	to := &session.ProcessOptions{Done: session.FolderAt("Filed")}
	_, err := s.Process(t.Context(), session.Progress{Store: state.NewMemory(), Name: "x"}, session.Query{}, handle, to)
	if !errors.Is(err, session.ErrNoFolder) || !strings.Contains(err.Error(), "EnsureFolder makes it") {
		t.Errorf("Process to a folder that is not there: %v, want ErrNoFolder and what to do", err)
	}

	meanwhile := func() {}
	other := open(func(setup session.Setup) (session.Incoming, error) {
		in, err := usual(setup)
		if err != nil {
			return nil, err
		}
		editor, _ := session.As[session.FolderEditor](in)
		return hasty{Incoming: in, FolderEditor: editor, meanwhile: func() { meanwhile() }}, nil
	}, session.ReadWrite)
	if err := other.EnsureFolder(t.Context(), "Race"); !errors.Is(err, errRefused) {
		t.Errorf("a server that makes no folder: %v, want its error", err)
	}
	meanwhile = func() {
		if err := ann.CreateFolder("Race", ""); err != nil {
			t.Error(err)
		}
	}
	if err := other.EnsureFolder(t.Context(), "Race"); err != nil {
		t.Errorf("somebody else made the folder: %v", err)
	}
}
