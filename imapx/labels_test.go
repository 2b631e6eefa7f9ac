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

// gmailWorld is a world whose folders are labels, at a server like Gmail's.
func gmailWorld(t *testing.T, n int) *world {
	t.Helper()
	w := newWorld(t, n, &imaptest.Options{Capabilities: imaptest.GmailCapabilities()})
	w.account.UseLabels()
	return w
}

func labelsOf(t *testing.T, w *world, n int) []string {
	t.Helper()
	m := list(t, w.client.Messages(t.Context(), session.Query{OldestFirst: true, Fields: session.FieldLabels}))[n]
	return slices.Sorted(slices.Values(m.Labels))
}

// TestLabelsAreChanged: what is added is listed and found, as a folder too, and
// other labels stay.
func TestLabelsAreChanged(t *testing.T) {
	w := gmailWorld(t, 2)
	all := ids(t, w)
	for _, step := range []struct {
		change session.Change
		said   string
		want   []string
	}{
		{session.Change{AddLabels: []string{"Work", "Grüße/Köln", `a "b" \`}}, `+X-GM-LABELS ("Work" "Gr&APwA3w-e/K&APY-ln" "a \"b\" \\")`, []string{"Grüße/Köln", "Work", `a "b" \`}},
		{session.Change{AddLabels: []string{`\Starred`}, RemoveLabels: []string{"work"}}, `-X-GM-LABELS ("work")`, []string{"Grüße/Köln", `\Starred`, `a "b" \`}},
		{session.Change{Clear: session.Flags{session.Flagged}, RemoveLabels: []string{`a "b" \`}}, `-X-GM-LABELS ("a \"b\" \\")`, []string{"Grüße/Köln"}},
	} {
		results, err := w.client.Apply(t.Context(), step.change, all[0])
		if err != nil || results[0].Outcome != session.Done {
			t.Fatalf("Apply(%+v) = %+v, %v; want done", step.change, results, err)
		}
		if got := labelsOf(t, w, 0); !slices.Equal(got, slices.Sorted(slices.Values(step.want))) {
			t.Errorf("after %+v the labels are %q, want %q", step.change, got, step.want)
		}
		if got := labelsOf(t, w, 1); len(got) != 0 {
			t.Errorf("after %+v another message has the labels %q", step.change, got)
		}
		if !slices.ContainsFunc(w.server.Commands(), func(c mailtest.Command) bool { return strings.HasSuffix(c.Line, step.said) }) {
			t.Errorf("the client did not say %s", step.said)
		}
	}
	if kept, err := w.account.Messages("Grüße/Köln"); err != nil || len(kept) != 1 {
		t.Errorf("the label's folder holds %d messages, %v; want one", len(kept), err)
	}
}

// TestArchivedByLabel: without the label of its folder a message is not there any
// more, and is in the folder of all mail.
func TestArchivedByLabel(t *testing.T) {
	w := gmailWorld(t, 2)
	all := ids(t, w)
	results, err := w.client.Apply(t.Context(), session.Change{RemoveLabels: []string{`\Inbox`}}, all[0])
	if err != nil || results[0].Outcome != session.Done {
		t.Fatalf("Apply = %+v, %v; want done", results, err)
	}
	if left := ids(t, w); len(left) != 1 || left[0] != all[1] {
		t.Errorf("the inbox holds %v, want the other message", left)
	}
	if kept, err := w.account.Messages("All Mail"); err != nil || len(kept) != 2 {
		t.Errorf("the folder of all mail holds %d messages, %v; want both", len(kept), err)
	}
}

// TestLabelsOfWhatIsGone: a message that others removed is NotDone, and so is
// what the server refuses; a server without labels is asked for nothing.
func TestLabelsOfWhatIsGone(t *testing.T) {
	w := gmailWorld(t, 3)
	all := ids(t, w)
	if _, err := w.account.Expunge("INBOX", 2); err != nil {
		t.Fatal(err)
	}
	work := session.Change{AddLabels: []string{"Work"}}
	results, err := w.client.Apply(t.Context(), work, all...)
	if err != nil || results[0].Outcome != session.Done || !errors.Is(results[1].Err, session.ErrNoMessage) || results[2].Outcome != session.Done {
		t.Errorf("Apply = %+v, %v; want that the second is gone", results, err)
	}
	w.server.Inject(mailtest.Reply("UID STORE", "NO [CANNOT] too many labels"))
	if results, err := w.client.Apply(t.Context(), session.Change{AddLabels: []string{"More"}}, all[0]); err != nil || results[0].Outcome != session.NotDone {
		t.Errorf("Apply = %+v, %v; want what the server refuses not done", results, err)
	}

	plain := newWorld(t, 1, nil)
	results, err = plain.client.Apply(t.Context(), work, ids(t, plain)...)
	if err != nil || results[0].Outcome != session.NotDone || !errors.Is(results[0].Err, errors.ErrUnsupported) || !strings.Contains(results[0].Err.Error(), "X-GM-EXT-1") {
		t.Errorf("Apply = %+v, %v; want an error that wraps errors.ErrUnsupported and names X-GM-EXT-1", results, err)
	}
	if line := commandLine(plain, "UID STORE"); line != "" {
		t.Errorf("the client said %q", line)
	}
}
