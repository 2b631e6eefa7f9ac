package ewstest

import (
	"cmp"
	"encoding/base64"
	"slices"
	"strconv"
)

func itemOperations() map[string]operation {
	return map[string]operation{
		"FindItem":        {run: findItem},
		"GetItem":         {run: getItem},
		"SyncFolderItems": {run: syncFolderItems},
		"CreateItem":      {run: createItem},
		"UpdateItem":      {run: updateItem},
		"SendItem":        {run: sendItem},
		"MoveItem":        {run: moveItem},
		"CopyItem":        {run: copyItem},
		"DeleteItem":      {run: deleteItem},
		"ArchiveItem":     {run: archiveItem, since: "Exchange2013"},
		"MarkAsJunk":      {run: markAsJunk, since: "Exchange2013"},
	}
}

// positive reads a number that is more than 0.
func positive(text string) (int, bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n > 0
}

// writeMIME writes the bytes of a message. They are encoded in place, since they
// may be many.
func writeMIME(w *writer, raw string) {
	w.start("t:MimeContent", "CharacterSet", "UTF-8")
	w.b = base64.StdEncoding.AppendEncode(w.b, []byte(raw))
	w.end()
}

// items returns the messages of a folder.
func (c *call) itemsOf(f *folder) ([]*item, error) {
	if f.path == "" {
		return nil, nil
	}
	messages, err := f.owner.Messages(f.path)
	if err != nil {
		return nil, err
	}
	all := make([]*item, 0, len(messages))
	for _, m := range messages {
		all = append(all, c.server.item(f, m))
	}
	return all, nil
}

// resolveItem returns the message that an ItemId names. One that is in another
// folder by now has another id.
func (c *call) resolveItem(n *node) (*item, error) {
	if !n.is("ItemId") {
		return nil, fail("ErrorInvalidRequest", "The request is invalid: an item id is missing.")
	}
	if key := n.attr("ChangeKey"); key != "" && !changeKeyOK(key) {
		return nil, fail("ErrorInvalidChangeKey", "The change key is invalid.")
	}
	return c.itemByKey(n.attr("Id"))
}

func (c *call) itemByKey(key string) (*item, error) {
	i, err := parseID(key, itemKind)
	if err != nil {
		return nil, err
	}
	owner, err := c.mailboxOf(i)
	if err != nil {
		return nil, err
	}
	f := byID(c.tree(owner), i.folder)
	if f == nil {
		return nil, notFound()
	}
	if _, err := c.allowed(f); err != nil {
		return nil, err
	}
	m, err := owner.Find(i.message)
	if err != nil || m.Folder != f.path {
		return nil, notFound()
	}
	return c.server.item(f, m), nil
}

func getItem(c *call) error {
	shape, err := c.itemShape(false)
	if err != nil {
		return err
	}
	ids := c.req.child("ItemIds").all()
	return c.respondWith(len(ids), "m:Items", func(i int) error {
		it, err := c.resolveItem(ids[i])
		if err == nil {
			err = c.properties(it, shape)
		}
		if err != nil {
			return err
		}
		c.w.start("m:Items")
		c.writeItem(it, shape)
		c.w.end()
		return nil
	})
}

func findItem(c *call) error {
	shape, err := c.itemShape(true)
	if err != nil {
		return err
	}
	passes, err := c.filter()
	if err != nil {
		return err
	}
	less, err := c.sortOrder()
	if err != nil {
		return err
	}
	if err := c.seekable(); err != nil {
		return err
	}
	parents := c.req.child("ParentFolderIds").all()
	return c.respond(len(parents), func(i int) error {
		f, err := c.resolve(parents[i])
		if err != nil {
			return err
		}
		found, err := c.itemsOf(f)
		if err != nil {
			return err
		}
		found = slices.DeleteFunc(found, func(it *item) bool {
			return c.req.attr("Traversal") != "Shallow" || !passes(it.lookup())
		})
		slices.SortStableFunc(found, less)
		page, err := c.itemPage(found)
		if err != nil {
			return err
		}
		c.w.start("m:RootFolder", page.attrs()...)
		c.w.start("t:Items")
		for _, it := range found[page.from:page.to] {
			c.writeItem(it, shape)
		}
		c.w.end()
		c.w.end()
		return nil
	})
}

// filter returns what a request for items asks of them, by restriction or in
// words.
func (c *call) filter() (condition, error) {
	words := c.req.child("QueryString")
	if words == nil {
		return restriction(c.req.child("Restriction"))
	}
	switch {
	case !c.version.atLeast("Exchange2010"):
		return nil, fail("ErrorIncorrectSchemaVersion", "QueryString cannot be used with this version of the request.")
	case c.req.child("Restriction") != nil:
		return nil, fail("ErrorInvalidRequest", "The request is invalid: Restriction and QueryString exclude each other.")
	}
	return parseAQS(words.raw())
}

// sortOrder reads the order that a request wants; otherwise it is that of
// arrival, the newest first.
func (c *call) sortOrder() (func(a, b *item) int, error) {
	type rule struct {
		p    path
		sign int
	}
	var rules []rule
	for _, n := range c.req.child("SortOrder").all() {
		p, err := parsePath(n.first())
		if err != nil {
			return nil, err
		}
		if p.uri == "item:Body" || p.uri == "item:MimeContent" {
			return nil, fail("ErrorUnsupportedPathForSortGroup", "The property cannot be used for sorting.")
		}
		sign := 1
		if n.attr("Order") == "Descending" {
			sign = -1
		}
		rules = append(rules, rule{p, sign})
	}
	if rules == nil {
		return func(a, b *item) int {
			return cmp.Or(b.m.Received.Compare(a.m.Received), cmp.Compare(b.m.UID, a.m.UID))
		}, nil
	}
	return func(a, b *item) int {
		for _, r := range rules {
			x, _ := a.lookup()(r.p)
			y, _ := b.lookup()(r.p)
			if order := x.compare(y); order != 0 {
				return r.sign * order
			}
		}
		return 0
	}, nil
}
