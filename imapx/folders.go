package imapx

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

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
	return func(yield func(session.Folder, error) bool) {
		folders, err := c.list(ctx)
		if err != nil {
			yield(session.Folder{}, err)
			return
		}
		for _, f := range folders {
			if !yield(f.Folder, nil) {
				return
			}
		}
	}
}

// list asks for all folders and keeps what it learns.
func (c *Client) list(ctx context.Context) ([]folder, error) {
	var folders []folder
	err := c.read(ctx, "list", func(cn *conn) error {
		listed, err := cn.list()
		folders = withInbox(foldersOf(listed))
		return err
	})
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.folders = folders
	c.mu.Unlock()
	return folders, nil
}

// list asks for all folders. A server that knows of none when it is asked for
// roles too is asked for the folders alone.
func (c *conn) list() ([]*imap.ListData, error) {
	const words = `LIST "" "*"`
	if !c.statesRoles() {
		return c.listed(words)
	}
	listed, err := c.listed(words + " RETURN (SPECIAL-USE)")
	if len(listed) == 0 && err == nil {
		return c.listed(words)
	}
	return listed, err
}

// listed carries out a LIST command. What is not a folder at all is left out.
func (c *conn) listed(words string) ([]*imap.ListData, error) {
	var listed []*imap.ListData
	err := c.run("list", words, func(name string, sc *scanner) error {
		if name != "LIST" {
			return nil
		}
		d, err := scanList(sc)
		if err == nil && d.Mailbox != "" {
			d.Mailbox = c.knownName(d.Mailbox)
			listed = append(listed, d)
		}
		if itemError(err) {
			return nil
		}
		return err
	})
	return listed, err
}

func foldersOf(listed []*imap.ListData) []folder {
	folders := make([]folder, 0, len(listed))
	for _, d := range listed {
		if slices.Contains(d.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		levels := []string{shownName(d.Mailbox)}
		delimiter := ""
		if d.Delim != 0 {
			delimiter = string(d.Delim)
			levels = strings.Split(levels[0], delimiter)
		}
		folders = append(folders, folder{name: d.Mailbox, delimiter: delimiter, Folder: session.Folder{
			Path:       session.JoinPath(levels...),
			Role:       roleOf(d),
			NoMessages: slices.Contains(d.Attrs, imap.MailboxAttrNoSelect),
		}})
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
	for _, f := range folders {
		stated[f.Role] = true
	}
	for _, known := range knownNames() {
		if stated[known.role] {
			continue
		}
		if i := named(folders, known.names); i >= 0 {
			folders[i].Role = known.role
		}
	}
}

// named returns the first folder with one of the names, the earlier names
// first; -1 where there is none. Only folders at the top or right below INBOX
// count.
func named(folders []folder, names []string) int {
	for _, name := range names {
		i := slices.IndexFunc(folders, func(f folder) bool {
			levels := session.SplitPath(f.Path)
			if len(levels) == 2 && strings.EqualFold(levels[0], "INBOX") {
				levels = levels[1:]
			}
			return len(levels) == 1 && f.Role == session.RoleNone && !f.NoMessages && strings.EqualFold(levels[0], name)
		})
		if i >= 0 {
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
	c.mu.Lock()
	known := c.folders
	c.mu.Unlock()
	if name, ok := lookUp(known, ref); ok {
		return name, nil
	}
	known, err := c.list(ctx)
	if err != nil {
		return "", err
	}
	if name, ok := lookUp(known, ref); ok {
		return name, nil
	}
	return "", fmt.Errorf("%s: folder %q: %w", c.address, ref, session.ErrNoFolder)
}

func lookUp(folders []folder, ref session.FolderRef) (string, bool) {
	role, byRole := ref.Role()
	path, byPath := ref.Path()
	for _, f := range folders {
		if byRole && f.Role == role && role != session.RoleNone || byPath && f.Path == path {
			return f.name, true
		}
	}
	return "", false
}

// forget drops what is known of the folders, and reports whether that was
// anything.
func (c *Client) forget() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	known := c.folders != nil
	c.folders = nil
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
