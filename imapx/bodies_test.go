package imapx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// connections bounds the pool.
func connections(n int) func(*session.Server, *session.Credentials, *imapx.Options) {
	return func(s *session.Server, _ *session.Credentials, o *imapx.Options) {
		o.MaxConnections = n
		s.Timeouts.Command = 17 * time.Second
	}
}

// told is what a loop over bodies gives: for each message its UID with the
// number of the sample, or what is wrong with it.
func told(t *testing.T, w *world, inside func(session.ID), all ...session.ID) (words []string, last error) {
	t.Helper()
	return toldBy(t, w, io.ReadAll, inside, all...)
}

// copied reads as io.Copy does.
func copied(r io.Reader) ([]byte, error) {
	var b bytes.Buffer
	_, err := io.Copy(&b, r)
	return b.Bytes(), err
}

// toldBy is told where bodies are read by read.
func toldBy(t *testing.T, w *world, read func(io.Reader) ([]byte, error), inside func(session.ID), all ...session.ID) (words []string, last error) {
	t.Helper()
	for b, err := range w.client.Bodies(t.Context(), all...) {
		if last != nil {
			t.Fatalf("an item after the error %v", last)
		}
		parts, _ := b.ID.Parts()
		if _, item := errors.AsType[*session.ItemError](err); item {
			words = append(words, parts.Key+"!"+kindOf(err))
			continue
		}
		if err != nil {
			last = err
			continue
		}
		if inside != nil {
			inside(b.ID)
		}
		text, err := read(b)
		switch {
		case err != nil:
			words = append(words, parts.Key+"?"+kindOf(err))
		case strings.TrimRight(string(text), "x") != strings.TrimRight(mailtest.Sample(int(text[strings.Index(string(text), "Sample ")+7]-'0')), "x"):
			t.Errorf("message %s has %d bytes that are no sample", parts.Key, len(text))
		default:
			words = append(words, parts.Key)
		}
	}
	return words, last
}

func kindOf(err error) string {
	switch {
	case errors.Is(err, session.ErrNoMessage):
		return "gone"
	case errors.Is(err, session.ErrOtherMailbox):
		return "other"
	case errors.Is(err, session.ErrStaleID):
		return "stale"
	case errors.Is(err, session.ErrNoFolder):
		return "folder"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut"
	}
	return "bad"
}

// TestBodies: each message once, whatever goes wrong, and whether a connection
// can be held or not.
func TestBodies(t *testing.T) {
	expunge := func(w *world) func() {
		return func() {
			if _, err := w.account.Expunge("INBOX", 3); err != nil {
				panic(err)
			}
		}
	}
	for _, tt := range []struct {
		name  string
		fault func(w *world) mailtest.Fault
		want  string
	}{
		{"nothing goes wrong", nil, "1 2 3 4 5"},
		{"cut before the first", func(*world) mailtest.Fault { return mailtest.Drop("UID FETCH", 0) }, "1 2 3 4 5"},
		{"cut inside the third", func(*world) mailtest.Fault { return mailtest.Drop("UID FETCH", 2*len(mailtest.Sample(1))+200) }, "1 2 3 4 5 held:1 2 3?cut 4 5"},
		{"one is removed before", func(w *world) mailtest.Fault { return mailtest.Call("UID FETCH", expunge(w)) }, "1 2 4 5 3!gone"},
		{"refused for all together", func(*world) mailtest.Fault { return mailtest.Reply("UID FETCH", "NO [CANNOT] some of them") }, "1 2 3 4 5"},
		{"refused one by one", func(*world) mailtest.Fault {
			f := mailtest.Reply("UID FETCH", "NO [CANNOT] not those")
			f.Times = 3
			return f
		}, "1!bad 2!bad 3 4 5"},
		{"literals that are too short", func(*world) mailtest.Fault { return mailtest.WrongSize("UID FETCH", -10) }, "1!cut 2 3 4 5 held:1?cut 2 3 4 5"},
		{"the number behind the body", func(*world) mailtest.Fault {
			return mailtest.Reply("UID FETCH", fmt.Sprintf("* 2 FETCH (BODY[] {%d}\r\n%s UID 2)\r\nOK done", len(mailtest.Sample(2)), mailtest.Sample(2)))
		}, "2 1 3 4 5"},
		{"a string and a NIL", func(*world) mailtest.Fault {
			return mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 BODY[] NIL)\r\n* 9 FETCH (FLAGS (\\Seen))\r\n* 4 FETCH (UID 4 !\r\nOK done")
		}, "1 2 3 4 5"},
	} {
		for _, n := range []int{1, 2, 3} {
			t.Run(fmt.Sprintf("%s, %d connections", tt.name, n), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 5, nil, connections(n))
					all := ids(t, w)
					if tt.fault != nil {
						w.server.Inject(tt.fault(w))
					}
					read := io.ReadAll
					if n == 3 {
						read = copied
					}
					words, err := toldBy(t, w, read, nil, all...)
					ahead, held, both := strings.Cut(tt.want, " held:")
					want := ahead
					if both && n > 1 {
						want = held
					}
					if got := strings.Join(words, " "); got != want || err != nil {
						t.Errorf("bodies %s (%v), want %s", got, err, want)
					}
					if got := contents(t, w.account, "INBOX"); strings.Contains(got, "Seen") {
						t.Errorf("inbox %s", got)
					}
				})
			})
		}
	}
}

