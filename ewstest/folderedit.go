package ewstest

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mailsession/mailsession/mailtest"
)

// changed makes the call look at the folders anew.
func (c *call) changed() { c.trees = nil }

// afresh returns the folder with that id as it is now.
func (c *call) afresh(owner *mailtest.Account, id uint64) (*folder, error) {
	c.changed()
	return c.allowed(byID(c.tree(owner), id))
}

// writeFolderID writes the answer to what made or moved a folder.
func (c *call) writeFolderID(f *folder) {
	c.w.start("m:Folders")
	c.writeFolder(f, folderShape{})
	c.w.end()
}

func createFolder(c *call) error {
	folders := c.req.child("Folders").all()
	return c.respondWith(len(folders), "m:Folders", func(i int) error {
		parent, err := c.target(c.req.child("ParentFolderId"), "ErrorParentFolderNotFound")
		if err != nil {
			return err
		}
		name := folders[i].child("DisplayName").value()
		switch {
		case name == "":
			return fail("ErrorInvalidPropertySet", "A folder needs a DisplayName.")
		case parent.path == "" && !parent.holds():
			return fail("ErrorFolderSave", "The folder save operation failed due to invalid property values.")
		case parent.childNamed(name) != nil:
			return fail("ErrorFolderExists", "A folder with the specified name already exists.")
		}
		path := parent.below(name)
		if err := parent.owner.CreateFolder(path, ""); err != nil {
			return err
		}
		made, err := parent.owner.Folder(path)
		if err != nil {
			return err
		}
		f, err := c.afresh(parent.owner, made.ID)
		if err != nil {
			return err
		}
		c.writeFolderID(f)
		return nil
	})
}

func updateFolder(c *call) error {
	changes := c.req.child("FolderChanges").all()
	return c.respondWith(len(changes), "m:Folders", func(i int) error {
		f, err := c.resolve(changes[i].first())
		if err != nil {
			return err
		}
		for _, update := range changes[i].child("Updates").all() {
			if f, err = c.updateOneFolder(f, update); err != nil {
				return err
			}
		}
		c.writeFolderID(f)
		return nil
	})
}

// updateOneFolder sets or deletes one property of a folder.
func (c *call) updateOneFolder(f *folder, update *node) (*folder, error) {
	p, err := parsePath(update.first())
	if err != nil {
		return nil, err
	}
	var content *node
	if len(update.children) > 1 {
		content = update.children[1]
	}
	switch {
	case p.isExt:
		v, err := extendedValue(content.child("ExtendedProperty"), update.is("DeleteFolderField"))
		if err == nil {
			c.server.put(f.id, p.ext, v)
		}
		return f, err
	case p.uri == "folder:PermissionSet", p.uri == "folder:FolderClass": // without effect here
		return f, nil
	case p.uri != "folder:DisplayName" || !update.is("SetFolderField"):
		return nil, fail("ErrorInvalidPropertySet", "Set action is invalid for property %s.", p.uri)
	}
	name := content.child("DisplayName").value()
	sibling := (*folder)(nil)
	if f.parent != nil {
		sibling = f.parent.childNamed(name)
	}
	switch {
	case f.known != "" || f.path == "":
		return nil, fail("ErrorAccessDenied", "Access is denied. A distinguished folder keeps its name.")
	case name == "":
		return nil, fail("ErrorFolderSave", "The folder save operation failed due to invalid property values.")
	case sibling != nil && sibling.id != f.id:
		return nil, fail("ErrorFolderExists", "A folder with the specified name already exists.")
	case name == f.name:
		return f, nil
	}
	if err := f.owner.RenameFolder(f.path, f.parent.below(name)); err != nil {
		return nil, err
	}
	return c.afresh(f.owner, f.id)
}

func moveFolder(c *call) error {
	return c.transferFolders(func(f, to *folder) (uint64, error) {
		if f.known != "" || f.path == "" {
			return 0, fail("ErrorMoveDistinguishedFolder", "Distinguished folders cannot be moved.")
		}
		return f.id, f.owner.RenameFolder(f.path, to.below(f.name))
	})
}

func copyFolder(c *call) error {
	return c.transferFolders(func(f, to *folder) (uint64, error) {
		if f.path == "" {
			return 0, moveCopyFailed()
		}
		path := to.below(f.name)
		if err := duplicate(f, path); err != nil {
			return 0, err
		}
		made, err := f.owner.Folder(path)
		return made.ID, err
	})
}

