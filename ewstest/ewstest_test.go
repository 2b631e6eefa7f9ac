package ewstest_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

const (
	ann      = "ann@example.com"
	bob      = "bob@example.com"
	password = "correct horse"
	token    = "token-horse"
)

// bed is a server with an account, and a client of it.
type bed struct {
	t      *testing.T
	box    *mailtest.Box
	ann    *mailtest.Account
	server *ewstest.Server
	client *http.Client
	// version is what requests ask for, and header is put into their SOAP header.
	version, header string
	authorize       func(*http.Request)
	unsound         bool // requests are not valid, on purpose
	garbled         bool // answers are not, either
}

func newBed(t *testing.T, o *ewstest.Options) *bed {
	t.Helper()
	b := &bed{t: t, box: mailtest.New(), version: "Exchange2016"}
	b.ann = b.box.Add(ann, secret.New(password))
	b.ann.AcceptTokens(mailtest.Tokens(secret.New(token)))
	b.server = ewstest.New(b.box, o)
	if o != nil && o.Version != "" {
		b.version = string(o.Version)
	}
	transport := &http.Transport{DialContext: b.server.Dial}
	b.client = &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	b.authorize = func(r *http.Request) { r.SetBasicAuth(ann, password) }
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := b.server.Close(); err != nil {
			t.Errorf("Close() = %v, want nil", err)
		}
		b.keepDocuments()
	})
	return b
}

// reply is an answer to a request.
type reply struct {
	t      *testing.T
	status int
	header http.Header
	body   string
}

// ask posts the element as the body of a SOAP envelope.
func (b *bed) ask(element string) *reply {
	b.t.Helper()
	return b.post(`<?xml version="1.0" encoding="utf-8"?>` +
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"` +
		` xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"` +
		` xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types">` +
		`<s:Header><t:RequestServerVersion Version="` + b.version + `"/>` + b.header + `</s:Header>` +
		`<s:Body>` + element + `</s:Body></s:Envelope>`)
}

func (b *bed) post(body string) *reply {
	b.t.Helper()
	return b.do(http.MethodPost, "http://mail.example.com"+ewstest.Path, body)
}

func (b *bed) do(method, url, body string) *reply {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	b.authorize(req)
	resp, err := b.client.Do(req) //nolint:gosec // G704: the fake.
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	r := &reply{t: b.t, status: resp.StatusCode, header: resp.Header, body: string(data)}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/xml") {
		r.wellFormed()
	}
	return r
}

func (r *reply) wellFormed() {
	r.t.Helper()
	d := xml.NewDecoder(strings.NewReader(r.body))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			r.t.Fatalf("the answer is not well-formed: %v\n%s", err, r.body)
		}
	}
}

// want fails the test unless the answer has the status and every text.
func (r *reply) want(status int, texts ...string) *reply {
	r.t.Helper()
	if r.status != status {
		r.t.Errorf("status = %d, want %d\n%s", r.status, status, r.body)
	}
	for _, text := range texts {
		if !strings.Contains(r.body, text) {
			r.t.Errorf("the answer lacks %q\n%s", text, r.body)
		}
	}
	return r
}

// without fails the test if the answer has one of the texts.
func (r *reply) without(texts ...string) *reply {
	r.t.Helper()
	for _, text := range texts {
		if strings.Contains(r.body, text) {
			r.t.Errorf("the answer has %q\n%s", text, r.body)
		}
	}
	return r
}

// all returns what the first group of the expression matches in the answer.
func (r *reply) all(expression string) []string {
	var found []string
	for _, m := range regexp.MustCompile(expression).FindAllStringSubmatch(r.body, -1) {
		found = append(found, m[1])
	}
	return found
}

// one returns the only match.
func (r *reply) one(expression string) string {
	r.t.Helper()
	found := r.all(expression)
	if len(found) != 1 {
		r.t.Fatalf("%q matches %d times, want 1\n%s", expression, len(found), r.body)
	}
	return found[0]
}

const (
	itemID   = `<t:ItemId Id="([^"]+)"`
	folderID = `<t:FolderId Id="([^"]+)"`
)

func (b *bed) append(folder, raw string, flags ...string) mailtest.UID {
	b.t.Helper()
	uid, err := b.ann.Append(folder, raw, &mailtest.AppendOptions{Flags: flags})
	if err != nil {
		b.t.Fatal(err)
	}
	return uid
}

func getFolder(shape, id string) string {
	return `<m:GetFolder><m:FolderShape><t:BaseShape>` + shape + `</t:BaseShape></m:FolderShape><m:FolderIds>` + id +
		`</m:FolderIds></m:GetFolder>`
}

func known(name string) string { return `<t:DistinguishedFolderId Id="` + name + `"/>` }

func findItem(shape, view, rest, folder string) string {
	return `<m:FindItem Traversal="Shallow"><m:ItemShape><t:BaseShape>` + shape + `</t:BaseShape></m:ItemShape>` + view + rest +
		`<m:ParentFolderIds>` + folder + `</m:ParentFolderIds></m:FindItem>`
}

func getItem(shape string, ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(`<t:ItemId Id="` + id + `"/>`)
	}
	return `<m:GetItem><m:ItemShape>` + shape + `</m:ItemShape><m:ItemIds>` + b.String() + `</m:ItemIds></m:GetItem>`
}
