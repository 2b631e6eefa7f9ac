package smtpx_test

import (
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// TestConformance: the client keeps the rules of a way out, on servers that
// have more and less to offer.
func TestConformance(t *testing.T) {
	for name, extensions := range map[string][]string{
		"everything":         nil,
		"without PIPELINING": smtptest.Without("PIPELINING"),
		"without CHUNKING":   smtptest.Without("CHUNKING"),
		"without SIZE":       smtptest.Without("SIZE"),
	} {
		t.Run(name, func(t *testing.T) {
			sessiontest.TestOutgoing(t, func(tb testing.TB) *sessiontest.Outgoing {
				tb.Helper()
				return conforming(tb, extensions)
			}, nil)
		})
	}
}

// conforming returns the client and a fake server for the suite.
func conforming(tb testing.TB, extensions []string) *sessiontest.Outgoing {
	tb.Helper()
	box := mailtest.New()
	for _, address := range []string{ann, bob, carol} {
		box.Add(address, secret.New(password))
	}
	server := smtptest.New(box, &smtptest.Options{Extensions: extensions, MaxMessage: 1 << 20})
	tb.Cleanup(func() { _ = server.Close() })
	log := testlog.New(tb)
	return &sessiontest.Outgoing{
		Credentials: session.Credentials{User: ann, Password: secret.New(password)},
		Dial:        server.Dial,
		Backend: func(dial sessiontest.Dial) session.OutgoingBackend {
			s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
			return smtpx.Backend(s, &smtpx.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
		},
		From:     ann,
		To:       []string{ann, bob, carol},
		Refused:  "nobody@example.com",
		TooLarge: 2 << 20,
		Arrived:  sessiontest.Inboxes(box),
	}
}
