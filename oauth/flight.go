package oauth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/secret"
)

// fetch is the cache's way to a new token: one that is in the record already
// will do, unless it is the refused one.
func (g *Grant) fetch(ctx context.Context, scopes []string, refused secret.Text) (*Token, error) {
	return g.refresh(ctx, scopes, func(rec *record) (*Token, bool) {
		tok := rec.tokens[slotKey(scopes)]
		return tok, g.fresh(tok) && !tok.AccessToken.Equal(refused)
	})
}

// refresh returns a new access token for scopes, unless what the record holds is
// enough: then it returns that.
func (g *Grant) refresh(ctx context.Context, scopes []string, enough func(*record) (*Token, bool)) (tok *Token, err error) {
	err = g.underLock(ctx, func(h hold, rec *record) error {
		var ok bool
		if tok, ok = enough(rec); ok {
			return nil
		}
		tok, err = g.renew(ctx, h, rec, scopes)
		if g.pin.changed(ctx, g, rec, err) {
			tok, err = g.renew(ctx, h, rec, scopes)
		}
		return err
	})
	return tok, err
}

// underLock calls f with the sole right to change the record.
func (g *Grant) underLock(ctx context.Context, f func(h hold, rec *record) error) error {
	h, err := g.keeper.lock(ctx)
	if err != nil {
		return g.keepError("wait for its turn", err)
	}
	defer func() {
		if err := h.release(); err != nil {
			g.log.LogAttrs(ctx, slog.LevelWarn, "the lock of a grant was not given back", slog.String("error", err.Error()))
		}
	}()
	rec, err := g.load(ctx, h)
	if err != nil {
		return err
	}
	return f(h, &rec)
}

// load returns the record that h holds, with what an earlier refresh failed to
// keep.
func (g *Grant) load(ctx context.Context, h hold) (record, error) {
	rec, err := h.load(ctx)
	if err != nil {
		return rec, g.keepError("be read", err)
	}
	if err := rec.fits(g.cfg, opRefresh); err != nil {
		return rec, err
	}
	if state := g.user.Load().changed(rec.user); state != "" && !g.pin.allowsOthers() {
		return rec, g.stranger(state)
	}
	if err := g.settle(ctx, h, &rec); err != nil {
		return rec, err
	}
	g.become(rec.user)
	return rec, nil
}

// unsaved is what a request brought and the keeper did not keep.
type unsaved struct {
	sent secret.Text // the refresh token that was redeemed
	key  string      // the scopes asked for
	rec  record      // with the answer in it
}

