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

// TestVersionOfTheChangeIsTold, so that a second change can depend on it without
// another listing.
func TestVersionOfTheChangeIsTold(t *testing.T) {
	w := newWorld(t, 2, with("CONDSTORE"))
	ctx := t.Context()
	messages := list(t, w.client.Messages(ctx, session.Query{Fields: session.FieldVersion}))
	id := messages[0].ID
	versions := session.Unchanged(messages...)
	searches := commandCount(w, "UID FETCH")
	for _, change := range []session.Change{
		{Set: session.Flags{session.Flagged}, Clear: session.Flags{session.Seen}},
		{Clear: session.Flags{session.Flagged}},
	} {
		change.IfUnchanged = versions
		results, err := w.client.Apply(ctx, change, id)
		if err != nil || results[0].Outcome != session.Done || results[0].Version == "" || results[0].Version == versions[id] {
			t.Fatalf("Apply() = %+v, %v, want it done, with another version than %s", results, err, versions[id])
		}
		versions[id] = results[0].Version
	}
	if n := commandCount(w, "UID FETCH"); n != searches {
		t.Errorf("the versions took %d listings", n-searches)
	}
	if err := w.account.AddFlags("INBOX", []string{mailtest.Answered}, 2); err != nil {
		t.Fatal(err)
	}
	results, err := w.client.Apply(ctx, session.Change{Set: session.Flags{session.Seen}, IfUnchanged: versions}, id)
	if err != nil || !errors.Is(results[0].Err, session.ErrChanged) || results[0].Version != "" {
		t.Errorf("after another's change: %+v, %v, want ErrChanged", results, err)
	}
}

// TestVersionThatHidesAChange: where the answer shows that somebody else was there
// too, no version is told that the caller would take for the own change's.
func TestVersionThatHidesAChange(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		want         session.Version
	}{
		{"the change alone", "* 1 FETCH (UID 1 MODSEQ (12))\r\nOK done", "12"},
		{"the higher of two", "* 1 FETCH (UID 1 MODSEQ (12))\r\n* 1 FETCH (MODSEQ (13) UID 1)\r\nOK done", "13"},
		{"another's behind it", "* 1 FETCH (UID 1 MODSEQ (12))\r\n* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (13))\r\nOK done", ""},
		{"another's ahead of it", "* 1 FETCH (UID 1 FLAGS (\\Seen) MODSEQ (13))\r\n* 1 FETCH (UID 1 MODSEQ (14))\r\nOK done", ""},
		{"of another message", "* 2 FETCH (UID 2 MODSEQ (12))\r\nOK done", ""},
		{"of no message", "* 1 FETCH (MODSEQ (12))\r\nOK done", ""},
		{"nonsense", "* 1 FETCH (UID 1 MODSEQ ((((\r\nOK done", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 1, with("CONDSTORE"))
			all, versions := versioned(t, w, "7")
			w.server.Inject(mailtest.Reply("UID STORE", tt.answer))
			results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}, IfUnchanged: versions}, all...)
			if err != nil || results[0].Outcome != session.Done || results[0].Version != tt.want {
				t.Errorf("Apply() = %+v, %v, want it done with the version %q", results, err, tt.want)
			}
		})
	}
}

