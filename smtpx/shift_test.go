package smtpx_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// dialect is how a server words its answers.
type dialect struct {
	reset, mail, rcpt string
	taken             string // with %s for the message's name
}

func dialects() map[string]dialect {
	return map[string]dialect{
		"Postfix":    {"250 2.0.0 Ok", "250 2.1.0 Ok", "250 2.1.5 Ok", "250 2.0.0 Ok: queued as Q%s"},
		"Exchange":   {"250 2.0.0 Resetting", "250 2.1.0 Sender OK", "250 2.1.5 Recipient OK", "250 2.6.0 <m> [InternalId=%s, Hostname=h] Queued mail for delivery"},
		"Google":     {"250 2.1.5 Flushed abc.1 - gsmtp", "250 2.1.0 OK abc.1 - gsmtp", "250 2.1.5 OK abc.1 - gsmtp", "250 2.0.0 OK  170000000%s abc.1 - gsmtp"},
		"codes only": {"250 2.0.0 Ok", "250 2.1.0 Ok", "250 2.1.5 Ok", "250 2.6.0 Ok"},
		"Exim":       {"250 Reset OK", "250 OK", "250 Accepted", "250 OK id=1abc-%s"},
	}
}

// unknown is a recipient that no teller knows.
const unknown = "nobody@example.com"

// teller is a server with CHUNKING that takes messages, answers some of them as it
// is told to, and gives one answer too many behind a command of one of them.
type teller struct {
	dialect

	verdicts map[int]string // to messages by their number, instead of the usual one
	extra    string         // the answer too many
	behind   string         // the command, as "RCPT 1", of the message
	of       int
	data     bool // it has no CHUNKING
	leaves   bool // when it is greeted anew
	slow     bool // it takes a second for each command

	serving sync.WaitGroup
	mu      sync.Mutex
	taken   map[string]int
	begun   int // messages
	greeted int
}

func (s *teller) Dial(context.Context, string, string) (net.Conn, error) {
	client, server := pipe.New()
	s.serving.Go(func() {
		defer server.Close()
		c := &moodyConn{moody: &moody{}, r: bufio.NewReader(server), w: server}
		c.say("220 teller")
		for s.command(c) {
		}
	})
	return client, nil
}

// command answers one command. It reports whether there may be more.
func (s *teller) command(c *moodyConn) bool {
	verb, args, chunk, err := c.read()
	if err != nil || verb == "QUIT" {
		return false
	}
	if s.slow {
		pass(time.Second)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	answer := "250 2.0.0 Ok"
	place := verb
	switch verb {
	case "EHLO":
		if s.greeted++; s.leaves && s.greeted%2 == 0 {
			return false
		}
		if answer = "250-teller\r\n250-PIPELINING\r\n"; !s.data {
			answer += "250-CHUNKING\r\n"
		}
		answer += "250 ENHANCEDSTATUSCODES"
	case "RSET":
		c.begin(false)
		answer = s.reset
	case "MAIL":
		c.begin(true)
		s.begun++
		answer = s.mail
	case "RCPT":
		c.asked++
		place += " " + strconv.Itoa(c.asked)
		if answer = s.rcpt; strings.Contains(args, unknown) {
			answer = "550 5.1.1 no such user"
		} else {
			c.to++
		}
	case "DATA":
		c.say("354 go")
		var text strings.Builder
		for line := ""; line != ".\r\n"; {
			if line, err = c.r.ReadString('\n'); err != nil {
				return false
			}
			text.WriteString(line)
		}
		answer = s.judge(c, text.String())
	case "BDAT":
		if c.text += chunk; strings.HasSuffix(args, "LAST") {
			answer = s.judge(c, c.text)
		} else if place = "chunk"; c.to == 0 {
			answer = "554 5.5.1 no valid recipients"
		}
	}
	c.say(answer)
	if s.extra != "" && place == s.behind && s.begun == s.of {
		c.say(s.extra)
	}
	return true
}

// judge takes a message or not, and returns the answer to it.
func (s *teller) judge(c *moodyConn, text string) string {
	defer c.begin(false)
	if c.to == 0 {
		return "554 5.5.1 no valid recipients"
	}
	answer, special := s.verdicts[s.begun]
	name, _, _ := strings.Cut(strings.TrimPrefix(text, "Message-ID: <"), "@")
	if !special {
		answer = s.dialect.taken
	}
	if strings.Contains(answer, "%s") {
		answer = fmt.Sprintf(answer, name)
	}
	if answer[0] == '2' {
		s.taken[name]++
	}
	return answer
}

// tell sends n messages to the server and returns what became of them, where what
// the client says is what the server knows.
func (s *teller) tell(t *testing.T, n int, to ...string) map[session.SendOutcome]int {
	t.Helper()
	s.taken = map[string]int{}
	server := session.Server{Host: "mail.example.com", Security: session.None, Dial: s.Dial}
	c := newClient(t, server, session.Credentials{}, &smtpx.Options{MaxConnections: 1, Window: 4, Retry: smtpx.Retry{Count: -1}})
	input := func(yield func(session.Mail) bool) {
		for i := range n {
			if !yield(circular(i+1, to...)) {
				return
			}
		}
	}
	all, err := sendAll(t, c, input, nil)
	if err != nil || len(all) != n {
		t.Errorf("%d messages have a result, %v, want %d", len(all), err, n)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	s.serving.Wait()
	for key, r := range all {
		switch o, taken := r.Receipt.Outcome, s.taken[key]; {
		case taken > 1, (o == session.Accepted || o == session.Partial) && taken == 0, o == session.NotSent && taken > 0:
			t.Errorf("message %s is %v, the server took it %d times", key, o, taken)
		}
	}
	return count(all)
}

// An answer to a message in other words than usual, or in words that speak of an
// address, is believed where the server is in step: no message is left in doubt.
func TestUnusualAnswersAreBelieved(t *testing.T) {
	const messages = 12
	var (
		bad      = "550 5.1.8 Access denied, bad outbound sender"
		nobody   = "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup"
		moved    = "451 4.1.8 sender's domain does not resolve"
		content  = "554 5.6.0 no"
		policy   = "250 2.0.0 Message discarded by policy"
		discards = "250 2.7.0 Ok, discarded"
		wordless = "250 done"
		address  = "250 2.1.5 Ok"
	)
	for _, tt := range []struct {
		name     string
		verdicts map[int]string
		notSent  int
	}{
		{"a sender that may not send", map[int]string{6: bad}, 1},
		{"a recipient found unknown late", map[int]string{6: nobody}, 1},
		{"a passing refusal of an address", map[int]string{6: moved}, 1},
		{"a refusal of content", map[int]string{6: content}, 1},
		{"the first in the window", map[int]string{2: nobody}, 1},
		{"the last of all", map[int]string{messages: nobody}, 1},
		{"each one", map[int]string{2: bad, 3: bad, 4: bad, 5: bad, 6: bad, 7: bad, 8: bad, 9: bad, 10: bad, 11: bad, 12: bad}, 11},
		{"discarded by policy", map[int]string{6: policy}, 0},
		{"discarded by a filter", map[int]string{6: discards}, 0},
		{"taken without a code", map[int]string{6: wordless}, 0},
		{"taken in the words for a recipient", map[int]string{6: address}, 0},
		{"the first of all discarded", map[int]string{1: policy}, 0},
		{"the last of all discarded", map[int]string{messages: policy}, 0},
		{"one discarded behind another one refused", map[int]string{5: nobody, 6: discards, 7: content}, 2},
	} {
		for name, d := range dialects() {
			for _, to := range [][]string{{bob}, {bob, carol}, {bob, unknown}} {
				t.Run(fmt.Sprintf("%s, %s, %d recipients", tt.name, name, len(to)), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						for _, data := range []bool{false, true} {
							s := &teller{dialect: d, verdicts: tt.verdicts, data: data}
							got := s.tell(t, messages, to...)
							if taken := got[session.Accepted] + got[session.Partial]; got[session.NotSent] != tt.notSent || taken != messages-tt.notSent {
								t.Errorf("by DATA %t: %v, want %d not sent and the others accepted", data, got, tt.notSent)
							}
						}
					})
				})
			}
		}
	}
}

