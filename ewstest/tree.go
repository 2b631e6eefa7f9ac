package ewstest

import (
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// known is a folder that has a name of its own in the protocol.
type known struct {
	name    string // the DistinguishedFolderId
	display string
	class   string
	role    mailtest.Role // of the folder of the mailbox that it is; empty for one that is always empty
	path    string        // of the folder of the mailbox, for those without a role
	parent  string
	since   Version
}

// wellKnown lists the folders that every mailbox has, parents first. Those
// without a role or a path exist in this protocol only, and hold nothing.
func wellKnown() []known {
	const note, top = "IPF.Note", "msgfolderroot"
	return []known{
		{name: "root"},
		{name: top, display: "Top of Information Store", class: note, parent: "root"},
		{name: "inbox", class: note, role: mailtest.RoleInbox, parent: top},
		{name: "sentitems", class: note, role: mailtest.RoleSent, parent: top},
		{name: "drafts", class: note, role: mailtest.RoleDrafts, parent: top},
		{name: "deleteditems", class: note, role: mailtest.RoleTrash, parent: top},
		{name: "junkemail", class: note, role: mailtest.RoleJunk, parent: top},
		{name: "archive", class: note, role: mailtest.RoleArchive, parent: top, since: Exchange2016},
		{name: "outbox", display: "Outbox", class: note, parent: top},
		{name: "calendar", display: "Calendar", class: "IPF.Appointment", parent: top},
		{name: "contacts", display: "Contacts", class: "IPF.Contact", parent: top},
		{name: "tasks", display: "Tasks", class: "IPF.Task", parent: top},
		{name: "notes", display: "Notes", class: "IPF.StickyNote", parent: top},
		{name: "journal", display: "Journal", class: "IPF.Journal", parent: top},
		{name: "searchfolders", display: "Finder", parent: "root"},
		{name: "recoverableitemsroot", path: dumpster, parent: "root", since: Exchange2010SP2},
		{name: "recoverableitemsdeletions", path: dumpster + "/Deletions", since: Exchange2010SP2},
	}
}

// dumpster is where what was deleted softly lies.
const dumpster = "Recoverable Items"

// slash stands for "/" within a name, which parts names in a path.
const slash = "\uF022"

// folder is a folder of a mailbox as clients see it.
type folder struct {
	owner    *mailtest.Account
	id       uint64
	path     string // in the mailbox; empty for a folder of this protocol only
	state    mailtest.Folder
	name     string // DisplayName
	class    string
	known    string // DistinguishedFolderId
	parent   *folder
	children []*folder
}

// holds reports whether the folder is one that only holds other folders.
func (f *folder) holds() bool { return f.known == "root" || f.known == "msgfolderroot" }

// key returns the id that clients see.
func (f *folder) key() string {
	return id{kind: folderKind, mailbox: mailboxKey(f.owner), folder: f.id}.String()
}

// changeKey returns the version of the folder itself, not of what is in it.
func (f *folder) changeKey() string {
	parent := uint64(0)
	if f.parent != nil {
		parent = f.parent.id
	}
	return changeKey(1, hash([]byte(f.name))^parent)
}

// firstVirtual is the id of the first folder that the mailbox does not have.
const firstVirtual = 1 << 62

// tree returns the folders of an account, parents before their children, the
// root first.
func tree(owner *mailtest.Account) []*folder {
	t := &planting{owner: owner, rest: owner.Folders(), paths: make(map[string]*folder)}
	names := make(map[string]*folder) // by DistinguishedFolderId
	for i, k := range wellKnown() {
		f := &folder{id: firstVirtual + uint64(i), name: k.display, class: k.class, known: k.name}
		if (k.role != "" || k.path != "") && !t.take(f, k) {
			continue
		}
		parent := names[k.parent]
		if k.path != "" && k.parent == "" {
			parent = names["recoverableitemsroot"]
		}
		names[k.name] = f
		t.add(f, parent)
	}
	// A folder comes behind its parent, whose path is shorter.
	slices.SortStableFunc(t.rest, func(a, b mailtest.Folder) int {
		return strings.Count(a.Name, "/") - strings.Count(b.Name, "/")
	})
	for _, m := range t.rest {
		f := &folder{id: m.ID, path: m.Name, state: m, name: display(m.Name), class: "IPF.Note", known: knownRole(m.Role)}
		t.add(f, above(m.Name, t.paths, names["msgfolderroot"]))
	}
	return t.all
}

// planting is a tree of folders while it grows.
type planting struct {
	owner *mailtest.Account
	rest  []mailtest.Folder // those of the mailbox that have no place yet
	paths map[string]*folder
	all   []*folder
}

// take makes f the folder of the mailbox that a known one is. It returns false
// where there is none directly below the top.
func (t *planting) take(f *folder, k known) bool {
	at := slices.IndexFunc(t.rest, func(m mailtest.Folder) bool {
		return k.role != "" && m.Role == k.role || k.path != "" && m.Name == k.path
	})
	if at < 0 || k.parent != "root" && k.role != "" && strings.Contains(t.rest[at].Name, "/") {
		return false
	}
	m := t.rest[at]
	f.id, f.path, f.state, f.name = m.ID, m.Name, m, display(m.Name)
	t.rest = slices.Delete(t.rest, at, at+1)
	return true
}

func (t *planting) add(f, parent *folder) {
	f.owner, f.parent = t.owner, parent
	if parent != nil {
		parent.children = append(parent.children, f)
	}
	if f.path != "" {
		t.paths[f.path] = f
	}
	t.all = append(t.all, f)
}

// above returns the nearest folder that a path lies in.
func above(path string, paths map[string]*folder, top *folder) *folder {
	for {
		i := strings.LastIndexByte(path, '/')
		if i < 0 {
			return top
		}
		path = path[:i]
		if f := paths[path]; f != nil {
			return f
		}
	}
}

// knownRole returns the distinguished name of a role for a folder that is not
// directly below the top.
func knownRole(role mailtest.Role) string {
	for _, k := range wellKnown() {
		if role != "" && k.role == role {
			return k.name
		}
	}
	return ""
}

// display returns the last part of a path as people see it.
func display(path string) string {
	if path == "INBOX" {
		return "Inbox"
	}
	return strings.ReplaceAll(path[strings.LastIndexByte(path, '/')+1:], slash, "/")
}

// below returns the path of a folder with that name in f.
func (f *folder) below(name string) string {
	name = strings.ReplaceAll(name, "/", slash)
	if f.path == "" {
		return name
	}
	return f.path + "/" + name
}

// descendants returns everything below f, parents before their children.
func (f *folder) descendants() []*folder {
	var all []*folder
	for _, c := range f.children {
		all = append(append(all, c), c.descendants()...)
	}
	return all
}

// childNamed returns the child with that name, or nil. Case does not matter.
func (f *folder) childNamed(name string) *folder {
	for _, c := range f.children {
		if strings.EqualFold(c.name, name) {
			return c
		}
	}
	return nil
}

// byID returns the folder with that id, or nil.
func byID(all []*folder, id uint64) *folder {
	for _, f := range all {
		if f.id == id {
			return f
		}
	}
	return nil
}

// named returns the folder with that distinguished name, or nil.
func named(all []*folder, name string) *folder {
	for _, f := range all {
		if f.known == name {
			return f
		}
	}
	return nil
}
