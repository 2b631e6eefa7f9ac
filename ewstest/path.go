package ewstest

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// path names a property of an item or a folder.
type path struct {
	uri    string // of a FieldURI or an IndexedFieldURI
	index  string // of an IndexedFieldURI
	ext    extended
	isExt  bool
	source *node
}

// extended names a property of MAPI.
type extended struct {
	tag  int // 0 for a named property
	set  string
	name string // the name, or the number in decimal
	kind string // PropertyType
}

// parsePath reads a FieldURI, an IndexedFieldURI or an ExtendedFieldURI.
func parsePath(n *node) (path, error) {
	switch {
	case n.is("FieldURI"):
		return path{uri: n.attr("FieldURI"), source: n}, nil
	case n.is("IndexedFieldURI"):
		return path{uri: n.attr("FieldURI"), index: n.attr("FieldIndex"), source: n}, nil
	case n.is("ExtendedFieldURI"):
		ext, err := parseExtended(n)
		return path{ext: ext, isExt: true, source: n}, err
	}
	return path{}, fail("ErrorInvalidRequest", "The request is invalid: a path to a property is missing.")
}

// paths reads the paths below an element.
func paths(n *node) ([]path, error) {
	var all []path
	for _, c := range n.all() {
		p, err := parsePath(c)
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// parseExtended reads the attributes of an ExtendedFieldURI. A tag is in
// decimal or in hexadecimal.
func parseExtended(n *node) (extended, error) {
	e := extended{kind: n.attr("PropertyType"), name: n.attr("PropertyName")}
	if e.kind == "" {
		return e, badExtended()
	}
	if text := n.attr("PropertyTag"); text != "" {
		tag, err := strconv.ParseUint(text, 0, 16)
		if err != nil || e.name != "" || n.attr("PropertyId") != "" {
			return e, badExtended()
		}
		e.tag = int(tag)
		return e, nil
	}
	if number := n.attr("PropertyId"); number != "" {
		id, err := strconv.ParseInt(number, 0, 32)
		if err != nil || e.name != "" {
			return e, badExtended()
		}
		e.name = "#" + strconv.FormatInt(id, 10)
	}
	e.set = strings.ToLower(n.attr("DistinguishedPropertySetId"))
	if guid := n.attr("PropertySetId"); guid != "" {
		if e.set != "" {
			return e, badExtended()
		}
		e.set = strings.ToLower(strings.Trim(guid, "{}"))
	}
	if e.set == "" || e.name == "" {
		return e, badExtended()
	}
	return e, nil
}

func badExtended() error {
	return fail("ErrorInvalidExtendedProperty", "The combination of attributes of the extended property is invalid.")
}

// isDeletedMark reports whether the property is PidLidImapDeleted, by which
// Exchange's own IMAP server marks what is to be removed.
func (e extended) isDeletedMark() bool { return e.set == "common" && e.name == "#34160" }

// key is what the property is kept under, whatever type it is asked for by.
func (e extended) key() string {
	if e.tag != 0 {
		return fmt.Sprintf("0x%04x", e.tag)
	}
	return e.set + "/" + strings.ToLower(e.name)
}

// value is the value of a property, in the form that it is compared in.
type value struct {
	kind  kind
	text  string
	texts []string // of a property with several values
	num   int64    // of a number, a boolean (0, 1), or an instant in seconds
}

type kind int

const (
	textKind kind = iota
	numberKind
	boolKind
	timeKind
)

func textValue(s string) value    { return value{text: s} }
func numberValue(n int) value     { return value{kind: numberKind, num: int64(n), text: strconv.Itoa(n)} }
func listValue(s []string) value  { return value{texts: s, text: strings.Join(s, "; ")} }
func timeValue(t time.Time) value { return value{kind: timeKind, num: t.Unix(), text: stamp(t)} }
func boolValue(b bool) value {
	v := value{kind: boolKind, text: strconv.FormatBool(b)}
	if b {
		v.num = 1
	}
	return v
}

// constant reads what a request compares a value with.
func (v value) constant(text string) (value, bool) {
	switch v.kind {
	case numberKind:
		n, err := strconv.ParseInt(text, 10, 64)
		return value{kind: numberKind, num: n}, err == nil
	case boolKind:
		return boolValue(truth(strings.ToLower(text))), true
	case timeKind:
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02Z07:00", "2006-01-02"} {
			if t, err := time.Parse(layout, text); err == nil {
				return timeValue(t), true
			}
		}
		return value{}, false
	case textKind:
	}
	return textValue(text), true
}

// compare orders two values of a kind. Texts are compared without regard to
// case, as Exchange does.
func (v value) compare(other value) int {
	if v.kind == textKind {
		return strings.Compare(strings.ToLower(v.text), strings.ToLower(other.text))
	}
	switch {
	case v.num < other.num:
		return -1
	case v.num > other.num:
		return 1
	}
	return 0
}
