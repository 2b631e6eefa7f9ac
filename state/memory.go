package state

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/mailsession/mailsession/internal/retry"
)

// Memory is a [Store] in memory, with locks and listings. It ends with its
// process and is shared with no other. It must not be copied.
type Memory struct {
	locks queue

	mu      sync.Mutex
	records map[string]Record
}

var (
	_ Store  = (*Memory)(nil)
	_ Locker = (*Memory)(nil)
	_ Lister = (*Memory)(nil)
)

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{records: map[string]Record{}}
}

// Load implements [Store].
func (m *Memory) Load(ctx context.Context, key string) (Record, error) {
	if err := begin(ctx, "load", key); err != nil {
		return Record{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r := m.records[key]
	r.Value = bytes.Clone(r.Value)
	return r, nil
}

// CompareAndSwap implements [Store].
func (m *Memory) CompareAndSwap(ctx context.Context, key string, old Version, value []byte) (Version, error) {
	if err := begin(ctx, "compare and swap", key); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.records[key].Version != old {
		return "", conflict(key)
	}
	if value == nil {
		delete(m.records, key)
		return "", nil
	}
	r := Record{Value: bytes.Clone(value), Version: newVersion()}
	m.records[key] = r
	return r.Version, nil
}

// Lock implements [Locker].
func (m *Memory) Lock(ctx context.Context, key string) (unlock func() error, err error) {
	if err := begin(ctx, "lock", key); err != nil {
		return nil, err
	}
	leave, err := m.locks.enter(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("state: lock %s: %w", key, err)
	}
	return sync.OnceValue(func() error {
		leave()
		return nil
	}), nil
}

// List implements [Lister].
func (m *Memory) List(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		m.mu.Lock()
		keys := slices.Collect(maps.Keys(m.records))
		m.mu.Unlock()
		yieldKeys(ctx, keys, prefix, yield)
	}
}

// yieldKeys yields those of the keys that a listing of prefix has, in order.
func yieldKeys(ctx context.Context, keys []string, prefix string, yield func(string, error) bool) {
	slices.Sort(keys)
	for _, key := range keys {
		if !Listed(key, prefix) {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		if !yield(key, nil) {
			return
		}
	}
	if ctx.Err() != nil {
		yield("", fmt.Errorf("state: list %q: %w", prefix, retry.Ended(ctx)))
	}
}

// newVersion returns a version that was never used. Chance does it, 130 bits of
// it, so that nothing has to be remembered of a record that was deleted.
func newVersion() Version {
	return Version(rand.Text())
}
