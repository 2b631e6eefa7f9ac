package ewstest_test

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// FuzzRequest puts anything at all into the body of an envelope, and anything at
// all ahead of it. The server answers what HTTP can carry, in well-formed XML
// where it answers in XML, sends nothing that it was not told to send, and goes
// on.
func FuzzRequest(f *testing.F) {
	for _, seed := range requestSeeds() {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, element string, strict bool) {
		box := mailtest.New()
		account := box.Add(ann, secret.New(password))
		if _, err := account.Append("INBOX", mailtest.Sample(1), nil); err != nil {
			t.Fatal(err)
		}
		server := ewstest.New(box, &ewstest.Options{Strict: strict})
		defer func() { _ = server.Close() }()
		askTwice(t, server, element)
		if sent := server.Sent(); len(sent) > 0 && !strings.Contains(element, "Send") {
			t.Errorf("asked %q, and %d messages were sent", element, len(sent))
		}
	})
}

func requestSeeds() []string {
	return []string{
		getFolder("AllProperties", known("inbox")+`<t:FolderId Id="x"/>`),
		findItem("AllProperties", `<m:IndexedPageItemView Offset="1" BasePoint="End" MaxEntriesReturned="3"/>`, `<m:Restriction><t:Not><t:Exists><t:FieldURI FieldURI="item:Subject"/></t:Exists></t:Not></m:Restriction>`, known("inbox")),
		findItem("Default", "", "<m:QueryString>(a OR from:b) NOT size:&gt;1 received:2024-01-01..2024-02-01</m:QueryString>", known("inbox")),
		createItem("SaveOnly", "", message(mime(letter)+`<t:Body BodyType="HTML">x</t:Body>`+ext("0x0e07", "Integer", "1"))),
		updateItem("x", "y", "AutoResolve", setField("item:Subject", "<t:Subject>a</t:Subject>")),
		syncItems("AAAA", 5), subscribe("Pull", known("inbox"), "<t:Timeout>1</t:Timeout>"),
		`<m:ConvertId DestinationFormat="HexEntryId"><m:SourceIds><t:AlternateId Format="OwaId" Id="%zz" Mailbox="a"/></m:SourceIds></m:ConvertId>`,
		`<m:CreateFolder><m:ParentFolderId>` + known("inbox") + `</m:ParentFolderId><m:Folders><t:Folder><t:DisplayName>a/b</t:DisplayName></t:Folder></m:Folders></m:CreateFolder>`,
		`<m:GetAttachment><m:AttachmentIds><t:AttachmentId Id=""/></m:AttachmentIds></m:GetAttachment>`, "<m:GetItem/>", "<", strings.Repeat("<a>", 200),
	}
}

// askTwice sends an element in an envelope over one connection, and reads the
// answers. An element that opens a stream is asked for once.
func askTwice(t *testing.T, server *ewstest.Server, element string) {
	t.Helper()
	body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"` +
		` xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Header><t:RequestServerVersion Version="Exchange2016"/></s:Header><s:Body>` + element + `</s:Body></s:Envelope>`
	c, err := server.Dial(t.Context(), "tcp", "mail.example.com:80")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://mail.example.com"+ewstest.Path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(ann, password)
		if err := req.Write(c); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(bufio.NewReader(c), req)
		if err != nil {
			t.Fatalf("asked %q: %v", element, err)
		}
		if resp.Header.Get("Connection") == "close" {
			return // a stream, which lasts
		}
		data, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatalf("asked %q: %v", element, err)
		}
		_ = resp.Body.Close()
		checkXML(t, element, string(data))
	}
}

// checkXML fails the test where an answer is not well-formed, apart from
// references to characters that XML forbids.
func checkXML(t *testing.T, asked, data string) {
	t.Helper()
	if strings.Contains(data, "&#x") {
		return
	}
	for d := xml.NewDecoder(strings.NewReader(data)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Fatalf("asked %q, answered %q: %v", asked, data, err)
		}
	}
}
