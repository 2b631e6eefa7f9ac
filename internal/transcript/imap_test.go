package transcript_test

import (
	"testing"

	"github.com/mailsession/mailsession/internal/transcript"
)

func TestIMAPLogin(t *testing.T) {
	run(t, transcript.IMAP, []conversation{
		{"login", []string{
			"S: * OK ready\r\n", "C: a1 LOGIN bob hunter2\r\n", "S: a1 OK bob logged in\r\n",
			"C: a2 SELECT \"IN BOX\"\r\n",
		}, `
S: * OK ready
C: a1 LOGIN [redacted]
S: a1 OK bob logged in
C: a2 SELECT "IN BOX"
`},
		{"login quoted, lower case", []string{
			"C: 1.x login \"bob smith\" \"a \\\"quoted\\\\ {3}\"\r\n", "C: 2 noop\r\n",
		}, `
C: 1.x login [redacted]
C: 2 noop
`},
		{"login with literals", []string{
			"C: a1 LOGIN {3}\r\n", "S: + go on\r\n", "C: bob {7}\r\n", "S: + go on\r\n", "C: hunter2\r\n",
			"S: a1 OK\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 LOGIN [redacted]
S: + go on
C: [redacted] [redacted]
S: + go on
C: [redacted]
S: a1 OK
C: a2 NOOP
`},
		{"login with literals that do not wait", []string{
			"C: a1 LOGIN {3+}\r\nbob {9-}\r\na2 NO\r\nOP\r\na2 NOOP\r\n",
		}, `
C: a1 LOGIN [redacted]
C: [redacted] [redacted]
C: [redacted]
C: a2 NOOP
`},
		{"a refused login literal is waited for", []string{
			"C: a1 LOGIN bob {7}\r\n", "S: a1 NO not in the clear\r\n", "C: hunter2\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 LOGIN [redacted]
S: a1 NO not in the clear
C: [redacted]
C: a2 NOOP
`},
	})
}

func TestIMAPAuthenticate(t *testing.T) {
	run(t, transcript.IMAP, []conversation{
		{"authenticate with initial response", []string{
			"C: a1 AUTHENTICATE PLAIN AGJvYgBodW50ZXIy\r\n", "S: a1 OK done\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 AUTHENTICATE PLAIN [redacted]
S: a1 OK done
C: a2 NOOP
`},
		{"authenticate in steps", []string{
			"C: a1 AUTHENTICATE LOGIN\r\n", "S: + VXNlcm5hbWU6\r\n", "C: Ym9i\r\n", "S: * OK still here\r\n",
			"S: + UGFzc3dvcmQ6\r\n", "C: not base64 at all\r\n", "S: a1 OK done\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 AUTHENTICATE LOGIN
S: + VXNlcm5hbWU6
C: [redacted]
S: * OK still here
S: + UGFzc3dvcmQ6
C: [redacted]
S: a1 OK done
C: a2 NOOP
`},
		{"challenge and result at once", []string{
			"C: a1 AUTHENTICATE PLAIN\r\n", "S: + \r\na1 OK done\r\n", "C: a9 NOOP hunter2\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 AUTHENTICATE PLAIN
S: + 
S: a1 OK done
C: [redacted]
C: a2 NOOP
`},
		{"answer before the challenge", []string{
			"C: a1 AUTHENTICATE PLAIN\r\na9 NOOP hunter2\r\n", "S: a1 NO\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 AUTHENTICATE PLAIN
C: [redacted]
S: a1 NO
C: a2 NOOP
`},
		{"answer without an exchange", []string{
			"C: a1 AUTHENTICATE PLAIN\r\n", "S: a1 OK done\r\n", "C: AGJvYgBodW50ZXIy\r\n", "C: a2 NOOP\r\n",
		}, `
C: a1 AUTHENTICATE PLAIN
S: a1 OK done
C: [redacted]
C: a2 NOOP
`},
		{"error challenge", []string{
			"C: a1 AUTHENTICATE XOAUTH2 dXNlcj1ib2I=\r\n", "S: + eyJzdGF0dXMiOiI0MDAifQ==\r\n", "C: \r\n",
			"S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials\r\n",
		}, `
C: a1 AUTHENTICATE XOAUTH2 [redacted]
S: + eyJzdGF0dXMiOiI0MDAifQ==
C: [redacted]
S: a1 NO [AUTHENTICATIONFAILED] Invalid credentials
`},
		{"secret where the mechanism belongs", []string{
			"C: a1 AUTHENTICATE AGJvYgBodW50ZXIy\r\n", "C: a2 AUTHENTICATE\r\n",
		}, `
C: a1 AUTHENTICATE [redacted]
C: [redacted]
`},
	})
}

func TestIMAPUnknown(t *testing.T) {
	run(t, transcript.IMAP, []conversation{
		{"not a command", []string{
			"C: hunter2\r\n", "C: my secret word\r\n", "C: a1  LOGIN bob hunter2\r\n", "C: a1\tLOGIN bob hunter2\r\n",
			"C: a1 NOOP\ra2 LOGIN bob hunter2\r\n", "C: bob {9}\r\na1 NOOP\r\n\r\n", "C: a3 NOOP\r\n",
		}, `
C: [redacted]
C: [redacted]
C: [redacted]
C: [redacted]
C: [redacted]
C: [redacted]
C: [redacted]
C: a3 NOOP
`},
		{"server repeats", []string{
			"C: a1 LOGIN bob \"hun\\\"ter2\"\r\n", "S: a1 BAD do not know LOGIN bob \"hun\\\"ter2\" or hun\"ter2, bob\r\n",
			"C: a2 AUTHENTICATE PLAIN AGJvYgBodW50ZXIy\r\n", "S: a2 BAD error near AGJvYgBodW50\r\n",
			"C: a3 LOGIN bob {7+}\r\nsesame1\r\n", "S: a3 BAD sesame1\r\n",
		}, `
C: a1 LOGIN [redacted]
S: a1 BAD do not know LOGIN bob [redacted] or [redacted] bob
C: a2 AUTHENTICATE PLAIN [redacted]
S: a2 BAD error near [redacted]
C: a3 LOGIN [redacted]
C: [redacted]
S: a3 BAD [redacted]
`},
		{"cut short", []string{"S: * OK rea", "C: a1 LOGIN bob hun"}, `
C: a1 LOGIN [redacted]
S: * OK rea
`},
		{"literals cut short", []string{"S: * 1 FETCH (BODY[] {100}\r\nabc", "C: a1 LOGIN bob {100}\r\nabc"}, `
S: * 1 FETCH (BODY[] {100}
C: a1 LOGIN [redacted]
C: [redacted] [connection ended]
S: [3 of 100 bytes of message] [connection ended]
`},
	})
}

func TestIMAPBodies(t *testing.T) {
	run(t, transcript.IMAP, []conversation{
		{"fetch", []string{
			"C: a1 UID FETCH 1:2 (BODY.PEEK[])\r\n",
			"S: * 1 FETCH (UID 1 BODY[] {13}\r\nSubject: x\r\n\n BINARY[1] ~{3}\r\na)\n X {0}\r\n)\r\na1 OK done {7}\r\n* 2 EXISTS\r\n",
		}, `
C: a1 UID FETCH 1:2 (BODY.PEEK[])
S: * 1 FETCH (UID 1 BODY[] {13}
S: [literal 13 bytes]  BINARY[1] ~{3}
S: [literal 3 bytes]  X {0}
S: [literal 0 bytes])
S: a1 OK done {7}
S: * 2 EXISTS
`},
		{"no literal", []string{
			"S: * 1 FETCH (X {} {x} {1x} {99999999999999999999}\r\n* 2 EXISTS\r\n",
		}, `
S: * 1 FETCH (X {} {x} {1x} {99999999999999999999}
S: * 2 EXISTS
`},
		{"append", []string{
			"C: a1 APPEND Sent (\\Seen) {10}\r\n", "S: + go\r\n", "C: 0123456789 (\\Draft) {3+}\r\nabc\r\n",
			"S: a1 OK done\r\n", "C: a2 APPEND x CATENATE (TEXT {3+}\r\nabc)\r\n", "C: a3 NOOP\r\n",
		}, `
C: a1 APPEND Sent (\Seen) {10}
S: + go
C: [literal 10 bytes] [14 bytes]
C: [literal 3 bytes]
S: a1 OK done
C: a2 APPEND x CATENATE (TEXT {3+}
C: [literal 3 bytes])
C: a3 NOOP
`},
		{"append refused", []string{
			"C: a1 APPEND Sent {1000}\r\n", "S: * OK busy\r\n", "S: a1 NO [TRYCREATE] no such folder\r\n",
			"C: a2 CREATE Sent\r\n",
		}, `
C: a1 APPEND Sent {1000}
S: * OK busy
S: a1 NO [TRYCREATE] no such folder
C: a2 CREATE Sent
`},
		{"append fails after the go-ahead", []string{
			"C: a1 APPEND Sent {17}\r\n", "S: + go\r\n", "S: a1 NO disk is full\r\n", "C: a9 NOOP sensitive (x)\r\n",
			"C: a2 CREATE Sent\r\n",
		}, `
C: a1 APPEND Sent {17}
S: + go
S: a1 NO disk is full
C: [literal 17 bytes] [4 bytes]
C: a2 CREATE Sent
`},
		{"idle", []string{
			"C: a1 IDLE\r\n", "S: + idling\r\n", "S: * 3 EXISTS\r\n", "C: DONE\r\n", "S: a1 OK\r\n", "C: a2 NOOP\n",
		}, `
C: a1 IDLE
S: + idling
S: * 3 EXISTS
C: DONE
S: a1 OK
C: a2 NOOP
`},
	})
}
