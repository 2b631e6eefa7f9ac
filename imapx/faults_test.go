package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// impatient has timeouts that tell the stages apart.
func impatient(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
	s.Timeouts = session.Timeouts{Greeting: 11 * time.Second, Auth: 13 * time.Second, Command: 17 * time.Second, Handshake: 19 * time.Second}
}

// operations are what a program asks for, each on a client of its own.
func operations() map[string]func(ctx context.Context, w *world, id session.ID) error {
	return map[string]func(ctx context.Context, w *world, id session.ID) error{
		"list": func(ctx context.Context, w *world, _ session.ID) error {
			for _, err := range w.client.Messages(ctx, session.Query{}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"open": func(ctx context.Context, w *world, id session.ID) error {
			body, err := w.client.Open(ctx, id)
			if err != nil {
				return err
			}
			defer body.Close()
			n, err := io.Copy(io.Discard, body)
			if err == nil && n != bodySize {
				return fmt.Errorf("%d bytes without an error, want %d", n, bodySize)
			}
			return err
		},
		"folders": func(ctx context.Context, w *world, _ session.ID) error {
			for _, err := range w.client.Folders(ctx) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"move": func(ctx context.Context, w *world, id session.ID) error {
			_, err := w.client.Apply(ctx, session.Change{MoveTo: session.FolderAt("Archive")}, id)
			return err
		},
		"previews": func(ctx context.Context, w *world, _ session.ID) error {
			for _, err := range w.client.Messages(ctx, session.Query{Fields: session.FieldPreview}) {
				if err != nil {
					return err
				}
			}
			return nil
		},
		"part": func(ctx context.Context, w *world, id session.ID) error {
			p, err := w.client.OpenPart(ctx, id, "1")
			if err != nil {
				return err
			}
			defer p.Close()
			_, err = io.Copy(io.Discard, p)
			return err
		},
		"bodies": func(ctx context.Context, w *world, id session.ID) error {
			for b, err := range w.client.Bodies(ctx, id) {
				if err != nil {
					return err
				}
				if _, err := io.Copy(io.Discard, b); err != nil {
					return err
				}
			}
			return nil
		},
		"quota": func(ctx context.Context, w *world, _ session.ID) error {
			_, err := w.client.Quota(ctx, session.Inbox)
			return err
		},
		"count": func(ctx context.Context, w *world, _ session.ID) error {
			_, err := w.client.Count(ctx, session.Inbox)
			return err
		},
		"create": func(ctx context.Context, w *world, _ session.ID) error { return w.client.CreateFolder(ctx, "New") },
		"purge": func(ctx context.Context, w *world, _ session.ID) error {
			_, err := w.client.PurgeMarked(ctx, session.Inbox)
			return err
		},
		"append": func(ctx context.Context, w *world, _ session.ID) error {
			_, err := w.client.Append(ctx, session.Inbox, message.Bytes([]byte(mailtest.Sample(9))), nil)
			return err
		},
		"label": func(ctx context.Context, w *world, id session.ID) error {
			_, err := w.client.Apply(ctx, session.Change{AddLabels: []string{"work"}}, id)
			return err
		},
		"explain": func(ctx context.Context, w *world, _ session.ID) error {
			_, err := w.client.Explain(ctx, session.Query{})
			return err
		},
		"check": func(ctx context.Context, w *world, _ session.ID) error { return w.client.Check(ctx, nil).Err() },
	}
}

const bodySize = 100_000

func timeout(stage wire.Stage) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*wire.TimeoutError](err)
		return ok && e.Stage == stage && errors.Is(err, os.ErrDeadlineExceeded) && session.Temporary(err)
	}
}

func is(target error) func(error) bool {
	return func(err error) bool { return errors.Is(err, target) }
}

func says(words ...string) func(error) bool {
	return func(err error) bool {
		for _, w := range words {
			if err == nil || !strings.Contains(err.Error(), w) {
				return false
			}
		}
		return true
	}
}

