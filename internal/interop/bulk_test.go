//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// many is more than a server takes for a mistake: Postfix counts RSET as one
// where no mail comes between.
const many = 300

// TestManyMessagesOnPostfix: messages that are on their way together arrive once
// each, over TLS, whatever of its extensions the server offers.
func TestManyMessagesOnPostfix(t *testing.T) {
	t.Parallel()
	for name, discard := range map[string][]string{
		"a window":            nil,
		"PIPELINING alone":    {"chunking"},
		"one after the other": {"pipelining", "chunking"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			servers := startServers(t, &interop.Options{WithoutEHLO: discard})
			user := servers.Users[0]
			host, port := hostPort(t, servers.Submission)
			server := session.Server{Host: host, Port: port, Security: session.STARTTLS, TLS: servers.ClientTLS()}
			log := testlog.New(t)
			c, err := smtpx.New(server, session.Credentials{User: user.Address, Password: secret.New(user.Password.Reveal())},
				&smtpx.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			sendMany(t, c, user.Address, servers.Users[1].Address)
			inboxes := &inboxes{tb: t, servers: servers, of: map[string]*inbox{}}
			all, err := inboxes.arrived(t.Context(), servers.Users[1].Address)
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]int{}
			for _, raw := range all {
				if _, rest, ok := strings.Cut(raw, "Message-ID: <many-"); ok {
					id, _, _ := strings.Cut(rest, "@")
					got[id]++
				}
			}
			for i := range many {
				want := 1
				if i%50 == 7 {
					want = 0
				}
				if n := got[strconv.Itoa(i)]; n != want {
					t.Errorf("message %d arrived %d times, want %d", i, n, want)
				}
			}
		})
	}
}

// sendMany sends many messages, some of them to nobody.
func sendMany(t *testing.T, c *smtpx.Client, from, to string) {
	t.Helper()
	input := func(yield func(session.Mail) bool) {
		for i := range many {
			e := session.Envelope{From: from, To: []string{to}}
			if i%50 == 7 {
				e.To = []string{"nobody@example.test"}
			}
			body := strings.Repeat(strings.Repeat("z", 70)+"\r\n", i*3) + ".\r\n..\r\n"
			raw := fmt.Sprintf("Message-ID: <many-%d@example.test>\r\nFrom: %s\r\nSubject: many\r\nDate: %s\r\n\r\n%s",
				i, from, time.Now().Format(time.RFC1123Z), body)
			if !yield(session.Mail{Key: strconv.Itoa(i), Envelope: e, Message: message.Bytes([]byte(raw))}) {
				return
			}
		}
	}
	n := 0
	for r, err := range c.SendAll(t.Context(), input, nil) {
		_, own := errors.AsType[*session.SendError](err)
		if err != nil && !own {
			t.Fatal(err)
		}
		n++
		want := session.Accepted
		if strings.HasSuffix(r.Key, "7") && r.Receipt.Outcome == session.NotSent {
			want = session.NotSent
		}
		if r.Receipt.Outcome != want {
			t.Errorf("message %s: %v, %v", r.Key, r.Receipt.Outcome, err)
		}
	}
	if n != many {
		t.Errorf("%d results, want %d", n, many)
	}
}
