package ewstest_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

const letter = "From: Ann <ann@example.com>\r\nTo: bob@example.com\r\nBcc: cid@example.com\r\nSubject: Hello\r\n\r\nBody.\r\n"

func mime(raw string) string {
	return `<t:MimeContent CharacterSet="UTF-8">` + base64.StdEncoding.EncodeToString([]byte(raw)) + `</t:MimeContent>`
}

func createItem(way, folder, items string) string {
	if folder != "" {
		folder = `<m:SavedItemFolderId>` + folder + `</m:SavedItemFolderId>`
	}
	return `<m:CreateItem MessageDisposition="` + way + `">` + folder + `<m:Items>` + items + `</m:Items></m:CreateItem>`
}

func message(content string) string { return `<t:Message>` + content + `</t:Message>` }

func ext(tag, kind, value string) string {
	return `<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="` + tag + `" PropertyType="` + kind + `"/><t:Value>` + value + `</t:Value></t:ExtendedProperty>`
}

// in returns the messages of a folder of Ann's.
func (b *bed) in(folder string) []mailtest.Message {
	b.t.Helper()
	all, err := b.ann.Messages(folder)
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

func TestASentMessageArrivesAndACopyIsKept(t *testing.T) {
	b := newBed(t, nil)
	bobs := b.box.Add(bob, secret.New(password))
	b.ask(createItem("SendAndSaveCopy", "", message(mime(letter)))).want(200, "NoError", "<m:Items/>")
	got, err := bobs.Messages("INBOX")
	if err != nil || len(got) != 1 || strings.Contains(got[0].Raw, "Bcc") || !strings.Contains(got[0].Raw, "Message-ID: <") {
		t.Errorf("Bob has %v, %v, want one message without Bcc and with a Message-ID", got, err)
	}
	if sent := b.server.Sent(); len(sent) != 1 || !slices.Equal(sent[0].Recipients, []string{"bob@example.com", "cid@example.com"}) {
		t.Errorf("Sent() = %v, want one to Bob and Cid", sent)
	}
	if kept := b.in("Sent"); len(kept) != 1 || !kept[0].Has(mailtest.Seen) || kept[0].Has(mailtest.Draft) {
		t.Errorf("Sent has %v, want one read message", kept)
	}
	b.ask(createItem("SendOnly", "", message(mime("Subject: to nobody\r\n\r\n")))).want(200, "ErrorInvalidRecipients")
	b.ask(createItem("SendOnly", "", message(mime(strings.Replace(letter, "ann@", "eve@", 1))))).want(200, "ErrorSendAsDenied")
	b.ask(createItem("SendOnly", "", message(`<t:MimeContent>~</t:MimeContent>`))).want(200, "ErrorMimeContentInvalidBase64String")
	b.unsound = true
}

func TestAnImportedMessageIsADraftUnlessItsFlagsAreSet(t *testing.T) {
	b := newBed(t, nil)
	b.ask(createItem("SaveOnly", known("inbox"), message(mime(letter)))).want(200, "NoError")
	b.ask(createItem("SaveOnly", known("inbox"), message(mime(letter)+ext("0x0E07", "Integer", "1")+ext("3590", "SystemTime", "2020-02-03T04:05:06Z")))).want(200, "NoError")
	all := b.in("INBOX")
	if len(all) != 2 || !all[0].Has(mailtest.Draft) || all[1].Has(mailtest.Draft) || !all[1].Has(mailtest.Seen) {
		t.Fatalf("INBOX has %v, want a draft and a read message", all)
	}
	if got := all[1].Received.Format("2006-01-02"); got != "2020-02-03" || all[1].Raw != letter {
		t.Errorf("received at %s: %q, want what was given", got, all[1].Raw)
	}
}

func TestADraftIsMadeOfPropertiesGetsAFileAndIsSent(t *testing.T) {
	b := newBed(t, nil)
	b.box.Add(bob, secret.New(password))
	r := b.ask(createItem("SaveOnly", "", message(`<t:Subject>Grüße &amp; co</t:Subject><t:Body BodyType="HTML">&lt;b&gt;Hi&lt;/b&gt;</t:Body>`+
		`<t:Importance>High</t:Importance><t:ToRecipients><t:Mailbox><t:Name>Bob, B.</t:Name><t:EmailAddress>bob@example.com</t:EmailAddress></t:Mailbox></t:ToRecipients>`)))
	id := r.want(200).one(itemID)
	r = b.ask(`<m:CreateAttachment><m:ParentItemId Id="`+id+`"/><m:Attachments><t:FileAttachment><t:Name>a.bin</t:Name>`+
		`<t:ContentType>application/x-test</t:ContentType><t:IsInline>0</t:IsInline><t:Content>aGVsbG8=</t:Content></t:FileAttachment></m:Attachments></m:CreateAttachment>`).want(200, "NoError")
	attachment, root := r.one(` Id="([^"]*)" RootItemId`), r.one(`RootItemChangeKey="([^"]*)"`)
	b.ask(`<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id="`+attachment+`"/></m:AttachmentIds></m:GetAttachment>`).want(200, "<t:Content>aGVsbG8=</t:Content>", "<t:Name>a.bin<")
	b.ask(getItem(`<t:BaseShape>AllProperties</t:BaseShape>`, id)).want(200, "<t:Subject>Grüße &amp; co<", "<t:HasAttachments>true<", "&lt;b&gt;Hi&lt;/b&gt;", "<t:Name>Bob, B.<", "<t:Importance>High<", "<t:IsDraft>true<")

	send := func(key string) *reply {
		return b.ask(`<m:SendItem SaveItemToFolder="true"><m:ItemIds><t:ItemId Id="` + id + `"` + key + `/></m:ItemIds></m:SendItem>`)
	}
	send("").want(200, "ErrorChangeKeyRequired")
	send(` ChangeKey="`+strings.Repeat("A", 24)+`"`).want(200, "ErrorStaleObject")
	send(` ChangeKey="`+root+`"`).want(200, "NoError")
	if drafts, sent := b.in("Drafts"), b.in("Sent"); len(drafts) != 0 || len(sent) != 1 || sent[0].Has(mailtest.Draft) {
		t.Errorf("Drafts has %v and Sent %v, want the message in the second", drafts, sent)
	}
	b.ask(`<m:DeleteAttachment><m:AttachmentIds><t:AttachmentId Id="`+attachment+`"/></m:AttachmentIds></m:DeleteAttachment>`).want(200, "ErrorItemNotFound")
}

// updateItem sets or deletes properties.
func updateItem(id, key, resolution, updates string) string {
	if key != "" {
		key = ` ChangeKey="` + key + `"`
	}
	return `<m:UpdateItem ConflictResolution="` + resolution + `" MessageDisposition="SaveOnly"><m:ItemChanges><t:ItemChange><t:ItemId Id="` + id + `"` + key +
		`/><t:Updates>` + updates + `</t:Updates></t:ItemChange></m:ItemChanges></m:UpdateItem>`
}

func setField(uri, content string) string {
	return `<t:SetItemField><t:FieldURI FieldURI="` + uri + `"/>` + message(content) + `</t:SetItemField>`
}

func TestFlagsAndCategoriesAreUpdated(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1))
	r := b.ask(findItem("IdOnly", "", "", known("inbox")))
	id, key := r.one(itemID), r.one(`ChangeKey="([^"]*)"`)
	update := func(resolution, key, updates string) *reply {
		return b.ask(updateItem(id, key, resolution, updates)).want(200)
	}
	update("AlwaysOverwrite", "", setField("message:IsRead", "<t:IsRead>1</t:IsRead>")).want(200, "NoError", "<t:Count>0<")
	update("AlwaysOverwrite", "", setField("item:Categories", "<t:Categories><t:String>work</t:String><t:String>my friends</t:String></t:Categories>"))
	update("AlwaysOverwrite", "", setField("item:Flag", "<t:Flag><t:FlagStatus>Flagged</t:FlagStatus></t:Flag>"))
	update("AlwaysOverwrite", "", `<t:SetItemField><t:ExtendedFieldURI PropertyTag="4225" PropertyType="Integer"/>`+message(ext("0x1081", "Integer", "102"))+`</t:SetItemField>`)
	if m := b.in("INBOX")[0]; !m.Has(mailtest.Seen) || !m.Has(mailtest.Flagged) || !m.Has(mailtest.Answered) || !m.Has("work") {
		t.Errorf("flags = %q, want them all", m.Flags)
	}
	more := `<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Categories"/><t:ExtendedFieldURI PropertyTag="0x1090" PropertyType="Integer"/>` +
		`<t:ExtendedFieldURI PropertyTag="4224" PropertyType="Integer"/><t:ExtendedFieldURI PropertyTag="0x0e07" PropertyType="Integer"/></t:AdditionalProperties>`
	b.ask(getItem(more, id)).want(200, "<t:String>work</t:String><t:String>my friends</t:String>", `PropertyTag="0x1090" PropertyType="Integer"/><t:Value>2<`, `"0x1080" PropertyType="Integer"/><t:Value>261<`, `"0xe07" PropertyType="Integer"/><t:Value>3<`)
	update("NeverOverwrite", key, `<t:DeleteItemField><t:FieldURI FieldURI="item:Categories"/></t:DeleteItemField>`).want(200, "ErrorIrresolvableConflict")
	update("AutoResolve", "", `<t:DeleteItemField><t:FieldURI FieldURI="item:Categories"/></t:DeleteItemField>`).want(200, "ErrorChangeKeyRequiredForWriteOperations")
	update("AlwaysOverwrite", "", `<t:DeleteItemField><t:FieldURI FieldURI="item:Categories"/></t:DeleteItemField>`).want(200, "NoError")
	b.ask(getItem(more, id)).without("t:Categories")
	keywords := `<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Keywords" PropertyType="StringArray"/>`
	update("AlwaysOverwrite", "", `<t:SetItemField>`+keywords+message(`<t:ExtendedProperty>`+keywords+`<t:Values><t:Value>home</t:Value></t:Values></t:ExtendedProperty>`)+`</t:SetItemField>`)
	b.ask(getItem(`<t:BaseShape>AllProperties</t:BaseShape><t:AdditionalProperties>`+keywords+`</t:AdditionalProperties>`, id)).want(200, "<t:Values><t:Value>home<", "<t:String>home<")
	update("AlwaysOverwrite", "", setField("item:Subject", "<t:IsRead>true</t:IsRead>")).want(200, "ErrorUpdatePropertyMismatch")
	update("AlwaysOverwrite", "", setField("item:Subject", "<t:Subject>Other</t:Subject>")).want(200, "NoError")
	b.ask(getItem(`<t:BaseShape>Default</t:BaseShape>`, id)).want(200, "<t:Subject>Other<", "This is sample number 1.")
}

