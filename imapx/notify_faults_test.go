package imapx_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestLinesThatAreOverAtOnce: a server that answers OK and tells nothing is heard
// by another line, or looked at. What else goes wrong with lines is in
// testdata/faults.txt.
func TestLinesThatAreOverAtOnce(t *testing.T) {
	for command, folders := range map[string][]session.FolderRef{
		"IDLE": {session.Inbox}, "NOTIFY": {session.Inbox, session.Sent},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 1, nil)
			w.server.Inject(mailtest.Reply(command, "OK done already"))
			e := listen(t, w.client, session.NotifyOptions{}, folders...)
			pass(imapx.DefaultIdleRenewal)
			if got := e.news(); strings.Count(got, "listening inbox") == 0 || w.server.Pending() != 0 {
				t.Errorf("%s: first came %q, with %d faults not met", command, got, w.server.Pending())
			}
			w.deliver(t, "INBOX")
			pass(imapx.DefaultPollInterval)
			e.wantNotice(t)
		})
	}
}
