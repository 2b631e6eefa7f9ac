package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
	"github.com/mailsession/mailsession/state"
)

// A child with these variables enqueues a message, sends it and is killed on the
// way. The hook that kills it is one that only tests can set, so that no program can
// be crashed by its environment.
const (
	crashVariable = "OUTBOX_TEST_CRASH" // the point
	pathVariable  = "OUTBOX_TEST_PATH"
	imapVariable  = "OUTBOX_TEST_IMAP"
	smtpVariable  = "OUTBOX_TEST_SMTP"
)

// childTerm is the term of claims where workers are processes.
const childTerm = 3 * time.Second

func TestMain(m *testing.M) {
	if point, ok := os.LookupEnv(crashVariable); ok {
		fmt.Fprintln(os.Stderr, crashHere(point))
		os.Exit(1) //nolint:forbidigo // A TestMain exits.
	}
	os.Exit(m.Run()) //nolint:forbidigo // A TestMain exits.
}

// plainServer is a fake server on this machine.
func plainServer(address string) session.Server {
	host, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return session.Server{Host: host, Port: n, Security: session.None, AllowPlainAuth: true}
}

// worker is one that shares a folder with others.
func worker(path, imap, smtp string, opts outbox.Options) (*outbox.Outbox, *session.Session, error) {
	store, err := state.OpenDir(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := session.New(session.Credentials{User: ann, Password: secret.New("correct horse")},
		imapx.Backend(plainServer(imap), nil), smtpx.Backend(plainServer(smtp), nil), &session.Options{SaveSent: session.SentAuto})
	if err != nil {
		return nil, nil, err
	}
	opts.Term, opts.Poll = childTerm, 50*time.Millisecond
	b, err := outbox.New(store, s, &opts)
	return b, s, err
}

// crashHere enqueues a message, sends it and kills this process at a point on the
// way.
func crashHere(point string) error {
	b, _, err := worker(os.Getenv(pathVariable), os.Getenv(imapVariable), os.Getenv(smtpVariable), outbox.Options{})
	if err != nil {
		return err
	}
	outbox.AtPoints(b, func(reached string) {
		if reached != point {
			return
		}
		self, err := os.FindProcess(os.Getpid())
		if err == nil {
			err = self.Kill()
		}
		if err == nil {
			select {} // until the kill arrives
		}
	})
	ctx := context.Background()
	_, err = b.EnqueueDraft(ctx, "a", draft("One", bob))
	return errors.Join(errors.New("the message came to its end"), err, b.Drain(ctx))
}

// A process that is killed at any point doubles nothing and loses nothing.
func TestAKilledProcessDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, point := range outbox.Points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			o := &office{t: t, accounts: map[string]*mailtest.Account{}, provider: presettest.NewProvider(&presettest.Options{Security: session.None})}
			defer o.provider.Close()
			for _, address := range []string{ann, bob} {
				o.accounts[address] = o.provider.Add(address, secret.New("correct horse"))
			}
			path := t.TempDir() + "/state"
			killAt(t, point, path, o.provider.IMAP.Addr(), o.provider.SMTP.Addr())

			changes := make(chan outbox.Entry, 100)
			b, s, err := worker(path, o.provider.IMAP.Addr(), o.provider.SMTP.Addr(), outbox.Options{Changed: func(e outbox.Entry) { changes <- e }})
			if err != nil {
				t.Fatal(err)
			}
			enqueue(t, b, "a", draft("One", bob))
			stop := running(t, b)
			want := crashes()[point]
			o.awaitState(b, changes, want.state)
			if got := o.count(bob, "INBOX"); got != want.bob {
				t.Errorf("bob has %d messages, want %d", got, want.bob)
			}
			if want.state == outbox.StateUnknown {
				decision := b.Resend
				if want.bob > 0 {
					decision = b.MarkSent
				}
				if err := decision(t.Context(), "a"); err != nil {
					t.Error(err)
				}
				o.awaitState(b, changes, outbox.StateSent)
			}
			stop()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if got := o.count(bob, "INBOX"); got != 1 {
				t.Errorf("in the end bob has %d messages, want 1", got)
			}
		})
	}
}

// killAt runs a child that is killed at a point.
func killAt(t *testing.T, point, path, imap, smtp string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // It is this very program.
	cmd.Env = append(os.Environ(), crashVariable+"="+point, pathVariable+"="+path, imapVariable+"="+imap, smtpVariable+"="+smtp)
	said, err := cmd.CombinedOutput()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.Exited() {
		t.Fatalf("the child was not killed at %q: %v: %s", point, err, said)
	}
}

// awaitState waits until the message is in a state.
func (o *office) awaitState(b *outbox.Outbox, changes <-chan outbox.Entry, want outbox.State) {
	o.t.Helper()
	limit := time.After(time.Minute)
	for {
		e, err := b.Entry(o.t.Context(), "a")
		if err != nil {
			o.t.Fatal(err)
		}
		if e.State == want {
			return
		}
		select {
		case <-changes:
		case <-limit:
			o.t.Fatalf("after a minute the message is %s (%s), want %s", e.State, e.Err, want)
		}
	}
}
