package ewstest

import (
	"slices"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

func folderOperations() map[string]operation {
	return map[string]operation{
		"GetFolder":           {run: getFolder},
		"FindFolder":          {run: findFolder},
		"SyncFolderHierarchy": {run: syncFolderHierarchy, since: Exchange2007SP1},
		"CreateFolder":        {run: createFolder},
		"UpdateFolder":        {run: updateFolder},
		"MoveFolder":          {run: moveFolder},
		"CopyFolder":          {run: copyFolder},
		"DeleteFolder":        {run: deleteFolder},
		"EmptyFolder":         {run: emptyFolder, since: "Exchange2010_SP1"},
		"MarkAllItemsAsRead":  {run: markAllItemsAsRead, since: "Exchange2013"},
	}
}

// resolve returns the folder that a FolderId or DistinguishedFolderId names.
func (c *call) resolve(n *node) (*folder, error) {
	if n.is("DistinguishedFolderId") {
		return c.resolveKnown(n)
	}
	if !n.is("FolderId") {
		return nil, fail("ErrorInvalidRequest", "The request is invalid: a folder id is missing.")
	}
	i, err := parseID(n.attr("Id"), folderKind)
	if err != nil {
		return nil, err
	}
	if key := n.attr("ChangeKey"); key != "" && !changeKeyOK(key) {
		return nil, fail("ErrorInvalidChangeKey", "The change key is invalid.")
	}
	owner, err := c.mailboxOf(i)
	if err != nil {
		return nil, err
	}
	return c.allowed(byID(c.tree(owner), i.folder))
}

func (c *call) resolveKnown(n *node) (*folder, error) {
	owner := c.actor
	if address := n.find("Mailbox", "EmailAddress").value(); address != "" {
		account, ok := c.server.box.Account(address)
		if !ok {
			return nil, nonExistent()
		}
		owner = account
	}
	name := n.attr("Id")
	i := slices.IndexFunc(wellKnown(), func(k known) bool { return k.name == name })
	if i >= 0 && !c.server.options.Version.atLeast(wellKnown()[i].since) {
		i = -1
	}
	if i < 0 {
		return nil, folderNotFound()
	}
	f := named(c.tree(owner), name)
	if f == nil && wellKnown()[i].path != "" {
		// The folder of what was deleted softly is made when it is needed.
		if err := owner.CreateFolder(wellKnown()[i].path, ""); err != nil {
			return nil, err
		}
		c.trees = nil
		f = named(c.tree(owner), name)
	}
	if f == nil || !c.mayUse(f) {
		return nil, folderNotFound() // to a delegate, a folder that is not shared is not there
	}
	return f, nil
}

func folderNotFound() error {
	return fail("ErrorFolderNotFound", "The specified folder could not be found in the store.")
}

// allowed returns the folder where the request may use it.
func (c *call) allowed(f *folder) (*folder, error) {
	switch {
	case f == nil:
		return nil, folderNotFound()
	case !c.mayUse(f):
		return nil, fail("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
	}
	return f, nil
}

// tree returns the folders of an account, as they were when the call looked
// first or changed them last.
func (c *call) tree(owner *mailtest.Account) []*folder {
	if c.trees == nil {
		c.trees = make(map[*mailtest.Account][]*folder)
	}
	if c.trees[owner] == nil {
		c.trees[owner] = tree(owner)
	}
	return c.trees[owner]
}

// target resolves the folder below an element such as ToFolderId; code is the
// error where it is not there.
func (c *call) target(n *node, code string) (*folder, error) {
	f, err := c.resolve(n.first())
	if err != nil && asFailure(err).code == "ErrorFolderNotFound" {
		return nil, fail(code, "The specified folder could not be found in the store.")
	}
	return f, err
}

func getFolder(c *call) error {
	shape, err := c.folderShape()
	if err != nil {
		return err
	}
	ids := c.req.child("FolderIds").all()
	return c.respondWith(len(ids), "m:Folders", func(i int) error {
		f, err := c.resolve(ids[i])
		if err != nil {
			return err
		}
		c.w.start("m:Folders")
		c.writeFolder(f, shape)
		c.w.end()
		return nil
	})
}

func findFolder(c *call) error {
	shape, err := c.folderShape()
	if err != nil {
		return err
	}
	passes, err := restriction(c.req.child("Restriction"))
	if err != nil {
		return err
	}
	parents := c.req.child("ParentFolderIds").all()
	return c.respond(len(parents), func(i int) error {
		parent, err := c.resolve(parents[i])
		if err != nil {
			return err
		}
		found := parent.children
		if c.req.attr("Traversal") == "Deep" {
			found = parent.descendants()
		}
		found = slices.DeleteFunc(slices.Clone(found), func(f *folder) bool {
			return !c.mayUse(f) || c.req.attr("Traversal") == "SoftDeleted" || !passes(c.folderLookup(f))
		})
		page, err := c.page(c.req.child("IndexedPageFolderView"), c.req.child("FractionalPageFolderView"), len(found))
		if err != nil {
			return err
		}
		c.w.start("m:RootFolder", page.attrs()...)
		c.w.start("t:Folders")
		for _, f := range found[page.from:page.to] {
			c.writeFolder(f, shape)
		}
		c.w.end()
		c.w.end()
		return nil
	})
}

// folderShape is which properties of folders a request wants.
type folderShape struct {
	wanted map[string]bool
	ext    []path
}

func (c *call) folderShape() (folderShape, error) {
	n := c.req.child("FolderShape")
	s := folderShape{wanted: map[string]bool{"FolderId": true}}
	base := []string{}
	switch n.child("BaseShape").value() {
	case "Default":
		base = []string{"DisplayName", "TotalCount", "ChildFolderCount", "UnreadCount"}
	case "AllProperties":
		base = []string{
			"ParentFolderId", "FolderClass", "DisplayName", "TotalCount", "ChildFolderCount", "EffectiveRights",
			"DistinguishedFolderId", "UnreadCount",
		}
	}
	for _, name := range base {
		s.wanted[name] = true
	}
	more, err := paths(n.child("AdditionalProperties"))
	for _, p := range more {
		if p.isExt {
			s.ext = append(s.ext, p)
			continue
		}
		if err := c.inVersion(p.uri); err != nil {
			return s, err
		}
		s.wanted[local(p.uri)] = true
	}
	if !c.version.atLeast("Exchange2013") {
		delete(s.wanted, "DistinguishedFolderId")
	}
	return s, err
}

// writeFolder writes a folder with the wanted properties, in the order of the
// schema.
func (c *call) writeFolder(f *folder, s folderShape) {
	w, element := c.w, f.element()
	w.start(element)
	w.empty("t:FolderId", "Id", f.key(), "ChangeKey", f.changeKey())
	if s.wanted["ParentFolderId"] && f.parent != nil {
		w.empty("t:ParentFolderId", "Id", f.parent.key(), "ChangeKey", f.parent.changeKey())
	}
	if s.wanted["FolderClass"] {
		w.given("t:FolderClass", f.class)
	}
	if s.wanted["DisplayName"] {
		w.elem("t:DisplayName", f.name)
	}
	if s.wanted["TotalCount"] {
		w.integer("t:TotalCount", f.state.Messages)
	}
	if s.wanted["ChildFolderCount"] {
		w.integer("t:ChildFolderCount", len(f.children))
	}
	for _, p := range s.ext {
		if v, there := c.folderExtended(f, p.ext); there {
			writeExtended(w, p, v)
		}
	}
	if s.wanted["EffectiveRights"] {
		c.writeRights()
	}
	if s.wanted["DistinguishedFolderId"] {
		w.given("t:DistinguishedFolderId", f.known)
	}
	if s.wanted["UnreadCount"] && (element == "t:Folder" || element == "t:TasksFolder") {
		w.integer("t:UnreadCount", f.state.Unseen)
	}
	w.end()
}

// element returns the name of the element that a folder of its class is.
func (f *folder) element() string {
	switch f.class {
	case "IPF.Appointment":
		return "t:CalendarFolder"
	case "IPF.Contact":
		return "t:ContactsFolder"
	case "IPF.Task":
		return "t:TasksFolder"
	}
	return "t:Folder"
}

func (c *call) writeRights() {
	c.w.start("t:EffectiveRights")
	for _, name := range []string{"CreateAssociated", "CreateContents", "CreateHierarchy", "Delete", "Modify", "Read"} {
		c.w.boolean("t:"+name, true)
	}
	c.w.end()
}

// folderLookup gives conditions the properties of a folder.
func (c *call) folderLookup(f *folder) lookup {
	return func(p path) (value, bool) {
		if p.isExt {
			return c.folderExtended(f, p.ext)
		}
		switch p.uri {
		case "folder:DisplayName":
			return textValue(f.name), true
		case "folder:FolderClass":
			return textValue(f.class), f.class != ""
		case "folder:TotalCount":
			return numberValue(f.state.Messages), true
		case "folder:UnreadCount":
			return numberValue(f.state.Unseen), true
		case "folder:ChildFolderCount":
			return numberValue(len(f.children)), true
		case "folder:DistinguishedFolderId":
			return textValue(f.known), f.known != ""
		}
		return value{}, false
	}
}

// folderExtended returns a MAPI property of a folder.
func (c *call) folderExtended(f *folder, e extended) (value, bool) {
	switch e.tag {
	case 0x3001: // PR_DISPLAY_NAME
		return textValue(f.name), true
	case 0x3613: // PR_CONTAINER_CLASS
		return textValue(f.class), f.class != ""
	case 0x3602: // PR_CONTENT_COUNT
		return numberValue(f.state.Messages), true
	case 0x3603: // PR_CONTENT_UNREAD
		return numberValue(f.state.Unseen), true
	case 0x360a: // PR_SUBFOLDERS
		return boolValue(len(f.children) > 0), true
	case 0x6751: // PR_ARTICLE_NUM_NEXT
		return numberValue(int(f.state.UIDNext)), f.path != ""
	case 0x10f4: // PR_ATTR_HIDDEN
		return boolValue(false), true
	case 0x3601: // PR_FOLDER_TYPE: the root, or a generic one
		if f.known == "root" {
			return numberValue(0), true
		}
		return numberValue(1), true
	case 0x0e08: // PR_MESSAGE_SIZE
		return numberValue(folderSize(f)), true
	case 0x670a: // PR_LOCAL_COMMIT_TIME_MAX, which clients compare with what they remember
		return timeValue(time.Unix(int64(f.state.ModSeq), 0)), f.path != "" //nolint:gosec // G115: a small counter.
	}
	return c.server.bagged(f.id, e)
}

func folderSize(f *folder) int {
	size := 0
	messages, _ := f.owner.Messages(f.path)
	for _, m := range messages {
		size += len(m.Raw)
	}
	return size
}
