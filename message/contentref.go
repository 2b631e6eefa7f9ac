package message

import (
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// contentRefs returns the identifiers that a page refers to by cid: (RFC 2392),
// in attributes and styles, each once.
func contentRefs(page string) []string {
	if !mayRefer(page) {
		return nil
	}
	var refs []string
	seen := make(map[string]bool)
	add := func(ref string) {
		if id, ok := contentRef(ref); ok && !seen[id] {
			seen[id] = true
			refs = append(refs, id)
		}
	}
	z := html.NewTokenizer(strings.NewReader(page))
	inStyle := false
	for {
		kind := z.Next()
		switch kind {
		case html.ErrorToken:
			return refs
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			inStyle = kind == html.StartTagToken && string(name) == "style"
			for more {
				var key, value []byte
				if key, value, more = z.TagAttr(); string(key) == "style" {
					styleRefs(string(value), add)
				} else if isReference(string(key)) {
					add(string(value))
				}
			}
		case html.TextToken:
			if inStyle {
				styleRefs(string(z.Raw()), add)
			}
		case html.EndTagToken, html.CommentToken, html.DoctypeToken:
			inStyle = false
		}
	}
}

// isReference reports whether the value of an attribute is an address.
func isReference(attribute string) bool {
	switch attribute {
	case "src", "href", "background", "poster", "data", "longdesc", "xlink:href":
		return true
	}
	return false
}

// styleRefs finds the addresses in url() of a style.
func styleRefs(style string, add func(string)) {
	for {
		inside, rest, found := strings.Cut(style, ")")
		if !found {
			return
		}
		inside = inside[strings.LastIndexByte(inside, '(')+1:]
		add(strings.Trim(inside, " \t\r\n'\""))
		style = rest
	}
}

// contentRef returns the identifier that an address of the scheme cid has.
func contentRef(ref string) (id string, ok bool) {
	id, ok = cutFolded(strings.TrimSpace(ref), "cid:")
	if !ok {
		return "", false
	}
	if decoded, err := url.PathUnescape(id); err == nil {
		id = decoded
	}
	return bareID(id), true
}

// mayRefer reports whether cid: is anywhere in a page.
func mayRefer(page string) bool {
	const scheme = "cid:"
	for {
		i := strings.IndexByte(page, ':')
		if i < 0 {
			return false
		}
		if i >= len(scheme)-1 && strings.EqualFold(page[i-len(scheme)+1:i+1], scheme) {
			return true
		}
		page = page[i+1:]
	}
}