// always injects the same fault again for the connection that follows.
func always(f mailtest.Fault) mailtest.Fault {
	f.Times = -1
	return f
}

// TestFaultsInside are those of the places that the fault table does not reach:
// the inside of an answer, its last byte, the server's very words. Time is virtual;
// where a goroutine is left, the test fails.
func TestFaultsInside(t *testing.T) {
	for _, tt := range []struct {
		name      string
		operation string
		fault     mailtest.Fault
		want      func(error) bool
		after     time.Duration
	}{
		{name: "goodbye for a greeting", operation: "list", fault: mailtest.Reply(mailtest.Greeting, "* BYE too many connections"), want: says("BYE", "too many connections")},
		{name: "another protocol's greeting", operation: "list", fault: mailtest.Reply(mailtest.Greeting, "220 mail.example.com ESMTP"), want: says("not that of an IMAP server", "check host and port")},

		{name: "cut inside a header", operation: "list", fault: always(mailtest.Drop("UID FETCH", 250)), want: is(io.ErrUnexpectedEOF)},
		{name: "cut once: asked again", operation: "list", fault: mailtest.Drop("UID FETCH", 250), want: is(nil)},
		{name: "silent inside a header", operation: "list", fault: mailtest.Fault{Command: "UID FETCH", StopAfter: 250, Stop: mailtest.StopSilent, Times: -1}, want: timeout(wire.StageCommand), after: 17 * time.Second},
		{name: "slow but alive", operation: "list", fault: mailtest.Drip("UID FETCH", 100, 16*time.Second), want: is(nil), after: slow},

		{name: "silent inside a literal", operation: "open", fault: mailtest.Fault{Command: "UID FETCH", StopAfter: 5000, Stop: mailtest.StopSilent}, want: timeout(wire.StageCommand), after: 17 * time.Second},
		{name: "cut inside a literal", operation: "open", fault: mailtest.Drop("UID FETCH", 5000), want: is(io.ErrUnexpectedEOF)},
		{name: "cut one byte short", operation: "open", fault: mailtest.Drop("UID FETCH", bodySize), want: is(io.ErrUnexpectedEOF)},
		{name: "refused", operation: "open", fault: mailtest.Reply("UID FETCH", "NO [SERVERBUG] try the other one"), want: says("open", "SERVERBUG", "try the other one")},
		{name: "no answer but OK", operation: "open", fault: always(mailtest.Reply("UID FETCH", "OK done")), want: is(session.ErrNoMessage)},
		{name: "slow but alive", operation: "open", fault: mailtest.Drip("UID FETCH", 4096, 16*time.Second), want: is(nil), after: slow},
	} {
		t.Run(tt.operation+" "+tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 0, nil, impatient)
				id := largeMessage(t, w)
				w.server.Inject(tt.fault)
				start := time.Now()
				err := operations()[tt.operation](t.Context(), w, id)
				if !tt.want(err) {
					t.Errorf("error %v", err)
				}
				if took := time.Since(start); took != tt.after && (tt.after != slow || took < time.Minute) {
					t.Errorf("took %v, want %v", took, tt.after)
				}
				w.server.Heal()
				if err := operations()["list"](t.Context(), w, id); err != nil {
					t.Errorf("afterwards the client does not work: %v", err)
				}
			})
		})
	}
}

// slow stands for any time that is longer than every bound on standing still.
const slow = -1

// largeMessage puts a message into the inbox and returns its id, as a client of
// another connection would know it.
func largeMessage(t *testing.T, w *world) session.ID {
	t.Helper()
	raw := mailtest.Sample(1)
	raw += strings.Repeat("x", bodySize-len(raw))
	if _, err := w.account.Append("INBOX", raw, nil); err != nil {
		t.Fatal(err)
	}
	return session.NewID(session.IDParts{
		Backend: "imap", Mailbox: session.Fingerprint("localhost:143", ann), Folder: "INBOX", Validity: validity(t, w), Key: "1",
	})
}

