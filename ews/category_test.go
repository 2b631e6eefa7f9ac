package ews_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// categories are such as Outlook makes by itself, and such as people type.
func categories() session.Flags {
	return session.Flags{"Red category", "Rote Kategorie", "Größe", "R&D <EU> (50%)", `50" * 30" \ a`, "重要", session.Flag(strings.Repeat("ü", 255))}
}

// TestCategories: whatever Exchange takes for a category is set, listed, found by the
// text of a query, and cleared, by a session on every release.
func TestCategories(t *testing.T) {
	for _, version := range ewstest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			b := newBed(t, settings{server: ewstest.Options{Version: version}})
			b.fill(t, 2)
			s := b.session(t)
			ids := b.ids(t)
			for _, name := range categories() {
				t.Run(string(name), func(t *testing.T) { file(t, s, ids, name) })
			}
			id, err := s.Append(t.Context(), session.Inbox, message.Bytes([]byte(mailtest.Sample(3))), &session.AppendOptions{Flags: categories()})
			if err != nil {
				t.Fatalf("Append: %v", err)
			}
			for m, err := range s.Messages(t.Context(), session.Query{Where: session.Filter{IDs: []session.ID{id}}}) {
				if err != nil || slices.ContainsFunc(categories(), func(f session.Flag) bool { return !m.Flags.Has(f) }) {
					t.Errorf("the appended message: %v, %v; want it with %q", m, err, categories())
				}
			}
		})
	}
}

// session returns a session on the bed's server.
func (b *bed) session(tb testing.TB) *session.Session {
	tb.Helper()
	server := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial, Transcript: testlog.New(tb)}
	s, err := session.New(session.Credentials{User: ann, Password: password()}, ews.Backend(server, nil), nil, nil)
	if err != nil {
		tb.Fatalf("session.New: %v", err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

// ids returns those of the inbox.
func (b *bed) ids(tb testing.TB) []session.ID {
	tb.Helper()
	_, ids, err := b.list(tb.Context(), session.Query{})
	if err != nil {
		tb.Fatalf("Messages: %v", err)
	}
	return ids
}

// file gives the second of some messages a category, and takes it away.
func file(tb testing.TB, s *session.Session, ids []session.ID, name session.Flag) {
	tb.Helper()
	written := session.Query{Where: session.Filter{Keyword: name}, Fields: session.FieldFlags}.String()
	for _, step := range []struct {
		change session.Change
		want   int
	}{
		{session.Change{Set: session.Flags{name}}, 1},
		{session.Change{Set: session.Flags{name, session.Seen}}, 1},
		{session.Change{Clear: session.Flags{name}}, 0},
	} {
		if _, err := s.Apply(tb.Context(), step.change, ids[1]); err != nil {
			tb.Fatalf("Apply(%+v): %v", step.change, err)
		}
		q, err := session.ParseQuery(written)
		if err != nil {
			tb.Fatalf("ParseQuery(%s): %v", written, err)
		}
		found := 0
		for m, err := range s.Messages(tb.Context(), q) {
			if err != nil || m.ID != ids[1] || !m.Flags.Has(name) {
				tb.Errorf("Messages(%s) after %+v: %v, %v; want the message with the flag", written, step.change, m, err)
				return
			}
			found++
		}
		if found != step.want {
			tb.Errorf("Messages(%s) after %+v finds %d, want %d", written, step.change, found, step.want)
		}
	}
}

// TestNoCategory: what cannot be a category is refused by its name, with the rule, and
// nothing is asked of the server.
func TestNoCategory(t *testing.T) {
	b := newBed(t, settings{})
	b.fill(t, 1)
	id := b.ids(t)[0]
	asked := len(b.server.Requests())
	for _, tt := range []struct {
		name  session.Flag
		rule  string
		found bool // may be searched for, and taken away
	}{
		{"", "one line of 1 to 255 characters", false},
		{`\`, "one line of 1 to 255 characters", false},
		{"line\r\nbreak", "one line of 1 to 255 characters", false},
		{"bell\a", "one line of 1 to 255 characters", false},
		{"no\uffffcharacter", "one line of 1 to 255 characters", false},
		{"no\xffUTF-8", "one line of 1 to 255 characters", false},
		{session.Flag(strings.Repeat("ü", 256)), "one line of 1 to 255 characters", false},
		{session.Flag(strings.Repeat("😀", 128)), "one line of 1 to 255 characters", false},
		{"one,two", "commas and semicolons", true},
		{"one; two", "commas and semicolons", true},
		{" around ", "no blanks around", true},
	} {
		results, err := b.Apply(t.Context(), session.Change{Set: session.Flags{tt.name}}, id)
		if err == nil || results[0].Outcome != session.NotDone || !strings.Contains(err.Error(), tt.rule) {
			t.Errorf("Apply(Set %q) = %v, %v; want it refused: %s", tt.name, results, err, tt.rule)
		}
		_, err = b.Append(t.Context(), session.Inbox, message.Bytes([]byte(mailtest.Sample(2))), &session.AppendOptions{Flags: session.Flags{tt.name}})
		if err == nil || !strings.Contains(err.Error(), tt.rule) {
			t.Errorf("Append with %q = %v, want it refused: %s", tt.name, err, tt.rule)
		}
		if tt.found || tt.name == "" {
			continue
		}
		not := session.Filter{Not: &session.Filter{Keyword: tt.name}}
		for _, where := range []session.Filter{{Keyword: tt.name}, {AnyOf: []session.Filter{{Keyword: "x"}, not}}, {All: []session.Filter{not}}} {
			if _, _, err := b.list(t.Context(), session.Query{Where: where}); err == nil {
				t.Errorf("Messages(%q) succeeds, want it refused: %s", where, tt.rule)
			}
			if _, err := b.Explain(t.Context(), session.Query{Where: where}); err == nil {
				t.Errorf("Explain(%q) succeeds, want it refused: %s", where, tt.rule)
			}
		}
	}
	for _, c := range []session.Change{{Set: session.Flags{`\Recent`}}, {Clear: session.Flags{`\Recent`}}} {
		if _, err := b.Apply(t.Context(), c, id); !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Apply(%+v) = %v, want it unsupported", c, err)
		}
	}
	if n := len(b.server.Requests()) - asked; n != 0 {
		t.Errorf("%d requests were made for what cannot be, want none", n)
	}
}

// TestForeignCategory: what another program has set against Outlook's rules is found
// and taken away, and the other categories stay.
func TestForeignCategory(t *testing.T) {
	b := newBed(t, settings{})
	if _, err := b.account.Append("INBOX", mailtest.Sample(1), &mailtest.AppendOptions{Flags: []string{"one,two", "Later", "three; four"}}); err != nil {
		t.Fatal(err)
	}
	id := b.ids(t)[0]
	for _, name := range []session.Flag{"one,two", "three; four"} {
		where := session.Query{Where: session.Filter{Keyword: name}}
		if _, ids, err := b.list(t.Context(), where); err != nil || !slices.Equal(ids, []session.ID{id}) {
			t.Errorf("Messages(%v) = %v, %v; want the message", where, ids, err)
		}
		if results, err := b.Apply(t.Context(), session.Change{Clear: session.Flags{name}}, id); err != nil || results[0].Outcome != session.Done {
			t.Errorf("Apply(Clear %q) = %v, %v; want it done", name, results, err)
		}
	}
	for m, err := range b.Messages(t.Context(), session.Query{}) {
		if err != nil || !slices.Equal(m.Flags, session.Flags{"Later"}) {
			t.Errorf("the message has %q, %v; want Later alone", m.Flags, err)
		}
	}
}
