package ewstest_test

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
)

func TestAMailboxHasTheFoldersThatClientsExpect(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1))
	names := []string{"inbox", "calendar", "contacts", "sentitems", "drafts", "deleteditems", "junkemail", "outbox", "msgfolderroot", "archive"}
	var ids strings.Builder
	for _, name := range names {
		ids.WriteString(known(name))
	}
	r := b.ask(getFolder("AllProperties", ids.String())).want(200, `Version="V2017_07_11"`, "<t:DisplayName>Top of Information Store<")
	if got := r.all(`<t:DistinguishedFolderId>([^<]*)<`); !slices.Equal(got, names) {
		t.Errorf("GetFolder answers for %v, want %v", got, names)
	}
	r = b.ask(getFolder("Default", known("inbox")))
	r.want(200, "<t:DisplayName>Inbox</t:DisplayName><t:TotalCount>1</t:TotalCount><t:ChildFolderCount>0</t:ChildFolderCount><t:UnreadCount>1<")
}

func TestABatchAnswersEachFolderByItself(t *testing.T) {
	b := newBed(t, nil)
	r := b.ask(getFolder("IdOnly", known("inbox")+`<t:FolderId Id="nonsense"/>`+known("voicemail"))).want(200)
	want := []string{"NoError", "ErrorInvalidIdMalformed", "ErrorFolderNotFound"}
	if got := r.all(`<m:ResponseCode>([^<]*)<`); !slices.Equal(got, want) {
		t.Errorf("GetFolder answers %v, want %v", got, want)
	}
}

// TestFoldersHavePropertiesOfMAPI: clients that speak IMAP to others ask for them.
func TestFoldersHavePropertiesOfMAPI(t *testing.T) {
	b := newBed(t, nil)
	if err := b.ann.CreateFolder("INBOX/Below", ""); err != nil {
		t.Fatal(err)
	}
	b.append("INBOX", mailtest.Sample(1), mailtest.Seen)
	b.append("INBOX", mailtest.Sample(2))
	var tags strings.Builder
	for _, tag := range []string{"0x3001", "0x3602", "0x3603", "0x360a", "0x6751"} {
		kind := map[string]string{"0x3001": "String", "0x360a": "Boolean"}[tag]
		tags.WriteString(`<t:ExtendedFieldURI PropertyTag="` + tag + `" PropertyType="` + cmp.Or(kind, "Integer") + `"/>`)
	}
	shape := "IdOnly</t:BaseShape><t:AdditionalProperties>" + tags.String() + "</t:AdditionalProperties>"
	r := b.ask(strings.Replace(getFolder("IdOnly", known("inbox")), "IdOnly</t:BaseShape>", shape, 1)).want(200)
	if got, want := r.all(`<t:Value>([^<]*)<`), []string{"Inbox", "2", "1", "true", "3"}; !slices.Equal(got, want) {
		t.Errorf("the inbox has %q, want its name, 2 messages, 1 unread, a subfolder, and the next number: %q", got, want)
	}
}

func TestFoldersAreFoundInPages(t *testing.T) {
	b := newBed(t, nil)
	if err := b.ann.CreateFolder("Projects/2024", ""); err != nil {
		t.Fatal(err)
	}
	find := func(traversal, view string) *reply {
		return b.ask(`<m:FindFolder Traversal="` + traversal + `"><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape>` + view +
			`<m:ParentFolderIds>` + known("msgfolderroot") + `</m:ParentFolderIds></m:FindFolder>`)
	}
	deep := find("Deep", "").want(200, `IncludesLastItemInRange="true"`).all(`<t:DisplayName>([^<]*)<`)
	if !slices.Contains(deep, "2024") || !slices.Contains(deep, "Sent") {
		t.Errorf("FindFolder Deep finds %v", deep)
	}
	find("Shallow", "").without("2024").want(200, "Projects")
	var paged []string
	for offset := 0; offset < len(deep); offset += 5 {
		view := fmt.Sprintf(`<m:IndexedPageFolderView MaxEntriesReturned="5" Offset="%d" BasePoint="Beginning"/>`, offset)
		paged = append(paged, find("Deep", view).want(200, fmt.Sprintf(`TotalItemsInView="%d"`, len(deep))).all(`<t:DisplayName>([^<]*)<`)...)
	}
	if !slices.Equal(paged, deep) {
		t.Errorf("in pages: %v, at once: %v", paged, deep)
	}
}

