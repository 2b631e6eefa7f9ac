package ewstest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func impersonating(kind, who string) string {
	return `<t:ExchangeImpersonation><t:ConnectingSID><t:` + kind + `>` + who + `</t:` + kind + `></t:ConnectingSID></t:ExchangeImpersonation>`
}

func TestWhoMayImpersonateWhom(t *testing.T) {
	b := newBed(t, &ewstest.Options{Impersonate: func(user, target string) bool { return user == ann && target == bob }})
	b.box.Add(bob, secret.New(password))
	b.box.Add("cid@example.com", secret.New(password))
	for _, kind := range []string{"PrincipalName", "PrimarySmtpAddress", "SmtpAddress"} {
		b.header = impersonating(kind, bob)
		b.ask(getFolder("IdOnly", known("inbox"))).want(200, "NoError")
	}
	if r := b.server.Requests()[0]; r.User != ann || r.Mailbox != bob {
		t.Errorf("the request is of %q for %q, want of Ann for Bob", r.User, r.Mailbox)
	}
	b.header = impersonating("SmtpAddress", "cid@example.com")
	b.ask(getFolder("IdOnly", known("inbox"))).want(500, "a:ErrorImpersonateUserDenied")
	b.header = impersonating("SmtpAddress", "eve@example.com")
	b.ask(getFolder("IdOnly", known("inbox"))).want(500, "a:ErrorNonExistentMailbox")
}

func TestAnApplicationNamesAMailbox(t *testing.T) {
	app := secret.New("app-horse")
	b := newBed(t, &ewstest.Options{Application: app.Equal})
	b.ann.AcceptTokens(mailtest.Tokens(app))
	b.box.Add(bob, secret.New(password))
	b.authorize = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+app.Reveal()) }
	b.ask(getFolder("IdOnly", known("inbox"))).want(500, "ExchangeImpersonation SOAP header must be present")
	b.header = impersonating("SmtpAddress", ann)
	b.ask(getFolder("IdOnly", known("inbox"))).want(200, "NoError")
	b.header = impersonating("SmtpAddress", bob)
	b.ask(getFolder("IdOnly", known("inbox"))).want(500, "a:ErrorImpersonateUserDenied")
	b.server.Inject(mailtest.Expire("GetFolder"))
	b.header = impersonating("SmtpAddress", ann)
	b.ask(getFolder("IdOnly", known("inbox"))).want(401)
	b.ask(getFolder("IdOnly", known("inbox"))).want(401)
}

func TestASharedMailboxIsReachedByItsAddress(t *testing.T) {
	b := newBed(t, nil)
	info := b.box.Add("info@example.com", secret.Text{})
	if err := info.Share("INBOX", ann); err != nil {
		t.Fatal(err)
	}
	if _, err := info.Append("INBOX", mailtest.Sample(1), nil); err != nil {
		t.Fatal(err)
	}
	of := func(folder, address string) string {
		return `<t:DistinguishedFolderId Id="` + folder + `"><t:Mailbox><t:EmailAddress>` + address + `</t:EmailAddress></t:Mailbox></t:DistinguishedFolderId>`
	}
	folder := b.ask(getFolder("Default", of("inbox", "info@example.com"))).want(200, "<t:TotalCount>1<").one(folderID)
	item := b.ask(findItem("IdOnly", "", "", `<t:FolderId Id="`+folder+`"/>`)).want(200).one(itemID)
	b.ask(getItem(`<t:BaseShape>Default</t:BaseShape>`, item)).want(200, "<t:Subject>Sample 1<")
	b.ask(getFolder("Default", of("drafts", "info@example.com")+of("inbox", "eve@example.com"))).want(200, "ErrorFolderNotFound", "ErrorNonExistentMailbox")
	if err := info.Share("INBOX"); err != nil {
		t.Fatal(err)
	}
	b.ask(getFolder("Default", `<t:FolderId Id="`+folder+`"/>`)).want(200, "ErrorAccessDenied")
	if err := info.Share("INBOX", ann); err != nil {
		t.Fatal(err)
	}
	r := b.ask(`<m:FindFolder Traversal="Deep"><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:ParentFolderIds>` + of("msgfolderroot", "info@example.com") + `</m:ParentFolderIds></m:FindFolder>`)
	if got := r.want(200).all(`<t:DisplayName>([^<]*)<`); len(got) != 1 || got[0] != "Inbox" {
		t.Errorf("of the shared mailbox Ann sees %q, want its inbox", got)
	}
	b.ask(createItem("SendOnly", "", message(mime(strings.Replace(letter, ann, "info@example.com", 1))))).want(200, "NoError")
	b.ask(`<m:MoveItem><m:ToFolderId>`+known("inbox")+`</m:ToFolderId><m:ItemIds><t:ItemId Id="`+item+`"/></m:ItemIds></m:MoveItem>`).want(200, "<m:Items/>")
	if got := len(b.in("INBOX")); got != 1 {
		t.Errorf("INBOX has %d messages, want the one that was moved", got)
	}
}
