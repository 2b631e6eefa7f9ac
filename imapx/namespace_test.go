package imapx_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// listed returns the folders that the options list, by path.
func listed(t *testing.T, w *world, opts session.FolderOptions) map[string]session.Folder {
	t.Helper()
	all := map[string]session.Folder{}
	for f, err := range w.client.ListFolders(t.Context(), opts) {
		if err != nil {
			t.Fatal(err)
		}
		if _, twice := all[f.Path]; twice {
			t.Errorf("%s is listed twice", f.Path)
		}
		all[f.Path] = f
	}
	return all
}

// TestPathsLeaveThePrefixOut: where a server wants "INBOX/" before all names, a
// folder has the path that it was made by, and a path with the prefix still leads
// there.
func TestPathsLeaveThePrefixOut(t *testing.T) {
	w := newWorld(t, 1, &imaptest.Options{Prefix: "INBOX/"})
	ctx := t.Context()
	if err := w.client.CreateFolder(ctx, "Work/2026"); err != nil {
		t.Fatal(err)
	}
	if err := w.client.RenameFolder(ctx, session.FolderAt("Work/2026"), "Done"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.account.Folder("Done"); err != nil {
		t.Errorf("the account has %v", err)
	}
	all := listed(t, w, session.FolderOptions{})
	for path, want := range map[string]session.Folder{
		"INBOX": {Path: "INBOX", Role: session.RoleInbox, HasChildren: true},
		"Work":  {Path: "Work"},
		"Done":  {Path: "Done"},
		"Sent":  {Path: "Sent", Role: session.RoleSent},
	} {
		if all[path] != want {
			t.Errorf("%s is listed as %+v, want %+v", path, all[path], want)
		}
	}
	for _, ref := range []session.FolderRef{session.FolderAt("Done"), session.FolderAt("INBOX/Done"), session.FolderAt("inbox/Done"), session.Trash} {
		if _, err := w.client.Apply(ctx, session.Change{CopyTo: ref}, ids(t, w)[0]); err != nil {
			t.Errorf("copy to %s: %v", ref, err)
		}
	}
	if messages, err := w.account.Messages("Done"); len(messages) != 3 || err != nil {
		t.Errorf("the folder holds %d messages, %v, want the 3 copies", len(messages), err)
	}
}

// shareBob makes a second account, whose folders ann may use: one for everybody.
func shareBob(t *testing.T, w *world) {
	t.Helper()
	bob := w.account.Box().Add("bob@example.com", password())
	for _, folder := range []struct{ name, with string }{{"Projects", ann}, {"Sent", ann}, {"Team", mailtest.Everyone}} {
		if folder.name != "Sent" {
			if err := bob.CreateFolder(folder.name, ""); err != nil {
				t.Fatal(err)
			}
		}
		if err := bob.Share(folder.name, folder.with); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := bob.Append("Projects", mailtest.Sample(1), nil); err != nil {
		t.Fatal(err)
	}
}

// TestFoldersOfOthers are listed where they are asked for, say whose they are, have
// no role, and can be used by their paths in any case.
func TestFoldersOfOthers(t *testing.T) {
	w := newWorld(t, 1, nil)
	shareBob(t, w)
	for path := range listed(t, w, session.FolderOptions{}) {
		if strings.HasPrefix(path, "Other Users") || strings.HasPrefix(path, "Shared") {
			t.Errorf("%s is listed among the user's own", path)
		}
	}
	all := listed(t, w, session.FolderOptions{Foreign: true})
	const others = "Other Users/bob@example.com"
	for path, want := range map[string]session.Folder{
		"Other Users":        {Namespace: session.OtherUsers, NoMessages: true, HasChildren: true},
		others:               {Namespace: session.OtherUsers, NoMessages: true, HasChildren: true, Owner: "bob@example.com"},
		others + "/Projects": {Namespace: session.OtherUsers, Owner: "bob@example.com"},
		others + "/Sent":     {Namespace: session.OtherUsers, Owner: "bob@example.com"},
		"Shared/Team":        {Namespace: session.Shared},
		"Sent":               {Role: session.RoleSent},
	} {
		if want.Path = path; all[path] != want {
			t.Errorf("%s is listed as %+v, want %+v", path, all[path], want)
		}
	}
	messages := list(t, w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt(others + "/Projects")}))
	if got := subjects(messages); got != "1" {
		t.Errorf("the folder of another user holds %q, want its message", got)
	}
	if err := w.client.CreateFolder(t.Context(), others+"/New"); err == nil || !strings.Contains(err.Error(), "NOPERM") {
		t.Errorf("a folder in the mailbox of another: %v, want the server's refusal", err)
	}
}

