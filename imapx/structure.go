package imapx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/message"
)

// maxParts is how many parts of a structure are kept.
const maxParts = 10_000

// errNoStructure says that a BODYSTRUCTURE describes nothing.
var errNoStructure = errors.New("the server describes no part")

// structureError says why there is no structure of a message.
type structureError struct {
	server string
	err    error
}

func (e *structureError) Error() string {
	return fmt.Sprintf("%s: fetch: the structure cannot be read; open the message instead: %v", e.server, e.err)
}

func (e *structureError) Unwrap() error { return e.err }

// structureOf makes a structure of the value of a BODYSTRUCTURE (RFC 9051 section
// 7.5.2). What is missing in it, or in another's place, is looked for: the size is
// the first number, the encoding what is before it, parameters the first list,
// and a disposition what looks like one.
func structureOf(n node) (message.Structure, error) {
	if n.kind != listNode || len(n.list) == 0 {
		return nil, errNoStructure
	}
	d := describer{}
	d.top(n, "")
	if len(d.parts) > maxParts {
		return nil, errTooDeep
	}
	return d.parts, nil
}

// describer gathers parts. It is as deep in calls as the tree is in lists.
type describer struct{ parts message.Structure }

// top describes all of a message, that may be a part itself.
func (d *describer) top(n node, number string) {
	if !isMultipart(n) {
		number = joinNumber(number, 1)
	}
	d.part(n, number)
}

func joinNumber(outer string, index int) string {
	if outer == "" {
		return strconv.Itoa(index)
	}
	return outer + "." + strconv.Itoa(index)
}

func (d *describer) part(n node, number string) {
	if len(d.parts) > maxParts {
		return
	}
	if isMultipart(n) {
		d.multipart(n.list, number)
		return
	}
	d.single(n.list, number)
}

// isMultipart reports whether a part begins with another, or says that it is a
// multipart. Servers write one without parts in several ways.
func isMultipart(n node) bool {
	list := n.list
	switch {
	case len(list) == 0:
		return false
	case list[0].kind == listNode:
		return true
	case strings.EqualFold(list[0].text, "multipart"):
		return true
	case len(list) == 1 || list[0].kind == nilNode && list[1].isText() || list[1].kind == listNode:
		return isMultipartKind(list[0].text) || len(list) > 1 && list[0].kind == nilNode && isMultipartKind(list[1].text)
	}
	return false
}

// isMultipartKind reports whether a word is the subtype of a multipart and of
// nothing else.
func isMultipartKind(word string) bool {
	kinds := []string{"mixed", "alternative", "related", "digest", "report", "signed", "encrypted", "parallel", "form-data", "appledouble"}
	return slices.Contains(kinds, strings.ToLower(word))
}

func (d *describer) multipart(list []node, number string) {
	kind, rest := "mixed", list
	children := 0
	for children < len(list) && list[children].kind == listNode {
		children++
	}
	rest = rest[children:]
	if children == 0 && (rest[0].kind == nilNode || strings.EqualFold(rest[0].text, "multipart")) {
		rest = rest[1:]
	}
	if len(rest) > 0 && rest[0].isText() {
		kind, rest = rest[0].text, rest[1:]
	}
	p := partOf("multipart", kind, firstOf(rest, isParams), firstOf(rest, isDisposition), "")
	p.Number, p.Multipart, p.Size = number, true, -1
	p.ContentType = "multipart/" + token(kind, "mixed")
	d.parts = append(d.parts, p)
	for i, child := range list[:children] {
		d.part(child, joinNumber(number, i+1))
	}
}

// single describes a part that is no multipart.
func (d *describer) single(list []node, number string) {
	kind, subtype, rest := types(list)
	at := slices.IndexFunc(rest, func(n node) bool { _, ok := n.number(); return ok })
	fields, behind := rest, []node(nil)
	size := int64(-1)
	switch {
	case at >= 0:
		size, _ = rest[at].number()
		fields, behind = rest[:at], rest[at+1:]
	case len(rest) > 4: // the size is NIL or no number
		fields, behind = rest[:4], rest[5:]
	}
	var enclosed *node
	if kind == "message" && (subtype == "rfc822" || subtype == "global") {
		enclosed, behind = enclosedOf(behind)
	}
	encoding := "7bit"
	if n := len(fields); n > 0 && fields[n-1].isText() {
		encoding, fields = strings.ToLower(strings.TrimSpace(fields[n-1].text)), fields[:n-1]
	}
	params := firstOf(fields, isList)
	if i := slices.IndexFunc(fields, isList); i >= 0 {
		fields = fields[i+1:]
	}
	id := ""
	if i := slices.IndexFunc(fields, node.isText); i == 0 || i > 0 && strings.HasPrefix(fields[i].text, "<") {
		id = fields[i].text
	}
	p := partOf(kind, subtype, params, disposition(behind), id)
	p.Number, p.Encoding, p.Size, p.Multipart = number, encoding, max(size, -1), false
	p.ContentType = kind + "/" + subtype
	d.parts = append(d.parts, p)
	if enclosed != nil {
		d.top(*enclosed, number)
	}
}

