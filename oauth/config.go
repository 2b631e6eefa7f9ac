package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/secret"
)

// AuthStyle is how a client secret is sent to the token endpoint (RFC 6749
// section 2.3.1). It is never guessed: a guess sends a one-time code twice.
type AuthStyle int

const (
	// InParams sends the secret in the body (client_secret_post).
	InParams AuthStyle = iota
	// InHeader sends it in the Authorization header (client_secret_basic).
	InHeader
)

// Endpoint describes an authorization server.
type Endpoint struct {
	// Issuer is the server's issuer identifier (RFC 8414), which its redirects
	// and id_tokens must name. "{tenantid}" in it stands for one path segment,
	// as in Microsoft's metadata. Empty means that it is not known, and that no
	// issuer is compared.
	Issuer string
	// AuthURL is the authorization endpoint.
	AuthURL string
	// TokenURL is the token endpoint.
	TokenURL string
	// DeviceURL is the device authorization endpoint (RFC 8628), for
	// SignInDevice alone.
	DeviceURL string
	// RevokeURL is the revocation endpoint (RFC 7009). Empty means that the
	// server has none, as Microsoft's.
	RevokeURL string
	// GrantTypes are the grant types that the server offers, by the names that
	// its metadata list them under (grant_types_supported of RFC 8414), such as
	// GrantClientCredentials. What a program asks for and is not among them is
	// refused before any request. Nil means that they are not known, and that
	// everything is tried but what Google and Yahoo are known not to have.
	GrantTypes []string
	// AuthStyle is how a client secret is sent.
	AuthStyle AuthStyle
	// ResponseMode is how the code is sent to the redirect URI: "query", or
	// "form_post", which keeps it out of the browser's address bar and history
	// where the server supports it. Empty leaves it to the server.
	ResponseMode string
	// IssuerInRedirect demands the iss parameter in redirects: it is what
	// authorization_response_iss_parameter_supported says in the server's
	// metadata (RFC 9207).
	IssuerInRedirect bool
	// IdleLimit is how long a grant lives that nobody uses, 0 where that is not
	// known or without limit: 90 days at Microsoft, six months at Google. See
	// Grant.KeepAlive.
	IdleLimit time.Duration
	// RefreshTokensReusable tells that a refresh token stays good after it was
	// used, because the server does not rotate (Google) or keeps old ones
	// (Microsoft). Only then a refresh whose answer was lost is sent again.
	RefreshTokensReusable bool
}

// Config describes a client of an authorization server. It prints without
// secrets. A Config must not be changed while SignIn runs; a Grant keeps a
// copy.
type Config struct {
	// ClientID is the client's identifier.
	ClientID string
	// ClientSecret is the client's secret. A public client has none, and none
	// is sent.
	ClientSecret secret.Text
	// Endpoint is the authorization server.
	Endpoint Endpoint
	// Scopes are asked for at the sign-in. They may belong to several
	// resources; see Grant.For.
	Scopes []string
	// RedirectURL is the redirect as registered. A loopback one has http, the
	// host localhost, 127.0.0.1 or [::1], and a path, whose case matters, where
	// one is registered; without a port a free one is used. Any other one has
	// https or a scheme of its own, and the user pastes the address that it
	// leads to (SignInOptions.Paste). Empty means "http://localhost".
	RedirectURL string
	// AuthParams are further parameters of the authorization request, such as
	// access_type or prompt. They cannot replace the protocol's own.
	AuthParams url.Values
	// HTTPClient is used for the token endpoint. Its redirect policy is
	// replaced. Nil means one with http.DefaultTransport, which takes its
	// proxy from the environment.
	HTTPClient *http.Client
	// Proxy is the proxy on the way to the token endpoint, in place of that of
	// the HTTPClient, whose Transport has to be an *http.Transport then, or
	// nil; the way to the proxy, the certificate authorities and the like are
	// taken from it. Nil leaves it to the HTTPClient, and a zero Config means
	// no proxy, whatever the environment says.
	Proxy *proxy.Config
	// Retry says which failed token requests are sent again, and when. The zero
	// value sends them again up to five times after failures that may pass.
	Retry Retry
	// Rand returns numbers in [0, 1), for how much earlier than at its margin a
	// grant replaces its tokens and for the waits between tries. It must be
	// safe for concurrent use. Nil means math/rand/v2.
	Rand func() float64
	// Logger is told what happens, without secrets. Nil discards it.
	Logger *slog.Logger
	// Observer is told of the operations oauth.SignIn, oauth.SignInDevice,
	// oauth.Redeem, oauth.Refresh, oauth.Revoke and oauth.Fetch. It may be nil.
	Observer Observer
}