func TestAMovedMessageHasAnotherID(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1))
	id := b.ask(findItem("IdOnly", "", "", known("inbox"))).one(itemID)
	to := func(operation, folder, id string) *reply {
		return b.ask(`<m:` + operation + `><m:ToFolderId>` + known(folder) + `</m:ToFolderId><m:ItemIds><t:ItemId Id="` + id + `"/></m:ItemIds></m:` + operation + `>`)
	}
	copied := to("CopyItem", "drafts", id).want(200, "NoError").one(itemID)
	moved := to("MoveItem", "junkemail", id).want(200, "NoError").one(itemID)
	if moved == id || copied == id || copied == moved {
		t.Errorf("ids: %s, copied %s, moved %s, want three", id, copied, moved)
	}
	b.ask(getItem(`<t:BaseShape>IdOnly</t:BaseShape>`, id, moved, copied)).want(200, "ErrorItemNotFound", moved, copied)
	to("MoveItem", "outbox", moved).want(200, "ErrorMoveCopyFailed")
	r := b.ask(`<m:MarkAsJunk IsJunk="false" MoveItem="true"><m:ItemIds><t:ItemId Id="`+moved+`"/></m:ItemIds></m:MarkAsJunk>`).want(200, "NoError")
	back := r.one(`<m:MovedItemId Id="([^"]*)"`)
	b.ask(`<m:ArchiveItem><m:ArchiveSourceFolderId>`+known("inbox")+`</m:ArchiveSourceFolderId><m:ItemIds><t:ItemId Id="`+back+`"/></m:ItemIds></m:ArchiveItem>`).want(200, "NoError")
	if got := len(b.in("Archive")); got != 1 {
		t.Errorf("Archive has %d messages, want 1", got)
	}
}

