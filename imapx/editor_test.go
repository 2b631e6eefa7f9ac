package imapx_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// paths returns the folders with a first level of that name.
func paths(t *testing.T, w *world, first string) string {
	t.Helper()
	var all []string
	for f, err := range w.client.Folders(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if session.SplitPath(f.Path)[0] == first {
			all = append(all, f.Path)
		}
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// TestEditFolders makes, renames and removes folders, also with names beyond
// ASCII and within others.
func TestEditFolders(t *testing.T) {
	w := newWorld(t, 1, nil)
	ctx := t.Context()
	inbox := ids(t, w)[0]
	for _, step := range []struct {
		name string
		err  error
		do   func() error
		want string
	}{
		{"create", nil, func() error { return w.client.CreateFolder(ctx, "Büro/2026 & \"mehr\"") }, `Büro Büro/2026 & "mehr"`},
		{"create once more", session.ErrFolderExists, func() error { return w.client.CreateFolder(ctx, "Büro/2026 & \"mehr\"") }, `Büro Büro/2026 & "mehr"`},
		{"subscribe", nil, func() error { return w.client.Subscribe(ctx, session.FolderAt("Büro"), true) }, `Büro Büro/2026 & "mehr"`},
		{"rename", nil, func() error {
			return w.client.RenameFolder(ctx, session.FolderAt("Büro/2026 & \"mehr\""), "Büro/2027")
		}, "Büro Büro/2027"},
		{"fill", nil, func() error {
			_, err := w.client.Apply(ctx, session.Change{CopyTo: session.FolderAt("Büro/2027")}, inbox)
			return err
		}, "Büro Büro/2027"},
		{"delete", nil, func() error { return w.client.DeleteFolder(ctx, session.FolderAt("Büro/2027")) }, "Büro"},
		{"delete what is gone", session.ErrNoFolder, func() error { return w.client.DeleteFolder(ctx, session.FolderAt("Büro/2027")) }, "Büro"},
		{"rename what is not there", session.ErrNoFolder, func() error { return w.client.RenameFolder(ctx, session.FolderAt("Nowhere"), "x") }, "Büro"},
		{"delete the inbox", errAny, func() error { return w.client.DeleteFolder(ctx, session.Inbox) }, "Büro"},
		{"rename the inbox", errAny, func() error { return w.client.RenameFolder(ctx, session.Inbox, "Büro/old") }, "Büro"},
		{"a name that holds the delimiter", errAny, func() error { return w.client.CreateFolder(ctx, session.JoinPath("Büro", "a/b")) }, "Büro"},
		{"a name of two lines", errAny, func() error { return w.client.CreateFolder(ctx, "Büro/a\r\nX1 LOGOUT") }, "Büro"},
	} {
		err := step.do()
		if (err != nil) != (step.err != nil) || !errors.Is(step.err, errAny) && !errors.Is(err, step.err) {
			t.Errorf("%s: error %v, want %v", step.name, err, step.err)
		}
		if got := paths(t, w, "Büro"); got != step.want {
			t.Errorf("after %s: folders %s, want %s", step.name, got, step.want)
		}
	}
}

var errAny = errors.New("any error")

// TestAFolderThatIsThereAlready: by the code of RFC 5530, and by the words of servers
// without it.
func TestAFolderThatIsThereAlready(t *testing.T) {
	w := newWorld(t, 1, nil)
	for answer, want := range map[string]bool{
		"NO [ALREADYEXISTS] Duplicate folder name.":      true,
		"NO Mailbox already exists":                      true,
		"NO CREATE failed. Mailbox exists":               true,
		"NO Create failed, the Folder Exists":            true,
		"NO [NOPERM] it already exists, and not for you": false,
		"NO [CANNOT] Parent mailbox does not exist":      false,
		"NO Parent does not exist":                       false,
		"BAD already exists":                             false,
	} {
		w.server.Inject(mailtest.Reply("CREATE", answer))
		err := w.client.CreateFolder(t.Context(), "New")
		if got := errors.Is(err, session.ErrFolderExists); err == nil || got != want {
			t.Errorf("CREATE is answered by %q: %v is ErrFolderExists %t, want %t", answer, err, got, want)
		}
	}
}

// TestAnotherFolderOfTheName: a connection that has a folder open does not take
// what comes in its place for it.
func TestAnotherFolderOfTheName(t *testing.T) {
	w := newWorld(t, 0, nil)
	ctx := t.Context()
	work := session.FolderAt("Work")
	if err := w.client.CreateFolder(ctx, "Work"); err != nil {
		t.Fatal(err)
	}
	old, err := w.client.Append(ctx, work, sized(mailtest.Sample(1)), nil)
	if err != nil || opened(t, w, old) == "" {
		t.Fatal(err)
	}
	if err := w.client.RenameFolder(ctx, work, "Done"); err != nil {
		t.Fatal(err)
	}
	if err := w.client.CreateFolder(ctx, "Work"); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, w.client.Messages(ctx, session.Query{Folder: work}))); n != 0 {
		t.Errorf("the new folder shows %d messages of the old one", n)
	}
	results, _ := w.client.Apply(ctx, session.Change{Delete: true}, old)
	wantOutcomes(t, results, session.NotDone)
	if got := contents(t, w.account, "Done"); got != "1[]" {
		t.Errorf("the renamed folder has %q", got)
	}
}

// TestEditLost is not done twice.
func TestEditLost(t *testing.T) {
	w := newWorld(t, 0, nil)
	w.server.Inject(mailtest.Drop("CREATE", 0))
	if err := w.client.CreateFolder(t.Context(), "Work"); err == nil || !strings.Contains(err.Error(), "may be done or not") {
		t.Errorf("error %v, want one that says that nobody knows", err)
	}
	if n := commandCount(w, "CREATE"); n != 1 || paths(t, w, "Work") != "Work" {
		t.Errorf("%d commands, folders %q", n, paths(t, w, "Work"))
	}
}
