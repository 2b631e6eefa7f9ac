package message

import (
	"strings"

	"github.com/jhillyerd/enmime/v2/mediatype"
)

// A builder makes a [Message] from its parts.
type builder struct {
	nodes []node
	msg   *Message

	text, html strings.Builder
	texts      map[slot]bool
}

// A slot is a place for text that is taken once: that of one media type in a
// multipart/alternative.
type slot struct {
	parent    int
	mediaType string
}

func (b *builder) build() {
	b.texts = make(map[slot]bool)
	for i := range b.nodes {
		if n := &b.nodes[i]; !n.multipart {
			b.leaf(i, n)
		}
	}
	b.msg.Text, b.msg.HTML = b.text.String(), b.html.String()
}

// leaf adds a part that is not a multipart.
func (b *builder) leaf(index int, n *node) {
	disposition, params := b.disposition(n)
	name := fileName(n, params)
	switch {
	case disposition == "attachment":
	case n.mediaType == "text/plain" && b.isText(index, n, name, &b.text):
		addText(&b.text, b.decodeText(n))
		return
	case n.mediaType == "text/html" && b.isText(index, n, name, &b.html):
		addText(&b.html, b.decodeText(n))
		return
	}
	a := Attachment{Part: n.id, Name: name, ContentType: n.mediaType, Inline: disposition == "inline"}
	if ids := parseIDs(n.header.Get("Content-Id"), 1); len(ids) > 0 {
		a.ContentID = ids[0]
	}
	if disposition == "" {
		a.Inline = a.ContentID != "" || b.within(n, "multipart/related") || b.within(n, "multipart/alternative")
	}
	a.Content = b.decode(n)
	b.msg.Attachments = append(b.msg.Attachments, a)
}

// isText reports whether a part of a text type belongs to the text that has
// gathered in what. A named one does only if it is the first; one of several
// alternatives if it is the first of its type; and what follows the root of a
// multipart/related is there to be referred to.
func (b *builder) isText(index int, n *node, name string, what *strings.Builder) bool {
	if name != "" && (b.text.Len() > 0 || b.html.Len() > 0) && !b.within(n, "multipart/alternative") {
		return false
	}
	if b.within(n, "multipart/related") && n.parent != index-1 && what.Len() > 0 {
		return false
	}
	if b.within(n, "multipart/alternative") {
		s := slot{n.parent, n.mediaType}
		if b.texts[s] {
			return false
		}
		b.texts[s] = true
	}
	return true
}

// within reports whether n is directly inside of a multipart of that type.
func (b *builder) within(n *node, mediaType string) bool {
	return n.parent >= 0 && b.nodes[n.parent].mediaType == mediaType
}

// disposition reads the Content-Disposition of n (RFC 2183). One that is not
// known counts as attachment (section 2.8), one that is no word as none.
func (b *builder) disposition(n *node) (string, map[string]string) {
	value := n.header.Get("Content-Disposition")
	d := strings.ToLower(value)
	if i := strings.IndexAny(d, "; \t"); i >= 0 {
		d = d[:i]
	}
	_, params, _, err := mediatype.Parse(value[:min(len(value), maxContentType)])
	if err != nil {
		params = nil
	}
	switch {
	case d == "inline":
	case d == "", strings.ContainsAny(d, "=?<>@,:\"/[]()"):
		d = ""
	default:
		d = "attachment"
	}
	return d, params
}

// fileName returns the name that a part has by its Content-Disposition or its
// Content-Type.
func fileName(n *node, disposition map[string]string) string {
	// The parsed parameters know only UTF-8 in the extended form.
	if name := extendedParameter(n.header.Get("Content-Disposition"), "filename"); name != "" {
		return oneLine(name)
	}
	if name := disposition["filename"]; name != "" {
		return decodeText(name)
	}
	if name := extendedParameter(n.header.Get("Content-Type"), "name"); name != "" {
		return oneLine(name)
	}
	return decodeText(n.params["name"])
}

// addText appends the text of one more part.
func addText(b *strings.Builder, text string) {
	if b.Len() > 0 && text != "" {
		if s := b.String(); s[len(s)-1] != '\n' {
			b.WriteByte('\n')
		}
	}
	b.WriteString(text)
}
