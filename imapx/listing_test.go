package imapx

import (
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"

	"github.com/mailsession/mailsession/session"
)

// TestFoldersAreLookedAtOnce: what a listing takes grows with its folders, and not
// with the names that may tell a role, of which there are hundreds.
func TestFoldersAreLookedAtOnce(t *testing.T) {
	folders := make([]folder, 1000)
	for i := range folders {
		folders[i].Path = fmt.Sprintf("Projects/%d", i)
	}
	folders[500].Path = "INBOX/gesendet"
	allocs := testing.AllocsPerRun(1, func() {
		folders[500].Role = session.RoleNone
		assignByName(folders)
	})
	if perFolder := allocs / float64(len(folders)); perFolder > 20 || folders[500].Role != session.RoleSent {
		t.Errorf("%.0f allocations a folder, role %q, want at most 20 and the role sent", perFolder, folders[500].Role)
	}
}

// TestNamesOfVeryManyLevels: a server's names may not make more work than they
// have bytes, many times over.
func TestNamesOfVeryManyLevels(t *testing.T) {
	l := &folderListing{parents: map[string]bool{}, folders: []*imap.ListData{
		{Mailbox: strings.Repeat("a/", 8000) + "a", Delim: '/'}, {Mailbox: "Inbox/b", Delim: '/'},
	}}
	l.findParents()
	if len(l.parents) != maxLevels+1 || !l.parents["a"] || !l.parents["INBOX"] {
		t.Errorf("%d folders have others below them, want %d, a and INBOX among them", len(l.parents), maxLevels+1)
	}
}
