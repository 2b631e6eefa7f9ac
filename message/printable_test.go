package message_test

import (
	"bytes"
	"mime/quotedprintable"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
)

// FuzzPrintable finds that quoted-printable is, byte for byte, what the standard
// library makes of the same lines.
func FuzzPrintable(f *testing.F) {
	for _, n := range []int{0, 1, 71, 72, 73, 74, 75, 76, 77, 150, 151} {
		line := strings.Repeat("x", n)
		for _, end := range []string{"", "=", "ü", " ", "\t", "  ", " .", "\x00", "\x7f", " =", "= "} {
			f.Add(line + end)
			f.Add(line + end + "\nFrom " + end + "\r\n\r" + line)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.NewReplacer("\r\n", "\r\n", "\r", "\r\n", "\n", "\r\n").Replace(strings.ToValidUTF8(strings.TrimPrefix(text, "\ufeff"), "\ufffd"))
		if lines != "" && !strings.HasSuffix(lines, "\r\n") {
			lines += "\r\n"
		}
		var want bytes.Buffer
		w := quotedprintable.NewWriter(&want)
		if _, err := w.Write([]byte(lines)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if got := message.Printable(text); got != want.String() {
			t.Errorf("%q comes to\n%q, want\n%q", text, got, &want)
		}
	})
}
