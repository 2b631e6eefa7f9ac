package oauth

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// DefaultSignInTimeout is how long SignIn waits for the user.
const DefaultSignInTimeout = 5 * time.Minute

// openTimeout is how long SignIn, when all is done, waits for OpenURL to return
// before it ends its context.
const openTimeout = time.Second

// SignInOptions change how SignIn goes about it.
type SignInOptions struct {
	// LoginHint is the address that the user probably signs in with
	// (login_hint).
	LoginHint string
	// Params are further parameters of this authorization request, in place of
	// those of the Config under the same name: prompt, domain_hint, claims. As
	// there, the protocol's own are refused.
	Params url.Values
	// Fresh has the user enter their credentials again instead of being let in
	// by the session that the browser has with the server: it asks for that
	// with prompt=login and max_age=0 (OpenID Connect Core section 3.1.2.1),
	// unless the parameters say otherwise, and opens a private window where
	// $BROWSER names a browser known to have them. Servers may ignore the
	// wish, and Google's knows no prompt=login; where the id_token names the
	// time of the login, an older one is refused.
	Fresh bool
	// OpenURL shows the authorization URL to the user, in a browser as a rule.
	// It is called once, in a goroutine of its own, and must return when its
	// context ends, a second after the sign-in at the latest. The URL holds
	// nothing secret that outlives the sign-in. If it fails and the URL was
	// written nowhere, the sign-in fails too. Nil means the system's browser:
	// the one named in $BROWSER, or the desktop's.
	OpenURL func(ctx context.Context, url string) error
	// Paste returns the address that the user's browser ends on, for users
	// whose browser cannot reach this program: over ssh, from a container, or
	// where Config.RedirectURL is not on loopback, for which it is needed. It is
	// called in a goroutine of its own and again after an address that is not
	// the answer to this sign-in, which Prompt tells; its context ends with the
	// sign-in. On loopback it stands beside the listener, whichever is first,
	// and its failure is not the sign-in's. With Paste the answer is asked for
	// in the query, for a posted form leaves no address to copy. See PasteFrom.
	Paste func(ctx context.Context) (string, error)
	// Prompt is where the URL is written for the user to copy. Nil means
	// standard error where OpenURL is nil as well, and nowhere otherwise.
	// Nothing is ever written to standard output.
	Prompt io.Writer
	// Timeout limits the whole sign-in. 0 means DefaultSignInTimeout.
	Timeout time.Duration
	// Listen opens the listeners of the redirect, on loopback addresses. Nil
	// means net.ListenConfig.
	Listen func(ctx context.Context, network, address string) (net.Listener, error)
	// Keep is where the grant is kept before SignIn returns it, in place of
	// what was there. A record that a newer version of the program has written
	// is not replaced. Nil means in memory.
	Keep *Keep
}

// SignIn has the user sign in with a browser and returns the grant.
//
// It runs the authorization code flow with PKCE (RFC 6749 section 4.1, RFC
// 7636) and a loopback redirect (RFC 8252 section 7.3), or with any registered
// redirect whose address the user pastes: it listens on 127.0.0.1 and ::1, opens
// the browser at the authorization endpoint, waits for the answer with the right
// state, checks its issuer (RFC 9207), redeems the code and checks the id_token
// if there is one. The user's browser ends on a page that says how it went,
// after that is known.
//
// Where the Config's scopes belong to several resources, the first access token
// is for the resource of the first scope; Grant.For gets the others.
//
// It returns an *Error where the server or the user refuses, and an error
// wrapping the context's where ctx or the time limit ends first. A grant that
// cannot be kept where the options say is an error too; a Store out of reach
// is noticed before the browser opens. The options may be nil.
func SignIn(ctx context.Context, cfg *Config, o *SignInOptions) (*Grant, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	options := o.withDefaults()
	if err := checkParams("the options' Params", options.Params); err != nil {
		return nil, err
	}
	r, err := parseRedirect(cfg.RedirectURL, options.Paste != nil)
	if err != nil {
		return nil, err
	}
	ctx, end := observe.Start(ctx, cfg.Observer, "oauth.SignIn", slog.String("server", hostOf(cfg.Endpoint.AuthURL)))
	grant, err := newAttempt(cfg.clone(), options, r).begin(ctx)
	end(err)
	if err != nil {
		return nil, err
	}
	grant.log.LogAttrs(ctx, slog.LevelInfo, "signed in", slog.String("grant", grant.String()))
	return grant, nil
}