// TestFolderWithoutVersions: messages are listed without, and a change that
// depends on one is refused before it is tried; any other is made.
func TestFolderWithoutVersions(t *testing.T) {
	options := with("CONDSTORE")
	options.NoModSeq = []string{"INBOX"}
	w := newWorld(t, 2, options)
	ctx := t.Context()
	messages := list(t, w.client.Messages(ctx, session.Query{Fields: session.FieldVersion | session.FieldFlags}))
	if len(messages) != 2 || messages[0].Version != "" {
		t.Fatalf("%d messages, the first with the version %q", len(messages), messages[0].Version)
	}
	id := messages[0].ID
	results, err := w.client.Apply(ctx, session.Change{Set: session.Flags{session.Seen}, IfUnchanged: map[session.ID]session.Version{id: "7"}}, id)
	if err != nil || results[0].Outcome != session.NotDone || !errors.Is(results[0].Err, errors.ErrUnsupported) ||
		!strings.Contains(results[0].Err.Error(), "no versions in the folder INBOX") {
		t.Errorf("Apply() = %+v, %v, want it not done, with ErrUnsupported", results, err)
	}
	if line := commandLine(w, "UID STORE"); line != "" {
		t.Errorf("%q was said", line)
	}
	results, err = w.client.Apply(ctx, session.Change{Set: session.Flags{session.Seen}}, id)
	if err != nil || results[0].Outcome != session.Done || results[0].Version != "" {
		t.Errorf("without a condition: %+v, %v", results, err)
	}
}

// TestArchiveWithLabels: archiving takes the inbox off, and nothing else.
func TestArchiveWithLabels(t *testing.T) {
	for _, tt := range []struct {
		from   string
		stays  bool   // in the folder of the id
		labels string // of the message in the folder of all mail then
		says   string
	}{
		{"INBOX", false, "Work", "UID MOVE"},
		{"Work", true, "Work", "UID STORE"},
		{"All Mail", true, "Work", "UID STORE"},
		{"Trash", false, "", "UID MOVE"},
	} {
		t.Run(tt.from, func(t *testing.T) {
			w := newWorld(t, 0, &imaptest.Options{Capabilities: imaptest.GmailCapabilities()})
			if err := w.account.DeleteFolder("Archive"); err != nil {
				t.Fatal(err)
			}
			if err := w.account.CreateFolder("Work", ""); err != nil {
				t.Fatal(err)
			}
			w.account.UseLabels()
			uid, err := w.account.Append("INBOX", mailtest.Sample(1), nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.account.ChangeLabels("INBOX", []mailtest.UID{uid}, func([]string) []string { return []string{"Work"} }); err != nil {
				t.Fatal(err)
			}
			ctx, from := t.Context(), session.FolderAt(tt.from)
			if tt.from == "Trash" {
				if _, err := w.client.Apply(ctx, session.Change{MoveTo: session.Trash}, ids(t, w)...); err != nil {
					t.Fatal(err)
				}
			}
			m := list(t, w.client.Messages(ctx, session.Query{Folder: from}))
			results, err := w.client.Apply(ctx, session.Change{MoveTo: session.Archive}, m[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			wantOutcomes(t, results, session.Done)
			if commandLine(w, tt.says) == "" {
				t.Errorf("it did not take %s", tt.says)
			}
			if left := len(list(t, w.client.Messages(ctx, session.Query{Folder: from}))); (left == 1) != tt.stays {
				t.Errorf("%d messages are left in %s", left, tt.from)
			}
			if n := len(list(t, w.client.Messages(ctx, session.Query{}))); n != 0 {
				t.Errorf("the inbox holds %d messages", n)
			}
			kept, err := w.account.Messages("All Mail")
			if err != nil || len(kept) != 1 {
				t.Fatalf("%d messages in all, %v", len(kept), err)
			}
			if labels, err := w.account.Labels("All Mail", kept[0].UID); strings.Join(labels, " ") != tt.labels || err != nil {
				t.Errorf("it has the labels %q, %v, want %q", labels, err, tt.labels)
			}
		})
	}
}

// TestArchiveOfOthers: without labels an archive is a folder, and one that is
// missing is not made up of the folder of all messages.
func TestArchiveOfOthers(t *testing.T) {
	w := newWorld(t, 1, nil)
	if err := w.account.SetRole("Archive", mailtest.RoleAll); err != nil {
		t.Fatal(err)
	}
	if err := w.account.RenameFolder("Archive", "Everything"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.Archive}, ids(t, w)...); !errors.Is(err, session.ErrNoFolder) || !strings.Contains(err.Error(), `"Archive"`) {
		t.Errorf("without an archive: %v, want ErrNoFolder and what to do", err)
	}
}

// TestListingWithMore: counts and subscriptions come with the listing where the
// server can, and by as many questions as it takes where it cannot.
func TestListingWithMore(t *testing.T) {
	for _, tt := range []struct {
		name            string
		options         *imaptest.Options
		faults          []mailtest.Fault
		lists, statuses int
		bytes           bool
	}{
		{"in one", nil, nil, 1, 0, true},
		{"no counts in a listing", &imaptest.Options{Capabilities: imaptest.Without("LIST-STATUS")}, nil, 1, 7, true},
		{"nothing in a listing", &imaptest.Options{Capabilities: imaptest.Without("LIST-EXTENDED", "LIST-STATUS", "STATUS=SIZE")}, nil, 2, 7, false},
		{"offered, and no folder told", nil, []mailtest.Fault{mailtest.Reply("LIST", "OK nothing")}, 3, 7, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 3, tt.options)
			w.server.Inject(tt.faults...)
			if err := w.account.Subscribe("Junk", false); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"Work/A", "Old"} {
				if err := w.account.CreateFolder(name, ""); err != nil {
					t.Fatal(err)
				}
			}
			for _, name := range []string{"Work", "Old"} { // one is left as a name, the other as a subscription
				if err := w.account.DeleteFolder(name); err != nil {
					t.Fatal(err)
				}
			}
			all := listed(t, w, session.FolderOptions{Counts: true, Subscribed: true})
			for path, f := range all {
				if want := path != "Junk" && path != "Work"; f.Subscribed != want && path != "Work" {
					t.Errorf("%s: subscribed %t, want %t", path, f.Subscribed, want)
				}
				if (f.Counts == nil) != f.NoMessages {
					t.Errorf("%s: counts %+v", path, f.Counts)
				}
			}
			if f := all["Work"]; !f.NoMessages || !f.HasChildren {
				t.Errorf("the folder that holds another is listed as %+v", f)
			}
			if _, there := all["Old"]; there {
				t.Error("a folder that is gone is listed")
			}
			if c := all["INBOX"].Counts; c == nil || c.Messages != 3 || c.Unread != 3 || (c.Bytes > 0) != tt.bytes {
				t.Errorf("the inbox holds %+v, want 3 messages", c)
			}
			if lists, statuses := commandCount(w, "LIST")+commandCount(w, "LSUB"), commandCount(w, "STATUS"); lists != tt.lists || statuses != tt.statuses {
				t.Errorf("%d listings and %d questions, want %d and %d", lists, statuses, tt.lists, tt.statuses)
			}
			for path, f := range listed(t, w, session.FolderOptions{}) {
				if f.Counts != nil || f.Subscribed {
					t.Errorf("%s is counted or subscribed to unasked: %+v", path, f)
				}
			}
		})
	}
}

