package ewstest

import (
	"net/mail"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// answering makes a draft of a ReplyToItem, ReplyAllToItem or ForwardItem.
func (c *call) answering(n *node) (*draft, error) {
	it, err := c.resolveItem(itemIDOf(n.child("ReferenceItemId")))
	if err != nil {
		return nil, err
	}
	d := c.newDraft()
	d.answered, d.answerFlag = it, mailtest.Answered
	prefix := "RE: "
	if n.is("ForwardItem") {
		prefix, d.answerFlag = "FW: ", forwarded
	}
	d.field("Subject", encodeWord(prefix+topic(it.subject())))
	c.addressAnswer(d, it, n.name.Local)
	if id := it.head().rawGet("Message-ID"); id != "" {
		d.field("In-Reply-To", id)
		d.field("References", strings.TrimSpace(it.head().rawGet("References")+" "+id))
	}
	for _, p := range n.children {
		switch p.name.Local {
		case "ReferenceItemId", "NewBodyContent":
			continue
		}
		if err := d.set(p); err != nil {
			return nil, err
		}
	}
	if added := n.child("NewBodyContent"); added != nil {
		form := added.attr("BodyType")
		quoted, _ := it.content().body(form)
		d.setBody(added.raw()+separator(it, form)+quoted, form)
	}
	if n.is("ForwardItem") {
		for _, a := range it.content().files {
			d.mixed()
			d.top.parts = append(d.top.parts, a.part)
		}
	}
	return d, nil
}

// itemIDOf returns an element as if it were an ItemId.
func itemIDOf(n *node) *node {
	if n == nil {
		return nil
	}
	renamed := *n
	renamed.name.Local = "ItemId"
	return &renamed
}

// addressAnswer gives an answer the recipients that it has unless others are
// named.
func (c *call) addressAnswer(d *draft, it *item, kind string) {
	if kind == "ForwardItem" {
		return
	}
	to := addresses(it.head().rawGet("Reply-To"))
	if len(to) == 0 {
		to = addresses(it.head().rawGet("From"))
	}
	d.field("To", list(to, ""))
	if kind == "ReplyAllToItem" {
		others := append(addresses(it.head().rawGet("To")), addresses(it.head().rawGet("Cc"))...)
		d.field("Cc", list(others, c.actor.Address()))
	}
}

// list writes mailboxes, all but one.
func list(all []*mail.Address, but string) string {
	var out []string
	for _, a := range all {
		if !strings.EqualFold(a.Address, but) {
			out = append(out, a.String())
		}
	}
	return strings.Join(out, ", ")
}

// separator is what parts an answer from what it answers.
func separator(it *item, form string) string {
	if strings.EqualFold(form, "HTML") {
		return "<hr><b>From:</b> " + escapeHTML(it.head().get("From")) + "<br>"
	}
	return "\r\n\r\n________________________________\r\nFrom: " + it.head().get("From") + "\r\n\r\n"
}
