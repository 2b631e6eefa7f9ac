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

// A breach is something that hoodiecrow-imap 2.1.0 does against the protocol, and
// the dialogue that shows it: what is sent, behind ">", what its answer has to hold,
// behind "<", and what it must not hold, behind "!". Messages are what is in the
// inbox before.
type breach struct {
	does     string
	messages []string
	shown    string
	rules    []string // that are broken by it, whatever the client does
}

func breaches() []breach {
	return []breach{
		{
			does: "its SEARCH compares the bytes of messages, so that encoded words and base64 are not found (RFC 9051 section 6.4.4)",
			messages: []string{
				"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nx\r\n",
				"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\nbWVyY3VyeQ==\r\n", // mercury
			},
			shown: `
				> UID SEARCH CHARSET UTF-8 SUBJECT {7+}` + "\nGrüße" + `
				! * SEARCH
				< OK
				> UID SEARCH SUBJECT "utf-8"
				< * SEARCH 1
				> UID SEARCH BODY mercury
				! * SEARCH
				< OK
				> UID SEARCH BODY bWVyY3VyeQ
				< * SEARCH 2`,
			rules: []string{"each part of a filter finds what it says", "what is compared here is what the server finds"},
		},
		{
			does:     "its SEARCH refuses parentheses with BAD (RFC 9051 section 6.4.4)",
			messages: []string{"Subject: a\r\n\r\nx\r\n"},
			shown: `
				> UID SEARCH OR (SUBJECT a UNSEEN) SUBJECT b
				< BAD`,
			rules: []string{"parts of a filter hold together, in all, any and not"},
		},
		{
			does: "it answers BAD to the APPEND of a NUL, of which the test needs what becomes of it (RFC 9051 section 4.3 lets it)",
			shown: `
				> APPEND INBOX {5+}` + "\nab\x00cd" + `
				< BAD
				> APPEND INBOX {5+}` + "\na\x01\x7f\x80\xff" + `
				< OK`,
			rules: []string{"the bytes of a message are exact"},
		},
		{
			does: `it keeps the \ of a \" in a quoted string, and loses the ", so that such a name is another (RFC 9051 section 4.3)`,
			shown: `
				> CREATE "a \"b\""
				< OK
				> LIST "" "a *"
				! "a \"b\""
				< OK`,
			rules: []string{"a folder's name may have letters of any script", "a folder is made under any name, and removed with its messages"},
		},
		{
			does: "it answers BAD, not NO, to SELECT of a folder that is not there (RFC 9051 section 6.3.2)",
			shown: `
				> SELECT Nowhere
				< BAD`,
			rules: []string{"a renamed folder keeps its messages, and ids of before name none", "a folder that is gone ends a watch of its own alone"},
		},
		{
			does: "its RENAME to a name that is taken removes the folder (RFC 9051 section 6.3.6)",
			shown: `
				> CREATE One
				< OK
				> RENAME One Archive
				< NO
				> LIST "" One
				! * LIST`,
			rules: []string{"folders that are there or not are told, and the inbox stays"},
		},
		{
			does:     "it gives another part in the place of one that is not there",
			messages: []string{"Subject: a\r\n\r\nwhole\r\n"},
			shown: `
				> UID FETCH 1 (BODY.PEEK[4])
				< whole`,
			rules: []string{"a part that is not there is ErrNoPart"},
		},
		{
			does: "its BODY of a part that is a message lacks the header of that (RFC 9051 section 6.4.5.1)",
			messages: []string{
				"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\nwithin\r\n--b--\r\n",
			},
			shown: `
				> UID FETCH 1 (BODY.PEEK[1])
				< within
				! Subject: inner`,
			rules: []string{"the structure tells the parts, which can be opened"},
		},
		{
			does:     "its partial FETCH of several messages is empty for those behind one that is shorter than what was asked for (RFC 9051 section 6.4.5)",
			messages: []string{"Subject: a\r\n\r\nshort", "Subject: b\r\n\r\nlonger than that"},
			shown: `
				> UID FETCH 1:2 (BODY.PEEK[TEXT]<0.10>)
				< short
				! longer
				> UID FETCH 2 (BODY.PEEK[TEXT]<0.10>)
				< longer`,
			rules: []string{"a preview is the beginning of the text"},
		},
		{
			does:     "its UID STORE passes over what was changed since, and answers OK without MODIFIED (RFC 7162 section 3.1.3)",
			messages: []string{"Subject: a\r\n\r\nx\r\n"},
			shown: `
				> UID STORE 1 +FLAGS.SILENT (\Seen)
				< OK
				> UID STORE 1 (UNCHANGEDSINCE 1) +FLAGS.SILENT (\Flagged)
				< OK
				! MODIFIED
				> UID FETCH 1 (FLAGS)
				! \Flagged`,
			rules: []string{"a change that depends on a version is not made after another's"},
		},
		{
			does: "it has no X-GM-LABELS in SEARCH",
			shown: `
				> UID SEARCH X-GM-LABELS Work
				< NO`,
			rules: []string{"labels are found"},
		},
		{
			does: "it has no X-GM-RAW",
			shown: `
				> UID SEARCH X-GM-RAW zebra
				< NO`,
			rules: []string{"the server's own language finds what it says"},
		},
		{
			does:     "its MOVE makes another message, with another X-GM-MSGID",
			messages: []string{"Subject: a\r\n\r\nx\r\n"},
			shown: `
				> UID FETCH 1 (X-GM-MSGID)
				< X-GM-MSGID 1278455344230334866
				> UID MOVE 1 Archive
				< OK
				> SELECT Archive
				< 1 EXISTS
				> UID FETCH 1 (X-GM-MSGID)
				< X-GM-MSGID
				! 1278455344230334866`,
			rules: []string{"a message has one name of the server's wherever it goes"},
		},
		{
			does:     "it tells nobody of flags that another connection changes, neither in IDLE nor behind NOOP, so that they show at the next renewal",
			messages: []string{"Subject: a\r\n\r\nx\r\n"},
			shown: `
				2 SELECT INBOX
				> UID STORE 1 +FLAGS (\Flagged)
				< OK
				2 NOOP
				! \Flagged`,
			rules: []string{"a watch tells what comes, changes and goes"},
		},
	}
}

