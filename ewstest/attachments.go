package ewstest

import (
	"encoding/base64"

	"github.com/mailsession/mailsession/mailtest"
)

// writeAttachmentList tells what is attached, without contents.
func (c *call) writeAttachmentList(it *item) {
	files := it.content().files
	if len(files) == 0 {
		return
	}
	c.w.start("t:Attachments")
	for i, a := range files {
		c.writeAttachment(it, it.attachmentKey(i), a, nil)
	}
	c.w.end()
}

// writeAttachment writes one attachment; content, if not nil, writes what is in
// it.
func (c *call) writeAttachment(it *item, key string, a *attached, content func()) {
	w := c.w
	element := "t:FileAttachment"
	if a.isItem() {
		element = "t:ItemAttachment"
	}
	w.start(element)
	w.empty("t:AttachmentId", "Id", key)
	w.elem("t:Name", a.name)
	w.elem("t:ContentType", a.kind)
	w.given("t:ContentId", trimAngles(a.part.rawGet("Content-ID")))
	w.given("t:ContentLocation", a.part.rawGet("Content-Location"))
	if c.version.atLeast("Exchange2010") {
		w.integer("t:Size", len(a.part.content()))
		w.time("t:LastModifiedTime", it.modified())
		w.boolean("t:IsInline", a.inline)
		if !a.isItem() && c.version.atLeast("Exchange2013") {
			w.boolean("t:IsContactPhoto", false)
		}
	}
	if content != nil {
		content()
	}
	w.end()
}

// attachmentKey returns the id of an attachment, counted from 0.
func (it *item) attachmentKey(number int) string {
	return id{
		kind: attachmentKind, mailbox: mailboxKey(it.folder.owner), folder: it.folder.id, message: it.m.ID,
		attachment: it.attachmentNumber(number),
	}.String()
}

// attachmentNumber returns what an attachment is named by in ids, which stays the
// same when another one is added or removed.
func (it *item) attachmentNumber(number int) uint32 {
	files := it.content().files
	name := func(a *attached) uint64 { return hash([]byte(a.name + "\x00" + a.part.body)) }
	mine := name(files[number])
	for _, before := range files[:number] {
		if name(before) == mine {
			mine++
		}
	}
	return uint32(mine) //nolint:gosec // G115: a part of the hash.
}

func trimAngles(s string) string {
	if len(s) > 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}

func attachmentOperations() map[string]operation {
	return map[string]operation{
		"GetAttachment":    {run: getAttachment},
		"CreateAttachment": {run: createAttachment},
		"DeleteAttachment": {run: deleteAttachment},
	}
}

// resolveAttachment returns the message and the attachment that an id names.
func (c *call) resolveAttachment(n *node) (*item, *attached, error) {
	i, err := parseID(n.attr("Id"), attachmentKind)
	if err != nil {
		return nil, nil, fail("ErrorInvalidAttachmentId", "The attachment id is malformed.")
	}
	number := i.attachment
	i.kind, i.attachment = itemKind, 0
	it, err := c.itemByKey(i.String())
	if err != nil {
		return nil, nil, err
	}
	files := it.content().files
	for at := range files {
		if it.attachmentNumber(at) == number {
			return it, files[at], nil
		}
	}
	return nil, nil, fail("ErrorItemNotFound", "The specified attachment was not found in the store.")
}

func getAttachment(c *call) error {
	shape := itemShape{
		wanted:   map[string]bool{"MimeContent": truth(c.req.find("AttachmentShape", "IncludeMimeContent").value())},
		bodyType: c.req.find("AttachmentShape", "BodyType").value(),
	}
	for _, name := range append(defaultShape(), "ItemClass", "DateTimeReceived", "Sender", "ReplyTo", "References", "InReplyTo") {
		shape.wanted[name] = true
	}
	delete(shape.wanted, "IsAssociated")
	if err := c.further(&shape, c.req.find("AttachmentShape", "AdditionalProperties")); err != nil {
		return err
	}
	ids := c.req.child("AttachmentIds").all()
	return c.respondWith(len(ids), "m:Attachments", func(i int) error {
		it, a, err := c.resolveAttachment(ids[i])
		if err != nil {
			return err
		}
		c.w.start("m:Attachments")
		c.writeAttachment(it, ids[i].attr("Id"), a, func() {
			if !a.isItem() {
				c.w.start("t:Content")
				c.w.b = base64.StdEncoding.AppendEncode(c.w.b, []byte(a.part.content()))
				c.w.end()
				return
			}
			inner := it.m
			inner.Raw, inner.Flags = a.part.content(), []string{mailtest.Seen}
			c.writeItem(c.server.item(it.folder, inner), shape)
		})
		c.w.end()
		return nil
	})
}

func createAttachment(c *call) error {
	files := c.req.child("Attachments").all()
	return c.respondWith(len(files), "m:Attachments", func(i int) error {
		it, err := c.resolveItem(itemIDOf(c.req.child("ParentItemId")))
		if err != nil {
			return err
		}
		p, err := c.attachmentPart(files[i])
		if err != nil {
			return err
		}
		d := c.draftOf(it)
		d.mixed()
		d.top.parts = append(d.top.parts, p)
		d.rewritten = true
		if it, err = c.store(d, it); err != nil {
			return err
		}
		last := len(it.content().files) - 1
		element := "t:FileAttachment"
		if it.content().files[last].isItem() {
			element = "t:ItemAttachment"
		}
		c.w.start("m:Attachments")
		c.w.start(element)
		c.w.empty("t:AttachmentId", "Id", it.attachmentKey(last), "RootItemId", it.key(), "RootItemChangeKey", it.changeKey())
		c.w.end()
		c.w.end()
		return nil
	})
}

func deleteAttachment(c *call) error {
	ids := c.req.child("AttachmentIds").all()
	return c.respond(len(ids), func(i int) error {
		it, a, err := c.resolveAttachment(ids[i])
		if err != nil {
			return err
		}
		if a.parent == nil {
			return fail("ErrorCannotDeleteObject", "The attachment is all that the message consists of.")
		}
		d := c.draftOf(it)
		remove(d.top, a.part)
		d.rewritten = true
		if it, err = c.store(d, it); err != nil {
			return err
		}
		c.w.empty("m:RootItemId", "RootItemId", it.key(), "RootItemChangeKey", it.changeKey())
		return nil
	})
}
