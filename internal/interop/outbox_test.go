//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
	"github.com/mailsession/mailsession/state"
)

// TestRoundTripOnRealServers: a test message goes through Postfix and arrives in
// Dovecot, and nothing is left of it.
func TestRoundTripOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	in, out := pair(t, servers, session.TLS)
	s := newSession(t, session.Credentials{User: ann, Password: user.Password}, in, out)
	trip, err := s.RoundTrip(t.Context(), &session.RoundTripOptions{Delete: true})
	if err != nil || trip.Folder != session.Inbox || trip.Cleanup != nil || trip.Took() <= 0 {
		t.Fatalf("RoundTrip = %+v, %v; want it in the inbox", trip, err)
	}
	t.Logf("sent in %v, arrived after %v", trip.Sending, trip.Arriving)
	raw := dialIMAPS(t, servers)
	raw.login(user)
	if got := raw.ok("STATUS INBOX (MESSAGES)"); !strings.Contains(strings.Join(got, ""), "MESSAGES 0") {
		t.Errorf("the inbox is left with %q", got)
	}
}

// TestCopiesOnDovecot: a copy is filed once, found again, and has its Bcc.
func TestCopiesOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	in, out := pair(t, servers, session.TLS)
	s, err := session.New(session.Credentials{User: ann, Password: user.Password}, imapx.Backend(in, nil), smtpx.Backend(out, nil),
		&session.Options{SaveSent: session.SentAuto, KeepBcc: true, Logger: testlog.Logger(testlog.New(t))})
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	m := message.Bytes([]byte("From: ann@example.test\r\nTo: ann@example.test\r\nMessage-ID: <copy@example.test>\r\nSubject: Offer\r\n\r\nHello.\r\n"))
	e := session.Envelope{From: ann, To: []string{ann, bob}}
	rec, err := s.Send(t.Context(), e, m)
	if err != nil || rec.Copy.State != session.CopyFiled || rec.Copy.ID.IsZero() {
		t.Fatalf("Send = %+v, %v; want it accepted and filed", rec, err)
	}
	if again, err := s.SaveSent(t.Context(), e, m); err != nil || again.State != session.CopyFound || again.ID != rec.Copy.ID {
		t.Errorf("SaveSent = %+v, %v; want the copy found", again, err)
	}
	found, err := s.FindSent(t.Context(), "copy@example.test")
	if err != nil || found.ID != rec.Copy.ID || found.Unread() {
		t.Errorf("FindSent = %+v, %v; want the copy, read", found, err)
	}
	if kept, err := s.Read(t.Context(), rec.Copy.ID); err != nil || kept.Header.Get("Bcc") != "<"+bob+">" {
		t.Errorf("the copy's Bcc is %q (%v), want bob", kept.Header.Get("Bcc"), err)
	}
}

// A child with these variables enqueues a message and sends it.
const (
	outboxVariable   = "INTEROP_OUTBOX" // the folder of the Store
	outboxIMAP       = "INTEROP_OUTBOX_IMAP"
	outboxSMTP       = "INTEROP_OUTBOX_SMTP"
	outboxPassphrase = "INTEROP_OUTBOX_PASSWORD" //nolint:gosec // the name of a variable
)

// outboxTerm is the term of claims where workers are processes.
const outboxTerm = 3 * time.Second

// outboxChild does what such a child does; ok is false where this is none.
func outboxChild() (ok bool) {
	path, ok := os.LookupEnv(outboxVariable)
	if !ok {
		return false
	}
	b, err := outboxAt(path, plainAt(os.Getenv(outboxIMAP)), plainAt(os.Getenv(outboxSMTP)), secret.New(os.Getenv(outboxPassphrase)), outbox.Options{})
	if err == nil {
		_, err = b.EnqueueDraft(context.Background(), "a", invoice())
	}
	if err == nil {
		err = b.Drain(context.Background())
	}
	fmt.Fprintln(os.Stderr, "the child was not killed:", err)
	return true
}

// invoice is what is sent.
func invoice() *message.Draft {
	return &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: bob}}, Subject: "Invoice 7", Text: "As agreed.\n"}
}

// plainAt is a server on this machine, without TLS.
func plainAt(address string) session.Server {
	host, port, _ := net.SplitHostPort(address)
	s := session.Server{Host: host, Security: session.None, AllowPlainAuth: true}
	_, _ = fmt.Sscan(port, &s.Port)
	return s
}

// outboxAt is a worker that shares a folder with others.
func outboxAt(path string, in, out session.Server, password secret.Text, opts outbox.Options) (*outbox.Outbox, error) {
	store, err := state.OpenDir(path)
	if err != nil {
		return nil, err
	}
	s, err := session.New(session.Credentials{User: ann, Password: password},
		imapx.Backend(in, nil), smtpx.Backend(out, nil), &session.Options{SaveSent: session.SentAuto})
	if err != nil {
		return nil, err
	}
	opts.Term, opts.Poll = outboxTerm, 50*time.Millisecond
	return outbox.New(store, s, &opts)
}

// withholding is a relay to an SMTP server that keeps the answer to the message to
// itself.
type withholding struct {
	listener net.Listener
	answered chan struct{} // closed when the server has taken the message
	once     sync.Once
	ended    sync.WaitGroup
}

func withhold(t *testing.T, server string) *withholding {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	w := &withholding{listener: l, answered: make(chan struct{})}
	w.ended.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			w.ended.Go(func() { w.relay(t.Context(), client, server) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		w.ended.Wait()
	})
	return w
}

