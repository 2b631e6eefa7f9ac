package pop3test_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/secret"
)

const (
	ann      = "ann@example.com"
	password = "correct horse"
	token    = "good-horse"
)

// world is a server with an account and a connection to it, in a bubble of
// virtual time.
type world struct {
	t       *testing.T
	box     *mailtest.Box
	account *mailtest.Account
	server  *pop3test.Server
	conn    net.Conn
	r       *bufio.Reader
}

// start makes a world with three messages in INBOX. Its greeting has not been
// read.
func start(t *testing.T, o *pop3test.Options) *world {
	t.Helper()
	w := &world{t: t, box: mailtest.New()}
	w.account = w.box.Add(ann, secret.New(password))
	w.account.AcceptTokens(mailtest.Tokens(secret.New(token)))
	for n := 1; n <= 3; n++ {
		w.append(mailtest.Sample(n))
	}
	w.server = pop3test.New(w.box, o)
	t.Cleanup(func() { _ = w.server.Close() })
	w.dial()
	return w
}

func (w *world) append(raw string) {
	w.t.Helper()
	if _, err := w.account.Append("INBOX", raw, nil); err != nil {
		w.t.Fatal(err)
	}
}

// dial gives the world another connection; the earlier one stays open.
func (w *world) dial() {
	w.t.Helper()
	c, err := w.server.Dial(w.t.Context(), "tcp", "pop.example.com:110")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	w.over(c)
}

func (w *world) over(c net.Conn) { w.conn, w.r = c, bufio.NewReader(c) }

// another returns the same world seen through a new connection.
func (w *world) another() *world {
	w.t.Helper()
	other := *w
	other.dial()
	return &other
}

// talk plays a dialogue: lines after "> " are sent, lines after "< " have to
// come, where "..." stands for anything. Every line ends in CRLF, and "<EOF" is
// the end of the connection.
func (w *world) talk(dialogue string) {
	w.t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(dialogue), "\n") {
		line = strings.TrimLeft(line, "\t ")
		switch {
		case line == "":
		case line == "<EOF":
			w.ended()
		case strings.HasPrefix(line, ">"):
			w.send(strings.TrimPrefix(line[1:], " ") + "\r\n")
		case strings.HasPrefix(line, "<"):
			w.expect(strings.TrimPrefix(line[1:], " "))
		default:
			w.t.Fatalf("dialogue has the line %q", line)
		}
	}
}

func (w *world) send(text string) {
	w.t.Helper()
	if _, err := io.WriteString(w.conn, text); err != nil {
		w.t.Fatalf("send %q: %v", text, err)
	}
}

// line reads a line with its end, for a minute of virtual time at most.
func (w *world) line() (string, error) {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		w.t.Fatal(err)
	}
	return w.r.ReadString('\n')
}

func (w *world) expect(want string) {
	w.t.Helper()
	line, err := w.line()
	got, whole := strings.CutSuffix(line, "\r\n")
	if err != nil || !whole || !like(got, want) {
		w.t.Fatalf("read %q, %v, want %q", line, err, want)
	}
}

// like compares with a text in which one "..." stands for anything.
func like(got, want string) bool {
	before, after, open := strings.Cut(want, "...")
	return got == want || open && len(got) >= len(before)+len(after) &&
		strings.HasPrefix(got, before) && strings.HasSuffix(got, after)
}

func (w *world) ended() {
	w.t.Helper()
	if line, err := w.line(); !errors.Is(err, io.EOF) || line != "" {
		w.t.Fatalf("read %q, %v, want the end of the connection", line, err)
	}
}

// silent expects nothing for a minute.
func (w *world) silent() {
	w.t.Helper()
	if line, err := w.line(); !errors.Is(err, os.ErrDeadlineExceeded) || line != "" {
		w.t.Fatalf("read %q, %v, want silence", line, err)
	}
}

// pass lets virtual time go by.
func pass(d time.Duration) { <-time.After(d) }

// body reads an answer of several lines behind its first one: what a client
// gets that takes the dots of the protocol away.
func (w *world) body() string {
	w.t.Helper()
	var all strings.Builder
	whole := true // whether a line begins here
	for {
		line, err := w.line()
		if err != nil {
			w.t.Fatalf("read %q, %v, want a line", line, err)
		}
		if whole && line == ".\r\n" {
			return all.String()
		}
		if whole {
			line = strings.TrimPrefix(line, ".")
		}
		whole = strings.HasSuffix(line, "\r\n")
		all.WriteString(line)
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const greeting = "< +OK pop3test ready\n"

// signIn is the way in by password.
const signIn = greeting + "> USER " + ann + "\n< +OK Say the password\n> PASS " + password + "\n< +OK Signed in\n"

// dialogue is a conversation with a server that has these options.
type dialogue struct {
	name  string
	o     *pop3test.Options
	lines string
}

func play(t *testing.T, all []dialogue) {
	t.Helper()
	for _, d := range all {
		t.Run(d.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { start(t, d.o).talk(d.lines) })
		})
	}
}
