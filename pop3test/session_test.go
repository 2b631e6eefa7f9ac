package pop3test_test

import (
	"testing"

	"github.com/mailsession/mailsession/pop3test"
)

func TestSession(t *testing.T) {
	play(t, []dialogue{
		{"a whole session", nil, signIn + `
			> STAT
			< +OK 3 762
			> LIST
			< +OK 3 messages (762 octets)
			< 1 254
			< 2 254
			< 3 254
			< .
			> list 2
			< +OK 2 254
			> UIDL
			< +OK Unique-ids follow
			< 1 0000000100001b59
			< 2 0000000200001b59
			< 3 0000000300001b59
			< .
			> UIDL 3
			< +OK 3 0000000300001b59
			> DELE 2
			< +OK Marked to be deleted
			> STAT
			< +OK 2 508
			> LIST
			< +OK 2 messages (508 octets)
			< 1 254
			< 3 254
			< .
			> RSET
			< +OK
			> STAT
			< +OK 3 762
			> NOOP
			< +OK
			> QUIT
			< +OK Bye
			<EOF`},
		{"leaving at once", nil, greeting + "> QUIT\n< +OK Bye\n<EOF"},
		{"LAST", &pop3test.Options{Last: true}, signIn + `
			> LAST
			< +OK 0
			> DELE 2
			< +OK Marked to be deleted
			> LAST
			< +OK 2
			> RSET
			< +OK
			> LAST
			< +OK 0`},
	})
}
