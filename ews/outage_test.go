package ews_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// news returns what a loop over changes tells from a cursor on, and where it ended.
func (b *bed) news(t *testing.T, since session.Cursor) (added, changed, failed int, at session.Cursor, err error) {
	t.Helper()
	at = since
	for page, err := range b.Changes(t.Context(), session.Inbox, since, session.SyncOptions{}) {
		if err != nil {
			return added, changed, failed, at, err
		}
		added, changed, failed, at = added+len(page.Added), changed+len(page.Changed), failed+len(page.Failed), page.Cursor
	}
	return added, changed, failed, at, nil
}

// TestChangesDuringAnOutage: messages that cannot be read while a mailbox fails over are
// told of once that is over, and not given up.
func TestChangesDuringAnOutage(t *testing.T) {
	for _, count := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, settings{})
			b.fill(t, count)
			b.server.Inject(ewstest.Failing("GetItem", "ErrorMailboxFailover").Repeating(3))
			added, _, failed, at, err := b.news(t, session.Cursor{})
			if added != count || failed != 0 || err != nil {
				t.Errorf("%d were added and %d failed, %v; want all %d", added, failed, err, count)
			}
			b.fill(t, 3)
			b.server.Inject(ewstest.Failing("GetItem", "ErrorMailboxFailover").Repeating(6)) // one try and five more
			if _, _, failed, at, err = b.news(t, at); failed != 0 || !session.Temporary(err) {
				t.Errorf("while it lasts: %d have failed, %v; want an error that passes", failed, err)
			}
			if added, _, failed, _, err = b.news(t, at); added != 3 || failed != 0 || err != nil {
				t.Errorf("afterwards %d were added and %d failed, %v; want three", added, failed, err)
			}
		})
	}
}

// TestChangedMessageThatCannotBeRead: it is told of as such.
func TestChangedMessageThatCannotBeRead(t *testing.T) {
	for _, code := range []string{"ErrorCorruptData", "ErrorTimeoutExpired"} {
		synctest.Test(t, func(t *testing.T) {
			b := newBed(t, settings{})
			b.fill(t, 2)
			_, _, _, at, err := b.news(t, session.Cursor{})
			if err != nil {
				t.Fatal(err)
			}
			if err := b.account.AddFlags("INBOX", []string{mailtest.Flagged}, 1); err != nil {
				t.Fatal(err)
			}
			b.server.Inject(ewstest.Failing("GetItem", code).Repeating(-1))
			_, changed, failed, _, err := b.news(t, at)
			if changed != 0 || failed != 1 || err != nil {
				t.Errorf("%s: %d have changed and %d failed, %v; want one that failed", code, changed, failed, err)
			}
		})
	}
}

// stopped makes the server break an answer to GetItem off behind some items, as Exchange
// does where it cannot go on.
func stopped(text string, behind int) string {
	const begin, success = "<m:GetItemResponseMessage", ` ResponseClass="Success">`
	head, body, _ := strings.Cut(text, "\r\n\r\n")
	parts := strings.Split(body, begin)
	for i := behind + 1; i < len(parts); i++ {
		_, rest, _ := strings.Cut(parts[i], "</m:GetItemResponseMessage>")
		parts[i] = ` ResponseClass="Warning"><m:MessageText>Batch processing was stopped.</m:MessageText>` +
			`<m:ResponseCode>ErrorBatchProcessingStopped</m:ResponseCode><m:Items/></m:GetItemResponseMessage>` + rest
	}
	if behind < len(parts) {
		parts[behind] = strings.Replace(parts[behind], success, ` ResponseClass="Error">`, 1)
		parts[behind] = strings.Replace(parts[behind], "<m:ResponseCode>NoError", "<m:ResponseCode>ErrorCorruptData", 1)
	}
	body = strings.Join(parts, begin)
	lines := strings.Split(head, "\r\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "Content-Length:") {
			lines[i] = fmt.Sprintf("Content-Length: %d", len(body))
		}
	}
	return strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// TestBatchThatIsStopped: where the server does not come to some messages, since one
// before them cannot be read, they are asked for again.
func TestBatchThatIsStopped(t *testing.T) {
	mid := &between{}
	b := newBed(t, settings{change: mid.stand})
	b.fill(t, 5)
	_, ids, err := b.list(t.Context(), session.Query{})
	if err != nil {
		t.Fatal(err)
	}
	mid.answer = func(text, _ string) string {
		if strings.Contains(text, "<m:GetItemResponse") && strings.Count(text, "<m:GetItemResponseMessage") == 5 {
			return stopped(text, 2)
		}
		return text
	}
	told := 0
	for m, err := range b.Messages(t.Context(), session.Query{}) {
		bad, failed := errors.AsType[*session.ItemError](err)
		switch {
		case told == 1 && (!failed || bad.ID != ids[1] || !strings.Contains(err.Error(), "ErrorCorruptData")):
			t.Errorf("the second is %v, %v; want that it cannot be read", m, err)
		case told != 1 && err != nil:
			t.Errorf("number %d: %v", told, err)
		}
		told++
	}
	if told != 5 {
		t.Errorf("told of %d messages, want five", told)
	}
}

// TestPatienceWithMessages: how often messages that cannot be read for the moment are
// asked for goes by Options.Retry.
func TestPatienceWithMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		retry oauth.Retry
		tries int
	}{
		"by default":     {oauth.Retry{}, 6},
		"never":          {oauth.Retry{On: oauth.RetryNever}, 1},
		"twice":          {oauth.Retry{Count: 2}, 3},
		"for longer":     {oauth.Retry{Count: 9}, 10},
		"a status of it": {oauth.Retry{On: oauth.RetryStatus, Statuses: []int{503}, Count: 1}, 2},
		"another status": {oauth.Retry{On: oauth.RetryStatus, Statuses: []int{502}}, 1},
	} {
		for _, count := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s, %d", name, count), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newBed(t, settings{client: ews.Options{Retry: tt.retry}})
					b.fill(t, count)
					b.server.Inject(ewstest.Failing("GetItem", "ErrorMailboxFailover").Repeating(-1))
					added, _, failed, _, err := b.news(t, session.Cursor{})
					if alone := count == 1; added != 0 || (failed == 1) != alone || (err == nil) != alone {
						t.Errorf("%d were added and %d failed, %v; want one that failed, or an error where there are several", added, failed, err)
					}
					if got := b.asked("GetItem"); got != tt.tries {
						t.Errorf("the messages were asked for %d times, want %d", got, tt.tries)
					}
				})
			})
		}
	}
}