// TestCountsThatAreNotTold: one folder that the server refuses to count does not
// hide the others.
func TestCountsThatAreNotTold(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Capabilities: imaptest.Without("LIST-STATUS")})
	fault := mailtest.Reply("STATUS", "NO [NOPERM] not this one")
	fault.Contains = "Drafts"
	w.server.Inject(fault)
	all := listed(t, w, session.FolderOptions{Counts: true})
	if all["Drafts"].Counts != nil || all["Sent"].Counts == nil {
		t.Errorf("listed %+v", all)
	}
}

// TestQuota reads the limits in the units that the interface has.
func TestQuota(t *testing.T) {
	const none = -1
	w := newWorld(t, 3, nil)
	ctx := t.Context()
	if quotas, err := w.client.Quota(ctx, ""); len(quotas) != 0 || err != nil {
		t.Errorf("without a limit Quota() = %+v, %v", quotas, err)
	}
	w.account.SetQuota(mailtest.Quota{Bytes: 10 << 20})
	quotas, err := w.client.Quota(ctx, session.Sent)
	if err != nil || len(quotas) != 1 || quotas[0].Bytes.Limit != 10<<20 || quotas[0].Bytes.Used != 1024 || quotas[0].Messages != (session.Usage{Used: none, Limit: none}) {
		t.Errorf("Quota() = %+v, %v, want 10 MiB and no limit on messages", quotas, err)
	}
	for _, tt := range []struct {
		name, answer string
		want         []session.Quota
		fails        bool
	}{
		{
			"several, in the order of the roots", "* QUOTA b (MESSAGE 7 100 X-A 1 2)\r\n* QUOTA a (STORAGE 1 2)\r\n* QUOTA c (STORAGE 1 2)\r\n* QUOTAROOT INBOX a b\r\nOK done",
			[]session.Quota{
				{Root: "a", Bytes: session.Usage{Used: 1024, Limit: 2048}, Messages: session.Usage{Used: none, Limit: none}},
				{Root: "b", Bytes: session.Usage{Used: none, Limit: none}, Messages: session.Usage{Used: 7, Limit: 100}},
			},
			false,
		},
		{
			"a limit of zero is none", "* QUOTAROOT INBOX {3}\r\na b\r\n* QUOTA \"a b\" (storage 5 0 MESSAGE 2000 1000)\r\nOK done",
			[]session.Quota{{Root: "a b", Bytes: session.Usage{Used: 5120, Limit: none}, Messages: session.Usage{Used: 2000, Limit: 1000}}},
			false,
		},
		{"too large to count", "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 18446744073709551615 9223372036854775807)\r\nOK done", []session.Quota{{
			Bytes: session.Usage{Used: 1<<63 - 1024, Limit: 1<<63 - 1024}, Messages: session.Usage{Used: none, Limit: none},
		}}, false},
		{"no roots", "* QUOTAROOT INBOX\r\nOK done", nil, false},
		{"no limits", "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" ()\r\nOK done", nil, false},
		{"half a resource", "* QUOTAROOT INBOX \"\"\r\n* QUOTA \"\" (STORAGE 5)\r\nOK done", nil, true},
		{"refused", "NO [NOPERM] not for you", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w.server.Inject(mailtest.Reply("GETQUOTAROOT", tt.answer))
			quotas, err := w.client.Quota(ctx, session.Inbox)
			if !slices.Equal(quotas, tt.want) || (err != nil) != tt.fails {
				t.Errorf("Quota() = %+v, %v, want %+v and an error: %t", quotas, err, tt.want, tt.fails)
			}
			if messages := list(t, w.client.Messages(ctx, session.Query{})); len(messages) != 3 {
				t.Errorf("afterwards %d messages are listed", len(messages))
			}
		})
	}
	if _, err := w.client.Quota(ctx, session.FolderAt("Nowhere")); !errors.Is(err, session.ErrNoFolder) {
		t.Errorf("of a folder that is not there: %v, want ErrNoFolder", err)
	}
}

// TestNoQuota: a server that tells no limits is not asked.
func TestNoQuota(t *testing.T) {
	for offered, options := range map[bool]*imaptest.Options{true: nil, false: {Capabilities: imaptest.Without("QUOTA")}} {
		w := newWorld(t, 0, options)
		if facts, err := w.client.Facts(t.Context()); facts.Quota != offered || err != nil {
			t.Errorf("Facts say quota: %t, %v, want %t", facts.Quota, err, offered)
		}
		if _, err := w.client.Quota(t.Context(), ""); errors.Is(err, errors.ErrUnsupported) == offered {
			t.Errorf("offered %t: error %v", offered, err)
		}
		if n := commandCount(w, "GETQUOTAROOT"); (n > 0) != offered {
			t.Errorf("offered %t, asked %d times", offered, n)
		}
	}
}
