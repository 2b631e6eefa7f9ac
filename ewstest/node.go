package ewstest

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The namespaces of requests and answers.
const (
	soapSpace     = "http://schemas.xmlsoap.org/soap/envelope/"
	messagesSpace = "http://schemas.microsoft.com/exchange/services/2006/messages"
	typesSpace    = "http://schemas.microsoft.com/exchange/services/2006/types"
	errorsSpace   = "http://schemas.microsoft.com/exchange/services/2006/errors"
)

// maxDepth bounds how deep the elements of a request may be nested.
const maxDepth = 100

// node is an element of a request. Elements are found by their local name, so
// that prefixes, and for lenient servers namespaces, do not matter.
type node struct {
	name     xml.Name
	attrs    []xml.Attr
	children []*node
	text     string
}

var errTooDeep = errors.New("ewstest: elements are nested too deep")

// parseXML reads one document and returns its root.
func parseXML(data []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		if strings.EqualFold(charset, "utf-8") || strings.EqualFold(charset, "us-ascii") {
			return input, nil
		}
		return nil, fmt.Errorf("ewstest: charset %q", charset)
	}
	top := &node{}
	open := []*node{top}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		last := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) > maxDepth {
				return nil, errTooDeep
			}
			n := &node{name: t.Name, attrs: t.Attr}
			last.children = append(last.children, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			last.text += string(t)
		}
	}
	if len(top.children) != 1 {
		return nil, io.ErrUnexpectedEOF
	}
	return top.children[0], nil
}

// child returns the first child of that name, or nil. A nil node has none.
func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.children {
		if c.name.Local == name {
			return c
		}
	}
	return nil
}

// find follows names down from n.
func (n *node) find(names ...string) *node {
	for _, name := range names {
		n = n.child(name)
	}
	return n
}

// first returns the first child, or nil.
func (n *node) first() *node {
	if n == nil || len(n.children) == 0 {
		return nil
	}
	return n.children[0]
}

// all returns the children, and those of a nil node, which has none.
func (n *node) all() []*node {
	if n == nil {
		return nil
	}
	return n.children
}

// is reports whether the node is there and has the name.
func (n *node) is(name string) bool { return n != nil && n.name.Local == name }

// value returns the text without space around it, "" of a nil node.
func (n *node) value() string {
	if n == nil {
		return ""
	}
	return strings.TrimSpace(n.text)
}

// raw returns the text as it stands.
func (n *node) raw() string {
	if n == nil {
		return ""
	}
	return n.text
}

// attr returns an attribute, "" where it is missing.
func (n *node) attr(name string) string {
	if n == nil {
		return ""
	}
	for _, a := range n.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// number returns an attribute as a number, and otherwise where it is none.
func (n *node) number(name string, otherwise int) int {
	value, err := strconv.Atoi(n.attr(name))
	if err != nil {
		return otherwise
	}
	return value
}

// truth reads a boolean of XML Schema, which has two spellings.
func truth(text string) bool { return text == "true" || text == "1" }
