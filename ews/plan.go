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
	only   []session.ID // the only messages that may match, where listed is set
	listed bool
	match.Division
	local *match.Matcher // nil where nothing is compared here
	reads session.Reads
}

// plan divides a query between the server and this side. Native conditions are taken
// out: resolve returns the messages that one finds.
func (c *Client) plan(q session.Query, v version, resolve func(native string) ([]session.ID, error)) (*plan, error) {
	where, p := q.Where, &plan{}
	if len(where.IDs) > 0 {
		p.only, p.listed, where.IDs = where.IDs, true, nil
	}
	if where.Native != "" {
		ids, err := c.resolveNative(v, where.Native, resolve)
		if err != nil {
			return nil, err
		}
		if p.listed {
			ids = slices.DeleteFunc(ids, func(id session.ID) bool { return !slices.Contains(p.only, id) })
		}
		p.only, p.listed, where.Native = ids, true, ""
	}
	where, err := c.withoutNative(where, v, resolve)
	if err != nil {
		return nil, err
	}
	p.Division = match.Divide(where, func(f session.Filter) (session.Filter, match.Ability, string) {
		if p.listed {
			return f, match.Nothing, "messages that are asked for by id are compared here"
		}
		return ask(f)
	})
	if p.Local.IsZero() {
		return p, nil
	}
	p.local = match.New(p.Local)
	p.reads = p.local.Reads()
	if words := p.local.Impossible(); len(words) > 0 {
		return nil, fmt.Errorf("%s: search: %s has to be decided by the server, which cannot (%s): %w",
			c.address, strings.Join(words, " and "), strings.Join(p.Why, "; "), errors.ErrUnsupported)
	}
	if q.ServerOnly {
		return nil, fmt.Errorf("%s: search: the query is for the server alone, which cannot decide %v (%s): %w",
			c.address, p.Local, strings.Join(p.Why, "; "), errors.ErrUnsupported)
	}
	return p, nil
}

func (c *Client) resolveNative(v version, native string, resolve func(string) ([]session.ID, error)) ([]session.ID, error) {
	if !v.atLeast(exchange2010()) {
		return nil, fmt.Errorf("%s: search: native: Exchange has a language for searching from 2010 on: %w", c.address, errors.ErrUnsupported)
	}
	return resolve(native)
}

// withoutNative puts in the place of native conditions the messages that they find.
func (c *Client) withoutNative(f session.Filter, v version, resolve func(string) ([]session.ID, error)) (session.Filter, error) {
	if f.Native != "" {
		ids, err := c.resolveNative(v, f.Native, resolve)
		if err != nil {
			return f, err
		}
		listed := session.Filter{IDs: ids}
		if len(ids) == 0 {
			listed = session.Filter{Not: &session.Filter{}} // nothing matches
		}
		f.Native, f.All = "", append(slices.Clip(f.All), listed)
	}
	for _, list := range []*[]session.Filter{&f.All, &f.AnyOf} {
		*list = slices.Clone(*list)
		for i, g := range *list {
			g, err := c.withoutNative(g, v, resolve)
			if err != nil {
				return f, err
			}
			(*list)[i] = g
		}
	}
	if f.Not != nil {
		g, err := c.withoutNative(*f.Not, v, resolve)
		if err != nil {
			return f, err
		}
		f.Not = &g
	}
	return f, nil
}

// Explain implements [session.Explainer]. It connects to see what the server is, and
// does not search.
func (c *Client) Explain(ctx context.Context, q session.Query) (session.Plan, error) {
	if err := q.Check(); err != nil {
		return session.Plan{}, err //nolint:wrapcheck // it is about the query
	}
	v, err := c.serverVersion(ctx)
	if err != nil {
		return session.Plan{}, err
	}
	var commands []string
	p, err := c.plan(q, v, func(native string) ([]session.ID, error) {
		commands = append(commands, fmt.Sprintf("FindItem QueryString %q", native))
		return []session.ID{session.NewID(session.IDParts{Backend: backendName, Mailbox: c.mailbox, Key: "found by " + native})}, nil
	})
	if err != nil {
		return session.Plan{}, err
	}
	told := session.Plan{Backend: backendName, Server: p.Server, Local: p.Local, Why: p.Why, Reads: p.reads}
	if p.listed {
		told.Server.IDs = p.only
	} else {
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