// relay carries one connection, until the client goes.
func (w *withholding) relay(ctx context.Context, client net.Conn, server string) {
	defer client.Close()
	behind, err := (&net.Dialer{}).DialContext(ctx, "tcp", server)
	if err != nil {
		return
	}
	w.ended.Go(func() {
		buf := make([]byte, 4096)
		for {
			n, err := behind.Read(buf)
			if err != nil {
				return
			}
			if bytes.Contains(buf[:n], []byte("queued as")) {
				w.once.Do(func() { close(w.answered) })
				continue
			}
			if _, err := client.Write(buf[:n]); err != nil {
				return
			}
		}
	})
	_, _ = io.Copy(behind, client)
	_ = behind.Close()
}

// killedBeforeTheAnswer has a process send an invoice through Postfix, and kills it
// when Postfix has taken it and its answer is on the way. It returns the folder of
// the outbox.
func killedBeforeTheAnswer(t *testing.T, servers *interop.Servers) string {
	t.Helper()
	relay := withhold(t, servers.SMTP)
	self, err := os.Executable()
	must(t, err)
	path := t.TempDir() + "/outbox"
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // It is this very program.
	cmd.Env = append(os.Environ(), outboxVariable+"="+path, outboxIMAP+"="+servers.IMAP,
		outboxSMTP+"="+relay.listener.Addr().String(), outboxPassphrase+"="+userOf(t, servers, ann).Password.Reveal())
	var said bytes.Buffer
	cmd.Stderr = &said
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-relay.answered:
	case err := <-ended:
		t.Fatalf("the child ended: %v: %s", err, said.String())
	}
	must(t, cmd.Process.Kill())
	if exit, ok := errors.AsType[*exec.ExitError](<-ended); !ok || exit.Exited() {
		t.Fatalf("the child was not killed: %v: %s", exit, said.String())
	}
	return path
}

// TestAKilledSenderOnRealServers: a process that is killed after Postfix took its
// message, and before it heard of that, leaves it unknown. Where the message is in
// the folder of sent mail, as servers that file it have it, the next worker finds it
// there; else somebody says so. Either way bob gets it once, and one copy is kept.
func TestAKilledSenderOnRealServers(t *testing.T) {
	t.Parallel()
	for name, filed := range map[string]bool{"filed by the server": true, "filed by nobody": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startServers(t, &interop.Options{Users: []interop.User{
				{Address: ann, Password: secret.New("ann-horse-staple")}, {Address: bob, Password: secret.New("bob-horse-staple")},
			}})
			path := killedBeforeTheAnswer(t, servers)
			user := userOf(t, servers, ann)
			in, out := pair(t, servers, session.TLS)
			changes := make(chan outbox.Entry, 100)
			b, err := outboxAt(path, in, out, user.Password, outbox.Options{
				Changed: func(e outbox.Entry) { changes <- e }, Logger: testlog.Logger(testlog.New(t)),
			})
			must(t, err)
			entry, err := b.EnqueueDraft(t.Context(), "a", invoice())
			if err != nil || entry.State != outbox.StateSending {
				t.Fatalf("enqueued again the message is %+v, %v; want it in the hands of the one that is gone", entry, err)
			}
			raw := dialIMAPS(t, servers)
			raw.login(user)
			if filed {
				text := "From: ann@example.test\r\nMessage-ID: <" + entry.MessageID + ">\r\nSubject: Invoice 7\r\n\r\nAs agreed.\r\n"
				raw.ok(fmt.Sprintf("APPEND Sent {%d+}\r\n%s", len(text), text))
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			go func() { _ = b.Run(ctx) }()
			first := next(ctx, t, changes)
			if first.State != outbox.StateUnknown {
				t.Fatalf("the first change is to %s, want unknown", first.State)
			}
			if !filed {
				awaitAt(t, servers, bob, entry.MessageID)
				must(t, b.MarkSent(ctx, "a"))
			}
			var sent outbox.Entry
			for sent.State != outbox.StateSent {
				sent = next(ctx, t, changes)
			}
			if sent.Found != filed {
				t.Errorf("found in the folder of sent mail is %v, want %v", sent.Found, filed)
			}
			awaitCopy(ctx, t, b)
			cancel()
			if got := strings.Join(raw.ok("STATUS Sent (MESSAGES)"), ""); !strings.Contains(got, "MESSAGES 1)") {
				t.Errorf("Sent has %q, want one message", got)
			}
			if n := awaitAt(t, servers, bob, entry.MessageID); n != 1 {
				t.Errorf("bob has it %d times, want once", n)
			}
		})
	}
}

// next returns the next change.
func next(ctx context.Context, t *testing.T, changes <-chan outbox.Entry) outbox.Entry {
	t.Helper()
	select {
	case e := <-changes:
		return e
	case <-ctx.Done():
		t.Fatal("nothing changes any more")
	}
	return outbox.Entry{}
}

// awaitCopy waits until the copy of the message is filed or found.
func awaitCopy(ctx context.Context, t *testing.T, b *outbox.Outbox) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		e, err := b.Entry(ctx, "a")
		must(t, err)
		if e.Copy == session.CopyFiled || e.Copy == session.CopyFound {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("no copy was filed: %v %s", e.Copy, e.CopyErr)
		}
	}
}

// awaitAt waits until a message is in somebody's inbox, and returns how often it is.
func awaitAt(t *testing.T, servers *interop.Servers, address, messageID string) int {
	t.Helper()
	in, out := pair(t, servers, session.TLS)
	s := newSession(t, session.Credentials{User: address, Password: userOf(t, servers, address).Password}, in, out)
	awaitMail(t, s, messageID)
	n := 0
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		must(t, err)
		if m.Header.MessageID() == messageID {
			n++
		}
	}
	return n
}
