package imapx_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/racing"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// TestConformance: the client keeps the rules of a way in, on servers that
// have more and less to offer. Under the race detector the forms are those between
// which all of the client's code is used.
func TestConformance(t *testing.T) {
	for name, options := range map[string]*imaptest.Options{
		"everything":              nil,
		"without MOVE":            {Capabilities: imaptest.Without("MOVE")},
		"without MOVE or UIDPLUS": {Capabilities: imaptest.Without("MOVE", "UIDPLUS")},
		"without UIDPLUS":         {Capabilities: imaptest.Without("UIDPLUS")},
		"without PREVIEW":         {Capabilities: imaptest.Without("PREVIEW")},
		"searches ASCII alone":    {NoCharset: true},
		"Gmail":                   {Capabilities: imaptest.GmailCapabilities()},
		"without CONDSTORE":       {Capabilities: imaptest.Without("CONDSTORE", "QRESYNC")},
		"without LITERAL+":        {Capabilities: imaptest.Without("LITERAL+"), MaxMessage: 1 << 20},
		"bare IMAP4rev1":          {Capabilities: []string{"AUTH=PLAIN"}, QuietCapabilities: true},
	} {
		if racing.Enabled && !slices.Contains([]string{"everything", "without MOVE", "Gmail", "bare IMAP4rev1"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
				tb.Helper()
				return conforming(tb, options)
			}, &sessiontest.Options{Brief: name != "everything" && name != "bare IMAP4rev1"})
		})
	}
}

// conforming returns the client and a fake server for the suite.
func conforming(tb testing.TB, o *imaptest.Options) *sessiontest.Incoming {
	tb.Helper()
	box := mailtest.New()
	account := box.Add(ann, password())
	tooLarge := int64(0)
	if o != nil {
		tooLarge = int64(o.MaxMessage)
		if slices.Contains(o.Capabilities, "X-GM-EXT-1") {
			account.UseLabels()
		}
	}
	server := imaptest.New(box, o)
	tb.Cleanup(func() { _ = server.Close() })
	log := testlog.New(tb)
	return &sessiontest.Incoming{
		Credentials: session.Credentials{User: ann, Password: password()},
		Mailbox:     sessiontest.Account(account),
		Dial:        server.Dial,
		NoNUL:       true,
		Polls:       o != nil && o.Capabilities != nil && !slices.Contains(o.Capabilities, "IDLE"),
		TooLarge:    tooLarge,
		Backend: func(dial sessiontest.Dial) session.IncomingBackend {
			s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
			return imapx.Backend(s, &imapx.Options{PageSize: 10, Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
		},
		Spoil: func(n int) (string, string) {
			return fmt.Sprintf("(UID %d FLAGS (", n), fmt.Sprintf("(UID %d FLAGS !", n)
		},
	}
}
