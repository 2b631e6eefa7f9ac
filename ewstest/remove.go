package ewstest

import (
	"fmt"

	"github.com/mailsession/mailsession/mailtest"
)

// discard removes messages in one of the three ways: for good, to the dumpster,
// or to the deleted items.
func (c *call) discard(f *folder, uids []mailtest.UID, way string) error {
	switch way {
	case "HardDelete":
		_, err := f.owner.Expunge(f.path, uids...)
		return err
	case "SoftDelete":
		to := dumpster + "/Deletions"
		if f.path == to {
			_, err := f.owner.Expunge(f.path, uids...)
			return err
		}
		if _, err := f.owner.Folder(to); err != nil {
			if err := f.owner.CreateFolder(to, ""); err != nil {
				return err
			}
			c.changed()
		}
		_, err := f.owner.Move(f.path, to, uids...)
		return err
	case "MoveToDeletedItems":
		trash := named(c.tree(f.owner), "deleteditems")
		if trash == nil {
			return folderNotFound()
		}
		if trash.id == f.id {
			return nil
		}
		_, err := f.owner.Move(f.path, trash.path, uids...)
		return err
	}
	return fail("ErrorInvalidRequest", "The request is invalid: DeleteType %q.", way)
}

func deleteItem(c *call) error {
	ids := c.req.child("ItemIds").all()
	return c.respond(len(ids), func(i int) error {
		it, err := c.resolveItem(ids[i])
		if err == nil {
			err = c.invitations(it, "SendMeetingCancellations")
		}
		if err != nil {
			return err
		}
		return c.discard(it.folder, []mailtest.UID{it.m.UID}, c.req.attr("DeleteType"))
	})
}

func moveItem(c *call) error { return c.transferItems(true) }

func copyItem(c *call) error { return c.transferItems(false) }

// transferItems carries out MoveItem or CopyItem. An answer to a request without
// ReturnNewItemIds has the new ids as well, unless the message went to another
// mailbox.
func (c *call) transferItems(move bool) error {
	to, err := c.target(c.req.child("ToFolderId"), "ErrorToFolderNotFound")
	ids := c.req.child("ItemIds").all()
	return c.respondWith(len(ids), "m:Items", func(i int) error {
		if err != nil {
			return err
		}
		it, err := c.resolveItem(ids[i])
		if err != nil {
			return err
		}
		there, err := c.transfer(it, to, move)
		if err != nil {
			return err
		}
		silent := c.req.child("ReturnNewItemIds") != nil && !truth(c.req.child("ReturnNewItemIds").value())
		if silent || to.owner != it.folder.owner {
			c.w.empty("m:Items")
			return nil
		}
		c.w.start("m:Items")
		c.writeItem(there, itemShape{wanted: map[string]bool{"ItemId": true}})
		c.w.end()
		return nil
	})
}

// transfer moves or copies one message and returns it as it is there.
func (c *call) transfer(it *item, to *folder, move bool) (*item, error) {
	if to.path == "" {
		return nil, moveCopyFailed()
	}
	do := it.folder.owner.CopyTo
	if move {
		do = it.folder.owner.MoveTo
	}
	kept := it.bag()
	done, err := do(it.folder.path, to.owner, to.path, it.m.UID)
	if err != nil {
		return nil, err
	}
	if len(done) == 0 {
		return nil, notFound()
	}
	m, err := to.owner.Message(to.path, done[0].To)
	if err != nil {
		return nil, err
	}
	if m.ID != it.m.ID && kept.props != nil {
		c.server.keep(m.ID, func(b *bag) { *b = kept })
	}
	return c.server.item(to, m), nil
}

// archiveItem moves messages to the folder that has the role of an archive.
func archiveItem(c *call) error {
	ids := c.req.child("ItemIds").all()
	return c.respondWith(len(ids), "m:Items", func(i int) error {
		to := named(c.tree(c.actor), "archive")
		if c.server.options.NoArchive || to == nil {
			return fail("ErrorArchiveMailboxNotEnabled", "The archive mailbox is not enabled for this user.")
		}
		it, err := c.resolveItem(ids[i])
		if err != nil {
			return err
		}
		there, err := c.transfer(it, to, true)
		if err != nil {
			return err
		}
		c.w.start("m:Items")
		c.writeItem(there, itemShape{wanted: map[string]bool{"ItemId": true}})
		c.w.end()
		return nil
	})
}

// markAsJunk blocks or unblocks senders, which this server only takes note of,
// and moves messages between junk mail and the inbox.
func markAsJunk(c *call) error {
	ids := c.req.child("ItemIds").all()
	return c.respond(len(ids), func(i int) error {
		it, err := c.resolveItem(ids[i])
		if err != nil {
			return err
		}
		junk := truth(c.req.attr("IsJunk"))
		c.server.judge(it, junk)
		if !truth(c.req.attr("MoveItem")) {
			return nil
		}
		name := map[bool]string{true: "junkemail", false: "inbox"}[junk]
		to := named(c.tree(it.folder.owner), name)
		if to == nil {
			return folderNotFound()
		}
		if to.id != it.folder.id {
			if it, err = c.transfer(it, to, true); err != nil {
				return err
			}
		}
		c.w.empty("m:MovedItemId", "Id", it.key(), "ChangeKey", it.changeKey())
		return nil
	})
}

// judge keeps what a user thinks of the sender of a message.
func (s *Server) judge(it *item, junk bool) {
	from := addresses(it.head().rawGet("From"))
	if len(from) == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.blocked == nil {
		s.blocked = make(map[string]bool)
	}
	s.blocked[blockKey(it.folder.owner.Address(), from[0].Address)] = junk
}

// Blocked reports whether a user blocked a sender by MarkAsJunk.
func (s *Server) Blocked(user, sender string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.blocked[blockKey(user, sender)]
}

func blockKey(user, sender string) string { return fmt.Sprintf("%q %q", user, sender) }