// hoodiecrowBreaks are the rules that it breaks by itself.
func hoodiecrowBreaks() map[string]string {
	rules := map[string]string{}
	for _, b := range breaches() {
		for _, rule := range b.rules {
			rules[rule] = b.does
		}
	}
	return rules
}

// TestWhatHoodiecrowBreaks: each reason for an exception from a rule is what the
// server does.
func TestWhatHoodiecrowBreaks(t *testing.T) {
	t.Parallel()
	servers := startHoodiecrow(t, len(breaches()))
	for i, b := range breaches() {
		t.Run(b.does, func(t *testing.T) {
			t.Parallel()
			lines := map[string]*rawIMAP{">": nil, "2": nil}
			for name := range lines {
				lines[name] = dialIMAP(t, servers.Addresses[i])
				if result := lines[name].login(servers.User); !strings.HasPrefix(result, "OK") {
					t.Fatalf("LOGIN: %s", result)
				}
			}
			for _, raw := range b.messages {
				lines[">"].ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(raw), raw))
			}
			lines[">"].ok("SELECT INBOX")
			play(t, lines, b.shown)
		})
	}
}

// play goes through a dialogue.
func play(t *testing.T, lines map[string]*rawIMAP, dialogue string) {
	t.Helper()
	var said []string
	var answer string
	dialogue = strings.ReplaceAll(dialogue, "+}\n", "+}\r") // a literal goes with its command
	for line := range strings.Lines(dialogue) {
		mark, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch mark {
		case "":
		case ">", "2":
			untagged, result := lines[mark].command(strings.ReplaceAll(rest, "+}\r", "+}\r\n"))
			answer = strings.Join(append(untagged, result), "\n")
			said = append(said, line, answer)
		case "<", "!":
			if strings.Contains(answer, rest) != (mark == "<") {
				t.Errorf("%s %s: the answer is another; fewer exceptions may do. The dialogue:\n%s", mark, rest, strings.Join(said, "\n"))
			}
		default:
			t.Fatalf("%q is no line of a dialogue", line)
		}
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
