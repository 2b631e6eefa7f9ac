package match

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// Ability is what a server can do about one condition.
type Ability int

// The abilities.
const (
	// Nothing: the condition is compared here.
	Nothing Ability = iota
	// Narrows: the server finds all messages that match, and others.
	Narrows
	// Decides: the server finds exactly the messages that match.
	Decides
)

// Ask tells what a server can do about one condition: a filter with one field
// set, or with Not around such a one. It returns what to ask the server for,
// unless there is Nothing, and why the server does not decide, unless it
// Decides. Conditions and instants come without Not.
type Ask func(condition session.Filter) (server session.Filter, a Ability, why string)

// Division is a filter in two parts. A message matches the whole if and only if
// it matches both.
type Division struct {
	// Server is the part for the server.
	Server session.Filter
	// Local is what is left to be compared here.
	Local session.Filter
	// Why tells why the server does not decide, once for each reason.
	Why []string
}

// Divide divides f by what a server can do.
func Divide(f session.Filter, ask Ask) Division {
	d := divider{ask: ask}
	server, local := d.divide(build(f, false))
	return Division{Server: server.filter(), Local: local.filter(), Why: d.why}
}

// Matcher returns what compares messages with the local part, nil where nothing is
// left to be compared. Where nobody but a server can decide it, the error says so,
// and why the server does not; it wraps [errors.ErrUnsupported].
func (d Division) Matcher() (*Matcher, error) {
	if d.Local.IsZero() {
		return nil, nil //nolint:nilnil // nothing is left to be compared
	}
	m := New(d.Local)
	if words := m.impossible(); len(words) > 0 {
		return nil, fmt.Errorf("%s has to be decided by the server, which cannot (%s): %w",
			strings.Join(words, " and "), strings.Join(d.Why, "; "), errors.ErrUnsupported)
	}
	return m, nil
}

// Permits returns an error that wraps [errors.ErrUnsupported] where a query is for
// the server alone, and something is left to be compared here.
func (d Division) Permits(q session.Query) error {
	if !q.ServerOnly || d.Local.IsZero() {
		return nil
	}
	return fmt.Errorf("the query is for the server alone, which cannot decide %v (%s): %w", d.Local, strings.Join(d.Why, "; "), errors.ErrUnsupported)
}

type divider struct {
	ask Ask
	why []string
}

// all is the tree that matches everything.
func all() node { return node{kind: every} }

func (n node) isAll() bool { return n.kind == every && len(n.children) == 0 }

func (d *divider) divide(n node) (server, local node) {
	switch n.kind {
	case leaf:
		return d.leaf(n)
	case some:
		return d.some(n)
	case every:
	}
	server, local = all(), all()
	for _, c := range n.children {
		s, l := d.divide(c)
		if !s.isAll() {
			server.children = append(server.children, s)
		}
		if !l.isAll() {
			local.children = append(local.children, l)
		}
	}
	return server, local
}

func (d *divider) leaf(n node) (server, local node) {
	f, ability, why := d.ask(n.leaf)
	if ability != Decides && !slices.Contains(d.why, why) {
		d.why = append(d.why, why)
	}
	switch ability {
	case Decides:
		return node{leaf: f}, all()
	case Narrows:
		return node{leaf: f}, n
	case Nothing:
	}
	return all(), n
}

// some asks the server for all alternatives or for none: an alternative that it
// is not asked for would be missing from its answer.
func (d *divider) some(n node) (server, local node) {
	server, local = node{kind: some}, all()
	for _, c := range n.children {
		s, l := d.divide(c)
		if s.isAll() && l.isAll() {
			return all(), all()
		}
		server.children = append(server.children, s)
		if !l.isAll() {
			local = n
		}
	}
	if slices.ContainsFunc(server.children, node.isAll) {
		server = all()
	}
	return server, local
}
