package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// editRules are about making, renaming and removing folders.
func editRules() []incomingRule {
	return []incomingRule{
		{"a folder is made under any name, and removed with its messages", makeFolders},
		{"a renamed folder keeps its messages, and ids of before name none", renameFolders},
		{"folders that are there or not are told, and the inbox stays", refusedEdits},
		{"folders are subscribed to", subscribe},
	}
}

// editor returns a session that can edit folders, or nil after it has checked
// that the lack of it is told.
func (r *reading) editor(ctx context.Context) *session.Session {
	r.Helper()
	s := r.session(session.ReadWrite)
	_, able := session.As[session.FolderEditor](r.in)
	if able && !r.facts(ctx).OneFolder {
		return s
	}
	before := fmt.Sprint(r.paths(ctx))
	for name, err := range map[string]error{
		"CreateFolder": s.CreateFolder(ctx, "Projects"), "RenameFolder": s.RenameFolder(ctx, session.Archive, "Projects"),
		"DeleteFolder": s.DeleteFolder(ctx, session.Archive), "Subscribe": s.Subscribe(ctx, session.Archive, true),
	} {
		wantUnsupported(r, name, err, "folder")
	}
	if after := fmt.Sprint(r.paths(ctx)); after != before {
		r.Errorf("what was refused changed the folders %s to %s", before, after)
	}
	return nil
}

// paths returns the paths of all folders.
func (r *reading) paths(ctx context.Context) []string {
	r.Helper()
	var all []string
	for _, f := range r.folders(ctx) {
		all = append(all, f.Path)
	}
	return slices.Sorted(slices.Values(all))
}

// create makes a folder.
func (r *reading) create(ctx context.Context, s *session.Session, path string) {
	r.Helper()
	if err := s.CreateFolder(ctx, path); err != nil {
		r.Fatalf("CreateFolder(%q): %v", path, err)
	}
}

// oddFolders are names that something on the way may be tempted to change.
func oddFolders() []string {
	return []string{
		"Projects", "Projects/2026/July", "Grüße & Küsse", "注意", "🎉 party", "a b", `q "uoted"`, "100%", "star*", "{5}", "(brackets)", "&", "&-", "a&b~c", "tilde~", "]", "#hash",
	}
}

func makeFolders(ctx context.Context, r *reading) {
	s := r.editor(ctx)
	if s == nil {
		return
	}
	before := r.paths(ctx)
	for _, path := range oddFolders() {
		r.create(ctx, s, path)
		if got := r.paths(ctx); !slices.Contains(got, path) {
			r.Errorf("after CreateFolder(%q) the folders are %q", path, got)
			continue
		}
		if ref, err := s.EnsureFolder(ctx, path); err != nil || ref != session.FolderAt(path) {
			r.Errorf("EnsureFolder(%q) of one that is there = %q, %v", path, ref, err)
		}
		r.put(path, Stored{Raw: sample(1)})
		if got := numbers(r.list(ctx, session.Query{Folder: session.FolderAt(path)})); got != "1" {
			r.Errorf("Messages of %q = %s, want what was put there", path, got)
		}
	}
	for _, path := range slices.Backward(append([]string{"Projects/2026"}, oddFolders()...)) {
		if path == "Projects" { // with what is below
			continue
		}
		if err := s.DeleteFolder(ctx, session.FolderAt(path)); err != nil && path != "Projects/2026" {
			r.Errorf("DeleteFolder(%q): %v", path, err)
		}
	}
	if err := s.DeleteFolder(ctx, session.FolderAt("Projects")); err != nil {
		r.Errorf("DeleteFolder(Projects): %v", err)
	}
	after := slices.DeleteFunc(r.paths(ctx), func(p string) bool { return p == "Projects/2026" })
	if !slices.Equal(after, before) {
		r.Errorf("after all were removed the folders are %q, want %q", after, before)
	}
}

