package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/session"
)

// scripted is a way in whose history and notices a test writes. Message n of its
// only folder is what the n-th page adds.
type scripted struct {
	session.Incoming

	pages   int                   // there are by now
	fail    func(since int) error // of the next page behind so many
	listens bool
	notices chan session.Notice
}

func (s *scripted) at(n int) session.Cursor {
	return session.NewCursor(session.CursorParts{Backend: "scripted", State: strconv.Itoa(n)})
}

func (s *scripted) message(n int) *session.Message {
	return &session.Message{ID: session.NewID(session.IDParts{Backend: "scripted", Key: strconv.Itoa(n)})}
}

func (s *scripted) Cursor(context.Context, session.FolderRef) (session.Cursor, error) {
	if s.fail != nil {
		if err := s.fail(-1); err != nil {
			return session.Cursor{}, err
		}
	}
	return s.at(s.pages), nil
}

func (s *scripted) Changes(_ context.Context, _ session.FolderRef, since session.Cursor, _ session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		n := 0
		if p, err := since.Parts(); err == nil {
			n, _ = strconv.Atoi(p.State)
		}
		for more := true; more; n++ {
			if s.fail != nil {
				if err := s.fail(n); err != nil {
					yield(session.Changes{}, err)
					return
				}
			}
			if n >= s.pages {
				yield(session.Changes{Cursor: s.at(s.pages)}, nil)
				return
			}
			more = n+1 < s.pages
			if !yield(session.Changes{Added: []*session.Message{s.message(n + 1)}, Cursor: s.at(n + 1), More: more}, nil) {
				return
			}
		}
	}
}

// deaf is a scripted one that cannot listen.
type deaf struct{ *scripted }

// hearing is one that can.
type hearing struct{ *scripted }

func (h hearing) Notify(ctx context.Context, folders []session.FolderRef, _ session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		for _, f := range folders {
			if !yield(session.Notice{Kind: session.Listening, Folder: f}, nil) {
				return
			}
		}
		for {
			select {
			case n, more := <-h.notices:
				if !more || !yield(n, nil) {
					return
				}
			case <-ctx.Done():
				yield(session.Notice{}, ctx.Err())
				return
			}
		}
	}
}

// session returns a Session over it.
func (s *scripted) session(t *testing.T) *session.Session {
	t.Helper()
	s.notices = make(chan session.Notice)
	var in session.Incoming = deaf{s}
	if s.listens {
		in = hearing{s}
	}
	made, err := session.New(session.Credentials{}, func(session.Setup) (session.Incoming, error) { return in, nil }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// told writes an event in a word.
func told(e session.Event) string {
	word := e.Kind.String()
	if p, err := e.ID.Parts(); err == nil {
		word += p.Key
	}
	if p, err := e.Cursor.Parts(); err == nil {
		word += "@" + p.State
	}
	return word
}

// watch returns what a watch from the beginning tells in so much time.
func (s *scripted) watch(t *testing.T, d time.Duration, each func(word string)) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	var words []string
	opts := &session.WatchOptions{
		Since:    map[session.FolderRef]session.Cursor{session.Inbox: {}},
		Interval: -1, FirstWait: -1, MaxWait: -1, // as if they were not set
	}
	var last error
	for e, err := range s.session(t).Watch(ctx, nil, opts) {
		if last = err; err != nil {
			continue
		}
		words = append(words, told(e))
		if each != nil {
			each(words[len(words)-1])
		}
	}
	return strings.Join(words, " "), last
}

// passes is an error that passes.
type passes struct{ error }

func (passes) Temporary() bool { return true }

// TestWatchLooksAgain: a look that failed is made again without another notice,
// from the last page that was told.
func TestWatchLooksAgain(t *testing.T) {
	for _, listens := range []bool{true, false} {
		for _, failure := range []error{passes{errors.New("busy")}, io.ErrUnexpectedEOF, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}} {
			synctest.Test(t, func(t *testing.T) {
				failed := 0
				s := &scripted{pages: 4, listens: listens}
				s.fail = func(since int) error {
					if since == 2 && failed < 3 {
						failed++
						return failure
					}
					return nil
				}
				got, err := s.watch(t, 30*time.Second, nil)
				want := "new1@1 new2@2 new3@3 new4@4 listening@4"
				if got != want || !errors.Is(err, context.DeadlineExceeded) || failed != 3 {
					t.Errorf("Watch (listening: %t) over %v tells %q, %v; want %q and the end of its time", listens, failure, got, err, want)
				}
			})
		}
	}
}