// withDefaults returns a copy of o, which may be nil, with its defaults.
func (o *SignInOptions) withDefaults() SignInOptions {
	var out SignInOptions
	if o != nil {
		out = *o
	}
	if out.OpenURL == nil {
		out.OpenURL = func(ctx context.Context, url string) error { return openBrowser(ctx, url, out.Fresh) }
		if out.Prompt == nil {
			out.Prompt = os.Stderr
		}
	}
	if out.Timeout == 0 {
		out.Timeout = DefaultSignInTimeout
	}
	if out.Listen == nil {
		var lc net.ListenConfig
		out.Listen = lc.Listen
	}
	return out
}

// attempt is one sign-in with a browser under way.
type attempt struct {
	newcomer

	options  SignInOptions
	redirect redirect
	uri      string // the redirect URI, once the port is known
	state    secret.Text
	verifier secret.Text
	nonce    secret.Text // zero unless openid is asked for
	begun    time.Time
	pasted   chan callback // answers of the user instead of the browser
}

// newAttempt draws the random values: 256 bits each for the state, the nonce
// and the verifier.
func newAttempt(cfg *Config, options SignInOptions, r redirect) *attempt {
	a := &attempt{
		newcomer: newNewcomer(cfg, options.Keep), options: options, redirect: r,
		state:    secret.New(rand.Text() + rand.Text()),
		verifier: secret.New(oauth2.GenerateVerifier()),
		begun:    time.Now(),
		pasted:   make(chan callback, 1),
	}
	if slices.Contains(cfg.Scopes, "openid") {
		a.nonce = secret.New(rand.Text() + rand.Text())
	}
	return a
}

// begin looks whether the grant can be kept and runs the sign-in.
func (a *attempt) begin(ctx context.Context) (*Grant, error) {
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	return a.run(ctx)
}

// run listens, opens the browser, waits and finishes.
func (a *attempt) run(ctx context.Context) (*Grant, error) {
	late := &Error{
		Kind: KindInteraction, Op: "sign in", Server: hostOf(a.cfg.Endpoint.AuthURL),
		Err: fmt.Errorf("nobody finished it within %v: %w", a.options.Timeout, context.DeadlineExceeded),
	}
	ctx, cancel := context.WithTimeoutCause(ctx, a.options.Timeout, late)
	defer cancel()
	var l *loopback
	port := ""
	if a.redirect.remote {
		a.uri = a.redirect.raw
	} else {
		var listeners []net.Listener
		var err error
		if listeners, port, err = a.redirect.listen(ctx, a.options.Listen); err != nil {
			return nil, fmt.Errorf("oauth: sign in: %w", err)
		}
		a.uri = a.redirect.uri(port)
		l = serveLoopback(ctx, listeners, a.redirect.requestPath(), port, a.state, a.log)
	}
	failed := make(chan error, 2)
	returned := a.open(ctx, port, failed)
	stop := a.listenForPaste(ctx, failed)
	grant, err := a.wait(ctx, l.callbacks(), failed)
	stop()
	l.finish(ctx, err)
	// An OpenURL that is still reading the page may end in peace.
	timer := time.NewTimer(openTimeout)
	defer timer.Stop()
	select {
	case <-returned:
	case <-ctx.Done():
	case <-timer.C:
	}
	return grant, err
}

