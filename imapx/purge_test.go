package imapx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestPurgeMarked removes what carried \Deleted when it was asked for: not what
// another marks meanwhile, and not what another unmarks.
func TestPurgeMarked(t *testing.T) {
	w := newWorld(t, 5, nil)
	mark := func(uids ...mailtest.UID) {
		if err := w.account.AddFlags("INBOX", []string{mailtest.Deleted}, uids...); err != nil {
			t.Error(err)
		}
	}
	mark(1, 3, 5)
	w.server.Inject(mailtest.Call("UID EXPUNGE", func() {
		mark(4)
		if err := w.account.RemoveFlags("INBOX", []string{mailtest.Deleted}, 3); err != nil {
			t.Error(err)
		}
	}))
	all := ids(t, w)
	results, err := w.client.PurgeMarked(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.Done, session.NotDone, session.Done)
	if results[0].ID != all[0] || results[1].ID != all[2] || results[2].ID != all[4] {
		t.Errorf("results %v, want those of messages 1, 3 and 5", results)
	}
	if got, want := contents(t, w.account, "INBOX"), `2[] 3[] 4[\Deleted]`; got != want {
		t.Errorf("inbox %s, want %s", got, want)
	}
	if results, err := w.client.PurgeMarked(t.Context(), session.Sent); err != nil || len(results) != 0 {
		t.Errorf("where nothing is marked: %v, %v", results, err)
	}
	if _, err := w.client.PurgeMarked(t.Context(), session.FolderAt("Nowhere")); !errors.Is(err, session.ErrNoFolder) {
		t.Errorf("of a folder that is not there: %v, want ErrNoFolder", err)
	}
}

// TestPurgeNeedsUIDPlus: a plain EXPUNGE would take what others mark meanwhile.
func TestPurgeNeedsUIDPlus(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("UIDPLUS")})
	if err := w.account.AddFlags("INBOX", []string{mailtest.Deleted}, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.PurgeMarked(t.Context(), session.Inbox); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "UIDPLUS") {
		t.Errorf("error %v, want one that wraps errors.ErrUnsupported and names UIDPLUS", err)
	}
	if got := contents(t, w.account, "INBOX"); got != `1[\Deleted]` {
		t.Errorf("inbox %s", got)
	}
}

// TestPurgeAnswerLost: nobody knows what went, so that nothing is tried again.
func TestPurgeAnswerLost(t *testing.T) {
	w := newWorld(t, 1, nil)
	if err := w.account.AddFlags("INBOX", []string{mailtest.Deleted}, 1); err != nil {
		t.Fatal(err)
	}
	w.server.Inject(mailtest.Drop("UID EXPUNGE", 0))
	results, err := w.client.PurgeMarked(t.Context(), session.Inbox)
	wantOutcomes(t, results, session.DoneUnknown)
	if err == nil {
		t.Error("no error")
	}
}

// TestManyMessagesMoved: thousands of scattered messages are changed by commands whose
// lines every server takes.
func TestManyMessagesMoved(t *testing.T) {
	const n = 3000
	w := newWorld(t, 0, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.PageSize = n })
	for i := range 2 * n {
		if _, err := w.account.Append("INBOX", fmt.Sprintf("Subject: %d\r\n\r\nx\r\n", i), nil); err != nil {
			t.Fatal(err)
		}
	}
	var every2nd []session.ID
	for i, id := range ids(t, w) {
		if i%2 == 0 {
			every2nd = append(every2nd, id)
		}
	}
	results, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.FolderAt("Archive")}, every2nd...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != session.Done || r.NewID.IsZero() {
			t.Fatalf("result %+v", r)
		}
	}
	for _, c := range w.server.Commands() {
		if strings.HasPrefix(c.Name, "UID") && c.Name != "UID FETCH" && len(c.Line) > 8000 {
			t.Errorf("a line of %d bytes: %.60s", len(c.Line), c.Line)
		}
	}
	for folder, want := range map[string]int{"INBOX": n, "Archive": n} {
		if messages, err := w.account.Messages(folder); err != nil || len(messages) != want {
			t.Errorf("%s has %d messages (%v), want %d", folder, len(messages), err, want)
		}
	}
}
