package ews

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// folder is a folder with the server's id of it.
type folder struct {
	session.Folder

	id     string
	parent string
	mark   string // what stands for it in ids of messages

	total, unread, bytes int64
}

// tree is all folders of a mailbox.
type tree struct {
	root    string // the id of what the user's folders are in
	folders []*folder
	names   map[string]*folder // by id, also those that hold no mail
}

// markOf returns a short text that stands for a folder: ids of folders are long, and
// messages have ids of their own.
func markOf(id string) string {
	sum := sha256.Sum256([]byte(id))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:10]))
}

// Folders implements [session.Incoming].
func (c *Client) Folders(ctx context.Context) iter.Seq2[session.Folder, error] {
	return c.ListFolders(ctx, session.FolderOptions{})
}

// ListFolders implements [session.FolderLister]. The counts come with the listing.
func (c *Client) ListFolders(ctx context.Context, opts session.FolderOptions) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		if opts.Subscribed {
			yield(session.Folder{}, c.noSubscriptions())
			return
		}
		t, err := c.list(ctx)
		if err != nil {
			yield(session.Folder{}, err)
			return
		}
		for _, f := range t.folders {
			told := f.Folder
			if opts.Counts {
				told.Counts = &session.Counts{Messages: f.total, Unread: f.unread, Bytes: f.bytes}
			}
			if !yield(told, nil) {
				return
			}
		}
	}
}

// knownFolder is what Exchange calls the folder for something.
type knownFolder struct {
	name string
	role session.Role
}

// knownFolders are the names of what folders are for, with the roles.
func knownFolders() []knownFolder {
	return []knownFolder{
		{"inbox", session.RoleInbox},
		{"sentitems", session.RoleSent},
		{"drafts", session.RoleDrafts},
		{"deleteditems", session.RoleTrash},
		{"junkemail", session.RoleJunk},
	}
}

// list asks for all folders and keeps what it learns.
func (c *Client) list(ctx context.Context) (*tree, error) {
	root, known, roles, err := c.roles(ctx)
	if err != nil {
		return nil, err
	}
	all := known
	if root != "" {
		if all, err = c.findFolders(ctx, folderID(root)); err != nil {
			return nil, err
		}
	}
	t := newTree(root, all, roles)
	c.mu.Lock()
	c.folders = t
	c.mu.Unlock()
	return t, nil
}

// roles asks which folders are what, and which one all are in. One that a mailbox
// lacks is left out, and so is one that its owner does not share: of a mailbox that
// is somebody else's, often nothing but the inbox is open.
func (c *Client) roles(ctx context.Context) (root string, known []folderInfo, roles map[string]session.Role, err error) {
	ids := []element{c.distinguished("msgfolderroot")}
	for _, k := range knownFolders() {
		ids = append(ids, c.distinguished(k.name))
	}
	var closed error
	r := &request{op: "GetFolder", body: getFolderWith(append([]element{field("folder:DisplayName")}, countProperties()...), ids...)}
	err = c.call(ctx, r, func(a *answer) error {
		root, known, roles, closed = "", nil, map[string]session.Role{}, nil
		return a.folderReplies(func(i int, f folderInfo) {
			if i == 0 {
				root = f.id
			} else if i <= len(knownFolders()) {
				known, roles[f.id] = append(known, f), knownFolders()[i-1].role
			}
		}, func(err error) error {
			e, ok := errors.AsType[*Error](err)
			if !ok || e.class() != noFolder && e.class() != forbidden && e.class() != noMessage {
				return err
			}
			closed = cmp.Or(closed, err)
			return nil
		})
	})
	if err == nil && root == "" && len(known) == 0 {
		err = cmp.Or(closed, fmt.Errorf("%s: the mailbox has no folders: %w", c.address, session.ErrNoFolder))
	}
	return root, known, roles, err
}

// newTree makes folders of what the server lists.
func newTree(root string, all []folderInfo, roles map[string]session.Role) *tree {
	t := &tree{root: root, names: map[string]*folder{}}
	infos := map[string]folderInfo{}
	for _, f := range apart(all, roles, root) {
		infos[f.id] = f
	}
	for _, info := range all {
		f := &folder{id: info.id, parent: info.parent, mark: markOf(info.id), total: info.total, unread: info.unread, bytes: info.bytes}
		f.Path = session.JoinPath(levels(infos, roles, root, info.id)...)
		f.HasChildren = info.children > 0
		f.Role = roles[info.id]
		if info.known == "archive" {
			f.Role = session.RoleArchive
		}
		t.names[f.id] = f
		if info.mail() {
			t.folders = append(t.folders, f)
		}
	}
	t.assignArchive()
	return t
}

// apart gives another name to a folder beside the inbox that is called Inbox as well: an
// inbox has the name of its user's language, and what is brought over from elsewhere
// lies beside it. Both by one name, who names the one would have the other.
func apart(all []folderInfo, roles map[string]session.Role, root string) []folderInfo {
	all = slices.Clone(all)
	beside := func(name string) func(folderInfo) bool {
		return func(f folderInfo) bool { return f.parent == root && strings.EqualFold(f.name, name) }
	}
	for i, f := range all {
		if roles[f.id] == session.RoleInbox || !beside("INBOX")(f) {
			continue
		}
		name := f.name + " (2)"
		for n := 3; slices.ContainsFunc(all, beside(name)); n++ {
			name = fmt.Sprintf("%s (%d)", f.name, n)
		}
		all[i].name = name
	}
	return all
}

