package transcript_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/transcript"
)

// marker is part of every secret of the fuzz targets.
const marker = "Zs3cr3tZ"

// A source deals out the bytes of a fuzz input.
type source struct{ b []byte }

func (s *source) next(n int) int {
	if len(s.b) == 0 {
		return 0
	}
	c := s.b[0]
	s.b = s.b[1:]
	return int(c) % n
}

func (s *source) bytes(n int) []byte {
	n = min(n, len(s.b))
	b := s.b[:n]
	s.b = s.b[n:]
	return b
}

// secret returns a secret around the marker; raw ones hold no line end.
func (s *source) secret() string {
	around := strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return -1
		}
		return r
	}, string(s.bytes(s.next(12))))
	return around + marker + around
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// quote returns s as an IMAP quoted string.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}

// atom returns s as the client would send it without quotes.
func atom(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r) {
			return -1
		}
		return r
	}, s)
}

func imapStep(s *source, i int) (said, secret string) {
	p := s.secret()
	switch s.next(12) {
	case 0:
		return fmt.Sprintf("a%d LOGIN bob %s\r\n", i, quote(p)), quote(p)
	case 1:
		return fmt.Sprintf("a%d LOGIN bob %s\r\n", i, atom(p)), atom(p)
	case 2:
		return fmt.Sprintf("a%d LOGIN bob {%d+}\r\n%s\r\n", i, len(p), p), p
	case 3:
		return fmt.Sprintf("a%d login {3}\r\nbob {%d}\r\n%s\r\n", i, len(p), p), p
	case 4:
		return fmt.Sprintf("a%d LOGIN %s {%d}\r\n%s\r\n", i, quote("b "+p), len(p), p), p
	case 5:
		return fmt.Sprintf("a%d AUTHENTICATE PLAIN %s\r\n", i, encode(p)), encode(p)
	case 6:
		return fmt.Sprintf("a%d AUTHENTICATE XOAUTH2\r\n%s\r\n", i, encode(p)), encode(p)
	case 7:
		return fmt.Sprintf("a%d AUTHENTICATE LOGIN\r\n%s\r\n%s\r\n", i, encode("bob"), encode(p)), encode(p)
	case 8:
		return fmt.Sprintf("a%d APPEND x {5}\r\nhello\r\n", i), ""
	case 9:
		return fmt.Sprintf("a%d APPEND x (\\Seen) {5+}\r\nhello {2}\r\nhi\r\n", i), ""
	case 10:
		return fmt.Sprintf("a%d IDLE\r\nDONE\r\n", i), ""
	}
	return fmt.Sprintf("a%d UID FETCH 1 BODY[]\r\n", i), ""
}

func smtpStep(s *source, _ int) (said, secret string) {
	p := encode(s.secret())
	switch s.next(7) {
	case 0:
		return "AUTH PLAIN " + p + "\r\n", p
	case 1:
		return "AUTH XOAUTH2\r\n" + p + "\r\n", p
	case 2:
		return "auth LOGIN " + encode("bob") + "\r\n" + p + "\r\n", p
	case 3:
		return "DATA\r\nSubject: x\r\n\r\nDATA\r\n.\r\n", ""
	case 4:
		return "BDAT 5\r\nhello", ""
	case 5:
		return "RSET\r\n", ""
	}
	return "MAIL FROM:<bob@x>\r\nRCPT TO:<ann@x>\r\n", ""
}

func pop3Step(s *source, _ int) (said, secret string) {
	p := s.secret()
	switch s.next(7) {
	case 0:
		return "USER bob\r\nPASS " + p + "\r\n", p
	case 1:
		return "APOP bob " + atom(p) + "\r\n", atom(p)
	case 2:
		return "AUTH PLAIN " + encode(p) + "\r\n", encode(p)
	case 3:
		return "AUTH XOAUTH2\r\n" + encode(p) + "\r\n", encode(p)
	case 4:
		return "RETR 1\r\nTOP 2 0\r\n", ""
	case 5:
		return "CAPA\r\nLIST\r\n", ""
	}
	return "QUIT\r\n", ""
}

// chatter is something a server says: proper, or not.
func (s *source) chatter() string {
	lines := []string{
		"+ go\r\n", "+\r\n", "+OK\r\n", "+OK fine\r\n.\r\n", "-ERR no\r\n", "* OK {20}\r\n", "* 1 FETCH (BODY[] {9}\r\n",
		"a0 OK\r\n", "a1 NO\r\n", "a2 BAD\r\n", "a3 NO\r\n", ")\r\n", "334 x\r\n", "354 go\r\n", "250 ok\r\n", "250-a\r\n", "535 no\r\n", ".\r\n",
	}
	n := s.next(len(lines) + 2)
	if n < len(lines) {
		return lines[n]
	}
	return string(s.bytes(n))
}

// FuzzSecrets has a client that sends its secrets whatever the server says,
// and a server that says whatever it likes at any time. However the stream is
// cut, no secret is in the transcript.
func FuzzSecrets(f *testing.F) {
	for i := range 12 {
		f.Add([]byte{byte(i % 3), 5, 'a', ' ', 'x', '"', '\\', byte(i), 3, 0, 0, byte(i), 1, 12, 4, 1, 0, 3})
	}
	f.Add([]byte("0a0 NOOP 0{5}"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &source{b: in}
		step, masker := imapStep, transcript.IMAP()
		switch s.next(3) {
		case 1:
			step, masker = smtpStep, transcript.SMTP()
		case 2:
			step, masker = pop3Step, transcript.POP3()
		}
		var out bytes.Buffer
		r := transcript.New(&out, masker)
		var secrets []string
		for i := range 8 {
			said, secret := step(s, i)
			if strings.Contains(secret, marker) || len(secret) > len(marker) {
				secrets = append(secrets, secret)
			}
			for len(said) > 0 {
				n := min(len(said), 1+s.next(64))
				r.Sent([]byte(said[:n]))
				said = said[n:]
				if s.next(3) == 0 {
					r.Received([]byte(s.chatter()))
				}
			}
		}
		if err := r.Close(); err != nil {
			t.Fatalf("Close() = %v, want nil", err)
		}
		if got := out.String(); strings.Contains(got, marker) {
			t.Errorf("transcript holds %q:\n%s", marker, got)
		}
		for _, p := range secrets {
			if strings.Contains(out.String(), p) {
				t.Errorf("transcript holds %q:\n%s", p, out.String())
			}
		}
	})
}

// FuzzChunks finds that a transcript does not depend on how the streams were
// cut into pieces.
func FuzzChunks(f *testing.F) {
	f.Add("a1 LOGIN {3}\r\nbob {7+}\r\nhunter2\r\na2 IDLE\r\n", "* OK\r\n* 1 FETCH ({4}\r\nabcd)\r\n", uint8(1), uint8(0))
	f.Add("DATA\r\nabc\r\n.\r\nBDAT 3\r\nabc", "354 go\r\n", uint8(2), uint8(1))
	f.Add("RETR 1\r\n", "+OK\r\nabc\r\n.\r\n", uint8(3), uint8(2))
	f.Fuzz(func(t *testing.T, sent, received string, size, protocol uint8) {
		masker := func() transcript.Masker {
			return []func() transcript.Masker{transcript.IMAP, transcript.SMTP, transcript.POP3}[protocol%3]()
		}
		steps := []string{"C: " + sent, "S: " + received, "C: " + sent}
		want := play(t, masker(), 1<<20, steps...)
		if got := play(t, masker(), 1+int(size), steps...); got != want {
			t.Errorf("in pieces of %d:\n%s\nin one:\n%s", 1+int(size), got, want)
		}
	})
}
