package ews

import (
	"context"
	"log/slog"
)

// createAttachment attaches something to an item. Change is the item's ChangeKey
// afterwards.
func (c *Client) createAttachment(ctx context.Context, item string, p *piece) (change string, err error) {
	file := el("t:FileAttachment", leaf("t:Name", p.name), leaf("t:ContentType", p.kind))
	if p.id != "" {
		file.children = append(file.children, leaf("t:ContentId", p.id))
	}
	content := el("t:Content")
	content.content = &p.sized
	file.children = append(file.children, content)
	r := &request{
		op: "CreateAttachment", once: true, attrs: []slog.Attr{slog.Int64("bytes", p.size)},
		body: el("m:CreateAttachment", el("m:ParentItemId").with("Id", item), el("m:Attachments", file)),
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
