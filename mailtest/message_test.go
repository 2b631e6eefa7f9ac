package mailtest_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

func TestAppend(t *testing.T) {
	_, a := newAccount(t)
	received := time.Date(2020, 2, 3, 4, 5, 6, 0, time.FixedZone("", 3600))
	uid, err := a.Append("Drafts", "raw", &mailtest.AppendOptions{
		Flags: []string{"$Work", `\seen`, "$WORK", `\Draft`}, Received: received,
	})
	if err != nil || uid != 1 {
		t.Fatalf("Append = %d, %v", uid, err)
	}
	m, err := a.Message("Drafts", uid)
	if err != nil {
		t.Fatalf("Message: %v", err)
	}
	if want := []string{"$Work", mailtest.Draft, mailtest.Seen}; !slices.Equal(m.Flags, want) {
		t.Errorf("Flags = %q, want %q", m.Flags, want)
	}
	if !m.Received.Equal(received) || m.Raw != "raw" || m.Folder != "Drafts" {
		t.Errorf("message = %+v", m)
	}
	if !m.Has(`\SEEN`) || m.Has(mailtest.Deleted) {
		t.Errorf("Has tells wrong flags of %q", m.Flags)
	}
	if _, err := a.Append("X", "raw", nil); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("Append to a missing folder: %v", err)
	}
	if _, err := a.Message("Drafts", 7); !errors.Is(err, mailtest.ErrNoMessage) {
		t.Errorf("Message 7: %v", err)
	}
}

func TestFlags(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 2)
	start := folder(t, a, "INBOX").ModSeq
	steps := []struct {
		do   func() error
		want []string
		mod  uint64 // changes counted so far
	}{
		{func() error { return a.AddFlags("INBOX", []string{`\SEEN`, "blue"}, 1, 99) }, []string{mailtest.Seen, "blue"}, 1},
		{func() error { return a.AddFlags("INBOX", []string{`\Seen`, "BLUE"}, 1) }, []string{mailtest.Seen, "blue"}, 1},
		{func() error { return a.RemoveFlags("INBOX", []string{`\seen`}, 1) }, []string{"blue"}, 2},
		{func() error { return a.SetFlags("INBOX", []string{mailtest.Deleted}, 1) }, []string{mailtest.Deleted}, 3},
		{func() error { return a.SetFlags("INBOX", nil, 1) }, nil, 4},
	}
	for i, step := range steps {
		if err := step.do(); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		m, err := a.Message("INBOX", 1)
		if err != nil || !slices.Equal(m.Flags, step.want) {
			t.Errorf("step %d: flags %q, %v, want %q", i, m.Flags, err, step.want)
		}
		if got := folder(t, a, "INBOX").ModSeq - start; got != step.mod {
			t.Errorf("step %d: %d changes counted, want %d", i, got, step.mod)
		}
	}
	if err := a.SetFlags("X", nil, 1); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("SetFlags in a missing folder: %v", err)
	}
}

func TestSnapshotsAreCopies(t *testing.T) {
	_, a := newAccount(t)
	if _, err := a.Append("INBOX", "x", &mailtest.AppendOptions{Flags: []string{"a", "b"}}); err != nil {
		t.Fatalf("Append: %v", err)
	}
	m, err := a.Message("INBOX", 1)
	if err != nil {
		t.Fatalf("Message: %v", err)
	}
	m.Flags[0] = "changed"
	if again, _ := a.Message("INBOX", 1); again.Flags[0] != "a" {
		t.Errorf("flags = %q after changing a copy", again.Flags)
	}
}

