package ewstest

import (
	"encoding/base64"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// compose makes a draft of a Message element: of its MIME content where it has
// one, and of its properties.
func (c *call) compose(n *node) (*draft, error) {
	d := c.newDraft()
	if content := n.child("MimeContent"); content != nil {
		text := strings.Join(strings.Fields(content.text), "")
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, fail("ErrorMimeContentInvalidBase64String", "The MIME content is not a valid base64 string.")
		}
		d.top = parsePart(string(raw), 0)
		d.mime = string(raw)
	}
	for _, p := range n.children {
		if err := d.set(p); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// raw returns the bytes of the message: those that the client gave, unless
// something was changed in them.
func (d *draft) raw() string {
	if d.mime != "" && !d.rewritten {
		return d.mime
	}
	return d.top.String()
}

func createItem(c *call) error {
	way := c.req.attr("MessageDisposition")
	items := c.req.child("Items").all()
	return c.respondWith(len(items), "m:Items", func(i int) error {
		if way == "" {
			return fail("ErrorMessageDispositionRequired", "Message disposition is required for this operation.")
		}
		d, err := c.drafted(items[i])
		if err != nil {
			return err
		}
		saved, err := c.dispose(d, way, c.req.child("SavedItemFolderId"))
		if err != nil {
			return err
		}
		c.writeSaved(saved)
		return nil
	})
}

// drafted makes a draft of an element of CreateItem.
func (c *call) drafted(n *node) (*draft, error) {
	switch n.name.Local {
	case "Message", "Item", "PostItem":
		return c.compose(n)
	case "ReplyToItem", "ReplyAllToItem", "ForwardItem":
		return c.answering(n)
	}
	return nil, fail("ErrorInvalidRequest", "The request is invalid: this server makes no %s.", n.name.Local)
}

// writeSaved tells the id of what was saved, which may be nothing.
func (c *call) writeSaved(saved *item) {
	if saved == nil {
		c.w.empty("m:Items")
		return
	}
	s := itemShape{wanted: map[string]bool{"ItemId": true, "Attachments": true}}
	c.w.start("m:Items")
	c.writeItem(saved, s)
	c.w.end()
}

// dispose saves or sends a draft, or both. It returns what was saved where the
// client is told of it.
func (c *call) dispose(d *draft, way string, folder *node) (*item, error) {
	if way == "SaveOnly" {
		if d.mime == "" || d.rewritten {
			d.complete()
		}
		to, err := c.savedIn(folder, "drafts")
		if err != nil {
			return nil, err
		}
		return c.save(d, to)
	}
	if way != "SendOnly" && way != "SendAndSaveCopy" {
		return nil, fail("ErrorInvalidRequest", "The request is invalid: MessageDisposition %q.", way)
	}
	to, err := c.savedIn(folder, "sentitems")
	if err != nil {
		return nil, err
	}
	d.complete()
	if err := c.send(d); err != nil {
		return nil, err
	}
	if d.answered != nil {
		_ = d.answered.folder.owner.AddFlags(d.answered.folder.path, []string{d.answerFlag}, d.answered.m.UID)
	}
	if way == "SendAndSaveCopy" {
		d.flag(mailtest.Draft, false)
		d.flag(mailtest.Seen, true)
		_, err = c.save(d, to)
	}
	return nil, err
}

// savedIn returns the folder that a message is saved in.
func (c *call) savedIn(n *node, otherwise string) (*folder, error) {
	f := named(c.tree(c.actor), otherwise)
	if n != nil {
		var err error
		if f, err = c.target(n, "ErrorSavedItemFolderNotFound"); err != nil {
			return nil, err
		}
	}
	if f == nil || f.path == "" {
		return nil, fail("ErrorSavedItemFolderNotFound", "The folder to save the item in cannot hold messages.")
	}
	return f, nil
}

// save appends a draft to a folder.
func (c *call) save(d *draft, to *folder) (*item, error) {
	raw := d.raw()
	if err := c.fits(raw); err != nil {
		return nil, err
	}
	uid, err := to.owner.Append(to.path, raw, &mailtest.AppendOptions{Flags: d.flags, Received: d.received})
	if err != nil {
		return nil, err
	}
	m, err := to.owner.Message(to.path, uid)
	if err != nil {
		return nil, err
	}
	if d.kept {
		c.server.keep(m.ID, func(b *bag) { *b = d.bag })
	}
	return c.server.item(to, m), nil
}

func (c *call) fits(raw string) error {
	if limit := c.server.options.MaxMessage; limit > 0 && len(raw) > limit {
		return fail("ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")
	}
	return nil
}

// Sent is a message that a client sent.
type Sent struct {
	// Account is the address of the account that sent it, and From the address
	// that it is from.
	Account, From string
	// Recipients are the addresses of To, Cc and Bcc.
	Recipients []string
	// Raw holds the bytes that went out, without the field Bcc.
	Raw string
}

// Sent returns the messages that were sent so far. Those whose recipients have
// an account in the Box lie in their INBOX, too; others go nowhere.
func (s *Server) Sent() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Sent(nil), s.sent...)
}