func validity(t *testing.T, w *world) string {
	t.Helper()
	f, err := w.account.Folder("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(uint64(f.UIDValidity), 10)
}

// TestCancelEndsAtTheSameInstant: whatever a call waits for.
func TestCancelEndsAtTheSameInstant(t *testing.T) {
	for _, tt := range []struct {
		name, operation string
		fault           mailtest.Fault
	}{
		{"the greeting", "list", mailtest.Silence(mailtest.Greeting)},
		{"the sign-in", "list", mailtest.Silence("AUTHENTICATE")},
		{"SELECT", "list", mailtest.Silence("SELECT")},
		{"SEARCH", "list", mailtest.Silence("UID SEARCH")},
		{"a page", "list", mailtest.Silence("UID FETCH")},
		{"the middle of a literal", "open", mailtest.Drip("UID FETCH", 10, time.Second)},
		{"LIST", "folders", mailtest.Silence("LIST")},
		{"MOVE", "move", mailtest.Silence("UID MOVE")},
		{"NAMESPACE", "folders", mailtest.Silence("NAMESPACE")},
		{"a preview", "previews", mailtest.Fault{Command: "UID FETCH", Contains: "PREVIEW)", Stop: mailtest.StopSilent}},
		{"the header of a part", "part", mailtest.Fault{Command: "UID FETCH", Contains: "MIME", Stop: mailtest.StopSilent}},
		{"the middle of a part", "part", mailtest.Fault{Command: "UID FETCH", Contains: "BODY.PEEK[1])", Chunk: 10, Pause: time.Second}},
		{"the middle of many bodies", "bodies", mailtest.Drip("UID FETCH", 10, time.Second)},
		{"GETQUOTAROOT", "quota", mailtest.Silence("GETQUOTAROOT")},
		{"STATUS", "count", mailtest.Silence("STATUS")},
		{"CREATE", "create", mailtest.Silence("CREATE")},
		{"the search of a purge", "purge", mailtest.Silence("UID SEARCH")},
		{"APPEND", "append", mailtest.Silence("APPEND")},
		{"STORE of labels", "label", mailtest.Silence("UID STORE")},
		{"Explain", "explain", mailtest.Silence("AUTHENTICATE")},
		{"EXAMINE of a check", "check", mailtest.Silence("EXAMINE")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := imaptest.Options{Capabilities: append(imaptest.DefaultCapabilities(), "X-GM-EXT-1")}
				w := newWorld(t, 0, &options)
				w.account.UseLabels()
				id := largeMessage(t, w)
				w.server.Inject(tt.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
				defer cancel()
				start := time.Now()
				err := operations()[tt.operation](ctx, w, id)
				if !errors.Is(err, context.DeadlineExceeded) || session.Temporary(err) {
					t.Errorf("error %v, want the context's", err)
				}
				if took := time.Since(start); took != 2500*time.Millisecond {
					t.Errorf("ended after %v, want 2.5s", took)
				}
				w.server.Heal()
				if err := operations()["list"](t.Context(), w, id); err != nil {
					t.Errorf("afterwards the client does not work: %v", err)
				}
			})
		})
	}
}

// TestPoolWaitEndsWithTheContext: a caller that waits for another's connection
// can leave.
func TestPoolWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = 1 })
		id := largeMessage(t, w)
		body, err := w.client.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := operations()["list"](ctx, w, id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want context.DeadlineExceeded", err)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		if err := operations()["list"](t.Context(), w, id); err != nil {
			t.Error(err)
		}
	})
}

// TestCloseEndsWhatIsUnderWay at once and for good.
func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	for _, command := range []string{mailtest.Greeting, "UID FETCH"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3, nil)
			w.server.Inject(mailtest.Silence(command))
			time.AfterFunc(time.Second, func() {
				if err := w.client.Close(); err != nil {
					t.Error(err)
				}
			})
			start := time.Now()
			for range 2 {
				if err := operations()["list"](t.Context(), w, session.ID{}); !errors.Is(err, session.ErrClosed) || session.Temporary(err) {
					t.Errorf("%s: error %v, want ErrClosed", command, err)
				}
			}
			if took := time.Since(start); took != time.Second {
				t.Errorf("%s: ended after %v, want 1s", command, took)
			}
		})
	}
}

