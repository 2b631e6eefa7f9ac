package ewstest_test

import (
	"strings"
	"testing"
)

func TestABodyWithoutATypeIsKept(t *testing.T) {
	b := newBed(t, nil)
	b.ask(createItem("SaveOnly", "", message(mime("Subject: raw\r\nTo: x@example.org\r\n\r\nbytes\r\n")+"<t:Importance>Normal</t:Importance><t:InReplyTo>&lt;1@example.com&gt;</t:InReplyTo>"))).want(200, "NoError")
	if all := b.in("Drafts"); len(all) != 1 || !strings.HasSuffix(all[0].Raw, "\r\n\r\nbytes\r\n") || !strings.Contains(all[0].Raw, "In-Reply-To: <1@example.com>") {
		t.Errorf("Drafts has %v, want the body as it was given and the field", all)
	}
}

func TestABodyIsReplacedAndTheFilesStay(t *testing.T) {
	b := newBed(t, nil)
	b.append("Drafts", strings.ReplaceAll(`Subject: x
Content-Type: multipart/mixed; boundary=out

--out
Content-Type: multipart/alternative; boundary=in

--in
Content-Type: text/plain

plain
--in
Content-Type: text/html

<b>html</b>
--in--

--out
Content-Type: application/x-test; name=a.bin
Content-Disposition: attachment

file
--out--
`, "\n", "\r\n"))
	id := b.ask(findItem("IdOnly", "", "", known("drafts"))).one(itemID)
	b.ask(updateItem(id, "", "AlwaysOverwrite", setField("item:Body", `<t:Body BodyType="Text">new = text</t:Body>`))).want(200, "NoError")
	r := b.ask(getItem(`<t:BaseShape>Default</t:BaseShape>`, id)).want(200, `<t:Body BodyType="Text" IsTruncated="false">new = text`, "<t:Name>a.bin<")
	r.without("html", "plain</")
	b.ask(updateItem(id, "", "AlwaysOverwrite", `<t:AppendToItemField><t:FieldURI FieldURI="item:Body"/>`+message(`<t:Body BodyType="Text">, more</t:Body>`)+`</t:AppendToItemField>`)).want(200, "NoError")
	b.ask(getItem(`<t:BaseShape>Default</t:BaseShape>`, id)).want(200, ", more")
	if raw := b.in("Drafts")[0].Raw; !strings.Contains(raw, "\r\n\r\nfile\r\n--out--") {
		t.Errorf("the message is %q, want the file as it was", raw)
	}
}
