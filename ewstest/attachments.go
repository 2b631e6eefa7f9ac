package ewstest

// writeAttachmentList tells what is attached, without contents.
func (c *call) writeAttachmentList(it *item) {
	files := it.content().files
	if len(files) == 0 {
		return
	}
	c.w.start("t:Attachments")
	for i, a := range files {
		c.writeAttachment(it, i, a, nil)
	}
	c.w.end()
}

// writeAttachment writes one attachment; content, if not nil, writes what is in
// it.
func (c *call) writeAttachment(it *item, number int, a *attached, content func()) {
	w := c.w
	element := "t:FileAttachment"
	if a.isItem() {
		element = "t:ItemAttachment"
	}
	w.start(element)
	w.empty("t:AttachmentId", "Id", it.attachmentKey(number))
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
		attachment: uint32(number), //nolint:gosec // G115: a count of parts.
	}.String()
}

func trimAngles(s string) string {
	if len(s) > 2 && s[0] == '<' && s[len(s)-1] == '>' {
		return s[1 : len(s)-1]
	}
	return s
}
