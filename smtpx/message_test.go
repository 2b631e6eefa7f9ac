package smtpx_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/session"
)

func TestUTF8(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		for _, tt := range []struct {
			from, body, params string
		}{
			{"ann@example.com", "Subject: h\xc3\xa9\r\n\r\nx\r\n", "SIZE=19 BODY=8BITMIME SMTPUTF8"},
			{"ann@example.com", "Subject: h\xe9\r\n\r\nx\r\n", "SIZE=18 BODY=8BITMIME"}, // not UTF-8: an old message
			{"änn@example.com", "\r\nx\r\n", "SIZE=5 BODY=8BITMIME SMTPUTF8"},
			{"", "\r\n\xe9\r\n", "SIZE=5 BODY=8BITMIME"},
		} {
			_, err := c.Send(t.Context(), session.Envelope{From: tt.from, To: []string{bob}}, source(tt.body))
			if err != nil {
				t.Fatal(err)
			}
			all := s.Messages()
			if m := all[len(all)-1]; m.Params != tt.params || m.From != tt.from || m.Raw != tt.body {
				t.Errorf("the server has %q with %q from %q, want %q with %q", m.Raw, m.Params, m.From, tt.body, tt.params)
			}
		}
	})
}

// Reports of delivery are asked for in the words of RFC 3461, and an identifier
// cannot bring words of its own.
func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		for _, tt := range []struct {
			reports    session.DeliveryReports
			mail, rcpt string
		}{
			{session.DeliveryReports{}, " RET=HDRS", "NOTIFY=NEVER ORCPT=rfc822;a+2Bb@else.example"},
			{session.DeliveryReports{Success: true, WholeMessage: true, ID: "a+b=c"}, " RET=FULL ENVID=a+2Bb+3Dc", "NOTIFY=SUCCESS ORCPT=rfc822;a+2Bb@else.example"},
			{session.DeliveryReports{Failure: true, Delay: true, ID: "x"}, " RET=HDRS ENVID=x", "NOTIFY=FAILURE,DELAY ORCPT=rfc822;a+2Bb@else.example"},
		} {
			if _, err := c.Send(t.Context(), session.Envelope{From: ann, To: []string{"a+b@else.example"}, Reports: &tt.reports}, source(letter)); err != nil {
				t.Fatal(err)
			}
			all := s.Messages()
			if m := all[len(all)-1]; !strings.HasSuffix(m.Params, tt.mail) {
				t.Errorf("MAIL had the parameters %q, want %q at the end", m.Params, tt.mail)
			}
			if heard := said(s); !strings.Contains(heard, "RCPT TO:<a+b@else.example> "+tt.rcpt+"\n") {
				t.Errorf("the server heard %q, want %q behind RCPT", heard, tt.rcpt)
			}
		}
		for _, id := range []string{"a b", "a\r\nRCPT TO:<x@y>", "é", strings.Repeat("x", 101)} {
			e := session.Envelope{From: ann, To: []string{bob}, Reports: &session.DeliveryReports{ID: id}}
			if rec, err := c.Send(t.Context(), e, source(letter)); err == nil || rec.Outcome != session.NotSent {
				t.Errorf("Send with the ID %q = %v, %v, want not sent", id, rec.Outcome, err)
			}
		}
	})
}

// A source that breaks off must not become a shorter message.
func TestBrokenSource(t *testing.T) {
	broken := errors.New("disk on fire")
	long := letter + strings.Repeat("x\r\n", 200_000)
	for name, m := range map[string]brokenSource{
		"fails in the header":  {text: "Subject: a", size: -1, err: broken},
		"fails in the body":    {text: long, size: -1, err: broken},
		"shorter than it said": {text: long, size: int64(len(long)) + 1},
		"longer than it said":  {text: long, size: int64(len(long)) - 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				c := newClient(t, inMemory(s), withPassword(), nil)
				rec, err := c.Send(t.Context(), toBob(), m)
				if rec.Outcome != session.NotSent || err == nil || m.err != nil && !errors.Is(err, broken) {
					t.Errorf("Send = %v, %v, want not sent and why", rec.Outcome, err)
				}
				synctest.Wait()
				if got := len(s.Messages()); got != 0 {
					t.Errorf("the server has %d messages, want none", got)
				}
				mustSend(t, c)
			})
		})
	}
}

// The message flows; it is not collected.
func TestStreaming(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t, script(t, func(nc net.Conn) {
			r := bufio.NewReader(nc)
			for _, step := range []struct{ until, answer string }{
				{"", "220 hi"}, {"EHLO", "250 hi"}, {"MAIL", "250 ok"}, {"RCPT", "250 ok"}, {"DATA", "354 go"}, {".\r\n", "250 ok"},
			} {
				for line := ""; !strings.HasPrefix(line, step.until); {
					var err error
					if line, err = r.ReadString('\n'); err != nil {
						return
					}
				}
				_, _ = io.WriteString(nc, step.answer+"\r\n")
			}
			_, _ = io.Copy(io.Discard, r)
		}), session.Credentials{}, nil)
		m := &lineSource{lines: 500_000}
		if _, err := c.Send(t.Context(), toBob(), m); err != nil {
			t.Fatal(err)
		}
		if got := m.read.Load(); got != 2*m.lines { // once to look for eight-bit bytes
			t.Errorf("%d lines were read, want %d", got, 2*m.lines)
		}
		if got := m.largest.Load(); got > 1<<20 {
			t.Errorf("%d bytes were asked for at once, want a stream", got)
		}
	})
}

// lineSource is a message of many lines that is made while it is read.
type lineSource struct {
	lines         int64
	read, largest atomic.Int64
}

func (s *lineSource) Open() (io.ReadCloser, error) {
	return io.NopCloser(&lineReader{s, s.lines}), nil
}

func (*lineSource) Size() int64 { return -1 }

type lineReader struct {
	source *lineSource
	left   int64
}

func (r *lineReader) Read(p []byte) (int, error) {
	r.source.largest.Store(max(r.source.largest.Load(), int64(len(p))))
	n := 0
	for r.left > 0 && len(p)-n >= 10 {
		n += copy(p[n:], "1234567\r\n")
		r.left--
		r.source.read.Add(1)
	}
	if n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
