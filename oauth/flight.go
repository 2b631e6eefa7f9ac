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
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/secret"
)

// flight is a refresh under way, for everybody who waits for it.
type flight struct {
	done chan struct{} // closed at the end; the fields below are set before
	tok  *Token
	err  error
}

// wait returns the flight's outcome, or the end of ctx if that comes first.
func (f *flight) wait(ctx context.Context) (*Token, error) {
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, fmt.Errorf("oauth: waiting for a token: %w", retry.Ended(ctx))
	}
	if f.err != nil {
		return nil, f.err
	}
	return f.tok.clone(), nil
}

// join returns the slot's flight and starts one where there is none. The
// caller holds g.mu. The flight keeps the values of ctx, not its end: a
// request that was sent must be seen through, for its answer may replace the
// refresh token.
func (g *Grant) join(ctx context.Context, s *slot) *flight {
	if s.flight != nil {
		return s.flight
	}
	f := &flight{done: make(chan struct{})}
	s.flight = f
	refused := s.refused
	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		f.tok, f.err = g.refresh(ctx, s.scopes, refused)
		g.land(s, f)
	}()
	return f
}

// land puts a flight's outcome into its slot and releases those who wait.
func (g *Grant) land(s *slot, f *flight) {
	g.mu.Lock()
	defer g.mu.Unlock()
	s.flight, s.failure = nil, nil
	if f.err == nil {
		s.token = f.tok
	} else if e, ok := errors.AsType[*Error](f.err); ok && e.Kind != KindTemporary && e.Kind != KindReplyLost {
		s.failure, s.until = f.err, time.Now().Add(failureMemory)
	}
	close(f.done)
}

// refresh returns a new access token for scopes, or one that is in the record
// already, unless that is the refused one.
func (g *Grant) refresh(ctx context.Context, scopes []string, refused secret.Text) (*Token, error) {
	unlock, err := g.keeper.lock(ctx)
	if err != nil {
		return nil, g.keepError("wait for its turn", err)
	}
	defer unlock()
	rec, err := g.keeper.load(ctx)
	if err != nil {
		return nil, g.keepError("be read", err)
	}
	rec = rec.clone()
	key := slotKey(scopes)
	if tok := rec.tokens[key]; tok.Valid(time.Now()) && !tok.AccessToken.Equal(refused) {
		return tok, nil
	}
	if err := g.spent(rec); err != nil {
		return nil, err
	}
	ctx, end := observe.Start(ctx, g.cfg.Observer, "oauth.Refresh", slog.String("server", hostOf(g.cfg.Endpoint.TokenURL)))
	tok, err := g.redeem(ctx, rec, scopes)
	end(err)
	g.logRefresh(ctx, scopes, tok, err)
	return tok, err
}

// spent returns an error where the record has no refresh token to redeem.
func (g *Grant) spent(rec record) error {
	if !rec.refresh.IsZero() {
		return nil
	}
	return &Error{
		Kind: KindExpired, Op: "refresh", Server: hostOf(g.cfg.Endpoint.TokenURL),
		Err: errors.New("the sign-in gave no refresh token (some servers want the scope offline_access for one)"),
	}
}

// redeem sends the refresh token and keeps what comes back. The caller holds
// the record's lock. The record is marked before the request and unmarked once
// the server has answered with a token.
func (g *Grant) redeem(ctx context.Context, rec record, scopes []string) (*Token, error) {
	lostBefore := rec.pending
	rec.pending = true
	if err := g.keeper.save(ctx, rec); err != nil {
		return nil, g.keepError("be saved", err)
	}
	got, err := g.request(ctx, rec.refresh, scopes)
	if err == nil {
		rec.tokens[slotKey(scopes)] = got.token
		rotated := !got.refresh.Equal(rec.refresh)
		if !got.refresh.IsZero() && (rotated || !got.refreshExpiry.IsZero()) {
			rec.refresh, rec.refreshExpiry = got.refresh, got.refreshExpiry
		}
	}
	rec.pending = err != nil && lostBefore
	if e, ok := errors.AsType[*Error](err); ok {
		rec.pending = lostBefore || e.lost()
		if told := e.after(lostBefore, rec.refreshExpiry); told != e {
			err = told
		}
	}
	// The token request is done: what it brought is kept even if its time is up.
	if saveErr := g.keeper.save(context.WithoutCancel(ctx), rec); saveErr != nil {
		return nil, g.keepError("be saved", errors.Join(saveErr, err))
	}
	if err != nil {
		return nil, err
	}
	return got.token, nil
}

// lost reports whether the answer to a request that was sent did not arrive.
func (e *Error) lost() bool { return e.Kind == KindReplyLost && e.Code == "" }

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
		op:         "refresh",
		params:     url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}},
		scopes:     slices.Clone(scopes),
		secrets:    []secret.Text{refresh},
		repeatable: g.cfg.Endpoint.RefreshTokensReusable,
	}
	return g.cfg.requestWithRetry(ctx, r, &g.pause)
}

// requestWithRetry sends a token request, again after temporary failures. The
// pauses that the server asks for are kept in pause, which may be nil, so that
// they bind later requests too.
func (c *Config) requestWithRetry(ctx context.Context, r tokenRequest, pause *throttle.Governor) (*answer, error) {
	var got *answer
	policy := retry.Policy{Notify: func(try int, wait time.Duration, err error) {
		observe.Logger(c.Logger).LogAttrs(ctx, slog.LevelWarn, "token request failed, trying again",
			slog.String("operation", r.op), slog.Int("try", try), slog.Duration("wait", wait), slog.String("error", err.Error()))
	}}
	err := retry.Do(ctx, policy, func(ctx context.Context) (err error) {
		if err := pause.Wait(ctx); err != nil {
			return &Error{Kind: KindTemporary, Op: r.op, Server: hostOf(c.Endpoint.TokenURL), Wait: pause.Remaining(), Err: err}
		}
		got, err = c.request(ctx, r)
		pause.Hold(RetryAfter(err))
		return err
	})
	return got, err
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
