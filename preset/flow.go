package preset

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Flow is a way of signing in.
type Flow string

// The flows.
const (
	// FlowBrowser is an authorization code with PKCE: oauth.SignIn.
	FlowBrowser Flow = "browser"
	// FlowDevice is a code that the user types on another device (RFC 8628):
	// oauth.SignInDevice.
	FlowDevice Flow = "device"
	// FlowClientCredentials is a program in its own name, by secret,
	// certificate or federated token: oauth.ClientCredentials.
	FlowClientCredentials Flow = "client-credentials"
	// FlowManagedIdentity is a program on a machine in Microsoft's cloud that
	// vouches for it: oauth.ManagedIdentity.
	FlowManagedIdentity Flow = "managed-identity"
	// FlowServiceAccount is a program that acts for the users of a domain, by
	// a signed assertion (RFC 7523): oauth.ServiceAccount.
	FlowServiceAccount Flow = "service-account"
	// FlowPassword is the password that the user signs in with elsewhere.
	FlowPassword Flow = "password"
	// FlowAppPassword is a password that the user makes for one program in the
	// account's settings. To a mail server it is a password like any other.
	FlowAppPassword Flow = "app-password"
)

// AllFlows returns all flows.
func AllFlows() []Flow {
	return []Flow{FlowBrowser, FlowDevice, FlowClientCredentials, FlowManagedIdentity, FlowServiceAccount, FlowPassword, FlowAppPassword}
}

// ClientSecret says whether clients have a secret.
type ClientSecret int

// The kinds of clients.
const (
	// SecretUnknown: not known.
	SecretUnknown ClientSecret = iota
	// SecretNone: clients are public, and a secret is refused.
	SecretNone
	// SecretOptional: clients are public, or are registered with a secret.
	SecretOptional
	// SecretRequired: every client gets a secret, which it has to send.
	SecretRequired
)

// FlowFacts is what is known of a flow at a provider.
type FlowFacts struct {
	// Protocols are those that it opens, nil for all that the provider offers.
	Protocols []Protocol
	// Secret says whether the clients of this flow have a secret.
	Secret ClientSecret
	// Note is what a person has to know or to do for it.
	Note string
	// Source is where this is from, the Provider's Source where it is empty.
	Source string
}

// FlowError says that a provider has no such way of signing in.
type FlowError struct {
	// Provider is the provider's name.
	Provider string
	Flow     Flow
	// Protocol is what was to be opened.
	Protocol Protocol
	// Reason says why, and what is there in its place. It may be empty.
	Reason string
	// Flows are those that open the protocol.
	Flows []Flow
}

// Error names provider, flow, reason, and the flows that the provider has.
func (e *FlowError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "preset: %s is not opened by %s at %s", e.Protocol, e.Flow, e.Provider)
	if e.Reason != "" {
		b.WriteString(": " + e.Reason)
	}
	if len(e.Flows) > 0 {
		names := make([]string, len(e.Flows))
		for i, f := range e.Flows {
			names[i] = string(f)
		}
		b.WriteString("; it is by " + strings.Join(names, ", "))
	}
	return b.String()
}

// Allows returns nil where a flow opens a protocol at the provider, or where its
// Flows are not known, else a *FlowError. A protocol that the provider does not
// offer is opened by none.
//
// A program that asks people for "the password" asks for FlowPassword and, where
// that is refused, for FlowAppPassword.
func (p Provider) Allows(flow Flow, proto Protocol) error {
	if p.Flows == nil && p.Offers(proto) {
		return nil
	}
	flows := p.FlowsFor(proto)
	if slices.Contains(flows, flow) {
		return nil
	}
	reason := p.Refused[flow]
	if !p.Offers(proto) {
		reason = "the provider does not offer " + string(proto)
	}
	return &FlowError{Provider: p.Name, Flow: flow, Protocol: proto, Reason: reason, Flows: flows}
}

// FlowsFor returns the flows that are known to open a protocol, in the order of
// the constants.
func (p Provider) FlowsFor(proto Protocol) []Flow {
	if !p.Offers(proto) {
		return nil
	}
	has := maps.Clone(p.Flows)
	maps.DeleteFunc(has, func(_ Flow, facts FlowFacts) bool {
		return facts.Protocols != nil && !slices.Contains(facts.Protocols, proto)
	})
	return slices.DeleteFunc(AllFlows(), func(f Flow) bool {
		_, ok := has[f]
		return !ok
	})
}