// duplicate copies a folder with everything in it.
func duplicate(f *folder, path string) error {
	if err := f.owner.CreateFolder(path, ""); err != nil {
		return err
	}
	if _, err := f.owner.Copy(f.path, path, uidsOf(f)...); err != nil {
		return err
	}
	for _, child := range f.children {
		if err := duplicate(child, path+child.path[len(f.path):]); err != nil {
			return err
		}
	}
	return nil
}

func uidsOf(f *folder) []mailtest.UID {
	messages, _ := f.owner.Messages(f.path)
	uids := make([]mailtest.UID, 0, len(messages))
	for _, m := range messages {
		uids = append(uids, m.UID)
	}
	return uids
}

func moveCopyFailed() error { return fail("ErrorMoveCopyFailed", "The move or copy operation failed.") }

// transferFolders carries out MoveFolder or CopyFolder.
func (c *call) transferFolders(do func(f, to *folder) (id uint64, err error)) error {
	ids := c.req.child("FolderIds").all()
	return c.respondWith(len(ids), "m:Folders", func(i int) error {
		to, err := c.target(c.req.child("ToFolderId"), "ErrorToFolderNotFound")
		if err != nil {
			return err
		}
		f, err := c.resolve(ids[i])
		if err != nil {
			return err
		}
		for up := to; up != nil; up = up.parent {
			if up == f {
				return moveCopyFailed()
			}
		}
		switch {
		case to.owner != f.owner:
			return fail("ErrorCrossMailboxMoveCopy", "Folders cannot be moved or copied between mailboxes.")
		case to.childNamed(f.name) != nil, to.path == "" && !to.holds():
			return moveCopyFailed()
		}
		id, err := do(f, to)
		if err != nil {
			return err
		}
		done, err := c.afresh(f.owner, id)
		if err != nil {
			return err
		}
		c.writeFolderID(done)
		return nil
	})
}

func deleteFolder(c *call) error {
	ids := c.req.child("FolderIds").all()
	return c.respond(len(ids), func(i int) error {
		f, err := c.resolve(ids[i])
		if err != nil {
			return err
		}
		if f.known != "" || f.path == "" {
			return fail("ErrorDeleteDistinguishedFolder", "Distinguished folders cannot be deleted.")
		}
		defer c.changed()
		return c.discardFolder(f, c.req.attr("DeleteType"))
	})
}

// discardFolder removes a folder with everything in it, or moves it to the
// deleted items.
func (c *call) discardFolder(f *folder, way string) error {
	if trash := named(c.tree(f.owner), "deleteditems"); way == "MoveToDeletedItems" && trash != nil {
		name := f.name
		for n := 1; trash.childNamed(name) != nil; n++ {
			name = fmt.Sprintf("%s%d", f.name, n)
		}
		return f.owner.RenameFolder(f.path, trash.below(name))
	}
	for _, below := range slices.Backward(f.descendants()) {
		if err := f.owner.DeleteFolder(below.path); err != nil {
			return err
		}
	}
	return f.owner.DeleteFolder(f.path)
}

func emptyFolder(c *call) error {
	ids := c.req.child("FolderIds").all()
	return c.respond(len(ids), func(i int) error {
		f, err := c.resolve(ids[i])
		if err != nil {
			return err
		}
		if f.path == "" {
			return fail("ErrorCannotEmptyFolder", "The folder cannot be emptied.")
		}
		defer c.changed()
		if err := c.discard(f, uidsOf(f), c.req.attr("DeleteType")); err != nil {
			return err
		}
		if !truth(c.req.attr("DeleteSubFolders")) {
			return nil
		}
		var errs []error
		for _, child := range f.children {
			errs = append(errs, c.discardFolder(child, c.req.attr("DeleteType")))
		}
		return errors.Join(errs...)
	})
}

func markAllItemsAsRead(c *call) error {
	ids := c.req.child("FolderIds").all()
	return c.respond(len(ids), func(i int) error {
		f, err := c.resolve(ids[i])
		if err != nil || f.path == "" {
			return err
		}
		if truth(c.req.child("ReadFlag").value()) {
			return f.owner.AddFlags(f.path, []string{mailtest.Seen}, uidsOf(f)...)
		}
		return f.owner.RemoveFlags(f.path, []string{mailtest.Seen}, uidsOf(f)...)
	})
}
