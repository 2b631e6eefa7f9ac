package session

import "strings"

// Role is what a folder is for, whatever it is called.
type Role string

// The roles (RFC 6154 and RFC 8457). RoleNone is any other folder.
const (
	RoleNone      Role = ""
	RoleInbox     Role = "inbox"
	RoleSent      Role = "sent"
	RoleDrafts    Role = "drafts"
	RoleTrash     Role = "trash"
	RoleJunk      Role = "junk"
	RoleArchive   Role = "archive"
	RoleAll       Role = "all"
	RoleFlagged   Role = "flagged"
	RoleImportant Role = "important"
)

// FolderRef names a folder by its role or by its path, as [FolderFor] and [FolderAt]
// make it. It is text, fit for settings files: "role:sent", "path:Projects/2026".
// The zero value names none; where a folder may be left out, that means the inbox.
// Any other text, such as "INBOX", is no folder's name.
type FolderRef string

// The folders that are named by what they are for.
const (
	Inbox   FolderRef = "role:inbox"
	Sent    FolderRef = "role:sent"
	Drafts  FolderRef = "role:drafts"
	Trash   FolderRef = "role:trash"
	Junk    FolderRef = "role:junk"
	Archive FolderRef = "role:archive"
)

const (
	rolePrefix = "role:"
	pathPrefix = "path:"
)

// FolderAt names the folder at a path as [Folder.Path] has it.
func FolderAt(path string) FolderRef { return FolderRef(pathPrefix + path) }

// FolderFor names the folder that has a role.
func FolderFor(r Role) FolderRef { return FolderRef(rolePrefix + string(r)) }

// Role returns the role that names the folder; ok is false where a path does.
func (f FolderRef) Role() (r Role, ok bool) {
	name, ok := strings.CutPrefix(string(f), rolePrefix)
	return Role(name), ok
}

// Path returns the path that names the folder; ok is false where a role does.
func (f FolderRef) Path() (path string, ok bool) {
	return strings.CutPrefix(string(f), pathPrefix)
}

// Folder is one folder of a mailbox.
type Folder struct {
	// Path is the folder's full name, its levels joined by "/" whatever the
	// server uses. A "/" or "\" within a level's name has a "\" before it. What
	// a server wants before the names of all the user's own folders, such as
	// "INBOX.", is not part of it, so that the same path means the same folder
	// where it is listed and where it is made.
	Path string
	// Role is what the folder is for. Only the user's own folders have one.
	Role Role
	// NoMessages says that the folder exists only to hold other folders.
	NoMessages bool
	// HasChildren says that there are folders below this one.
	HasChildren bool
	// Namespace says whose the folder is.
	Namespace Namespace
	// Owner is whose the folder is in the namespace [OtherUsers], by the name
	// that the server has for that user; empty where it does not tell.
	Owner string
	// Subscribed says that the user subscribed to the folder. It is told where
	// [FolderOptions] ask for it.
	Subscribed bool
	// Counts is how much the folder holds, where [FolderOptions] ask for it. It
	// is nil where the folder holds no messages, or the server would not tell.
	Counts *Counts
}

// Ref returns the reference by path.
func (f Folder) Ref() FolderRef { return FolderAt(f.Path) }

// JoinPath makes a path of the names of its levels.
func JoinPath(levels ...string) string {
	escaped := make([]string, len(levels))
	escaper := strings.NewReplacer(`\`, `\\`, `/`, `\/`)
	for i, l := range levels {
		escaped[i] = escaper.Replace(l)
	}
	return strings.Join(escaped, "/")
}

// SplitPath returns the names of a path's levels.
func SplitPath(path string) []string {
	var levels []string
	var level strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			level.WriteByte(path[i])
		case c == '/':
			levels = append(levels, level.String())
			level.Reset()
		default:
			level.WriteByte(c)
		}
	}
	return append(levels, level.String())
}
