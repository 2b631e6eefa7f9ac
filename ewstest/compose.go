package ewstest

import (
	"crypto/rand"
	"encoding/base64"
	"mime"
	"mime/quotedprintable"
	"slices"
	"strings"
	"time"
)

// complete gives a message what every message has.
func (d *draft) complete() {
	if d.top.rawGet("From") == "" {
		d.field("From", d.call.actor.Address())
	}
	if d.top.rawGet("Date") == "" {
		d.field("Date", time.Now().UTC().Format(time.RFC1123Z))
	}
	if d.top.rawGet("Message-ID") == "" {
		d.field("Message-ID", "<"+rand.Text()+"@mail.example.com>")
	}
	if d.mime != "" {
		return // what else there is, is the client's
	}
	if d.top.rawGet("MIME-Version") == "" {
		d.field("MIME-Version", "1.0")
	}
	if d.top.rawGet("Content-Type") == "" && d.top.body == "" {
		d.setBody("", "Text")
	}
	if chosen := d.bag.importance; chosen != "" && d.top.rawGet("Importance") == "" {
		d.field("Importance", strings.ToLower(chosen))
	}
}

// setBody replaces the text of the message, in whatever forms it was there.
func (d *draft) setBody(text, form string) {
	d.rewritten = true
	made := textPart(text, form)
	c := contentOf(d.top)
	switch {
	case c.plain == nil && c.html == nil && d.top.rawGet("Content-Type") == "":
		become(d.top, made)
	case c.plain == nil && c.html == nil:
		d.mixed()
		d.top.parts = append([]*part{made}, d.top.parts...)
	case c.plain != nil && c.html != nil:
		become(c.html, made)
		remove(d.top, c.plain)
	case c.html != nil:
		become(c.html, made)
	default:
		become(c.plain, made)
	}
}

// textPart makes a part of text.
func textPart(text, form string) *part {
	kind := "text/plain; charset=utf-8"
	if strings.EqualFold(form, "HTML") {
		kind = "text/html; charset=utf-8"
	}
	var b strings.Builder
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")))
	_ = w.Close()
	if text != "" {
		b.WriteString("\r\n")
	}
	p := &part{gap: "\r\n", body: b.String()}
	p.set("Content-Type", kind)
	p.set("Content-Transfer-Encoding", "quoted-printable")
	return p
}

// become gives a part the content of another, and keeps its other fields.
func become(p, content *part) {
	p.fields = slices.DeleteFunc(p.fields, isContentField)
	p.fields = append(p.fields, content.fields...)
	p.body, p.parts, p.boundary, p.preamble, p.epilogue = content.body, nil, "", "", ""
}

func isContentField(f field) bool { return strings.HasPrefix(strings.ToLower(f.name), "content-") }

// remove takes a part out of a tree.
func remove(p, gone *part) {
	p.parts = slices.DeleteFunc(p.parts, func(c *part) bool { return c == gone })
	for _, c := range p.parts {
		if c.parts != nil {
			remove(c, gone)
		}
	}
}

// mixed makes the message one that attachments can be added to.
func (d *draft) mixed() {
	if kind, _ := d.top.contentType(); kind == "multipart/mixed" && d.top.parts != nil {
		return
	}
	inner := &part{
		gap: "\r\n", body: d.top.body, parts: d.top.parts, boundary: d.top.boundary,
		preamble: d.top.preamble, epilogue: d.top.epilogue,
	}
	for _, f := range d.top.fields {
		if isContentField(f) {
			inner.fields = append(inner.fields, f)
		}
	}
	if inner.fields == nil {
		inner.set("Content-Type", "text/plain")
	}
	d.top.fields = slices.DeleteFunc(d.top.fields, isContentField)
	d.top.boundary = "=_" + rand.Text()
	d.top.set("MIME-Version", "1.0")
	d.top.set("Content-Type", `multipart/mixed; boundary="`+d.top.boundary+`"`)
	d.top.body, d.top.preamble, d.top.epilogue = "", "", ""
	d.top.parts = []*part{inner}
}

// attach adds the attachments of an element Attachments.
func (d *draft) attach(n *node) error {
	for _, a := range n.all() {
		p, err := d.call.attachmentPart(a)
		if err != nil {
			return err
		}
		d.mixed()
		d.top.parts = append(d.top.parts, p)
		d.rewritten = true
	}
	return nil
}

// attachmentPart makes a part of a FileAttachment or ItemAttachment.
func (c *call) attachmentPart(n *node) (*part, error) {
	name := n.child("Name").value()
	if n.is("ItemAttachment") {
		return c.itemPart(n, name)
	}
	if !n.is("FileAttachment") {
		return nil, fail("ErrorInvalidAttachmentId", "Attachments of the kind %s cannot be created.", n.name.Local)
	}
	text := strings.Map(func(r rune) rune {
		if r <= ' ' {
			return -1
		}
		return r
	}, n.child("Content").raw())
	if _, err := base64.StdEncoding.DecodeString(text); err != nil {
		return nil, fail("ErrorInvalidArgument", "The content of the attachment is not base64.")
	}
	p := &part{gap: "\r\n", body: folded(text)}
	p.set("Content-Type", fileType(n.child("ContentType").value(), name))
	disposition := "attachment"
	if truth(n.child("IsInline").value()) {
		disposition = "inline"
	}
	p.set("Content-Disposition", mime.FormatMediaType(disposition, map[string]string{"filename": name}))
	p.set("Content-Transfer-Encoding", "base64")
	if id := n.child("ContentId").value(); id != "" {
		p.set("Content-ID", "<"+id+">")
	}
	p.set("Content-Location", encodeWord(n.child("ContentLocation").value()))
	return p, nil
}

// fileType returns the Content-Type of a file. What it is said to be may not have
// parts.
func fileType(kind, name string) string {
	media, params, err := mime.ParseMediaType(kind)
	if err != nil || strings.HasPrefix(media, "multipart/") || strings.HasPrefix(media, "message/") {
		media, params = "application/octet-stream", make(map[string]string)
	}
	params["name"] = name
	return mime.FormatMediaType(media, params)
}

// itemPart makes a part of an attached message.
func (c *call) itemPart(n *node, name string) (*part, error) {
	message := n.child("Message")
	if message == nil {
		message = n.child("Item")
	}
	if message == nil {
		return nil, fail("ErrorInvalidRequest", "The request is invalid: an item attachment has no message.")
	}
	d, err := c.compose(message)
	if err != nil {
		return nil, err
	}
	p := &part{gap: "\r\n", body: d.top.String()}
	p.set("Content-Type", mime.FormatMediaType("message/rfc822", map[string]string{"name": name}))
	p.set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": name}))
	return p, nil
}

// folded breaks base64 into lines.
func folded(text string) string {
	const width = 76
	var b strings.Builder
	for len(text) > width {
		b.WriteString(text[:width] + "\r\n")
		text = text[width:]
	}
	b.WriteString(text + "\r\n")
	return b.String()
}
