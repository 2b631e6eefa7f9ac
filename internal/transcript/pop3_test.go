package transcript_test

import (
	"testing"

	"github.com/mailsession/mailsession/internal/transcript"
)

func TestPOP3Secrets(t *testing.T) {
	run(t, transcript.POP3, []conversation{
		{"user and pass", []string{
			"S: +OK ready <1@x>\r\n", "C: USER bob\r\n", "S: +OK\r\n", "C: PASS my open sesame\r\n", "S: +OK 2 messages\r\n",
			"C: STAT\r\n",
		}, `
S: +OK ready <1@x>
C: USER bob
S: +OK
C: PASS [redacted]
S: +OK 2 messages
C: STAT
`},
		{"apop", []string{"C: APOP bob c4c9334bac560ecc979e58001b3e22fb\r\n", "C: APOP c4c9334bac560ecc\r\n"}, `
C: APOP bob [redacted]
C: APOP [redacted]
`},
		{"auth", []string{
			"C: AUTH PLAIN AGJvYgBodW50ZXIy\r\n", "S: -ERR no\r\n", "C: AUTH XOAUTH2\r\n", "S: + \r\n",
			"C: dXNlcj1ib2I=\r\n", "S: + eyJzdGF0dXMi\r\n", "C: QUIT\r\n", "S: -ERR no\r\n", "C: QUIT\r\n",
		}, `
C: AUTH PLAIN [redacted]
S: -ERR no
C: AUTH XOAUTH2
S: + 
C: [redacted]
S: + eyJzdGF0dXMi
C: [redacted]
S: -ERR no
C: QUIT
`},
		{"challenge and result at once", []string{
			"C: AUTH PLAIN\r\n", "S: +\r\n+OK\r\n", "C: QUIT\r\n", "C: STAT\r\n",
		}, `
C: AUTH PLAIN
S: +
S: +OK
C: [redacted]
C: STAT
`},
		{"mechanisms", []string{"C: AUTH\r\n", "S: +OK\r\nPLAIN\r\n.\r\n", "C: QUIT\r\n"}, `
C: AUTH
S: +OK
S: PLAIN
S: .
C: QUIT
`},
		{"not a command", []string{"C: hunter2\r\n", "C: AUTH hunter2\r\n", "C: PASS\r\n", "C: PASS hunter\r2\r\n"}, `
C: [redacted]
C: AUTH [redacted]
C: [redacted]
C: [redacted]
`},
		{"server repeats", []string{"C: PASS open sesame\r\n", "S: -ERR what is PASS open sesame?\r\n"}, `
C: PASS [redacted]
S: -ERR what is PASS [redacted]
`},
	})
}

func TestPOP3Bodies(t *testing.T) {
	run(t, transcript.POP3, []conversation{
		{"pipelined", []string{
			"S: +OK ready\r\n", "C: CAPA\r\nRETR 1\r\nDELE 1\r\nTOP 2 0\r\nLIST 2\r\nLIST\r\nRETR 9\r\nSTAT\r\n",
			"S: +OK\r\nTOP\r\n.\r\n", "S: +OK 10 octets\r\nSubject: x\r\n\r\n+OK\r\n..\r\n.\n.\r\n.\n.\r\n.\r\n",
			"S: +OK deleted\r\n+OK\r\nSubject: y\r\n.\r\n+OK 2 10\r\n+OK\r\n1 10\r\n.\r\n-ERR no such\r\n+OK 0 0\r\n",
		}, `
S: +OK ready
C: CAPA
C: RETR 1
C: DELE 1
C: TOP 2 0
C: LIST 2
C: LIST
C: RETR 9
C: STAT
S: +OK
S: TOP
S: .
S: +OK 10 octets
S: [33 bytes of message]
S: +OK deleted
S: +OK
S: [12 bytes of message]
S: +OK 2 10
S: +OK
S: 1 10
S: .
S: -ERR no such
S: +OK 0 0
`},
		{"line feeds only", []string{"C: RETR 1\n", "S: +OK\nabc\n.\n+OK bye\n"}, `
C: RETR 1
S: +OK
S: [4 bytes of message]
S: +OK bye
`},
		{"cut short", []string{"C: RETR 1\r\n", "S: +OK\r\nabc\r\nde"}, `
C: RETR 1
S: +OK
S: [7 bytes of message] [connection ended]
`},
	})
}
