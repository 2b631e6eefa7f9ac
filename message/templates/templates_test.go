package templates_test

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net/mail"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/message/templates"
)

//go:embed testdata
var files embed.FS

// An order is what the templates in testdata are about.
type order struct {
	Number int
	Name   string
	Items  []string
}

func Example() {
	confirmation, err := templates.Parse(files, "testdata/order", &templates.Options{Shared: []string{"testdata/footer.*"}})
	if err != nil {
		log.Fatal(err)
	}
	d := &message.Draft{
		From: mail.Address{Name: "Shop", Address: "shop@example.com"},
		To:   []mail.Address{{Address: "ann@example.org"}},
		Files: []message.DraftFile{
			{Name: "logo.png", ContentID: "logo@example.com", Content: message.FileFS(files, "testdata/logo.png")},
		},
		AutoSubmitted: "auto-generated",
	}
	if err := confirmation.Fill(d, order{Number: 7, Name: "Ann <3", Items: []string{"Tea & milk", "Sugar"}}); err != nil {
		log.Fatal(err)
	}
	if _, err := d.Source(); err != nil { // finds that the logo is there, too
		log.Fatal(err)
	}
	fmt.Println(d.Subject)
	fmt.Println(d.Text)
	fmt.Println(d.HTML)
	// Output:
	// Your order 7
	// Dear Ann <3,
	//
	// - Tea & milk
	// - Sugar
	// Your shop
	//
	// <p>Dear Ann &lt;3,</p>
	// <ul><li>Tea &amp; milk</li><li>Sugar</li></ul>
	// <p><img src="cid:logo@example.com"> Your shop</p>
}

func TestParse(t *testing.T) {
	fsys := fstest.MapFS{
		"a.txt": {Data: []byte("text {{shout .x}}")}, "b.html": {Data: []byte("<b>{{.x}}</b>")}, "c.subject": {Data: []byte("\n {{.x}} \n")},
		"bad.txt": {Data: []byte("{{")}, "lost.txt": {Data: []byte(`{{template "nowhere"}}`)},
	}
	opts := &templates.Options{Funcs: map[string]any{"shout": strings.ToUpper}}
	for name, want := range map[string]message.Draft{
		"a": {Subject: "s", Text: "text <X>", HTML: "h"},
		"b": {Subject: "s", Text: "t", HTML: "<b>&lt;x&gt;</b>"},
		"c": {Subject: "<x>", Text: "t", HTML: "h"},
	} {
		tmpl, err := templates.Parse(fsys, name, opts)
		if err != nil {
			t.Errorf("Parse(%s) = %v", name, err)
			continue
		}
		d := message.Draft{Subject: "s", Text: "t", HTML: "h"}
		if err := tmpl.Fill(&d, map[string]string{"x": "<x>"}); err != nil || d.Subject != want.Subject || d.Text != want.Text || d.HTML != want.HTML {
			t.Errorf("%s: Fill() = %v, %q, %q, %q, want %q, %q, %q", name, err, d.Subject, d.Text, d.HTML, want.Subject, want.Text, want.HTML)
		}
		if err := tmpl.Fill(&d, map[string]string{}); err == nil || d.Subject != want.Subject || d.Text != want.Text || d.HTML != want.HTML {
			t.Errorf("%s: Fill() = %v where a key is missing, and the draft is %+v", name, err, d)
		}
	}
	for name, o := range map[string]*templates.Options{"none": nil, "bad": nil, "a": nil, "b": {Shared: []string{"gone*"}}, "c": {Shared: []string{"["}}} {
		if tmpl, err := templates.Parse(fsys, name, o); tmpl != nil || err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("Parse(%s) = %v, %v, want an error that names it", name, tmpl, err)
		}
	}
	if _, err := templates.Parse(fsys, "none", nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Parse() of what is not there = %v, want %v", err, fs.ErrNotExist)
	}
}

// TestFillInjection finds that what data brings into a subject does not get into
// the header.
func TestFillInjection(t *testing.T) {
	tmpl, err := templates.Parse(files, "testdata/order", &templates.Options{Shared: []string{"testdata/footer.*"}})
	if err != nil {
		t.Fatal(err)
	}
	d := &message.Draft{From: mail.Address{Address: "a@example.com"}}
	data := map[string]any{"Number": "7\r\nBcc: hidden@example.com", "Name": "x", "Items": nil}
	if err := tmpl.Fill(d, data); err != nil {
		t.Fatal(err)
	}
	var field *message.FieldError
	if _, err := d.Source(); !errors.As(err, &field) || field.Field != "Subject" {
		t.Errorf("Source() = %v, want an error of the subject", err)
	}
}