func TestMessagesAreListedNewestFirstAndReadWhole(t *testing.T) {
	b := newBed(t, nil)
	for n := range 3 {
		b.append("INBOX", mailtest.Sample(n))
	}
	r := b.ask(findItem("Default", `<m:IndexedPageItemView MaxEntriesReturned="2" Offset="0" BasePoint="Beginning"/>`, "", known("inbox")))
	r.want(200, `IndexedPagingOffset="2" TotalItemsInView="3" IncludesLastItemInRange="false"`).without("t:Body", "MimeContent", "ToRecipients")
	if got := r.all(`<t:Subject>([^<]*)<`); !slices.Equal(got, []string{"Sample 2", "Sample 1"}) {
		t.Errorf("FindItem lists %q, want the newest first", got)
	}
	ids := r.all(itemID)
	whole := b.ask(getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>`, ids...)).want(200)
	for i, content := range whole.all(`<t:MimeContent CharacterSet="UTF-8">([^<]*)<`) {
		raw, err := base64.StdEncoding.DecodeString(content)
		if want := mailtest.Sample(2 - i); err != nil || string(raw) != want {
			t.Errorf("GetItem returns %q, %v, want %q", raw, err, want)
		}
	}
}

func TestRestrictionsSelectMessages(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.CRLF("From: Bob <bob@example.org>\nSubject: Summer plans\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nGo swimming.\n"))
	b.append("INBOX", mailtest.CRLF("From: Cid <cid@example.org>\nSubject: Winter tyres\nX-Tag: blue\n\nChange them.\n"), mailtest.Seen, "work")
	field := func(uri string) string { return `<t:FieldURI FieldURI="` + uri + `"/>` }
	equal := func(uri, value string) string {
		return `<t:IsEqualTo>` + field(uri) + `<t:FieldURIOrConstant><t:Constant Value="` + value + `"/></t:FieldURIOrConstant></t:IsEqualTo>`
	}
	contains := func(uri, mode, value string) string {
		return `<t:Contains ContainmentMode="` + mode + `" ContainmentComparison="IgnoreCase">` + field(uri) + `<t:Constant Value="` + value + `"/></t:Contains>`
	}
	ext := `<t:ExtendedFieldURI PropertyTag="3591" PropertyType="Integer"/>`
	for _, rule := range []struct{ name, expression, want string }{
		{"is read", equal("message:IsRead", "1"), "Winter tyres"},
		{"is unread", equal("message:IsRead", "false"), "Summer plans"},
		{"subject holds", contains("item:Subject", "Substring", "SUMMER"), "Summer plans"},
		{"word begins", contains("item:Subject", "PrefixOnWords", "ty"), "Winter tyres"},
		{"from holds", contains("message:From", "Substring", "cid@"), "Winter tyres"},
		{"body holds", contains("item:Body", "Substring", "swimming"), "Summer plans"},
		{"category", equal("item:Categories", "Work"), "Winter tyres"},
		{"not", `<t:Not>` + equal("message:IsRead", "true") + `</t:Not>`, "Summer plans"},
		{"and", `<t:And>` + equal("message:IsRead", "true") + contains("item:Subject", "Prefixed", "win") + `</t:And>`, "Winter tyres"},
		{"flags exclude read", `<t:Excludes>` + ext + `<t:Bitmask Value="0x1"/></t:Excludes>`, "Summer plans"},
		{"flags exist and hold read", `<t:And><t:Exists>` + ext + `</t:Exists><t:Not><t:Excludes>` + ext + `<t:Bitmask Value="1"/></t:Excludes></t:Not></t:And>`, "Winter tyres"},
		{
			"sent before", `<t:IsLessThan>` + field("item:DateTimeSent") + `<t:FieldURIOrConstant><t:Constant Value="2024-01-01T11:00:01+01:00"/></t:FieldURIOrConstant></t:IsLessThan>`,
			"Summer plans",
		},
		{
			"header field", `<t:Contains ContainmentMode="FullString" ContainmentComparison="Exact"><t:IndexedFieldURI FieldURI="item:InternetMessageHeader" FieldIndex="X-Tag"/><t:Constant Value="blue"/></t:Contains>`,
			"Winter tyres",
		},
	} {
		r := b.ask(findItem("Default", "", `<m:Restriction>`+rule.expression+`</m:Restriction>`, known("inbox"))).want(200)
		if got := r.all(`<t:Subject>([^<]*)<`); !slices.Equal(got, []string{rule.want}) {
			t.Errorf("%s: found %q, want %q", rule.name, got, rule.want)
		}
	}
}

func TestAQSSelectsMessages(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.CRLF("From: Bob <bob@example.org>\nSubject: Summer plans\nDate: Mon, 1 Jan 2024 10:00:00 +0000\n\nGo swimming.\n"))
	b.append("INBOX", mailtest.CRLF("From: Cid <cid@example.org>\nSubject: Winter tyres\nDate: Mon, 1 Jan 2022 10:00:00 +0000\n\nChange them.\n"), mailtest.Seen)
	for query, want := range map[string]string{
		`subject:summer`: "Summer plans", `swim`: "Summer plans", `from:cid AND isread:true`: "Winter tyres",
		`NOT subject:"summer plans"`: "Winter tyres", `sent:2024-01-01`: "Summer plans", `(subject:nothing OR tyres) size:&gt;10`: "Winter tyres",
	} {
		r := b.ask(strings.Replace(findItem("Default", "", "", known("inbox")), "</m:FindItem>", "<m:QueryString>"+query+"</m:QueryString></m:FindItem>", 1)).want(200)
		if got := r.all(`<t:Subject>([^<]*)<`); !slices.Equal(got, []string{want}) {
			t.Errorf("%s: found %q, want %q", query, got, want)
		}
	}
}
