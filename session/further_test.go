package session_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// able is a side with all further abilities.
type able struct{ side }

func (a *able) Explain(context.Context, session.Query) (session.Plan, error) {
	a.call("explain a query")
	return session.Plan{}, nil
}

func (a *able) PurgeMarked(context.Context, session.FolderRef) ([]session.Result, error) {
	a.call("purge messages")
	return nil, nil
}

func (a *able) Append(context.Context, session.FolderRef, message.Source, *session.AppendOptions) (session.ID, error) {
	a.call("append a message")
	return session.ID{}, nil
}

func (a *able) Count(context.Context, session.FolderRef) (session.Counts, error) {
	a.call("count messages")
	return session.Counts{}, nil
}

func (a *able) Quota(context.Context, session.FolderRef) ([]session.Quota, error) {
	a.call("ask for the quota")
	return nil, nil
}

func (a *able) CreateFolder(context.Context, string) error {
	a.call("create a folder")
	return nil
}

func (a *able) RenameFolder(context.Context, session.FolderRef, string) error {
	a.call("rename a folder")
	return nil
}

func (a *able) DeleteFolder(context.Context, session.FolderRef) error {
	a.call("delete a folder")
	return nil
}

func (a *able) Subscribe(context.Context, session.FolderRef, bool) error {
	a.call("subscribe to a folder")
	return nil
}

func (a *able) Bodies(context.Context, ...session.ID) iter.Seq2[session.Body, error] {
	a.call("read messages")
	return func(func(session.Body, error) bool) {}
}

// wrapped is a backend in another that has none of the further abilities.
type wrapped struct {
	session.Incoming

	inner session.Incoming
}

func (w wrapped) Unwrap() session.Incoming { return w.inner }

// further calls what needs a further ability, by what errors call it.
func further(ctx context.Context) map[string]func(s *session.Session) error {
	return map[string]func(s *session.Session) error{
		"explain a query": func(s *session.Session) error {
			_, err := s.Explain(ctx, session.Query{})
			return err
		},
		"purge messages": func(s *session.Session) error {
			_, err := s.PurgeMarked(ctx, session.Inbox)
			return err
		},
		"count messages": func(s *session.Session) error {
			_, err := s.Count(ctx, session.Inbox)
			return err
		},
		"ask for the quota": func(s *session.Session) error {
			_, err := s.Quota(ctx, session.Inbox)
			return err
		},
		"create a folder":       func(s *session.Session) error { return s.CreateFolder(ctx, "a/b") },
		"rename a folder":       func(s *session.Session) error { return s.RenameFolder(ctx, session.Trash, "a/b") },
		"delete a folder":       func(s *session.Session) error { return s.DeleteFolder(ctx, session.Trash) },
		"subscribe to a folder": func(s *session.Session) error { return s.Subscribe(ctx, session.Trash, true) },
		"append a message": func(s *session.Session) error {
			_, err := s.Append(ctx, session.Inbox, message.Bytes(nil), nil)
			return err
		},
	}
}

// changing are those that change the mailbox.
func changing() []string {
	return []string{
		"purge messages", "append a message", "create a folder", "rename a folder", "delete a folder", "subscribe to a folder",
	}
}

// TestFurtherAbilities: they are found through wrappers, a backend without them
// is told by name, and the modes hold before the backend is asked.
func TestFurtherAbilities(t *testing.T) {
	for op, call := range further(t.Context()) {
		t.Run(op, func(t *testing.T) {
			var a able
			inWrappers := func(session.Setup) (session.Incoming, error) {
				return wrapped{&a.side, wrapped{&a.side, &a}}, nil
			}
			s, err := session.New(creds(), inWrappers, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := call(s); err != nil || !slices.Equal(a.calls, []string{op}) {
				t.Errorf("through two wrappers: error %v, calls %q", err, a.calls)
			}
			var mute side
			if s, err = session.New(creds(), mute.incoming(), nil, nil); err != nil {
				t.Fatal(err)
			}
			if err := call(s); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), op) {
				t.Errorf("without the ability: error %v, want one that wraps errors.ErrUnsupported and says %q", err, op)
			}
			for _, mode := range []session.Mode{session.ReadOnly, session.SendOnly} {
				checkMode(t, mode, op, call)
			}
		})
	}
}

