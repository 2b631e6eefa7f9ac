package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// plainLister has folders and nothing more to say of them.
type plainLister struct{ side }

func (p *plainLister) Folders(context.Context) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		for _, f := range []session.Folder{{Path: "INBOX", Role: session.RoleInbox}, {Path: "Box", NoMessages: true}, {Path: "Gone"}, {Path: "Box/A"}} {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// counter counts the folders of a plainLister, of which one goes meanwhile.
type counter struct {
	plainLister

	fails bool
}

func (c *counter) Count(_ context.Context, f session.FolderRef) (session.Counts, error) {
	path, _ := f.Path()
	switch {
	case c.fails:
		return session.Counts{}, io.ErrUnexpectedEOF
	case path == "Gone":
		return session.Counts{}, session.ErrNoFolder
	}
	return session.Counts{Messages: int64(len(path)), Bytes: -1}, nil
}

// full lists folders with all that there is to say.
type full struct {
	plainLister

	asked session.FolderOptions
}

func (f *full) ListFolders(ctx context.Context, opts session.FolderOptions) iter.Seq2[session.Folder, error] {
	f.asked = opts
	return f.Folders(ctx)
}

// TestListFolders is made of what the backend has, and refuses what it has not.
func TestListFolders(t *testing.T) {
	var lister full
	for _, tt := range []struct {
		name    string
		backend session.Incoming
		opts    *session.FolderOptions
		want    []string
		err     error
	}{
		{"by Folders", &plainLister{}, nil, []string{"INBOX", "Box", "Gone", "Box/A"}, nil},
		{"others that nobody knows of", &plainLister{}, &session.FolderOptions{Foreign: true}, []string{"INBOX", "Box", "Gone", "Box/A"}, nil},
		{"by Count", &counter{}, &session.FolderOptions{Counts: true}, []string{"INBOX 5", "Box", "Box/A 5"}, nil},
		{"a count that fails", &counter{fails: true}, &session.FolderOptions{Counts: true}, nil, io.ErrUnexpectedEOF},
		{"without a count", &plainLister{}, &session.FolderOptions{Counts: true}, nil, errors.ErrUnsupported},
		{"without subscriptions", &counter{}, &session.FolderOptions{Subscribed: true}, nil, errors.ErrUnsupported},
		{"by the backend", &lister, &session.FolderOptions{Counts: true, Subscribed: true, Foreign: true}, []string{"INBOX", "Box", "Gone", "Box/A"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return tt.backend, nil }, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			var last error
			for f, err := range s.ListFolders(t.Context(), tt.opts) {
				if last = err; err != nil {
					break
				}
				line := f.Path
				if f.Counts != nil {
					line += fmt.Sprintf(" %d", f.Counts.Messages)
				}
				got = append(got, line)
			}
			if !slices.Equal(got, tt.want) || !errors.Is(last, tt.err) {
				t.Errorf("folders %q, %v, want %q, %v", got, last, tt.want, tt.err)
			}
		})
	}
	if !lister.asked.Foreign || !lister.asked.Counts || !lister.asked.Subscribed {
		t.Errorf("the backend was asked for %+v", lister.asked)
	}
	for _, f := range []func(*session.Session) error{
		func(s *session.Session) error { _, err := s.Trash(t.Context(), session.ID{}); return err },
		func(s *session.Session) error { _, err := s.Archive(t.Context(), session.ID{}); return err },
		func(s *session.Session) error { _, err := s.Junk(t.Context(), session.ID{}); return err },
	} {
		s, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return &plainLister{}, nil }, nil, &session.Options{Mode: session.ReadOnly})
		if err != nil {
			t.Fatal(err)
		}
		if _, is := errors.AsType[*session.ModeError](f(s)); !is {
			t.Error("a message was filed in the mode read-only")
		}
	}
}

// TestUsageLeft: room there is as far as the server tells.
func TestUsageLeft(t *testing.T) {
	for _, tt := range []struct {
		usage session.Usage
		left  int64
		ok    bool
	}{
		{session.Usage{Used: 3, Limit: 10}, 7, true},
		{session.Usage{Used: 12, Limit: 10}, 0, true},
		{session.Usage{Used: 12, Limit: -1}, 0, false},
		{session.Usage{Used: -1, Limit: -1}, 0, false},
	} {
		if left, ok := tt.usage.Left(); left != tt.left || ok != tt.ok {
			t.Errorf("Left() of %+v = %d, %t, want %d, %t", tt.usage, left, ok, tt.left, tt.ok)
		}
	}
}