// TestNamespacesAsServersHaveThem: how the folders of servers that are set up in
// other ways are seen, and that a path leads back to the name.
func TestNamespacesAsServersHaveThem(t *testing.T) {
	for _, tt := range []struct {
		name, namespaces, list, want string
		make, made                   string
	}{
		{
			"Courier", `(("INBOX." ".")) NIL (("#shared." ".")("shared." "."))`,
			"INBOX INBOX.Sent INBOX.A.B INBOX.shared INBOX.INBOX shared.all",
			"INBOX INBOX | Sent INBOX.Sent | A/B INBOX.A.B | INBOX/shared INBOX.shared | INBOX/INBOX INBOX.INBOX | shared/all shared.all shared",
			"New/Sub", "INBOX.New.Sub",
		},
		{
			"Cyrus, traditional", `(("INBOX." ".")) (("user." ".")) (("" "."))`,
			"INBOX INBOX.Sent user.bob user.bob.Sent Team Team.A",
			"INBOX INBOX | Sent INBOX.Sent | user/bob user.bob other users bob | user/bob/Sent user.bob.Sent other users bob | Shared Folders/Team Team shared | Shared Folders/Team/A Team.A shared",
			"Shared Folders/Team/B", "Team.B",
		},
		{
			"Cyrus, the other way", `(("" "/")) (("Other Users/" "/")) (("Shared Folders/" "/"))`,
			"INBOX Sent Other.Users/x Shared.Folders/Team",
			"INBOX INBOX | Sent Sent | Other Users/x Other Users/x other users x | Shared Folders/Team Shared Folders/Team shared",
			"New", "New",
		},
		{"lists that are left out", `(("INBOX." "."))`, "INBOX INBOX.Sent", "INBOX INBOX | Sent INBOX.Sent", "New", "INBOX.New"},
		{"extensions", `(("" "." "X-PARAM" ("a" "b"))) NIL NIL`, "INBOX Sent", "INBOX INBOX | Sent Sent", "New.x", ""},
		{"nothing that makes sense", `((""`, "INBOX INBOX.Sent", "INBOX INBOX | INBOX/Sent INBOX.Sent", "New", "New"},
		{"two names for all", `(("" ".")) NIL (("" "."))`, "INBOX Sent", "INBOX INBOX | Sent Sent", "New", "New"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 0, nil)
			delimiter := "."
			if strings.Contains(tt.list, "/") {
				delimiter = "/"
			}
			var answer strings.Builder
			for name := range strings.FieldsSeq(tt.list) {
				if delimiter == "/" {
					name = strings.ReplaceAll(name, ".", " ")
				}
				fmt.Fprintf(&answer, "* LIST () %q %q\r\n", delimiter, name)
			}
			namespaces := mailtest.Reply("NAMESPACE", "* NAMESPACE "+tt.namespaces+"\r\nOK done").Repeating(-1)
			w.server.Inject(namespaces, mailtest.Reply("LIST", answer.String()+"OK done").Repeating(-1))
			var seen []string
			for f, err := range w.client.ListFolders(t.Context(), session.FolderOptions{Foreign: true}) {
				if err != nil {
					t.Fatal(err)
				}
				line := commandFor(t, w, f)
				seen = append(seen, strings.TrimSpace(strings.Join([]string{f.Path, line, string(f.Namespace), f.Owner}, " ")))
			}
			if got := strings.ReplaceAll(strings.Join(seen, " | "), "  ", " "); got != tt.want {
				t.Errorf("folders\n%s\nwant\n%s", got, tt.want)
			}
			err := w.client.CreateFolder(t.Context(), tt.make)
			if line := commandLine(w, "CREATE"); tt.made != "" && !strings.HasSuffix(line, fmt.Sprintf("CREATE %q", tt.made)) || tt.made == "" && err == nil {
				t.Errorf("%s is made by %q, %v, want the name %q", tt.make, line, err, tt.made)
			}
		})
	}
}

// commandFor returns the name that a folder is asked about with.
func commandFor(t *testing.T, w *world, f session.Folder) string {
	t.Helper()
	_, _ = w.client.Count(t.Context(), f.Ref()) // the fake has other folders
	commands := w.server.Commands()
	_, name, _ := strings.Cut(commands[len(commands)-1].Line, `STATUS "`)
	name, _, _ = strings.Cut(name, `"`)
	return name
}

// TestHiddenNamespacesAreAskedFor by their prefix; one that the server does not
// list is passed over.
func TestHiddenNamespacesAreAskedFor(t *testing.T) {
	w := newWorld(t, 0, nil)
	named := mailtest.Reply("LIST", "* LIST () \".\" #shared.team\r\nOK done")
	named.Contains = "#shared."
	refused := mailtest.Reply("LIST", "NO not this one")
	refused.Contains = "#news."
	w.server.Inject(mailtest.Reply("NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL ((\"#shared.\" \".\")(\"#news.\" \".\"))\r\nOK done").Repeating(-1), named, refused)
	if f := listed(t, w, session.FolderOptions{Foreign: true})["#shared/team"]; f.Namespace != session.Shared {
		t.Errorf("the hidden folder is listed as %+v", f)
	}
	if n := w.server.Pending(); n != 1 {
		t.Errorf("%d questions were not asked, want none but that about the namespaces", n-1)
	}
}

