package profile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/preset"
)

// Warnings tells what works, or has worked, and is not to be used any more, as
// of a time: with its date, where the provider has named one. The earliest date
// comes first, what has none last.
func (f *File) Warnings(at time.Time) []Warning {
	var list []Warning
	for _, name := range f.Names() {
		list = append(list, f.warnings(name, at)...)
	}
	slices.SortStableFunc(list, func(a, b Warning) int {
		if a.Date.IsZero() != b.Date.IsZero() {
			return cmp.Compare(b.Date.Unix(), a.Date.Unix()) // The zero time is the earliest.
		}
		return a.Date.Compare(b.Date)
	})
	return list
}

// warnings returns those of one set. What depends on references is not known
// here.
func (f *File) warnings(name string, at time.Time) []Warning {
	c := f.looked(name)
	if c == nil || c.provider == nil || c.flow == "" {
		return nil
	}
	var list []Warning
	for _, s := range c.sides {
		field := "/" + s.name
		if !s.implied {
			field += "/protocol"
		}
		if c.flow == FlowPassword && s.protocol != EWS {
			field = "/flow"
		}
		for _, w := range c.provider.Warnings(preset.Protocol(s.protocol), presetFlow(c.flow), at) {
			list = append(list, Warning{Mistake: Mistake{Path: c.path + field, Reason: trimStop(w.What), Fix: trimStop(w.Fix)}, Date: w.Date, Due: w.Due})
		}
	}
	list = append(list, c.advice()...)
	slices.SortStableFunc(list, func(a, b Warning) int { return cmp.Or(a.Date.Compare(b.Date), cmp.Compare(a.String(), b.String())) })
	return slices.Compact(list)
}

// trimStop takes the full stop from a sentence.
func trimStop(sentence string) string { return strings.TrimSuffix(sentence, ".") }

// advice returns what has no date.
func (c *checker) advice() []Warning {
	var list []Warning
	add := func(field, reason, fix string) {
		list = append(list, Warning{Mistake: Mistake{Path: c.path + field, Reason: reason, Fix: fix}})
	}
	if kept := c.p.Store != nil && c.p.Store.Dir != "" || c.opts.Store != nil; c.flow == FlowPinned && !kept && c.p.OAuth == nil && !c.provider.Endpoint.RefreshTokensReusable {
		add("/store", "the server replaces refresh tokens, and what it gives in place of the pinned one is lost when the program ends", "give the set a store")
	}
	if c.p.AuthParams["prompt"] == "login" && c.provider.ID == "google" {
		add("/authParams/prompt", "Google knows no prompt=login", `use "select_account" or "consent"`)
	}
	return list
}

// looked returns a checker with what is known of a set, nil where there is none.
func (f *File) looked(name string) *checker {
	p := f.Sets[name]
	if p == nil {
		return nil
	}
	c := f.checker(&mistakes{})
	c.p, c.path = p, setPath(name)
	c.flow, c.provider = c.flowOf(), c.providerOf()
	c.sides = sidesOf(c.p, c.implied)
	return c
}

// Change is what Migrate rewrote.
type Change struct {
	// Path is where, as in [Mistake].
	Path string
	// From and To are what stands there no more and what does, "" where nothing
	// does. They hold no secret.
	From, To string
}

// String returns path and values.
func (c Change) String() string {
	switch {
	case c.From == "":
		return c.Path + ": set to " + c.To
	case c.To == "":
		return c.Path + ": " + c.From + " is removed"
	}
	return c.Path + ": " + c.From + " becomes " + c.To
}

// MigrateOptions are what may be known beside the file. The zero value works.
type MigrateOptions struct {
	// ClientID is that of sets that have none: a set with a password needs one to
	// become a sign-in of a person.
	ClientID String
}

