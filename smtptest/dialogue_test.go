package smtptest_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/smtptest"
)

// talk plays a dialogue: lines that begin with "C: " are sent, lines that begin
// with "S: " are compared with what the server says.
func talk(t *testing.T, s *smtptest.Server, dialogue string) {
	t.Helper()
	c, err := s.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for n, line := range strings.Split(strings.TrimSpace(dialogue), "\n") {
		line = strings.TrimLeft(line, "\t")
		if line == "" {
			continue
		}
		switch text, sent := strings.CutPrefix(line, "C: "); {
		case sent:
			text = strings.NewReplacer(`\r`, "\r", `\n`, "\n", `\0`, "\x00").Replace(text)
			if _, err := io.WriteString(c, text+"\r\n"); err != nil {
				t.Fatalf("line %d: %v", n+1, err)
			}
		case line == "S: EOF":
			if got, err := r.ReadString('\n'); !errors.Is(err, io.EOF) {
				t.Fatalf("line %d: read %q, %v, want EOF", n+1, got, err)
			}
		default:
			want := strings.TrimPrefix(line, "S: ")
			got, err := r.ReadString('\n')
			if err != nil || strings.TrimSuffix(got, "\r\n") != want {
				t.Fatalf("line %d: read %q, %v, want %q", n+1, got, err, want)
			}
		}
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// plain signs ann in by PLAIN.
const plain = "C: AUTH PLAIN AGFubkBleGFtcGxlLmNvbQBjb3JyZWN0IGhvcnNl\nS: 235 2.7.0 Authentication successful\n"

const greeting = "S: 220 mail.example.com ESMTP ready\n"

// hello is EHLO to a server that offers nothing beside AUTH.
const hello = greeting + "C: EHLO me\nS: 250-mail.example.com greets me\nS: 250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER\n"

// dialogue is a conversation with a server that has these options.
type dialogue struct {
	name  string
	o     *smtptest.Options
	lines string
}

func play(t *testing.T, all []dialogue) {
	t.Helper()
	for _, d := range all {
		t.Run(d.name, func(t *testing.T) {
			talk(t, newServer(t, d.o), strings.ReplaceAll(d.lines, "C:\n", "C: \n"))
		})
	}
}

// bare is a server without extensions beside AUTH.
func bare() *smtptest.Options {
	return &smtptest.Options{Extensions: []string{"AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER"}}
}

func TestHello(t *testing.T) {
	play(t, []dialogue{
		{"all extensions", nil, greeting + `
			C: ehlo [127.0.0.1]
			S: 250-mail.example.com greets [127.0.0.1]
			S: 250-PIPELINING
			S: 250-SIZE 52428800
			S: 250-8BITMIME
			S: 250-SMTPUTF8
			S: 250-ENHANCEDSTATUSCODES
			S: 250-CHUNKING
			S: 250-DSN
			S: 250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER
			C: NOOP
			S: 250 2.0.0 OK
			C: VRFY ann
			S: 252 2.5.0 Cannot tell; send some mail
			C: RSET
			S: 250 2.0.0 Flushed
			C: QUIT
			S: 221 2.0.0 Bye
			S: EOF`},
		{"HELO only", &smtptest.Options{NoEHLO: true, Anonymous: true}, greeting + `
			C: EHLO me
			S: 502 5.5.1 Command not recognized
			C: HELO me
			S: 250 mail.example.com
			C: MAIL FROM:<x@elsewhere.example> SIZE=1
			S: 501 5.5.4 Bad parameters
			C: MAIL FROM:<x@elsewhere.example>
			S: 250 2.1.0 Ok
			C: RCPT TO:<y@elsewhere.example>
			S: 554 5.7.1 Relay access denied
			C: RCPT TO:<ann@example.com>
			S: 250 2.1.5 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: Subject: hello
			C:
			C: ..dots
			C: ...
			C: .
			S: 250 2.0.0 Ok: queued as 4mt00000C
			C: QUIT
			S: 221 2.0.0 Bye
			S: EOF`},
	})
}

func TestCommands(t *testing.T) {
	few := strings.ReplaceAll(plain, "2.7.0 ", "")
	play(t, []dialogue{
		{"order of commands", bare(), greeting + `
			C: MAIL FROM:<ann@example.com>
			S: 503 Say EHLO or HELO first
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250 AUTH PLAIN LOGIN XOAUTH2 OAUTHBEARER
			C: MAIL FROM:<ann@example.com>
			S: 530 Authentication required
			` + few + `
			C: AUTH PLAIN
			S: 503 AUTH comes once, after EHLO and before MAIL
			C: RCPT TO:<bob@example.com>
			S: 503 RCPT comes after MAIL and before the message
			C: DATA
			S: 503 DATA comes after MAIL and RCPT
			C: MAIL FROM:<ann@example.com>
			S: 250 Ok
			C: MAIL FROM:<ann@example.com>
			S: 503 Nested MAIL command
			C: DATA
			S: 554 No valid recipients
			C: RSET
			S: 250 Flushed
			C: DATA
			S: 503 DATA comes after MAIL and RCPT
			C: QUIT
			S: 221 Bye
			S: EOF`},
		{"syntax", bare(), hello + few + `
			C: MAIL FROM: <ann@example.com>
			S: 501 Syntax: MAIL FROM:<address> parameters
			C: MAIL FROM:ann@example.com
			S: 501 Syntax: MAIL FROM:<address> parameters
			C: MAIL FROM:<ann@example.com> SIZE=1
			S: 555 Unsupported option: SIZE
			C: MAIL FROM:<ann@example.com> SMTPUTF8
			S: 555 Unsupported option: SMTPUTF8
			C: MAIL FROM:<änn@example.com>
			S: 553 An address that is not ASCII needs SMTPUTF8
			C: MAIL FROM:<>
			S: 250 Ok
			C: RCPT TO:<>
			S: 501 Syntax: RCPT TO:<address> parameters
			C: RCPT TO:<carol@example.com>
			S: 550 User unknown
			C: RCPT TO:<carol@elsewhere.example> NOTIFY=NEVER
			S: 555 Unsupported option: NOTIFY
			C: RCPT TO:<carol@elsewhere.example>
			S: 250 Ok
			C: BOGUS
			S: 502 Command not recognized
			C: MAIL\0
			S: 500 Syntax error or line too long
			C: BDAT 5
			S: 521 5.5.4 BDAT not understood or not available
			S: EOF`},
	})
}

func TestLoneLineEnds(t *testing.T) {
	few := strings.ReplaceAll(plain, "2.7.0 ", "")
	play(t, []dialogue{
		{"a lone LF in a command", bare(), greeting + `
			C: EHLO me\nMAIL FROM:<x@example.com>
			S: 521 5.5.2 A line ends in LF without CR
			S: EOF`},
		{"lone LFs and CRs in a message", bare(), hello + few + `
			C: MAIL FROM:<ann@example.com>
			S: 250 Ok
			C: RCPT TO:<bob@example.com>
			S: 250 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: a\n.\nb
			C: .
			S: 550 Message contains a line that ends in LF without CR
			C: MAIL FROM:<ann@example.com>
			S: 250 Ok
			C: RCPT TO:<bob@example.com>
			S: 250 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: a\r.\rb
			C: .
			S: 550 Message contains a CR without LF
			C: MAIL FROM:<ann@example.com>
			S: 250 Ok
			C: RCPT TO:<bob@example.com>
			S: 250 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: ä
			C: .
			S: 554 Message is not 7-bit clean`},
	})
}

func TestSASL(t *testing.T) {
	good := b64("user=ann@example.com\x01auth=Bearer good-horse\x01\x01")
	bad := b64("user=ann@example.com\x01auth=Bearer old-token\x01\x01")
	play(t, []dialogue{
		{"SASL", bare(), hello + `
			C: AUTH CRAM-MD5
			S: 504 Unrecognized authentication type
			C: AUTH PLAIN !
			S: 501 Invalid base64 data
			C: AUTH PLAIN
			S: 334 ` + `
			C: *
			S: 501 Authentication aborted
			C: AUTH PLAIN ` + b64("\x00ann@example.com\x00wrong") + `
			S: 535 Error: authentication failed
			C: AUTH XOAUTH2 ` + bad + `
			S: 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=
			C: ` + `
			S: 535 Error: authentication failed
			C: AUTH OAUTHBEARER
			S: 334 ` + `
			C: ` + b64("n,a=ann@example.com,\x01host=h\x01port=25\x01auth=Bearer old-token\x01\x01") + `
			S: 334 ` + b64(`{"status":"invalid_token","scope":"mail"}`) + `
			C: AQ==
			S: 535 Error: authentication failed
			C: AUTH XOAUTH2 ` + bad + `
			S: 334 eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=
			C: AQ==
			S: 501 Invalid answer to the error challenge
			C: AUTH LOGIN
			S: 334 VXNlcm5hbWU6
			C: ` + b64("ann@example.com") + `
			S: 334 UGFzc3dvcmQ6
			C: ` + b64("wrong") + `
			S: 535 Error: authentication failed
			C: AUTH XOAUTH2
			S: 334 ` + `
			C: ` + good + `
			S: 235 Authentication successful`},
	})
}

func TestLimits(t *testing.T) {
	play(t, []dialogue{
		{"BDAT", &smtptest.Options{Extensions: []string{"CHUNKING", "BINARYMIME"}, Anonymous: true, MaxMessage: 20}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-CHUNKING
			S: 250 BINARYMIME
			C: BDAT 4 LAST
			C: ab
			S: 503 BDAT comes after MAIL and RCPT
			C: MAIL FROM:<x@y.example>
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: BDAT 4
			C: ab
			S: 250 4 octets received
			C: RCPT TO:<bob@example.com>
			S: 503 RCPT comes after MAIL and before the message
			C: DATA
			S: 503 DATA comes after MAIL and RCPT
			C: BDAT 3 last
			C: .
			S: 250 Ok: queued as 4mt00000C
			C: MAIL FROM:<x@y.example>
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: BDAT 21
			C: 1234567890123456789
			S: 552 Error: message file too big
			C: BDAT 3 LAST
			C: a
			S: 503 A chunk before was refused
			C: BDAT x
			S: 521 5.5.4 BDAT not understood or not available
			S: EOF`},
		{"size", &smtptest.Options{Extensions: []string{"SIZE", "ENHANCEDSTATUSCODES"}, Anonymous: true, MaxMessage: 10}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-SIZE 10
			S: 250 ENHANCEDSTATUSCODES
			C: MAIL FROM:<x@y.example> SIZE=11
			S: 552 5.3.4 Message size exceeds fixed limit
			C: MAIL FROM:<x@y.example> SIZE=10
			S: 250 2.1.0 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 2.1.5 Ok
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: 12345
			C: 67890
			C: .
			S: 552 5.3.4 Error: message file too big
			C: NOOP
			S: 250 2.0.0 OK`},
		{"too many recipients", &smtptest.Options{Extensions: []string{"DSN"}, Anonymous: true, MaxRecipients: 1}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250 DSN
			C: MAIL FROM:<x@y.example> RET=HDRS ENVID=a
			S: 250 Ok
			C: RCPT TO:<ann@example.com> NOTIFY=NEVER
			S: 250 Ok
			C: RCPT TO:<bob@example.com>
			S: 452 Too many recipients`},
	})
}

// What a message may ask for beyond the common extensions.
func TestFurtherExtensions(t *testing.T) {
	further := []string{"DELIVERBY 60", "MT-PRIORITY MIXER", "REQUIRETLS", "LIMITS MAILMAX=2 RCPTMAX=1"}
	play(t, []dialogue{
		{"by, priority and limits", &smtptest.Options{Extensions: further, Anonymous: true}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-DELIVERBY 60
			S: 250-MT-PRIORITY MIXER
			S: 250-REQUIRETLS
			S: 250 LIMITS MAILMAX=2 RCPTMAX=1
			C: MAIL FROM:<x@y.example> REQUIRETLS
			S: 530 REQUIRETLS needs TLS
			C: RSET
			S: 250 Flushed
			C: MAIL FROM:<x@y.example> BY=120;RT MT-PRIORITY=-3
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: RCPT TO:<bob@example.com>
			S: 452 Too many recipients
			C: RSET
			S: 250 Flushed
			C: MAIL FROM:<x@y.example>
			S: 421 4.7.0 Too many messages on one connection
			S: EOF`},
		{"what is not so", &smtptest.Options{Extensions: further[:2], Anonymous: true}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-DELIVERBY 60
			S: 250 MT-PRIORITY MIXER
			C: MAIL FROM:<x@y.example> BY=-1;R
			S: 501 Bad BY
			C: MAIL FROM:<x@y.example> BY=10;X
			S: 501 Bad BY
			C: MAIL FROM:<x@y.example> MT-PRIORITY=10
			S: 501 Bad MT-PRIORITY
			C: MAIL FROM:<x@y.example> REQUIRETLS
			S: 555 Unsupported option: REQUIRETLS`},
	})
}

// What a server that has an extension does not take.
func TestParameters(t *testing.T) {
	play(t, []dialogue{
		{"delivery status", &smtptest.Options{Extensions: []string{"DSN", "8BITMIME"}, Anonymous: true}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-DSN
			S: 250 8BITMIME
			C: MAIL FROM:<x@y.example> RET=SOME
			S: 501 Bad RET
			C: MAIL FROM:<x@y.example> ENVID=a+2b
			S: 501 Bad ENVID
			C: MAIL FROM:<x@y.example> RET=FULL RET=FULL
			S: 501 Parameter given twice: RET
			C: MAIL FROM:<x@y.example> BODY=BINARYMIME
			S: 501 Bad BODY
			C: MAIL FROM:<x@y.example> BODY=8bitmime ret=full ENVID=+2B
			S: 250 Ok
			C: RCPT TO:<ann@example.com> NOTIFY=NEVER,DELAY
			S: 501 Bad NOTIFY
			C: RCPT TO:<ann@example.com> NOTIFY=DELAY NOTIFY=DELAY
			S: 501 Bad NOTIFY
			C: RCPT TO:<ann@example.com> ORCPT=ann@example.com
			S: 501 Bad ORCPT
			C: RCPT TO:<ann@example.com> ORCPT=rfc822;ann+zz
			S: 501 Bad ORCPT
			C: RCPT TO:<ann@example.com> NOTIFY=success,delay ORCPT=rfc822;ann+2Bx@example.com
			S: 250 Ok`},
		{"binary", &smtptest.Options{Extensions: []string{"CHUNKING", "BINARYMIME"}, Anonymous: true, MaxTextLine: 5}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-CHUNKING
			S: 250 BINARYMIME
			C: MAIL FROM:<x@y.example> BODY=8BITMIME
			S: 501 Bad BODY
			C: MAIL FROM:<x@y.example> BODY=BINARYMIME
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: DATA
			S: 503 BODY=BINARYMIME comes by BDAT
			C: BDAT 13 LAST
			C: \0\n\rabcdefgh
			S: 250 Ok: queued as 4mt00000C
			C: MAIL FROM:<x@y.example>
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: BDAT 5 LAST
			C: a\nb
			S: 550 Message contains a CR or an LF alone
			C: MAIL FROM:<x@y.example>
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: BDAT 8 LAST
			C: 123456
			S: 554 Message contains a line that is too long`},
		{"many domains", &smtptest.Options{Extensions: []string{"LIMITS RCPTDOMAINMAX=1", "AUTH PLAIN"}, MaxTextLine: 5}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250-LIMITS RCPTDOMAINMAX=1
			S: 250 AUTH PLAIN
			` + strings.ReplaceAll(plain, "2.7.0 ", "") + `
			C: MAIL FROM:<x@y.example>
			S: 250 Ok
			C: RCPT TO:<ann@example.com>
			S: 250 Ok
			C: RCPT TO:<bob@Example.com>
			S: 250 Ok
			C: RCPT TO:<x@elsewhere.example>
			S: 452 Too many domains
			C: DATA
			S: 354 End data with <CR><LF>.<CR><LF>
			C: 12345
			C: 123456
			C: .
			S: 554 Message contains a line that is too long`},
	})
}

func TestWith(t *testing.T) {
	got := strings.Join(smtptest.With("auth PLAIN", "BINARYMIME"), ",")
	if want := "PIPELINING,SIZE,8BITMIME,SMTPUTF8,ENHANCEDSTATUSCODES,CHUNKING,DSN,auth PLAIN,BINARYMIME"; got != want {
		t.Errorf("With = %s, want %s", got, want)
	}
}

func TestStartTLSComesFirst(t *testing.T) {
	play(t, []dialogue{
		{"STARTTLS comes first", &smtptest.Options{Security: mailtest.STARTTLS, Extensions: []string{"AUTH PLAIN"}}, greeting + `
			C: EHLO me
			S: 250-mail.example.com greets me
			S: 250 STARTTLS
			C: AUTH PLAIN AAAA
			S: 503 AUTH is not available here
			C: MAIL FROM:<x@y.example>
			S: 530 Must issue a STARTTLS command first
			C: STARTTLS now
			S: 501 STARTTLS has no argument
			C: STARTTLS\r\nEHLO injected
			S: 220 Go ahead
			S: EOF`},
	})
}

// The token expires in the middle of a session: the server takes its leave, and
// from then on wants another one.
func TestExpiredToken(t *testing.T) {
	box := newBox()
	account, _ := box.Account("ann@example.com")
	account.AcceptTokens(mailtest.Tokens(secret.New("good"), secret.New("fresh")))
	s := serverOver(t, box, &smtptest.Options{Extensions: bare().Extensions, NoTokenChallenge: true})
	s.Inject(mailtest.Expire("MAIL"))
	signIn := func(token, answer string) string {
		return hello + "C: AUTH XOAUTH2 " + b64("user=ann@example.com\x01auth=Bearer "+token+"\x01\x01") + "\nS: " + answer + "\n"
	}
	talk(t, s, signIn("good", "235 Authentication successful")+"C: MAIL FROM:<ann@example.com>\n"+
		"S: 421 4.7.0 The access token has expired, sign in again\nS: EOF")
	talk(t, s, signIn("good", "535 Error: authentication failed"))
	talk(t, s, signIn("fresh", "235 Authentication successful"))
}
