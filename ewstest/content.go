package ewstest

import (
	"mime"
	"regexp"
	"strings"
	"sync"
)

// attached is one attachment of a message.
type attached struct {
	part   *part
	parent *part // nil where the message itself is nothing but the attachment
	name   string
	kind   string
	inline bool
}

// isItem reports whether the attachment is a message.
func (a *attached) isItem() bool { return a.kind == "message/rfc822" }

// content is what a message consists of, for people.
type content struct {
	plain, html *part
	files       []*attached
}

// contentOf sorts the parts of a message.
func contentOf(p *part) *content {
	c := &content{}
	c.sort(p, nil)
	return c
}

func (c *content) sort(p, parent *part) {
	if p.parts != nil {
		for _, child := range p.parts {
			c.sort(child, p)
		}
		return
	}
	kind, params := p.contentType()
	disposition, dispositionParams, _ := mime.ParseMediaType(p.rawGet("Content-Disposition"))
	name := decodeWords(dispositionParams["filename"])
	if name == "" {
		name = decodeWords(params["name"])
	}
	file := disposition == "attachment" || name != ""
	switch {
	case kind == "text/plain" && !file && c.plain == nil:
		c.plain = p
	case kind == "text/html" && !file && c.html == nil:
		c.html = p
	default:
		a := &attached{part: p, parent: parent, name: name, kind: kind}
		a.inline = disposition == "inline" || disposition == "" && p.rawGet("Content-ID") != ""
		if a.name == "" && a.isItem() {
			a.name = parseHeader(p.content()).get("Subject")
		}
		if a.name == "" {
			a.name = "attachment"
		}
		c.files = append(c.files, a)
	}
}

// body returns the text in the wanted form, and which form it is: "Text" or
// "HTML". Best is what the message has most of.
func (c *content) body(want string) (text, form string) {
	switch {
	case want != "Text" && c.html != nil:
		return c.html.text(), "HTML"
	case want == "HTML" && c.plain != nil:
		return "<html><body><pre>" + escapeHTML(c.plain.text()) + "</pre></body></html>", "HTML"
	case c.plain != nil:
		return c.plain.text(), "Text"
	case c.html != nil:
		return stripHTML(c.html.text()), "Text"
	}
	return "", "Text"
}

func escapeHTML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

// unseen matches what stands between tags and is no text.
var unseen = sync.OnceValue(func() *regexp.Regexp { //nolint:gochecknoglobals // Computed once, never changed.
	return regexp.MustCompile(`(?is)<style\b.*?</style\s*>|<script\b.*?</script\s*>`)
})

// stripHTML returns the text between tags.
func stripHTML(s string) string {
	s = unseen().ReplaceAllString(s, "")
	var b strings.Builder
	inside := false
	for _, r := range s {
		switch {
		case r == '<':
			inside = true
		case r == '>':
			inside = false
		case !inside:
			b.WriteRune(r)
		}
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&nbsp;", " ", "&amp;", "&").Replace(b.String())
}
