package pop3test_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
)

func TestFaults(t *testing.T) {
	silent := (*world).silent
	ended := (*world).ended
	tests := map[string]struct {
		fault    mailtest.Fault
		dialogue string
		then     func(w *world)
	}{
		"silence":              {mailtest.Silence("STAT"), "> STAT", silent},
		"half a line":          {mailtest.Half("STAT"), "> STAT", rest("+OK 3", silent)},
		"drop":                 {mailtest.Drop("STAT", 0), "> STAT", ended},
		"drop within a line":   {mailtest.Drop("STAT", 4), "> STAT", rest("+OK ", ended)},
		"drop between rows":    {mailtest.DropAfterLine("LIST", 2), "> LIST\n< +OK ...\n< 1 254", ended},
		"drop within a body":   {mailtest.Drop("RETR", 30), "> RETR 1\n< +OK 254 octets", rest("From: Bob Exam", ended)},
		"silence in a body":    {mailtest.Fault{Command: "RETR", Stop: mailtest.StopSilent, StopAfter: 30}, "> RETR 1\n< +OK 254 octets", rest("From: Bob Exam", silent)},
		"an error":             {mailtest.Reply("STAT", "-ERR [SYS/TEMP] later"), "> STAT\n< -ERR [SYS/TEMP] later\n> STAT\n< +OK 3 762", nil},
		"an error and the end": {mailtest.Bye("STAT", "-ERR [SYS/PERM] closed"), "> STAT\n< -ERR [SYS/PERM] closed", ended},
		"refused":              {mailtest.Refuse("DELE"), "> DELE 1\n< -ERR DELE refused\n> DELE 1\n< +OK ...", nil},
		"refused, one message": {mailtest.Refuse("DELE").Containing("DELE 2"), "> DELE 1\n< +OK ...\n> DELE 2\n< -ERR DELE refused\n> STAT\n< +OK 2 508", nil},
		"no answer":            {mailtest.Fault{Command: "NOOP", Ignore: true}, "> NOOP\n> STAT\n< +OK 3 762", nil},
		"a blank row":          {mailtest.ReplaceLine("UIDL", 3, ""), "> UIDL\n< +OK ...\n< 1 ...\n<\n< 3 ...\n< .", nil},
		"a malformed row":      {mailtest.ReplaceLine("UIDL", 3, "two x"), "> UIDL\n< +OK ...\n< 1 ...\n< two x\n< 3 ...\n< .", nil},
		"a missing row":        {mailtest.WithoutLine("LIST", 3), "> LIST\n< +OK ...\n< 1 254\n< 3 254\n< .", nil},
		"a row twice":          {mailtest.RepeatLine("LIST", 3), "> LIST\n< +OK ...\n< 1 254\n< 2 254\n< 2 254\n< 3 254\n< .", nil},
		"no final dot":         {pop3test.NoFinalDot("LIST"), "> LIST\n< +OK ...\n< 1 254\n< 2 254\n< 3 254", silent},
		"no final dot, and on": {pop3test.NoFinalDot("LIST"), "> LIST\n> NOOP\n< +OK ...\n< 1 254\n< 2 254\n< 3 254\n< +OK", nil},
		"a wrong total":        {mailtest.WrongSize("STAT", 10), "> STAT\n< +OK 3 772", nil},
		"wrong sizes":          {mailtest.WrongSize("LIST", -4), "> LIST\n< +OK ...\n< 1 250\n< 2 250\n< 3 250\n< .", nil},
		"a wrong size":         {mailtest.WrongSize("RETR", 100), "> RETR 2\n< +OK 354 octets\n< From: ...", nil},
		"data ahead":           {mailtest.Before("NOOP", "hello\r\n"), "> NOOP\n< hello\n< +OK", nil},
		"data behind":          {mailtest.After("NOOP", "+OK again\r\n"), "> NOOP\n< +OK\n< +OK again", nil},
		"QUIT unanswered":      {mailtest.Silence("QUIT"), "> QUIT", silent},
		"of another command":   {mailtest.Silence("TOP"), "> STAT\n< +OK 3 762", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				w.talk(signIn)
				w.server.Inject(tt.fault)
				w.talk(tt.dialogue)
				if tt.then != nil {
					tt.then(w)
				}
				want := 0
				if tt.fault.Command == "TOP" {
					want = 1
				}
				if got := w.server.Pending(); got != want {
					t.Errorf("Pending = %d, want %d", got, want)
				}
				w.server.Heal()
				if got := w.server.Pending(); got != 0 {
					t.Errorf("Pending after Heal = %d, want 0", got)
				}
			})
		})
	}
}