func TestCopyMoveExpunge(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 5)
	if err := a.AddFlags("INBOX", []string{mailtest.Flagged}, 2); err != nil {
		t.Fatalf("AddFlags: %v", err)
	}
	original, err := a.Message("INBOX", 2)
	if err != nil {
		t.Fatalf("Message: %v", err)
	}

	copied, err := a.Copy("INBOX", "Archive", 4, 2, 2, 77)
	if want := []mailtest.Transferred{{2, 1}, {4, 2}}; err != nil || !slices.Equal(copied, want) {
		t.Errorf("Copy = %v, %v, want %v", copied, err, want)
	}
	duplicate, err := a.Message("Archive", 1)
	if err != nil || duplicate.ID == original.ID || duplicate.Raw != original.Raw || !duplicate.Has(mailtest.Flagged) ||
		!duplicate.Received.Equal(original.Received) {
		t.Errorf("copy = %+v, %v of %+v", duplicate, err, original)
	}

	moved, err := a.Move("INBOX", "Trash", 2, 5)
	if want := []mailtest.Transferred{{2, 1}, {5, 2}}; err != nil || !slices.Equal(moved, want) {
		t.Errorf("Move = %v, %v, want %v", moved, err, want)
	}
	if found, err := a.Find(original.ID); err != nil || found.Folder != "Trash" || found.UID != 1 {
		t.Errorf("Find = %+v, %v, want it in Trash", found, err)
	}

	gone, err := a.Expunge("INBOX", 4, 1, 1, 2)
	if want := []mailtest.UID{1, 4}; err != nil || !slices.Equal(gone, want) {
		t.Errorf("Expunge = %v, %v, want %v", gone, err, want)
	}
	if got, want := uids(t, a, "INBOX"), []mailtest.UID{3}; !slices.Equal(got, want) {
		t.Errorf("INBOX = %v, want %v", got, want)
	}
	if next, err := a.Append("INBOX", "x", nil); err != nil || next != 6 {
		t.Errorf("next UID = %d, %v, want 6", next, err)
	}
	if _, err := a.Expunge("Trash", 1); err != nil {
		t.Errorf("Expunge: %v", err)
	}
	if _, err := a.Find(original.ID); !errors.Is(err, mailtest.ErrNoMessage) {
		t.Errorf("Find after expunge: %v", err)
	}
	for what, err := range map[string]error{
		"copy from": errOf(a.Copy("X", "INBOX", 1)), "copy to": errOf(a.Copy("INBOX", "X", 1)), "expunge": errOf(a.Expunge("X", 1)),
	} {
		if !errors.Is(err, mailtest.ErrNoFolder) {
			t.Errorf("%s a missing folder: %v", what, err)
		}
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestMoveWithinAFolder(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 2)
	moved, err := a.Move("INBOX", "INBOX", 1)
	if err != nil || !slices.Equal(moved, []mailtest.Transferred{{1, 3}}) {
		t.Errorf("Move = %v, %v", moved, err)
	}
	if got := uids(t, a, "INBOX"); !slices.Equal(got, []mailtest.UID{2, 3}) {
		t.Errorf("INBOX = %v", got)
	}
}

func TestChangedSince(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 4)
	all, err := a.ChangedSince("INBOX", 0)
	if err != nil || len(all.Changed) != 4 || len(all.Expunged) != 0 {
		t.Fatalf("ChangedSince(0) = %+v, %v", all, err)
	}
	none, err := a.ChangedSince("INBOX", all.ModSeq)
	if err != nil || len(none.Changed)+len(none.Expunged) != 0 || none.ModSeq != all.ModSeq {
		t.Errorf("ChangedSince(now) = %+v, %v", none, err)
	}
	_ = a.AddFlags("INBOX", []string{mailtest.Seen}, 3, 2)
	_ = a.AddFlags("INBOX", []string{mailtest.Flagged}, 2)
	_, _ = a.Expunge("INBOX", 1, 3)
	fill(t, a, 1)
	d, err := a.ChangedSince("INBOX", all.ModSeq)
	if err != nil {
		t.Fatalf("ChangedSince: %v", err)
	}
	if got, want := uidsOf(d.Changed), []mailtest.UID{2, 5}; !slices.Equal(got, want) {
		t.Errorf("Changed = %v, want %v", got, want)
	}
	if got, want := uidsOf(d.Expunged), []mailtest.UID{1, 3}; !slices.Equal(got, want) {
		t.Errorf("Expunged = %v, want %v", got, want)
	}
	if d.Expunged[0].ID != all.Changed[0].ID {
		t.Errorf("Expunged[0].ID = %d, want %d", d.Expunged[0].ID, all.Changed[0].ID)
	}
	for _, m := range d.Expunged {
		if m.ModSeq <= all.ModSeq || m.ModSeq > d.ModSeq {
			t.Errorf("message %d left at %d, want a change between %d and %d", m.UID, m.ModSeq, all.ModSeq, d.ModSeq)
		}
	}
	if _, err := a.ChangedSince("X", 0); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("ChangedSince in a missing folder: %v", err)
	}
}