func TestDeletingHasThreeWays(t *testing.T) {
	b := newBed(t, nil)
	for n := range 3 {
		b.append("INBOX", mailtest.Sample(n))
	}
	ids := b.ask(findItem("IdOnly", "", "", known("inbox"))).all(itemID)
	for i, way := range []string{"HardDelete", "SoftDelete", "MoveToDeletedItems"} {
		b.ask(`<m:DeleteItem DeleteType="`+way+`"><m:ItemIds><t:ItemId Id="`+ids[i]+`"/></m:ItemIds></m:DeleteItem>`).want(200, "NoError")
	}
	b.ask(findItem("IdOnly", "", "", known("deleteditems"))).want(200, `TotalItemsInView="1"`)
	b.ask(findItem("IdOnly", "", "", known("recoverableitemsdeletions"))).want(200, `TotalItemsInView="1"`)
	b.ask(findItem("IdOnly", "", "", known("inbox"))).want(200, `TotalItemsInView="0"`)
}

func TestFoldersAreEdited(t *testing.T) {
	b := newBed(t, nil)
	create := func(parent, name string) *reply {
		return b.ask(`<m:CreateFolder><m:ParentFolderId>` + parent + `</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>` + name + `</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>`)
	}
	one := create(known("msgfolderroot"), "a/b").want(200, "NoError").one(folderID)
	create(known("msgfolderroot"), "A/B").want(200, "ErrorFolderExists")
	create(`<t:FolderId Id="`+one+`x"/>`, "y").want(200, "ErrorInvalidIdMalformed")
	two := create(known("inbox"), "a/b").want(200, "NoError").one(folderID)
	move := func(operation, id, to string) *reply {
		return b.ask(`<m:` + operation + `><m:ToFolderId>` + to + `</m:ToFolderId><m:FolderIds>` + id + `</m:FolderIds></m:` + operation + `>`)
	}
	ref := func(id string) string { return `<t:FolderId Id="` + id + `"/>` }
	move("MoveFolder", ref(two), known("msgfolderroot")).want(200, "ErrorMoveCopyFailed")
	move("MoveFolder", known("sentitems"), ref(one)).want(200, "ErrorMoveDistinguishedFolder")
	b.ask(`<m:UpdateFolder><m:FolderChanges><t:FolderChange>`+ref(two)+`<t:Updates><t:SetFolderField><t:FieldURI FieldURI="folder:DisplayName"/><t:Folder><t:DisplayName>new</t:DisplayName></t:Folder></t:SetFolderField></t:Updates></t:FolderChange></m:FolderChanges></m:UpdateFolder>`).want(200, two)
	move("MoveFolder", ref(two), ref(one)).want(200, two)
	copied := move("CopyFolder", ref(one), known("inbox")).want(200, "NoError").one(folderID)
	b.append("INBOX/a\uF022b/new", mailtest.Sample(1))
	b.ask(`<m:MarkAllItemsAsRead><m:ReadFlag>true</m:ReadFlag><m:SuppressReadReceipts>true</m:SuppressReadReceipts><m:FolderIds>`+ref(copied)+known("inbox")+`</m:FolderIds></m:MarkAllItemsAsRead>`).want(200, "NoError")
	b.ask(`<m:EmptyFolder DeleteType="HardDelete" DeleteSubFolders="true"><m:FolderIds>`+ref(copied)+`</m:FolderIds></m:EmptyFolder>`).want(200, "NoError")
	b.ask(getFolder("Default", ref(copied))).want(200, "<t:DisplayName>a/b<", "<t:ChildFolderCount>0<")
	remove := func(id, way string) *reply {
		return b.ask(`<m:DeleteFolder DeleteType="` + way + `"><m:FolderIds>` + id + `</m:FolderIds></m:DeleteFolder>`)
	}
	remove(known("inbox"), "HardDelete").want(200, "ErrorDeleteDistinguishedFolder")
	remove(ref(copied), "MoveToDeletedItems").want(200, "NoError")
	remove(ref(one), "HardDelete").want(200, "NoError")
	var names []string
	for _, f := range b.ann.Folders() {
		names = append(names, f.Name)
	}
	if !slices.Contains(names, "Trash/a\uF022b") || slices.Contains(names, "a\uF022b") {
		t.Errorf("folders: %q, want one in the waste basket and the other gone", names)
	}
}

