package imaptest_test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
)

// FuzzParseTranscript writes what it read and reads it again.
func FuzzParseTranscript(f *testing.F) {
	f.Add(recorded)
	f.Add("C: a\nS: + \nC: x {3+}\nC: abc\nS: a OK\n")
	f.Fuzz(func(t *testing.T, text string) {
		exchanges, err := imaptest.ParseTranscript(strings.NewReader(text))
		if err != nil {
			return
		}
		if len(exchanges) == 0 || exchanges[0].Client != "" {
			t.Fatalf("the first exchange of %q is %v, want the greeting", text, exchanges)
		}
		client, server := 0, 0
		for line := range strings.Lines(text) {
			switch {
			case strings.HasPrefix(line, "C:"):
				client++
			case strings.HasPrefix(line, "S:"):
				server++
			}
		}
		lines := 0
		for _, e := range exchanges {
			lines += strings.Count(e.Server, "\n")
		}
		if len(exchanges)-1 != client || lines != server {
			t.Errorf("%d lines of the client and %d of the server from %d and %d", len(exchanges)-1, lines, client, server)
		}
	})
}
