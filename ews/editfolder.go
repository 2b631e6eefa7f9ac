package ews

import (
	"context"
	"fmt"
)

// createFolder makes a folder for messages and returns its id.
func (c *Client) createFolder(ctx context.Context, parent, name string) (string, error) {
	var id string
	err := c.edit(ctx, "CreateFolder", el("m:CreateFolder",
		el("m:ParentFolderId", c.place(parent)),
		el("m:Folders", el("t:Folder", leaf("t:FolderClass", "IPF.Note"), leaf("t:DisplayName", name))),
	), &id)
	return id, err
}

// place names what a folder is to be in. Where it is the folder of all others, which
// somebody who shares single folders does not show, the server is told its name.
func (c *Client) place(parent string) element {
	if parent == "" {
		return c.distinguished("msgfolderroot")
	}
	return folderID(parent)
}

// moveFolder puts a folder, with what is below it, into another one.
func (c *Client) moveFolder(ctx context.Context, folder, parent string) error {
	return c.edit(ctx, "MoveFolder", el("m:MoveFolder", el("m:ToFolderId", c.place(parent)), el("m:FolderIds", folderID(folder))), nil)
}

// renameFolder gives a folder another name where it is.
func (c *Client) renameFolder(ctx context.Context, folder, name string) error {
	return c.edit(ctx, "UpdateFolder", el("m:UpdateFolder", el("m:FolderChanges", el("t:FolderChange",
		folderID(folder),
		el("t:Updates", el("t:SetFolderField", field("folder:DisplayName"), el("t:Folder", leaf("t:DisplayName", name)))),
	))), nil)
}

// deleteFolder removes a folder for good.
func (c *Client) deleteFolder(ctx context.Context, folder string) error {
	kind := "HardDelete"
	if c.opts.SoftDelete {
		kind = "SoftDelete"
	}
	return c.edit(ctx, "DeleteFolder", el("m:DeleteFolder", el("m:FolderIds", folderID(folder))).with("DeleteType", kind), nil)
}

// edit makes one request that changes what folders there are. It is sent once: what
// is lost may have been carried out.
func (c *Client) edit(ctx context.Context, op string, body element, id *string) error {
	r := &request{op: op, body: body, once: true}
	err := c.call(ctx, r, func(a *answer) error {
		return a.only(func(name string) error {
			if name != "Folders" || id == nil {
				return nil
			}
			return a.children(func(string) error {
				f, err := a.folder()
				*id = f.id
				return err
			})
		})
	})
	if err != nil && r.sent && mayBeDone(err) {
		return fmt.Errorf("no answer says whether it was done; list the folders: %w", err)
	}
	return err
}
