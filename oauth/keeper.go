package oauth

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// record is what a grant must not lose.
type record struct {
	// refresh is the newest refresh token, zero if there never was one.
	refresh secret.Text
	// refreshExpiry is when it ends, zero if the server does not say.
	refreshExpiry time.Time
	// pending is set before a refresh is sent and cleared once its outcome is
	// known. Where it is found set, an answer was lost.
	pending bool
	// tokens are the newest access tokens by the scopes they were asked for.
	tokens map[string]*Token
}

// clone returns a copy that can be changed.
func (r record) clone() record {
	r.tokens = maps.Clone(r.tokens)
	if r.tokens == nil {
		r.tokens = make(map[string]*Token)
	}
	return r
}

// keeper keeps a grant's record. The lock spans reading the record, redeeming
// its refresh token and keeping the one that came back: two holders of one
// rotating token would destroy the grant.
type keeper interface {
	// lock waits for the sole right to change the record, or for ctx.
	lock(ctx context.Context) (unlock func(), err error)
	// load returns the newest record.
	load(ctx context.Context) (record, error)
	// save replaces the record. It returns only once the record is kept.
	save(ctx context.Context, r record) error
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

func (k *memoryKeeper) lock(ctx context.Context) (func(), error) {
	select {
	case k.turn <- struct{}{}:
		return func() { <-k.turn }, nil
	case <-ctx.Done():
		return nil, retry.Ended(ctx)
	}
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
