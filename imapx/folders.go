package imapx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// folder is a folder with the server's own name of it.
type folder struct {
	session.Folder

	name      string
	delimiter string // between the levels of names
}

// Folders implements [session.Incoming].
func (c *Client) Folders(ctx context.Context) iter.Seq2[session.Folder, error] {
	return c.ListFolders(ctx, session.FolderOptions{})
}

// ListFolders implements [session.FolderLister]. What the options ask for comes
// with the listing where the server can do that (RFC 5258, RFC 5819).
func (c *Client) ListFolders(ctx context.Context, opts session.FolderOptions) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		folders, err := c.list(ctx, opts)
		if err != nil {
			yield(session.Folder{}, err)
			return
		}
		for _, f := range folders {
			if !opts.Foreign && f.Namespace != session.Personal {
				continue
			}
			if !yield(f.Folder, nil) {
				return
			}
		}
	}
}

// list asks for all folders and keeps what it learns.
func (c *Client) list(ctx context.Context, opts session.FolderOptions) ([]folder, error) {
	var folders []folder
	var all spaces
	err := c.read(ctx, "list", func(cn *conn) (err error) {
		folders, all, err = cn.folders(opts)
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.folders, c.spaces = folders, all
	c.mu.Unlock()
	return folders, nil
}

// foldersOf makes folders of what the server lists, the user's own and those of
// others.
func foldersOf(l *folderListing, all spaces) []folder {
	folders := make([]folder, 0, len(l.folders))
	for _, d := range l.folders {
		if slices.Contains(d.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		delimiter := ""
		if d.Delim != 0 {
			delimiter = string(d.Delim)
		}
		path, in := all.pathOf(d.Mailbox, delimiter)
		name := canonical(d.Mailbox)
		f := folder{name: name, delimiter: delimiter, Folder: session.Folder{
			Path:        path,
			NoMessages:  slices.Contains(d.Attrs, imap.MailboxAttrNoSelect),
			HasChildren: slices.Contains(d.Attrs, imap.MailboxAttrHasChildren) || l.parents[name],
			Namespace:   in.kind,
			Owner:       in.owner(d.Mailbox, delimiter),
			Subscribed:  l.subscribed[name] || slices.Contains(d.Attrs, imap.MailboxAttrSubscribed),
		}}
		if in.kind == session.Personal {
			f.Role = roleOf(d)
		}
		folders = append(folders, f)
	}
	assignByName(folders)
	return folders
}

// withInbox adds the inbox where the server does not list it: every account has
// one (RFC 9051 section 5.1).
func withInbox(folders []folder) []folder {
	if slices.ContainsFunc(folders, func(f folder) bool { return f.Role == session.RoleInbox }) {
		return folders
	}
	return append(folders, folder{name: "INBOX", Folder: session.Folder{Path: "INBOX", Role: session.RoleInbox}})
}

// roleOf reads the role that the server states (RFC 6154).
func roleOf(d *imap.ListData) session.Role {
	if strings.EqualFold(d.Mailbox, "INBOX") {
		return session.RoleInbox
	}
	roles := map[imap.MailboxAttr]session.Role{
		imap.MailboxAttrSent:      session.RoleSent,
		imap.MailboxAttrDrafts:    session.RoleDrafts,
		imap.MailboxAttrTrash:     session.RoleTrash,
		imap.MailboxAttrJunk:      session.RoleJunk,
		imap.MailboxAttrArchive:   session.RoleArchive,
		imap.MailboxAttrAll:       session.RoleAll,
		imap.MailboxAttrFlagged:   session.RoleFlagged,
		imap.MailboxAttrImportant: session.RoleImportant,
	}
	for _, a := range d.Attrs {
		if r, ok := roles[a]; ok {
			return r
		}
	}
	return session.RoleNone
}

// assignByName gives the roles that the server did not state to folders with
// the names that servers and programs use for them.
func assignByName(folders []folder) {
	stated := map[session.Role]bool{}
	names := make([]string, len(folders))
	for i, f := range folders {
		stated[f.Role] = true
		names[i] = f.telling()
	}
	for _, known := range knownNames() {
		if stated[known.role] {
			continue
		}
		if i := named(names, known.names); i >= 0 {
			folders[i].Role, names[i] = known.role, ""
		}
	}
}

// telling returns the name of the folder where it may tell a role, else "": only
// folders at the top or right below INBOX count.
func (f folder) telling() string {
	if f.Namespace != session.Personal || f.Role != session.RoleNone || f.NoMessages {
		return ""
	}
	levels := session.SplitPath(f.Path)
	if len(levels) == 2 && isInbox(levels[0]) {
		levels = levels[1:]
	}
	if len(levels) > 1 {
		return ""
	}
	return levels[0]
}

// named returns the first of the folders with one of the names, the earlier names
// first; -1 where there is none.
func named(folders, names []string) int {
	for _, name := range names {
		if i := slices.IndexFunc(folders, func(f string) bool { return strings.EqualFold(f, name) }); i >= 0 {
			return i
		}
	}
	return -1
}

// resolve returns the server's name of a folder. It asks for the list of
// folders where what it knows does not help.
func (c *Client) resolve(ctx context.Context, ref session.FolderRef) (string, error) {
	if ref == session.Inbox {
		return "INBOX", nil
	}
	if name, ok := c.lookUp(ref); ok {
		return name, nil
	}
	_, byPath := ref.Path()
	if _, err := c.list(ctx, session.FolderOptions{Foreign: byPath}); err != nil {
		return "", err
	}
	if name, ok := c.lookUp(ref); ok {
		return name, nil
	}
	return "", backend.NoFolder(c.address, ref, remedyFor(ref))
}

// remedyFor says what to do about a role that no folder has.
func remedyFor(ref session.FolderRef) string {
	role, byRole := ref.Role()
	if !byRole {
		return ""
	}
	for _, known := range knownNames() {
		if known.role == role {
			name := strings.ToUpper(known.names[0][:1]) + known.names[0][1:]
			return fmt.Sprintf("none has this role: make one with CreateFolder, whose name tells what it is for, such as %q", name)
		}
	}
	return "no folder has this role here"
}

// lookUp looks for a folder among those that are known.
func (c *Client) lookUp(ref session.FolderRef) (string, bool) {
	c.mu.Lock()
	folders, all := c.folders, c.spaces
	c.mu.Unlock()
	return nameOf(folders, all, ref)
}

// nameOf returns the server's name of one of the folders. A path that stands for
// none of them may have been written down with the prefix that the server wants
// before the names of all folders.
func nameOf(folders []folder, all spaces, ref session.FolderRef) (string, bool) {
	role, byRole := ref.Role()
	path, byPath := ref.Path()
	whole := ""
	if levels := session.SplitPath(path); byPath && isInbox(levels[0]) {
		whole = all.nameOf(levels, all.delimiter())
	}
	for _, f := range folders {
		if byRole && f.Role == role && role != session.RoleNone || byPath && f.Path == path {
			return f.name, true
		}
	}
	i := slices.IndexFunc(folders, func(f folder) bool { return whole != "" && equalName(f.name, whole) })
	if i < 0 {
		return "", false
	}
	return folders[i].name, true
}

// forget drops what is known of the folders, and reports whether that was
// anything.
func (c *Client) forget() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.folders != nil
	c.folders, c.spaces = nil, nil
	return known
}

// enter opens a folder on the connection.
func (c *Client) enter(cn *conn, name string, readOnly bool) (*selected, error) {
	s, err := cn.enter(name, readOnly)
	return s, noFolder(err)
}

// enterAfresh opens a folder and has the server tell what is new in it. In one
// that was open already, what others removed meanwhile looks as if it were still
// there, and Dovecot says OK to changing it.
func (c *Client) enterAfresh(cn *conn, name string, readOnly bool) (*selected, error) {
	wasOpen := cn.in(name, readOnly)
	s, err := c.enter(cn, name, readOnly)
	if err == nil && wasOpen {
		err = cn.refresh()
	}
	return s, err
}

// current returns an error where the server has renumbered the folder since it
// had the validity.
func (c *Client) current(cn *conn, s *selected, validity string) error {
	if c.scope(s).Validity != validity {
		return fmt.Errorf("%s: folder %s: %w", cn.address, shownName(s.name), session.ErrStaleID)
	}
	return nil
}

// noFolder takes the refusal to look at a folder for what it mostly means.
func noFolder(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && (e.Code == "NONEXISTENT" || e.Type == "NO" && e.Code == "") {
		return fmt.Errorf("%w: %w", session.ErrNoFolder, err)
	}
	return err
}

// enterFor opens the folder of an id and checks that the id is of this age.
func (c *Client) enterFor(cn *conn, parts session.IDParts) error {
	s, err := c.enter(cn, parts.Folder, c.setup.ReadOnly)
	if err != nil {
		return err
	}
	return c.current(cn, s, parts.Validity)
}

// own takes an id of this mailbox apart.
func (c *Client) own(id session.ID) (session.IDParts, uint32, error) {
	parts, err := id.Parts()
	if err != nil {
		return parts, 0, err
	}
	if parts.Backend != "imap" || parts.Mailbox != c.mailbox {
		return parts, 0, fmt.Errorf("%s: message %v: %w", c.address, id, session.ErrOtherMailbox)
	}
	uid, ok := parseUID(parts.Key)
	if !ok {
		return parts, 0, fmt.Errorf("%s: %q is not the id of a message", c.address, id)
	}
	return parts, uid, nil
}