func TestAnAnswerQuotesAndMarksWhatItAnswers(t *testing.T) {
	b := newBed(t, nil)
	bobs := b.box.Add(bob, secret.New(password))
	b.append("INBOX", mailtest.CRLF("From: Bob <bob@example.com>\nTo: ann@example.com\nSubject: Re: Lunch\nMessage-ID: <1@example.com>\n\nToday?\n"))
	id := b.ask(findItem("IdOnly", "", "", known("inbox"))).one(itemID)
	b.ask(createItem("SendAndSaveCopy", known("sentitems"), `<t:ReplyToItem><t:Subject>Re: Lunch</t:Subject><t:ReferenceItemId Id="`+id+`"/><t:NewBodyContent BodyType="Text">Yes</t:NewBodyContent></t:ReplyToItem>`)).want(200, "NoError")
	got, err := bobs.Messages("INBOX")
	if err != nil || len(got) != 1 {
		t.Fatalf("Bob has %v, %v, want an answer", got, err)
	}
	for _, text := range []string{"In-Reply-To: <1@example.com>", "Subject: Re: Lunch", "Yes", "Today?"} {
		if !strings.Contains(got[0].Raw, text) {
			t.Errorf("the answer lacks %q:\n%s", text, got[0].Raw)
		}
	}
	if m := b.in("INBOX")[0]; !m.Has(mailtest.Answered) {
		t.Errorf("flags = %q, want the message answered", m.Flags)
	}
}