// settle keeps what an earlier refresh failed to keep, unless somebody else has
// redeemed the record's refresh token since.
func (g *Grant) settle(ctx context.Context, h hold, rec *record) error {
	g.mu.Lock()
	u := g.unsaved
	g.mu.Unlock()
	if u == nil {
		return nil
	}
	if rec.refresh.Equal(u.sent) && rec.pin == u.rec.pin {
		rec.refresh, rec.refreshExpiry, rec.pending = u.rec.refresh, u.rec.refreshExpiry, u.rec.pending
		rec.lastUse, rec.status, rec.user, rec.scopes = u.rec.lastUse, u.rec.status, u.rec.user, u.rec.scopes
		if tok := u.rec.tokens[u.key]; tok != nil {
			rec.tokens[u.key] = tok
		}
		if err := h.save(ctx, *rec); err != nil {
			return g.keepError("be saved", err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unsaved = nil
	return nil
}

// renew redeems the record's refresh token, unless it is known to be of no use.
func (g *Grant) renew(ctx context.Context, h hold, rec *record, scopes []string) (*Token, error) {
	if err := g.spent(rec, slotKey(scopes)); err != nil {
		return nil, err
	}
	ctx, end := observe.Start(ctx, g.cfg.Observer, "oauth.Refresh", slog.String("server", hostOf(g.cfg.Endpoint.TokenURL)))
	tok, err := g.redeem(ctx, h, rec, scopes)
	end(err)
	g.logRefresh(ctx, scopes, tok, err)
	return tok, err
}

// spent returns an error where the record has no refresh token to redeem, or
// one that was refused just now.
func (g *Grant) spent(rec *record, key string) error {
	server := hostOf(g.cfg.Endpoint.TokenURL)
	if state := rec.status.State; (state == StateOtherUser || state == StateOtherTenant) && !g.pin.allowsOthers() {
		return g.stranger(state)
	}
	if !rec.refresh.IsZero() {
		return rec.status.err(key, server, time.Now())
	}
	if rec.status.State == StateSignedOut {
		return &Error{Kind: KindRevoked, Op: opRefresh, Server: server, Err: errors.New("the user has signed out here")}
	}
	return &Error{
		Kind: KindExpired, Op: opRefresh, Server: server,
		Err: errors.New("the sign-in gave no refresh token (some servers want the scope offline_access for one)"),
	}
}

// redeem sends the refresh token and keeps what comes back. The record is
// marked before the request and unmarked once the server has answered with a
// token. What is kept is in rec when redeem returns.
func (g *Grant) redeem(ctx context.Context, h hold, rec *record, scopes []string) (*Token, error) {
	key, sent := slotKey(scopes), rec.refresh
	// Where a used refresh token stays good, a lost answer costs nothing.
	lostBefore := !rec.pending.IsZero() && !g.cfg.Endpoint.RefreshTokensReusable
	if !lostBefore {
		rec.pending = time.Now().Round(0)
	}
	if err := h.save(ctx, *rec); err != nil {
		return nil, g.keepError("be saved", err)
	}
	got, err := g.request(ctx, sent, scopes)
	if err == nil {
		err = g.take(ctx, rec, key, got)
	} else {
		err = rec.refuse(key, err, lostBefore)
	}
	// The token request is done: what it brought is kept even if its time is up.
	saving, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	if saveErr := h.save(saving, *rec); saveErr != nil {
		if got != nil {
			g.mu.Lock()
			g.unsaved = &unsaved{sent: sent, key: key, rec: rec.clone()}
			g.mu.Unlock()
		}
		return nil, g.keepError("be saved", errors.Join(saveErr, err))
	}
	if err != nil {
		return nil, err
	}
	g.become(rec.user)
	return got.token, nil
}

// refuse puts a failed refresh into the record and returns the error as it
// reads with what the record knows.
func (r *record) refuse(key string, err error, lostBefore bool) error {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return err // The request may have left: the mark stays.
	}
	if !lostBefore && !e.lost() {
		r.pending = time.Time{}
	}
	if told := e.after(lostBefore, r.refreshExpiry); told != e {
		err = told
	}
	if s, ok := statusOf(err, key, time.Now().Round(0)); ok {
		r.status = s
	}
	return err
}

// lost reports whether the answer to a request that was sent did not arrive.
func (e *Error) lost() bool { return e.Kind == KindReplyLost && e.Code == "" }

// repeatable returns the error as it reads where sending the request twice does
// no harm.
func (e *Error) repeatable() *Error {
	if e.lost() {
		e.Kind = KindTemporary
	}
	return e
}

// after returns the error as it reads with what is known beyond the answer:
// whether an earlier answer was lost, and when the refresh token was to end.
func (e *Error) after(lostBefore bool, refreshExpiry time.Time) *Error {
	if e.Kind != KindRevoked {
		return e
	}
	told := *e
	switch {
	case lostBefore:
		told.Kind = KindReplyLost
	case !refreshExpiry.IsZero() && !time.Now().Before(refreshExpiry):
		told.Kind = KindExpired
	}
	return &told
}

// request sends a refresh request (RFC 6749 section 6), again where it failed
// for a passing reason. A request whose answer was lost is sent again only
// where the server takes a refresh token twice.
func (g *Grant) request(ctx context.Context, refresh secret.Text, scopes []string) (*answer, error) {
	r := tokenRequest{
		op:         opRefresh,
		params:     url.Values{"grant_type": {GrantRefreshToken}, "refresh_token": {refresh.Reveal()}},
		scopes:     slices.Clone(scopes),
		secrets:    []secret.Text{refresh},
		repeatable: g.cfg.Endpoint.RefreshTokensReusable,
	}
	a, err := g.cfg.requestWithRetry(ctx, r, &g.pause)
	if e, ok := errors.AsType[*Error](err); ok {
		e.pinned = g.pin != nil
	}
	return a, err
}

// keepError says that the grant's record is out of reach.
func (g *Grant) keepError(what string, err error) error {
	return fmt.Errorf("oauth: refresh at %s: the grant's record cannot %s: %w", hostOf(g.cfg.Endpoint.TokenURL), what, err)
}

// logRefresh tells the logger how a refresh ended.
func (g *Grant) logRefresh(ctx context.Context, scopes []string, tok *Token, err error) {
	attrs := []slog.Attr{slog.String("grant", g.String()), slog.Any("scopes", scopes)}
	if err != nil {
		g.log.LogAttrs(ctx, slog.LevelWarn, "access token not refreshed", append(attrs, slog.String("error", err.Error()))...)
		return
	}
	g.log.LogAttrs(ctx, slog.LevelDebug, "access token refreshed", append(attrs, slog.Time("expiry", tok.Expiry))...)
}
