package profile

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/preset"
)

// checker looks for mistakes in one set.
type checker struct {
	m       *mistakes
	opts    *Options
	schemes schemes
	// resolved tells that references were replaced by what they give, so that
	// nothing is one, and no value may be quoted.
	resolved bool
	// given tells that the program has credentials of its own, and implied what
	// it overrides of sides that the set does not name.
	given   bool
	implied [2]SideOverride

	p    *Parameters
	path string
	look int // how many paths were suspect when the rules began; see bad
	flow Flow
	// provider is the set's, nil where it has none or where it is not known yet.
	provider *preset.Provider
	sides    []side
}

func (f *File) checker(m *mistakes) *checker {
	return &checker{m: m, opts: &f.opts, schemes: f.opts.schemes()}
}

// refers reports whether a text is a reference, so that its value is not known
// yet.
func (c *checker) refers(text string) bool { return !c.resolved && c.schemes.has(text) }

// bad reports whether something was said about a path before the rules began, so
// that they do not look at it any more.
func (c *checker) bad(path string) bool {
	n, suspect := c.m.suspects[path]
	return suspect && n < c.look
}

// quote returns a value for a message.
func (c *checker) quote(text string) string {
	if c.resolved {
		return "what is there"
	}
	return fmt.Sprintf("%q", cut(text))
}

// cause returns what another package says of a value, without the value where
// that came of a reference.
func (c *checker) cause(err error, value String) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "preset: "), strconv.Quote(string(value)), c.quote(string(value)))
}

// add notes a mistake in a field of the set, named by its names with "/".
// One about which something was said already is passed over.
func (c *checker) add(field, reason, fix string) {
	if path := c.path + "/" + field; !c.bad(path) {
		c.m.add(path, reason, fix)
	}
}

// set looks at all of a set.
func (c *checker) set(p *Parameters, path string) {
	c.p, c.path = p.clone(), path
	c.formats()
	c.look = len(c.m.suspects)
	c.flow, c.provider = c.flowOf(), c.providerOf()
	c.sides = sidesOf(c.p, c.implied)
	if c.given {
		c.flow = ""
	} else {
		c.server()
		c.signIn()
		c.account()
		c.redirect()
		c.parameters()
	}
	c.modes()
	for _, s := range c.sides {
		c.side(s)
	}
	c.rest()
}

// flowOf returns the flow, "" where it is not known yet.
func (c *checker) flowOf() Flow {
	p := c.p
	switch {
	case c.refers(string(p.Flow)), c.bad(c.path + "/flow"):
		return ""
	case p.Flow == "" && (c.bad(c.path+"/password") || c.bad(c.path+"/refreshToken") || c.bad(c.path+"/tokenFile")):
		return "" // It follows from what has another name.
	case p.Flow != "":
		return p.Flow
	case !p.RefreshToken.IsZero() || !p.TokenFile.IsZero():
		return FlowPinned
	case !p.Password.IsZero():
		return FlowPassword
	}
	return FlowPKCE
}

// providerOf returns the provider, nil where there is none or where it depends
// on a reference.
func (c *checker) providerOf() *preset.Provider {
	p := c.p
	if p.Provider == "" || c.refers(string(p.Provider)) || c.refers(string(p.Tenant)) || c.bad(c.path+"/tenant") {
		return nil
	}
	provider, unknown, err := c.opts.provider(p)
	switch {
	case err == nil:
		return &provider
	case unknown:
		c.add("provider", "the provider "+c.quote(string(p.Provider))+" is not known", nearOf(string(p.Provider), c.opts.providerNames()))
	case !c.anyReference():
		c.add("provider", strings.TrimPrefix(err.Error(), "preset: "), "")
	}
	return nil
}

// anyReference reports whether what a provider depends on is not known yet.
func (c *checker) anyReference() bool {
	found := c.p.OAuth != nil && (c.refers(string(c.p.OAuth.Base)) || c.refers(string(c.p.OAuth.Resource)))
	for _, s := range sidesOf(c.p, c.implied) {
		found = found || c.refers(string(s.host)) || c.refers(string(s.url))
	}
	return found
}