func renameFolders(ctx context.Context, r *reading) {
	s := r.editor(ctx)
	if s == nil {
		return
	}
	for n, path := range []string{"Old", "Old/below"} {
		r.create(ctx, s, path)
		r.put(path, Stored{Raw: sample(n + 1)})
	}
	id := r.first(ctx, session.Query{Folder: session.FolderAt("Old")}).ID
	if err := s.RenameFolder(ctx, session.FolderAt("Old"), "Neu & schön"); err != nil {
		r.Fatalf("RenameFolder: %v", err)
	}
	paths := r.paths(ctx)
	for n, path := range []string{"Neu & schön", "Neu & schön/below"} {
		if !slices.Contains(paths, path) {
			r.Errorf("after RenameFolder the folders are %q, want %q among them", paths, path)
			continue
		}
		messages := r.list(ctx, session.Query{Folder: session.FolderAt(path)})
		if got, want := numbers(messages), sequence(n+1, n+1); got != want {
			r.Errorf("Messages of %q = %s, want %s", path, got, want)
			continue
		}
		r.wantBytes(ctx, messages[0].ID, sample(n+1))
	}
	if slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, "Old") }) {
		r.Errorf("after RenameFolder the folders are %q, want none under the old name", paths)
	}
	r.wantVoid(ctx, id, "after RenameFolder")
	r.create(ctx, s, "Old")
	r.put("Old", Stored{Raw: sample(3)})
	r.wantVoid(ctx, id, "where another folder has the name")
}

// wantVoid checks that an id names no message.
func (r *reading) wantVoid(ctx context.Context, id session.ID, when string) {
	r.Helper()
	raw, err := read(ctx, r.in, id)
	if !errors.Is(err, session.ErrNoFolder) && !errors.Is(err, session.ErrStaleID) && !errors.Is(err, session.ErrNoMessage) {
		r.Errorf("%s, Open with an id of before = sample %s, %v; want ErrNoFolder, ErrStaleID or ErrNoMessage", when, numberOf(string(raw)), err)
	}
}

func refusedEdits(ctx context.Context, r *reading) {
	r.seed(2)
	s := r.editor(ctx)
	if s == nil {
		return
	}
	r.create(ctx, s, "Taken")
	before := fmt.Sprint(r.paths(ctx))
	nowhere := session.FolderAt("Nowhere")
	for _, edit := range []struct {
		name string
		err  error
		want error
	}{
		{"CreateFolder of one that is there", s.CreateFolder(ctx, "Taken"), nil},
		{"CreateFolder of the inbox", s.CreateFolder(ctx, inbox), nil},
		{"CreateFolder of a name that is empty", s.CreateFolder(ctx, "Taken//below"), nil},
		{"CreateFolder of two lines", s.CreateFolder(ctx, "two\r\nlines"), nil},
		{"RenameFolder to one that is there", s.RenameFolder(ctx, session.Archive, "Taken"), nil},
		{"RenameFolder of one that is not there", s.RenameFolder(ctx, nowhere, "Somewhere"), session.ErrNoFolder},
		{"DeleteFolder of one that is not there", s.DeleteFolder(ctx, nowhere), session.ErrNoFolder},
		{"RenameFolder of the inbox", s.RenameFolder(ctx, session.Inbox, "Somewhere"), nil},
		{"DeleteFolder of the inbox", s.DeleteFolder(ctx, session.Inbox), nil},
		{"DeleteFolder of the inbox by its path", s.DeleteFolder(ctx, session.FolderAt(inbox)), nil},
		{"DeleteFolder of a role that no folder has", s.DeleteFolder(ctx, session.FolderFor("nothing")), session.ErrNoFolder},
	} {
		if edit.err == nil || edit.want != nil && !errors.Is(edit.err, edit.want) {
			r.Errorf("%s: error %v, want one (%v)", edit.name, edit.err, edit.want)
		}
	}
	if after := fmt.Sprint(r.paths(ctx)); after != before {
		r.Errorf("what was refused changed the folders %s to %s", before, after)
	}
	if got := r.storedNumbers(inbox); got != "1 2" {
		r.Errorf("the inbox holds %q, want what was there", got)
	}
}

func subscribe(ctx context.Context, r *reading) {
	s := r.editor(ctx)
	if s == nil {
		return
	}
	path := "Grüße"
	r.create(ctx, s, path)
	for _, on := range []bool{true, false, true, true, false} {
		if err := s.Subscribe(ctx, session.FolderAt(path), on); err != nil {
			r.Errorf("Subscribe(%t): %v", on, err)
		}
		box, ok := r.Mailbox.(SubscribedMailbox)
		if !ok {
			continue
		}
		subscribed, err := box.Subscriptions()
		if err != nil || slices.Contains(subscribed, path) != on {
			r.Errorf("after Subscribe(%t) the folders subscribed to are %q, %v", on, subscribed, err)
		}
	}
	if !slices.Contains(r.paths(ctx), path) {
		r.Errorf("a folder that nobody subscribes to is not listed")
	}
}
