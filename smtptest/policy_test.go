package smtptest_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/smtptest"
)

// policed is a server without extensions that takes mail from everybody.
func policed(policies ...smtptest.Policy) *smtptest.Options {
	return &smtptest.Options{Extensions: []string{}, Anonymous: true, Policies: policies}
}

// start, mailTo and body are parts of dialogues with a policed server.
const start = greeting + "C: HELO me\nS: 250 mail.example.com\n"

func mailTo(to string) string {
	return "C: MAIL FROM:<x@y.example>\nS: 250 Ok\nC: RCPT TO:<" + to + ">\nS: 250 Ok\n"
}

const body = "C: DATA\nS: 354 End data with <CR><LF>.<CR><LF>\nC: a\nC: .\n"

// A recipient that was refused is accepted in good time, and each by itself.
func TestGreylist(t *testing.T) {
	const later = "S: 450 4.2.0 Recipient address rejected: greylisted, try again later\n"
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, policed(smtptest.Greylist(5*time.Minute)))
		try := func(to, answer string) {
			t.Helper()
			talk(t, s, start+"C: MAIL FROM:<x@y.example>\nS: 250 Ok\nC: RCPT TO:<"+to+">\n"+answer)
		}
		try("ann@example.com", later)
		<-time.After(5*time.Minute - 1)
		try("Ann@example.com", later)
		<-time.After(time.Nanosecond)
		try("ann@example.com", "S: 250 Ok\n")
		try("bob@example.com", later)
	})
}

// Rates count by what they are told to, within a time that moves on.
func TestRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const slow = "450 4.7.0 slow down"
		s := newServer(t, policed(
			smtptest.Rate(smtptest.EndOfData, 2, time.Minute, smtptest.BySender, slow),
			smtptest.Rate("RCPT", 3, 0, smtptest.ByRecipient, "452 4.2.2 enough of that"),
		))
		good := mailTo("ann@example.com") + body
		talk(t, s, start+good+"S: 250 Ok: queued as 4mt00000C\n")
		<-time.After(30 * time.Second)
		talk(t, s, start+good+"S: 250 Ok: queued as 4mt00000D\n"+good+"S: "+slow)
		<-time.After(30 * time.Second)
		talk(t, s, start+mailTo("bob@example.com")+body+"S: 250 Ok: queued as 4mt00000F\n"+
			mailTo("bob@example.com")+body+"S: "+slow+
			"\nC: MAIL FROM:<x@y.example>\nS: 250 Ok\nC: RCPT TO:<ann@example.com>\nS: 452 4.2.2 enough of that")
		if got := len(s.Messages()); got != 3 {
			t.Errorf("%d messages were accepted, want 3", got)
		}
	})
}

// An answer with 421 is the last one.
func TestRatesThatHangUp(t *testing.T) {
	t.Run("messages of a connection", func(t *testing.T) {
		s := newServer(t, policed(smtptest.Rate("MAIL", 1, 0, smtptest.ByConnection, "421 4.7.0 too many messages")))
		for range 2 {
			talk(t, s, start+"C: MAIL FROM:<>\nS: 250 Ok\nC: RSET\nS: 250 Flushed\nC: MAIL FROM:<>\nS: 421 4.7.0 too many messages\nS: EOF")
		}
	})
	t.Run("connections", func(t *testing.T) {
		s := newServer(t, policed(smtptest.Rate(mailtest.Greeting, 1, 0, smtptest.Together, "421 4.7.0 too many connections")))
		talk(t, s, start)
		talk(t, s, "S: 421 4.7.0 too many connections\nS: EOF")
	})
	t.Run("connections at a time", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, policed(smtptest.AtMostOpen(mailtest.Greeting, 1, "554 5.7.0 one is enough")))
			c, err := s.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			talk(t, s, "S: 554 5.7.0 one is enough\nS: EOF")
			_ = c.Close()
			synctest.Wait()
			talk(t, s, start)
		})
	})
}

