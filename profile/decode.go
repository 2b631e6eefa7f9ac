package profile

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// decoder puts a tree into the types of this package. What does not fit is a
// mistake; the rest goes on.
type decoder struct {
	m       *mistakes
	schemes schemes
}

// object puts an object into the struct v.
func (d decoder) object(v reflect.Value, node any, path string) {
	o, ok := node.(*object)
	if !ok {
		d.m.add(path, "it is "+whatIs(node), "write an object: {…}")
		return
	}
	names := make([]string, v.NumField())
	for i := range names {
		names[i] = nameOf(v.Type().Field(i))
	}
	for _, member := range o.members {
		at := below(path, member.name)
		i := slices.Index(names, member.name)
		if i < 0 {
			d.m.add(at, fmt.Sprintf("the name %q is not known", cut(member.name)), nearOf(member.name, names))
			d.m.suspect(below(path, nearest(member.name, names)))
			continue
		}
		d.value(v.Field(i), member.value, at)
	}
}

// value puts a node into a field.
func (d decoder) value(v reflect.Value, node any, path string) {
	switch {
	case v.Kind() == reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.object(v.Elem(), node, path)
	case v.Type() == reflect.TypeFor[List]():
		d.list(v, node, path)
	case v.Kind() == reflect.Slice:
		nodes, ok := node.([]any)
		if !ok {
			nodes = []any{node}
		}
		for i, n := range nodes {
			item := reflect.New(v.Type().Elem()).Elem()
			d.value(item, n, fmt.Sprintf("%s/%d", path, i))
			v.Set(reflect.Append(v, item))
		}
	case v.Kind() == reflect.Map:
		d.dictionary(v, node, path)
	default:
		d.leaf(v, node, path)
	}
}

func (d decoder) list(v reflect.Value, node any, path string) {
	list := List{}
	switch n := node.(type) {
	case string:
		if d.schemes.has(n) {
			list = append(list, String(n))
			break
		}
		for _, item := range split(n) {
			list = append(list, String(item))
		}
	case []any:
		for i, item := range n {
			text, ok := item.(string)
			if !ok || text == "" {
				d.m.add(fmt.Sprintf("%s/%d", path, i), "it is "+whatIs(item), "write a text that is not empty")
				continue
			}
			list = append(list, String(text))
		}
	default:
		d.m.add(path, "it is "+whatIs(node), "write a list of texts, or one text with spaces, commas or ~ between them")
	}
	if len(list) > 0 {
		v.Set(reflect.ValueOf(list))
	}
}

func (d decoder) dictionary(v reflect.Value, node any, path string) {
	o, ok := node.(*object)
	if !ok {
		d.m.add(path, "it is "+whatIs(node), "write an object of texts: {…}")
		return
	}
	for _, member := range o.members {
		at := below(path, member.name)
		if member.name == "" {
			d.m.add(at, "a name is empty", "name it")
			continue
		}
		value := reflect.New(v.Type().Elem()).Elem()
		d.leaf(value, member.value, at)
		if v.IsNil() {
			v.Set(reflect.MakeMap(v.Type()))
		}
		v.SetMapIndex(reflect.ValueOf(member.name), value)
	}
}

// leaf puts a node into a field that holds one value.
func (d decoder) leaf(v reflect.Value, node any, path string) {
	what, _ := kindOf(v.Type(), "")
	if text, ok := node.(string); ok {
		d.text(v, what, text, path)
		return
	}
	number, isNumber := node.(json.Number)
	flag, isFlag := node.(bool)
	switch {
	case what == kindNumber && isNumber:
		v.SetString(number.String())
	case what == kindFlag && isFlag:
		v.SetString(strconv.FormatBool(flag))
	default:
		d.m.add(path, "it is "+whatIs(node), "write "+wanted(what))
	}
}

// text puts a text, or a reference, into a field that holds one value.
func (d decoder) text(v reflect.Value, what kind, text, path string) {
	refers := d.schemes.has(text)
	if !refers {
		d.mistyped(text, path)
	}
	switch {
	case what == kindSecret:
		v.Set(reflect.ValueOf(d.secret(text)))
	case what == kindNumber && !refers:
		d.m.add(path, "it is a text", "write the number without quotes")
	case what == kindFlag && !refers:
		d.m.add(path, "it is a text", "write true or false, without quotes")
	default:
		v.SetString(text)
	}
}

