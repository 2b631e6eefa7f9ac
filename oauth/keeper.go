package oauth

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// record is what a grant must not lose.
type record struct {
	// provider is a name for people, "" where nobody gave one.
	provider string
	// clientID, issuer and tokenURL are those of the client that the refresh
	// token was issued to.
	clientID, issuer, tokenURL string
	user                       identity
	// scopes are those that the answers so far named as granted.
	scopes []string

	// refresh is the newest refresh token, zero if there never was one.
	refresh secret.Text
	// refreshExpiry is when it ends, zero if the server does not say.
	refreshExpiry time.Time
	// lastUse is when the server last took a refresh token or the code.
	lastUse time.Time
	// pending is set before a refresh is sent and cleared once its outcome is
	// known. Where it is found set, an answer was lost.
	pending time.Time
	// tokens are the newest access tokens by the scopes they were asked for.
	tokens map[string]*Token
	status status

	// pin is the sum of the pin that the refresh token comes from, "" for a
	// sign-in.
	pin string
	// former are what became of earlier pins, the newest first.
	former []overlay

	// extra are the fields that this version does not know, in all and in
	// each access token.
	extra      extras
	tokenExtra map[string]extras
}

// clone returns a copy whose maps and slices can be changed.
func (r record) clone() record {
	r.tokens, r.tokenExtra = maps.Clone(r.tokens), maps.Clone(r.tokenExtra)
	if r.tokens == nil {
		r.tokens = make(map[string]*Token)
	}
	r.scopes, r.former = slices.Clone(r.scopes), slices.Clone(r.former)
	return r
}

// newRecord returns the record of a grant without any token yet.
func newRecord(cfg *Config) record {
	return record{clientID: cfg.ClientID, issuer: cfg.Endpoint.Issuer, tokenURL: cfg.Endpoint.TokenURL}.clone()
}

// take puts a good answer into the record. Key names the scopes asked for.
func (r *record) take(key string, got *answer) {
	now := time.Now().Round(0)
	r.tokens[key] = got.token
	delete(r.tokenExtra, key)
	rotated := !got.refresh.Equal(r.refresh)
	if !got.refresh.IsZero() && (rotated || !got.refreshExpiry.IsZero()) {
		r.refresh, r.refreshExpiry = got.refresh, got.refreshExpiry
	}
	for _, scope := range got.token.Scopes {
		if !slices.Contains(r.scopes, scope) {
			r.scopes = append(r.scopes, scope)
		}
	}
	r.lastUse, r.pending = now, time.Time{}
	if r.status.concerns(key) {
		r.status = status{}
	}
}

// keeper keeps a grant's record. The lock spans reading the record, redeeming
// its refresh token and keeping the one that came back: two holders of one
// rotating token would destroy the grant.
type keeper interface {
	// lock waits for the sole right to change the record, or for ctx.
	lock(ctx context.Context) (hold, error)
}

// hold is the sole right to change a record. It is for one goroutine.
type hold interface {
	// load returns the newest record, or an error wrapping ErrNoGrant. The
	// record may be changed, the tokens in it may not.
	load(ctx context.Context) (record, error)
	// save replaces the record. It returns only once the record is kept.
	save(ctx context.Context, r record) error
	// release gives the right back.
	release() error
}

// memoryKeeper keeps a record for the life of the process.
type memoryKeeper struct {
	turn chan struct{} // holds one element while the record is locked

	mu  sync.Mutex
	rec record
}

func newMemoryKeeper(r record) *memoryKeeper {
	return &memoryKeeper{turn: make(chan struct{}, 1), rec: r.clone()}
}

func (k *memoryKeeper) lock(ctx context.Context) (hold, error) {
	select {
	case k.turn <- struct{}{}:
		return k, nil
	case <-ctx.Done():
		return nil, retry.Ended(ctx)
	}
}

func (k *memoryKeeper) release() error {
	<-k.turn
	return nil
}

func (k *memoryKeeper) load(context.Context) (record, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.rec.clone(), nil
}

func (k *memoryKeeper) save(_ context.Context, r record) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rec = r.clone()
	return nil
}
