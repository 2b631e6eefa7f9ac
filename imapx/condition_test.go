package imapx_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// with returns the options of a server that has these extensions and no other
// of their kind.
func with(capabilities ...string) *imaptest.Options {
	plain := imaptest.Without("CONDSTORE", "QRESYNC", "OBJECTID", "X-GM-EXT-1")
	return &imaptest.Options{Capabilities: append(plain, capabilities...)}
}

// versioned returns the ids of the inbox, each with the version that belongs to
// it.
func versioned(t *testing.T, w *world, versions ...session.Version) ([]session.ID, map[session.ID]session.Version) {
	t.Helper()
	all := ids(t, w)
	given := map[session.ID]session.Version{}
	for i, v := range versions {
		given[all[i]] = v
	}
	return all, given
}

// TestConditionalChange: of what the server says it refused nothing else is
// believed to be done, and all that it was not asked for has a reason.
func TestConditionalChange(t *testing.T) {
	const done, notDone = session.Done, session.NotDone
	for _, tt := range []struct {
		name   string
		answer string
		want   []session.ChangeOutcome
	}{
		{"all have their version", "OK done", []session.ChangeOutcome{done, done, done}},
		{"one has another", "OK [MODIFIED 2] conditional", []session.ChangeOutcome{done, notDone, done}},
		{"a range has others", "OK [MODIFIED 3:2] conditional", []session.ChangeOutcome{done, notDone, notDone}},
		{"a range beyond what was asked for", "OK [MODIFIED 2:4294967295] conditional", []session.ChangeOutcome{done, notDone, notDone}},
		{"refused, and the rest was changed", "NO [MODIFIED 2] some have others", []session.ChangeOutcome{done, notDone, done}},
		{"unreadable: looked up", "OK [MODIFIED x] conditional", []session.ChangeOutcome{done, notDone, done}},
		{"refused as a whole", "NO [CANNOT] not here", []session.ChangeOutcome{notDone, notDone, notDone}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 3, with("CONDSTORE"))
			all, versions := versioned(t, w, "7", "7", "7")
			fault := mailtest.Reply("UID STORE", tt.answer)
			fault.Call = func() {
				if err := w.account.AddFlags("INBOX", []string{mailtest.Flagged}, 1, 3); err != nil {
					t.Error(err)
				}
			}
			w.server.Inject(fault)
			results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}, IfUnchanged: versions}, all...)
			if err != nil {
				t.Fatal(err)
			}
			wantOutcomes(t, results, tt.want...)
			for _, r := range results {
				if changed := errors.Is(r.Err, session.ErrChanged); changed == strings.Contains(tt.answer, "CANNOT") && r.Outcome == notDone {
					t.Errorf("%v: error %v", r.ID, r.Err)
				}
			}
			if line := commandLine(w, "UID STORE"); !strings.Contains(line, `UID STORE 1:3 (UNCHANGEDSINCE 7) +FLAGS.SILENT (\Flagged)`) {
				t.Errorf("the command was %q", line)
			}
		})
	}
}

// commandLine returns the first command of a name as the server saw it.
func commandLine(w *world, name string) string {
	for _, c := range w.server.Commands() {
		if c.Name == name {
			return c.Line
		}
	}
	return ""
}

// TestConditionalDelete marks on a condition and expunges only what took the
// mark.
func TestConditionalDelete(t *testing.T) {
	w := newWorld(t, 2, with("CONDSTORE"))
	all, versions := versioned(t, w, "7", "7")
	fault := mailtest.Reply("UID STORE", "OK [MODIFIED 1] conditional")
	fault.Call = func() {
		if err := w.account.AddFlags("INBOX", []string{mailtest.Deleted}, 2); err != nil {
			t.Error(err)
		}
	}
	w.server.Inject(fault)
	results, err := w.client.Apply(t.Context(), session.Change{Delete: true, IfUnchanged: versions}, all...)
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.NotDone, session.Done)
	if got := contents(t, w.account, "INBOX"); got != "1[]" {
		t.Errorf("inbox %s, want the first message", got)
	}
}

