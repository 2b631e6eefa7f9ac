// Package oauthtest is a fake OAuth 2.0 and OpenID Connect authorization
// server for tests, examples and demonstrations.
//
// [New] starts a real HTTP server: over loopback TCP, or with
// [Options.InMemory] over pipes, so that a whole sign-in and the years after
// it run inside a bubble of testing/synctest in virtual time. It has an
// authorization endpoint with PKCE, device codes, a token endpoint with one-time
// codes, scoped refreshes and a choice of rotation, signed id_tokens, discovery,
// introspection, revocation and userinfo. For programs without a person it has
// client credentials, service accounts with delegation and an API that signs
// for them, managed identities, and a control room that looks after tokens.
//
//	server := oauthtest.New(nil)
//	defer server.Close()
//	cfg := &oauth.Config{
//		ClientID: oauthtest.DefaultClientID,
//		Endpoint: oauth.Endpoint{Issuer: server.Issuer(), AuthURL: server.AuthURL(), TokenURL: server.TokenURL()},
//		Scopes:   []string{"openid", "email", "offline_access"},
//	}
//	grant, err := oauth.SignIn(ctx, cfg, &oauth.SignInOptions{LoginHint: oauthtest.DefaultEmail, OpenURL: server.Browser})
//
// It is strict where real servers are: PKCE with S256 is demanded, a code works
// once, redirect URIs are compared as RFC 8252 says, and a public client that
// sends a secret is refused.
//
// [Server.Browser] plays the user's browser: given an authorization URL it
// follows the redirects to the program's loopback listener.
//
// # Faults
//
// [Server.Inject] queues a [Fault] for an endpoint: an OAuth error, any
// status and body, a delay, silence, or a request whose work is done and whose
// reply is lost. Tokens can be expired and revoked, and [Server.CheckToken]
// answers a fake mail server that wants to know whether a token is good.
// [Entra] and [Google] make faults in the shapes of those two servers.
//
// The package does not import testing, and shares no code with the client it
// tests.
package oauthtest

