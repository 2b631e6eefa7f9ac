package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/proxy"
)

// maxMetadata is the largest metadata document that is read.
const maxMetadata = 256 << 10

// Metadata is what an authorization server says of itself.
type Metadata struct {
	// Endpoint can be used in a Config. Its ResponseMode is left to the server,
	// and what metadata do not tell, such as IdleLimit, is zero.
	Endpoint Endpoint
	// RegistrationURL is the endpoint of dynamic registration (RFC 7591), KeysURL
	// that of the keys of id_tokens, UserinfoURL that of the claims about the
	// user. Each may be empty.
	RegistrationURL, KeysURL, UserinfoURL string
	// Scopes, ResponseModes and ChallengeMethods are what the server says that it
	// supports, beside Endpoint.GrantTypes; nil where it does not say.
	Scopes, ResponseModes, ChallengeMethods []string
}

// DiscoverOptions change how Discover goes about it.
type DiscoverOptions struct {
	// HTTPClient is used for the requests. Its redirect policy is replaced: a
	// document is taken from the issuer's own address alone. Nil means one
	// with http.DefaultTransport.
	HTTPClient *http.Client
	// Proxy is the proxy on the way to the server, as in Config.
	Proxy *proxy.Config
	// Retry says which failed requests are sent again.
	Retry Retry
}

// Discover returns the metadata of the authorization server with an issuer
// identifier, such as "https://accounts.google.com": from the place that RFC
// 8414 section 3 names, or else from that of OpenID Connect Discovery section 4.
//
// The document has to name the very same issuer, or a template with
// "{tenantid}" in its path that the issuer fits, as Microsoft's for "common"
// does. The issuer and all endpoints have to use https; only an issuer on
// loopback may do without, and have endpoints there. Errors are an *Error: of
// KindClientConfig where there is no document, of KindProtocol where it cannot
// be trusted. The options may be nil.
func Discover(ctx context.Context, issuer string, o *DiscoverOptions) (*Metadata, error) {
	if o == nil {
		o = &DiscoverOptions{}
	}
	addresses, err := metadataURLs(issuer)
	if err != nil {
		return nil, &Error{Kind: KindClientConfig, Op: discoverOp, Err: err}
	}
	cfg := &Config{HTTPClient: o.HTTPClient, Proxy: o.Proxy, Retry: o.Retry, Endpoint: Endpoint{TokenURL: issuer}}
	if err := cfg.checkProxy(); err != nil {
		return nil, &Error{Kind: KindClientConfig, Op: discoverOp, Err: err}
	}
	for _, address := range addresses {
		var body []byte
		err = retry.Do(ctx, cfg.policy(ctx, discoverOp), func(ctx context.Context) (err error) {
			body, err = cfg.fetchMetadata(ctx, address)
			return err
		})
		if err == nil {
			metadata, bad := parseMetadata(body, issuer)
			if bad != nil {
				return nil, &Error{Kind: KindProtocol, Op: discoverOp, Server: hostOf(issuer), Err: bad}
			}
			return metadata, nil
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Status < 400 || e.Status >= 500 {
			return nil, err
		}
	}
	return nil, err
}

const discoverOp = "discover the server"

// metadataURLs returns where the document may be.
func metadataURLs(issuer string) ([]string, error) {
	u, err := url.Parse(issuer)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the issuer cannot be parsed: %w", err)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || u.User != nil:
		return nil, fmt.Errorf("the issuer is %q: it must have no query, no fragment and no user", clean(issuer))
	case !secure(u):
		return nil, fmt.Errorf("the issuer is %q: only https is allowed, and http on loopback", clean(issuer))
	}
	path := strings.TrimSuffix(u.EscapedPath(), "/")
	base := u.Scheme + "://" + u.Host
	return []string{
		base + "/.well-known/oauth-authorization-server" + path,
		base + path + "/.well-known/openid-configuration",
	}, nil
}

// fetchMetadata asks for one document.
func (c *Config) fetchMetadata(ctx context.Context, address string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	server := hostOf(address)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, &Error{Kind: KindClientConfig, Op: discoverOp, Server: server, Err: err}
	}
	req.Header.Set("Accept", "application/json")
	x := &exchange{op: discoverOp, server: server, base: c.transport()}
	body, err := x.fetch(req, c.HTTPClient)
	switch {
	case err != nil:
		return nil, x.unanswered(err).repeatable()
	case x.status != http.StatusOK:
		return nil, x.refusal("", "", nil, nil).repeatable()
	case len(body) > maxMetadata:
		return nil, &Error{Kind: KindProtocol, Op: discoverOp, Server: server, Status: x.status, Err: fmt.Errorf("the document is larger than %d bytes", maxMetadata)}
	}
	return body, nil
}

