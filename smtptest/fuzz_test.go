package smtptest_test

import (
	"io"
	"net"
	"regexp"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/smtptest"
)

// Whatever a client sends, the server answers in lines with a code, comes to an
// end, and accepts nothing that is not made of lines, unless it was announced as
// binary.
func FuzzSession(f *testing.F) {
	for _, s := range []string{
		"MAIL FROM:<x@y.example>\r\nRCPT TO:<ann@example.com>\r\nBDAT 3\r\na\r\nBDAT 2 LAST\r\n\r\nQUIT\r\n",
		"MAIL FROM:<x@y.example> BODY=BINARYMIME\r\nRCPT TO:<ann@example.com>\r\nBDAT 3 LAST\r\n\r\n\nRSET\r\nNOOP\r\n",
		"MAIL FROM:<> SIZE=1 SMTPUTF8 RET=FULL ENVID=x\r\nRCPT TO:<ann@example.com> NOTIFY=NEVER\r\nDATA\r\n",
		"MAIL FROM:<x@y.example>\r\nBDAT 2\r\n\r\nRCPT TO:<ann@example.com>\r\nBDAT 0 LAST\r\nDATA\r\n",
		"BDAT 99999999999999999999 LAST\r\n", "BDAT -1\r\n", "STARTTLS\r\n\x16\x03\x01", "AUTH PLAIN =\r\n",
		"MAIL FROM:<x@y.example>\r\nRCPT TO:<ann@example.com>\r\nBDAT 10 LAST\r\nshort",
	} {
		f.Add(s)
	}
	reply := regexp.MustCompile(`^[2-5][0-9][0-9][ -][^\r\n]*$`)
	f.Fuzz(func(t *testing.T, sent string) {
		s := newServer(t, &smtptest.Options{Extensions: smtptest.With("BINARYMIME"), Anonymous: true})
		c, err := s.Dial(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		go func() {
			// The server may hang up first.
			_, _ = io.WriteString(c, "EHLO me\r\n")
			_, _ = io.WriteString(c, sent)
			if half, ok := c.(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		}()
		checkReplies(t, c, reply)
		for _, m := range s.Messages() {
			binary := strings.Contains(strings.ToUpper(m.Params), "BODY=BINARYMIME")
			if !binary && strings.ContainsAny(strings.ReplaceAll(m.Raw, "\r\n", ""), "\r\n") {
				t.Errorf("the message %q was accepted", m.Raw)
			}
			sum := 0
			for _, n := range m.Chunks {
				sum += n
			}
			if m.Chunked && sum != len(m.Raw) {
				t.Errorf("the chunks %v make a message of %d bytes", m.Chunks, len(m.Raw))
			}
		}
	})
}

func checkReplies(t *testing.T, c net.Conn, reply *regexp.Regexp) {
	t.Helper()
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	lines, whole := strings.CutSuffix(string(all), "\r\n")
	if !whole {
		t.Fatalf("the server said %q, want whole lines", all)
	}
	for line := range strings.SplitSeq(lines, "\r\n") {
		if !reply.MatchString(line) {
			t.Errorf("the server said %q", line)
		}
	}
}