// TestNoNamespaces: at a server without the extension, or one that refuses, all
// folders are the user's own.
func TestNoNamespaces(t *testing.T) {
	for _, refuses := range []bool{false, true} {
		options := &imaptest.Options{Capabilities: imaptest.Without("NAMESPACE")}
		if refuses {
			options = nil
		}
		w := newWorld(t, 0, options)
		if refuses {
			w.server.Inject(mailtest.Reply("NAMESPACE", "NO [NOPERM] not for you"))
		}
		facts, err := w.client.Facts(t.Context())
		if facts.Namespaces != refuses || err != nil {
			t.Errorf("Facts say namespaces: %t, %v", facts.Namespaces, err)
		}
		if f := listed(t, w, session.FolderOptions{Foreign: true})["Sent"]; f.Role != session.RoleSent || f.Namespace != session.Personal {
			t.Errorf("a folder is listed as %+v", f)
		}
		if n := commandCount(w, "NAMESPACE"); (n > 0) != refuses {
			t.Errorf("NAMESPACE was said %d times", n)
		}
	}
}

// TestNamespacesAreAskedForOnce on each connection, where the server answers or
// refuses for good; a refusal for now is asked about again.
func TestNamespacesAreAskedForOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		answer string // the server's own where it is ""
		fails  bool
		asked  int // in two listings after it
	}{
		"answered":        {"", false, 1},
		"refused":         {"NO [NOPERM] not for you", false, 1},
		"refused for now": {"NO [UNAVAILABLE] later", true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0, nil)
			if tt.answer != "" {
				w.server.Inject(mailtest.Reply("NAMESPACE", tt.answer))
			}
			var first error
			for _, err := range w.client.Folders(t.Context()) {
				first = err
			}
			if failed := first != nil; failed != tt.fails {
				t.Errorf("the first listing ends with %v, want an error: %t", first, tt.fails)
			}
			for range 2 {
				if f := listed(t, w, session.FolderOptions{})["Sent"]; f.Role != session.RoleSent {
					t.Errorf("a folder is listed as %+v", f)
				}
			}
			if n := commandCount(w, "NAMESPACE"); n != tt.asked {
				t.Errorf("NAMESPACE was said %d times, want %d", n, tt.asked)
			}
			w.server.Disconnect()
			listed(t, w, session.FolderOptions{})
			if n := commandCount(w, "NAMESPACE"); n != tt.asked+1 {
				t.Errorf("NAMESPACE was said %d times after another connection, want %d", n, tt.asked+1)
			}
		})
	}
}

// TestRoleWithoutAFolder: the error says how to get one.
func TestRoleWithoutAFolder(t *testing.T) {
	w := newWorld(t, 1, nil)
	if err := w.account.DeleteFolder("Trash"); err != nil {
		t.Fatal(err)
	}
	ctx, all := t.Context(), ids(t, w)
	results, err := w.client.Apply(ctx, session.Change{MoveTo: session.Trash}, all...)
	if !errors.Is(err, session.ErrNoFolder) || !strings.Contains(err.Error(), `CreateFolder`) || !strings.Contains(err.Error(), `"Trash"`) {
		t.Errorf("without a trash: %v, want ErrNoFolder and what to do", err)
	}
	wantOutcomes(t, results, session.NotDone)
	if err := w.client.CreateFolder(ctx, "Trash"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.Apply(ctx, session.Change{MoveTo: session.Trash}, all...); err != nil {
		t.Errorf("with one: %v", err)
	}
}

// TestFoldersThatAreListedTwice are one folder, and the inbox is one in whatever
// letters it is written: a message in it has one id.
func TestFoldersThatAreListedTwice(t *testing.T) {
	w := newWorld(t, 1, nil)
	w.server.Inject(always(mailtest.Reply("LIST", `* LIST () "/" Inbox`+"\r\n"+`* LIST (\NonExistent) "/" Work`+"\r\n"+
		`* LIST () "/" Work`+"\r\n"+`* LIST () "/" INBOX`+"\r\n"+`* LIST () "/" Work`+"\r\n"+`* LIST () "/" Inbox/a`+"\r\n"+
		"* STATUS inbox (MESSAGES 7 UNSEEN 1)\r\n* STATUS Work (MESSAGES 0 UNSEEN 0)\r\n* STATUS Inbox/a (MESSAGES 0 UNSEEN 0)\r\nOK done")))
	var got []string
	for f, err := range w.client.ListFolders(t.Context(), session.FolderOptions{Counts: true}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprintf("%s %v %d", f.Path, f.HasChildren, f.Counts.Messages))
	}
	if want := "Inbox true 7, Work false 0, Inbox/a false 0"; strings.Join(got, ", ") != want {
		t.Errorf("the folders are %s, want %s", strings.Join(got, ", "), want)
	}
	want := ids(t, w)[0]
	for _, path := range []string{"Inbox", "INBOX"} {
		all := list(t, w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt(path)}))
		if len(all) != 1 || all[0].ID != want {
			t.Errorf("%s has %d messages, the first with the id %v, want %v", path, len(all), all[0].ID, want)
		}
	}
}