// TestBodiesCopied to where there is no room: that is told, and nothing that
// follows suffers.
func TestBodiesCopied(t *testing.T) {
	w := newWorld(t, 0, nil, connections(2))
	large := mailtest.Sample(1) + strings.Repeat("0123456789\r\n", 25_000)
	for range 3 {
		if _, err := w.account.Append("INBOX", large, nil); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	for b, err := range w.client.Bodies(t.Context(), ids(t, w)...) {
		if err != nil {
			t.Fatal(err)
		}
		switch n++; n {
		case 1:
			full, to := io.Pipe()
			full.Close()
			if got, err := io.Copy(to, b); got != 0 || !errors.Is(err, io.ErrClosedPipe) {
				t.Errorf("Copy() = %d, %v, want io.ErrClosedPipe", got, err)
			}
			if text, err := copied(b); err != nil || string(text) != large {
				t.Errorf("afterwards: %d bytes (%v), want %d", len(text), err, len(large))
			}
			if text, err := copied(b); err != nil || len(text) != 0 {
				t.Errorf("behind the end: %d bytes (%v)", len(text), err)
			}
		default:
			if text, err := copied(b); err != nil || string(text) != large {
				t.Errorf("message %d: %d bytes (%v), want %d", n, len(text), err, len(large))
			}
		}
	}
	if n != 3 {
		t.Errorf("%d messages, want 3", n)
	}
}

// TestBodiesWithCallsInside: whatever is called inside the loop, even loops in
// it, nothing waits for the loop's own connection.
func TestBodiesWithCallsInside(t *testing.T) {
	for _, n := range []int{1, 2, 4} {
		t.Run(fmt.Sprintf("%d connections", n), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 5, nil, connections(n))
				all := ids(t, w)
				depth := 0
				var inside func(id session.ID)
				inside = func(id session.ID) {
					if _, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, id); err != nil {
						t.Error(err)
					}
					if opened(t, w, id) == "" {
						t.Error("nothing to read")
					}
					if depth++; depth < 6 {
						words, err := told(t, w, inside, all[0], all[4])
						if strings.Join(words, " ") != "1 5" || err != nil {
							t.Errorf("inside: %v, %v", words, err)
						}
					}
				}
				words, err := told(t, w, inside, all...)
				if strings.Join(words, " ") != "1 2 3 4 5" || err != nil {
					t.Errorf("bodies %v, %v", words, err)
				}
				if made, _ := w.server.Connections(); made > n {
					t.Errorf("%d connections, want at most %d", made, n)
				}
			})
		})
	}
}

