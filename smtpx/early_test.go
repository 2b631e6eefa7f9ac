package smtpx_test

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/session"
)

// A server that has seen enough of a message says so and leaves. What it said is
// why the message is not sent, and not that the line is lost.
func TestRefusedInTheMessage(t *testing.T) {
	for _, last := range []string{"552 5.3.4 message too big", "421 4.3.0 going down"} {
		synctest.Test(t, func(t *testing.T) {
			c := newClient(t, script(t, func(c net.Conn) {
				r := bufio.NewReader(c)
				for answer := "220 early"; ; {
					if _, err := io.WriteString(c, answer+"\r\n"); err != nil {
						return
					}
					line, err := r.ReadString('\n')
					switch {
					case err != nil:
						return
					case line == "DATA\r\n":
						_, _ = io.WriteString(c, "354 go\r\n")
						_, _ = io.CopyN(io.Discard, r, 10_000)
						_, _ = io.WriteString(c, last+"\r\n")
						return
					}
					answer = "250 ok"
				}
			}), session.Credentials{}, nil)
			rec, err := c.Send(t.Context(), toBob(), source(strings.Repeat("much more than that\r\n", 100_000)))
			checkOutcome(t, rec, err, session.NotSent)
			if !strings.Contains(err.Error(), last[:3]) {
				t.Errorf("Send = %v, want what the server said", err)
			}
		})
	}
}