// rest expects bytes that are no line, and what comes behind them.
func rest(want string, then func(*world)) func(*world) {
	return func(w *world) {
		w.t.Helper()
		got := make([]byte, len(want))
		if _, err := io.ReadFull(w.r, got); err != nil || string(got) != want {
			w.t.Fatalf("read %q, %v, want %q", got, err, want)
		}
		then(w)
	}
}

func TestFaultsOfTheSignIn(t *testing.T) {
	passWord := "> USER " + ann + "\n< +OK ...\n> PASS " + password + "\n"
	sasl := "> AUTH XOAUTH2\n< + ...\n> " + xoauth2(ann, token) + "\n"
	for name, tt := range map[string]struct {
		fault    mailtest.Fault
		dialogue string
	}{
		"a greeting that refuses":  {mailtest.Refuse(mailtest.Greeting), "< -ERR No POP3 service here\n<EOF"},
		"another that refuses":     {mailtest.Bye(mailtest.Greeting, "-ERR [SYS/TEMP] not now"), "< -ERR [SYS/TEMP] not now\n<EOF"},
		"no greeting":              {mailtest.Drop(mailtest.Greeting, 0), "<EOF"},
		"a password refused once":  {mailtest.Refuse("PASS"), greeting + passWord + "< -ERR [AUTH] Authentication failed\n" + passWord + "< +OK Signed in"},
		"a throttled password":     {mailtest.Reply("PASS", "-ERR [SYS/TEMP] too many"), greeting + passWord + "< -ERR [SYS/TEMP] too many"},
		"in use":                   {mailtest.Reply("PASS", "-ERR [IN-USE] locked"), greeting + passWord + "< -ERR [IN-USE] locked"},
		"a login delay":            {mailtest.Reply("PASS", "-ERR [LOGIN-DELAY] wait"), greeting + passWord + "< -ERR [LOGIN-DELAY] wait"},
		"a token refused once":     {mailtest.Refuse("AUTH"), greeting + sasl + "< + ...\n>\n< -ERR [AUTH] Authentication failed\n" + sasl + "< +OK Signed in"},
		"a token that expires":     {mailtest.Expire("STAT"), greeting + sasl + "< +OK Signed in\n> STAT\n< -ERR [AUTH] The access token has expired, sign in again\n<EOF"},
		"CAPA refused":             {mailtest.Refuse("CAPA"), greeting + "> CAPA\n< -ERR CAPA refused"},
		"AUTH unanswered for good": {mailtest.Drop("AUTH", len("+ \r\n")), greeting + "> AUTH XOAUTH2\n< + ...\n<EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, nil)
				// The connection that start made took its greeting without the fault.
				w.talk(greeting)
				w.server.Inject(tt.fault)
				w.dial()
				w.talk(tt.dialogue)
				if got := w.server.Pending(); got != 0 {
					t.Errorf("Pending = %d, want 0", got)
				}
			})
		})
	}
}