// A policy is told everything about a step, and its refusal is all that comes of
// it.
func TestPolicyIsAsked(t *testing.T) {
	var asked []string
	refuse := ""
	policy := func(e smtptest.Event) string {
		asked = append(asked, fmt.Sprintf("%s %d.%d of %d %s %s %s>%s%v %q",
			e.Command, e.Conn, e.Mail, e.Open, e.User, e.Mechanism, e.From, e.To, e.Recipients, e.Raw))
		if e.Command == refuse {
			return "450-4.7.1 not\r\n450 4.7.1 now"
		}
		return ""
	}
	box := newBox()
	s := serverOver(t, box, &smtptest.Options{Extensions: []string{"CHUNKING", "AUTH PLAIN"}, Policies: []smtptest.Policy{policy}})
	signIn := greeting + "C: EHLO me\nS: 250-mail.example.com greets me\nS: 250-CHUNKING\nS: 250 AUTH PLAIN\n" +
		strings.ReplaceAll(plain, "2.7.0 ", "")
	envelope := "C: MAIL FROM:<ann@example.com>\nS: 250 Ok\nC: RCPT TO:<bob@example.com>\nS: 250 Ok\n"
	talk(t, s, signIn+envelope+"C: BDAT 3\nC: a\nS: 250 3 octets received\nC: BDAT 3 LAST\nC: b\nS: 250 Ok: queued as 4mt00000C\n")
	want := []string{
		`GREETING 1.0 of 1   >[] ""`,
		`AUTH 1.0 of 1 ann@example.com PLAIN >[] ""`,
		`MAIL 1.1 of 1 ann@example.com  ann@example.com>[] ""`,
		`RCPT 1.1 of 1 ann@example.com  ann@example.com>bob@example.com[] ""`,
		`BDAT 1.1 of 1 ann@example.com  ann@example.com>[bob@example.com] ""`,
		`. 1.1 of 1 ann@example.com  ann@example.com>[bob@example.com] "a\r\nb\r\n"`,
	}
	if got := strings.Join(asked, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("the policy was asked\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	const no = "S: 450-4.7.1 not\nS: 450 4.7.1 now\n"
	for command, dialogue := range map[string]string{
		"MAIL": signIn + "C: MAIL FROM:<ann@example.com>\n" + no + "C: RCPT TO:<bob@example.com>\nS: 503 RCPT comes after MAIL and before the message",
		"RCPT": signIn + "C: MAIL FROM:<ann@example.com>\nS: 250 Ok\nC: RCPT TO:<bob@example.com>\n" + no + "C: DATA\nS: 554 No valid recipients",
		"DATA": signIn + envelope + "C: DATA\n" + no + "C: RSET\nS: 250 Flushed",
		"BDAT": signIn + envelope + "C: BDAT 3\nC: a\n" + no + "C: BDAT 3 LAST\nC: b\nS: 503 A chunk before was refused",
		".":    signIn + envelope + "C: DATA\nS: 354 End data with <CR><LF>.<CR><LF>\nC: a\nC: .\n" + no + "C: NOOP\nS: 250 OK",
	} {
		t.Run(command, func(t *testing.T) {
			refuse = command
			talk(t, s, dialogue)
			if got := len(s.Messages()); got != 1 {
				t.Errorf("%d messages were accepted, want the first alone", got)
			}
		})
	}
}

// exchangeHello is the start of a dialogue with [smtptest.ExchangeOptions].
const exchangeHello = `S: 220 AM0PR01CA0001.outlook.office365.com Microsoft ESMTP MAIL Service ready
		C: EHLO me
		S: 250-mail.example.com greets me
		S: 250-SIZE 157286400
		S: 250-PIPELINING
		S: 250-DSN
		S: 250-ENHANCEDSTATUSCODES
		S: 250-AUTH LOGIN XOAUTH2
		S: 250-8BITMIME
		S: 250-BINARYMIME
		S: 250-CHUNKING
		S: 250 SMTPUTF8
		`

// tokenLine signs ann in.
func tokenLine() string {
	return "C: AUTH XOAUTH2 " + b64("user=ann@example.com\x01auth=Bearer good-horse\x01\x01") + "\n"
}

// signedIn is what Exchange Online says to that.
const signedIn = "S: 235 2.7.0 Authentication successful\n"

// What Exchange Online says.
func TestExchange(t *testing.T) {
	options := func(ahead ...smtptest.Policy) *smtptest.Options {
		o := smtptest.ExchangeOptions()
		o.Policies = append(ahead, o.Policies...)
		return o
	}
	const in = signedIn
	hello, token := exchangeHello, tokenLine()
	login := "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + b64("ann@example.com") + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64(password) + "\n"
	const tail = " [AM0PR01CA0001.eurprd01.prod.exchangelabs.com]"
	play(t, []dialogue{
		{"nobody", options(), hello + "C: MAIL FROM:<ann@example.com>\nS: 530 5.7.57 Client not authenticated to send mail." + tail},
		{"wrong token", options(), hello + "C: AUTH XOAUTH2 " + b64("user=ann@example.com\x01auth=Bearer old-horse\x01\x01") +
			"\nS: 535 5.7.3 Authentication unsuccessful" + tail},
		{"wrong password", options(), hello + "C: AUTH LOGIN " + b64("ann@example.com") + "\nS: 334 UGFzc3dvcmQ6\nC: " + b64("no horse") +
			"\nS: 535 5.7.139 Authentication unsuccessful, the user credentials were incorrect." + tail},
		{"switched off for all", options(smtptest.SMTPAuthDisabled()), hello + token +
			"S: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant. Visit https://aka.ms/smtp_auth_disabled for more information."},
		{"switched off for ann", options(smtptest.SMTPAuthDisabled("ANN@example.com")), hello + token +
			"S: 535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled for more information.\n" +
			"C: MAIL FROM:<ann@example.com>\nS: 530 5.7.57 Client not authenticated to send mail." + tail},
		{"switched off for bob", options(smtptest.SMTPAuthDisabled("bob@example.com")), hello + token + in},
		{"tokens alone", options(smtptest.BasicAuthDisabled()), hello + login +
			"S: 535 5.7.139 Authentication unsuccessful, basic authentication is disabled.\n" + token + in},
		{"another sender", options(), hello + token + in + `
			C: MAIL FROM:<bob@example.com>
			S: 550 5.7.60 SMTP; Client does not have permissions to send as this sender
			C: MAIL FROM:<>
			S: 250 2.1.0 Ok
			C: RSET
			S: 250 2.0.0 Flushed
			C: MAIL FROM:<Ann@example.com>
			S: 250 2.1.0 Ok
			C: QUIT
			S: 221 2.0.0 Service closing transmission channel
			S: EOF`},
		{"another author", options(smtptest.OwnAuthor(map[string][]string{"ann@example.com": {"team@example.com"}})), hello + token + in + `
			C: MAIL FROM:<ann@example.com>
			S: 250 2.1.0 Ok
			C: RCPT TO:<bob@example.com>
			S: 250 2.1.5 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: From: The Team <team@example.com>
			C:
			C: .
			S: 250 2.0.0 Ok: queued as 4mt00000C
			C: MAIL FROM:<ann@example.com>
			S: 250 2.1.0 Ok
			C: RCPT TO:<bob@example.com>
			S: 250 2.1.5 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: From: bob@example.com
			C:
			C: .
			S: 554 5.2.252 SendAsDenied; ann@example.com not allowed to send as bob@example.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message due to a permanent exception with message Cannot submit message.`},
	})
}

// What Exchange Online lets through of much at a time.
func TestExchangeLimits(t *testing.T) {
	hello, token, in := exchangeHello, tokenLine(), signedIn
	t.Run("fourth connection", func(t *testing.T) {
		s := newServer(t, smtptest.ExchangeOptions())
		for range 3 {
			c, err := s.Dial(t.Context(), "", "")
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if _, err := io.WriteString(c, "EHLO me\r\n"); err != nil {
				t.Fatal(err)
			}
			await(t, c, "250 SMTPUTF8\r\n")
			if _, err := io.WriteString(c, strings.TrimPrefix(strings.TrimSuffix(token, "\n"), "C: ")+"\r\n"); err != nil {
				t.Fatal(err)
			}
			await(t, c, "successful\r\n")
		}
		talk(t, s, hello+token+in+"C: MAIL FROM:<ann@example.com>\nS: 432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information.")
	})
	t.Run("31 messages in a minute", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, smtptest.ExchangeOptions())
			thirty := strings.Repeat("C: MAIL FROM:<ann@example.com>\nS: 250 2.1.0 Ok\nC: RSET\nS: 250 2.0.0 Flushed\n", 30)
			talk(t, s, hello+token+in+thirty+
				"C: MAIL FROM:<ann@example.com>\nS: 421 4.4.2 Message submission rate for this client has exceeded the configured limit\nS: EOF")
			<-time.After(time.Minute)
			talk(t, s, hello+token+in+thirty)
		})
	})
}

// await reads until what came ends in text.
func await(t *testing.T, r io.Reader, text string) {
	t.Helper()
	var got []byte
	for !strings.HasSuffix(string(got), text) {
		var b [1]byte
		if _, err := io.ReadFull(r, b[:]); err != nil {
			t.Fatalf("read %q, %v, want %q at its end", got, err, text)
		}
		got = append(got, b[0])
	}
}
