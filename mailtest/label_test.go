package mailtest_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// lies returns the UIDs of a folder's messages.
func lies(t *testing.T, a *mailtest.Account, folder string) []mailtest.UID {
	t.Helper()
	messages, err := a.Messages(folder)
	if err != nil {
		t.Fatal(err)
	}
	uids := []mailtest.UID{}
	for i := range messages {
		uids = append(uids, messages[i].UID)
	}
	return uids
}

func wantLies(t *testing.T, a *mailtest.Account, folder string, want ...mailtest.UID) {
	t.Helper()
	if got := lies(t, a, folder); !slices.Equal(got, want) {
		t.Errorf("%s holds %v, want %v", folder, got, want)
	}
}

func TestFoldersAsLabels(t *testing.T) {
	_, a := newAccount(t)
	fill(t, a, 2)
	a.UseLabels()
	wantLies(t, a, "All Mail", 1, 2)

	set := func(labels ...string) func([]string) []string {
		return func([]string) []string { return labels }
	}
	if err := a.ChangeLabels("INBOX", []mailtest.UID{2, 9}, set("Work/Now", "Sent", "inbox")); err != nil {
		t.Fatal(err)
	}
	labels, err := a.Labels("All Mail", 2)
	if want := []string{"INBOX", "Sent", "Work/Now"}; err != nil || !slices.Equal(labels, want) {
		t.Errorf("Labels = %q, %v, want %q", labels, err, want)
	}
	if err := a.AddFlags("Work/Now", []string{mailtest.Seen}, 1); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"INBOX", "All Mail"} {
		if m, err := a.Message(folder, 2); err != nil || !m.Has(mailtest.Seen) {
			t.Errorf("message in %s has %q, %v, want it seen", folder, m.Flags, err)
		}
	}
	if _, err := a.Copy("INBOX", "Work/Now", 2); err != nil {
		t.Fatal(err)
	}
	wantLies(t, a, "Work/Now", 1)
	if err := a.ChangeLabels("INBOX", []mailtest.UID{2}, set("Work/Now")); err != nil {
		t.Fatal(err)
	}
	wantLies(t, a, "Sent")

	in, err := a.Message("INBOX", 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Move("INBOX", "Trash", 2); err != nil {
		t.Fatal(err)
	}
	for folder, want := range map[string][]mailtest.UID{"INBOX": {1}, "Work/Now": {}, "All Mail": {1}, "Trash": {1}} {
		wantLies(t, a, folder, want...)
	}
	if m, err := a.Find(in.ID); err != nil || m.Folder != "Trash" {
		t.Errorf("Find = %s, %v, want the message in Trash", m.Folder, err)
	}
	if _, err := a.Expunge("All Mail", 1); err != nil {
		t.Fatal(err)
	}
	wantLies(t, a, "INBOX")
	if _, err := a.Labels("INBOX", 1); !errors.Is(err, mailtest.ErrNoMessage) {
		t.Errorf("Labels of an expunged message: %v, want %v", err, mailtest.ErrNoMessage)
	}
}

func TestThreadsAndCopies(t *testing.T) {
	_, a := newAccount(t)
	for _, raw := range []string{
		"Message-ID: <a@x>\r\n\r\nfirst",
		"Message-ID: <c@x>\r\nReferences: <a@x>\r\n <b@x>\r\n\r\nthird",
		"Message-ID: <b@x>\r\nIn-Reply-To: <a@x>\r\n\r\nsecond",
		"Message-ID: <z@x>\r\n\r\nother",
		"no header",
	} {
		if _, err := a.Append("INBOX", raw, nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := a.Copy("INBOX", "Archive", 1); err != nil {
		t.Fatal(err)
	}
	in, _ := a.Messages("INBOX")
	archived, _ := a.Message("Archive", 1)
	for i, same := range []bool{true, true, true, false, false} {
		if (in[i].Thread == in[0].Thread) != same {
			t.Errorf("message %d is in thread %d, the first in %d", i+1, in[i].Thread, in[0].Thread)
		}
	}
	if archived.Email != in[0].Email || archived.ID == in[0].ID || archived.Thread != in[0].Thread {
		t.Errorf("the copy of %d, %d is %d, %d; want the same email and another id", in[0].Email, in[0].ID, archived.Email, archived.ID)
	}
	if in[3].Email == in[4].Email {
		t.Errorf("two messages have the email %d", in[3].Email)
	}
}

func TestQuota(t *testing.T) {
	_, a := newAccount(t)
	if _, err := a.Append("INBOX", "12345", nil); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		limit mailtest.Quota
		want  error
	}{
		"none":     {mailtest.Quota{}, nil},
		"bytes":    {mailtest.Quota{Bytes: 9}, mailtest.ErrOverQuota},
		"messages": {mailtest.Quota{Messages: 1}, mailtest.ErrOverQuota},
	} {
		t.Run(name, func(t *testing.T) {
			a.SetQuota(test.limit)
			if used, limit := a.Quota(); used != (mailtest.Quota{Bytes: 5, Messages: 1}) || limit != test.limit {
				t.Errorf("Quota = %v, %v, want 5 bytes in 1 message and %v", used, limit, test.limit)
			}
			uid, err := a.Append("INBOX", "67890", nil)
			if !errors.Is(err, test.want) {
				t.Errorf("Append = %v, want %v", err, test.want)
			}
			copied, err := a.Copy("INBOX", "Archive", 1)
			if !errors.Is(err, test.want) {
				t.Errorf("Copy = %v, want %v", err, test.want)
			}
			if test.want == nil {
				_, errInbox := a.Expunge("INBOX", uid)
				if _, err := a.Expunge("Archive", copied[0].To); err != nil || errInbox != nil {
					t.Errorf("Expunge: %v, %v", errInbox, err)
				}
			} else if _, err := a.Move("INBOX", "INBOX", 99); err != nil {
				t.Errorf("Move: %v", err)
			}
		})
	}
}

func TestShare(t *testing.T) {
	box, a := newAccount(t)
	bob := box.Add("bob@example.com", secret.New("pw"))
	if err := a.Share("Archive", "BOB@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := a.Share("Sent", mailtest.Everyone); err != nil {
		t.Fatal(err)
	}
	shared := bob.Shared()
	if len(shared) != 2 || shared[0].Folder.Name != "Sent" || !shared[0].Everyone ||
		shared[1].Folder.Name != "Archive" || shared[1].Everyone || shared[1].Owner != a {
		t.Errorf("Shared = %v, want Sent of everyone and Archive", shared)
	}
	if own := a.Shared(); len(own) != 0 {
		t.Errorf("Shared of the owner = %v, want none", own)
	}
	fill(t, a, 1)
	if done, err := a.CopyTo("INBOX", bob, "Drafts", 1); err != nil || len(done) != 1 {
		t.Errorf("CopyTo = %v, %v, want one message", done, err)
	}
	if done, err := a.MoveTo("INBOX", bob, "INBOX", 1); err != nil || len(done) != 1 {
		t.Errorf("MoveTo = %v, %v, want one message", done, err)
	}
	wantLies(t, a, "INBOX")
	wantLies(t, bob, "INBOX", 1)
	if err := a.Share("Archive"); err != nil {
		t.Fatal(err)
	}
	if left := bob.Shared(); len(left) != 1 {
		t.Errorf("Shared = %v, want what everyone may use", left)
	}
}
