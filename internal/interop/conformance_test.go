//go:build interop

package interop_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
	"github.com/mailsession/mailsession/smtpx"
)

// beds is how many tests of the suites can have a mailbox of their own.
const beds = 200

// conforming starts servers with many users.
func conforming(t *testing.T) *interop.Servers {
	t.Helper()
	users := make([]interop.User, 0, beds)
	for n := range beds {
		users = append(users, interop.User{Address: fmt.Sprintf("user%d@example.test", n)})
	}
	return startServers(t, &interop.Options{Users: users})
}

// TestConformanceOnDovecot: imapx keeps the rules of a way in on a real
// server.
func TestConformanceOnDovecot(t *testing.T) {
	t.Parallel()
	servers := conforming(t)
	next := 0
	sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
		tb.Helper()
		user := servers.Users[next]
		next++
		return conformingAt(tb, servers.IMAP, user)
	}, &sessiontest.Options{RealTime: true})
}

// TestConformanceOnPostfix: smtpx keeps the rules of a way out on a real
// server, which hands the mail to another.
func TestConformanceOnPostfix(t *testing.T) {
	t.Parallel()
	servers := conforming(t)
	sessiontest.TestOutgoing(t, func(tb testing.TB) *sessiontest.Outgoing {
		tb.Helper()
		host, port := hostPort(tb, servers.SMTP)
		var to []string
		for _, u := range servers.Users[:3] {
			to = append(to, u.Address)
		}
		log := testlog.New(tb)
		inboxes := &inboxes{tb: tb, servers: servers, of: map[string]*inbox{}}
		return &sessiontest.Outgoing{
			Credentials: session.Credentials{User: to[0], Password: servers.Users[0].Password},
			Backend: func(dial sessiontest.Dial) session.OutgoingBackend {
				server := session.Server{Host: host, Port: port, Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
				return smtpx.Backend(server, &smtpx.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
			},
			From:     to[0],
			To:       to,
			Refused:  "nobody@example.test",
			TooLarge: 52428800, // main.cf's message_size_limit, which the header goes beyond
			Arrived:  inboxes.arrived,
		}
	}, &sessiontest.Options{RealTime: true})
}

func hostPort(tb testing.TB, address string) (host string, port int) {
	tb.Helper()
	host, number, _ := strings.Cut(address, ":")
	port, err := strconv.Atoi(number)
	if err != nil {
		tb.Fatal(err)
	}
	return host, port
}

// mailbox is a Dovecot mailbox as another client sees it.
type mailbox struct{ raw *rawIMAP }

var _ sessiontest.Mailbox = mailbox{}

// run sends a command and makes an error of a refusal.
func (m mailbox) run(command string) ([]string, error) {
	untagged, result := m.raw.command(command)
	if !strings.HasPrefix(result, "OK") {
		verb, _, _ := strings.Cut(command, " ")
		return nil, fmt.Errorf("%s: %s", verb, result)
	}
	return untagged, nil
}

func (m mailbox) Append(folder string, msg sessiontest.Stored) error {
	words := make([]string, 0, len(msg.Flags))
	for _, f := range msg.Flags {
		words = append(words, string(f))
	}
	received := msg.Received
	if received.IsZero() {
		received = time.Now()
	}
	_, err := m.run(fmt.Sprintf("APPEND %s (%s) %q {%d+}\r\n%s", folderName(folder), strings.Join(words, " "),
		received.Format("02-Jan-2006 15:04:05 -0700"), len(msg.Raw), msg.Raw))
	return err
}

func (m mailbox) Messages(folder string) ([]sessiontest.Stored, error) {
	if _, err := m.run("EXAMINE " + folderName(folder)); err != nil {
		return nil, err
	}
	lines, err := m.run("UID FETCH 1:* (FLAGS BODY.PEEK[])")
	if err != nil {
		return nil, err
	}
	var all []sessiontest.Stored
	for _, line := range lines {
		if !strings.Contains(line, " FETCH (") {
			continue
		}
		_, rest, _ := strings.Cut(line, "FLAGS (")
		flags, _, _ := strings.Cut(rest, ")")
		stored := sessiontest.Stored{Raw: literal(line)}
		for f := range strings.FieldsSeq(flags) {
			if f != `\Recent` {
				stored.Flags = append(stored.Flags, session.Flag(f))
			}
		}
		all = append(all, stored)
	}
	return all, nil
}

// literal returns the message within a FETCH response.
func literal(line string) string {
	_, rest, _ := strings.Cut(line, "BODY[] {")
	size, raw, _ := strings.Cut(rest, "}")
	n, err := strconv.Atoi(size)
	if err != nil || n > len(raw) {
		return ""
	}
	return raw[:n]
}

func (m mailbox) Remove(folder string, number int) error {
	for _, command := range []string{
		"SELECT " + folderName(folder), fmt.Sprintf(`STORE %d +FLAGS.SILENT (\Deleted)`, number), "EXPUNGE",
	} {
		if _, err := m.run(command); err != nil {
			return err
		}
	}
	return nil
}

func (m mailbox) CreateFolder(path string) error {
	_, err := m.run("CREATE " + folderName(path))
	return err
}

// Renumber makes the folder anew.
func (m mailbox) Renumber(folder string) error {
	if _, err := m.run("DELETE " + folderName(folder)); err != nil {
		return err
	}
	return m.CreateFolder(folder)
}

// folderName writes a name in the modified UTF-7 of RFC 3501 section 5.1.3,
// between quotes.
func folderName(path string) string {
	var b strings.Builder
	var wide []uint16
	flush := func() {
		if len(wide) > 0 {
			var raw []byte
			for _, unit := range wide {
				raw = binary.BigEndian.AppendUint16(raw, unit)
			}
			b.WriteString("&" + strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(raw), "/", ",") + "-")
			wide = nil
		}
	}
	for _, r := range path {
		if r < ' ' || r > '~' {
			wide = utf16.AppendRune(wide, r)
			continue
		}
		flush()
		switch r {
		case '&':
			b.WriteString("&-")
		case '"', '\\':
			b.WriteString(`\` + string(r))
		default:
			b.WriteRune(r)
		}
	}
	flush()
	return `"` + b.String() + `"`
}

// inboxes looks into the mail of several users.
type inboxes struct {
	tb      testing.TB
	servers *interop.Servers

	mu sync.Mutex
	of map[string]*inbox
}

// inbox is what was read of one user's mail so far.
type inbox struct {
	mailbox

	next int
	mail []string
}

// arrived waits until Postfix has nothing to do any more, and returns what an
// address got.
func (i *inboxes) arrived(ctx context.Context, address string) ([]string, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := i.settle(ctx); err != nil {
		return nil, err
	}
	box := i.of[address]
	if box == nil {
		user, err := i.servers.User(address)
		if err != nil {
			return nil, err
		}
		box = &inbox{mailbox: mailbox{dialIMAP(i.tb, i.servers.IMAP)}, next: 1} //nolint:contextcheck // the connection outlives this call
		if result := box.raw.login(user); !strings.HasPrefix(result, "OK") {
			return nil, fmt.Errorf("LOGIN: %s", result)
		}
		i.of[address] = box
	}
	return box.news()
}

// news reads what came since the last time.
func (b *inbox) news() ([]string, error) {
	if _, err := b.run("EXAMINE INBOX"); err != nil {
		return nil, err
	}
	lines, err := b.run(fmt.Sprintf("UID FETCH %d:* (BODY.PEEK[])", b.next))
	if err != nil {
		return nil, err
	}
	for _, line := range lines {
		_, rest, ok := strings.Cut(line, " FETCH (UID ")
		number, _, _ := strings.Cut(rest, " ")
		uid, err := strconv.Atoi(number)
		if !ok || err != nil || uid < b.next { // the last message answers to every open range
			continue
		}
		b.mail = append(b.mail, literal(line))
		b.next = uid + 1
	}
	return slices.Clone(b.mail), nil
}

// settle waits until no message is in Postfix's queues.
func (i *inboxes) settle(ctx context.Context) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		busy, err := queued(filepath.Join(filepath.Dir(i.servers.CAFile), "queue"))
		if err != nil || busy == 0 {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%d messages are still in the queue: %w", busy, context.Cause(ctx))
		}
	}
}

// queued counts the messages in a queue. Files come and go meanwhile.
func queued(dir string) (n int, err error) {
	for _, name := range []string{"maildrop", "incoming", "active", "deferred"} {
		err := filepath.WalkDir(filepath.Join(dir, name), func(_ string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type().IsRegular() {
				n++
			}
			return nil // what is gone is not there
		})
		if err != nil {
			return 0, err
		}
	}
	return n, nil
}
