package ews_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/racing"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

const ann = "ann@example.com"

func password() secret.Text { return secret.New("correct horse") }

// exceptions are rules that Exchange itself breaks.
func exceptions(version ewstest.Version) map[string]string {
	except := map[string]string{
		"flags are set and cleared, and others stay":                       `Exchange fixes \Draft when a message is made; TestFlags has the others`,
		"folders are subscribed to":                                        "Exchange knows no subscriptions",
		"a renamed folder keeps its messages, and ids of before name none": "Exchange keeps the ids of messages when their folder gets another name",
	}
	if version == ewstest.Exchange2007SP1 {
		except["notices go on after a lost line, and begin anew"] = "a server that is asked now and then has no line to lose, and keeps what happened; TestPull has that"
	}
	return except
}

// releases are those that the suites are run on. Under the race detector the oldest and
// the newest are enough, between which all of the client's code is used.
func releases() []ewstest.Version {
	if racing.Enabled {
		return []ewstest.Version{ewstest.Exchange2007SP1, ewstest.Exchange2016}
	}
	return ewstest.Versions()
}

// TestConformance: the client keeps the rules of a way in, on every release.
func TestConformance(t *testing.T) {
	for _, version := range releases() {
		t.Run(string(version), func(t *testing.T) {
			sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
				tb.Helper()
				return conforming(tb, &ewstest.Options{Version: version, Strict: true})
			}, &sessiontest.Options{Except: exceptions(version), Brief: version != ewstest.Exchange2016})
		})
	}
}

// conforming returns the client and a fake server for the suite.
func conforming(tb testing.TB, o *ewstest.Options) *sessiontest.Incoming {
	tb.Helper()
	box := mailtest.New()
	account := box.Add(ann, password())
	server := ewstest.New(box, o)
	tb.Cleanup(func() {
		_ = server.Close()
		keepRequests(tb, server)
	})
	log := testlog.New(tb)
	return &sessiontest.Incoming{
		Credentials: session.Credentials{User: ann, Password: password()},
		Mailbox:     exchange{sessiontest.Account(account)},
		Dial:        server.Dial,
		NoValidity:  true,
		NoNUL:       true,
		Base64:      true,
		Backend: func(dial sessiontest.Dial) session.IncomingBackend {
			s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
			return ews.Backend(s, &ews.Options{PageSize: 10, Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
		},
		Spoil: func(n int) (string, string) {
			return fmt.Sprintf("<t:DateTimeReceived>2024-03-%02dT%02d", 1+(9+n)/24, (9+n)%24), fmt.Sprintf("<t:DateTimeReceived>2024-03-%02dX%02d", 1+(9+n)/24, (9+n)%24)
		},
		SpoilContent: func(n int) (string, string) {
			raw := mailtest.Sample(n)
			number := strings.Index(raw, "Sample ") + len("Sample ")
			digits := base64.StdEncoding.EncodeToString([]byte(raw))[number/3*4:][:8]
			return digits, digits[:7] + "!"
		},
	}
}

// exchange is a mailbox as the suite wants it: with the outbox that every Exchange
// mailbox has. Exchange never voids the ids of messages; where the suite wants that,
// the messages go.
type exchange struct {
	sessiontest.Mailbox
}

func (e exchange) Renumber(folder string) error {
	all, err := e.Mailbox.Messages(folder)
	if err != nil {
		return err
	}
	for range all {
		if err := e.Remove(folder, 1); err != nil {
			return err
		}
	}
	return nil
}

func (e exchange) Messages(folder string) ([]sessiontest.Stored, error) {
	if folder == "Outbox" {
		return nil, nil
	}
	return e.Mailbox.Messages(folder)
}