func TestExpiredTokensStayExpired(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(greeting + "> AUTH XOAUTH2\n< +...\n> " + xoauth2(ann, token) + "\n< +OK Signed in")
		w.server.Inject(mailtest.Expire("NOOP"))
		w.talk("> NOOP\n< -ERR [AUTH] ...\n<EOF")
		w.dial()
		w.talk(greeting + "> AUTH XOAUTH2\n< +...\n> " + xoauth2(ann, token) + "\n< + ...\n>\n< -ERR [AUTH] Authentication failed")
	})
}

// TestPasswordsDoNotExpire: a client that signed in with one is sent away as if
// its token had expired, and let in again.
func TestPasswordsDoNotExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(signIn)
		w.server.Inject(mailtest.Expire("NOOP"))
		w.talk("> NOOP\n< -ERR [AUTH] The access token has expired, sign in again\n<EOF")
		w.dial()
		w.talk(signIn)
	})
}

func TestBodiesWithoutTheDotsOfTheProtocol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.append("Subject: hi\r\n\r\n.x\r\nbare\n..\nend\r\n.\r\nmore\r\n")
		w.talk(signIn)
		w.server.Inject(pop3test.NoStuffing("RETR"))
		w.talk("> RETR 4\n< +OK ...")
		var got strings.Builder
		for !strings.HasSuffix(got.String(), "more\r\n.\r\n") {
			line, err := w.line()
			if err != nil {
				t.Fatalf("read %q, %v behind %q", line, err, got.String())
			}
			got.WriteString(line)
		}
		if want := "Subject: hi\r\n\r\n.x\r\nbare\n..\nend\r\n.\r\nmore\r\n.\r\n"; got.String() != want {
			t.Errorf("read %q, want %q", got.String(), want)
		}
	})
}

func TestSlowBody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(signIn)
		w.server.Inject(mailtest.Drip("RETR", 10, time.Second))
		before := time.Now()
		w.talk("> RETR 1\n< +OK ...")
		if got := w.body(); got != mailtest.Sample(1) {
			t.Errorf("RETR gives %q", got)
		}
		if got, want := time.Since(before), 28*time.Second; got != want {
			t.Errorf("it took %v, want %v", got, want)
		}
	})
}

func TestMailboxChangesWithinAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, nil)
		w.talk(signIn)
		w.server.Inject(mailtest.CallAfter("RETR", 40, func() {
			if _, err := w.account.Expunge("INBOX", 1, 2); err != nil {
				t.Error(err)
			}
		}))
		w.talk("> RETR 1\n< +OK 254 octets")
		if got := w.body(); got != mailtest.Sample(1) {
			t.Errorf("RETR gives %q", got)
		}
		w.talk("> RETR 2\n< -ERR Message is no longer there\n> QUIT\n< +OK Bye")
		w.wantMessages(1)
	})
}

func TestExchange(t *testing.T) {
	play(t, []dialogue{
		{"the dialogue that Microsoft documents", pop3test.ExchangeOptions(), `
			< +OK The Microsoft Exchange POP3 service is ready. [...]
			> CAPA
			< +OK ...
			< TOP
			< UIDL
			< SASL PLAIN XOAUTH2
			< USER
			< .
			> AUTH XOAUTH2
			< +...
			> ` + xoauth2(ann, "old-horse") + `
			< -ERR Authentication failure: unknown user name or bad password.
			> USER ` + ann + `
			< +OK ...
			> PASS wrong horse
			< -ERR Logon failure: unknown user name or bad password.
			> AUTH XOAUTH2
			< +...
			> ` + xoauth2(ann, token) + `
			< +OK User successfully logged on.
			> LIST 1
			< +OK 1 369
			> RETR 1
			< +OK 254 octets`},
		{"a first response on the same line", pop3test.ExchangeOptions(), `
			< +OK ...
			> AUTH XOAUTH2 ` + xoauth2(ann, token) + `
			< -ERR Protocol error. Connection is closed. 10
			<EOF`},
		{"a long first response on the same line", pop3test.ExchangeOptions(), `
			< +OK ...
			> AUTH XOAUTH2 ` + xoauth2(ann, strings.Repeat("horse", 400)) + `
			< -ERR Protocol error. Connection is closed. 10
			<EOF`},
	})
	synctest.Test(t, func(t *testing.T) {
		w := start(t, pop3test.ExchangeOptions())
		in := "< +OK ...\n> USER " + ann + "\n< +OK ...\n> PASS " + password + "\n< +OK ...\n"
		w.talk(in)
		w.another().talk(in)
		w.talk("> RETR 2\n< +OK ...")
		w.body()
		w.talk("> QUIT\n< +OK Microsoft Exchange Server POP3 server signing off.\n<EOF")
		all, err := w.account.Messages("INBOX")
		if err != nil || len(all) != 3 || !all[1].Has(mailtest.Seen) || all[0].Has(mailtest.Seen) {
			t.Errorf("INBOX has %v, %v, want the second message read", all, err)
		}
	})
}