// TestNoneLostNoneDoubled: the line is cut at many places of a listing, every
// time once.
func TestNoneLostNoneDoubled(t *testing.T) {
	for _, cut := range []int{0, 1, 40, 300, 1000, 2000, 2500, 3000} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 35, nil)
			fault := mailtest.Drop("UID FETCH", cut)
			fault.Skip = 1 // a page comes, the larger one behind it is cut
			w.server.Inject(fault)
			var got []string
			for m, err := range w.client.Messages(t.Context(), session.Query{}) {
				if err != nil {
					t.Fatalf("cut after %d bytes: %v", cut, err)
				}
				got = append(got, strings.TrimPrefix(m.Header.Subject(), "Sample "))
			}
			var want []string
			for i := 35; i > 0; i-- {
				want = append(want, strconv.Itoa(i))
			}
			if strings.Join(got, " ") != strings.Join(want, " ") {
				t.Errorf("cut after %d bytes: messages %v", cut, got)
			}
			if w.server.Pending() != 0 {
				t.Errorf("cut after %d bytes: the line was not cut", cut)
			}
		})
	}
}

// TestMessagesThatVanishMeanwhile are left out, and the others come.
func TestMessagesThatVanishMeanwhile(t *testing.T) {
	w := newWorld(t, 15, nil)
	w.server.Inject(mailtest.Call("UID FETCH", func() {
		if _, err := w.account.Expunge("INBOX", 14, 3); err != nil {
			t.Error(err)
		}
	}))
	if got, want := subjects(list(t, w.client.Messages(t.Context(), session.Query{}))), "15 13 12 11 10 9 8 7 6 5 4 2 1"; got != want {
		t.Errorf("messages %s, want %s", got, want)
	}
}

// TestOneBadMessage: what cannot be read of one message is that message's
// error, and the connection lives.
func TestOneBadMessage(t *testing.T) {
	for name, bad := range map[string]string{
		"with its number":    "* 2 FETCH (UID 2 FLAGS (\\Seen RFC822.SIZE 10)\r\n",
		"without its number": "* 2 FETCH (FLAGS \\Seen)\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 3, nil)
			var answer strings.Builder
			for _, uid := range []string{"1", "3"} {
				answer.WriteString("* " + uid + " FETCH (UID " + uid + " FLAGS () RFC822.SIZE 5 INTERNALDATE \"20-Nov-2026 10:00:00 +0000\" BODY[HEADER.FIELDS (SUBJECT)] {15}\r\nSubject: good\r\n)\r\n")
			}
			w.server.Inject(mailtest.Fault{Command: "UID FETCH", Reply: strings.TrimSuffix(bad+answer.String()+"OK done", "\r\n")})
			var good, broken []string
			for m, err := range w.client.Messages(t.Context(), session.Query{}) {
				if e, ok := errors.AsType[*session.ItemError](err); ok {
					broken = append(broken, strings.TrimPrefix(e.ID.String(), "imap:"))
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				good = append(good, m.Header.Subject())
			}
			if len(good) != 2 || len(broken) != 1 || !strings.HasSuffix(broken[0], ":2") {
				t.Errorf("good %q, broken %q, want two good ones and the message 2", good, broken)
			}
			if got := len(list(t, w.client.Messages(t.Context(), session.Query{}))); got != 3 {
				t.Errorf("%d messages the next time, want 3", got)
			}
			if made, _ := w.server.Connections(); made != 1 {
				t.Errorf("%d connections were made, want 1", made)
			}
		})
	}
}

