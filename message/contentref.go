package message

import (
	"net/url"
	"strings"
	"unicode"

	"golang.org/x/net/html"
)

// contentRefs returns the identifiers that a page refers to by cid: (RFC 2392),
// in attributes and styles, each once, also for Outlook alone, in a conditional
// comment.
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
				key, value, more = z.TagAttr()
				attributeRefs(string(key), string(value), add)
			}
		case html.TextToken:
			if inStyle {
				styleRefs(string(z.Raw()), add)
			}
		case html.CommentToken:
			if comment := string(z.Text()); strings.HasPrefix(comment, "[if") {
				for _, id := range contentRefs(comment) {
					add("cid:" + url.PathEscape(id))
				}
			}
		case html.EndTagToken, html.DoctypeToken:
			inStyle = false
		}
	}
}

// attributeRefs finds the addresses in an attribute.
func attributeRefs(name, value string, add func(string)) {
	switch name {
	case "style":
		styleRefs(value, add)
	case "src", "href", "background", "poster", "data", "longdesc", "xlink:href":
		add(value)
	case "srcset", "imagesrcset":
		// Each address is followed by the size that it is for.
		for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }) {
			add(word)
		}
	}
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