// send sends a draft to its recipients.
func (c *call) send(d *draft) error {
	raw := d.raw()
	if err := c.fits(raw); err != nil {
		return err
	}
	out := parsePart(raw, 0)
	var to []string
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, f := range out.fields {
			if strings.EqualFold(f.name, name) {
				for _, a := range addresses(f.value) {
					to = append(to, a.Address)
				}
			}
		}
	}
	if len(to) == 0 {
		return fail("ErrorInvalidRecipients", "At least one recipient is not valid.")
	}
	from := c.actor.Address()
	if all := addresses(out.rawGet("From")); len(all) > 0 {
		from = all[0].Address
	}
	if !c.maySendAs(from) {
		return fail("ErrorSendAsDenied", "The user account which was used to submit this request does not have the right to send mail on behalf of the specified sending account.")
	}
	if out.rawGet("Bcc") != "" {
		out.set("Bcc", "")
		raw = out.String()
	}
	c.server.mu.Lock()
	c.server.sent = append(c.server.sent, Sent{Account: c.actor.Address(), From: from, Recipients: to, Raw: raw})
	c.server.mu.Unlock()
	_ = c.server.box.Deliver(raw, to...) // whom the Box does not know is elsewhere
	return nil
}

// maySendAs reports whether mail may be from the address: the user's own, or
// that of a mailbox in which the user may use a folder.
func (c *call) maySendAs(from string) bool {
	if strings.EqualFold(from, c.actor.Address()) {
		return true
	}
	for _, shared := range c.actor.Shared() {
		if strings.EqualFold(shared.Owner.Address(), from) {
			return true
		}
	}
	return false
}

func sendItem(c *call) error {
	ids := c.req.child("ItemIds").all()
	return c.respond(len(ids), func(i int) error {
		it, err := c.resolveItem(ids[i])
		if err != nil {
			return err
		}
		switch key := ids[i].attr("ChangeKey"); key {
		case "":
			return fail("ErrorChangeKeyRequired", "The change key is required for this operation.")
		case it.changeKey():
		default:
			return fail("ErrorStaleObject", "The send operation could not be performed because one or more items in the request have changed on the server.")
		}
		save := truth(c.req.attr("SaveItemToFolder"))
		folder := c.req.child("SavedItemFolderId")
		if !save && folder != nil {
			return fail("ErrorInvalidSendItemSaveSettings", "A folder to save in is given for a message that is not to be saved.")
		}
		way := map[bool]string{true: "SendAndSaveCopy", false: "SendOnly"}[save]
		d := c.draftOf(it)
		d.mime = it.m.Raw
		if _, err := c.dispose(d, way, folder); err != nil {
			return err
		}
		_, err = it.folder.owner.Expunge(it.folder.path, it.m.UID)
		return err
	})
}
