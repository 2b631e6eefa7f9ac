package fakenet_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/mailtest"
)

// toy serves a protocol of one-line commands, each answered by a line that
// repeats it in upper case. SIZE announces ten bytes, and TLS changes to TLS.
func toy(ctx context.Context, c *fakenet.Conn) {
	if err := answer(c, mailtest.Greeting, "", "HELLO"); err != nil {
		return
	}
	for {
		line, err := c.ReadLine()
		if err != nil {
			_ = answer(c, "ERROR", "", err.Error())
			return
		}
		reply := strings.ToUpper(string(line))
		if reply == "SIZE" {
			reply = "{10}"
		}
		if err := answer(c, strings.ToUpper(string(line)), string(line), reply); err != nil {
			return
		}
		if reply == "TLS" && c.StartTLS(ctx) != nil {
			return
		}
		if reply == "QUIT" {
			return
		}
	}
}

func answer(c *fakenet.Conn, name, line, reply string) error {
	verdict, err := c.Begin(name, line)
	if err != nil {
		return err
	}
	switch {
	case verdict.Ignore:
		return c.End()
	case verdict.Refuse:
		reply = "REFUSED"
	case verdict.Reply != "":
		reply = verdict.Reply
	}
	if reply == "{10}" {
		reply = "{" + strconv.Itoa(c.AnnouncedSize(10)) + "}"
	}
	if _, err := c.WriteString(reply + "\r\n"); err != nil {
		return err
	}
	return c.End()
}

// dial starts a server in the test's bubble and returns it with a connection
// whose greeting has been read.
func dial(t *testing.T, o *fakenet.Options) (*fakenet.Server, net.Conn, *bufio.Reader) {
	t.Helper()
	s := fakenet.New(toy, o)
	t.Cleanup(func() { _ = s.Close() })
	c, err := s.Dial(t.Context(), "tcp", "mail.example.com:143")
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r := bufio.NewReader(c)
	if o == nil || o.Security != mailtest.TLS {
		expect(t, r, "HELLO\r\n")
	}
	return s, c, r
}

func expect(t *testing.T, r io.Reader, want string) {
	t.Helper()
	got := make([]byte, len(want))
	n, err := io.ReadFull(r, got)
	if err != nil || string(got) != want {
		t.Fatalf("read %q, %v, want %q", got[:n], err, want)
	}
}

func send(t *testing.T, c io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatalf("write %q: %v", text, err)
	}
}

// silent fails the test unless nothing comes for an hour while the connection
// stays open.
func silent(t *testing.T, c net.Conn, r io.Reader) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		t.Fatalf("SetReadDeadline: %v", err)
	}
	n, err := r.Read(make([]byte, 1))
	var timeout net.Error
	if n != 0 || !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("Read on a silent connection = %d, %v, want a timeout", n, err)
	}
}

func ended(t *testing.T, r io.Reader) {
	t.Helper()
	if rest, err := io.ReadAll(r); len(rest) > 0 || err != nil {
		t.Errorf("read %q, %v, want the end of the connection", rest, err)
	}
}

func TestFaults(t *testing.T) {
	open := func(t *testing.T, c net.Conn, r io.Reader) {
		t.Helper()
		send(t, c, "more\r\n")
		expect(t, r, "MORE\r\n")
	}
	over := func(t *testing.T, _ net.Conn, r io.Reader) {
		t.Helper()
		ended(t, r)
	}
	silence := silent
	tests := []struct {
		name  string
		fault mailtest.Fault
		send  string
		want  string
		then  func(t *testing.T, c net.Conn, r io.Reader)
	}{
		{"silence", mailtest.Silence("noop"), "noop", "", silence},
		{"half a line", mailtest.Half("NOOP"), "noop", "NOO", silence},
		{"drop at once", mailtest.Drop("NOOP", 0), "noop", "", over},
		{"drop within", mailtest.Drop("NOOP", 2), "noop", "NO", over},
		{"drop at the end", mailtest.Drop("NOOP", 1000), "noop", "NOOP\r\n", over},
		{"reply", mailtest.Reply("NOOP", "451 later"), "noop", "451 later\r\n", open},
		{"bye", mailtest.Bye("NOOP", "421 gone"), "noop", "421 gone\r\n", over},
		{"refuse", mailtest.Refuse("NOOP"), "noop", "REFUSED\r\n", open},
		{"before", mailtest.Before("NOOP", "junk\x00\r\n"), "noop", "junk\x00\r\nNOOP\r\n", open},
		{"after", mailtest.After("NOOP", "junk\r\n"), "noop", "NOOP\r\njunk\r\n", open},
		{"size too big", mailtest.WrongSize("SIZE", 5), "size", "{15}\r\n", open},
		{"size too small", mailtest.WrongSize("SIZE", -50), "size", "{0}\r\n", open},
		{"ignore", mailtest.Fault{Command: "NOOP", Ignore: true}, "noop", "", open},
		{"ignore and close", mailtest.Fault{Command: "NOOP", Ignore: true, Stop: mailtest.StopClose}, "noop", "", over},
		{"drip and drop", mailtest.Fault{Command: "NOOP", Pause: time.Second, Stop: mailtest.StopClose, StopAfter: 3}, "noop", "NOO", over},
		{"part of a name", mailtest.Reply("FETCH", "NO"), "uid fetch", "NO\r\n", open},
		{"other command", mailtest.Reply("FETCH", "NO"), "prefetch", "PREFETCH\r\n", open},
		{"any command", mailtest.Reply("", "NO"), "prefetch", "NO\r\n", open},
		{"containing", mailtest.Reply("", "NO").Containing("PREF"), "prefetch", "NO\r\n", open},
		{"not containing", mailtest.Reply("", "NO").Containing("other"), "prefetch", "PREFETCH\r\n", open},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c, r := dial(t, nil)
				s.Inject(tt.fault)
				send(t, c, tt.send+"\r\n")
				expect(t, r, tt.want)
				tt.then(t, c, r)
			})
		})
	}
}

