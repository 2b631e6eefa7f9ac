// Package match divides a [session.Filter] between a server and this side, and
// compares messages with what is left to this side. It is the one place where
// the library compares by itself, whatever the protocol.
package match

import (
	"reflect"

	"github.com/mailsession/mailsession/session"
)

// node is a filter as a tree in which nothing but single conditions is negated.
type node struct {
	kind     kind
	children []node
	leaf     session.Filter // has one field set, or Not with one field set in it
}

type kind int

const (
	leaf kind = iota
	every
	some
)

// combining are the fields of a filter that hold other filters.
func combining(name string) bool { return name == "All" || name == "AnyOf" || name == "Not" }

// build returns the tree of f, or of its contrary.
func build(f session.Filter, negated bool) node {
	var parts []node
	v := reflect.ValueOf(f)
	for field, value := range v.Fields() {
		if combining(field.Name) || value.IsZero() || value.Kind() == reflect.Slice && value.Len() == 0 {
			continue
		}
		var single session.Filter
		reflect.ValueOf(&single).Elem().FieldByIndex(field.Index).Set(value)
		if negated {
			single = contrary(single)
		}
		parts = append(parts, node{leaf: single})
	}
	for _, g := range f.All {
		parts = append(parts, build(g, negated))
	}
	if len(f.AnyOf) > 0 {
		alternatives := node{kind: some}
		if negated {
			alternatives.kind = every
		}
		for _, g := range f.AnyOf {
			alternatives.children = append(alternatives.children, build(g, negated))
		}
		parts = append(parts, alternatives)
	}
	if f.Not != nil {
		parts = append(parts, build(*f.Not, !negated))
	}
	if len(parts) == 1 {
		return parts[0]
	}
	if negated {
		return node{kind: some, children: parts}
	}
	return node{kind: every, children: parts}
}

// contrary negates a filter that has one field set. Where it can it does so
// without Not: a server's part can then be widened in the right direction.
func contrary(f session.Filter) session.Filter {
	switch {
	case !f.Since.IsZero():
		return session.Filter{Before: f.Since}
	case !f.Before.IsZero():
		return session.Filter{Since: f.Before}
	}
	for _, c := range []*session.Condition{&f.Unread, &f.Flagged, &f.Answered, &f.Draft, &f.Deleted, &f.HasAttachment} {
		switch *c {
		case session.Yes:
			*c = session.No
			return f
		case session.No:
			*c = session.Yes
			return f
		case session.Any:
		}
	}
	return session.Filter{Not: &f}
}

// filter returns the tree as a filter.
func (n node) filter() session.Filter {
	switch n.kind {
	case leaf:
		return n.leaf
	case some:
		if len(n.children) == 0 {
			return session.Filter{Not: &session.Filter{}} // nothing matches
		}
		var f session.Filter
		for _, c := range n.children {
			f.AnyOf = append(f.AnyOf, c.filter())
		}
		return f
	case every:
	}
	var f session.Filter
	for _, c := range n.children {
		if g := c.filter(); !adopt(&f, g) {
			f.All = append(f.All, g)
		}
	}
	return f
}

// adopt sets what g has set in f too, unless it is set already.
func adopt(f *session.Filter, g session.Filter) bool {
	mine, its := reflect.ValueOf(f).Elem(), reflect.ValueOf(g)
	for i := range its.NumField() {
		if !its.Field(i).IsZero() && !mine.Field(i).IsZero() {
			return false
		}
	}
	for i := range its.NumField() {
		if !its.Field(i).IsZero() {
			mine.Field(i).Set(its.Field(i))
		}
	}
	return true
}
