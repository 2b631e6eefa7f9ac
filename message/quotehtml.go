package message

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// quotableHTML returns a page as it can stand within another: what may be in it
// is listed, every element that is opened is closed, and nothing else is, so that
// it cannot end what is around it. Scripts, forms, frames, comments and styles
// that are not of one element are left out. Pictures stay if they come from the
// web, or have one of the identifiers of ids.
//
// It reads tag by tag and writes every tag and text anew. The work grows with the
// length of page alone: elements that nest deeper than 256 levels lose their tags.
func quotableHTML(page string, ids map[string]bool) string {
	q := htmlQuoter{ids: ids}
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		switch z.Next() {
		case html.ErrorToken:
			q.closeTo(0)
			return q.out.String()
		case html.TextToken:
			if q.skip == 0 {
				q.out.WriteString(html.EscapeString(strings.ToValidUTF8(string(z.Text()), "\ufffd")))
			}
		case html.StartTagToken:
			q.start(z, false)
		case html.SelfClosingTagToken:
			q.start(z, true)
		case html.EndTagToken:
			name, _ := z.TagName()
			q.end(atom.Lookup(name))
		case html.CommentToken, html.DoctypeToken:
		}
	}
}

// An htmlQuoter writes what may be quoted.
type htmlQuoter struct {
	out  strings.Builder
	ids  map[string]bool
	open []atom.Atom
	last map[atom.Atom]int // how many are open down to the innermost of a name

	skipped atom.Atom // the element whose content is left out
	skip    int       // how many of them are open within each other
}

func (q *htmlQuoter) start(z *html.Tokenizer, closed bool) {
	raw, more := z.TagName()
	name := atom.Lookup(raw)
	switch {
	case q.skip > 0:
		if name == q.skipped && !closed {
			q.skip++
		}
		return
	case isLeftOut(name):
		// Of these, only a drawing can be closed by its own tag.
		if !closed || name != atom.Svg && name != atom.Math {
			q.skipped, q.skip = name, 1
		}
		return
	case !isQuotedElement(name) || !isVoid(name) && len(q.open) == maxOpen:
		return
	}
	q.out.WriteString("<" + name.String())
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		if value, ok := q.attribute(string(key), string(value)); ok {
			q.out.WriteString(" " + string(key) + `="` + html.EscapeString(value) + `"`)
		}
	}
	q.out.WriteByte('>')
	if !isVoid(name) {
		if q.last == nil {
			q.last = make(map[atom.Atom]int)
		}
		q.open = append(q.open, name)
		q.last[name]++
	}
}

func (q *htmlQuoter) end(name atom.Atom) {
	switch {
	case q.skip > 0:
		if name == q.skipped {
			q.skip--
		}
	case q.last[name] > 0:
		i := len(q.open) - 1
		for q.open[i] != name {
			i--
		}
		q.closeTo(i)
	}
}

// closeTo closes elements until n are open.
func (q *htmlQuoter) closeTo(n int) {
	for _, name := range slices.Backward(q.open[n:]) {
		q.out.WriteString("</" + name.String() + ">")
		q.last[name]--
	}
	q.open = q.open[:n]
}

// isLeftOut reports whether an element is left out with all that is in it.
func isLeftOut(name atom.Atom) bool {
	switch name {
	case atom.Title, atom.Script, atom.Style, atom.Template, atom.Svg, atom.Math, atom.Iframe, atom.Noembed, atom.Noframes,
		atom.Noscript, atom.Textarea:
		return true
	default:
		return false
	}
}

// isQuotedElement reports whether an element may be in a quote.
func isQuotedElement(name atom.Atom) bool {
	switch name {
	case atom.A, atom.Abbr, atom.Address, atom.Article, atom.Aside, atom.B, atom.Bdi, atom.Bdo, atom.Big, atom.Blockquote, atom.Br,
		atom.Caption, atom.Center, atom.Cite, atom.Code, atom.Col, atom.Colgroup, atom.Dd, atom.Del, atom.Dfn, atom.Div, atom.Dl,
		atom.Dt, atom.Em, atom.Figcaption, atom.Figure, atom.Font, atom.Footer, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5,
		atom.H6, atom.Header, atom.Hr, atom.I, atom.Img, atom.Ins, atom.Kbd, atom.Li, atom.Main, atom.Mark, atom.Ol, atom.P,
		atom.Pre, atom.Q, atom.Rp, atom.Rt, atom.Ruby, atom.S, atom.Samp, atom.Section, atom.Small, atom.Span, atom.Strike,
		atom.Strong, atom.Sub, atom.Sup, atom.Table, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Time, atom.Tr,
		atom.Tt, atom.U, atom.Ul, atom.Var, atom.Wbr:
		return true
	default:
		return false
	}
}

// attribute returns the value of an attribute, if that may be in a quote.
func (q *htmlQuoter) attribute(key, value string) (string, bool) {
	value = strings.ToValidUTF8(value, "\ufffd")
	switch key {
	case "align", "alt", "bgcolor", "border", "cellpadding", "cellspacing", "cite", "class", "color", "colspan", "datetime", "dir",
		"face", "height", "hspace", "lang", "nowrap", "reversed", "rowspan", "size", "span", "start", "summary", "title",
		"type", "valign", "value", "vspace", "width":
		return value, true
	case "style":
		value = quotableStyle(value)
		return value, value != ""
	case "href":
		return value, linkAddress(value) != ""
	case "src", "background":
		if id, ok := contentRef(value); ok {
			return value, q.ids[id]
		}
		scheme, _, _ := strings.Cut(strings.TrimSpace(value), ":")
		return value, strings.EqualFold(scheme, "https") || strings.EqualFold(scheme, "http")
	}
	return "", false
}

// quotableStyle returns the declarations of a style that neither move an element
// out of the quote nor fetch anything.
func quotableStyle(style string) string {
	if strings.ContainsAny(style, `\@{}<`) || strings.Contains(style, "/*") {
		return "" // escapes and comments hide what is there
	}
	var kept []string
	for declaration := range strings.SplitSeq(style, ";") {
		property, value, ok := strings.Cut(declaration, ":")
		property, value = strings.ToLower(strings.TrimSpace(property)), strings.ToLower(value)
		switch {
		case !ok, property == "position", property == "z-index", property == "behavior", strings.HasPrefix(property, "-moz"),
			strings.HasPrefix(property, "margin") && strings.Contains(value, "-"), property == "top", property == "left",
			property == "transform", strings.Contains(value, "url"), strings.Contains(value, "expression"), strings.Contains(value, "image"):
			continue
		}
		kept = append(kept, strings.TrimSpace(declaration))
	}
	return strings.Join(kept, "; ")
}

// textHTML returns plain text as HTML.
func textHTML(text string) string {
	text = html.EscapeString(strings.TrimRight(text, "\r\n\t "))
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "  ", " \u00a0")
	return strings.ReplaceAll(text, "\n", "<br>\n")
}

// belowHTML returns a page with a block below what it shows.
func belowHTML(page, block string) string {
	for i := len(page) - len("</body"); i >= 0; i-- {
		if page[i] == '<' && strings.EqualFold(page[i:i+len("</body")], "</body") {
			return page[:i] + block + page[i:]
		}
	}
	return page + block
}
