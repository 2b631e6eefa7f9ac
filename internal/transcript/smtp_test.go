package transcript_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/transcript"
)

func TestSMTPSecrets(t *testing.T) {
	run(t, transcript.SMTP, []conversation{
		{"auth with initial response", []string{
			"S: 220 ready\r\n", "C: EHLO me\r\n", "S: 250-you\r\n250 AUTH PLAIN\r\n",
			"C: AUTH PLAIN AGJvYgBodW50ZXIy\r\n", "S: 235 2.7.0 fine\r\n", "C: MAIL FROM:<bob@x>\r\n",
		}, `
S: 220 ready
C: EHLO me
S: 250-you
S: 250 AUTH PLAIN
C: AUTH PLAIN [redacted]
S: 235 2.7.0 fine
C: MAIL FROM:<bob@x>
`},
		{"auth in steps", []string{
			"C: auth login\r\n", "S: 334 VXNlcm5hbWU6\r\n", "C: QUIT\r\n", "S: 334 UGFzc3dvcmQ6\r\n",
			"C: aHVudGVyMg==\r\n", "S: 535-5.7.8 no\r\n535 5.7.8 no\r\n", "C: QUIT\r\n",
		}, `
C: auth login
S: 334 VXNlcm5hbWU6
C: [redacted]
S: 334 UGFzc3dvcmQ6
C: [redacted]
S: 535-5.7.8 no
S: 535 5.7.8 no
C: QUIT
`},
		{"replies to earlier commands come late", []string{
			"C: NOOP\r\nAUTH LOGIN\r\n", "S: 250 fine\r\n", "S: 334 VXNlcm5hbWU6\r\n", "C: QUIT\r\n",
			"S: 334 UGFzc3dvcmQ6\r\n235 fine\r\n", "C: DATA\r\n", "C: QUIT\r\n",
		}, `
C: NOOP
C: AUTH LOGIN
S: 250 fine
S: 334 VXNlcm5hbWU6
C: [redacted]
S: 334 UGFzc3dvcmQ6
S: 235 fine
C: [redacted]
C: QUIT
`},
		{"not a command", []string{
			"C: aHVudGVyMg==\r\n", "C: AUTH aHVudGVyMg==\r\n", "S: 504 no\r\n", "C: AUTH\r\n", "C: PASS hunter2\r\n",
		}, `
C: [redacted]
C: AUTH [redacted]
S: 504 no
C: [redacted]
C: [redacted]
`},
		{"server repeats", []string{
			"C: AUTH PLAIN AGJvYgBodW50ZXIy\r\n", "S: 500 5.5.1 Command unrecognized: \"AUTH PLAIN AGJvYgBodW50ZXIy\"\r\n",
		}, `
C: AUTH PLAIN [redacted]
S: 500 5.5.1 Command unrecognized: "AUTH PLAIN [redacted]
`},
	})
}

func TestSMTPBodies(t *testing.T) {
	run(t, transcript.SMTP, []conversation{
		{"data", []string{
			"C: MAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\n", "S: 250 ok\r\n250 ok\r\n354 go\r\n",
			"C: Subject: x\r\n\r\nAUTH PLAIN x\r\n..\r\n.\n.\r\nQUIT\n.\r\n.\r\nQUIT\r\n", "S: 250 queued\r\n",
		}, `
C: MAIL FROM:<a@x>
C: RCPT TO:<b@x>
C: DATA
S: 250 ok
S: 250 ok
S: 354 go
C: [45 bytes of message]
C: QUIT
S: 250 queued
`},
		{"data refused", []string{
			"C: DATA\r\n", "S: 554 no\r\n", "C: RSET\r\n", "S: 354 what\r\n", "C: QUIT\r\n",
		}, `
C: DATA
S: 554 no
C: RSET
S: 354 what
C: QUIT
`},
		{"empty data", []string{"C: DATA\r\n", "S: 354 go\r\n", "C: .\r\n", "C: NOOP\r\n"}, `
C: DATA
S: 354 go
C: [0 bytes of message]
C: NOOP
`},
		{"bdat", []string{"C: BDAT 12\r\nQUIT\r\nQUIT\r\nBDAT 0 LAST\r\n", "C: BDAT x\r\n", "C: QUIT\r\n"}, `
C: BDAT 12
C: [12 bytes of message]
C: BDAT 0 LAST
C: [0 bytes of message]
C: BDAT x
C: QUIT
`},
		{"cut short", []string{"C: DATA\r\n", "S: 354 go\r\n", "C: Subject: x\r\nabc"}, `
C: DATA
S: 354 go
C: [15 bytes of message] [connection ended]
`},
	})
}

// TestSecretOfALongLine: of a token that is longer than what is kept of a line, the
// beginning is known and looked for.
func TestSecretOfALongLine(t *testing.T) {
	token := "horse-" + strings.Repeat("x", 2000)
	for name, initial := range map[string]string{
		"XOAUTH2":     "user=ann@example.com\x01auth=Bearer " + token + "\x01\x01",
		"OAUTHBEARER": "n,a=ann@example.com,\x01host=mail.example.com\x01port=587\x01auth=Bearer " + token + "\x01\x01",
	} {
		var out bytes.Buffer
		r := transcript.New(&out, transcript.SMTP())
		r.Sent([]byte("AUTH " + name + " " + base64.StdEncoding.EncodeToString([]byte(initial)) + "\r\n"))
		r.Received([]byte("535 5.7.8 what is " + token + "\r\n"))
		if strings.Contains(out.String(), "horse") || !strings.Contains(out.String(), "what is [redacted]") {
			t.Errorf("%s is written down as\n%s", name, out.String())
		}
	}
}
