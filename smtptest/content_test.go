package smtptest_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/smtptest"
)

// chunked is a server for transactions that are sent ahead.
func chunked(more ...string) *smtptest.Options {
	return &smtptest.Options{Extensions: append([]string{"PIPELINING", "CHUNKING", "8BITMIME"}, more...), Anonymous: true}
}

// dialESMTP returns a connection after EHLO.
func dialESMTP(t *testing.T, s *smtptest.Server) (net.Conn, *bufio.Reader) {
	t.Helper()
	c, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	r := bufio.NewReader(c)
	write(t, c, "EHLO me\r\n")
	for line := ""; !strings.HasPrefix(line, "250 "); {
		if line, err = r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	return c, r
}

func write(t *testing.T, w io.Writer, text string) {
	t.Helper()
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
}

// transaction is a whole transaction by BDAT, of two chunks.
const transaction = "MAIL FROM:<x@y.example>\r\nRCPT TO:<ann@example.com>\r\nBDAT 6\r\nab\r\nc\n" +
	"BDAT 6 LAST\r\ndef\r\n\x00"

// The server goes wrong in the middle of the third of four transactions that were
// sent ahead: what came before is accepted, and nothing behind it.
func TestFaultsWithinAChunk(t *testing.T) {
	good := "250 Ok\r\n250 Ok\r\n250 6 octets received\r\n250 Ok: queued as 4mt00000"
	window := good + "C\r\n" + good + "D\r\n"
	inLast := func(f mailtest.Fault) mailtest.Fault {
		f.Skip = 2 // of the four last chunks
		return f.Containing("LAST")
	}
	tests := []struct {
		name     string
		fault    mailtest.Fault
		answers  string
		accepted int
		open     bool // the connection, afterwards
	}{
		{"cut", inLast(mailtest.Drop(mailtest.Content, 3)), window + "250 Ok\r\n250 Ok\r\n250 6 octets received\r\n", 2, false},
		{"421", inLast(mailtest.Bye(mailtest.Content, "421 4.3.2 going down")), window + "250 Ok\r\n250 Ok\r\n250 6 octets received\r\n421 4.3.2 going down\r\n", 2, false},
		{"silent", inLast(mailtest.Silence(mailtest.Content)), window + "250 Ok\r\n250 Ok\r\n250 6 octets received\r\n", 2, true},
		{"something said", inLast(mailtest.Before(mailtest.Content, "250 hm\r\n")), window + "250 Ok\r\n250 Ok\r\n250 6 octets received\r\n250 hm\r\n250 Ok: queued as 4mt00000F\r\n" + good + "G\r\n", 4, true},
		{"slow", inLast(mailtest.Drip(mailtest.Content, 1, time.Minute)), window + good + "F\r\n" + good + "G\r\n", 4, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := chunked("BINARYMIME")
				s := newServer(t, o)
				s.Inject(tt.fault)
				c, r := dialESMTP(t, s)
				mail := strings.Replace(transaction, ">\r\n", "> BODY=BINARYMIME\r\n", 1)
				start := time.Now()
				write(t, c, strings.Repeat(mail, 4))
				got := readFor(t, c, r, 2*time.Hour)
				if got != tt.answers {
					t.Errorf("the server said\n%q\nwant\n%q", got, tt.answers)
				}
				if n := len(s.Messages()); n != tt.accepted || s.Pending() != 0 {
					t.Errorf("%d messages were accepted with %d faults left, want %d and none", n, s.Pending(), tt.accepted)
				}
				synctest.Wait()
				if _, open := s.Connections(); (open == 1) != tt.open {
					t.Errorf("%d connections are open", open)
				}
				if tt.name == "slow" && time.Since(start) < 6*time.Minute {
					t.Errorf("six bytes took %v, want a minute each", time.Since(start))
				}
			})
		})
	}
}

// readFor returns what comes within a time.
func readFor(t *testing.T, c net.Conn, r io.Reader, d time.Duration) string {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(d)); err != nil {
		t.Fatal(err)
	}
	got, _ := io.ReadAll(r)
	return string(got)
}

// Behind DATA the same can happen, and the fault's function sees how far the
// message has come.
func TestFaultWithinData(t *testing.T) {
	s := newServer(t, policed())
	called := false
	f := mailtest.Drop(mailtest.Content, 8).Containing("DATA")
	f.Call, f.CallAfter = func() { called = true }, 4
	s.Inject(f)
	c, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, command := range []string{"HELO me", "MAIL FROM:<>", "RCPT TO:<ann@example.com>", "DATA"} {
		write(t, c, command+"\r\n")
		await(t, c, "\r\n")
		if command == "HELO me" {
			await(t, c, "\r\n") // the greeting came first
		}
	}
	write(t, c, "ab\r\ncd\r\n")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) || !called || len(s.Messages()) != 0 {
		t.Errorf("within the message the server says %v, called %v, accepted %d, want EOF, true, 0", err, called, len(s.Messages()))
	}
}

