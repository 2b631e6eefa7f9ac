package smtpx_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// moody is a server that does what it is told to do with each command: carry it
// out, refuse it, say too much, or leave. It knows what it took.
type moody struct {
	offers string

	mu    sync.Mutex
	moods []byte
	taken map[string]int
}

func (m *moody) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := pipe.New()
	go func() {
		defer server.Close()
		m.serve(bufio.NewReader(server), server)
	}()
	return client, nil
}

func (m *moody) mood() byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.moods) == 0 {
		return 0
	}
	b := m.moods[0]
	m.moods = m.moods[1:]
	return b
}

func (m *moody) serve(r *bufio.Reader, w io.Writer) {
	c := &moodyConn{moody: m, r: r, w: w}
	c.say("220 moody")
	for c.command() {
	}
}

// moodyConn is one connection with its transaction.
type moodyConn struct {
	*moody

	r     *bufio.Reader
	w     io.Writer
	from  bool   // MAIL was accepted
	to    int    // how many recipients were
	asked int    // for how many of them
	text  string // of the chunks so far
}

func (c *moodyConn) say(line string) { _, _ = io.WriteString(c.w, line+"\r\n") }

// begin begins a transaction, or ends it.
func (c *moodyConn) begin(from bool) { c.from, c.to, c.asked, c.text = from, 0, 0, "" }

// command answers one command. It reports whether there may be more.
func (c *moodyConn) command() bool {
	verb, args, chunk, err := c.read()
	if err != nil {
		return false
	}
	mood := byte(0)
	if verb != "EHLO" && verb != "QUIT" {
		mood = c.mood()
	}
	switch mood % 8 {
	case 4:
		c.say("550 5.7.1 no")
		return true
	case 5:
		c.say("451 4.3.0 later")
		return true
	case 7:
		return false
	}
	answer := c.carryOut(verb, args, chunk)
	if mood > 128 && verb == "BDAT" {
		return false // carried out, and not answered
	}
	if answer == "" {
		return true // a message's, which is in a mood of its own
	}
	c.say(answer)
	if mood%8 == 6 {
		c.say("250 2.0.0 and so on")
	}
	return true
}

// read reads a command with the chunk behind it.
func (c *moodyConn) read() (verb, args, chunk string, err error) {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return "", "", "", err
	}
	verb, args, _ = strings.Cut(strings.TrimSpace(line), " ")
	if verb != "BDAT" {
		return verb, args, "", nil
	}
	n, _ := strconv.Atoi(strings.Fields(args)[0])
	p := make([]byte, n)
	_, err = io.ReadFull(c.r, p)
	return verb, args, string(p), err
}

// carryOut carries out a command and returns the answer, nothing where it was
// given.
func (c *moodyConn) carryOut(verb, args, chunk string) string {
	switch verb {
	case "EHLO":
		return c.offers + "250 8BITMIME"
	case "RSET":
		c.begin(false)
		return "250 2.0.0 Flushed"
	case "MAIL":
		if c.from {
			return "503 5.5.1 nested"
		}
		c.begin(true)
		return "250 2.1.0 Ok"
	case "RCPT":
		if !c.from {
			return "503 5.5.1 first MAIL"
		}
		c.to++
		return "250 2.1.5 Ok"
	case "DATA", "BDAT":
		if c.to == 0 {
			return "503 5.5.1 first RCPT"
		}
		if verb == "DATA" {
			c.data()
			c.begin(false)
			return ""
		}
		if c.text += chunk; !strings.HasSuffix(args, "LAST") {
			return "250 2.0.0 more"
		}
		defer c.begin(false)
		return c.take(c.text)
	}
	return "221 bye"
}

// data takes a message up to the dot.
func (c *moodyConn) data() {
	c.say("354 go")
	var text strings.Builder
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			return
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	switch c.mood() % 8 {
	case 4:
		c.say("554 5.6.0 no")
	case 5:
		c.say("451 4.3.0 later")
	default:
		c.say(c.take(text.String()))
	}
}

func (m *moody) take(text string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, _, _ := strings.Cut(strings.TrimPrefix(text, "Message-ID: <"), "@")
	m.taken[id]++
	return "250 2.0.0 Ok: queued as Q" + id
}

// FuzzCorrelation: whatever a server does with each command, nothing is said to
// be not sent that it took, nothing accepted that it did not take, and nothing
// is sent twice that was.
func FuzzCorrelation(f *testing.F) {
	for _, moods := range []string{"", "\x00\x00\x00\x00\x04", "\x00\x00\x00\x00\x00\x00\x05\x00\x00\x06", "\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x04", "\x00\x00\x00\x00\x00\x00\x00\x87", "0000&&$$", "0&000a)&&0 00&,0&070"} {
		f.Add([]byte(moods), true)
		f.Add([]byte(moods), false)
	}
	f.Fuzz(func(t *testing.T, moods []byte, chunking bool) {
		if len(moods) > 200 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			m := &moody{offers: "250-moody\r\n250-PIPELINING\r\n", moods: moods, taken: map[string]int{}}
			if chunking {
				m.offers += "250-CHUNKING\r\n"
			}
			server := session.Server{Host: "mail.example.com", Security: session.None, Dial: m.Dial}
			c, err := smtpx.New(server, session.Credentials{}, &smtpx.Options{MaxConnections: 1, Window: 4, Retry: smtpx.Retry{Count: 1}})
			if err != nil {
				t.Fatal(err)
			}
			results := 0
			for r, err := range c.SendAll(t.Context(), circulars(8), nil) {
				if r.Key == "" {
					t.Log(err)
					continue
				}
				results++
				m.mu.Lock()
				taken := m.taken[r.Key]
				m.mu.Unlock()
				switch o := r.Receipt.Outcome; {
				case taken > 1, o == session.Accepted && taken == 0, o == session.NotSent && taken > 0:
					t.Errorf("message %s is %v, the server took it %d times", r.Key, o, taken)
				}
			}
			if results != 8 {
				t.Errorf("%d results, want 8", results)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		})
	})
}
