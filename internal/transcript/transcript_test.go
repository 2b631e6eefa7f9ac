package transcript_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/mailsession/mailsession/internal/transcript"
)

// play feeds steps to a Recorder in pieces of at most size bytes and returns
// the transcript. A step begins with "C: " or "S: "; its line ends are as they
// stand.
func play(t *testing.T, m transcript.Masker, size int, steps ...string) string {
	t.Helper()
	var out bytes.Buffer
	r := transcript.New(&out, m)
	for _, step := range steps {
		feed := r.Sent
		if strings.HasPrefix(step, "S: ") {
			feed = r.Received
		}
		b := []byte(step[3:])
		for len(b) > 0 {
			n := min(size, len(b))
			feed(b[:n])
			b = b[n:]
		}
	}
	if err := r.Close(); err != nil {
		t.Fatalf("Close() = %v, want nil", err)
	}
	return out.String()
}

type conversation struct {
	name  string
	steps []string
	want  string
}

// run plays every conversation in one piece a step, byte by byte, and in
// pieces that cut CR from LF.
func run(t *testing.T, masker func() transcript.Masker, tests []conversation) {
	t.Helper()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.TrimPrefix(tt.want, "\n")
			for _, size := range []int{1 << 20, 1, 2, 3, 7, 64} {
				if got := play(t, masker(), size, tt.steps...); got != want {
					t.Errorf("pieces of %d: transcript is\n%s\nwant\n%s", size, got, want)
				}
			}
		})
	}
}

func TestLongLine(t *testing.T) {
	long := strings.Repeat("x", 5000)
	got := play(t, transcript.IMAP(), 100,
		"S: * OK "+long+"\r\n",
		"S: * 1 FETCH (X "+long+" BODY[] {5}\r\n\r\nabc)\r\n",
		"C: a1 LOGIN "+long+" {6}\r\nhunter {7}\r\nhunter2\r\n",
		"C: a2 NOOP\r\n")
	lines := strings.Split(strings.TrimSpace(got), "\n")
	want := []string{
		"S: * OK " + long[:1019] + " [3981 bytes more]",
		"S: * 1 FETCH (X " + long[:1011] + " [4000 bytes more]",
		"S: [literal 5 bytes])",
		"C: a1 LOGIN [redacted]",
		"C: [redacted] [redacted]",
		"C: [redacted]",
		"C: a2 NOOP",
	}
	for i, w := range want {
		if i >= len(lines) || lines[i] != w {
			t.Fatalf("transcript is\n%s\nwant line %d to be %q", got, i, w)
		}
	}
}

func TestUnprintable(t *testing.T) {
	got := play(t, transcript.SMTP(), 3, "S: 220 a\x1b[31mb\rS: 250 \xffé\x00\u2028ü\r\n")
	want := "S: 220 a\\x1b[31mb\\x0dS: 250 \\xffé\\x00\\xe2\\x80\\xa8ü\n"
	if got != want {
		t.Errorf("transcript is %q, want %q", got, want)
	}
}

func TestBoundedMemory(t *testing.T) {
	piece := bytes.Repeat([]byte("x"), 1<<16)
	for name, m := range maskers() {
		r := transcript.New(io.Discard, m)
		r.Sent(piece)
		r.Received(piece)
		got := testing.AllocsPerRun(1000, func() {
			r.Sent(piece)
			r.Received(piece)
		})
		if got != 0 {
			t.Errorf("%s: an endless line takes %v allocations a piece, want 0", name, got)
		}
	}
}

func maskers() map[string]transcript.Masker {
	return map[string]transcript.Masker{
		"IMAP": transcript.IMAP(), "SMTP": transcript.SMTP(), "POP3": transcript.POP3(),
	}
}

type failingWriter struct{ left int }

var errDisk = errors.New("disk is full")

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.left == 0 {
		return 0, errDisk
	}
	w.left--
	return len(p), nil
}

