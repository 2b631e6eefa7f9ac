package pop3x_test

import (
	"fmt"
	"testing"

	"github.com/mailsession/mailsession/internal/racing"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// TestConformance: the client keeps the rules of a way in, on servers that
// have more and less to offer.
func TestConformance(t *testing.T) {
	for name, options := range map[string]*pop3test.Options{
		"everything":         nil,
		"without PIPELINING": {Capabilities: pop3test.Without("PIPELINING")},
		"without TOP":        {Capabilities: pop3test.Without("TOP")},
		"without CAPA":       {NoCAPA: true, Capabilities: pop3test.Without("PIPELINING")},
		"several sessions":   {Shared: true},
	} {
		if racing.Enabled && name != "everything" && name != "without CAPA" {
			continue // all code is used between these two
		}
		t.Run(name, func(t *testing.T) {
			sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
				tb.Helper()
				return conforming(tb, options)
			}, &sessiontest.Options{Brief: options != nil})
		})
	}
}

// conforming returns the client and a fake server for the suite.
func conforming(tb testing.TB, o *pop3test.Options) *sessiontest.Incoming {
	tb.Helper()
	box := mailtest.New()
	account := box.Add(ann, password())
	server := pop3test.New(box, o)
	tb.Cleanup(func() { _ = server.Close() })
	log := testlog.New(tb)
	return &sessiontest.Incoming{
		Credentials: session.Credentials{User: ann, Password: password()},
		Mailbox:     sessiontest.Account(account),
		Dial:        server.Dial,
		NoArrival:   true, FinalBreak: true, NoValidity: true, Polls: true,
		Backend: func(dial sessiontest.Dial) session.IncomingBackend {
			s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
			return pop3x.Backend(s, &pop3x.Options{PageSize: 10, Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
		},
		Spoil: func(n int) (string, string) {
			return fmt.Sprintf("\r\n%d %d\r\n", n, size(n)), fmt.Sprintf("\r\n%d %s\r\n", n, "odd")
		},
	}
}

// size returns what a sample has, with the field that the suite puts ahead.
func size(n int) int {
	return len(mailtest.Sample(n)) + len("Received: by sessiontest; Fri, 01 Mar 2024 09:00:00 +0000\r\n")
}
