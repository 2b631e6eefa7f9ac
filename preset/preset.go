// Package preset is what is known of mail providers, as data: endpoints,
// scopes, servers and habits, so that a program names a provider and not its
// addresses.
//
// A preset has no client id. Register the program with the provider, and give
// the client id that it gets there to [Provider.Config].
//
//	p := preset.Microsoft365("common")
//	grant, err := oauth.SignIn(ctx, p.Config(clientID, preset.IMAP, preset.SMTP), nil)
package preset

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// Protocol is a way to mail at a provider.
type Protocol string

// The protocols.
const (
	IMAP Protocol = "IMAP"
	POP3 Protocol = "POP3"
	SMTP Protocol = "SMTP"
)

// usual are the protocols that a program opens that names none. POP3 is not
// among them: who reads by IMAP need not be allowed to empty the mailbox by POP3.
func usual() []Protocol { return []Protocol{IMAP, SMTP} }

// Provider is one provider of mail.
type Provider struct {
	// Name is what people call it.
	Name string
	// Source and Checked say where the data is from and when it was last
	// compared with that.
	Source  string
	Checked time.Time

	// Endpoint is the provider's authorization server.
	Endpoint oauth.Endpoint
	// RedirectURL is the loopback redirect to register for programs on a
	// user's computer; the provider accepts any port.
	RedirectURL string
	// AuthParams are parameters that the provider's sign-in needs.
	AuthParams url.Values
	// SignInScopes are those that name the user and allow to refresh.
	SignInScopes []string
	// Scopes are those of each protocol.
	Scopes map[Protocol][]string
	// AppScopes are those that a program asks for in its own name; see
	// AppConfig.
	AppScopes map[Protocol][]string

	// IMAP, POP3 and SMTP are the servers. FilesSent of SMTP tells whether the
	// provider files what is sent through it.
	IMAP, POP3, SMTP session.Server
	// FilesSentSource is where FilesSent is known from.
	FilesSentSource string
}

// Config returns the settings for a sign-in that opens the given protocols, IMAP
// and SMTP where none is given; a protocol that the provider does not have adds
// no scope. Microsoft's and Google's public clients have no secret; set
// ClientSecret where the provider gave one.
func (p Provider) Config(clientID string, protocols ...Protocol) *oauth.Config {
	scopes := append(scopesOf(p.Scopes, protocols), p.SignInScopes...)
	return &oauth.Config{
		ClientID:    clientID,
		Endpoint:    p.Endpoint,
		Scopes:      unique(scopes),
		RedirectURL: p.RedirectURL,
		AuthParams:  maps.Clone(p.AuthParams),
	}
}

// AppConfig returns the settings for a program that opens the given protocols
// without a person, IMAP and SMTP where none is given: for
// oauth.ClientCredentials at Microsoft, for oauth.ServiceAccount at Google,
// where the client id may be empty. Where the provider has no way for programs,
// these functions refuse it.
func (p Provider) AppConfig(clientID string, protocols ...Protocol) *oauth.Config {
	return &oauth.Config{
		ClientID: clientID,
		Endpoint: p.Endpoint,
		Scopes:   unique(scopesOf(p.AppScopes, protocols)),
	}
}

// scopesOf returns the scopes of protocols, of the usual ones where none is given.
func scopesOf(scopes map[Protocol][]string, protocols []Protocol) []string {
	if len(protocols) == 0 {
		protocols = usual()
	}
	var list []string
	for _, proto := range protocols {
		list = append(list, scopes[proto]...)
	}
	return list
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

// Names returns the names that ByName knows.
func Names() []string { return []string{"google", "microsoft", "outlook.com"} }

// ByName returns a provider by its short name: "microsoft" for Microsoft365 with
// "common", which takes work, school and personal accounts, "outlook.com" for
// Microsoft's personal accounts alone, "google" for Gmail and Google Workspace.
func ByName(name string) (Provider, error) {
	switch strings.ToLower(name) {
	case "microsoft":
		return Microsoft365("common"), nil
	case "outlook.com":
		return OutlookCom(), nil
	case "google":
		return Google(), nil
	}
	return Provider{}, fmt.Errorf("preset: no provider is called %q; known are %s", name, strings.Join(Names(), ", "))
}
