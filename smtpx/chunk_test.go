package smtpx_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// forwarder is a device in front of a server: it hands on that the server has
// CHUNKING, does not know BDAT itself, and reads what follows as commands.
type forwarder struct {
	answer   string // to what it does not know
	patience int    // how many of those it bears before it hangs up, 0 is any number

	serving sync.WaitGroup
	mu      sync.Mutex
	strange []string // what it did not know
	taken   map[string]string
}

func (s *forwarder) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := pipe.New()
	s.serving.Go(func() {
		defer server.Close()
		c := &moodyConn{moody: &moody{}, r: bufio.NewReader(server), w: server}
		c.say("220 forwarder")
		bad := 0
		for s.command(c, &bad) {
		}
	})
	return client, nil
}

// command answers one line. It reports whether there may be more.
func (s *forwarder) command(c *moodyConn, bad *int) bool {
	line, err := c.r.ReadString('\n')
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
	case "EHLO":
		c.say("250-forwarder\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 ENHANCEDSTATUSCODES")
	case "RSET", "MAIL":
		c.begin(verb == "MAIL")
		c.say("250 2.0.0 Ok")
	case "RCPT":
		c.to++
		c.say("250 2.1.5 Ok")
	case "DATA":
		c.say("354 go")
		var text strings.Builder
		for line := ""; line != ".\r\n"; text.WriteString(line) {
			if line, err = c.r.ReadString('\n'); err != nil {
				return false
			}
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(text.String(), "Message-ID: <"), "@")
		s.taken[name] += text.String()
		c.begin(false)
		c.say("250 2.0.0 Ok: queued as Q" + name)
	case "QUIT":
		return false
	default:
		s.strange = append(s.strange, line)
		if *bad++; s.patience > 0 && *bad > s.patience {
			c.say("421 4.7.0 too many errors")
			return false
		}
		c.say(s.answer)
	}
	return true
}

// instructions are a message that would be a session of its own, were it read as
// commands.
func instructions(i int) session.Mail {
	m := circular(i, bob)
	text := fmt.Sprintf("Message-ID: <%d@example.com>\r\nSubject: how to\r\n\r\nRSET\r\nMAIL FROM:<eve@example.com>\r\n"+
		"RCPT TO:<carol@example.com>\r\nDATA\r\nMessage-ID: <eve@example.com>\r\n\r\nhello\r\n.\r\nQUIT\r\n", i)
	m.Message = source(text)
	return m
}

// A server that announces CHUNKING and reads chunks as commands gets every message
// by DATA: at once, each once and whole, and none is in doubt. It hears nothing of a
// message as a command.
func TestChunksThatAreReadAsCommands(t *testing.T) {
	long := source("Message-ID: <0@example.com>\r\n\r\n" + strings.Repeat(strings.Repeat("a line ", 10)+"\r\n", 2000))
	for name, mail := range map[string]func(i int) session.Mail{
		"circulars":    func(i int) session.Mail { return circular(i, bob, carol) },
		"instructions": instructions,
		"all or none": func(i int) session.Mail {
			m := circular(i, bob, carol)
			m.Envelope.AllOrNone = true
			return m
		},
		"a long one among them": func(i int) session.Mail {
			m := circular(i, bob)
			if i == 0 {
				m.Message = long
			}
			return m
		},
	} {
		for _, answer := range []string{"500 5.5.1 what?", "501 5.5.4 what?", "502 5.5.2 not recognized", "503 5.5.1 bad sequence", "504 no"} {
			for _, patience := range []int{0, 1, 5} {
				t.Run(fmt.Sprintf("%s, %s, patience %d", name, answer, patience), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						s := &forwarder{answer: answer, patience: patience, taken: map[string]string{}}
						s.sendAll(t, mail)
					})
				})
			}
		}
	}
}

// sendAll sends some messages twice and looks at what the server has.
func (s *forwarder) sendAll(t *testing.T, mail func(i int) session.Mail) {
	t.Helper()
	const messages = 12
	server := session.Server{Host: "mail.example.com", Security: session.None, Dial: s.Dial}
	c := newClient(t, server, session.Credentials{}, &smtpx.Options{Window: 4, Retry: smtpx.Retry{Count: -1}})
	began := time.Now()
	for part := range 2 {
		all, err := sendAll(t, c, func(yield func(session.Mail) bool) {
			for i := range messages {
				if !yield(mail(part*messages + i)) {
					return
				}
			}
		}, nil)
		if err != nil || count(all)[session.Accepted] != messages {
			t.Errorf("SendAll = %v, %v, want all accepted", count(all), err)
		}
		for key, r := range all {
			if r.Tries != 1 {
				t.Errorf("message %s took %d tries, want 1", key, r.Tries)
			}
		}
	}
	if took := time.Since(began); took != 0 {
		t.Errorf("it took %v, want no time at all", took)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	s.serving.Wait()
	for i := range 2 * messages {
		name := strconv.Itoa(i)
		if text := s.taken[name]; strings.Count(text, "Message-ID: <"+name+"@") != 1 || !strings.HasSuffix(text, "\r\n.\r\n") {
			t.Errorf("the server has %.200q of message %s, want it once and whole", text, name)
		}
	}
	if len(s.taken) != 2*messages {
		t.Errorf("the server has %d messages, want %d", len(s.taken), 2*messages)
	}
	for _, line := range s.strange {
		if !strings.HasPrefix(line, "BDAT ") && line != "MRSET\r\n" {
			t.Errorf("the server heard %q as a command", line)
		}
	}
}
