package ews

import (
	"context"
	"log/slog"
)

// element writes what is to be attached: a file, or, of a message, the item that Exchange
// makes of it as it does of one that comes with the rest.
func (p *piece) element() element {
	content := el("t:Content")
	content.content = &p.sized
	if p.kind == "message/rfc822" {
		content.name = "t:MimeContent"
		return el("t:ItemAttachment", leaf("t:Name", p.name), el("t:Message", content))
	}
	file := el("t:FileAttachment", leaf("t:Name", p.name), leaf("t:ContentType", p.kind))
	if p.id != "" {
		file.children = append(file.children, leaf("t:ContentId", p.id))
	}
	file.children = append(file.children, content)
	return file
}

// createAttachment attaches something to an item. Change is the item's ChangeKey
// afterwards.
func (c *Client) createAttachment(ctx context.Context, item string, p *piece) (change string, err error) {
	r := &request{
		op: "CreateAttachment", once: true, attrs: []slog.Attr{slog.Int64("bytes", p.size)},
		body: el("m:CreateAttachment", el("m:ParentItemId").with("Id", item), el("m:Attachments", p.element())),
	}
	err = c.call(ctx, r, func(a *answer) error {
		return a.only(func(name string) error {
			if name != "Attachments" {
				return nil
			}
			return a.children(func(string) error {
				return a.children(func(name string) error {
					if name == "AttachmentId" {
						change = a.attr("RootItemChangeKey")
					}
					return nil
				})
			})
		})
	})
	return change, err
}
