package state

import (
	"context"
	"sync"

	"github.com/mailsession/mailsession/internal/retry"
)

// queue is a lock for each name, within one process. Unlike a mutex it can be
// waited for under a context. The zero value is ready for use.
type queue struct {
	mu    sync.Mutex // never held while anything waits
	seats map[string]*seat
}

// seat is one name's lock. It exists while somebody holds or wants it.
type seat struct {
	taken   chan struct{} // holds one item while the seat is taken
	holders int           // who holds or wants it; belongs to queue.mu
}

// enter waits for the lock of a name and returns the function that gives it
// back, which must be called exactly once.
func (q *queue) enter(ctx context.Context, name string) (leave func(), err error) {
	s := q.join(name)
	select {
	case s.taken <- struct{}{}:
		return func() {
			<-s.taken
			q.quit(name, s)
		}, nil
	case <-ctx.Done():
		q.quit(name, s)
		return nil, retry.Ended(ctx)
	}
}

// join returns the seat of a name.
func (q *queue) join(name string) *seat {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.seats[name]
	if s == nil {
		s = &seat{taken: make(chan struct{}, 1)}
		if q.seats == nil {
			q.seats = map[string]*seat{}
		}
		q.seats[name] = s
	}
	s.holders++
	return s
}

// quit takes one holder off a seat, which goes with its last one.
func (q *queue) quit(name string, s *seat) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if s.holders--; s.holders == 0 {
		delete(q.seats, name)
	}
}
