package smtpx

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestStuffer(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", ".\r\n"},
		{"as it should be", "a: b\r\n\r\nhello\r\n", "a: b\r\n\r\nhello\r\n.\r\n"},
		{"last line open", "hello", "hello\r\n.\r\n"},
		{"lone LF", "a\nb\n", "a\r\nb\r\n.\r\n"},
		{"lone CR", "a\rb\r", "a\r\nb\r\n.\r\n"},
		{"CR CR LF", "a\r\r\nb", "a\r\n\r\nb\r\n.\r\n"},
		{"LF CR", "a\n\rb", "a\r\n\r\nb\r\n.\r\n"},
		{"dots", ".\r\n..\r\na.\r\n.b", "..\r\n...\r\na.\r\n..b\r\n.\r\n"},
		{"dot behind a lone LF", "a\n.\nb", "a\r\n..\r\nb\r\n.\r\n"},
		{"dot behind a lone CR", "a\r.\r\nMAIL FROM:<x>\r\n", "a\r\n..\r\nMAIL FROM:<x>\r\n.\r\n"},
		{"bytes that are not text", "\x00\xff\x80\r\n", "\x00\xff\x80\r\n.\r\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once":      strings.NewReader(tt.in),
				"byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)),
			} {
				if got := stuff(t, r); got != tt.want {
					t.Errorf("%s: %q becomes %q, want %q", how, tt.in, got, tt.want)
				}
			}
		})
	}
}

func stuff(t *testing.T, r io.Reader) string {
	t.Helper()
	var b bytes.Buffer
	s := &stuffer{w: &b}
	if _, err := io.Copy(s, r); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestStufferReportsErrors(t *testing.T) {
	s := &stuffer{w: errorWriter{}}
	if _, err := s.Write([]byte("a\r\nb")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Write = %v, want %v", err, io.ErrClosedPipe)
	}
	if err := s.Close(); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Close = %v, want %v", err, io.ErrClosedPipe)
	}
}

type errorWriter struct{}

func (errorWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

// Whatever the message and however it is cut into pieces, what leaves ends in
// the only line that is a lone dot, has no lone CR or LF, and without its dots
// is the message with its line ends repaired.
func FuzzStuffer(f *testing.F) {
	for _, s := range []string{"", ".", "a\r", "\r.\r\n", "\n.\r\n.\r\n", "..\r\n.a", "a\r\n.\r\nQUIT\r\n"} {
		f.Add([]byte(s), 1)
	}
	f.Fuzz(func(t *testing.T, p []byte, cut int) {
		cut = min(max(cut, 0), len(p))
		got := stuff(t, io.MultiReader(bytes.NewReader(p[:cut]), bytes.NewReader(p[cut:])))
		body, ok := strings.CutSuffix(got, ".\r\n")
		if !ok {
			t.Fatalf("%q does not end in a dot", got)
		}
		if rest := strings.ReplaceAll(got, "\r\n", ""); strings.ContainsAny(rest, "\r\n") {
			t.Errorf("%q has a lone CR or LF", got)
		}
		var lines []string
		for line := range strings.SplitSeq(strings.TrimSuffix(body, "\r\n"), "\r\n") {
			if line == "." {
				t.Errorf("%q ends before its end", got)
			}
			lines = append(lines, strings.TrimPrefix(line, "."))
		}
		repaired := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(string(p))
		want := strings.TrimSuffix(repaired, "\n")
		if strings.Join(lines, "\n") != want {
			t.Errorf("the server sees %q, want %q", lines, want)
		}
	})
}
