package imaptest_test

import (
	"bufio"
	"crypto/tls"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

const ann = "ann@example.com"

// world is a server with one account and a connection to it, in a bubble of
// virtual time.
type world struct {
	t       *testing.T
	box     *mailtest.Box
	account *mailtest.Account
	server  *imaptest.Server
	conn    net.Conn
	r       *bufio.Reader
}

// start makes a world whose greeting has not been read. It has three messages
// in INBOX.
func start(t *testing.T, o *imaptest.Options) *world {
	t.Helper()
	w := &world{t: t, box: mailtest.New()}
	w.account = w.box.Add(ann, secret.New("pw"))
	w.account.AcceptTokens(mailtest.Tokens(secret.New("good")))
	for n := 1; n <= 3; n++ {
		w.append("INBOX", mailtest.Sample(n))
	}
	w.server = imaptest.New(w.box, o)
	t.Cleanup(func() { _ = w.server.Close() })
	w.dial()
	return w
}

// dial gives the world another connection; the earlier one stays open.
func (w *world) dial() {
	w.t.Helper()
	c, err := w.server.Dial(w.t.Context(), "tcp", "imap.example.com:143")
	if err != nil {
		w.t.Fatalf("Dial: %v", err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	w.conn, w.r = c, bufio.NewReader(c)
}

// another returns the same world seen through a new connection.
func (w *world) another() *world {
	w.t.Helper()
	other := *w
	other.dial()
	return &other
}

func (w *world) append(folder, raw string, flags ...string) mailtest.UID {
	w.t.Helper()
	received := time.Date(2024, time.March, 5, 6, 7, 8, 0, time.FixedZone("", 2*60*60))
	uid, err := w.account.Append(folder, raw, &mailtest.AppendOptions{Flags: flags, Received: received})
	if err != nil {
		w.t.Fatalf("Append: %v", err)
	}
	return uid
}

// talk plays a dialogue: lines after "> " are sent, lines after "< " have to
// come, where "..." stands for anything. "<. " is for a line that starts with a
// space, and every line ends in CRLF.
func (w *world) talk(dialogue string) {
	w.t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(dialogue), "\n") {
		line = strings.TrimLeft(line, "\t ")
		switch {
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

// expect reads a line, and fails the test after a minute of virtual time.
func (w *world) expect(want string) {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		w.t.Fatalf("SetReadDeadline: %v", err)
	}
	line, err := w.r.ReadString('\n')
	if err != nil {
		w.t.Fatalf("read %q, %v, want %q", line, err, want)
	}
	got, ok := strings.CutSuffix(line, "\r\n")
	if !ok || !like(got, want) {
		w.t.Fatalf("read %q, want %q", line, want)
	}
}

// like compares with a text in which "..." stands for anything.
func like(got, want string) bool {
	pieces := strings.Split(want, "...")
	first, last := pieces[0], pieces[len(pieces)-1]
	if len(pieces) == 1 {
		return got == want
	}
	rest, ok := strings.CutPrefix(got, first)
	for _, piece := range pieces[1 : len(pieces)-1] {
		var found bool
		_, rest, found = strings.Cut(rest, piece)
		ok = ok && found
	}
	return ok && strings.HasSuffix(rest, last)
}

// quiet fails the test if anything comes within an hour, or the connection
// ends.
func (w *world) quiet() {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		w.t.Fatalf("SetReadDeadline: %v", err)
	}
	got, err := w.r.ReadByte()
	if timeout, ok := err.(net.Error); !ok || !timeout.Timeout() { //nolint:errorlint // the deadline error of a pipe comes unwrapped
		w.t.Fatalf("read %q, %v, want nothing", got, err)
	}
}

// ended fails the test unless the server has closed the connection.
func (w *world) ended() {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		w.t.Fatalf("SetReadDeadline: %v", err)
	}
	if rest, err := io.ReadAll(w.r); len(rest) > 0 || err != nil {
		w.t.Fatalf("read %q, %v, want the end of the connection", rest, err)
	}
}

// signIn reads the greeting and signs in.
func (w *world) signIn() {
	w.t.Helper()
	w.talk(`
		< * OK ...
		> l LOGIN ann@example.com pw
		< l OK ...`)
}

// open signs in and selects INBOX.
func (w *world) open() {
	w.t.Helper()
	w.signIn()
	w.choose("SELECT INBOX")
}

// choose selects a folder and reads the answer.
func (w *world) choose(command string) {
	w.t.Helper()
	w.send("s " + command + "\r\n")
	for {
		line, err := w.r.ReadString('\n')
		if err != nil {
			w.t.Fatalf("%s: %v", command, err)
		}
		if strings.HasPrefix(line, "s ") {
			if !strings.HasPrefix(line, "s OK") {
				w.t.Fatalf("%s: %q", command, line)
			}
			return
		}
	}
}

// secure changes the connection to TLS.
func (w *world) secure() {
	w.t.Helper()
	config := w.server.ClientTLS()
	config.ServerName = "localhost"
	c := tls.Client(w.conn, config)
	if err := c.HandshakeContext(w.t.Context()); err != nil {
		w.t.Fatalf("handshake: %v", err)
	}
	w.conn, w.r = c, bufio.NewReader(c)
}

// dialogues runs each in a bubble and a world of its own, with INBOX selected.
func dialogues(t *testing.T, o *imaptest.Options, tests map[string]string) {
	t.Helper()
	for name, dialogue := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, o)
				w.open()
				w.talk(dialogue)
			})
		})
	}
}

func flags(t *testing.T, a *mailtest.Account, folder string, uid mailtest.UID) string {
	t.Helper()
	m, err := a.Message(folder, uid)
	if err != nil {
		t.Fatalf("Message: %v", err)
	}
	return strings.Join(m.Flags, " ")
}

func count(t *testing.T, a *mailtest.Account, folder string) int {
	t.Helper()
	messages, err := a.Messages(folder)
	if err != nil {
		t.Fatalf("Messages: %v", err)
	}
	return len(messages)
}

func itoa(n int) string { return strconv.Itoa(n) }

func readFull(w *world, p []byte) (int, error) { return io.ReadFull(w.r, p) }