// mail reports whether a folder is one for messages. Those that Outlook took over from
// IMAP have a class of their own.
func (f folderInfo) mail() bool {
	return f.kind == "Folder" && (f.class == "" || f.is("IPF.Note") || f.is("IPF.Imap"))
}

// is reports whether a folder is of a class, or of one below it.
func (f folderInfo) is(class string) bool {
	n := len(class)
	return len(f.class) >= n && strings.EqualFold(f.class[:n], class) && (len(f.class) == n || f.class[n] == '.')
}

// levels returns the names on the way from the root to a folder. The inbox is INBOX
// in every language, as it is in IMAP.
func levels(infos map[string]folderInfo, roles map[string]session.Role, root, id string) []string {
	var names []string
	for range maxDepth {
		f, ok := infos[id]
		if !ok || id == root {
			break
		}
		name := f.name
		if roles[id] == session.RoleInbox {
			name = "INBOX"
		}
		names, id = append(names, name), f.parent
	}
	slices.Reverse(names)
	return names
}

// archiveNames are what people call the folder that mail programs archive to: on
// premises, Exchange itself knows none.
func archiveNames() []string {
	return []string{
		"archive", "archives", "archiv", "archivo", "archivio", "arquivo", "archief", "archiwum", "arkiv", "arkisto", "архив", "архів",
		"arşiv", "αρχείο", "アーカイブ", "보관함", "存档", "封存",
	}
}

// assignArchive finds the archive by its name, where the server does not tell.
func (t *tree) assignArchive() {
	if slices.ContainsFunc(t.folders, func(f *folder) bool { return f.Role == session.RoleArchive }) {
		return
	}
	for _, name := range archiveNames() {
		for _, f := range t.folders {
			if f.parent == t.root && f.Role == session.RoleNone && strings.EqualFold(f.Path, name) {
				f.Role = session.RoleArchive
				return
			}
		}
	}
}

// find looks for a folder.
func (t *tree) find(ref session.FolderRef) *folder {
	if t == nil {
		return nil
	}
	role, byRole := ref.Role()
	path, byPath := ref.Path()
	levels := session.SplitPath(path)
	if byPath && strings.EqualFold(levels[0], "INBOX") {
		levels[0] = "INBOX"
		path = session.JoinPath(levels...)
	}
	for _, f := range t.folders {
		if byRole && f.Role == role && role != session.RoleNone || byPath && f.Path == path {
			return f
		}
	}
	return nil
}

// resolve returns the folder that a reference names. It asks for the list of folders
// where what it knows does not help.
func (c *Client) resolve(ctx context.Context, ref session.FolderRef) (*folder, error) {
	ref = cmp.Or(ref, session.Inbox)
	c.mu.Lock()
	known := c.folders
	c.mu.Unlock()
	if f := known.find(ref); f != nil {
		return f, nil
	}
	t, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	if f := t.find(ref); f != nil {
		return f, nil
	}
	remedy := ""
	if ref == session.Archive {
		remedy = `none has this role: make one with CreateFolder, whose name tells what it is for, such as "Archive"`
	}
	return nil, backend.NoFolder(c.address, ref, remedy)
}

// marked returns the folder that a mark stands for. It asks for the list of folders
// where what it knows does not help.
func (c *Client) marked(ctx context.Context, mark string) (*folder, error) {
	c.mu.Lock()
	known := c.folders
	c.mu.Unlock()
	is := func(f *folder) bool { return f.mark == mark }
	if known != nil {
		if i := slices.IndexFunc(known.folders, is); i >= 0 {
			return known.folders[i], nil
		}
	}
	t, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(t.folders, is); i >= 0 {
		return t.folders[i], nil
	}
	return nil, fmt.Errorf("%s: the folder that the message was in: %w", c.address, session.ErrNoFolder)
}

// forget drops what is known of the folders, and reports whether that was anything.
func (c *Client) forget() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.folders != nil
	c.folders = nil
	return known
}

// within runs f with the folder of a reference. Where that is not there any more, it
// may have been made anew under the same name: f runs once more with that one.
func (c *Client) within(ctx context.Context, ref session.FolderRef, f func(*folder) error) error {
	at, err := c.resolve(ctx, ref)
	if err != nil {
		return err
	}
	err = f(at)
	if !errors.Is(err, session.ErrNoFolder) || !c.forget() {
		return err
	}
	if at, err = c.resolve(ctx, ref); err != nil {
		return err
	}
	return f(at)
}

// countProperties are those that say how much a folder holds.
func countProperties() []element {
	return []element{field("folder:TotalCount"), field("folder:UnreadCount"), tagSize.uri()}
}

// Count implements [session.Counter].
func (c *Client) Count(ctx context.Context, ref session.FolderRef) (session.Counts, error) {
	var counts session.Counts
	err := c.within(ctx, ref, func(f *folder) error {
		info, err := c.folderNamed(ctx, folderID(f.id), countProperties()...)
		counts = session.Counts{Messages: info.total, Unread: info.unread, Bytes: info.bytes}
		return err
	})
	if err != nil {
		return session.Counts{}, err
	}
	return counts, nil
}
