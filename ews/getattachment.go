package ews

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailsession/mailsession/session"
)

// Attachment is what is attached to a message, as Exchange tells of it.
type Attachment struct {
	// ID is what [Client.OpenAttachment] takes. It is good as long as the message
	// stays in its folder with all that is attached to it.
	ID string
	// Kind is what it is.
	Kind AttachmentKind
	// Name is that of the file, or the subject of the item.
	Name        string
	ContentType string
	// ContentID is what the text refers to it by, without angle brackets.
	ContentID string
	// Size is how many bytes it takes in the mailbox, somewhat more than its content
	// has. It is -1 where the server does not tell: Exchange 2007.
	Size int64
	// Inline says that it belongs to the text, such as a picture in HTML. Exchange
	// 2007 does not tell.
	Inline bool
}

// AttachmentKind is what an [Attachment] is.
type AttachmentKind string

// The kinds of attachments.
const (
	FileAttachment      AttachmentKind = "file"
	ItemAttachment      AttachmentKind = "item"      // a message, or another item
	ReferenceAttachment AttachmentKind = "reference" // a file elsewhere, of which there is only the address
)

// Attachments returns what is attached to a message, in Exchange's order, without
// reading the message.
//
// These are not parts as [session.Session.OpenPart] numbers them, and cannot be told
// as such: the MIME of a message, with its numbers, is something that Exchange makes
// when it is asked for it, and it tells nothing of that beforehand. So
// Message.Structure and OpenPart read the message, with little memory but up to its
// end, or up to the part. What Attachments leaves out are texts, and what it adds is
// what the MIME has in another shape, such as the files within a winmail.dat.
func (c *Client) Attachments(ctx context.Context, id session.ID) ([]Attachment, error) {
	parts, err := c.own(id)
	if err != nil {
		return nil, err
	}
	items, err := c.getItems(ctx, []string{parts.Key}, []element{field("item:Attachments")})
	if err != nil {
		return nil, err
	}
	if err := items[0].err; err != nil {
		return nil, &session.ItemError{ID: id, Err: err}
	}
	return items[0].attachments, nil
}

// OpenAttachment opens one attachment of a message, streamed and decoded, and nothing
// else of it is fetched. Of an item it is the MIME. The reader holds a connection until
// it is closed or read to its end. A [ReferenceAttachment] has no content; asking for
// it is an error that wraps [errors.ErrUnsupported].
func (c *Client) OpenAttachment(ctx context.Context, id session.ID, a Attachment) (io.ReadCloser, error) {
	if _, err := c.own(id); err != nil {
		return nil, err
	}
	if a.ID == "" {
		return nil, fmt.Errorf("%s: open an attachment of message %v: it has no ID; use one that Attachments returns", c.address, id)
	}
	if a.Kind == ReferenceAttachment {
		return nil, fmt.Errorf("%s: open an attachment of message %v: the file is kept elsewhere: %w", c.address, id, errors.ErrUnsupported)
	}
	return c.openContent(ctx, id, &request{op: "GetAttachment", body: getAttachment(a.ID)})
}

// getAttachment asks for an attachment, and for the MIME of one that is an item.
func getAttachment(id string) element {
	return el("m:GetAttachment",
		el("m:AttachmentShape", leaf("t:IncludeMimeContent", boolean(true))),
		el("m:AttachmentIds", el("t:AttachmentId").with("Id", id)))
}

// attachments reads what is attached to an item.
func (x *scanner) attachments() ([]Attachment, error) {
	var all []Attachment
	err := x.children(func(name string) error {
		kinds := map[string]AttachmentKind{"FileAttachment": FileAttachment, "ItemAttachment": ItemAttachment, "ReferenceAttachment": ReferenceAttachment}
		kind, known := kinds[name]
		if !known {
			return nil
		}
		a, err := x.attachment()
		a.Kind = kind
		all = append(all, a)
		return err
	})
	return all, err
}

// attachment reads what is told of one, whose start tag was read last.
func (x *scanner) attachment() (Attachment, error) {
	a := Attachment{Size: -1}
	err := x.children(func(name string) (err error) {
		switch name {
		case "AttachmentId":
			a.ID = x.attr("Id")
		case "Name":
			a.Name, err = x.string()
		case "ContentType":
			a.ContentType, err = x.word()
		case "ContentId":
			a.ContentID, err = x.word()
		case "Size":
			a.Size, err = x.number()
		case "IsInline":
			a.Inline, err = x.boolean()
		}
		return err
	})
	return a, err
}