// types takes the media type and subtype off a part's list. Either may be
// missing.
func types(list []node) (kind, subtype string, rest []node) {
	if len(list) == 0 || list[0].kind == nilNode && (len(list) == 1 || list[1].kind == nilNode) {
		return "text", "plain", list[min(len(list), 2):]
	}
	kind, rest = token(list[0].text, ""), list[1:]
	if kind == "" && list[0].kind == nilNode {
		kind = "text"
	}
	// Where the subtype is missing, one more NIL or the parameters follow.
	if len(rest) > 0 && rest[0].isText() {
		subtype, rest = token(rest[0].text, ""), rest[1:]
	} else {
		subtype = ""
	}
	if kind == "" || subtype == "" && kind != "text" {
		return "application", "octet-stream", rest
	}
	if subtype == "" {
		subtype = "plain"
	}
	return kind, subtype, rest
}

// token returns a word in lower case if it can be a media type's.
func token(word, otherwise string) string {
	word = strings.ToLower(strings.TrimSpace(word))
	if word == "" || strings.ContainsFunc(word, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`()<>@,;:\"/[]?=`, r) }) {
		return otherwise
	}
	return word
}

// enclosedOf finds the structure of a message that is a part: it follows its
// envelope, which may be missing, as may either.
func enclosedOf(behind []node) (enclosed *node, rest []node) {
	for i := range min(2, len(behind)) {
		n := behind[i]
		second := i == 1 && behind[0].kind == listNode && !isDisposition(behind[1])
		if n.kind == listNode && (second || isBody(n)) {
			return &behind[i], behind[i+1:]
		}
	}
	return nil, behind
}

// isBody tells the description of a part from an envelope, which has lists of
// lists in it, and from a disposition, which is shorter.
func isBody(n node) bool {
	if len(n.list) == 0 {
		return false
	}
	if n.list[0].kind == listNode {
		return isBody(n.list[0])
	}
	if isMultipart(n) {
		return true
	}
	return len(n.list) >= 6 && !slices.ContainsFunc(n.list[:5], func(c node) bool {
		return c.kind == listNode && len(c.list) > 0 && c.list[0].kind == listNode
	}) && slices.ContainsFunc(n.list, func(c node) bool { _, ok := c.number(); return ok })
}

func isList(n node) bool { return n.kind == listNode }

// isDisposition reports whether n is a word and its parameters.
func isDisposition(n node) bool {
	if n.kind != listNode || len(n.list) == 0 || len(n.list) > 2 || n.list[0].kind == listNode {
		return false
	}
	return len(n.list) == 2 && !n.list[1].isText() || isDispositionType(n.list[0].text)
}

func isDispositionType(word string) bool {
	return strings.EqualFold(word, "attachment") || strings.EqualFold(word, "inline")
}

// isParams reports whether n is a list of names and values.
func isParams(n node) bool { return n.kind == listNode && !isDisposition(n) }

// disposition finds one in what is behind the size, also where it is no list.
func disposition(behind []node) node {
	if i := slices.IndexFunc(behind, isDisposition); i >= 0 {
		return behind[i]
	}
	for i, n := range behind {
		if n.isText() && isDispositionType(n.text) {
			return node{kind: listNode, list: behind[i:min(i+2, len(behind))]}
		}
	}
	return node{}
}

// firstOf returns the first of the nodes that is one, or NIL.
func firstOf(list []node, is func(node) bool) node {
	if i := slices.IndexFunc(list, is); i >= 0 {
		return list[i]
	}
	return node{}
}

// partOf has what was found read as the header that it was made of: servers
// leave parameters and names as they are in there, encoded.
func partOf(kind, subtype string, params, disposition node, id string) message.StructurePart {
	var h strings.Builder
	h.WriteString("Content-Type: " + kind + "/" + subtype)
	writeParams(&h, params.list)
	if len(disposition.list) > 0 {
		h.WriteString("\r\nContent-Disposition: " + token(disposition.list[0].text, ""))
		writeParams(&h, disposition.list[1:])
	}
	if id != "" {
		h.WriteString("\r\nContent-ID: " + line(id))
	}
	return message.StructurePart{PartInfo: message.DescribePart(message.ParseHeader([]byte(h.String() + "\r\n\r\n"))), Encoding: "7bit"}
}

// writeParams writes names and values as parameters. Some servers put each pair,
// or all of them, into one more list.
func writeParams(h *strings.Builder, list []node) {
	for i := 0; i < len(list); i++ {
		n := list[i]
		if n.kind == listNode {
			writeParams(h, n.list)
			continue
		}
		if i++; i == len(list) || !n.isText() || list[i].kind == listNode {
			i--
			continue
		}
		value := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(line(list[i].text))
		h.WriteString("; " + token(n.text, "x") + `="` + value + `"`)
	}
}

// line makes one line of a text.
func line(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' || r == 0 {
			return ' '
		}
		return r
	}, text)
}
