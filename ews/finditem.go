package ews

import (
	"context"
	"strconv"
)

// maxFound is how many items servers find at a time (FindCountLimit).
const maxFound = 1000

// search is a search in a folder.
type search struct {
	folder     *folder
	at         element // in place of folder, unless it is empty
	properties []element
	where      []element // restrictions, all of which have to hold
	native     string    // in place of them, in the server's own language
	oldest     bool
	by         element // what to sort by, unless it is empty
	seek       element // in place of offset: a condition, which the first item to be told is the first to meet
	offset     int
	most       int
}

// body writes the search.
func (s search) body() element {
	shape := el("m:ItemShape", leaf("t:BaseShape", "IdOnly"))
	if len(s.properties) > 0 {
		shape.children = append(shape.children, el("t:AdditionalProperties", s.properties...))
	}
	all := []element{shape, s.view()}
	if len(s.where) > 0 {
		all = append(all, el("m:Restriction", both(s.where)))
	}
	if s.by.name != "" {
		order := "Descending"
		if s.oldest {
			order = "Ascending"
		}
		all = append(all, el("m:SortOrder", el("t:FieldOrder", s.by).with("Order", order)))
	}
	parent := s.at
	if parent.name == "" {
		parent = folderID(s.folder.id)
	}
	all = append(all, el("m:ParentFolderIds", parent))
	if s.native != "" {
		all = append(all, leaf("m:QueryString", s.native))
	}
	return el("m:FindItem", all...).with("Traversal", "Shallow")
}

// view writes which page of what is found is to be told. Only Exchange 2013 and its
// successors seek.
func (s search) view() element {
	most := strconv.Itoa(min(s.most, maxFound))
	if s.seek.name != "" {
		return el("m:SeekToConditionPageItemView", el("t:Condition", s.seek)).with("MaxEntriesReturned", most).with("BasePoint", "Beginning")
	}
	return el("m:IndexedPageItemView").with("MaxEntriesReturned", most).with("Offset", strconv.Itoa(s.offset)).with("BasePoint", "Beginning")
}

// findItem carries a search out. Last says that there are no more items behind these.
func (c *Client) findItem(ctx context.Context, s search) (items []found, last bool, err error) {
	err = c.call(ctx, &request{op: "FindItem", body: s.body()}, func(a *answer) (err error) {
		items, last, err = a.found(min(s.most, maxFound))
		return err
	})
	return items, last, err
}

// found is an item, or why what the server tells of it cannot be read.
type found struct {
	*itemInfo

	err error
}

// found reads a page of items. What is more than was asked for is passed over. A full page
// of which the server does not say that it is the last may have others behind it.
func (a *answer) found(most int) (items []found, last bool, err error) {
	var more, ends, told bool
	err = a.only(func(name string) error {
		if name != "RootFolder" {
			return nil
		}
		ends, told = a.truthOf("IncludesLastItemInRange")
		return a.children(func(name string) error {
			if name != "Items" && name != "Groups" {
				return nil
			}
			return a.children(func(string) error {
				if len(items) == most {
					more = true
					return nil
				}
				it, err := a.itemApart()
				if err == nil {
					items = append(items, it)
				}
				return err
			})
		})
	})
	last = ends || !told && len(items) < most
	return items, last && !more, err
}

// itemApart reads an item, and beyond what cannot be read of it.
func (x *scanner) itemApart() (found, error) {
	depth := x.depth()
	it, err := x.item()
	fault, bad := asItemFault(err)
	if !bad {
		return found{itemInfo: it}, err
	}
	return found{itemInfo: it, err: fault}, x.surface(depth - 1)
}

// findAll finds all items of a search, page by page, each once.
func (c *Client) findAll(ctx context.Context, s search) ([]found, error) {
	var all []found
	known := identities{}
	s.most = maxFound
	for vain := idle(0); ; {
		page, last, err := c.findItem(ctx, s)
		if err != nil {
			return nil, err
		}
		s.offset += len(page)
		fresh, news := known.fresh(page)
		if all = append(all, fresh...); last || len(page) == 0 {
			return all, nil
		}
		if vain.tooLong(news) {
			return nil, c.sameAgain(s)
		}
	}
}

// identities are the ids of items that were told of.
type identities map[string]bool

// fresh returns those of a page that were not told of before. News says that one of them
// has an id by which that is certain.
func (known identities) fresh(page []found) (fresh []found, news bool) {
	for _, it := range page {
		if it.id == "" || !known[it.id] {
			fresh = append(fresh, it)
		}
		if it.id != "" && !known[it.id] {
			known[it.id], news = true, true
		}
	}
	return fresh, news
}

// sameAgain says that a search finds nothing new, page by page.
func (c *Client) sameAgain(s search) error {
	where := "of the mailbox"
	if s.folder != nil {
		where = s.folder.Path
	}
	return c.endless("FindItem", "folder %s: the server tells of the same messages again", where)
}