// document is the part of the metadata that is read (RFC 8414 section 2).
type document struct {
	Issuer        string   `json:"issuer"`
	AuthURL       string   `json:"authorization_endpoint"`
	TokenURL      string   `json:"token_endpoint"`
	DeviceURL     string   `json:"device_authorization_endpoint"`
	RevokeURL     string   `json:"revocation_endpoint"`
	Registration  string   `json:"registration_endpoint"`
	Keys          string   `json:"jwks_uri"`
	Userinfo      string   `json:"userinfo_endpoint"`
	Scopes        []string `json:"scopes_supported"`
	GrantTypes    []string `json:"grant_types_supported"`
	ResponseModes []string `json:"response_modes_supported"`
	Challenges    []string `json:"code_challenge_methods_supported"`
	AuthMethods   []string `json:"token_endpoint_auth_methods_supported"`
	IssInRedirect bool     `json:"authorization_response_iss_parameter_supported"`
}

// parseMetadata reads a document and checks that it is the issuer's.
func parseMetadata(body []byte, issuer string) (*Metadata, error) {
	var d document
	if json.Unmarshal(body, &d) != nil {
		return nil, errors.New("the metadata are not a JSON object of the kind that RFC 8414 describes")
	}
	self, err := url.Parse(issuer)
	if err != nil {
		return nil, errors.New("the issuer cannot be parsed")
	}
	if d.Issuer != issuer && !templateOf(d.Issuer, self) {
		return nil, fmt.Errorf("the metadata are those of the issuer %q instead of %q", clean(d.Issuer), clean(issuer))
	}
	if d.TokenURL == "" {
		return nil, errors.New("the metadata name no token endpoint")
	}
	if err := d.checkEndpoints(isLoopback(self.Hostname())); err != nil {
		return nil, err
	}
	m := &Metadata{
		Endpoint: Endpoint{
			Issuer: d.Issuer, AuthURL: d.AuthURL, TokenURL: d.TokenURL, DeviceURL: d.DeviceURL, RevokeURL: d.RevokeURL,
			GrantTypes: d.GrantTypes, IssuerInRedirect: d.IssInRedirect,
		},
		RegistrationURL: d.Registration, KeysURL: d.Keys, UserinfoURL: d.Userinfo,
		Scopes: d.Scopes, ResponseModes: d.ResponseModes, ChallengeMethods: d.Challenges,
	}
	// Nothing said means client_secret_basic (RFC 8414 section 2).
	if !slices.Contains(d.AuthMethods, "client_secret_post") {
		m.Endpoint.AuthStyle = InHeader
	}
	return m, nil
}

// checkEndpoints checks the addresses in a document. Here tells that its issuer is
// on this machine.
func (d *document) checkEndpoints(here bool) error {
	for name, address := range map[string]string{
		"authorization": d.AuthURL, "token": d.TokenURL, "device authorization": d.DeviceURL, "revocation": d.RevokeURL,
		"registration": d.Registration, "keys": d.Keys, "userinfo": d.Userinfo,
	} {
		u, err := url.Parse(address)
		switch {
		case address == "":
		case err != nil || !secure(u):
			return fmt.Errorf("the metadata's %s endpoint is %q: only https is allowed, and http on loopback", name, clean(address))
		case isLoopback(u.Hostname()) && !here:
			return fmt.Errorf("the metadata's %s endpoint is %q, on this machine: only an issuer on this machine may have it there", name, clean(address))
		}
	}
	return nil
}

// templateOf reports whether a claimed issuer is a template that an issuer fits.
// Its host has to be the issuer's: with a mark there it would fit the issuers of
// others, whose redirects could be passed off as its own (RFC 9207 section 4).
func templateOf(claimed string, issuer *url.URL) bool {
	return strings.Contains(claimed, tenantMark) && strings.HasPrefix(claimed, issuer.Scheme+"://"+issuer.Host+"/") &&
		issuerFits(claimed, issuer.String())
}

// secure reports whether a URL uses TLS, or is on this machine.
func secure(u *url.URL) bool {
	return u.Host != "" && (u.Scheme == "https" || (u.Scheme == "http" && isLoopback(u.Hostname())))
}
