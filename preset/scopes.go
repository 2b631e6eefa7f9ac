package preset

import (
	"maps"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// ScopeUse is what a scope is needed for.
type ScopeUse struct {
	// Modes are those of sessions that need it, nil for all.
	Modes []session.Mode
	// OtherMailbox tells that it is needed only where somebody else's mailbox,
	// or a shared one, is opened by the user's own sign-in.
	OtherMailbox bool
}

// Access is what a program wants to be allowed.
type Access struct {
	// Protocols are those to open, IMAP and SMTP where none is given. One that
	// the provider does not have adds no scope, nor does one that the Mode has
	// no use for.
	Protocols []Protocol
	// Mode is that of the session.
	Mode session.Mode
	// OtherMailbox tells that somebody else's mailbox, or a shared one, is
	// opened by the user's own sign-in.
	OtherMailbox bool
	// Scopes, where not nil, are asked for in place of all those that follow
	// from the fields above and of those of the sign-in: any subset of them, or
	// others. A name that ends like exactly one of the provider's own scopes,
	// such as "Mail.Read", stands for that.
	Scopes []string
}

// Config returns the settings for a sign-in that opens the given protocols, IMAP
// and SMTP where none is given; a protocol that the provider does not have adds
// no scope. Microsoft's and Google's public clients have no secret; set
// ClientSecret where the provider gave one. ConfigFor asks for less.
func (p Provider) Config(clientID string, protocols ...Protocol) *oauth.Config {
	return p.ConfigFor(clientID, Access{Protocols: protocols, OtherMailbox: true})
}

// ConfigFor returns the settings for a sign-in that allows what a says, and no
// more than the provider's scopes can be told apart.
func (p Provider) ConfigFor(clientID string, a Access) *oauth.Config {
	return &oauth.Config{
		ClientID:    clientID,
		Endpoint:    p.endpoint(),
		Scopes:      p.ScopesFor(a),
		RedirectURL: p.RedirectURL,
		AuthParams:  cloneValues(p.AuthParams),
	}
}

// ScopesFor returns the scopes that a sign-in asks for.
func (p Provider) ScopesFor(a Access) []string {
	if a.Scopes != nil {
		return p.expand(a.Scopes)
	}
	var scopes []string
	for _, proto := range a.protocols() {
		for _, scope := range p.Scopes[proto] {
			if p.needs(scope, a) {
				scopes = append(scopes, scope)
			}
		}
	}
	return unique(append(scopes, p.SignInScopes...))
}

// needs reports whether what a program wants needs a scope.
func (p Provider) needs(scope string, a Access) bool {
	use := p.ScopeUses[scope]
	return (use.Modes == nil || slices.Contains(use.Modes, a.Mode)) && (!use.OtherMailbox || a.OtherMailbox)
}

// protocols returns those that the mode has a use for.
func (a Access) protocols() []Protocol {
	protocols := a.Protocols
	if len(protocols) == 0 {
		protocols = usual()
	}
	return slices.DeleteFunc(slices.Clone(protocols), func(proto Protocol) bool {
		return (a.Mode == session.ReadOnly && !proto.Reads()) || (a.Mode == session.SendOnly && !proto.Sends())
	})
}

// expand returns names with those that end like one of the provider's own scopes
// in full.
func (p Provider) expand(names []string) []string {
	var scopes []string
	for _, name := range names {
		found := map[string]bool{}
		for _, own := range p.Scopes {
			for _, scope := range own {
				if strings.EqualFold(scope[strings.LastIndex(scope, "/")+1:], name) {
					found[scope] = true
				}
			}
		}
		if len(found) == 1 {
			name = slices.Collect(maps.Keys(found))[0]
		}
		scopes = append(scopes, name)
	}
	return unique(scopes)
}

// AppConfig returns the settings for a program that opens the given protocols
// without a person, IMAP and SMTP where none is given: for
// oauth.ClientCredentials at Microsoft, for oauth.ServiceAccount at Google,
// where the client id may be empty. Where the provider has no way for programs,
// these functions refuse it; Allows says so beforehand.
func (p Provider) AppConfig(clientID string, protocols ...Protocol) *oauth.Config {
	var scopes []string
	for _, proto := range (Access{Protocols: protocols}).protocols() {
		scopes = append(scopes, p.AppScopes[proto]...)
	}
	return &oauth.Config{ClientID: clientID, Endpoint: p.endpoint(), Scopes: unique(scopes)}
}

// endpoint returns a copy of the Endpoint.
func (p Provider) endpoint() oauth.Endpoint {
	e := p.Endpoint
	e.GrantTypes = slices.Clone(e.GrantTypes)
	return e
}

// cloneValues returns a copy that shares nothing.
func cloneValues[M ~map[string][]string](values M) M {
	clone := maps.Clone(values)
	for key, list := range clone {
		clone[key] = slices.Clone(list)
	}
	return clone
}

// unique drops what is there twice and keeps the order.
func unique(list []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(list, func(s string) bool {
		was := seen[s]
		seen[s] = true
		return was
	})
}
