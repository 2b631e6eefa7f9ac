package profile

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// kind is what the text of a leaf has to be.
type kind int

const (
	kindText kind = iota
	kindNumber
	kindFlag
	kindDuration
	kindWord // one of the leaf's words
	kindItem // of a list
	kindSecret
)

// leaf is a value in parameters that may be a reference.
type leaf struct {
	path  string
	kind  kind
	words []string
	// text is the value or the reference, for all kinds but secrets.
	text string
	// secret is that of a secret.
	secret Secret
	// items replace an item of a list where they are not nil.
	items []string
}

// reference returns what is held against the schemes.
func (l *leaf) reference() string {
	if l.kind == kindSecret {
		return l.secret.reference
	}
	return l.text
}

// closed is implemented by the types whose values are words of a list.
type closed interface{ values() []string }

// kindOf returns what a type of this package's holds, and its words.
func kindOf(t reflect.Type, tag reflect.StructTag) (kind, []string) {
	if words := tag.Get("words"); words != "" {
		return kindWord, strings.Split(words, ",")
	}
	switch t {
	case reflect.TypeFor[Number]():
		return kindNumber, nil
	case reflect.TypeFor[Flag]():
		return kindFlag, nil
	case reflect.TypeFor[Duration]():
		return kindDuration, nil
	case reflect.TypeFor[Secret]():
		return kindSecret, nil
	}
	if c, ok := reflect.TypeAssert[closed](reflect.Zero(t)); ok {
		return kindWord, c.values()
	}
	return kindText, nil
}

// nameOf returns the name of a field in a file.
func nameOf(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// walk calls f with each value of the struct v that is not empty, and writes
// back what f changes.
func walk(v reflect.Value, path string, f func(l *leaf)) {
	for i := range v.NumField() {
		walkValue(v.Field(i), below(path, nameOf(v.Type().Field(i))), v.Type().Field(i).Tag, f)
	}
}

func walkValue(v reflect.Value, path string, tag reflect.StructTag, f func(l *leaf)) {
	switch {
	case v.IsZero():
	case v.Kind() == reflect.Pointer:
		walk(v.Elem(), path, f)
	case v.Type() == reflect.TypeFor[List]():
		walkList(v, path, f)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walkValue(v.Index(i), fmt.Sprintf("%s/%d", path, i), tag, f)
		}
	case v.Kind() == reflect.Map:
		walkMap(v, path, tag, f)
	default:
		walkLeaf(v, path, tag, f)
	}
}

func walkLeaf(v reflect.Value, path string, tag reflect.StructTag, f func(l *leaf)) {
	l := &leaf{path: path}
	l.kind, l.words = kindOf(v.Type(), tag)
	if s, ok := reflect.TypeAssert[Secret](v); ok {
		l.secret = s
		if f(l); l.secret != s {
			v.Set(reflect.ValueOf(l.secret))
		}
		return
	}
	l.text = v.String()
	if f(l); l.text != v.String() {
		v.SetString(l.text)
	}
}

func walkList(v reflect.Value, path string, f func(l *leaf)) {
	changed, items := false, []String{}
	for i := range v.Len() {
		was := v.Index(i).String()
		l := &leaf{path: fmt.Sprintf("%s/%d", path, i), kind: kindItem, text: was}
		f(l)
		if l.items == nil {
			l.items = []string{l.text}
		}
		for _, item := range l.items {
			items = append(items, String(item))
		}
		changed = changed || !slices.Equal(l.items, []string{was})
	}
	if changed {
		v.Set(reflect.ValueOf(List(items)))
	}
}

func walkMap(v reflect.Value, path string, tag reflect.StructTag, f func(l *leaf)) {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		value := reflect.New(v.Type().Elem()).Elem()
		value.Set(v.MapIndex(key))
		was := value.Interface()
		walkValue(value, below(path, key.String()), tag, f)
		if value.Interface() != was {
			v.SetMapIndex(key, value)
		}
	}
}

// clone returns a copy that shares nothing.
func (p *Parameters) clone() *Parameters {
	c := copyOf(reflect.ValueOf(p))
	return c.Interface().(*Parameters) //nolint:forcetypeassert // copyOf keeps the type
}

// copyOf returns a deep copy of a value of this package's types.
func copyOf(v reflect.Value) reflect.Value {
	if v.IsZero() {
		return v
	}
	switch v.Kind() { //nolint:exhaustive // all other kinds hold no pointers but secrets, which do not change
	case reflect.Pointer:
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(v.Elem())
		for _, field := range c.Elem().Fields() {
			field.Set(copyOf(field))
		}
		return c
	case reflect.Slice:
		return reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)
	case reflect.Map:
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for iter := v.MapRange(); iter.Next(); {
			c.SetMapIndex(iter.Key(), iter.Value())
		}
		return c
	}
	return v
}
