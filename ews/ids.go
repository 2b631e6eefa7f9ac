package ews

import (
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// idOf returns the id of a message.
func (c *Client) idOf(f *folder, item string) session.ID {
	return session.NewID(session.IDParts{Backend: backendName, Mailbox: c.mailbox, Folder: f.mark, Key: keyOf(item)})
}

// verbatim begins a key that is the server's id as it stands.
const verbatim = "!"

// keyOf returns what stands for an item in ids: what the server calls it, with the
// two signs of base64 replaced that would have to be escaped.
func keyOf(item string) string {
	if strings.Contains(item, "-") || strings.Contains(item, "_") || strings.HasPrefix(item, verbatim) {
		return verbatim + item
	}
	return exchanged(item, "+/", "-_")
}

// itemOf undoes keyOf.
func itemOf(key string) string {
	if item, ok := strings.CutPrefix(key, verbatim); ok {
		return item
	}
	return exchanged(key, "-_", "+/")
}

// exchanged returns text with two signs in the place of two others.
func exchanged(text, signs, others string) string {
	const usual = 256 // bytes of an id, which take no memory of their own
	b := append(make([]byte, 0, usual), text...)
	for i, c := range b {
		switch c {
		case signs[0]:
			b[i] = others[0]
		case signs[1]:
			b[i] = others[1]
		}
	}
	return string(b)
}

// own takes an id of this mailbox apart. Its key is what the server calls the item.
func (c *Client) own(id session.ID) (session.IDParts, error) {
	parts, err := id.Parts()
	if err != nil {
		return parts, err //nolint:wrapcheck // it says what is wrong
	}
	if parts.Backend != backendName || parts.Mailbox != c.mailbox {
		return parts, fmt.Errorf("%s: message %v: %w", c.address, id, session.ErrOtherMailbox)
	}
	if parts.Key == "" {
		return parts, fmt.Errorf("%s: %q is not the id of a message", c.address, id)
	}
	parts.Key = itemOf(parts.Key)
	return parts, nil
}

// itemID returns the element that names an item, in a state where change is not
// empty.
func itemID(id, change string) element {
	e := el("t:ItemId").with("Id", id)
	if change != "" {
		e = e.with("ChangeKey", change)
	}
	return e
}

func itemIDs(ids []string) []element {
	all := make([]element, len(ids))
	for i, id := range ids {
		all[i] = itemID(id, "")
	}
	return all
}
