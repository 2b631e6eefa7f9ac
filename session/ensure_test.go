package session_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
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
		if ref, err := s.EnsureFolder(t.Context(), "Bills/Done"); err != nil || ref != session.FolderAt("Bills/Done") {
			t.Errorf("EnsureFolder = %q, %v", ref, err)
		}
	}
	if _, err := ann.Folder("Bills/Done"); err != nil {
		t.Errorf("the folder is not there: %v", err)
	}
	if _, err := open(usual, session.ReadOnly).EnsureFolder(t.Context(), "Bills/Done"); err != nil {
		t.Errorf("EnsureFolder of one that is there, in a session that may only read: %v", err)
	}
	var mode *session.ModeError
	if _, err := open(usual, session.ReadOnly).EnsureFolder(t.Context(), "New"); !errors.As(err, &mode) {
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
	if _, err := other.EnsureFolder(t.Context(), "Race"); !errors.Is(err, errRefused) {
		t.Errorf("a server that makes no folder: %v, want its error", err)
	}
	meanwhile = func() {
		if err := ann.CreateFolder("Race", ""); err != nil {
			t.Error(err)
		}
	}
	if _, err := other.EnsureFolder(t.Context(), "Race"); err != nil {
		t.Errorf("somebody else made the folder: %v", err)
	}
}

// TestAFolderOfTheSameNameInOtherLetters: a server that does not tell small letters
// from large ones refuses to make it, and the one that it has is the one. Where it
// says anything else, or has the very folder for other folders alone, its word
// stands.
func TestAFolderOfTheSameNameInOtherLetters(t *testing.T) {
	t.Parallel()
	exists := fmt.Errorf("NO that one again? %w", session.ErrFolderExists)
	for name, tt := range map[string]struct {
		folders []session.Folder // that are there
		path    string
		answer  error
		want    session.FolderRef
	}{
		"in other letters":         {[]session.Folder{{Path: "Bills"}, {Path: "bills/DONE"}}, "Bills/Done", exists, session.FolderAt("bills/DONE")},
		"in letters of all people": {[]session.Folder{{Path: "ÄRGER"}}, "Ärger", exists, session.FolderAt("ÄRGER")},
		"and refused for good":     {[]session.Folder{{Path: "bills/DONE"}}, "Bills/Done", errRefused, ""},
		"for other folders alone":  {[]session.Folder{{Path: "bills/DONE"}, {Path: "Bills/Done", NoMessages: true}}, "Bills/Done", exists, ""},
		"nothing that is like it":  {[]session.Folder{{Path: "Bill/Done"}}, "Bills/Done", exists, ""},
	} {
		creds := session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")}
		s, err := session.New(creds, func(session.Setup) (session.Incoming, error) {
			return indifferent{folders: tt.folders, answer: tt.answer}, nil
		}, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		ref, err := s.EnsureFolder(t.Context(), tt.path)
		if ref != tt.want || (err == nil) != (tt.want != "") || err != nil && !errors.Is(err, tt.answer) {
			t.Errorf("%s: EnsureFolder = %q, %v, want %q", name, ref, err, tt.want)
		}
		closeIt(t, s)
	}
}

// indifferent is a backend with some folders that makes no other one, with the same
// answer for all.
type indifferent struct {
	session.Incoming
	session.FolderEditor

	folders []session.Folder
	answer  error
}

func (i indifferent) Folders(context.Context) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		for _, f := range i.folders {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (i indifferent) CreateFolder(context.Context, string) error { return i.answer }

func (indifferent) Close() error { return nil }