// TestFaultsOfLines takes an answer of three lines apart.
func TestFaultsOfLines(t *testing.T) {
	const answer = "one\r\ntwo\nstill two\r\nthree"
	numbered := mailtest.Lines("NOOP", func(n int, line string) string { return strconv.Itoa(n) + " " + line })
	slow, cut := numbered, numbered
	slow.Chunk, slow.Pause = 2, time.Second
	cut.Stop, cut.StopAfter = mailtest.StopClose, len("1 one\r\n2 ")
	halved := mailtest.ReplaceLine("NOOP", 1, "1234")
	halved.Stop, halved.StopAfter = mailtest.StopSilent, mailtest.HalfLine
	for name, tt := range map[string]struct {
		fault mailtest.Fault
		want  string
		open  bool
	}{
		"numbered":        {numbered, "1 one\r\n2 two\nstill two\r\n3 three\r\n", true},
		"one missing":     {mailtest.WithoutLine("NOOP", 2), "one\r\nthree\r\n", true},
		"one twice":       {mailtest.RepeatLine("NOOP", 1), "one\r\none\r\ntwo\nstill two\r\nthree\r\n", true},
		"one blank":       {mailtest.ReplaceLine("NOOP", 3, ""), "one\r\ntwo\nstill two\r\n\r\n", true},
		"no such line":    {mailtest.WithoutLine("NOOP", 4), "one\r\ntwo\nstill two\r\nthree\r\n", true},
		"dropped behind":  {mailtest.DropAfterLine("NOOP", 2), "one\r\ntwo\nstill two\r\n", false},
		"dropped at once": {mailtest.DropAfterLine("NOOP", 0), "", false},
		"slowly":          {slow, "1 one\r\n2 two\nstill two\r\n3 three\r\n", true},
		"cut":             {cut, "1 one\r\n2 ", false},
		"half a line":     {halved, "123", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, c, r := dial(t, nil)
				tt.fault.Reply = answer
				s.Inject(tt.fault)
				send(t, c, "noop\r\n")
				expect(t, r, tt.want)
				switch {
				case !tt.open:
					ended(t, r)
				case tt.fault.Stop == mailtest.StopSilent:
					silent(t, c, r)
				default:
					send(t, c, "more\r\n")
					expect(t, r, "MORE\r\n")
				}
			})
		})
	}
}

// TestUnendedLineOfAFault: what an answer ends in without CRLF is a line too.
func TestUnendedLineOfAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []string
		s := fakenet.New(func(_ context.Context, c *fakenet.Conn) {
			if _, err := c.Begin("NOOP", ""); err != nil {
				t.Error(err)
			}
			for _, piece := range []string{"o", "ne\r", "\ntw", "o"} {
				if _, err := c.WriteString(piece); err != nil {
					t.Error(err)
				}
			}
			if err := c.End(); err != nil {
				t.Error(err)
			}
		}, nil)
		t.Cleanup(func() { _ = s.Close() })
		s.Inject(mailtest.Lines("NOOP", func(_ int, line string) string {
			seen = append(seen, line)
			return strings.ToUpper(line)
		}))
		c, err := s.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		expect(t, c, "ONE\r\nTWO")
		if got := strings.Join(seen, "|"); got != "one\r\n|two" {
			t.Errorf("the fault saw %q, want two lines", got)
		}
	})
}

