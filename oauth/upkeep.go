package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// defaultIdle is how long a grant may lie unused before KeepAlive uses it,
// where nothing else is known: well below every provider's limit.
const defaultIdle = 30 * 24 * time.Hour

// KeepAlive refreshes a grant that has not been used for idle, so that the
// provider does not end it, and reports whether it did. A program whose mail
// may lie still for long calls it once a day, for each of its grants; whatever
// was used since, by this process or another that shares the record, costs no
// request, and a call sends one token request with its retries at most.
//
// An idle of 0 or less means half of Endpoint.IdleLimit, or 30 days where that
// is not known. Microsoft ends a grant after 90 days without use (24 hours
// where the redirect is registered as a single-page app, which use does not
// lengthen), Google after six months. What ends at a fixed time, as grants of
// Google's consent screens in Testing do after 7 days, use does not lengthen
// either; see Grant.Facts.
//
// Errors are those of a refresh.
func (g *Grant) KeepAlive(ctx context.Context, idle time.Duration) (refreshed bool, err error) {
	if idle <= 0 {
		idle = defaultIdle
		if g.cfg.Endpoint.IdleLimit > 0 {
			idle = g.cfg.Endpoint.IdleLimit / 2
		}
	}
	scopes, _ := firstScopes(g.cfg.Scopes)
	f := &flight{done: make(chan struct{})}
	go func() {
		defer close(f.done)
		// As for every refresh, the request is seen through.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		f.tok, f.err = g.refresh(ctx, scopes, func(rec *record) (*Token, bool) {
			return nil, time.Since(rec.lastUse) < idle
		})
	}()
	tok, err := f.wait(ctx)
	if err != nil || tok == nil {
		return false, err
	}
	s := g.slotFor(scopes)
	g.mu.Lock()
	defer g.mu.Unlock()
	s.present.Store(g.newHandout(tok))
	s.missing, s.failure = missingScopes(scopes, tok.Scopes), nil
	return true, nil
}

// Revoke ends the grant: it has the server revoke the refresh token (RFC 7009),
// with everything that came from it as far as the server goes, and then forgets
// the grant as Forget does. Whoever signs in again gets a new one.
//
// Where Endpoint.RevokeURL is empty the error wraps errors.ErrUnsupported and
// nothing has changed: the user can take the access away at the provider, and
// Forget removes what is kept here. Microsoft offers no revocation to programs.
// Where the server cannot be reached, or refuses, nothing is forgotten.
func (g *Grant) Revoke(ctx context.Context) (err error) {
	if g.cfg.Endpoint.RevokeURL == "" {
		return g.cannotRevoke()
	}
	ctx, end := observe.Start(ctx, g.cfg.Observer, "oauth.Revoke", slog.String("server", hostOf(g.cfg.Endpoint.RevokeURL)))
	defer func() { end(err) }()
	return g.underLock(ctx, func(h hold, rec *record) error {
		if err := g.revoke(ctx, rec); err != nil {
			return err
		}
		return g.forget(ctx, h, rec)
	})
}

// Forget removes the grant's tokens from the record and from this process. The
// server is not told, and other copies of the refresh token stay good: see
// Revoke. The record itself stays, without a secret in it, and says that the
// user has signed out; tokens are refused with an *Error for which NeedsSignIn
// reports true.
func (g *Grant) Forget(ctx context.Context) error {
	return g.underLock(ctx, func(h hold, rec *record) error { return g.forget(ctx, h, rec) })
}

// cannotRevoke says where else the access can be taken away.
func (g *Grant) cannotRevoke() error {
	server := hostOf(g.cfg.Endpoint.TokenURL)
	where := "at the provider"
	if isEntra(server) {
		where = "at https://myapplications.microsoft.com, or https://account.live.com/consent/Manage for a personal account; " +
			"an administrator can end all sessions of a user"
	}
	return fmt.Errorf("oauth: revoke: %w: no revocation endpoint of %s is known; the user can take the access away %s, and Forget removes what is kept here",
		errors.ErrUnsupported, server, where)
}

// revoke sends the refresh token to the revocation endpoint, or the access
// tokens where there is none. Revoking twice does no harm, so lost answers are
// met with another request.
func (g *Grant) revoke(ctx context.Context, rec *record) error {
	hint, tokens := "refresh_token", []secret.Text{rec.refresh}
	if rec.refresh.IsZero() {
		hint, tokens = "access_token", nil
		for _, tok := range rec.tokens {
			tokens = append(tokens, tok.AccessToken)
		}
	}
	const op = "revoke"
	for _, tok := range tokens {
		params := url.Values{"token": {tok.Reveal()}, "token_type_hint": {hint}}
		err := retry.Do(ctx, g.cfg.policy(ctx, op), func(ctx context.Context) error {
			_, err := g.cfg.post(ctx, op, g.cfg.Endpoint.RevokeURL, params, tok)
			if e, ok := errors.AsType[*Error](err); ok {
				return e.repeatable()
			}
			return err
		})
		// Google calls a token that is gone already an error.
		if e, ok := errors.AsType[*Error](err); ok && e.Code == "invalid_token" && e.Status == http.StatusBadRequest {
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget removes the tokens.
func (g *Grant) forget(ctx context.Context, h hold, rec *record) error {
	rec.refresh, rec.refreshExpiry, rec.pending = secret.Text{}, time.Time{}, time.Time{}
	rec.status = status{State: StateSignedOut, Since: time.Now().Round(0)}
	rec.former = nil
	clear(rec.tokens)
	clear(rec.tokenExtra)
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if err := h.save(saving, *rec); err != nil {
		return g.keepError("be emptied", err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unsaved = nil
	for _, s := range g.slots {
		s.present.Store(nil)
	}
	return nil
}

// isEntra reports whether a host is a sign-in server of Microsoft.
func isEntra(host string) bool {
	return host == "login.windows.net" || microsoftIssuer("https://"+host) != ""
}
