package oauth

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
)

// newcomer is what every sign-in of a person begins and ends with, whichever
// way the person takes: a place for the grant, and the grant.
type newcomer struct {
	cfg    *Config
	log    *slog.Logger
	place  *Keep        // nil: in memory
	keeper *storeKeeper // nil: in memory
}

func newNewcomer(cfg *Config, place *Keep) newcomer {
	return newcomer{cfg: cfg, log: observe.Logger(cfg.Logger), place: place}
}

// prepare looks whether the grant can be kept, so that nobody signs in for
// nothing.
func (n *newcomer) prepare(ctx context.Context) error {
	if n.place == nil {
		return nil
	}
	k, err := newStoreKeeper(*n.place)
	if err == nil {
		err = k.check(ctx)
	}
	if err != nil {
		return fmt.Errorf("oauth: sign in: the grant could not be kept: %w", err)
	}
	n.keeper = k
	return nil
}

// accept makes a grant of the first answer of the token endpoint, to the request
// named op for scopes. An id_token is held against the rules and the Config.
func (n *newcomer) accept(ctx context.Context, op string, got *answer, scopes []string, rules idTokenRules) (*Grant, error) {
	if got.token.Scopes == nil {
		got.token.Scopes = scopes
	}
	var user identity
	if !got.idToken.IsZero() {
		var err error
		rules.clientID, rules.issuer, rules.now = n.cfg.ClientID, n.cfg.Endpoint.Issuer, time.Now()
		user, err = readIDToken(got.idToken, rules)
		if err != nil {
			return nil, &Error{Kind: KindProtocol, Op: op, Server: hostOf(n.cfg.Endpoint.TokenURL), Err: err}
		}
	}
	if got.refresh.IsZero() {
		n.log.LogAttrs(ctx, slog.LevelWarn, "the sign-in gave no refresh token; it ends with its access token",
			slog.Time("expiry", got.token.Expiry))
	}
	if missing := missingScopes(scopes, got.token.Scopes); len(missing) > 0 {
		n.log.LogAttrs(ctx, slog.LevelWarn, "not everything that was asked for was granted", slog.Any("missing", missing))
	}
	rec := newRecord(n.cfg)
	rec.user = user
	if err := rec.fits(n.cfg, op); err != nil {
		return nil, err // of another tenant than the Endpoint's
	}
	rec.take(slotKey(scopes), got)
	return n.keep(ctx, rec)
}

// keep keeps the record of a sign-in and returns its grant.
func (n *newcomer) keep(ctx context.Context, rec record) (*Grant, error) {
	if n.keeper == nil {
		return newGrant(n.cfg, rec, newMemoryKeeper(rec), nil), nil
	}
	rec.provider = n.place.Provider
	if err := n.keeper.replace(ctx, rec); err != nil {
		return nil, fmt.Errorf("oauth: sign in: the grant is good and cannot be kept: %w", err)
	}
	return newGrant(n.cfg, rec, n.keeper, nil), nil
}
