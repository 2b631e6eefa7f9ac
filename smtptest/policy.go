package smtptest

import (
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// Event is a step of a client that the server is about to agree to.
type Event struct {
	// Command is [mailtest.Greeting], "AUTH", "MAIL", "RCPT", "DATA", "BDAT" for
	// a chunk before the last, or [EndOfData] for the message as a whole, however
	// it came.
	Command string
	// Conn is the number of the connection, counted from 1, and Mail how many
	// transactions began on it, this one included.
	Conn, Mail int
	// Open is how many connections are open: those of the user where one is known,
	// else all of them. This one is among them.
	Open int
	// Encrypted tells whether the connection runs over TLS.
	Encrypted bool
	// User is the address of the account that the client signed in to, or is about
	// to with AUTH; Mechanism is that of AUTH.
	User, Mechanism string
	// From is the sender, and To the recipient of RCPT.
	From, To string
	// Recipients are those that the server has agreed to.
	Recipients []string
	// Raw is the message, with [EndOfData] alone.
	Raw string
}

// Policy looks at a step that the server has nothing against, and returns the
// answer that refuses it, or "". The answer is a whole one, such as "450 4.2.1
// later", several lines parted by CRLF. One that begins with 421 ends the
// connection, and so does every answer to [mailtest.Greeting]. Policies are
// called by several connections at a time.
type Policy func(e Event) (refusal string)

// judge asks the policies, and gives their answer.
func (c *conn) judge(e Event) (refused bool, err error) {
	e.Conn, e.Mail, e.Encrypted = c.Number(), c.mails, c.Encrypted()
	if e.User == "" {
		e.User = c.user()
		e.Open = c.server.openNow(e.User)
	} else {
		e.Open = c.server.openNow(e.User) + 1 // with this one
	}
	if c.tx != nil {
		e.From, e.Recipients = c.tx.from, c.tx.to
	}
	for _, policy := range c.server.options.Policies {
		reply := policy(e)
		if reply == "" {
			continue
		}
		if e.Command == mailtest.Greeting || strings.HasPrefix(reply, "421") {
			return true, c.hangUp(reply)
		}
		return true, c.sayAs(reply, 0, "", "")
	}
	return false, nil
}

// Greylist refuses each recipient of each sender with 450 until delay has passed
// since it was first asked for.
func Greylist(delay time.Duration) Policy {
	type pair struct{ from, to string }
	var mu sync.Mutex
	first := map[pair]time.Time{}
	return func(e Event) string {
		if e.Command != "RCPT" {
			return ""
		}
		mu.Lock()
		defer mu.Unlock()
		p := pair{strings.ToLower(e.From), strings.ToLower(e.To)}
		since, known := first[p]
		if !known {
			since = time.Now()
			first[p] = since
		}
		if time.Since(since) < delay {
			return "450 4.2.0 Recipient address rejected: greylisted, try again later"
		}
		return ""
	}
}

// Key says what is counted together: steps for which it returns the same.
type Key func(e Event) string

// ByConnection counts the steps of one connection.
func ByConnection(e Event) string { return strconv.Itoa(e.Conn) }

// ByUser counts the steps of one account on all of its connections.
func ByUser(e Event) string { return strings.ToLower(e.User) }

// BySender counts the steps with one envelope sender.
func BySender(e Event) string { return strings.ToLower(e.From) }

// ByRecipient counts the commands RCPT for one recipient.
func ByRecipient(e Event) string { return strings.ToLower(e.To) }

// Together counts all steps of the server.
func Together(Event) string { return "" }

// Rate lets n steps with that command pass within any time of that length, or n
// in all where that is 0, and refuses further ones with the reply until there is
// room. What was refused does not count.
//
//	smtptest.Rate(smtptest.EndOfData, 30, time.Minute, smtptest.ByUser, "450 4.7.0 slow down")
//	smtptest.Rate("MAIL", 10, 0, smtptest.ByConnection, "421 4.7.0 too many messages")
//	smtptest.Rate(mailtest.Greeting, 5, time.Hour, smtptest.Together, "421 4.7.0 too many connections")
func Rate(command string, n int, within time.Duration, by Key, reply string) Policy {
	var mu sync.Mutex
	passed := map[string][]time.Time{}
	return func(e Event) string {
		if !strings.EqualFold(e.Command, command) {
			return ""
		}
		mu.Lock()
		defer mu.Unlock()
		key, now := by(e), time.Now()
		times := passed[key]
		for within > 0 && len(times) > 0 && now.Sub(times[0]) >= within {
			times = times[1:]
		}
		if len(times) >= n {
			passed[key] = times
			return reply
		}
		passed[key] = append(times, now)
		return ""
	}
}

// AtMostOpen refuses steps with that command on connections beyond n that are
// open at a time: of one account where the client has signed in, else of all.
func AtMostOpen(command string, n int, reply string) Policy {
	return func(e Event) string {
		if strings.EqualFold(e.Command, command) && e.Open > n {
			return reply
		}
		return ""
	}
}
