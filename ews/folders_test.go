package ews_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
)

// TestFoldersOfImports: folders that Outlook took over from IMAP have a class of their
// own, and hold mail like others.
func TestFoldersOfImports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{})
		folder := func(name, class string) string {
			return fmt.Sprintf(`<t:Folder><t:FolderId Id="%[1]s"/><t:ParentFolderId Id="top"/><t:FolderClass>%[2]s</t:FolderClass><t:DisplayName>%[1]s</t:DisplayName></t:Folder>`, name, class)
		}
		b.server.Inject(written("FindFolder", `<m:RootFolder IncludesLastItemInRange="true"><t:Folders>`+
			folder("Letters", "IPF.Note")+folder("Imported", "IPF.Imap")+folder("Imago", "IPF.Imago")+folder("Old", "")+`</t:Folders></m:RootFolder>`))
		var paths []string
		for f, err := range b.Folders(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			paths = append(paths, f.Path)
		}
		if got, want := strings.Join(paths, ", "), "Letters, Imported, Old"; got != want {
			t.Errorf("Folders = %s, want %s", got, want)
		}
	})
}
