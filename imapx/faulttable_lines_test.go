package imapx_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// hear plays one form of one fault at a command of those lines that listen, and
// returns the word for what the program hears from then on: of each arrival within
// a minute, whatever went wrong before.
func (c *trial) hear(fault mailtest.Fault) string {
	notifier, ok := session.As[session.Notifier](c.client)
	if !ok {
		c.Fatal("the client cannot listen")
	}
	folders := []session.FolderRef{session.Inbox}
	if c.row.command == "NOTIFY" {
		folders = append(folders, session.Sent)
	}
	c.server.Inject(fault)
	e := listen(c.T, notifier, session.NotifyOptions{}, folders...)
	pass(imapx.DefaultIdleRenewal + 20*time.Minute) // what comes byte by byte has come, and what rests has been given up
	first := e.news()
	if fault.Times >= 0 && c.server.Pending() != 0 {
		c.Error("the fault was not met")
	}
	late := !strings.Contains(first, "listening inbox")
	c.server.Heal()
	pass(3 * time.Minute)
	if then := e.news(); late && !strings.Contains(then, "listening inbox") {
		c.Errorf("three minutes after the last fault came %q, want listening", then)
	}
	made, lines := c.server.Connections()
	before := len(c.server.Commands())
	for n := range 3 {
		if _, err := c.account.Append("INBOX", mailtest.Sample(5+n), nil); err != nil {
			c.Fatal(err)
		}
		pass(imapx.DefaultPollInterval)
		e.wantNotice(c.T)
	}
	looks := false
	for _, command := range c.server.Commands()[before:] {
		looks = looks || command.Name == "STATUS"
	}
	e.cancel()
	<-e.done
	c.checkError("ok", nil)
	c.checkAfterwards()
	switch {
	case looks:
		return "looks"
	case lines > 1:
		return "apart"
	case late:
		return "late"
	case made > 1:
		return "again"
	}
	return "ok"
}

// wantNotice checks that one came of the inbox. Others may: where a line is renewed,
// and where it was cut in the middle of the word.
func (e *ear) wantNotice(t *testing.T) {
	t.Helper()
	if got := e.news(); !strings.Contains(got, " inbox") || e.failure() != nil {
		t.Errorf("of an arrival came %q within a minute, error %v; want a notice", got, e.failure())
	}
}
