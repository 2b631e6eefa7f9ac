package ews

import (
	"context"
	"strconv"
)

// folderID returns the element that names a folder.
func folderID(id string) element { return el("t:FolderId").with("Id", id) }

// distinguished returns the element that names a folder by what it is for, in the
// mailbox that the settings name.
func (c *Client) distinguished(name string) element {
	id := el("t:DistinguishedFolderId").with("Id", name)
	if c.opts.Mailbox != "" {
		id.children = []element{el("t:Mailbox", leaf("t:EmailAddress", c.opts.Mailbox))}
	}
	return id
}

// getFolder asks for folders with these properties beside their ids.
func getFolder(ids ...element) element { return getFolderWith(nil, ids...) }

func getFolderWith(properties []element, ids ...element) element {
	return el("m:GetFolder", folderShape(properties), el("m:FolderIds", ids...))
}

func folderShape(properties []element) element {
	shape := el("m:FolderShape", leaf("t:BaseShape", "IdOnly"))
	if len(properties) > 0 {
		shape.children = append(shape.children, el("t:AdditionalProperties", properties...))
	}
	return shape
}

// field names a property of the schema.
func field(uri string) element { return el("t:FieldURI").with("FieldURI", uri) }

// folderInfo is what a server tells of a folder.
type folderInfo struct {
	id, parent, name, class, kind string
	known                         string // the name of what it is for, from 2013 on
	total, unread, children       int64
	bytes                         int64
}

// folder reads a folder, whose start tag was read last.
func (x *scanner) folder() (folderInfo, error) {
	f := folderInfo{kind: x.name, bytes: -1}
	err := x.children(func(name string) (err error) {
		switch name {
		case "FolderId":
			f.id = x.attr("Id")
		case "ParentFolderId":
			f.parent = x.attr("Id")
		case "DisplayName":
			f.name, err = x.string()
		case "DistinguishedFolderId":
			f.known, err = x.word()
		case "FolderClass":
			f.class, err = x.word()
		case "TotalCount":
			f.total, err = x.number()
		case "ChildFolderCount":
			f.children, err = x.number()
		case "UnreadCount":
			f.unread, err = x.number()
		case "ExtendedProperty":
			var p extended
			if p, err = x.extended(); p.tag == tagSize && p.number {
				f.bytes = p.value
			}
		}
		return err
	})
	return f, err
}

// number reads the element whose start tag was read last as a number.
func (x *scanner) number() (int64, error) {
	text, err := x.trimmed()
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, &itemFaultError{oneLine(string(text)) + " is not a number"}
	}
	return n, nil
}

// folderReplies reads folders, one a reply; what is not there is passed over.
func (a *answer) folderReplies(found func(i int, f folderInfo), missing func(err error) error) error {
	return a.replies(func(i int, name string) error {
		if name != "Folders" {
			return nil
		}
		return a.children(func(string) error {
			f, err := a.folder()
			if err == nil {
				found(i, f)
			}
			return err
		})
	}, func(_ int, err error) error {
		if err == nil {
			return nil
		}
		return missing(err)
	})
}

// folderNamed asks for one folder with some properties.
func (c *Client) folderNamed(ctx context.Context, id element, properties ...element) (f folderInfo, err error) {
	r := &request{op: "GetFolder", body: getFolderWith(properties, id)}
	err = c.call(ctx, r, func(a *answer) error {
		return a.folderReplies(func(_ int, found folderInfo) { f = found }, func(err error) error { return err })
	})
	return f, err
}