func checkMode(t *testing.T, mode session.Mode, op string, call func(*session.Session) error) {
	t.Helper()
	var a able
	s, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return &a, nil }, a.outgoing(), &session.Options{Mode: mode})
	if err != nil {
		t.Fatal(err)
	}
	forbidden := mode == session.SendOnly || slices.Contains(changing(), op)
	err = call(s)
	if _, isModeError := errors.AsType[*session.ModeError](err); isModeError != forbidden || forbidden && len(a.calls) != 0 {
		t.Errorf("mode %v: error %v, calls %q, want a ModeError and no call: %t", mode, err, a.calls, forbidden)
	}
}

// TestBodiesOneByOne: a backend without a way of its own opens each message.
func TestBodiesOneByOne(t *testing.T) {
	var a able
	bulk, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return &a, nil }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range bulk.Bodies(t.Context()) {
		t.Errorf("an item of nothing: %v", err)
	}
	if !slices.Equal(a.calls, []string{"read messages"}) {
		t.Errorf("calls %q", a.calls)
	}
	var plain side
	s, err := session.New(creds(), plain.incoming(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ids []session.ID
	for _, key := range []string{"1", "2", "3"} {
		ids = append(ids, session.NewID(session.IDParts{Backend: "side", Key: key}))
	}
	n := 0
	for b, err := range s.Bodies(t.Context(), ids[0], ids[0], ids[1], ids[2]) {
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(b); err != nil || !strings.HasPrefix(string(text), "Subject: hello") || b.ID != ids[n] {
			t.Errorf("body %q, %v", text, err)
		}
		if n++; n == 2 {
			break
		}
	}
	if !slices.Equal(plain.calls, []string{"open", "open"}) {
		t.Errorf("calls %q", plain.calls)
	}
}

// TestPartsOfWholeMessages: a backend that gives whole messages alone serves
// their parts and ranges too.
func TestPartsOfWholeMessages(t *testing.T) {
	var plain side
	s, err := session.New(creds(), plain.incoming(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := session.NewID(session.IDParts{Backend: "side", Key: "1"})
	p, err := s.OpenPart(t.Context(), id, "1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if text, err := io.ReadAll(p); err != nil || string(text) != "body\r\n" {
		t.Errorf("part %q, %v", text, err)
	}
	if _, err := s.OpenPart(t.Context(), id, "1.2"); !errors.Is(err, session.ErrNoPart) {
		t.Errorf("error %v, want ErrNoPart", err)
	}
	for _, number := range []string{"", "0", "1.", "01", "1 2", "TEXT", "1.MIME", "+1", "1]\r\n"} {
		if _, err := s.OpenPart(t.Context(), id, number); err == nil || errors.Is(err, session.ErrNoPart) {
			t.Errorf("part %q: %v, want a refusal", number, err)
		}
	}
	for _, tt := range []struct {
		offset, limit int64
		want          string
	}{{0, 0, "Subject: hello\r\n\r\nbody\r\n"}, {9, 5, "hello"}, {18, 99, "body\r\n"}, {99, 1, ""}} {
		body, err := s.OpenRange(t.Context(), id, tt.offset, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := io.ReadAll(body); err != nil || string(text) != tt.want {
			t.Errorf("%d bytes from %d: %q (%v), want %q", tt.limit, tt.offset, text, err, tt.want)
		}
		_ = body.Close()
	}
	if _, err := s.OpenRange(t.Context(), id, -1, 0); err == nil {
		t.Error("a range before the message")
	}
}
