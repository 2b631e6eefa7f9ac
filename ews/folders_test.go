package ews_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestWhatNamesNoFolder: who appends to a role that does not exist, or to a bare name,
// is told what to write.
func TestWhatNamesNoFolder(t *testing.T) {
	b := newBed(t, settings{})
	for ref, want := range map[session.FolderRef]string{
		"role:nosuch": `there is no role "nosuch"; the roles are inbox,`,
		"INBOX":       `name it by FolderAt("INBOX"), or by a role such as Inbox`,
	} {
		_, err := b.Append(t.Context(), ref, message.Bytes([]byte(mailtest.Sample(1))), nil)
		if !errors.Is(err, session.ErrNoFolder) || !strings.Contains(err.Error(), want) {
			t.Errorf("Append to %q: error %v, want %s", ref, err, want)
		}
	}
}

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

// TestFolderInAMailboxWithoutRoot: who is not shown the folder of all folders of a
// shared mailbox asks for a folder in it by its name, and the server decides.
func TestFolderInAMailboxWithoutRoot(t *testing.T) {
	const support = "support@example.com"
	b := newBed(t, settings{client: ews.Options{Mailbox: support}})
	if err := b.box.Add(support, secret.New("another horse")).Share("INBOX", ann); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Facts(t.Context()); err != nil {
		t.Fatalf("Facts: %v", err)
	}
	b.server.Inject(mailtest.Reply("GetFolder", "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n\r\n"+
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" `+
		`xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body><m:GetFolderResponse><m:ResponseMessages>`+
		`<m:GetFolderResponseMessage ResponseClass="Error"><m:ResponseCode>ErrorAccessDenied</m:ResponseCode></m:GetFolderResponseMessage>`+
		`<m:GetFolderResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Folders><t:Folder><t:FolderId Id="AAA="/>`+
		`<t:DisplayName>Inbox</t:DisplayName></t:Folder></m:Folders></m:GetFolderResponseMessage></m:ResponseMessages></m:GetFolderResponse></s:Body></s:Envelope>`))
	err := b.CreateFolder(t.Context(), "Done")
	all := b.made("CreateFolder")
	if len(all) != 1 {
		t.Fatalf("CreateFolder = %v, after %d requests; want one", err, len(all))
	}
	want := `<m:ParentFolderId><t:DistinguishedFolderId Id="msgfolderroot"><t:Mailbox><t:EmailAddress>` + support + `</t:EmailAddress>`
	if !strings.Contains(all[0].Body, want) {
		t.Errorf("the request is %s, want %s in it", all[0].Body, want)
	}
}
