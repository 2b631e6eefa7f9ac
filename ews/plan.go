package ews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/session"
)

// plan is how a query is carried out.
type plan struct {
	only    []session.ID      // the only messages that may match; nil where any may
	native  string            // what leads to the messages, in the server's own language
	members []nativeCondition // further conditions in it
	match.Division
	local *match.Matcher // nil where nothing is compared here
	reads session.Reads
}

// nativeCondition is a condition in the server's own language that is one of several,
// with the id that stands for it in the filter.
type nativeCondition struct {
	text string
	mark session.ID
}

// plan divides a query between the server and this side. FindItem is led by ids, by a
// condition in the server's own language, or by a restriction, and by one of them alone.
func (c *Client) plan(q session.Query, v version) (*plan, error) {
	where, p := q.Where, &plan{}
	led := ""
	if ids, rest, ok := lead(where, func(f *session.Filter) (ids []session.ID, ok bool) {
		ids, f.IDs = f.IDs, nil
		return ids, len(ids) > 0
	}); ok {
		p.only, where, led = ids, rest, "messages that are asked for by id are compared here"
	}
	if native, rest, ok := lead(where, func(f *session.Filter) (native string, ok bool) {
		native, f.Native = f.Native, ""
		return native, native != ""
	}); ok {
		p.native, where, led = native, rest, "what native: finds is compared here: Exchange takes no other condition beside it"
	}
	where = p.marked(c, where)
	if (p.native != "" || len(p.members) > 0) && !v.atLeast(exchange2010()) {
		return nil, fmt.Errorf("%s: search: native: Exchange has a language for searching from 2010 on: %w", c.address, errors.ErrUnsupported)
	}
	p.Division = match.Divide(where, func(f session.Filter) (session.Filter, match.Ability, string) {
		if led != "" {
			return f, match.Nothing, led
		}
		return ask(f)
	})
	var err error
	if p.local, err = p.Matcher(); err != nil {
		return nil, fmt.Errorf("%s: search: %w", c.address, err)
	}
	p.reads = p.local.Reads()
	return p, nil
}

// permits is [match.Division.Permits] in the words of the query.
func (p *plan) permits(q session.Query) error {
	d := p.Division
	d.Local = p.shown(d.Local)
	return d.Permits(q)
}

// lead takes a condition that every message has to meet out of a filter.
func lead[T any](f session.Filter, take func(*session.Filter) (T, bool)) (taken T, rest session.Filter, ok bool) {
	rest = f
	if taken, ok = take(&rest); ok {
		return taken, rest, true
	}
	for i, g := range f.All {
		if taken, g, ok = lead(g, take); ok {
			rest.All = slices.Clone(f.All)
			if rest.All[i] = g; g.IsZero() {
				rest.All = slices.Delete(rest.All, i, i+1)
			}
			return taken, rest, true
		}
	}
	return taken, f, false
}

// marked puts an id in the place of each condition in the server's own language: page by
// page, it stands for those that the condition finds.
func (p *plan) marked(c *Client, f session.Filter) session.Filter {
	return eachFilter(f, func(f session.Filter) session.Filter {
		if f.Native == "" {
			return f
		}
		n := nativeCondition{text: f.Native}
		n.mark = session.NewID(session.IDParts{Backend: backendName, Mailbox: c.mailbox, Key: fmt.Sprintf("native %d", len(p.members))})
		p.members = append(p.members, n)
		f.Native, f.All = "", append(slices.Clip(f.All), session.Filter{IDs: []session.ID{n.mark}})
		return f
	})
}

// eachFilter calls change for a filter and for all that are in it.
func eachFilter(f session.Filter, change func(session.Filter) session.Filter) session.Filter {
	for _, list := range []*[]session.Filter{&f.All, &f.AnyOf} {
		*list = slices.Clone(*list)
		for i, g := range *list {
			(*list)[i] = eachFilter(g, change)
		}
	}
	if f.Not != nil {
		g := eachFilter(*f.Not, change)
		f.Not = &g
	}
	return change(f)
}

// replaced puts something in the place of the ids that stand for native conditions.
func (p *plan) replaced(f session.Filter, by func(n nativeCondition) session.Filter) session.Filter {
	return eachFilter(f, func(f session.Filter) session.Filter {
		for _, n := range p.members {
			if len(f.IDs) == 1 && f.IDs[0] == n.mark {
				f.IDs, f.All = nil, append(slices.Clip(f.All), by(n))
			}
		}
		return f
	})
}

// shown is a filter as the caller wrote it.
func (p *plan) shown(f session.Filter) session.Filter {
	return p.replaced(f, func(n nativeCondition) session.Filter { return session.Filter{Native: n.text} })
}

// Explain implements [session.Explainer]. It connects to see what the server is, and
// does not search.
func (c *Client) Explain(ctx context.Context, q session.Query) (session.Plan, error) {
	if err := checkQuery(q); err != nil {
		return session.Plan{}, err
	}
	v, err := c.serverVersion(ctx)
	if err != nil {
		return session.Plan{}, err
	}
	p, err := c.plan(q, v)
	if err != nil {
		return session.Plan{}, err
	}
	told := session.Plan{Backend: backendName, Server: p.Server, Local: p.shown(p.Local), Why: p.Why, Reads: p.reads}
	told.Server.IDs, told.Server.Native = p.only, p.native
	var commands []string
	for _, n := range p.members {
		commands = append(commands, fmt.Sprintf("FindItem QueryString %q", n.text))
	}
	switch {
	case p.native != "":
		commands = append(commands, fmt.Sprintf("FindItem QueryString %q", p.native))
	case p.only == nil:
		var words strings.Builder
		words.WriteString("FindItem")
		for _, e := range restrictions(p.Server) {
			words.WriteString(" " + shown(e))
		}
		commands = append(commands, words.String())
	}
	told.Commands = append(commands, "GetItem <page>")
	if p.local != nil {
		told.ScanLimit = max(0, match.ScanLimit(q))
	}
	return told, nil
}