func TestGmail(t *testing.T) {
	in := func(user string) string {
		return "< +OK Gpop ...\n> USER " + user + "\n< +OK ...\n> PASS " + password + "\n< +OK Welcome.\n"
	}
	for fate, folder := range map[pop3test.Fate]string{
		pop3test.Keep: "INBOX", pop3test.MarkRead: "INBOX", pop3test.Archive: "Archive", pop3test.Trash: "Trash",
	} {
		t.Run(folder, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := start(t, pop3test.GmailOptions(fate))
				w.talk(in(ann) + "> STAT\n< +OK 3 762\n> RETR 1\n< +OK ...")
				w.body()
				// A session that ends without QUIT has seen nothing.
				w.conn.Close()
				w.dial()
				w.talk(in(ann) + "> STAT\n< +OK 3 762\n> RETR 1\n< +OK ...")
				w.body()
				w.talk("> DELE 2\n< +OK ...\n> STAT\n< +OK 2 508\n> QUIT\n< +OK Farewell.\n<EOF")

				w.dial()
				w.talk(in(ann) + "> STAT\n< +OK 1 254\n> QUIT\n< +OK Farewell.")
				filed, err := w.account.Messages(folder)
				if err != nil || len(filed) < 2 || filed[0].Raw != mailtest.Sample(1) || filed[1].Raw != mailtest.Sample(2) ||
					filed[0].Has(mailtest.Seen) != (fate == pop3test.MarkRead) {
					t.Errorf("%s has %d messages, %v, want those that were retrieved and deleted", folder, len(filed), err)
				}
			})
		})
	}
}

func TestRecentMode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := start(t, pop3test.GmailOptions(pop3test.Keep))
		old := mailtest.AppendOptions{Received: time.Now().Add(-31 * 24 * time.Hour)}
		if _, err := w.account.Append("INBOX", mailtest.Sample(4), &old); err != nil {
			t.Fatal(err)
		}
		retrieve := func(signIn string, seen int) {
			t.Helper()
			w.dial()
			w.talk(fmt.Sprintf("< +OK ...\n%s\n< +OK Welcome.\n> STAT\n< +OK %d ...", signIn, seen))
			if seen > 0 {
				w.talk("> RETR 1\n< +OK ...")
				w.body()
			}
			w.talk("> QUIT\n< +OK ...")
		}
		byPassword := func(user string) string { return "> USER " + user + "\n< +OK ...\n> PASS " + password }
		byToken := func(user string) string { return "> AUTH XOAUTH2\n< +...\n> " + xoauth2(user, token) }
		retrieve(byPassword("recent:"+ann), 3) // not the old one
		retrieve(byPassword(ann), 4)           // recent mode hides nothing
		retrieve(byToken(ann), 3)
		retrieve(byToken("recent:"+ann), 3)
		retrieve("> AUTH PLAIN "+b64("\x00recent:"+ann+"\x00"+password), 3)
		retrieve(byToken(ann), 2)
		retrieve(byToken(ann), 1)
		retrieve(byToken(ann), 0)
	})
}
