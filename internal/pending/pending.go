// Package pending keeps what several goroutines notice for a loop that may be
// busy.
package pending

import (
	"context"
	"sync"

	"github.com/mailsession/mailsession/internal/retry"
)

// Queue holds what is posted until the loop takes it: one value for each key, in
// the order in which the keys came. It is safe for concurrent use.
type Queue[K comparable, V any] struct {
	merge func(before, now V) V
	wake  chan struct{} // holds one item while there is something to take

	mu     sync.Mutex // never held while something blocks
	values map[K]V
	keys   []K // of values, in their order
	err    error
}

// New returns an empty Queue. Merge makes one value of two of the same key.
func New[K comparable, V any](merge func(before, now V) V) *Queue[K, V] {
	return &Queue[K, V]{merge: merge, wake: make(chan struct{}, 1), values: map[K]V{}}
}

// Post leaves a value, and never blocks.
func (q *Queue[K, V]) Post(key K, value V) {
	q.mu.Lock()
	before, there := q.values[key]
	if there {
		value = q.merge(before, value)
	} else {
		q.keys = append(q.keys, key)
	}
	q.values[key] = value
	q.mu.Unlock()
	q.rouse()
}

// Fail ends the queue behind what was posted. Of several errors the first counts.
func (q *Queue[K, V]) Fail(err error) {
	q.mu.Lock()
	if q.err == nil {
		q.err = err
	}
	q.mu.Unlock()
	q.rouse()
}

func (q *Queue[K, V]) rouse() {
	select {
	case q.wake <- struct{}{}:
	default: // the loop is to come anyway
	}
}

// Next waits for a value and takes it. Where there is none, it returns the error
// of Fail; where ctx has ended, why it did, see [retry.Ended]. For one caller at a
// time.
func (q *Queue[K, V]) Next(ctx context.Context) (key K, value V, err error) {
	for {
		if ctx.Err() != nil {
			return key, value, retry.Ended(ctx)
		}
		key, value, ok, err := q.take()
		if ok || err != nil {
			return key, value, err
		}
		select {
		case <-q.wake:
		case <-ctx.Done():
		}
	}
}

// take takes the oldest value. Where there is none, the error is why none will
// come, nil where one may.
func (q *Queue[K, V]) take() (key K, value V, ok bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.keys) == 0 {
		return key, value, false, q.err
	}
	key, q.keys = q.keys[0], q.keys[1:]
	value = q.values[key]
	delete(q.values, key)
	return key, value, true, nil
}