// TestWatchEndsWithWhatDoesNotPass: a server that was never reached may not exist.
func TestWatchEndsWithWhatDoesNotPass(t *testing.T) {
	for at, failure := range map[int]error{
		0: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		1: errors.New("no"),
		2: fmt.Errorf("the backend: %w", session.ErrClosed),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &scripted{pages: 3, fail: func(since int) error {
				if since == at {
					return failure
				}
				return nil
			}}
			if got, err := s.watch(t, time.Hour, nil); !errors.Is(err, failure) {
				t.Errorf("Watch tells %q, %v; want that it ends in %v", got, err, failure)
			}
		})
	}
}

// TestWatchKeepsNotices that come while the loop is busy, and the word of a lost
// line among them.
func TestWatchKeepsNotices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{pages: 1, listens: true}
		got, _ := s.watch(t, time.Hour, func(word string) {
			if word != "listening@1" {
				return
			}
			for range 3 { // the line takes them at once, however busy the loop is
				s.pages++
				s.notices <- session.Notice{Kind: session.Activity, Folder: session.Inbox}
			}
			s.notices <- session.Notice{Kind: session.Activity, Folder: session.Sent} // nobody asked for it
			s.notices <- session.Notice{Kind: session.Listening, Folder: session.Inbox}
			synctest.Wait()
		})
		if want := "new1@1 listening@1 new2@2 new3@3 new4@4 reconnected@4"; got != want {
			t.Errorf("Watch tells %q, want %q", got, want)
		}
	})
}

// TestWatchEndsWithItsLine: nobody waits for a backend that has stopped listening,
// also where it does not say why.
func TestWatchEndsWithItsLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{pages: 1, listens: true}
		got, err := s.watch(t, time.Hour, func(word string) {
			if word == "listening@1" {
				close(s.notices)
			}
		})
		if want := "new1@1 listening@1"; got != want || err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Watch tells %q, %v; want %q and that the backend has stopped listening", got, err, want)
		}
	})
}

// TestWatchWithoutListening looks at its interval, and tells that the server is
// back.
func TestWatchWithoutListening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{}
		start := time.Now()
		s.fail = func(int) error {
			at := time.Since(start)
			if at > 15*time.Minute {
				s.pages = 1
			}
			if at > 10*time.Minute && at < 20*time.Minute {
				return passes{errors.New("down")}
			}
			return nil
		}
		var at time.Duration
		got, _ := s.watch(t, time.Hour, func(word string) {
			if word == "new1@1" {
				at = time.Since(start)
			}
		})
		if want := "listening@0 new1@1 reconnected@1"; got != want || at < 20*time.Minute || at > 21*time.Minute {
			t.Errorf("Watch tells %q, the message after %v; want %q, soon after 20 minutes", got, at, want)
		}
	})
}

// TestWatchKnowsTheInboxByItsNames: a cursor that was kept under one of them counts
// for the others, and it is watched once.
func TestWatchKnowsTheInboxByItsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		names := []session.FolderRef{"", session.Inbox, session.FolderAt("INBOX"), session.FolderAt("Inbox")}
		for i, kept := range names {
			s := &scripted{pages: 2}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			var words []string
			opts := &session.WatchOptions{Since: map[session.FolderRef]session.Cursor{kept: s.at(1)}}
			for e, err := range s.session(t).Watch(ctx, slices.Concat(names[i:], names), opts) {
				if want := names[i]; err == nil && e.Folder != want && (want != "" || e.Folder != session.Inbox) {
					t.Errorf("an event of the folder %q, which was named %q", e.Folder, want)
				}
				if err == nil {
					words = append(words, told(e))
				}
			}
			cancel()
			if got, want := strings.Join(words, " "), "new2@2 listening@2"; got != want {
				t.Errorf("Watch with a cursor for %q tells %q, want %q", kept, got, want)
			}
		}
	})
}