// TestBodiesOfOthers are told one by one, and the loop goes on.
func TestBodiesOfOthers(t *testing.T) {
	w := newWorld(t, 2, nil)
	all := ids(t, w)
	if _, err := w.account.Append("Archive", mailtest.Sample(3), nil); err != nil {
		t.Fatal(err)
	}
	archived := list(t, w.client.Messages(t.Context(), session.Query{Folder: session.Archive}))[0].ID
	parts, _ := all[0].Parts()
	at := func(change func(p *session.IDParts)) session.ID {
		p := parts
		change(&p)
		return session.NewID(p)
	}
	words, err := told(t, w, nil,
		at(func(p *session.IDParts) { p.Mailbox = "another" }), all[1], archived, all[0], all[1],
		at(func(p *session.IDParts) { p.Validity = "4" }), at(func(p *session.IDParts) { p.Folder = "Nowhere" }), at(func(p *session.IDParts) { p.Key = "77" }))
	if got, want := strings.Join(words, " "), "1!other 1 2 77!gone 1 1!stale 1!folder"; got != want || err != nil {
		t.Errorf("bodies %s (%v), want %s", got, err, want)
	}
}

// TestBodiesLargeAndUnread: what is read ahead is whole and leaves no file; what
// is not read, and a loop that is left, cost nothing that follows.
func TestBodiesLargeAndUnread(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	for _, n := range []int{1, 2} {
		w := newWorld(t, 0, nil, connections(n))
		large := mailtest.Sample(1) + strings.Repeat("0123456789\r\n", 250_000)
		for range 3 {
			if _, err := w.account.Append("INBOX", large, nil); err != nil {
				t.Fatal(err)
			}
		}
		all := ids(t, w)
		var kept []io.Reader
		for b, err := range w.client.Bodies(t.Context(), all...) {
			if err != nil {
				t.Fatal(err)
			}
			if kept = append(kept, b.Reader); len(kept) == 2 {
				text, err := io.ReadAll(b)
				if err != nil || string(text) != large {
					t.Errorf("%d bytes (%v), want %d", len(text), err, len(large))
				}
			}
			if len(kept) == 3 {
				break
			}
		}
		if got, err := io.ReadAll(kept[0]); len(got) > 0 {
			t.Errorf("a body that is no longer valid gives %d bytes, %v", len(got), err)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
			t.Errorf("files %v are left (%v)", files, err)
		}
		for b, err := range w.client.Bodies(t.Context(), all[2]) {
			if err != nil {
				t.Fatal(err)
			}
			if text, err := io.ReadAll(b); err != nil || string(text) != large {
				t.Errorf("afterwards: %d bytes, %v", len(text), err)
			}
		}
	}
}

// TestBodiesEnd with their context, and with a server that stands still.
func TestBodiesEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil, connections(2))
		all := ids(t, w)
		w.server.Inject(mailtest.Silence("UID FETCH").Repeating(-1))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var last error
		for _, err := range w.client.Bodies(ctx, all...) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", last)
		}
		start := time.Now()
		if _, err := told(t, w, nil, all...); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != 17*time.Second {
			t.Errorf("error %v after %v, want a timeout after 17 s", err, time.Since(start))
		}
	})
}

// TestBodiesAskAtOnce where the connection has the folder open: for news only
// once a message is missing.
func TestBodiesAskAtOnce(t *testing.T) {
	w := newWorld(t, 3, nil)
	var ids []session.ID
	for _, m := range list(t, w.client.Messages(t.Context(), session.Query{})) {
		ids = append(ids, m.ID)
	}
	before := len(w.server.Commands())
	if got, err := told(t, w, nil, ids...); len(got) != 3 || err != nil {
		t.Fatalf("bodies %v, %v, want 3", got, err)
	}
	if got, want := w.names(before), []string{"UID FETCH"}; !slices.Equal(got, want) {
		t.Errorf("commands %v, want %v", got, want)
	}
	if _, err := w.account.Expunge("INBOX", 2); err != nil {
		t.Fatal(err)
	}
	before = len(w.server.Commands())
	if got, err := told(t, w, nil, ids...); len(got) != 3 || err != nil {
		t.Fatalf("bodies %v, %v, want 3 with the one that is gone", got, err)
	}
	if got := w.names(before); !slices.Contains(got, "NOOP") {
		t.Errorf("commands %v, want NOOP before a message is given up", got)
	}
}
