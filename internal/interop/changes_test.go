//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// filled signs in a library session and another client, and puts n messages into
// the inbox.
func filled(t *testing.T, n int) (*session.Session, *rawIMAP) {
	t.Helper()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	raw := dialIMAPS(t, servers)
	raw.login(user)
	for i := range n {
		text := fmt.Sprintf("From: bob@example.org\r\nMessage-ID: <%d@x>\r\nSubject: Sample %d\r\n\r\ntext\r\n", i+1, i+1)
		raw.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text))
	}
	in, out := pair(t, servers, session.TLS)
	return newSession(t, session.Credentials{User: ann, Password: user.Password}, in, out), raw
}

// summaries returns what the inbox holds, the oldest first.
func summaries(t *testing.T, s *session.Session, fields session.Fields) []*session.Message {
	t.Helper()
	var all []*session.Message
	for m, err := range s.Messages(t.Context(), session.Query{OldestFirst: true, Fields: fields}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func outcomes(results []session.Result) []session.ChangeOutcome {
	var all []session.ChangeOutcome
	for _, r := range results {
		all = append(all, r.Outcome)
	}
	return all
}

// TestConditionOnDovecot: what another changed since the listing stays as it is.
func TestConditionOnDovecot(t *testing.T) {
	t.Parallel()
	s, raw := filled(t, 3)
	all := summaries(t, s, session.FieldFlags|session.FieldVersion)
	raw.ok("SELECT INBOX")
	raw.ok(`UID STORE 2 +FLAGS (\Answered)`)
	results, err := s.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}, Clear: session.Flags{session.Seen}, IfUnchanged: session.Unchanged(all...)},
		all[0].ID, all[1].ID, all[2].ID)
	if want := []session.ChangeOutcome{session.Done, session.NotDone, session.Done}; err != nil || !slices.Equal(outcomes(results), want) {
		t.Fatalf("results %v (%v), want %v", results, err, want)
	}
	if !errors.Is(results[1].Err, session.ErrChanged) {
		t.Errorf("error %v, want ErrChanged", results[1].Err)
	}
	now := summaries(t, s, session.FieldFlags|session.FieldVersion)
	if !now[0].Flags.Has(session.Flagged) || now[1].Flags.Has(session.Flagged) || now[0].Version == all[0].Version {
		t.Errorf("messages %+v, %+v after", now[0], now[1])
	}
	results, err = s.Apply(t.Context(), session.Change{Delete: true, IfUnchanged: session.Unchanged(all[0], now[1])}, all[0].ID, all[1].ID)
	if want := []session.ChangeOutcome{session.NotDone, session.Done}; err != nil || !slices.Equal(outcomes(results), want) {
		t.Errorf("deletion: results %v (%v), want %v", results, err, want)
	}
}

// TestPurgeOnDovecot removes what is marked, in one folder alone.
func TestPurgeOnDovecot(t *testing.T) {
	t.Parallel()
	s, raw := filled(t, 4)
	raw.ok("SELECT INBOX")
	raw.ok(`UID STORE 2,4 +FLAGS (\Deleted)`)
	results, err := s.PurgeMarked(t.Context(), session.Inbox)
	if err != nil || !slices.Equal(outcomes(results), []session.ChangeOutcome{session.Done, session.Done}) {
		t.Fatalf("results %v (%v)", results, err)
	}
	if left := summaries(t, s, session.FieldsAll); len(left) != 2 || left[0].Header.Subject() != "Sample 1" || left[1].Header.Subject() != "Sample 3" {
		t.Errorf("%d messages are left", len(left))
	}
	if results, err := s.PurgeMarked(t.Context(), session.Inbox); err != nil || len(results) != 0 {
		t.Errorf("again: %v, %v", results, err)
	}
}