// Where the line is lost before it is found out whether the server is in step, what was
// on its way with the unusual answer and behind it is in doubt, and nothing else.
func TestADoubtStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &teller{dialect: dialects()["Postfix"], verdicts: map[int]string{6: "550 5.1.8 bad sender"}, leaves: true, slow: true}
		if got := s.tell(t, 12, bob); got[session.SentUnknown] < 1 || got[session.SentUnknown] > 4 || got[session.NotSent] > 0 {
			t.Errorf("%v, want one to a window unknown and the others accepted", got)
		}
	})
}

// A server that gives one answer too many is out of step from there on. Whichever
// command it stands behind, and whatever the server says of the message, no message
// is said to be accepted or not sent that is not.
func TestAShiftIsNeverBelieved(t *testing.T) {
	verdicts := []string{"", "554 5.6.0 no", "550 5.1.8 bad sender", "250 2.7.0 Ok, discarded"}
	for name, d := range dialects() {
		for behind, own := range map[string]string{"RSET": d.reset, "MAIL": d.mail, "RCPT 1": d.rcpt, "RCPT 2": d.rcpt, "chunk": "250 2.0.0 Ok", "BDAT": "250 2.0.0 Ok"} {
			for _, extra := range []string{own, "250 2.0.0 and so on", "550 5.1.1 no such user", "500 5.5.2 what?", "503 5.5.1 bad sequence"} {
				for _, to := range [][]string{{bob}, {unknown}, {bob, carol}, {bob, unknown}, {unknown, bob}} {
					for _, verdict := range verdicts {
						shift(t, d, fmt.Sprintf("%s, %q behind %s, %v, %q", name, extra, behind, to, verdict), behind, extra, verdict, to)
					}
				}
			}
		}
	}
}

func shift(t *testing.T, d dialect, name, behind, extra, verdict string, to []string) {
	t.Helper()
	if len(to) == 1 && behind == "RCPT 2" {
		return
	}
	const messages = 6
	places := []int{4, messages}
	if behind == "chunk" {
		places = []int{2} // the first that is sent by BDAT
	}
	for _, of := range places {
		t.Run(fmt.Sprintf("%s, message %d", name, of), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				for _, slow := range []bool{false, true} {
					s := &teller{dialect: d, verdicts: map[int]string{}, behind: behind, extra: extra, of: of, slow: slow}
					if verdict != "" {
						s.verdicts[of] = verdict
					}
					s.tell(t, messages, to...)
				}
			})
		})
	}
}