// Migrate rewrites what is not to be used any more, as of a time, as far as that
// can be done without asking anybody: EWS at a provider that ends it becomes
// Graph, where the program has a backend for that, else IMAP and SMTP; a password
// that a provider takes no longer becomes FlowPKCE, where there is a client id.
// Then a person has to sign in.
//
// It returns what it changed; what is left is in [File.Warnings]. A set that
// would have mistakes afterwards stays as it is. The options may be nil.
func (f *File) Migrate(at time.Time, o *MigrateOptions) []Change {
	if o == nil {
		o = &MigrateOptions{}
	}
	var all []Change
	for _, name := range f.Names() {
		c := f.looked(name)
		if c == nil || c.provider == nil || len(f.warnings(name, at)) == 0 {
			continue
		}
		next := &migration{p: f.Sets[name].clone(), c: c, at: at}
		next.service()
		next.password(o.ClientID)
		m := &mistakes{}
		f.checker(m).set(next.p, c.path)
		if len(next.changes) > 0 && m.err() == nil {
			f.Sets[name] = next.p
			all = append(all, next.changes...)
		}
	}
	return all
}

// migration rewrites one set.
type migration struct {
	p       *Parameters
	c       *checker
	at      time.Time
	changes []Change
}

func (m *migration) change(field, from, to string) {
	m.changes = append(m.changes, Change{Path: m.c.path + field, From: from, To: to})
}

// left notes what was said of EWS at a side and is of no use to another protocol.
func (m *migration) left(side string, host, url String, mechanisms List) {
	for _, f := range []struct{ field, was string }{
		{"/host", string(host)}, {"/url", string(url)}, {"/mechanisms", strings.Join(words(mechanisms...), " ")},
	} {
		if f.was != "" {
			m.change(side+f.field, f.was, "")
		}
	}
}

// ends reports whether a provider ends a protocol for everybody.
func (m *migration) ends(proto preset.Protocol) bool {
	return slices.ContainsFunc(m.c.provider.Retirements, func(r preset.Retirement) bool {
		return r.Flows == nil && slices.Contains(r.Protocols, proto) && !m.at.Before(r.Announced)
	})
}

// service replaces EWS.
func (m *migration) service() {
	if !m.ends(preset.EWS) {
		return
	}
	graph := m.c.provider.Offers(preset.Graph)
	if in := m.p.Incoming; in != nil && in.Protocol == EWS {
		to := IMAP
		if graph && m.c.opts.Incoming[Graph] != nil {
			to = Graph
		}
		m.change("/incoming/protocol", string(EWS), string(to))
		m.left("/incoming", in.Host, in.URL, in.Mechanisms)
		*in = Incoming{Protocol: to, User: in.User}
	}
	if out := m.p.Outgoing; out != nil && out.Protocol == EWS {
		to := SMTP
		if graph && m.c.opts.Outgoing[Graph] != nil {
			to = Graph
		}
		m.change("/outgoing/protocol", string(EWS), string(to))
		m.left("/outgoing", out.Host, out.URL, out.Mechanisms)
		*out = Outgoing{Protocol: to, User: out.User, TestRecipient: out.TestRecipient, SaveSent: out.SaveSent}
	}
	if len(m.changes) > 0 && len(m.p.Scopes) > 0 {
		m.change("/scopes", strings.Join(words(m.p.Scopes...), " "), "")
		m.p.Scopes = nil
	}
}

// password replaces a password that is not taken any more.
func (m *migration) password(clientID String) {
	gone := slices.ContainsFunc(m.c.sides, func(s side) bool {
		return len(m.c.provider.Warnings(preset.Protocol(s.protocol), preset.FlowPassword, m.at)) > 0
	})
	if m.c.flow != FlowPassword || clientID == "" || !gone || m.c.provider.Allows(preset.FlowBrowser, preset.Protocol(m.c.sides[0].protocol)) != nil {
		return
	}
	m.change("/flow", string(FlowPassword), string(FlowPKCE))
	m.change("/clientId", "", string(clientID))
	m.change("/password", "the password", "")
	if m.p.AuthUser != "" {
		m.change("/authUser", string(m.p.AuthUser), "")
	}
	m.p.Flow, m.p.ClientID, m.p.Password, m.p.AuthUser = FlowPKCE, clientID, Secret{}, ""
}