func TestFaultCounts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, r := dial(t, nil)
		s.Inject(mailtest.Reply("A", "first").Skipping(1).Repeating(2), mailtest.Reply("A", "second"), mailtest.Reply("B", "ever").Repeating(-1))
		for i, want := range []string{"second", "first", "first", "A"} {
			send(t, c, "a\r\n")
			expect(t, r, want+"\r\n")
			if got := s.Pending(); i == 0 && got != 2 {
				t.Errorf("Pending = %d after one fault was used up, want 2", got)
			}
		}
		for range 3 {
			send(t, c, "b\r\n")
			expect(t, r, "ever\r\n")
		}
		if got := s.Pending(); got != 1 {
			t.Errorf("Pending = %d, want 1", got)
		}
		s.Heal()
		send(t, c, "b\r\n")
		expect(t, r, "B\r\n")
	})
}

func TestSlowLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, r := dial(t, nil)
		s.Inject(mailtest.Drip("NOOP", 2, time.Minute), mailtest.Delay("NOOP", time.Hour))
		start := time.Now()
		for _, want := range []struct {
			text string
			at   time.Duration
		}{{"NO", 0}, {"OP", time.Minute}, {"\r\n", 2 * time.Minute}} {
			if want.at == 0 {
				send(t, c, "noop\r\n")
			}
			expect(t, r, want.text)
			if got := time.Since(start); got != want.at {
				t.Errorf("%q came after %v, want %v", want.text, got, want.at)
			}
		}
		start = time.Now()
		send(t, c, "noop\r\n")
		expect(t, r, "NOOP\r\n")
		if got := time.Since(start); got < time.Hour {
			t.Errorf("delayed answer came after %v, want at least 1h", got)
		}
	})
}

func TestCallAtAByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, r := dial(t, nil)
		for _, n := range []int{0, 2, 100} {
			gate, called := make(chan struct{}), make(chan struct{})
			s.Inject(mailtest.CallAfter("NOOP", n, func() {
				close(called)
				<-gate
			}))
			send(t, c, "noop\r\n")
			<-called
			expect(t, r, "NOOP\r\n"[:min(n, 6)])
			synctest.Wait()
			if got := r.Buffered(); got != 0 {
				t.Errorf("%d more bytes came before the call at %d returned", got, n)
			}
			close(gate)
			expect(t, r, "NOOP\r\n"[min(n, 6):])
		}
	})
}

func TestSilentServerCanBeClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, r := dial(t, nil)
		s.Inject(mailtest.Silence("NOOP"))
		send(t, c, "noop\r\nnoop\r\n")
		synctest.Wait()
		if made, open := s.Connections(); made != 1 || open != 1 {
			t.Errorf("Connections = %d, %d, want 1, 1", made, open)
		}
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		ended(t, r)
		if _, open := s.Connections(); open != 0 {
			t.Errorf("%d connections open after Close", open)
		}
		if _, err := s.Dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial after Close: %v, want %v", err, syscall.ECONNREFUSED)
		}
		if err := s.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}

func TestCloseInterruptsADelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, _ := dial(t, nil)
		s.Inject(mailtest.Delay("NOOP", 24*time.Hour))
		send(t, c, "noop\r\n")
		synctest.Wait()
		start := time.Now()
		_ = s.Close()
		if got := time.Since(start); got != 0 {
			t.Errorf("Close took %v", got)
		}
	})
}

func TestDisconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, r := dial(t, nil)
		s.Disconnect()
		ended(t, r)
		c, err := s.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatalf("Dial after Disconnect: %v", err)
		}
		expect(t, c, "HELLO\r\n")
		_ = c.Close()
	})
}

func TestDialWithEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := fakenet.New(toy, nil)
	defer func() { _ = s.Close() }()
	if _, err := s.Dial(ctx, "", ""); !errors.Is(err, context.Canceled) {
		t.Errorf("Dial: %v, want %v", err, context.Canceled)
	}
}

func TestGreetingFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := fakenet.New(toy, nil)
		defer func() { _ = s.Close() }()
		s.Inject(mailtest.Reply("", "not for greetings"), mailtest.Bye(mailtest.Greeting, "421 busy"))
		c, err := s.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		expect(t, c, "421 busy\r\n")
		ended(t, c)
		if got := s.Pending(); got != 1 {
			t.Errorf("Pending = %d, want 1", got)
		}
	})
}

func TestLines(t *testing.T) {
	tests := []struct{ name, send, want string }{
		{"longest", strings.Repeat("x", 10) + "\r\n", strings.Repeat("X", 10) + "\r\n"},
		{"too long", strings.Repeat("x", 11) + "\r\n", fakenet.ErrLineTooLong.Error() + "\r\n"},
		{"endless", strings.Repeat("x", 5000), fakenet.ErrLineTooLong.Error() + "\r\n"},
		{"bare LF", "x\n", fakenet.ErrBareLF.Error() + "\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, c, r := dial(t, &fakenet.Options{MaxLine: 10})
				send(t, c, tt.send)
				expect(t, r, tt.want)
			})
		})
	}
}