// secret returns what a text stands for where there is to be a secret.
func (d decoder) secret(text string) Secret {
	if itself, ok := strings.CutPrefix(text, SchemeLiteral+":"); ok {
		return Literal(secret.New(itself))
	}
	if d.schemes.has(text) {
		return Ref(text)
	}
	return Literal(secret.New(text))
}

// wanted says how a value of a kind is written.
func wanted(what kind) string {
	switch what {
	case kindNumber:
		return "a number"
	case kindFlag:
		return "true or false"
	case kindDuration:
		return `a time in quotes, such as "30s"`
	default:
		return "a text"
	}
}

// whatIs names the type of a node.
func whatIs(node any) string {
	switch node.(type) {
	case nil:
		return "null"
	case *object:
		return "an object"
	case []any:
		return "a list"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	}
	return "a text"
}

// formats looks at each value whether it can be what it has to be, and empties
// those that cannot. Values that are references are looked at when they are
// resolved.
func (c *checker) formats() {
	walk(reflect.ValueOf(c.p).Elem(), c.path, func(l *leaf) {
		before := len(c.m.list)
		defer func() {
			if len(c.m.list) > before {
				l.text = ""
			}
		}()
		switch {
		case l.kind == kindSecret:
			c.literal(l)
		case !c.refers(l.text):
			c.format(l)
		}
	})
}

// mistyped looks whether a text that is no reference was to be one. It quotes
// nothing of it, since it may be a secret.
func (d decoder) mistyped(text, path string) {
	scheme, rest, ok := strings.Cut(text, ":")
	if !ok || rest == "" || strings.ContainsAny(rest, " \n") || !isScheme(scheme) {
		return
	}
	if near := nearest(scheme, slices.Sorted(maps.Keys(d.schemes))); near != "" {
		d.m.add(path, "it looks like a reference with a scheme that is not known", fmt.Sprintf("did you mean %q? The text itself is written %q", near+":…", SchemeLiteral+":…"))
	}
}

// isScheme reports whether a text has at least three characters, all of them
// letters: a drive of Windows and an IPv6 address are no references.
func isScheme(text string) bool {
	return len(text) > 2 && !strings.ContainsFunc(text, func(r rune) bool { return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') })
}

// format looks at a value that is no reference.
func (c *checker) format(l *leaf) {
	switch l.kind {
	case kindNumber:
		if !isNumber(l.text) {
			c.m.add(l.path, "it is not a number", "write digits")
		}
	case kindFlag:
		if l.text != string(Yes) && l.text != string(No) {
			c.m.add(l.path, "it is neither true nor false", "write one of the two")
		}
	case kindDuration:
		if t, err := time.ParseDuration(l.text); err != nil || t < 0 {
			c.m.add(l.path, "it is not a time", `write one such as "500ms", "30s" or "1m30s"`)
		}
	case kindWord:
		if !slices.Contains(l.words, l.text) {
			c.m.add(l.path, c.quote(l.text)+" is not known", nearOf(l.text, l.words))
		}
	case kindItem:
		if len(split(l.text)) != 1 {
			c.m.add(l.path, "it holds a space, a comma or a ~", "write each text by itself")
		}
	default:
		if strings.ContainsAny(l.text, "\x00\r\n") && !c.multiline(l.path) {
			c.m.add(l.path, "it holds a line break", "write it in one line")
		}
	}
}

// multiline reports whether a text is the content of a file, or for people.
func (c *checker) multiline(path string) bool {
	for _, end := range []string{"/tls/ca", "/tls/certificate", "/description"} {
		if strings.HasSuffix(path, end) {
			return true
		}
	}
	return false
}

// literal refuses a secret itself, unless the program has allowed it.
func (c *checker) literal(l *leaf) {
	if !l.secret.literal.IsZero() && !c.resolved && !c.opts.AllowLiteralSecrets && !c.m.suspected(l.path) {
		c.m.add(l.path, "the secret itself is here, for everybody to read", "refer to it: "+strings.Join(c.schemes.examples(), ", ")+"; a program may allow it by AllowLiteralSecrets")
	}
}
