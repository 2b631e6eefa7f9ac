package ews_test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// TestRemediesOfItems: where an item is more than a message, the refusal says what to
// do, and is no reason to try again.
func TestRemediesOfItems(t *testing.T) {
	const invitation = "From: bob@example.org\r\nSubject: Lunch\r\nContent-Type: text/calendar; method=REQUEST\r\n\r\nBEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
	for code, tt := range map[string]struct{ op, want string }{
		"ErrorObjectTypeChanged":        {"CreateItem", "leave its part text/calendar out"},
		"ErrorSentMeetingRequestUpdate": {"UpdateItem", "change the appointment in the calendar"},
		"ErrorSentTaskRequestUpdate":    {"UpdateItem", "change the task itself"},
	} {
		b := newBed(t, settings{})
		b.put(t, invitation)
		id := b.ids(t)[0]
		b.server.Inject(ewstest.Failing(tt.op, code))
		var err error
		if tt.op == "CreateItem" {
			_, err = b.Append(t.Context(), session.Inbox, message.Bytes([]byte(invitation)), nil)
		} else {
			var results []session.Result
			if results, err = b.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}}, id); err == nil {
				err = results[0].Err
			}
		}
		if err == nil || !strings.Contains(err.Error(), code) || !strings.Contains(err.Error(), tt.want) || session.Temporary(err) || len(b.made(tt.op)) != 1 {
			t.Errorf("%s: %v, after %d requests; want %q, after one", code, err, len(b.made(tt.op)), tt.want)
		}
	}
}