func TestEndOfInput(t *testing.T) {
	tests := []struct {
		send string
		want error
	}{{"", io.EOF}, {"half", io.ErrUnexpectedEOF}}
	for _, tt := range tests {
		got := make(chan error, 2)
		s := fakenet.New(func(_ context.Context, c *fakenet.Conn) {
			_, err := c.ReadLine()
			got <- err
			_, err = c.ReadFull(10)
			got <- err
		}, nil)
		c, err := s.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatalf("Dial: %v", err)
		}
		send(t, c, tt.send)
		_ = c.Close()
		if err := <-got; !errors.Is(err, tt.want) {
			t.Errorf("ReadLine after %q: %v, want %v", tt.send, err, tt.want)
		}
		if err := <-got; !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("ReadFull at the end: %v, want %v", err, io.ErrUnexpectedEOF)
		}
		_ = s.Close()
	}
}

func TestCommandsAreRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, r := dial(t, nil)
		send(t, c, "one\r\nquit\r\n")
		expect(t, r, "ONE\r\nQUIT\r\n")
		want := []mailtest.Command{{Conn: 1, Name: "ONE", Line: "one"}, {Conn: 1, Name: "QUIT", Line: "quit"}}
		got := s.Commands()
		if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
			t.Errorf("Commands = %+v, want %+v", got, want)
		}
		ended(t, r)
	})
}

func TestImplicitTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c, _ := dial(t, &fakenet.Options{Security: mailtest.TLS, Hosts: []string{"mail.example.com"}})
		config := s.ClientTLS()
		config.ServerName = "mail.example.com"
		secure := tls.Client(c, config)
		expect(t, secure, "HELLO\r\n")
		send(t, secure, "noop\r\n")
		expect(t, secure, "NOOP\r\n")
		if got := s.Commands(); len(got) != 1 || !got[0].Encrypted {
			t.Errorf("Commands = %+v, want one that was encrypted", got)
		}
		_ = secure.Close()
	})
}

func TestStartTLSWithOwnCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		authority, err := testtls.New("own.example.com")
		if err != nil {
			t.Fatalf("testtls.New: %v", err)
		}
		s, c, r := dial(t, &fakenet.Options{Security: mailtest.STARTTLS, TLS: authority.Server()})
		send(t, c, "tls\r\n")
		expect(t, r, "TLS\r\n")
		config := s.ClientTLS()
		config.ServerName = "own.example.com"
		secure := tls.Client(c, config)
		send(t, secure, "noop\r\n")
		expect(t, secure, "NOOP\r\n")
		_ = secure.Close()
	})
}

func TestEarlyBytesAreNotCarriedIntoTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, c, r := dial(t, &fakenet.Options{Security: mailtest.STARTTLS})
		send(t, c, "tls\r\nnoop\r\n")
		expect(t, r, "TLS\r\n")
		ended(t, r)
	})
}

func TestHandshakeFaults(t *testing.T) {
	tests := []struct {
		name  string
		fault mailtest.Fault
		then  func(t *testing.T, c net.Conn)
	}{
		{"silence", mailtest.Silence(mailtest.Handshake), func(t *testing.T, c net.Conn) { t.Helper(); silent(t, c, c) }},
		{"drop", mailtest.Drop(mailtest.Handshake, 0), func(t *testing.T, c net.Conn) { t.Helper(); ended(t, c) }},
		{"plain text", mailtest.Reply(mailtest.Handshake, "HTTP/1.0 400"), func(t *testing.T, c net.Conn) {
			t.Helper()
			expect(t, c, "HTTP/1.0 400\r\n")
			ended(t, c)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := fakenet.New(toy, &fakenet.Options{Security: mailtest.TLS})
				defer func() { _ = s.Close() }()
				s.Inject(tt.fault)
				c, err := s.Dial(t.Context(), "", "")
				if err != nil {
					t.Fatalf("Dial: %v", err)
				}
				tt.then(t, c)
				_ = c.Close()
			})
		})
	}
}

func TestOverTCP(t *testing.T) {
	s := fakenet.New(toy, nil)
	var d net.Dialer
	c, err := d.DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatalf("Dial %q: %v", s.Addr(), err)
	}
	expect(t, c, "HELLO\r\n")
	addr := s.Addr()
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := d.DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("Dial after Close succeeded")
	}
	_ = c.Close()

	unopened := fakenet.New(toy, nil)
	_ = unopened.Close()
	if err := unopened.Listen(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Listen after Close: %v, want %v", err, net.ErrClosed)
	}
	if got := unopened.Addr(); got != "" {
		t.Errorf("Addr after Close = %q, want none", got)
	}
}
