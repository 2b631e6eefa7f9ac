package imapx_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// lineFaults are what can go wrong with the commands of a line, each once.
func lineFaults(command string) map[string]mailtest.Fault {
	faults := map[string]mailtest.Fault{
		"silence": mailtest.Silence(command),
		"half":    mailtest.Half(command),
		"bye":     mailtest.Bye(command, "* BYE closing down"),
		"drip":    mailtest.Drip(command, 1, time.Second),
		"late":    mailtest.Delay(command, lateBy),
		"refused": mailtest.Refuse(command),
		"expired": mailtest.Expire(command),
		"noise":   mailtest.Before(command, "* X-UNHEARD-OF (1 {3}\r\nabc)\r\n* STATUS {5}\r\nINBOX (UNSEEN 1)\r\n* VANISHED\r\n"),
		"garbage": mailtest.Before(command, "not a response\r\n\r\n"),
	}
	for _, n := range []int{0, 1, 5} {
		faults[fmt.Sprintf("cut after %d", n)] = mailtest.Drop(command, n)
	}
	for _, reply := range []string{"NO [CANNOT] no", "BAD what?", "NO [LIMIT] too many", "OK done already"} {
		faults[reply] = mailtest.Reply(command, reply)
	}
	return faults
}

// TestNotifyUnderFaults: whatever goes wrong with a line once, soon afterwards the
// program is told of what happens, by one line or another or by looking.
func TestNotifyUnderFaults(t *testing.T) {
	for command, folders := range map[string][]session.FolderRef{
		"IDLE": {session.Inbox}, "DONE": {session.Inbox}, "NOTIFY": {session.Inbox, session.Sent},
	} {
		for name, fault := range lineFaults(command) {
			t.Run(command+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, 1, nil)
					w.server.Inject(fault)
					e := listen(t, w.client, session.NotifyOptions{}, folders...)
					pass(imapx.DefaultIdleRenewal + 5*time.Minute)
					if got := e.news(); strings.Count(got, "listening inbox") == 0 || w.server.Pending() != 0 {
						t.Errorf("first came %q, with %d faults not met", got, w.server.Pending())
					}
					for range 3 {
						w.deliver(t, "INBOX")
						pass(imapx.DefaultPollInterval)
						if got := e.news(); got != "activity inbox" {
							t.Errorf("of an arrival came %q within a minute, error %v", got, e.failure())
						}
					}
				})
			})
		}
	}
}
