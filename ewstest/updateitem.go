package ewstest

func updateItem(c *call) error {
	changes := c.req.child("ItemChanges").all()
	return c.respondWith(len(changes), "m:Items", func(i int) error {
		it, err := c.toChange(changes[i].first())
		if err != nil {
			return err
		}
		d := c.draftOf(it)
		for _, update := range changes[i].child("Updates").all() {
			if err := d.update(it, update); err != nil {
				return err
			}
		}
		if it, err = c.store(d, it); err != nil {
			return err
		}
		if way := c.req.attr("MessageDisposition"); way == "SendOnly" || way == "SendAndSaveCopy" {
			if _, err := c.dispose(c.draftOf(it), way, c.req.child("SavedItemFolderId")); err != nil {
				return err
			}
			if _, err := it.folder.owner.Expunge(it.folder.path, it.m.UID); err != nil {
				return err
			}
			it = nil
		}
		c.writeUpdated(it)
		return nil
	})
}

func (c *call) writeUpdated(it *item) {
	if it == nil {
		c.w.empty("m:Items")
	} else {
		c.w.start("m:Items")
		c.writeItem(it, itemShape{wanted: map[string]bool{"ItemId": true}})
		c.w.end()
	}
	c.w.start("m:ConflictResults")
	c.w.integer("t:Count", 0)
	c.w.end()
}

// toChange returns the message that a change is about, if the conflict
// resolution lets it be made.
func (c *call) toChange(n *node) (*item, error) {
	if c.req.attr("MessageDisposition") == "" {
		return nil, fail("ErrorMessageDispositionRequired", "Message disposition is required for this operation.")
	}
	it, err := c.resolveItem(n)
	if err == nil {
		err = c.invitations(it, "SendMeetingInvitationsOrCancellations")
	}
	if err != nil {
		return nil, err
	}
	key := n.attr("ChangeKey")
	switch resolution := c.req.attr("ConflictResolution"); {
	case resolution == "AlwaysOverwrite":
	case key == "":
		return nil, fail("ErrorChangeKeyRequiredForWriteOperations", "The change key is required for this write operation.")
	case resolution == "NeverOverwrite" && key != it.changeKey():
		return nil, fail("ErrorIrresolvableConflict", "The send or update operation could not be performed because the change key passed in the request does not match the current change key for the item.")
	}
	return it, nil
}

// update makes one change.
func (d *draft) update(it *item, n *node) error {
	p, err := parsePath(n.first())
	if err != nil {
		return err
	}
	if err := d.call.inVersion(p.uri); err != nil {
		return err
	}
	if !p.isExt && !it.has(local(p.uri)) {
		return fail("ErrorInvalidPropertySet", "Set action is invalid for property.")
	}
	if n.is("DeleteItemField") {
		switch {
		case p.isExt:
			return d.putExtended(p.ext, nil)
		case p.uri == "item:InternetMessageHeader":
			d.field(p.index, "")
			return nil
		}
		return d.unset(local(p.uri))
	}
	if len(n.children) != 2 || len(n.children[1].children) != 1 {
		return fail("ErrorIncorrectUpdatePropertyCount", "An object within a change description must contain one and only one property to modify.")
	}
	return d.put(it, n, p, n.children[1])
}

// put sets a property, or adds to it. The content is the element of an item that
// holds nothing but the property.
func (d *draft) put(it *item, n *node, p path, content *node) error {
	property := content.children[0]
	switch {
	case p.isExt:
		if !property.is("ExtendedProperty") {
			return fail("ErrorUpdatePropertyMismatch", "The property path does not match the property that is set.")
		}
		return d.setExtended(property)
	case local(p.uri) != property.name.Local:
		return fail("ErrorUpdatePropertyMismatch", "The property path does not match the property that is set.")
	case n.is("AppendToItemField"):
		return d.append(it, property)
	case property.is("MimeContent"):
		made, err := d.call.compose(content)
		if err != nil {
			return err
		}
		d.top, d.rewritten = made.top, true
		return nil
	case property.is("ItemId"), property.is("ParentFolderId"):
		return fail("ErrorInvalidPropertySet", "Set action is invalid for property %s.", p.uri)
	}
	return d.set(property)
}

// append adds to a body or to recipients.
func (d *draft) append(it *item, n *node) error {
	if n.is("Body") {
		text, form := it.content().body(n.attr("BodyType"))
		d.setBody(text+n.raw(), form)
		return nil
	}
	name := peopleField(n.name.Local)
	if name == "" || name == "From" || name == "Sender" {
		return fail("ErrorInvalidPropertyAppend", "Append action is invalid for property %s.", n.name.Local)
	}
	more, err := recipients(n)
	if old := d.top.rawGet(name); old != "" && more != "" {
		more = old + ", " + more
	}
	d.field(name, more)
	return err
}

// store makes the changes of a draft in the mailbox.
func (c *call) store(d *draft, it *item) (*item, error) {
	f, uid := it.folder, it.m.UID
	if d.rewritten {
		raw := d.top.String()
		if err := c.fits(raw); err != nil {
			return nil, err
		}
		var err error
		if uid, err = f.owner.Rewrite(f.path, uid, raw); err != nil {
			return nil, err
		}
	}
	if d.kept {
		c.server.keep(it.m.ID, func(b *bag) {
			version := b.version
			*b = d.bag
			b.version = version
		})
	}
	if err := f.owner.SetFlags(f.path, d.flags, uid); err != nil {
		return nil, err
	}
	m, err := f.owner.Message(f.path, uid)
	if err != nil {
		return nil, err
	}
	if d.kept && m.ModSeq == it.m.ModSeq {
		if err := f.owner.Touch(f.path, uid); err != nil {
			return nil, err
		}
		if m, err = f.owner.Message(f.path, uid); err != nil {
			return nil, err
		}
	}
	return c.server.item(f, m), nil
}
