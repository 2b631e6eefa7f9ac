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
	say := func(s string) { _, _ = io.WriteString(w, s+"\r\n") }
	say("220 moody")
	from, to, text := false, 0, ""
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		verb, args, _ := strings.Cut(strings.TrimSpace(line), " ")
		chunk := ""
		if verb == "BDAT" {
			n, _ := strconv.Atoi(strings.Fields(args)[0])
			p := make([]byte, n)
			if _, err := io.ReadFull(r, p); err != nil {
				return
			}
			chunk = string(p)
		}
		mood := byte(0)
		if verb != "EHLO" && verb != "QUIT" {
			mood = m.mood()
		}
		switch mood % 8 {
		case 4:
			say("550 5.7.1 no")
			continue
		case 5:
			say("451 4.3.0 later")
			continue
		case 7:
			return
		}
		var last string
		switch verb {
		case "EHLO":
			last = m.offers + "250 8BITMIME"
		case "RSET":
			from, to, text, last = false, 0, "", "250 2.0.0 Flushed"
		case "MAIL":
			if last = "503 5.5.1 nested"; !from {
				from, to, text, last = true, 0, "", "250 2.1.0 Ok"
			}
		case "RCPT":
			if last = "503 5.5.1 first MAIL"; from {
				to++
				last = "250 2.1.5 Ok"
			}
		case "DATA":
			if last = "503 5.5.1 first RCPT"; to > 0 {
				say("354 go")
				m.data(r, say)
				from, to = false, 0
				continue
			}
		case "BDAT":
			if last = "503 5.5.1 first RCPT"; to > 0 {
				text += chunk
				last = "250 2.0.0 more"
				if strings.HasSuffix(args, "LAST") {
					from, to = false, 0
					last = m.take(text)
				}
			}
		default:
			last = "221 bye"
		}
		if mood > 128 && verb == "BDAT" {
			return // carried out, and not answered
		}
		say(last)
		if mood%8 == 6 {
			say("250 2.0.0 and so on")
		}
	}
}

// data takes a message up to the dot.
func (m *moody) data(r *bufio.Reader, say func(string)) {
	var text strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		if line == ".\r\n" {
			break
		}
		text.WriteString(line)
	}
	switch m.mood() % 8 {
	case 4:
		say("554 5.6.0 no")
	case 5:
		say("451 4.3.0 later")
	default:
		say(m.take(text.String()))
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
	for _, moods := range []string{"", "\x00\x00\x00\x00\x04", "\x00\x00\x00\x00\x00\x00\x05\x00\x00\x06", "\x00\x00\x00\x00\x06\x00\x00\x00\x00\x00\x04", "\x00\x00\x00\x00\x00\x00\x00\x87"} {
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
