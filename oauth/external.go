package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// resourceMark stands for the resource in arguments and addresses.
const resourceMark = "{resource}"

// Supplier is where tokens are from that somebody else looks after: FromFunc,
// FromCommand or FromURL. It prints its kind, and nothing of an address but the
// host.
type Supplier struct {
	name    string
	address string // of FromURL, else ""
	supply  func(ctx context.Context, cfg *Config, resource string) (*Token, error)
}

var (
	_ fmt.Formatter  = Supplier{}
	_ slog.LogValuer = Supplier{}
)

// String returns where the tokens are from.
func (s Supplier) String() string {
	if s.name == "" {
		return "no supplier"
	}
	return s.name
}

// Format implements [fmt.Formatter]: every verb prints String.
func (s Supplier) Format(state fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(state, s.String())
}

// LogValue implements [slog.LogValuer].
func (s Supplier) LogValue() slog.Value { return slog.StringValue(s.String()) }

// External returns an App whose tokens somebody else looks after, such as a
// control room or a vault. The Config may be nil; its HTTPClient, Proxy, Rand,
// Logger and Observer are used.
//
// The App asks anew before a token ends. A token whose end the supplier does
// not name is used for a minute.
func External(cfg *Config, s Supplier) (*App, error) {
	if cfg == nil {
		cfg = &Config{}
	}
	if s.supply == nil {
		return nil, configError(errors.New("there is no supplier of tokens: give FromFunc, FromCommand or FromURL"))
	}
	if s.address != "" {
		if err := secureAddress(s.address); err != nil {
			return nil, configError(err)
		}
		cfg = cfg.at(s.address)
	}
	if err := cfg.checkProxy(); err != nil {
		return nil, configError(err)
	}
	a := newApp(cfg, "app with tokens from "+s.name)
	a.scopes = func(resource string) []string { return []string{resource} }
	a.ask = func(ctx context.Context, scopes []string) (*Token, error) {
		tok, err := s.supply(ctx, a.cfg, scopes[0])
		if err != nil {
			return nil, a.atServer(err)
		}
		return soon(tok, time.Now()), nil
	}
	return a, nil
}

// atServer makes an *Error of a supplier's.
func (a *App) atServer(err error) *Error {
	e := suppliedError("get a token", a.server(), err)
	if e.Server == "" && e.Op == "get a token" {
		told := *e
		told.Server = a.server()
		return &told
	}
	return e
}

// soon returns the token with an end, and dated.
func soon(tok *Token, now time.Time) *Token {
	if tok == nil {
		return nil
	}
	tok, now = tok.clone(), now.Round(0)
	if tok.Issued.IsZero() {
		tok.Issued = now
	}
	if tok.Expiry.IsZero() {
		tok.Expiry = now.Add(unknownLifetime)
	}
	if tok.Type == "" {
		tok.Type = "Bearer"
	}
	return tok
}

// FromFunc takes tokens from a function. It is called with the resource that a
// token is for, "" where any will do, from a goroutine of its own, for several
// resources at the same time, and with a context that ends after two minutes,
// whoever waits. An *Error is passed on; any other error is temporary only
// where it has a method Temporary that says so.
func FromFunc(f func(ctx context.Context, resource string) (*Token, error)) Supplier {
	if f == nil {
		return Supplier{}
	}
	return Supplier{name: "a function", supply: func(ctx context.Context, _ *Config, resource string) (*Token, error) {
		return f(ctx, resource)
	}}
}

// FromURL takes tokens from the answer to a GET request: a JSON object with
// access_token and, for its end, expires_in, expires_on or expiry. In the
// address "{resource}" stands for the resource, escaped for a query. The
// address must be https, or on loopback.
//
// The function header, which may be nil, returns what to send along, such as an
// Authorization; it is called for each request. Nothing of the address but its
// host, and nothing of the header, gets into messages.
func FromURL(address string, header func(ctx context.Context) (http.Header, error)) Supplier {
	return Supplier{
		name: hostOf(address), address: address,
		supply: func(ctx context.Context, cfg *Config, resource string) (*Token, error) {
			return fromURL(ctx, cfg, strings.ReplaceAll(address, resourceMark, url.QueryEscape(resource)), header)
		},
	}
}

// fromURL asks for a token once; callers ask again.
func fromURL(ctx context.Context, cfg *Config, address string, header func(context.Context) (http.Header, error)) (*Token, error) {
	var fields http.Header
	if header != nil {
		var err error
		if fields, err = header(ctx); err != nil {
			return nil, suppliedError("make the header of a request for a token", "", err)
		}
	}
	req, err := getRequest(ctx, address, fields)
	if err != nil {
		return nil, err
	}
	secrets := secretsOf(fields)
	got, err := cfg.call(cfg.transport(), req, secrets...)
	if err != nil {
		return nil, err
	}
	if got.status != http.StatusOK {
		return nil, cfg.refused(got, secrets...)
	}
	tok, err := parseSupplied(got.body, time.Now())
	if err != nil {
		return nil, cfg.unusable(got, err)
	}
	return tok, nil
}

// unusable says that a good status came with something else than a token.
func (c *Config) unusable(got *reply, err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	kind := KindProtocol
	if isHTML(got.header.Get("Content-Type"), got.body) {
		kind = KindTemporary // Of a proxy or a captive portal.
	}
	e := c.failed(kind, err)
	e.Status = got.status
	return e
}

// secretsOf returns the values of a header, and the words in them.
func secretsOf(header http.Header) []secret.Text {
	var secrets []secret.Text
	for _, values := range header {
		for _, value := range values {
			secrets = append(secrets, secret.New(value))
			if _, credentials, ok := strings.Cut(value, " "); ok {
				secrets = append(secrets, secret.New(credentials))
			}
		}
	}
	return secrets
}

// secureAddress checks that tokens come over TLS, or from this machine. Its
// errors leave the path and the query out: they may hold what is secret.
func secureAddress(address string) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Host == "":
		return errors.New("the address to ask for a token is no full https URL")
	case u.Scheme == "https", u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("the address to ask for a token is %s at %s: only https is allowed, and http on loopback", u.Scheme, u.Host)
}