// What came is kept as it came: the dots of DATA, the chunks of BDAT, and the
// parameters of the envelope.
func TestCapture(t *testing.T) {
	s := newServer(t, chunked("BINARYMIME", "DSN", "SMTPUTF8"))
	c, r := dialESMTP(t, s)
	write(t, c, "MAIL FROM:<x@y.example> BODY=BINARYMIME RET=HDRS ENVID=a+2Bb\r\n"+
		"RCPT TO:<ann@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ann@example.com\r\nRCPT TO:<bob@example.com>\r\n"+
		"BDAT 4\r\n.\r\n\x00BDAT 0\r\nBDAT 3 LAST\r\n\r\r\n")
	for range 6 {
		if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "250 ") {
			t.Fatalf("read %q, %v, want 250", line, err)
		}
	}
	write(t, c, "MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n")
	for range 3 {
		if _, err := r.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	write(t, c, "..\r\n.a\r\n...\r\n.\r\n")
	if line, err := r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "250 ") {
		t.Fatalf("read %q, %v, want 250", line, err)
	}
	want := []smtptest.Message{
		{
			Conn: 1, Hello: "me", From: "x@y.example", Params: "BODY=BINARYMIME RET=HDRS ENVID=a+2Bb",
			To:       []string{"ann@example.com", "bob@example.com"},
			ToParams: []string{"NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Ann@example.com", ""},
			Raw:      ".\r\n\x00\r\r\n", Chunked: true, Chunks: []int{4, 0, 3}, QueueID: "4mt00000C",
		},
		{
			Conn: 1, Hello: "me", To: []string{"ann@example.com"}, ToParams: []string{""},
			Raw: ".\r\na\r\n..\r\n", Stuffed: "..\r\n.a\r\n...\r\n.\r\n", QueueID: "4mt00000D",
		},
	}
	if got := s.Messages(); !reflect.DeepEqual(got, want) {
		t.Errorf("Messages() = %+v, want %+v", got, want)
	}
}

// Who sends ahead without leave, or behind a command that has to be waited for,
// is sent away.
func TestSentAhead(t *testing.T) {
	const away = "521 5.5.1 Protocol error: sent ahead without waiting for the answer\r\n"
	for name, tt := range map[string]struct {
		extensions []string
		sent, want string
	}{
		"without PIPELINING":      {[]string{"SIZE"}, "MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\n", away},
		"chunks without it":       {[]string{"CHUNKING"}, "BDAT 1\r\na" + "NOOP\r\n", away},
		"behind DATA":             {[]string{"PIPELINING"}, "MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\na\r\n.\r\n", "250 Ok\r\n250 Ok\r\n" + away},
		"behind NOOP":             {[]string{"PIPELINING"}, "NOOP\r\nNOOP\r\n", away},
		"behind AUTH":             {[]string{"PIPELINING", "AUTH PLAIN"}, "AUTH PLAIN\r\n" + b64("\x00ann@example.com\x00"+password) + "\r\n", away},
		"in a group that may be":  {[]string{"PIPELINING"}, "RSET\r\nMAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n", "250 Flushed\r\n250 Ok\r\n250 Ok\r\n354 End data with <CR><LF>.<CR><LF>\r\n"},
		"a chunk with PIPELINING": {[]string{"PIPELINING", "CHUNKING"}, "MAIL FROM:<>\r\nRCPT TO:<ann@example.com>\r\nBDAT 2 LAST\r\n\r\nRSET\r\n", "250 Ok\r\n250 Ok\r\n250 Ok: queued as 4mt00000C\r\n250 Flushed\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: tt.extensions, Anonymous: true})
				c, r := dialESMTP(t, s)
				write(t, c, tt.sent)
				if got := readFor(t, c, r, time.Minute); got != tt.want {
					t.Errorf("the server said %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// Behind the dot of a message one has to wait, too.
func TestSentAheadBehindTheDot(t *testing.T) {
	s := newServer(t, policed())
	talk(t, s, start+mailTo("ann@example.com")+"C: DATA\nS: 354 End data with <CR><LF>.<CR><LF>\n"+
		`C: a\r\n.\r\nNOOP`+"\nS: 521 5.5.1 Protocol error: sent ahead without waiting for the answer\nS: EOF")
	if got := len(s.Messages()); got != 0 {
		t.Errorf("%d messages were accepted, want none", got)
	}
}

func TestIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := policed()
		o.Idle = 5 * time.Minute
		s := newServer(t, o)
		c, err := s.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		await(t, c, "ready\r\n")
		<-time.After(5*time.Minute - 1)
		write(t, c, "NOOP\r\n")
		await(t, c, "250 OK\r\n")
		start := time.Now()
		await(t, c, "421 4.4.2 Timeout, good bye\r\n")
		if got := time.Since(start); got != o.Idle {
			t.Errorf("an idle client was sent away after %v, want %v", got, o.Idle)
		}
	})
}
