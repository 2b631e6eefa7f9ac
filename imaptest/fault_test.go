package imaptest_test

import (
	"errors"
	"io"
	"net"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func TestFaults(t *testing.T) {
	stop := func(f mailtest.Fault, s mailtest.Stop, after int) mailtest.Fault {
		f.Stop, f.StopAfter = s, after
		return f
	}
	_, after := offered()
	line := "* CAPABILITY " + after + "\r\n"
	tests := map[string]struct {
		fault    mailtest.Fault
		dialogue string
		then     func(w *world)
	}{
		"silence": {mailtest.Silence("SELECT"), "> a SELECT INBOX", (*world).quiet},
		"silence after some bytes": {
			stop(mailtest.Fault{Command: "SELECT"}, mailtest.StopSilent, len("* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n")),
			"> a SELECT INBOX\n< * FLAGS ...", (*world).quiet,
		},
		"half a line":  {mailtest.Half("CAPABILITY"), "> a CAPABILITY", func(w *world) { w.rest(line[:len(line)/2]) }},
		"drop":         {mailtest.Drop("NOOP", 0), "> a NOOP", (*world).ended},
		"drop later":   {mailtest.Drop("NOOP", 4), "> a NOOP", func(w *world) { w.rest("a OK") }},
		"NO":           {mailtest.Reply("SELECT", "NO [THROTTLED] slow down"), "> a SELECT INBOX\n< a NO [THROTTLED] slow down\n> b NOOP\n< b OK ...", nil},
		"several":      {mailtest.Reply("NOOP", "* 7 EXISTS\r\nOK done"), "> a NOOP\n< * 7 EXISTS\n< a OK done", nil},
		"untagged":     {mailtest.Reply("NOOP", "* NO what"), "> a NOOP\n< * NO what\n> b NOOP\n< b OK ...", nil},
		"BYE":          {mailtest.Bye("NOOP", "* BYE restarting"), "> a NOOP\n< * BYE restarting", (*world).ended},
		"BYE behind":   {stop(mailtest.After("NOOP", ""), mailtest.StopClose, 1000), "> a NOOP\n< a OK NOOP completed", (*world).ended},
		"refuse":       {mailtest.Refuse("NOOP"), "> a NOOP\n< a NO NOOP refused\n> b NOOP\n< b OK ...", nil},
		"ignore":       {mailtest.Fault{Command: "NOOP", Ignore: true}, "> a NOOP\n> b NOOP\n< b OK ...", nil},
		"unknown data": {mailtest.Before("NOOP", "* XYZZY (\"?\" {3}\r\n...)\r\n"), "> a NOOP\n< * XYZZY (\"?\" {3}\n< ...)\n< a OK NOOP completed", nil},
		"data behind":  {mailtest.After("NOOP", "* 9 EXISTS\r\n"), "> a NOOP\n< a OK ...\n< * 9 EXISTS\n> b NOOP\n< b OK ...", nil},
		"idle": {
			mailtest.Silence("IDLE"), "> a IDLE", (*world).quiet,
		},
		"idle without end": {
			mailtest.Silence("DONE"), "> a IDLE\n< + idling\n> DONE", (*world).quiet,
		},
		"idle refused": {
			mailtest.Refuse("DONE"), "> a IDLE\n< + idling\n> DONE\n< a NO IDLE refused", nil,
		},
		"no continuation":      {mailtest.Silence(mailtest.Continue), "> a APPEND INBOX {3}", (*world).quiet},
		"literal refused":      {mailtest.Refuse(mailtest.Continue), "> a APPEND INBOX {3}\n< a NO Literal refused\n> b NOOP\n< b OK ...", nil},
		"literal refused so":   {mailtest.Reply(mailtest.Continue, "NO [OVERQUOTA] full"), "> a APPEND INBOX {3}\n< a NO [OVERQUOTA] full\n> b NOOP\n< b OK ...", nil},
		"sign-in fault passed": {mailtest.Silence("LOGIN"), "> a NOOP\n< a OK ...", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.signIn()
				w.server.Inject(tt.fault)
				w.talk(tt.dialogue)
				if tt.then != nil {
					tt.then(w)
				}
				want := 0
				if tt.fault.Command == "LOGIN" {
					want = 1
				}
				if got := w.server.Pending(); got != want {
					t.Errorf("Pending = %d, want %d", got, want)
				}
			})
		})
	}
}

// rest fails the test unless exactly this comes within an hour.
func (w *world) rest(want string) {
	w.t.Helper()
	if err := w.conn.SetReadDeadline(time.Now().Add(time.Hour)); err != nil {
		w.t.Fatalf("SetReadDeadline: %v", err)
	}
	if got, _ := io.ReadAll(w.r); string(got) != want {
		w.t.Fatalf("read %q, want %q", got, want)
	}
}

func TestSilentAppendIsCarriedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.signIn()
		w.server.Inject(mailtest.Silence("APPEND"))
		w.talk("> a APPEND Sent {1}\n< + Go ahead\n> x")
		w.quiet()
		if got := count(t, w.account, "Sent"); got != 1 {
			t.Errorf("%d messages in Sent, want the one that was not confirmed", got)
		}
		other := w.another()
		other.signIn()
		dropped := mailtest.Drop("APPEND", 0)
		dropped.Ignore = true
		w.server.Inject(dropped)
		other.talk("> a APPEND Sent {1}\n< + Go ahead\n> x")
		other.ended()
		if got := count(t, w.account, "Sent"); got != 1 {
			t.Errorf("%d messages in Sent, want only the first", got)
		}
	})
}

func TestWrongLiteralSize(t *testing.T) {
	for delta, announced := range map[int]string{7: "{33}", -20: "{6}"} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, nil)
			w.open()
			w.server.Inject(mailtest.WrongSize("UID FETCH", delta))
			w.talk("> a UID FETCH 1 BODY.PEEK[TEXT]\n< * 1 FETCH (UID 1 BODY[TEXT] " + announced + "\n< This is sample number 1.\n< )\n< a OK ...")
		})
	}
}

func TestSlowFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.server.Inject(mailtest.Drip("FETCH", 10, time.Second))
		begin := time.Now()
		w.talk("> a FETCH 1 BODY.PEEK[TEXT]\n< * 1 ...\n< This ...\n< )\n< a OK ...")
		answer := len("* 1 FETCH (BODY[TEXT] {26}\r\n") + 26 + len(")\r\n") + len("a OK FETCH completed\r\n")
		if got, least := time.Since(begin), time.Duration(answer/10)*time.Second; got < least {
			t.Errorf("%d bytes took %v, want at least %v", answer, got, least)
		}
	})
}

func TestExpungeInTheMiddleOfAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.server.Inject(mailtest.CallAfter("FETCH", 1, func() {
			if _, err := w.account.Expunge("INBOX", 2); err != nil {
				t.Errorf("Expunge: %v", err)
			}
		}))
		w.talk(`
			> a FETCH 1:3 UID
			< * 1 FETCH (UID 1)
			< * 3 FETCH (UID 3)
			< a OK [EXPUNGEISSUED] Some messages were expunged already
			> b NOOP
			< * 2 EXPUNGE
			< b OK NOOP completed`)
	})
}

func TestValidityChangesInTheMiddleOfAFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.server.Inject(mailtest.CallAfter("FETCH", 1, func() {
			if err := w.account.BumpUIDValidity("INBOX"); err != nil {
				t.Errorf("BumpUIDValidity: %v", err)
			}
		}))
		w.talk("> a FETCH 1:3 UID\n< * 1 FETCH (UID 1)\n< * BYE UIDVALIDITY of the selected mailbox changed")
		w.ended()
	})
}

// A command that names messages by the numbers of a folder that is no more
// touches none of the present one.
func TestValidityChangesAheadOfACommand(t *testing.T) {
	for _, command := range []string{"UID STORE 3 +FLAGS.SILENT (\\Deleted)", "UID COPY 3 Sent", "UID MOVE 3 Sent", "UID EXPUNGE 3", "UID FETCH 3 BODY[]", "UID SEARCH ALL"} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, nil)
			if _, err := w.account.Expunge("INBOX", 1); err != nil {
				t.Fatalf("Expunge: %v", err)
			}
			w.append("INBOX", mailtest.Sample(4), mailtest.Deleted)
			w.open()
			if err := w.account.BumpUIDValidity("INBOX"); err != nil {
				t.Fatalf("BumpUIDValidity: %v", err)
			}
			before, err := w.account.Messages("INBOX")
			if err != nil {
				t.Fatalf("Messages: %v", err)
			}
			w.talk("> a " + command + "\n< * BYE UIDVALIDITY of the selected mailbox changed")
			w.ended()
			if after, err := w.account.Messages("INBOX"); err != nil || !reflect.DeepEqual(after, before) {
				t.Errorf("after %s the folder has %v, %v, want %v", command, after, err, before)
			}
			if n := count(t, w.account, "Sent"); n != 0 {
				t.Errorf("%s put %d messages into Sent", command, n)
			}
		})
	}
}

func TestRefusedSignIn(t *testing.T) {
	token := b64("user=ann@example.com\x01auth=Bearer good\x01\x01")
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.server.Inject(mailtest.Refuse("AUTHENTICATE"), mailtest.Refuse("LOGIN"))
		w.talk(`
			< * OK ...
			> a AUTHENTICATE XOAUTH2 ` + token + `
			< + eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=
			>
			< a NO [AUTHENTICATIONFAILED] Authentication failed
			> a LOGIN ann@example.com pw
			< a NO [AUTHENTICATIONFAILED] Authentication failed
			> a AUTHENTICATE XOAUTH2 ` + token + `
			< a OK ...`)
	})
}

func TestSilenceWithinAuthenticate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.server.Inject(mailtest.Silence("AUTHENTICATE").Containing("XOAUTH2"))
		w.talk("< * OK ...\n> a AUTHENTICATE PLAIN\n< + \n> *\n< a BAD ...\n> a AUTHENTICATE XOAUTH2")
		w.quiet()
	})
}