func TestWriteError(t *testing.T) {
	r := transcript.New(&failingWriter{left: 1}, transcript.POP3())
	for range 3 {
		r.Received([]byte("+OK ready\r\n"))
	}
	if err := r.Close(); !errors.Is(err, errDisk) {
		t.Errorf("Close() = %v, want %v", err, errDisk)
	}
}

func TestConcurrent(t *testing.T) {
	var out bytes.Buffer
	r := transcript.New(&out, transcript.IMAP())
	var wg sync.WaitGroup
	wg.Go(func() {
		for range 500 {
			r.Sent([]byte("a1 LOGIN bob hunt"))
			r.Sent([]byte("er2\r\n"))
		}
	})
	wg.Go(func() {
		for range 500 {
			r.Received([]byte("* OK still "))
			r.Received([]byte("here\r\n"))
		}
	})
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	if len(lines) != 1000 {
		t.Errorf("%d lines, want 1000", len(lines))
	}
	for _, l := range lines {
		if l != "C: a1 LOGIN [redacted]" && l != "S: * OK still here" {
			t.Errorf("line %q is neither of the two that were said", l)
		}
	}
}

// TestServersThatRepeatWhatTheyDecoded: the client sends base64, and the server
// answers with the password or the token in it.
func TestServersThatRepeatWhatTheyDecoded(t *testing.T) {
	plain := base64.StdEncoding.EncodeToString([]byte("\x00ann@example.com\x00correct horse"))
	bearer := base64.StdEncoding.EncodeToString([]byte("user=ann@example.com\x01auth=Bearer horse-token\x01\x01"))
	login := base64.StdEncoding.EncodeToString([]byte("correct horse"))
	for _, tt := range []struct {
		name   string
		masker transcript.Masker
		said   []string // by the client and the server in turn
	}{
		{"IMAP, PLAIN", transcript.IMAP(), []string{"a1 AUTHENTICATE PLAIN " + plain, "a1 NO not correct horse of ann@example.com"}},
		{"IMAP, later", transcript.IMAP(), []string{"a1 AUTHENTICATE PLAIN", "+ ", plain, "a1 NO not correct horse of ann@example.com"}},
		{"SMTP, PLAIN", transcript.SMTP(), []string{"AUTH PLAIN " + plain, "535 not correct horse of ann@example.com"}},
		{"SMTP, XOAUTH2", transcript.SMTP(), []string{"AUTH XOAUTH2 " + bearer, "535 not horse-token of ann@example.com"}},
		{"SMTP, LOGIN", transcript.SMTP(), []string{"AUTH LOGIN", "334 UGFzc3dvcmQ6", login, "535 not correct horse of ann@example.com"}},
		{"POP3, PLAIN", transcript.POP3(), []string{"AUTH PLAIN " + plain, "-ERR not correct horse of ann@example.com"}},
	} {
		var out strings.Builder
		r := transcript.New(&out, tt.masker)
		for i, line := range tt.said {
			if i%2 == 0 {
				r.Sent([]byte(line + "\r\n"))
			} else {
				r.Received([]byte(line + "\r\n"))
			}
		}
		if got := out.String(); strings.Contains(got, "horse") || !strings.Contains(got, "not [redacted] of ann@example.com") {
			t.Errorf("%s:\n%s\nwant what the server repeats masked, and the name shown", tt.name, got)
		}
	}
}

// TestKnownSecrets: what is known beforehand is masked before the client has said
// anything.
func TestKnownSecrets(t *testing.T) {
	var out bytes.Buffer
	r := transcript.New(&out, transcript.SMTP(), "correct horse", "", "abc")
	r.Received([]byte("220 correct horse Y29ycmVjdCBob3JzZQ== abc\r\n"))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "S: 220 [redacted] [redacted] abc\n"; got != want {
		t.Errorf("the transcript is %q, want %q", got, want)
	}
}