// Observer is told of each operation's beginning and end. It must be safe for
// concurrent use and must not block.
type Observer interface {
	// Start is called when the operation op begins. The context it returns is
	// used for the operation; the function it returns is called once, when the
	// operation ends, with the error it ended in and what is known by then.
	Start(ctx context.Context, op string, attrs ...slog.Attr) (context.Context, func(err error, attrs ...slog.Attr))
}

// clone returns a copy that shares nothing that can change, but for the
// clients and hooks.
func (c *Config) clone() *Config {
	d := *c
	d.Scopes = slices.Clone(c.Scopes)
	d.Endpoint.GrantTypes = slices.Clone(c.Endpoint.GrantTypes)
	d.AuthParams = maps.Clone(c.AuthParams)
	return &d
}

// check returns what is wrong with the configuration of a sign-in.
func (c *Config) check() error {
	if err := c.checkClient(); err != nil {
		return err
	}
	switch c.Endpoint.ResponseMode {
	case "", "query", "form_post":
	default:
		return configError(fmt.Errorf("its Endpoint.ResponseMode is %q: use query or form_post", c.Endpoint.ResponseMode))
	}
	if err := secureURL("AuthURL", c.Endpoint.AuthURL); err != nil {
		return configError(err)
	}
	return checkParams("its AuthParams", c.AuthParams)
}

// checkParams refuses further parameters that are the protocol's own.
func checkParams(what string, params url.Values) error {
	for name, values := range params {
		switch {
		case reserved(name):
			return configError(fmt.Errorf("%s set %q, which the sign-in sets itself", what, name))
		case len(values) != 1:
			return configError(fmt.Errorf("%s have %d values for %q: a parameter must not be repeated", what, len(values), name))
		}
	}
	return nil
}

// checkClient returns what is wrong with what token requests need.
func (c *Config) checkClient() error {
	if c == nil {
		return configError(errors.New("there is none"))
	}
	if c.ClientID == "" {
		return configError(errors.New("it has no ClientID: register the program with the provider"))
	}
	return c.checkToken()
}

// checkToken returns what is wrong with what requests without a ClientID need.
func (c *Config) checkToken() error {
	if err := secureURL("TokenURL", c.Endpoint.TokenURL); err != nil {
		return configError(err)
	}
	for name, address := range map[string]string{"DeviceURL": c.Endpoint.DeviceURL, "RevokeURL": c.Endpoint.RevokeURL} {
		if address == "" {
			continue
		}
		if err := secureURL(name, address); err != nil {
			return configError(err)
		}
	}
	if err := errors.Join(c.checkProxy(), c.Retry.Check()); err != nil {
		return configError(err)
	}
	return nil
}

// random returns a number in [0, 1).
func (c *Config) random() float64 {
	if c.Rand == nil {
		return rand.Float64() //nolint:gosec // When a token is replaced need not be hard to guess.
	}
	return c.Rand()
}

// configError says that a Config cannot be used.
func configError(err error) error {
	return &Error{Kind: KindClientConfig, Op: "check the Config", Err: err}
}

// secureURL checks that an endpoint uses TLS, or is on this machine.
func secureURL(name, raw string) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil:
		return fmt.Errorf("its Endpoint.%s cannot be parsed: %w", name, err)
	case u.Host == "":
		return fmt.Errorf("its Endpoint.%s is %q: give a full https URL", name, raw)
	case secure(u):
		return nil
	}
	return fmt.Errorf("its Endpoint.%s is %q: only https is allowed, and http on loopback", name, raw)
}

// isLoopback reports whether a host of a URL is this machine.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || (err == nil && ip.IsLoopback())
}

// reserved reports whether a parameter of the authorization request is set by
// SignIn.
func reserved(name string) bool {
	switch name {
	case "response_type", "client_id", "redirect_uri", "scope", "state", "nonce",
		"code_challenge", "code_challenge_method", "response_mode", "client_secret", "request", "request_uri":
		return true
	}
	return false
}
