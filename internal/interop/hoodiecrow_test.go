//go:build interop

package interop_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// startHoodiecrow starts so many mailboxes with Gmail's extensions.
func startHoodiecrow(t *testing.T, mailboxes int) *interop.Hoodiecrow {
	t.Helper()
	h, err := interop.StartHoodiecrow(t.Context(), mailboxes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.Logs())
		}
		if err := h.Stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// hoodiecrowBreaks are the rules that hoodiecrow-imap 2.1.0 breaks by itself.
func hoodiecrowBreaks() map[string]string {
	const (
		quotes = `it does not undo the \" of a quoted string, so that such a name is another`
		since  = "its UID FETCH tells of all messages, whatever CHANGEDSINCE says (RFC 7162 section 3.1.4.1)"
		search = "its SEARCH compares the bytes of messages, so that encoded words and base64 are not found, and refuses parentheses with BAD (RFC 9051 section 6.4.4)"
	)
	return map[string]string{
		"each part of a filter finds what it says":                         search,
		"parts of a filter hold together, in all, any and not":             search,
		"what is compared here is what the server finds":                   search,
		"the bytes of a message are exact":                                 "it answers BAD to the APPEND of some bytes, which the test needs to begin with",
		"a folder's name may have letters of any script":                   quotes,
		"a folder is made under any name, and removed with its messages":   quotes,
		"a renamed folder keeps its messages, and ids of before name none": "it answers BAD in the place of NO to SELECT of a folder that is gone",
		"folders that are there or not are told, and the inbox stays":      "its RENAME to a name that is taken removes the folder",
		"a part that is not there is ErrNoPart":                            "it gives another part in the place of one that is not there",
		"the structure tells the parts, which can be opened":               "its BODY of a part that is a message lacks the header of that (RFC 9051 section 6.4.5.1)",
		"a preview is the beginning of the text":                           "its partial FETCH of several messages is empty for those behind one that is shorter than what was asked for",
		"a change that depends on a version is not made after another's":   "its UID STORE leaves the MODSEQ as it was (RFC 7162 section 3.1.3)",
		"changes are what it comes to: added, changed and removed":         since,
		"a watch tells what comes, changes and goes":                       since,
		"a line cut anywhere in a watch loses and doubles nothing":         since,
		"labels are found": "it has no X-GM-LABELS in SEARCH",
		"the server's own language finds what it says":            "it has no X-GM-RAW",
		"a message has one name of the server's wherever it goes": "its MOVE makes another message, with another X-GM-MSGID",
	}
}

// TestConformanceOnHoodiecrow: imapx keeps the rules of a way in on a server with
// Gmail's extensions that nobody here wrote.
func TestConformanceOnHoodiecrow(t *testing.T) {
	t.Parallel()
	servers := startHoodiecrow(t, 2*beds)
	next := 0
	sessiontest.TestIncoming(t, func(tb testing.TB) *sessiontest.Incoming {
		tb.Helper()
		address := servers.Addresses[next]
		next++
		return conformingAt(tb, address, servers.User)
	}, &sessiontest.Options{RealTime: true, Except: hoodiecrowBreaks()})
}

// conformingAt is the suite's view of one user's mailbox at an IMAP server.
func conformingAt(tb testing.TB, address string, user interop.User) *sessiontest.Incoming {
	tb.Helper()
	raw := dialIMAP(tb, address)
	if result := raw.login(user); !strings.HasPrefix(result, "OK") {
		tb.Fatalf("LOGIN: %s", result)
	}
	host, port := hostPort(tb, address)
	log := testlog.New(tb)
	return &sessiontest.Incoming{
		Credentials: session.Credentials{User: user.Address, Password: user.Password},
		Mailbox:     mailbox{raw},
		NoNUL:       true,
		Backend: func(dial sessiontest.Dial) session.IncomingBackend {
			server := session.Server{Host: host, Port: port, Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
			return imapx.Backend(server, &imapx.Options{PageSize: 10, Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
		},
		Spoil: func(n int) (string, string) {
			return fmt.Sprintf("(UID %d FLAGS (", n), fmt.Sprintf("(UID %d FLAGS !", n)
		},
	}
}
