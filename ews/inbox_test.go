package ews_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// TestFolderCalledInbox: beside an inbox that has another name there may be a folder that
// is called Inbox. Each path leads to the folder that it was listed with.
func TestFolderCalledInbox(t *testing.T) {
	mid := &between{answer: func(text, _ string) string {
		// The fake's inbox is called Inbox, and nothing else can be.
		text = strings.ReplaceAll(text, "<t:DisplayName>Inbox<", "<t:DisplayName>Posta<")
		return strings.ReplaceAll(text, "<t:DisplayName>Other<", "<t:DisplayName>inbox<")
	}}
	b := newBed(t, settings{change: mid.stand})
	for _, path := range []string{"Other", "Other/Sub", "inbox (2)"} {
		if err := b.account.CreateFolder(path, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := b.account.Append(path, "Subject: in "+path+"\r\n\r\n.\r\n", nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.account.Append("INBOX", "Subject: in INBOX\r\n\r\n.\r\n", nil); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"INBOX": "in INBOX", "inbox (2)": "in inbox (2)", "inbox (3)": "in Other", "inbox (3)/Sub": "in Other/Sub"}
	listed := 0
	for f, err := range b.Folders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		subject, asked := want[f.Path]
		if !asked {
			continue
		}
		listed++
		subjects, _, err := b.list(t.Context(), session.Query{Folder: session.FolderAt(f.Path)})
		if err != nil || !slices.Equal(subjects, []string{subject}) {
			t.Errorf("folder %q has %q, %v; want %q", f.Path, subjects, err, subject)
		}
	}
	if listed != len(want) {
		t.Errorf("%d of %d folders were listed", listed, len(want))
	}
	if err := b.DeleteFolder(t.Context(), session.FolderAt("inbox (3)")); err != nil {
		t.Errorf("DeleteFolder: %v", err)
	}
	if _, err := b.account.Folder("Other"); err == nil {
		t.Error("the folder is there still")
	}
	if all, err := b.account.Messages("INBOX"); err != nil || len(all) != 1 {
		t.Errorf("the inbox has %d messages, %v; want its one", len(all), err)
	}
}