func TestGreetings(t *testing.T) {
	tests := map[string]struct {
		fault mailtest.Fault
		want  string
		ended bool
	}{
		"bye":     {mailtest.Bye(mailtest.Greeting, "* BYE too busy"), "< * BYE too busy", true},
		"refused": {mailtest.Refuse(mailtest.Greeting), "< * BYE refused", true},
		"preauth": {mailtest.Reply(mailtest.Greeting, "* PREAUTH hello"), "< * PREAUTH hello", false},
		"closed":  {mailtest.Drop(mailtest.Greeting, 0), "", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				synctest.Wait() // the first connection has had its greeting
				w.server.Inject(tt.fault)
				w = w.another()
				if tt.want != "" {
					w.talk(tt.want)
				}
				if tt.ended {
					w.ended()
				}
			})
		})
	}
}

func TestSilentGreetingAndHandshake(t *testing.T) {
	for _, occasion := range []string{mailtest.Greeting, mailtest.Handshake} {
		synctest.Test(t, func(t *testing.T) {
			w := start(t, &imaptest.Options{Security: mailtest.STARTTLS})
			synctest.Wait() // the first connection has had its greeting
			w.server.Inject(mailtest.Silence(occasion))
			w = w.another()
			if occasion == mailtest.Handshake {
				w.talk("< * OK ...\n> a STARTTLS\n< a OK ...")
			}
			w.quiet()
		})
	}
}

func TestSilenceDuringIdleUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		fault := mailtest.Silence("IDLE")
		fault.StopAfter = len("+ idling\r\n* 4 EXISTS\r\n")
		w.server.Inject(fault)
		w.talk("> a IDLE\n< + idling")
		w.append("INBOX", "x")
		w.talk("< * 4 EXISTS")
		w.quiet()
		w.send("DONE\r\n")
		w.quiet()
		_ = w.conn.Close()
		synctest.Wait()
		if _, open := w.server.Connections(); open != 0 {
			t.Errorf("%d connections open after the client left", open)
		}
	})
}

func TestDropDuringIdle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.server.Inject(mailtest.Drop("IDLE", len("+ idling\r\n* 4 EX")))
		w.talk("> a IDLE\n< + idling")
		w.append("INBOX", "x")
		w.rest("* 4 EX")
	})
}

func TestDisconnectAndClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.open()
		w.talk("> a IDLE\n< + idling")
		w.server.Disconnect()
		w.ended()
		w.dial()
		w.open()
		if made, open := w.server.Connections(); made != 2 || open != 1 {
			t.Errorf("Connections = %d, %d, want 2, 1", made, open)
		}
		w.server.Inject(mailtest.Silence("NOOP").Repeating(-1))
		w.server.Heal()
		w.talk("> a NOOP\n< a OK ...")
		w.talk("> a IDLE\n< + idling")
		if err := w.server.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		w.ended()
		if _, err := w.server.Dial(t.Context(), "", ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("Dial after Close: %v, want %v", err, syscall.ECONNREFUSED)
		}
	})
}

func TestOverTCP(t *testing.T) {
	w := &world{t: t, box: mailtest.New()}
	w.server = imaptest.New(w.box, &imaptest.Options{Security: mailtest.TLS})
	defer func() { _ = w.server.Close() }()
	if err := w.server.Listen(); err != nil {
		t.Fatalf("Listen: %v", err)
	}
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", w.server.Addr())
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	defer func() { _ = conn.Close() }()
	w.conn = conn
	w.secure()
	w.talk("< * OK ...\n> a LOGOUT\n< * BYE ...\n< a OK ...")
	if !strings.HasPrefix(w.server.Addr(), "127.0.0.1:") {
		t.Errorf("Addr = %q", w.server.Addr())
	}
}

// The token expires in the middle of a session: the server takes its leave, and
// from then on wants another one.
func TestExpiredToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signIn := func(token, answer string) string {
			return "< * OK ...\n> a AUTHENTICATE XOAUTH2 " + b64("user=ann@example.com\x01auth=Bearer "+token+"\x01\x01") + "\n< " + answer + "\n"
		}
		w := start(t, &imaptest.Options{NoTokenChallenge: true})
		w.account.AcceptTokens(mailtest.Tokens(secret.New("good"), secret.New("fresh")))
		w.talk(signIn("good", "a OK ..."))
		w.server.Inject(mailtest.Expire("NOOP"), mailtest.Expire("AUTHENTICATE").Skipping(1), mailtest.Expire("LOGOUT"))
		w.talk("> b NOOP\n< * BYE Session invalidated - AccessTokenExpired")
		w.ended()
		w = w.another()
		w.talk(signIn("good", "a NO [AUTHENTICATIONFAILED] ..."))
		w = w.another()
		w.talk(signIn("fresh", "a NO [AUTHENTICATIONFAILED] ..."))
		w = w.another()
		w.talk(signIn("fresh", "a NO [AUTHENTICATIONFAILED] ...") + "> b LOGIN ann@example.com pw\n< b OK ...\n> c LOGOUT\n< * BYE Session ...")
		w = w.another()
		w.talk("< * OK ...\n> b LOGIN ann@example.com pw\n< b OK ...")
	})
}