func TestOlderReleasesKnowLess(t *testing.T) {
	junk := `<m:MarkAsJunk IsJunk="true" MoveItem="true"><m:ItemIds><t:ItemId Id="x"/></m:ItemIds></m:MarkAsJunk>`
	flag := getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:AdditionalProperties><t:FieldURI FieldURI="item:Flag"/></t:AdditionalProperties>`, "x")
	for _, v := range ewstest.Versions() {
		b := newBed(t, &ewstest.Options{Version: v})
		young := v == ewstest.Exchange2013SP1 || v == ewstest.Exchange2016
		r, f := b.ask(junk), b.ask(flag)
		if young != (r.status == 200) || young != (f.status == 200) {
			t.Errorf("%s answers MarkAsJunk with %d and item:Flag with %d", v, r.status, f.status)
		}
		b.version = "Exchange2016"
		if r := b.ask(getFolder("IdOnly", known("inbox"))); v != ewstest.Exchange2016 && !strings.Contains(r.body, "ErrorInvalidServerVersion") {
			t.Errorf("%s takes a request for Exchange2016: %s", v, r.body)
		}
		b.version = "Exchange2010"
		if r := b.ask(junk); young && !strings.Contains(r.body, "ErrorIncorrectSchemaVersion") {
			t.Errorf("%s lets a request for 2010 mark as junk: %s", v, r.body)
		}
	}
}
