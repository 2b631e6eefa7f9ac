package ews_test

import (
	"errors"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/session"
)

// appointment is what a mailbox has that is not mail.
const appointment = "Subject: dentist\r\nContent-Type: text/calendar; charset=utf-8\r\n\r\n" +
	"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:dentist\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

// TestAppointments: an appointment among the messages, as among those that were deleted,
// is listed, searched, synced, marked, moved and deleted as they are, whatever release it
// is: nobody is invited to it, and nobody is told that it does not take place.
func TestAppointments(t *testing.T) {
	for _, v := range ewstest.Versions() {
		t.Run(string(v), func(t *testing.T) {
			b := newBed(t, settings{server: ewstest.Options{Version: v}})
			b.put(t, appointment)
			b.fill(t, 1)
			ids := appointmentsListed(t, b)
			appointmentsChanged(t, b, ids)
		})
	}
}

// appointmentsListed sees to it that listings of every kind tell of both, and returns
// their ids.
func appointmentsListed(t *testing.T, b *bed) []session.ID {
	t.Helper()
	subjects, ids, err := b.list(t.Context(), session.Query{})
	if err != nil || len(ids) != 2 || subjects[1] != "dentist" {
		t.Fatalf("the listing: %q, %v; want both", subjects, err)
	}
	for _, q := range []session.Query{{Fields: session.FieldFlags}, {Where: session.Filter{Unread: session.Yes}}, {Where: session.Filter{Body: "e"}}} {
		for m, err := range b.Messages(t.Context(), q) {
			if err != nil {
				t.Errorf("query %v: %v, %v", q, m, err)
			}
		}
	}
	added := 0
	for page, err := range b.Changes(t.Context(), session.Inbox, session.Cursor{}, session.SyncOptions{}) {
		if err != nil || len(page.Failed) > 0 {
			t.Errorf("changes: %v, %v", page.Failed, err)
		}
		added += len(page.Added)
	}
	if added != 2 {
		t.Errorf("changes tell of %d, want both", added)
	}
	return ids
}

// appointmentsChanged makes all changes to them.
func appointmentsChanged(t *testing.T, b *bed, ids []session.ID) {
	t.Helper()
	versions := map[session.ID]session.Version{}
	change := func(c session.Change) {
		t.Helper()
		results, err := b.Apply(t.Context(), c, ids...)
		for i, r := range results {
			if err = errors.Join(err, r.Err); r.Outcome == session.Done && !r.NewID.IsZero() {
				ids[i] = r.NewID
			}
		}
		if err != nil {
			t.Errorf("change %+v: %v", c, err)
		}
	}
	change(session.Change{Set: session.Flags{session.Flagged, "handled"}})
	change(session.Change{MoveTo: session.Trash})
	for m, err := range b.Messages(t.Context(), session.Query{Folder: session.Trash, Fields: session.FieldVersion | session.FieldFlags}) {
		if err != nil || !m.Flags.Has(session.Flagged) || !m.Flags.Has("handled") {
			t.Fatalf("message %+v, %v; want what was marked", m, err)
		}
		versions[m.ID] = m.Version
	}
	change(session.Change{Delete: true, IfUnchanged: versions})
	if all, err := b.account.Messages("Trash"); err != nil || len(all) != 0 {
		t.Errorf("%d are left, %v", len(all), err)
	}
}
