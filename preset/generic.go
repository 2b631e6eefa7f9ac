package preset

import (
	"slices"
	"time"

	"github.com/mailsession/mailsession/oauth"
)

// mailScope is the scope for mail of the profile of OAuth for open clients,
// draft-ietf-mailmaint-oauth-public section 3.9.
const mailScope = "urn:ietf:params:oauth:scope:mail"

// FromMetadata returns a provider of which an authorization server's metadata
// are known, as oauth.Discover or lookup.Issuer gets them; its servers are for
// the program to set. The scope for mail is the one that the profile of OAuth
// for open clients has, where the metadata list it; else it is for the program
// to set too, for each protocol.
func FromMetadata(m *oauth.Metadata, at time.Time) Provider {
	p := Provider{
		Name: m.Endpoint.Issuer, Source: m.Endpoint.Issuer, Checked: at,
		Endpoint:    m.Endpoint,
		RedirectURL: "http://127.0.0.1",
		Redirects:   RedirectRules{Note: "The server's rules are not known. RFC 8252 asks servers to take any port for loopback."},
		Scopes:      map[Protocol][]string{},
	}
	for _, scope := range []string{"openid", "email", "offline_access"} {
		unlisted := m.Scopes == nil && scope != "offline_access"
		if unlisted || slices.Contains(m.Scopes, scope) {
			p.SignInScopes = append(p.SignInScopes, scope)
		}
	}
	if slices.Contains(m.Scopes, mailScope) {
		for _, proto := range []Protocol{IMAP, POP3, SMTP} {
			p.Scopes[proto] = []string{mailScope}
		}
	}
	if m.Endpoint.GrantTypes == nil {
		return p
	}
	p.Flows = map[Flow]FlowFacts{FlowPassword: {Note: "Whether the mail servers take a password is not known."}}
	for grant, flow := range map[string]Flow{
		oauth.GrantAuthorizationCode: FlowBrowser, oauth.GrantDeviceCode: FlowDevice,
		oauth.GrantClientCredentials: FlowClientCredentials, oauth.GrantJWTBearer: FlowServiceAccount,
	} {
		if slices.Contains(m.Endpoint.GrantTypes, grant) {
			p.Flows[flow] = FlowFacts{}
		}
	}
	return p
}