import (
	"crypto/tls"
	"crypto/x509"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// What a server has that is told nothing else.
const (
	// DefaultClientID is the id of the public client that is registered where
	// [Options.Clients] is nil.
	DefaultClientID = "test-client"
	// DefaultEmail is the address of the account that exists where
	// [Options.Accounts] is nil.
	DefaultEmail = "ann@example.org"
)

// The paths of the endpoints, for [Server.Inject] and [Server.Hits].
const (
	AuthorizePath  = "/authorize"
	TokenPath      = "/token"
	IntrospectPath = "/introspect"
	RevokePath     = "/revoke"
	UserinfoPath   = "/userinfo"
	// DevicePath is the device authorization endpoint (RFC 8628), VerifyPath
	// the page at which the user enters the code.
	DevicePath = "/devicecode"
	VerifyPath = "/device"
	KeysPath   = "/keys"
	// DiscoveryPath and MetadataPath serve the same document
	// (OpenID Connect Discovery 1.0 and RFC 8414). The first is served below
	// every other path too, as Microsoft has it for each tenant; the issuer in
	// it stays the same.
	DiscoveryPath = "/.well-known/openid-configuration"
	MetadataPath  = "/.well-known/oauth-authorization-server"
)

// Options describe a server. The zero value is a server over loopback TCP with
// one account and one public client that never rotates refresh tokens.
type Options struct {
	// InMemory makes the server listen in memory. Its URL still names
	// 127.0.0.1 and a port, but only Server.Client, Server.Browser and
	// Server.Dial reach it.
	InMemory bool
	// TLS, where not nil, makes the server speak HTTPS with its certificates.
	TLS *tls.Config
	// RootCAs are the authorities that Server.Client trusts with TLS.
	RootCAs *x509.CertPool

	// Accounts are the users. Nil means one with DefaultEmail.
	Accounts []Account
	// Clients are the registered clients. Nil means a public one with
	// DefaultClientID.
	Clients []Client

	// Scopes are those the server knows; others are refused with
	// invalid_scope. Nil allows every scope.
	Scopes []string
	// Withheld are scopes that the user does not consent to: they are left out
	// of what is granted, as on a consent page with boxes to tick.
	Withheld []string
	// MailScopes are the scopes of which a token needs one to pass
	// Server.CheckToken. Nil asks for none.
	MailScopes []string
	// OneResource makes an access token good for the scopes of one resource
	// only, as Microsoft does: a code redemption that names several is
	// refused, a refresh that does is answered for the first.
	OneResource bool
	// RequireOffline gives refresh tokens only where offline_access was asked for.
	RequireOffline bool
	// OmitIss leaves the iss parameter of RFC 9207 out of redirects.
	OmitIss bool
	// OmitExpiresIn leaves expires_in out of token answers.
	OmitExpiresIn bool

	// Microsoft makes the token endpoint treat programs without a person as
	// Microsoft Entra ID does: the scope is one RESOURCE/.default, assertions
	// name their certificate by x5t#S256, and refusals have numbers.
	Microsoft bool
	// Identities are the managed identities of the machine, the
	// system-assigned one first.
	Identities []Identity

	// Rotation is what becomes of a refresh token that was used.
	Rotation Rotation
	// AccessLifetime is how long access tokens live. 0 means one hour.
	AccessLifetime time.Duration
	// RefreshLifetime is how long a refresh token lives; token answers then
	// have a refresh_token_expires_in. 0 means for ever.
	RefreshLifetime time.Duration
	// CodeLifetime is how long an authorization code lives. 0 means one minute.
	CodeLifetime time.Duration
	// DeviceLifetime is how long a device code lives. 0 means 15 minutes.
	DeviceLifetime time.Duration
	// DeviceInterval is how often a device may ask for its tokens; who asks
	// more often is told to slow down. 0 means 5 seconds, which the answer then
	// leaves out, as RFC 8628 allows.
	DeviceInterval time.Duration
}

// defaultInterval is how often a device asks where nobody says otherwise.
const defaultInterval = 5 * time.Second

// Account is a user of the server.
type Account struct {
	// Subject is the stable identifier, the claim sub. Empty means the Email.
	Subject string
	// Email names the account: in login_hint, in introspection and in tests.
	Email string
	// Name is the claim name.
	Name string
	// Mailboxes are further addresses whose mail this account may open.
	Mailboxes []string
	// Claims are added to the id_token and replace what stands there under
	// the same name. A nil value removes the claim.
	Claims map[string]any
}

// Client is a registered client.
type Client struct {
	// ID is the client_id.
	ID string
	// Secret makes the client a confidential one. A client without a secret
	// is public and must send none.
	Secret secret.Text
	// Auth is how the client sends its secret.
	Auth ClientAuth
	// App lets the client get tokens in its own name. Nil means that it may not.
	App *App
	// RedirectURIs are compared with the request's, the port of a loopback
	// redirect left aside (RFC 8252 section 7.3). Nil allows every loopback
	// redirect.
	RedirectURIs []string
}

// ClientAuth is a way to send a client secret (RFC 6749 section 2.3.1).
type ClientAuth int

const (
	// AuthAny accepts both ways.
	AuthAny ClientAuth = iota
	// AuthPost is client_secret_post: in the body of the request.
	AuthPost
	// AuthBasic is client_secret_basic: in the Authorization header.
	AuthBasic
)

// Rotation is what becomes of a refresh token when it is used.
type Rotation int

const (
	// RotateNever gives no new refresh token; the old one stays good, as
	// Google does.
	RotateNever Rotation = iota
	// RotateKeepOld gives a new refresh token and keeps the old one good, as
	// Microsoft does.
	RotateKeepOld
	// RotateAlways gives a new refresh token and refuses the old one.
	RotateAlways
	// RotateRevokeFamily does so too, and takes a second use of the old one
	// for theft: it revokes everything that came from the same sign-in
	// (RFC 9700 section 4.14.2).
	RotateRevokeFamily
)

// withDefaults returns a copy of o, which may be nil, without zero fields that
// mean something else.
func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.Accounts == nil {
		out.Accounts = []Account{{Subject: "1001", Email: DefaultEmail, Name: "Ann Example"}}
	}
	if out.Clients == nil {
		out.Clients = []Client{{ID: DefaultClientID}}
	}
	if out.AccessLifetime == 0 {
		out.AccessLifetime = time.Hour
	}
	if out.CodeLifetime == 0 {
		out.CodeLifetime = time.Minute
	}
	if out.DeviceLifetime == 0 {
		out.DeviceLifetime = 15 * time.Minute
	}
	if out.DeviceInterval == 0 {
		out.DeviceInterval = defaultInterval
	}
	return out
}