// open shows the URL to the user, and lets them paste where the browser ends.
// It sends to failed, which has room for it, errors that leave no way to go on,
// and closes the channel it returns when OpenURL has returned.
func (a *attempt) open(ctx context.Context, port string, failed chan<- error) <-chan struct{} {
	address := a.authURL()
	returned := make(chan struct{})
	if a.options.Prompt != nil {
		text := prompt{address: address, port: port, paste: a.options.Paste != nil, where: whereabouts(os.Getenv)}.String()
		if _, err := io.WriteString(a.options.Prompt, text); err != nil {
			failed <- fmt.Errorf("oauth: sign in: the address cannot be shown: %w", err)
			close(returned)
			return returned
		}
	}
	go func() {
		defer close(returned)
		err := a.options.OpenURL(ctx, address)
		switch {
		case err == nil || ctx.Err() != nil:
		case a.options.Prompt == nil:
			failed <- fmt.Errorf("oauth: sign in: the browser cannot be opened: %w", err)
		default:
			a.log.LogAttrs(ctx, slog.LevelDebug, "no browser opened", slog.String("error", clean(err.Error(), a.state)))
		}
	}()
	return returned
}

// wait waits for the callback and redeems its code.
func (a *attempt) wait(ctx context.Context, answers <-chan callback, failed <-chan error) (*Grant, error) {
	var c callback
	select {
	case c = <-answers:
	case c = <-a.pasted:
	case err := <-failed:
		// A browser that failed after it had delivered the answer did its work.
		select {
		case c = <-answers:
		default:
			return nil, err
		}
	case <-ctx.Done():
		if late, ok := errors.AsType[*Error](context.Cause(ctx)); ok {
			return nil, late
		}
		return nil, fmt.Errorf("oauth: sign in at %s: %w", hostOf(a.cfg.Endpoint.AuthURL), retry.Ended(ctx))
	}
	if err := c.check(a.cfg.Endpoint); err != nil {
		return nil, err
	}
	ctx, end := observe.Start(ctx, a.cfg.Observer, "oauth.Redeem", slog.String("server", hostOf(a.cfg.Endpoint.TokenURL)))
	grant, err := a.redeem(ctx, c.code)
	end(err)
	return grant, err
}

// redeem exchanges the code for tokens (RFC 6749 section 4.1.3). A code works
// once, so that a request whose answer was lost is not sent again.
func (a *attempt) redeem(ctx context.Context, code secret.Text) (*Grant, error) {
	r := tokenRequest{
		op: opRedeem,
		params: url.Values{
			"grant_type":    {GrantAuthorizationCode},
			"code":          {code.Reveal()},
			"redirect_uri":  {a.uri},
			"code_verifier": {a.verifier.Reveal()},
		},
		secrets: []secret.Text{code, a.verifier},
	}
	scopes, several := firstScopes(a.cfg.Scopes)
	if several {
		r.scopes = scopes
	}
	got, err := a.cfg.requestWithRetry(ctx, r, nil)
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e.ofCode()
	}
	if err != nil {
		return nil, err
	}
	rules := idTokenRules{nonce: a.nonce}
	if a.options.Fresh {
		rules.since = a.begun
	}
	return a.accept(ctx, r.op, got, scopes, rules)
}

// responseMode returns how the answer is asked for.
func (a *attempt) responseMode() string {
	mode := a.cfg.Endpoint.ResponseMode
	if a.options.Paste != nil && mode != "" {
		return "query"
	}
	return mode
}

// authURL returns the authorization request (RFC 6749 section 4.1.1).
func (a *attempt) authURL() string {
	u, err := url.Parse(a.cfg.Endpoint.AuthURL)
	if err != nil {
		return "" // Config.check parsed it.
	}
	q := u.Query()
	if a.options.Fresh {
		q.Set("prompt", "login")
		q.Set("max_age", "0")
	}
	maps.Copy(q, a.cfg.AuthParams)
	maps.Copy(q, a.options.Params)
	q.Set("response_type", "code")
	q.Set("client_id", a.cfg.ClientID)
	q.Set("redirect_uri", a.uri)
	q.Set("state", a.state.Reveal())
	q.Set("code_challenge", oauth2.S256ChallengeFromVerifier(a.verifier.Reveal()))
	q.Set("code_challenge_method", "S256")
	optional := map[string]string{
		"scope":         strings.Join(a.cfg.Scopes, " "),
		"nonce":         a.nonce.Reveal(),
		"response_mode": a.responseMode(),
		"login_hint":    a.options.LoginHint,
	}
	for name, value := range optional {
		if value != "" {
			q.Set(name, value)
		}
	}
	u.RawQuery = q.Encode()
	return u.String()
}
