// Package templates writes the subject, the text and the HTML of messages from
// the template packages of the standard library.
//
//	//go:embed letters
//	var letters embed.FS // letters/bill.subject, letters/bill.txt, letters/bill.html
//
//	bill, err := templates.Parse(letters, "letters/bill", nil)
//	draft := &message.Draft{From: me, To: to}
//	err = bill.Fill(draft, customer)
//
// It is apart from the package message because those packages make programs
// larger that do not use them.
package templates

import (
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io/fs"
	"maps"
	"net/url"
	"strings"
	texttemplate "text/template"

	"github.com/mailsession/mailsession/message"
)

// A Template writes messages of one kind. It may be used by several goroutines
// at once.
type Template struct {
	subject, text *texttemplate.Template // or nil
	html          *htmltemplate.Template // or nil
}

// Options say what the templates have besides their own files. The zero value
// is nothing.
type Options struct {
	// Funcs are functions that templates call by these names.
	Funcs map[string]any
	// Shared are patterns, as in [fs.Glob], of files with definitions that all
	// kinds of messages share, such as a footer. What ends in .html is for HTML,
	// everything else for subjects and texts. Templates call them by the base
	// names of their files, or by what they define.
	Shared []string
}

// Parse reads the templates of the messages that are called name from fsys, such
// as an [embed.FS]: name.subject and name.txt by [texttemplate], and name.html by
// [htmltemplate], which escapes what it puts in. Each of them may be missing, but
// not all. HTML templates have the function cid, which refers to a file of the
// message by its ContentID: <img src="{{cid "logo@example.com"}}">.
//
// A key that a map does not have is an error when the template is filled, so
// that nobody is written to as "<no value>".
func Parse(fsys fs.FS, name string, opts *Options) (*Template, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	p := parser{fsys: fsys, options: o}
	t := &Template{subject: p.text(name + ".subject"), text: p.text(name + ".txt"), html: p.html(name + ".html")}
	if p.err == nil && t.subject == nil && t.text == nil && t.html == nil {
		p.err = fmt.Errorf("there is none of %s.subject, %s.txt and %s.html: %w", name, name, name, fs.ErrNotExist)
	}
	if p.err != nil {
		return nil, fmt.Errorf("templates: parse %s: %w", name, p.err)
	}
	return t, nil
}

// A parser reads files. After the first error it does nothing.
type parser struct {
	fsys    fs.FS
	options Options
	err     error
}

// files returns the shared files of one kind, and the file of that name behind
// them; or none, if that is missing.
func (p *parser) files(name string, isHTML bool) []string {
	if p.err != nil {
		return nil
	}
	if _, err := fs.Stat(p.fsys, name); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var files []string
	for _, pattern := range p.options.Shared {
		matches, err := fs.Glob(p.fsys, pattern)
		if err == nil && len(matches) == 0 {
			err = fmt.Errorf("no shared file matches %s: %w", pattern, fs.ErrNotExist)
		}
		if err != nil {
			p.err = err
			return nil
		}
		for _, file := range matches {
			if strings.HasSuffix(file, ".html") == isHTML {
				files = append(files, file)
			}
		}
	}
	return append(files, name)
}

func (p *parser) text(name string) *texttemplate.Template {
	files := p.files(name, false)
	if len(files) == 0 {
		return nil
	}
	t, err := texttemplate.New(base(name)).Option("missingkey=error").Funcs(p.options.Funcs).ParseFS(p.fsys, files...)
	if err != nil {
		p.err = err
		return nil
	}
	return t
}

func (p *parser) html(name string) *htmltemplate.Template {
	files := p.files(name, true)
	if len(files) == 0 {
		return nil
	}
	funcs := htmltemplate.FuncMap{"cid": cid}
	maps.Copy(funcs, p.options.Funcs)
	t, err := htmltemplate.New(base(name)).Option("missingkey=error").Funcs(funcs).ParseFS(p.fsys, files...)
	if err != nil {
		p.err = err
		return nil
	}
	return t
}

// base returns the name that ParseFS gives to a file.
func base(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// cid returns the address of a file of the message (RFC 2392).
func cid(id string) htmltemplate.URL {
	id = strings.TrimSuffix(strings.TrimPrefix(id, "<"), ">")
	return htmltemplate.URL("cid:" + url.PathEscape(id)) //nolint:gosec // G203: what is escaped cannot leave the address.
}

// Fill writes the Subject, Text and HTML of d, those of them that there is a
// template for. White space around the subject is dropped; a line break within
// it, which data may have brought, is refused by [message.Draft.Source]. After an
// error d is as it was.
func (t *Template) Fill(d *message.Draft, data any) error {
	subject, text, page := d.Subject, d.Text, d.HTML
	var b strings.Builder
	if t.subject != nil {
		if err := t.subject.Execute(&b, data); err != nil {
			return fmt.Errorf("templates: fill the subject: %w", err)
		}
		subject = strings.TrimSpace(b.String())
		b.Reset()
	}
	if t.text != nil {
		if err := t.text.Execute(&b, data); err != nil {
			return fmt.Errorf("templates: fill the text: %w", err)
		}
		text = b.String()
		b.Reset()
	}
	if t.html != nil {
		if err := t.html.Execute(&b, data); err != nil {
			return fmt.Errorf("templates: fill the HTML: %w", err)
		}
		page = b.String()
	}
	d.Subject, d.Text, d.HTML = subject, text, page
	return nil
}
