package main

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/bench/internal/report"
	"github.com/mailsession/mailsession/message"
)

// measureHostile parses messages that are made to take long, and takes the
// worst of them.
func measureHostile(r *report.Report) error {
	var worst float64
	for name, in := range hostile() {
		took, err := cpuOf(20*time.Millisecond, func() error {
			_, err := message.Parse(strings.NewReader(in), nil)
			return err
		})
		if err != nil {
			return fmt.Errorf("parse %s: %w", name, err)
		}
		rate := perMegabyte(took, len(in))
		r.Note("hostile %-22s %8d bytes %8.2f ms of CPU a megabyte", name, len(in), rate)
		worst = max(worst, rate)
	}
	r.AtMost("message-parse-hostile-worst-cpu-ms-per-mb", worst, 100)
	return nil
}

// hostile returns messages by their names.
func hostile() map[string]string {
	const mixed = "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
	latin := strings.Repeat("d\xe9j\xe0 vu, ", 12)
	return map[string]string{
		"28-unclosed-multiparts": nest(28),
		"100-unclosed-and-lines": nest(100) + strings.Repeat("--x\n", 1<<18),
		"20000-unclosed":         nest(20000),
		"200000-empty-parts":     mixed + strings.Repeat("--b\r\n\r\n", 200000),
		"half-delimiters":        mixed + strings.Repeat("--c\n", 1<<18),
		"texts-to-guess":         mixed + strings.Repeat("--b\r\n\r\n"+latin+"\r\n", 900),
		"long-text-to-guess":     "\r\n" + strings.Repeat(latin+"\r\n", 10000),
		"no-base64":              "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("!", 1<<20),
		"broken-base64":          "Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUI!", 1<<18),
		"soft-breaks":            "Content-Transfer-Encoding: quoted-printable\r\n\r\n" + strings.Repeat("= \n", 1<<18),
		"fields":                 strings.Repeat("a:\n", 1<<18) + "\n",
		"parameters":             strings.Repeat("Content-Type: a/b"+strings.Repeat(";a*0=b", 300)+"\n", 500) + "\n",
	}
}

// nest returns multiparts inside of each other that do not close.
func nest(depth int) string {
	var b bytes.Buffer
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	return b.String() + "\r\ntext\r\n"
}

// perMegabyte returns milliseconds a megabyte.
func perMegabyte(took time.Duration, size int) float64 {
	return took.Seconds() * 1000 / (float64(size) / (1 << 20))
}
