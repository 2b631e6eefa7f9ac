package ews

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/session"
)

// The ways to sign in, as [session.Server.Mechanisms] and errors name them.
const (
	Basic  = "BASIC"
	NTLM   = "NTLM"
	Bearer = "BEARER"
	// Custom is what [Options.Authenticate] does, mostly Kerberos.
	Custom = "CUSTOM"
)

// authorization sets one field of every request that goes through it.
type authorization struct {
	value string
	base  http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (a authorization) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", a.value)
	return a.base.RoundTrip(req) //nolint:wrapcheck // the next one's error is this one's
}

// way is how to sign in on a connection.
type way struct {
	name  string
	apply func(base *conn) http.RoundTripper
}

// ways returns how one may try to sign in with creds, the best first.
func (c *Client) ways(creds sasl.Credentials, encrypted bool) ([]way, error) {
	if c.opts.Authenticate != nil {
		return []way{{Custom, func(base *conn) http.RoundTripper { return c.opts.Authenticate(base) }}}, nil
	}
	if creds.Token.IsZero() && creds.Password.IsZero() {
		return []way{{"", func(base *conn) http.RoundTripper { return base }}}, nil
	}
	if !encrypted && !c.server.AllowPlainAuth {
		return nil, errors.New("the connection is not encrypted, and no credentials are sent over it; use https, or set AllowPlainAuth")
	}
	var all []way
	if !creds.Token.IsZero() {
		all = []way{{Bearer, authorize("Bearer " + creds.Token.Reveal())}}
	} else {
		user := signsInAs(creds)
		plain := base64.StdEncoding.EncodeToString([]byte(user + ":" + creds.Password.Reveal()))
		all = []way{
			{Basic, authorize("Basic " + plain)},
			{NTLM, func(base *conn) http.RoundTripper {
				return &handshake{
					user: user, password: creds.Password.Reveal(), base: base, known: &c.customs, unbound: c.opts.NoChannelBinding,
				}
			}},
		}
		if strings.Contains(user, ":") {
			all = all[1:] // Basic cannot say such a name (RFC 7617 section 2)
		}
	}
	return c.allowed(all)
}

// signsInAs returns the name that goes with a password.
func signsInAs(creds sasl.Credentials) string { return cmp.Or(creds.AuthUser, creds.User) }

// hasAuthUser reports whether somebody signs in under another name than the mailbox's.
func hasAuthUser(c session.Credentials) bool {
	return c.Tokens == nil && c.AuthUser != "" && c.AuthUser != c.User
}

func authorize(value string) func(*conn) http.RoundTripper {
	return func(base *conn) http.RoundTripper { return authorization{value: value, base: base} }
}

// allowed orders the ways as the settings want them.
func (c *Client) allowed(all []way) ([]way, error) {
	if len(c.server.Mechanisms) == 0 {
		if name, ok := c.mechanism.Load().(string); ok {
			slices.SortStableFunc(all, func(a, b way) int { return preferred(b, name) - preferred(a, name) })
		}
		return all, nil
	}
	var chosen []way
	for _, name := range c.server.Mechanisms {
		for _, w := range all {
			if strings.EqualFold(w.name, name) {
				chosen = append(chosen, w)
			}
		}
	}
	if len(chosen) == 0 {
		names := make([]string, len(all))
		for i, w := range all {
			names[i] = w.name
		}
		return nil, fmt.Errorf("none of the mechanisms %s goes with these credentials, but %s: check Server.Mechanisms (%s and %s are for a password, %s is for a token)",
			strings.Join(c.server.Mechanisms, ", "), strings.Join(names, " or "), Basic, NTLM, Bearer)
	}
	return chosen, nil
}

func preferred(w way, name string) int {
	if w.name == name {
		return 1
	}
	return 0
}

// signIn makes requests over the connection go in the name of the user, and proves
// it by one that changes nothing. Each way is tried once, the next one where the
// server's refusal names it alone.
func (c *Client) signIn(ctx context.Context, cn *conn, creds sasl.Credentials) error {
	_, encrypted := cn.wire.TLS()
	all, err := c.ways(creds, encrypted)
	if err != nil {
		return fmt.Errorf("%s: sign in: %w", c.address, err)
	}
	for i, w := range all {
		cn.trip, cn.mechanism = w.apply(cn), w.name
		err = c.probe(ctx, cn)
		if err == nil {
			c.mechanism.Store(w.name)
			return nil
		}
		if i+1 == len(all) || !offers(err, all[i+1].name) || offers(err, w.name) {
			break
		}
	}
	if refused(err) {
		c.advise(err, cn)
		return &sasl.Error{Mechanism: cn.mechanism, Err: err}
	}
	return err
}

// secretsOf returns what signs in, in the forms in which it goes over the line, or in
// which a server may repeat it.
func secretsOf(creds sasl.Credentials) backend.Secrets {
	password := creds.Password.Reveal()
	plain := base64.StdEncoding.EncodeToString([]byte(signsInAs(creds) + ":" + password))
	return backend.Secrets{
		creds.Token.Reveal(), plain, password,
		base64.StdEncoding.EncodeToString([]byte(password)), url.QueryEscape(password), url.PathEscape(password),
	}
}

// offers reports whether a refusal names a way to sign in.
func offers(err error, name string) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && slices.ContainsFunc(e.schemes, func(s string) bool {
		return strings.EqualFold(s, name) || name == NTLM && strings.EqualFold(s, negotiate)
	})
}

// checkNames says what to do where a password is refused.
func checkNames(c session.Credentials) string {
	const forms = `as user@domain and as DOMAIN\user`
	if hasAuthUser(c) {
		return "check the password of " + c.AuthUser + ", and that name, " + forms
	}
	return "check the password, and the user name, " + forms + " (in Credentials.AuthUser, where it is not the mailbox's address)"
}

// advise has a refusal say what to do about it, where more is known than that the
// credentials may be wrong.
func (c *Client) advise(err error, cn *conn) {
	mechanism := cn.mechanism
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Status != http.StatusUnauthorized || e.Code != "" {
		return
	}
	offered := "nothing"
	if len(e.schemes) > 0 {
		offered = strings.Join(e.schemes, ", ")
	}
	names := checkNames(c.setup.Credentials)
	switch {
	case mechanism == Custom:
		e.hint = "what Options.Authenticate puts around the connection did not get in, where the server offers " + offered +
			"; with Kerberos, check the ticket, that its service is HTTP/" + c.server.Host + ", and the clocks"
	case mechanism == "":
		e.hint = "there is nothing to sign in with: set Credentials.Password (or Passwords), or Credentials.Tokens; the server offers " + offered
	case mechanism != Basic && mechanism != NTLM:
		return
	case len(e.schemes) > 0 && !offers(err, Basic) && !offers(err, NTLM):
		e.hint = "the server takes no password here, but offers " + offered + "; with Bearer, sign in with OAuth"
	case !offers(err, mechanism) && len(e.schemes) > 0:
		e.hint = "the server does not offer " + mechanism + ", but " + offered + ": check Server.Mechanisms"
	case mechanism == NTLM:
		e.hint = names + "; where both are right, " + doubts(cn.trip, cn.tls != nil)
	case c.online():
		e.hint = "Exchange Online takes no passwords any more: sign in with OAuth"
	default:
		e.hint = names + "; accounts are locked after a few wrong ones"
	}
}

// refusedSignIn is how [backend.Login] tells a refusal.
func refusedSignIn(err error) bool {
	_, is := errors.AsType[*sasl.Error](err)
	return is && refused(err)
}
