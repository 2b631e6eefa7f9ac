package message

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html/atom"
)

// isVoid reports whether elements of that name have no end tag.
func isVoid(name atom.Atom) bool {
	switch name {
	case atom.Area, atom.Base, atom.Basefont, atom.Bgsound, atom.Br, atom.Col, atom.Embed, atom.Frame, atom.Hr, atom.Img,
		atom.Input, atom.Link, atom.Meta, atom.Param, atom.Source, atom.Track, atom.Wbr:
		return true
	default:
		return false
	}
}

// isUnread reports whether what is inside of such an element is not for
// reading.
func isUnread(name atom.Atom) bool {
	switch name {
	case atom.Head, atom.Script, atom.Style, atom.Title, atom.Template, atom.Svg, atom.Iframe, atom.Noembed, atom.Noframes,
		atom.Select, atom.Datalist, atom.Audio, atom.Video, atom.Canvas, atom.Map:
		return true
	default:
		return false
	}
}

// isBlock reports whether an element begins and ends lines.
func isBlock(name atom.Atom) bool {
	switch name {
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Caption, atom.Center, atom.Dd, atom.Details, atom.Dialog,
		atom.Dir, atom.Div, atom.Dl, atom.Dt, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Form, atom.H1,
		atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Header, atom.Hgroup, atom.Legend, atom.Li, atom.Listing, atom.Main,
		atom.Menu, atom.Nav, atom.Ol, atom.P, atom.Plaintext, atom.Pre, atom.Section, atom.Summary, atom.Table, atom.Textarea,
		atom.Tr, atom.Ul, atom.Xmp:
		return true
	default:
		return false
	}
}

// isCell reports whether an element is a cell of a table.
func isCell(name atom.Atom) bool { return name == atom.Td || name == atom.Th }

// isTablePart reports whether an element is a part of a table's structure.
func isTablePart(name atom.Atom) bool {
	switch name {
	case atom.Td, atom.Th, atom.Tr, atom.Tbody, atom.Thead, atom.Tfoot, atom.Table:
		return true
	default:
		return false
	}
}

// gapAround returns how many line breaks there are around an element: none, one
// to have lines of its own, or two for an empty line besides.
func (r *htmlReader) gapAround(name atom.Atom, a *htmlAttributes) int {
	switch name {
	case atom.P:
		// Outlook's paragraphs have no margin: an empty one stands for an empty line.
		if strings.HasPrefix(a.class, "Mso") || strings.Contains(squeeze(a.style), "margin:0") {
			return 1
		}
		return 2
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Pre:
		return 2
	case atom.Ul, atom.Ol:
		if len(r.lists) == 0 {
			return 2
		}
		return 1
	default:
		if isBlock(name) {
			return 1
		}
		return 0
	}
}

// beginItem begins an item of a list.
func (r *htmlReader) beginItem(a *htmlAttributes) {
	bullet := "- "
	if n := len(r.lists); n > 0 && r.lists[n-1].ordered {
		list := &r.lists[n-1]
		list.number = listNumber(a.value, list.number)
		bullet = strconv.Itoa(list.number) + ". "
		list.number++
	}
	if r.state.hidden {
		return
	}
	r.state.indent += len(bullet)
	r.bullet = bullet
}

// listNumber returns the number that s is, or otherwise.
func listNumber(s string, otherwise int) int {
	if n, err := strconv.ParseInt(strings.TrimSpace(s), 10, 32); err == nil {
		return int(n)
	}
	return otherwise
}

// maxStyle is how much of a style attribute is looked at.
const maxStyle = 4 << 10

// squeeze returns the beginning of a style attribute in lower case and without
// white space.
func squeeze(style string) string {
	if style == "" {
		return ""
	}
	style = strings.ToLower(style[:min(len(style), maxStyle)])
	return strings.Join(strings.Fields(style), "")
}

// invisible reports whether the style of an element hides it, in one of the
// ways in which mail does that. A font size of zero is none of them: it is used
// on containers whose contents have a size of their own.
func (a *htmlAttributes) invisible() bool {
	if a.style == "" {
		return false
	}
	for rule := range strings.SplitSeq(squeeze(a.style), ";") {
		key, value, _ := strings.Cut(rule, ":")
		value = strings.TrimSuffix(value, "!important")
		switch key {
		case "display":
			if value == "none" {
				return true
			}
		case "visibility":
			if value == "hidden" || value == "collapse" {
				return true
			}
		case "max-height", "opacity":
			if value == "0" || value == "0px" || value == "0.0" {
				return true
			}
		}
	}
	return false
}

// linkAddress returns the address of a link for people, or "" if it goes
// nowhere from here.
func linkAddress(href string) string {
	href = strings.TrimSpace(href)
	scheme, rest, ok := strings.Cut(href, ":")
	if !ok || strings.Trim(rest, "/") == "" {
		return ""
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "mailto", "tel", "sms", "ftp", "news", "xmpp", "sip", "webcal":
	default:
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r <= ' ' || isControl(r) || r == '<' || r == '>' || isFormat(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(href, ""))
}

// isIndentation reports whether a block quote is there to indent what its
// author wrote, which Gmail and Outlook on the web write as one without border.
func isIndentation(a *htmlAttributes) bool {
	if strings.EqualFold(a.kind, "cite") || a.class != "" {
		return false
	}
	style := squeeze(a.style)
	return strings.Contains(style, "border:none") || strings.Contains(style, "border:0")
}

// quoteContainer returns what mail programs say by the names of elements: that
// this one holds a quote or a signature, or that what follows is history. A
// gmail_quote that is not a blockquote says neither: answers stand in it between
// the quotes.
func quoteContainer(name atom.Atom, a *htmlAttributes) (kind PassageKind, rest bool) {
	if name == atom.Blockquote && (strings.EqualFold(a.kind, "cite") || hasClass(a.class, "gmail_quote", "protonmail_quote", "yahoo_quoted", "iosymail")) {
		return PassageQuoted, false
	}
	switch a.id {
	case "divRplyFwdMsg", "appendonsend", "mail-editor-reference-message-container":
		return PassageQuoted, true // Outlook on the web and on phones
	case "OLK_SRC_BODY_SECTION":
		return PassageQuoted, false // Outlook for Mac
	case "Signature", "ms-outlook-mobile-signature":
		return PassageSignature, false
	}
	switch {
	case hasClass(a.class, "gmail_attr", "moz-cite-prefix", "yahoo_quoted", "protonmail_quote", "gmail_extra_quote"):
		return PassageQuoted, false
	case a.smartmail == "gmail_signature", hasClass(a.class, "gmail_signature", "moz-signature", "protonmail_signature_block"):
		return PassageSignature, false
	}
	return PassageWritten, false
}

// hasClass reports whether one of names is among the classes of an element.
func hasClass(class string, names ...string) bool {
	if class == "" {
		return false
	}
	for c := range strings.FieldsSeq(class) {
		if slices.Contains(names, c) {
			return true
		}
	}
	return false
}