// TestConditionThatCannotBe is refused before anything is changed.
func TestConditionThatCannotBe(t *testing.T) {
	flag := session.Flags{session.Flagged}
	for _, tt := range []struct {
		name    string
		options *imaptest.Options
		change  session.Change
		want    string
	}{
		{"no CONDSTORE", with(), session.Change{Set: flag}, "CONDSTORE"},
		{"a move", with("CONDSTORE"), session.Change{MoveTo: session.Sent}, "only flags and Delete"},
		{"a version of another kind", with("CONDSTORE"), session.Change{Set: flag}, "not given"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1, tt.options)
			all, versions := versioned(t, w, "7) FLAGS (x")
			tt.change.IfUnchanged = versions
			results, _ := w.client.Apply(t.Context(), tt.change, all...)
			wantOutcomes(t, results, session.NotDone)
			if err := results[0].Err; err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one that says %q", err, tt.want)
			}
			if tt.want == "CONDSTORE" && !errors.Is(results[0].Err, errors.ErrUnsupported) {
				t.Errorf("error %v, want errors.ErrUnsupported", results[0].Err)
			}
			if line := commandLine(w, "UID STORE"); line != "" {
				t.Errorf("the client said %q", line)
			}
		})
	}
}

// TestExtraFields are asked for only where the server has them, and read in
// all forms.
func TestExtraFields(t *testing.T) {
	const everything = session.FieldVersion | session.FieldIDs | session.FieldLabels
	for _, tt := range []struct {
		name, answer, asked string
		options             *imaptest.Options
		want                session.Message
	}{
		{"a server without", "", "(UID)", with(), session.Message{}},
		{
			"OBJECTID and CONDSTORE", "EMAILID (M6d99) THREADID (T64b) MODSEQ (12121231000)",
			"(UID MODSEQ EMAILID THREADID)", with("OBJECTID", "CONDSTORE"),
			session.Message{Version: "12121231000", EmailID: "M6d99", ThreadID: "T64b"},
		},
		{"no conversation", "EMAILID (M6d99) THREADID NIL", "(UID EMAILID THREADID)", with("OBJECTID"), session.Message{EmailID: "M6d99"}},
		{
			"Gmail", "X-GM-THRID 1266894439832287888 X-GM-MSGID 1278455344230334865 X-GM-LABELS (\"\\\\Inbox\" \\Sent Work \"two words\" \"&APw-ber\" {5}\r\na \"b\" R&D)",
			"(UID X-GM-MSGID X-GM-THRID X-GM-LABELS)", with("X-GM-EXT-1"),
			session.Message{
				EmailID: "1278455344230334865", ThreadID: "1266894439832287888",
				Labels: []string{`\Inbox`, `\Sent`, "Work", "two words", "über", `a "b"`, "R&D"},
			},
		},
		{"Gmail without labels", "X-GM-LABELS ()", "(UID X-GM-MSGID X-GM-THRID X-GM-LABELS)", with("X-GM-EXT-1"), session.Message{Labels: []string{}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1, tt.options)
			if tt.answer != "" {
				w.server.Inject(mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 "+tt.answer+")\r\nOK done"))
			}
			m := list(t, w.client.Messages(t.Context(), session.Query{Fields: everything}))[0]
			if m.Version != tt.want.Version || m.EmailID != tt.want.EmailID || m.ThreadID != tt.want.ThreadID ||
				!slices.Equal(m.Labels, tt.want.Labels) || (m.Labels == nil) != (tt.want.Labels == nil) {
				t.Errorf("message %+v, want %+v", m, tt.want)
			}
			if line := commandLine(w, "UID FETCH"); !strings.HasSuffix(line, tt.asked) {
				t.Errorf("the command was %q, want it to ask for %s", line, tt.asked)
			}
			facts, err := w.client.Facts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if facts.Versions != strings.Contains(tt.asked, "MODSEQ") || facts.Labels != strings.Contains(tt.asked, "LABELS") ||
				facts.Labels != (facts.Native == "X-GM-RAW") ||
				facts.ObjectIDs != (tt.want.EmailID != "" || facts.Labels) {
				t.Errorf("facts %+v", facts)
			}
		})
	}
}
