package sessiontest

import (
	"context"
	"errors"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// folderRules are about folders.
func folderRules() []incomingRule {
	return []incomingRule{
		{"facts are true of folders, and folders have their roles", foldersAndRoles},
		{"a folder's name may have letters of any script", folderNames},
		{"a folder that is not there is ErrNoFolder", noFolder},
	}
}

// folders returns all folders.
func (r *reading) folders(ctx context.Context) []session.Folder {
	r.Helper()
	var all []session.Folder
	for f, err := range r.in.Folders(ctx) {
		if err != nil {
			r.Fatalf("Folders after %d folders: %v", len(all), err)
		}
		all = append(all, f)
	}
	return all
}

func foldersAndRoles(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	if again := r.facts(ctx); again != facts || facts.Backend == "" {
		r.Errorf("Facts = %+v, then %+v; want the same, with a Backend", facts, again)
	}
	r.seed(1)
	if parts, err := r.first(ctx, session.Query{}).ID.Parts(); err != nil || parts.Backend != facts.Backend {
		r.Errorf("an id is of the backend %q, %v; Facts say %q", parts.Backend, err, facts.Backend)
	}
	count := map[session.Role]int{}
	for _, f := range r.folders(ctx) {
		count[f.Role]++
		if f.NoMessages || f.Role == session.RoleNone {
			continue
		}
		for _, ref := range []session.FolderRef{f.Ref(), session.FolderFor(f.Role)} {
			if _, err := collect(ctx, r.in, session.Query{Folder: ref}); err != nil {
				r.Errorf("Messages of the folder %s: %v", ref, err)
			}
		}
	}
	wanted := []session.Role{session.RoleInbox}
	if !facts.OneFolder {
		wanted = append(wanted, session.RoleSent, session.RoleDrafts, session.RoleTrash, session.RoleJunk, session.RoleArchive)
	} else if len(count) != 1 {
		r.Errorf("Facts say OneFolder, Folders have the roles %v", count)
	}
	for _, role := range wanted {
		if count[role] != 1 {
			r.Errorf("%d folders have the role %q, want one", count[role], role)
		}
	}
}

func folderNames(ctx context.Context, r *reading) {
	paths := []string{"Projekte", "Projekte/Grüße & Küsse", "注意", "a b (c) %* \"d\""}
	if r.facts(ctx).OneFolder {
		r.wantOneFolder(ctx, session.FolderAt(paths[0]))
		return
	}
	for n, path := range paths {
		if err := r.Mailbox.CreateFolder(path); err != nil {
			r.Fatalf("create the folder %q: %v", path, err)
		}
		r.put(path, Stored{Raw: sample(n + 1)})
	}
	var listed []string
	for _, f := range r.folders(ctx) {
		listed = append(listed, f.Path)
	}
	for n, path := range paths {
		if !slices.Contains(listed, path) {
			r.Errorf("Folders = %q, want %q among them", listed, path)
		}
		messages := r.list(ctx, session.Query{Folder: session.FolderAt(path)})
		if got, want := numbers(messages), sequence(n+1, n+1); got != want {
			r.Errorf("Messages of %q = %s, want %s", path, got, want)
			continue
		}
		r.wantBytes(ctx, messages[0].ID, sample(n+1))
	}
}

// wantOneFolder checks that a backend with one folder refuses to look for
// others.
func (r *reading) wantOneFolder(ctx context.Context, ref session.FolderRef) {
	r.Helper()
	if all := r.folders(ctx); len(all) != 1 || all[0].Role != session.RoleInbox {
		r.Errorf("Facts say OneFolder, Folders = %+v; want the inbox alone", all)
	}
	_, err := collect(ctx, r.in, session.Query{Folder: ref})
	wantUnsupported(r, "Messages of "+string(ref), err, "folder")
}

func noFolder(ctx context.Context, r *reading) {
	r.seed(1)
	id := r.first(ctx, session.Query{}).ID
	facts := r.facts(ctx)
	for _, ref := range []session.FolderRef{session.FolderAt("Nowhere"), session.FolderAt("Nowhere/at all"), session.FolderFor("nothing"), "nonsense"} {
		if facts.OneFolder {
			r.wantOneFolder(ctx, ref)
			r.refused(ctx, session.Change{MoveTo: ref}, id, "folder", "move")
			continue
		}
		if _, err := collect(ctx, r.in, session.Query{Folder: ref}); !errors.Is(err, session.ErrNoFolder) {
			r.Errorf("Messages of %s: error %v, want ErrNoFolder", ref, err)
		}
		for _, c := range []session.Change{{MoveTo: ref}, {CopyTo: ref}} {
			if !facts.SafeMove && c.MoveTo != "" {
				continue // refused as such, see the rule about moves
			}
			results, err := r.in.Apply(ctx, c, id)
			if len(results) != 1 || results[0].Outcome != session.NotDone || !errors.Is(results[0].Err, session.ErrNoFolder) {
				r.Errorf("Apply(%+v) = %+v, %v; want one result, not done, with ErrNoFolder", c, results, err)
			}
		}
	}
	if got := r.storedNumbers(inbox); got != "1" {
		r.Errorf("the inbox holds %q, want the message that could not be moved", got)
	}
}
