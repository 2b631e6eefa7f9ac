package ews_test

import (
	"context"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// TestSendingConformance: the client keeps the rules of a way out, but for those that
// need SMTP's envelope.
func TestSendingConformance(t *testing.T) {
	for _, version := range releases() {
		t.Run(string(version), func(t *testing.T) {
			sessiontest.TestOutgoing(t, func(tb testing.TB) *sessiontest.Outgoing {
				tb.Helper()
				return sending(tb, &ewstest.Options{Version: version, Strict: true, MaxMessage: 1 << 20})
			}, &sessiontest.Options{Except: map[string]string{
				"a refused recipient does not keep the others from it":      "Exchange learns whom nobody knows when the message is under way, and bounces",
				"a message that all recipients are refused is NotSent":      "the same",
				"what is wrong with one of many messages concerns no other": "the same, of two messages",
				"the null sender is a sender":                               "Exchange sends in the name of a mailbox; TestWhatEWSCannotSay",
			}})
		})
	}
}

// sending returns the client and a fake server for the suite.
func sending(tb testing.TB, o *ewstest.Options) *sessiontest.Outgoing {
	tb.Helper()
	box := mailtest.New()
	for _, address := range []string{ann, bob, carol} {
		box.Add(address, password())
	}
	server := ewstest.New(box, o)
	tb.Cleanup(func() {
		_ = server.Close()
		keepRequests(tb, server)
	})
	log := testlog.New(tb)
	return &sessiontest.Outgoing{
		Credentials: session.Credentials{User: ann, Password: password()},
		Dial:        server.Dial,
		Backend: func(dial sessiontest.Dial) session.OutgoingBackend {
			s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
			return ews.Outgoing(s, &ews.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
		},
		From:     ann,
		To:       []string{ann, bob, carol},
		Refused:  "nobody@example.com",
		TooLarge: 2 << 20,
		Arrived: func(ctx context.Context, address string) ([]string, error) {
			all, err := sessiontest.Inboxes(box)(ctx, address)
			for i, raw := range all {
				all[i] = strings.TrimSuffix(raw, "\r\n") + "\r\n" // which a server on the way adds
			}
			return all, err
		},
	}
}
