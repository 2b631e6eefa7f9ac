package ews

import (
	"context"
	"strconv"
)

// folderPage is how many folders are asked for at a time, and maxFolders how many
// there may be.
const (
	folderPage = 500
	maxFolders = 100_000
)

// findFolders asks for all folders below one, at any depth.
//
// SyncFolderHierarchy could tell the same, and later what changed. It is not asked: a
// first answer costs what this one costs, one is asked for only by who wants the list
// or names a folder that is not known, and of most mailboxes all folders come by one
// request. A tree kept up to date from changes would be one more thing to go wrong, and
// the counts, which change with each message, come in full either way.
func (c *Client) findFolders(ctx context.Context, below element) ([]folderInfo, error) {
	v, err := c.serverVersion(ctx)
	if err != nil {
		return nil, err
	}
	properties := append([]element{
		field("folder:ParentFolderId"), field("folder:DisplayName"), field("folder:FolderClass"), field("folder:ChildFolderCount"),
	}, countProperties()...)
	if v.atLeast(exchange2013()) {
		properties = append(properties, field("folder:DistinguishedFolderId"))
	}
	var all []folderInfo
	known := map[string]bool{}
	offset := 0
	for vain := idle(0); ; {
		body := el("m:FindFolder",
			folderShape(properties),
			el("m:IndexedPageFolderView").with("MaxEntriesReturned", strconv.Itoa(folderPage)).with("Offset", strconv.Itoa(offset)).with("BasePoint", "Beginning"),
			el("m:ParentFolderIds", below),
		).with("Traversal", "Deep")
		var page []folderInfo
		var last bool
		err := c.call(ctx, &request{op: "FindFolder", body: body}, func(a *answer) (err error) {
			page, last, err = a.foundFolders()
			return err
		})
		if err != nil {
			return nil, err
		}
		offset += len(page)
		before := len(all)
		for _, f := range page {
			if !known[f.id] {
				known[f.id] = true
				all = append(all, f)
			}
		}
		switch {
		case last || len(page) == 0:
			return all, nil
		case len(all) > maxFolders:
			return nil, c.endless("FindFolder", "the server tells of more than %d folders", maxFolders)
		case vain.tooLong(len(all) > before):
			return nil, c.endless("FindFolder", "the server tells of the same folders again")
		}
	}
}

// foundFolders reads a page of folders. Last says that no other follows.
func (a *answer) foundFolders() (page []folderInfo, last bool, err error) {
	err = a.only(func(name string) error {
		if name != "RootFolder" {
			return nil
		}
		ends, told := a.truthOf("IncludesLastItemInRange")
		last = ends || !told
		return a.children(func(name string) error {
			if name != "Folders" {
				return nil
			}
			return a.children(func(string) error {
				f, err := a.folder()
				page = append(page, f)
				return err
			})
		})
	})
	return page, last, err
}