func TestARewrittenMessageIsTheSameUnderANewUID(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 2)
	if err := a.AddFlags("INBOX", []string{mailtest.Flagged}, 1); err != nil {
		t.Fatal(err)
	}
	before, err := a.Message("INBOX", 1)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := a.Rewrite("INBOX", 1, "other")
	if err != nil || uid != 3 {
		t.Fatalf("Rewrite = %d, %v, want 3", uid, err)
	}
	after, err := a.Find(before.ID)
	if err != nil || after.UID != 3 || after.Raw != "other" || !after.Has(mailtest.Flagged) || !after.Received.Equal(before.Received) {
		t.Errorf("Find = %+v, %v, want the new bytes of %+v", after, err, before)
	}
	if _, err := a.Rewrite("INBOX", 1, "again"); !errors.Is(err, mailtest.ErrNoMessage) {
		t.Errorf("Rewrite of the old UID = %v, want ErrNoMessage", err)
	}
	a.SetQuota(mailtest.Quota{Bytes: 1})
	if _, err := a.Rewrite("INBOX", 3, "longer than before"); !errors.Is(err, mailtest.ErrOverQuota) {
		t.Errorf("Rewrite over the quota = %v, want ErrOverQuota", err)
	}
}

func TestATouchedMessageCountsAsChanged(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 2)
	start := folder(t, a, "INBOX").ModSeq
	if err := a.Touch("INBOX", 2, 99); err != nil {
		t.Fatal(err)
	}
	d, err := a.ChangedSince("INBOX", start)
	if err != nil || !slices.Equal(uidsOf(d.Changed), []mailtest.UID{2}) {
		t.Errorf("ChangedSince = %+v, %v, want message 2", d.Changed, err)
	}
	if err := a.Touch("X"); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("Touch in a missing folder = %v, want ErrNoFolder", err)
	}
}

func TestBumpUIDValidity(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 3)
	if _, err := a.Expunge("INBOX", 1); err != nil {
		t.Fatalf("Expunge: %v", err)
	}
	before := folder(t, a, "INBOX")
	if err := a.BumpUIDValidity("INBOX"); err != nil {
		t.Fatalf("BumpUIDValidity: %v", err)
	}
	after := folder(t, a, "INBOX")
	if after.UIDValidity <= before.UIDValidity || after.UIDNext != 3 || after.ModSeq <= before.ModSeq {
		t.Errorf("after = %+v, before %+v", after, before)
	}
	if got := uids(t, a, "INBOX"); !slices.Equal(got, []mailtest.UID{1, 2}) {
		t.Errorf("UIDs = %v", got)
	}
	d, err := a.ChangedSince("INBOX", before.ModSeq)
	if err != nil || d.UIDValidity != after.UIDValidity || len(d.Changed) != 2 || len(d.Expunged) != 0 {
		t.Errorf("ChangedSince = %+v, %v", d, err)
	}
}

func TestChangeFlagsLeavesLaterChangesAlone(t *testing.T) {
	_, a := newAccount(t)
	for n := range 2 {
		if _, err := a.Append("INBOX", mailtest.Sample(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	seen, err := a.Folder("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if err := a.AddFlags("INBOX", []string{mailtest.Seen}, 2); err != nil {
		t.Fatal(err)
	}
	flag := func(flags []string) []string { return append(flags, mailtest.Flagged) }
	refused, err := a.ChangeFlags("INBOX", []mailtest.UID{1, 2, 9}, seen.ModSeq, flag)
	if err != nil || !slices.Equal(refused, []mailtest.UID{2}) {
		t.Fatalf("ChangeFlags = %v, %v, want [2], nil", refused, err)
	}
	for uid, want := range map[mailtest.UID]bool{1: true, 2: false} {
		if m, err := a.Message("INBOX", uid); err != nil || m.Has(mailtest.Flagged) != want {
			t.Errorf("message %d has %v, %v, want flagged %v", uid, m.Flags, err, want)
		}
	}
	if _, err := a.ChangeFlags("None", nil, 0, flag); !errors.Is(err, mailtest.ErrNoFolder) {
		t.Errorf("ChangeFlags(None) = %v, want %v", err, mailtest.ErrNoFolder)
	}
}
