//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// A child with these variables handles messages, and is killed at the sixth.
const (
	processorVariable   = "INTEROP_PROCESSOR" // the folder of the Store and of what was handled
	processorIMAP       = "INTEROP_PROCESSOR_IMAP"
	processorPassphrase = "INTEROP_PROCESSOR_PASSWORD" //nolint:gosec // the name of a variable
)

// processorChild does what such a child does; ok is false where this is none.
func processorChild() (ok bool) {
	path, ok := os.LookupEnv(processorVariable)
	if !ok {
		return false
	}
	s, err := session.New(session.Credentials{User: ann, Password: secret.New(os.Getenv(processorPassphrase))},
		imapx.Backend(plainAt(os.Getenv(processorIMAP)), nil), nil, nil)
	if err == nil {
		_, err = (&bills{session: s, path: path}).process(context.Background(), "Bill 6", nil)
	}
	fmt.Fprintln(os.Stderr, "the child was not killed:", err)
	return true
}

// bills is a program that enters bills. What it enters are lines in files: one file
// for each message, one line for each try.
type bills struct {
	session *session.Session
	path    string
}

// process has the session handle what is in the inbox. This process is killed in the
// middle of the message with a subject, unless that is empty.
func (b *bills) process(ctx context.Context, deadly string, opts *session.ProcessOptions) (session.Processed, error) {
	store, err := state.OpenDir(filepath.Join(b.path, "state"))
	if err != nil {
		return session.Processed{}, err
	}
	var o session.ProcessOptions
	if opts != nil {
		o = *opts
	}
	o.Done, o.Problem = session.Archive, session.Junk
	return b.session.Process(ctx, session.Progress{Store: store, Name: "bills/inbox"}, session.Query{}, func(_ context.Context, t session.Task) error {
		subject := t.Message.Header.Subject()
		if err := b.enter(t.Key, fmt.Sprintf("%s, try %d", subject, t.Try)); err != nil {
			return err
		}
		switch {
		case subject == deadly:
			return errors.Join(syscall.Kill(os.Getpid(), syscall.SIGKILL), errors.New("killed"))
		case subject == "Bill 3":
			return session.GiveUp(errors.New("no bill"))
		case subject == "Bill 9" && t.Try == 1:
			return session.TryAgainIn(time.Millisecond, errors.New("the books are closed"))
		}
		return nil
	}, &o)
}

// enter adds a line to the file of a message.
func (b *bills) enter(key, line string) error {
	f, err := os.OpenFile(filepath.Join(b.path, "entered", key), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600) //nolint:gosec // G304: the folder is the test's own.
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Close())
}

// entered returns the lines by the subject of the message.
func (b *bills) entered(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.path, "entered", "*"))
	must(t, err)
	all := map[string]string{}
	for _, name := range files {
		text, err := os.ReadFile(name) //nolint:gosec // G304: the folder is the test's own.
		must(t, err)
		subject, _, _ := strings.Cut(string(text), ",")
		all[subject] += strings.ReplaceAll(strings.TrimSpace(string(text)), "\n", "; ")
	}
	return all
}

// killedAtAMessage has a process handle messages, which dies at the sixth.
func (b *bills) killedAtAMessage(t *testing.T, servers *interop.Servers) {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // It is this very program.
	cmd.Env = append(os.Environ(), processorVariable+"="+b.path, processorIMAP+"="+servers.IMAP,
		processorPassphrase+"="+userOf(t, servers, ann).Password.Reveal())
	var said bytes.Buffer
	cmd.Stderr = &said
	if exit, ok := errors.AsType[*exec.ExitError](cmd.Run()); !ok || exit.Exited() {
		t.Fatalf("the child was not killed: %v: %s", exit, said.String())
	}
}

// TestProcessOnDovecot: a processor that is killed in the middle of a message begins
// with that one anew, and with no other. It tries again what failed, puts away what
// is done and what is a problem, and goes on with what comes where Dovecot kills its
// connections.
func TestProcessOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{Users: []interop.User{{Address: ann, Password: secret.New("ann-horse-staple")}}})
	raw := dialIMAPS(t, servers)
	raw.login(userOf(t, servers, ann))
	want := map[string]string{}
	for n := range 12 {
		subject := "Bill " + strconv.Itoa(n+1)
		want[subject] = subject + ", try 1"
		text := "From: bob@example.test\r\nMessage-ID: <" + strconv.Itoa(n) + "@x>\r\nSubject: " + subject + "\r\n\r\n7 horses\r\n"
		raw.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text))
	}
	want["Bill 6"] += "; Bill 6, try 2"
	want["Bill 9"] += "; Bill 9, try 2"
	want["Bill 13"] = "Bill 13, try 1"

	in, out := pair(t, servers, session.None) // the same mailbox as the child's: by the same port
	b := &bills{session: newSession(t, session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, in, out), path: t.TempDir()}
	must(t, os.Mkdir(filepath.Join(b.path, "entered"), 0o700))
	b.killedAtAMessage(t, servers)
	if got := len(b.entered(t)); got != 6 {
		t.Fatalf("%d messages were begun by the one that was killed, want 6", got)
	}

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	type ending struct {
		done session.Processed
		err  error
	}
	ended := make(chan ending, 1)
	go func() {
		done, err := b.process(ctx, "", &session.ProcessOptions{Watch: true, WatchOptions: session.WatchOptions{FirstWait: 50 * time.Millisecond}})
		ended <- ending{done, err}
	}()
	awaitHolds(ctx, t, servers, map[string]int{"INBOX": 0, "Archive": 11, "Junk": 1})
	_, err := servers.KillIMAP()
	must(t, err)
	must(t, servers.Deliver(ctx, []byte("From: bob@example.test\r\nSubject: Bill 13\r\n\r\n7 horses\r\n"), ann))
	awaitHolds(ctx, t, servers, map[string]int{"INBOX": 0, "Archive": 12, "Junk": 1})
	cancel()
	if e := <-ended; !errors.Is(e.err, context.Canceled) || e.done != (session.Processed{Done: 8}) {
		t.Errorf("Process = %+v, %v; want 8 done until its context ended", e.done, e.err)
	}
	got := b.entered(t)
	for subject, lines := range want {
		if got[subject] != lines {
			t.Errorf("%s was entered as %q, want %q", subject, got[subject], lines)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d messages were handled, want %d", len(got), len(want))
	}
	if done, err := b.process(t.Context(), "", nil); err != nil || done != (session.Processed{}) {
		t.Errorf("one more Process = %+v, %v; want nothing to do", done, err)
	}
}

// awaitHolds waits until folders hold so many messages.
func awaitHolds(ctx context.Context, t *testing.T, servers *interop.Servers, want map[string]int) {
	t.Helper()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	raw := dialIMAPS(t, servers) //nolint:contextcheck // a dialogue by hand lives as long as the test
	defer raw.conn.Close()
	raw.login(userOf(t, servers, ann))
	for {
		same := true
		var told []string
		for folder, n := range want {
			got := strings.Join(raw.ok("STATUS "+folder+" (MESSAGES)"), "")
			same = same && strings.Contains(got, fmt.Sprintf("(MESSAGES %d)", n))
			told = append(told, got)
		}
		if same {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("the folders hold %q, want %v", told, want)
		}
	}
}
