package match_test

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

func TestScanLimit(t *testing.T) {
	for _, tt := range []struct{ asked, want int }{{0, session.DefaultScanLimit}, {7, 7}, {-1, -1}} {
		if got := match.ScanLimit(session.Query{ScanLimit: tt.asked}); got != tt.want {
			t.Errorf("ScanLimit of %d = %d, want %d", tt.asked, got, tt.want)
		}
	}
}

// TestTrimLeavesWhatWasAskedFor trims a summary that has everything.
func TestTrimLeavesWhatWasAskedFor(t *testing.T) {
	whole := func() *session.Message {
		return &session.Message{
			Flags: session.Flags{session.Seen}, Received: time.Unix(1, 0), Size: 5,
			Header: message.ParseHeader([]byte("Subject: a\r\n")), Structure: message.Structure{{}},
			Version: "3", EmailID: "e", Incomplete: errors.New("in part"),
		}
	}
	const contents = session.FieldStructure | session.FieldPreview
	for _, tt := range []struct {
		field  session.Fields
		remain func(*session.Message) any
	}{
		{session.FieldFlags, func(m *session.Message) any { return m.Flags }},
		{session.FieldReceived, func(m *session.Message) any { return m.Received }},
		{session.FieldSize, func(m *session.Message) any { return m.Size }},
		{session.FieldHeader, func(m *session.Message) any { return m.Header }},
		{session.FieldStructure, func(m *session.Message) any { return m.Structure }},
		{contents, func(m *session.Message) any { return m.Incomplete }},
		{session.FieldPreview, func(m *session.Message) any { return m.Incomplete }},
	} {
		asked, others := whole(), whole()
		match.Trim(asked, tt.field)
		if got, want := tt.remain(asked), tt.remain(whole()); !reflect.DeepEqual(got, want) {
			t.Errorf("asked for %v alone, Trim leaves %v, want %v", tt.field, got, want)
		}
		match.Trim(others, session.FieldsAll&^tt.field&^contents)
		if got, nothing := tt.remain(others), tt.remain(&session.Message{}); !reflect.DeepEqual(got, nothing) {
			t.Errorf("asked for all but %v, Trim leaves %v, want %v", tt.field, got, nothing)
		}
	}
	m := whole()
	if match.Trim(m, 0); m.Version != "3" || m.EmailID != "e" {
		t.Errorf("Trim takes the version and the names away: %+v", m)
	}
	match.Trim(nil, 0)
}
