package ews

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// getItem asks for items.
func getItem(properties []element, mime bool, ids ...element) element {
	shape := el("m:ItemShape", leaf("t:BaseShape", "IdOnly"))
	if mime {
		shape.children = append(shape.children, leaf("t:IncludeMimeContent", boolean(true)))
	}
	if len(properties) > 0 {
		shape.children = append(shape.children, el("t:AdditionalProperties", properties...))
	}
	return el("m:GetItem", shape, el("m:ItemIds", ids...))
}

func asItemFault(err error) (*itemFaultError, bool) { return errors.AsType[*itemFaultError](err) }

// getItems asks for items, page by page, and returns one for each id, in their order.
// One that could not be had has its id beside the error.
func (c *Client) getItems(ctx context.Context, ids []string, properties []element) ([]found, error) {
	all := make([]found, 0, len(ids))
	for part := range slices.Chunk(ids, c.opts.PageSize) {
		page, err := c.getPage(ctx, part, properties)
		if err != nil {
			return nil, err
		}
		for round := 1; round < maxRounds && unasked(page) > 0; round++ {
			if err := c.askAgain(ctx, part, page, properties); err != nil {
				return nil, err
			}
		}
		all = append(all, page...)
	}
	return all, nil
}

// getPage asks for items by one request.
func (c *Client) getPage(ctx context.Context, ids []string, properties []element) ([]found, error) {
	page := make([]found, len(ids))
	r := &request{op: "GetItem", body: getItem(properties, false, itemIDs(ids)...), attrs: []slog.Attr{slog.Int("messages", len(ids))}}
	err := c.call(ctx, r, func(a *answer) error { return a.items(page) })
	if err != nil {
		return nil, err
	}
	for i := range page {
		if page[i].itemInfo == nil {
			page[i].itemInfo = &itemInfo{id: ids[i]}
		}
	}
	return page, nil
}

// isUnasked reports whether the server did not come to an item, since one before it kept
// it from going on.
func isUnasked(it found) bool {
	e, ok := errors.AsType[*Error](it.err)
	return ok && e.Code == "ErrorBatchProcessingStopped"
}

// unasked returns how many items the server did not come to.
func unasked(page []found) int {
	n := 0
	for _, it := range page {
		if isUnasked(it) {
			n++
		}
	}
	return n
}

// askAgain asks for those of a page that the server did not come to.
func (c *Client) askAgain(ctx context.Context, ids []string, page []found, properties []element) error {
	var at []int
	var left []string
	for i, it := range page {
		if isUnasked(it) {
			at, left = append(at, i), append(left, ids[i])
		}
	}
	items, err := c.getPage(ctx, left, properties)
	for k := range items {
		page[at[k]] = items[k]
	}
	return err
}

// items reads one item a reply.
func (a *answer) items(page []found) error {
	told := 0
	err := a.replies(func(i int, name string) error {
		if name != "Items" || i >= len(page) {
			return nil
		}
		return a.children(func(string) error {
			it, err := a.item()
			page[i] = found{itemInfo: it}
			return err
		})
	}, func(i int, err error) error {
		if told++; i < len(page) && err != nil {
			page[i].err = err
		}
		return nil
	})
	if err == nil && told != len(page) {
		return a.malformed("it is about another number of messages")
	}
	for i := range page {
		if page[i].itemInfo == nil && page[i].err == nil {
			page[i].err = &itemFaultError{"it is empty"}
		}
	}
	return err
}

// withHeaders fills in headers for items that have none of their own: what was never
// received.
func (c *Client) withHeaders(ctx context.Context, items []found) error {
	var ids []string
	var at []int
	for i, it := range items {
		if it.err == nil && len(it.header) == 0 {
			ids, at = append(ids, it.id), append(at, i)
		}
	}
	made, err := c.getItems(ctx, ids, headerProperties())
	if err != nil {
		return err
	}
	for i, it := range made {
		if refuses(it.err) { // Exchange 2007, of an item that is no message
			other, err := c.getItems(ctx, ids[i:i+1], itemHeaderProperties())
			if err != nil {
				return err
			}
			it = other[0]
		}
		if it.err != nil {
			items[at[i]].err = it.err
			continue
		}
		items[at[i]].header = it.fields.header()
	}
	return nil
}

// eachMIME asks for messages as a whole, by one request, and calls each with one
// after the other, in the order of the ids. What each leaves unread of a message is
// passed over; an error of it ends the reading.
func (c *Client) eachMIME(a *answer, count int, each func(i int, content io.Reader, err error) error) error {
	told := -1
	return a.replies(func(i int, name string) error {
		if name != "Items" || i >= count {
			return nil
		}
		return a.children(func(string) error {
			return a.children(func(name string) error {
				if name != "MimeContent" {
					return nil
				}
				told = i
				content := a.content()
				err := each(i, content, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, content)
				}
				return err
			})
		})
	}, func(i int, err error) error {
		if i >= count || told == i && err == nil {
			return nil
		}
		if err == nil {
			err = &itemFaultError{noContent}
		}
		return each(i, nil, err)
	})
}

// Open implements [session.Incoming]. The reader holds a connection until it is
// closed or read to its end.
func (c *Client) Open(ctx context.Context, id session.ID) (io.ReadCloser, error) {
	parts, err := c.own(id)
	if err != nil {
		return nil, err
	}
	return c.openContent(ctx, id, &request{op: "GetItem", body: getItem(nil, true, itemID(parts.Key, ""))})
}