// TestUnaskedResponses that go-imap cannot read do not end the connection,
// whenever they come.
func TestUnaskedResponses(t *testing.T) {
	w := newWorld(t, 3, nil)
	noise := "* 2 FETCH (X-GM-LABELS (\"\\\\Inbox\" {4}\r\na)b() UID 2)\r\n* VANISHED (EARLIER) 4:5\r\n* ESEARCH (TAG \"a\") UID ALL 1\r\n" +
		"* OK [UNHEARD-OF (1 2] still here\r\n* 3 EXISTS\r\n* FLAGS (\\Seen)\r\n"
	for _, command := range []string{"SELECT", "UID SEARCH", "UID FETCH", "LIST", "NOOP", "UID STORE"} {
		fault := mailtest.Before(command, noise)
		fault.After = noise
		w.server.Inject(fault)
	}
	for range 2 {
		all := ids(t, w)
		if len(all) != 3 {
			t.Errorf("%d messages, want 3", len(all))
		}
		results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, all...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, session.Done, session.Done, session.Done)
		if err := operations()["folders"](t.Context(), w, session.ID{}); err != nil {
			t.Fatal(err)
		}
	}
	if w.server.Pending() != 0 {
		t.Errorf("%d faults were not met", w.server.Pending())
	}
	if made, _ := w.server.Connections(); made != 1 {
		t.Errorf("%d connections were made, want 1", made)
	}
}

// TestInjectionBeforeTLS: what somebody puts in front of the handshake is not
// taken for the server's answers under TLS.
func TestInjectionBeforeTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, &imaptest.Options{Security: mailtest.STARTTLS}, func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
			s.Security = session.STARTTLS
		})
		w.server.Inject(mailtest.After("STARTTLS", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\nA2 OK you are welcome\r\n"))
		_, err := w.client.Facts(t.Context())
		if !errors.Is(err, wire.ErrInjected) {
			t.Errorf("error %v, want ErrInjected", err)
		}
		for _, c := range w.server.Commands() {
			if c.Name == "AUTHENTICATE" || c.Name == "LOGIN" {
				t.Errorf("after the injection the client said %q", c.Line)
			}
		}
	})
}

// TestPreauth leaves no room for STARTTLS, and needs no sign-in under TLS.
func TestPreauth(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Security: mailtest.STARTTLS}, func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
		s.Security = session.STARTTLS
	})
	w.server.Inject(mailtest.Reply(mailtest.Greeting, "* PREAUTH [CAPABILITY IMAP4rev1 STARTTLS] welcome"))
	if _, err := w.client.Facts(t.Context()); err == nil || !strings.Contains(err.Error(), "PREAUTH") {
		t.Errorf("error %v, want a refusal of PREAUTH", err)
	}
}

// TestWhatWasNotBegun is done on a new connection, and where a copy cannot be
// verified the original stays. What was begun is in the fault table.
func TestWhatWasNotBegun(t *testing.T) {
	for _, tt := range []struct {
		name    string
		change  session.Change
		fault   mailtest.Fault
		want    session.ChangeOutcome
		options *imaptest.Options
	}{
		{"the line is lost before anything was changed", session.Change{Delete: true}, mailtest.Drop("UID SEARCH", 0), session.Done, nil},
		{
			"a copy that is not confirmed",
			session.Change{MoveTo: session.FolderAt("Archive")},
			mailtest.Reply("UID COPY", "OK done"), session.NotDone,
			&imaptest.Options{Capabilities: imaptest.Without("MOVE")},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 2, tt.options)
				all := ids(t, w)
				w.server.Inject(tt.fault)
				results, err := w.client.Apply(t.Context(), tt.change, all[0])
				wantOutcomes(t, results, tt.want)
				if err != nil {
					t.Errorf("error %v with the outcome %v", err, tt.want)
				}
				if tt.want == session.NotDone && contents(t, w.account, "INBOX") != "1[] 2[]" {
					t.Errorf("inbox %s, want both messages as they were", contents(t, w.account, "INBOX"))
				}
			})
		})
	}
}
