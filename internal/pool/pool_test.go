package pool_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/pool"
)

var errClosed = errors.New("closed")

// conn counts what the pool does with it.
type conn struct {
	number            int
	dead, bye, rested atomic.Bool
	cut               atomic.Bool
	answersProbe      bool
	slow              time.Duration // of its goodbye
}

func (c *conn) Bind(ctx context.Context) func() {
	stop := context.AfterFunc(ctx, func() { c.cut.Store(true) })
	return func() { stop() }
}
func (c *conn) Usable() bool { return !c.dead.Load() && !c.cut.Load() }
func (c *conn) Rest()        { c.rested.Store(true) }
func (c *conn) Goodbye()     { pass(c.slow); c.bye.Store(true); c.dead.Store(true) }
func (c *conn) Abandon()     { c.dead.Store(true) }

// server makes connections.
type server struct {
	mu    sync.Mutex
	conns []*conn
	err   error
}

func (s *server) dial(context.Context) (*conn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	c := &conn{number: len(s.conns)}
	s.conns = append(s.conns, c)
	return c, nil
}

// pass lets virtual time pass.
func pass(d time.Duration) { <-time.After(d) }

func newPool(s *server, size int) *pool.Pool[*conn] {
	return pool.New(pool.Options[*conn]{
		Size: size, IdleTimeout: time.Minute, Dial: s.dial,
		Probe: func(c *conn) bool { return c.answersProbe }, ProbeAfter: 30 * time.Second, Closed: errClosed,
	})
}

func get(t *testing.T, p *pool.Pool[*conn]) *pool.Lease[*conn] {
	t.Helper()
	l, err := p.Get(t.Context())
	if err != nil {
		t.Fatalf("Get: %v", err)
	}
	return l
}

func TestAConnectionIsUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 2)
		defer p.Close()
		l := get(t, p)
		if l.Reused {
			t.Error("the first connection is said to be reused")
		}
		l.Release()
		l = get(t, p)
		if !l.Reused || l.Conn.number != 0 || !l.Conn.rested.Load() {
			t.Errorf("lease of %d, reused %t, want the first again", l.Conn.number, l.Reused)
		}
		l.Conn.dead.Store(true)
		l.Release()
		if l = get(t, p); l.Reused || l.Conn.number != 1 {
			t.Errorf("lease of %d, reused %t, want a new one after the first died", l.Conn.number, l.Reused)
		}
		l.Release()
	})
}

func TestNoMoreThanItsSize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 2)
		defer p.Close()
		a, b := get(t, p), get(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		start := time.Now()
		if _, err := p.Get(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 5*time.Second {
			t.Errorf("Get error %v after %v, want the context's after 5s", err, time.Since(start))
		}
		time.AfterFunc(3*time.Second, a.Release)
		start = time.Now()
		c := get(t, p)
		if time.Since(start) != 3*time.Second || c.Conn != a.Conn {
			t.Errorf("the third lease came after %v", time.Since(start))
		}
		b.Release()
		c.Release()
	})
}

// Whoever holds a connection can see that somebody waits for one, and those who wait
// get it in their order.
func TestThoseWhoWaitAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPool(&server{}, 1)
		defer p.Close()
		l := get(t, p)
		if p.Wanted() {
			t.Error("a connection is wanted that nobody waits for")
		}
		turns := make(chan int, 2)
		for i := range 2 {
			go func() {
				l := get(t, p)
				turns <- i
				l.Release()
			}()
			synctest.Wait()
		}
		if !p.Wanted() {
			t.Error("no connection is wanted, and two wait")
		}
		l.Release()
		l = get(t, p)
		if first, second := <-turns, <-turns; first != 0 || second != 1 || p.Wanted() {
			t.Errorf("the turns were %d, %d, and one is wanted: %t", first, second, p.Wanted())
		}
		l.Release()
	})
}

func TestQuietConnectionsAreProbed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 1)
		defer p.Close()
		get(t, p).Release()
		pass(29 * time.Second)
		l := get(t, p)
		if l.Conn.number != 0 {
			t.Error("a connection that was quiet for 29s is probed, want 30s")
		}
		l.Release()
		pass(30 * time.Second)
		if l = get(t, p); l.Conn.number != 1 || !s.conns[0].dead.Load() {
			t.Errorf("lease of %d, want a new connection where the probe fails", l.Conn.number)
		}
		l.Conn.answersProbe = true
		l.Release()
		pass(30 * time.Second)
		if l = get(t, p); l.Conn.number != 1 {
			t.Errorf("lease of %d, want the one that answered", l.Conn.number)
		}
		l.Release()
	})
}

func TestIdleConnectionsSayGoodbye(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 2)
		defer p.Close()
		a, b := get(t, p), get(t, p)
		a.Release()
		pass(40 * time.Second)
		b.Release()
		pass(20*time.Second + time.Nanosecond)
		if !s.conns[0].bye.Load() || s.conns[1].bye.Load() {
			t.Errorf("goodbyes %t, %t after a minute for the first, want only its", s.conns[0].bye.Load(), s.conns[1].bye.Load())
		}
		pass(40 * time.Second)
		if !s.conns[1].bye.Load() {
			t.Error("no goodbye on the second after its minute")
		}
	})
}

// TestAConnectionIsUsedForAnHour, or somewhat less, however busy it is: the next
// lease that is given back after that ends it in order, and a new one takes its
// place. Nobody waits for the goodbye but those for whom there is no other place.
func TestAConnectionIsUsedForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 2)
		defer p.Close()
		ages := map[time.Duration]bool{}
		for n := range 10 {
			born := time.Now()
			for l := get(t, p); l.Conn.number == n; l = get(t, p) {
				pass(10 * time.Second)
				l.Release()
				synctest.Wait()
				if s.conns[n].bye.Load() {
					break
				}
			}
			age := time.Since(born)
			if age < 48*time.Minute || age > time.Hour+10*time.Second || s.conns[n].cut.Load() {
				t.Errorf("connection %d was used for %v, want an hour less up to a fifth", n, age)
			}
			ages[age] = true
		}
		if len(ages) < 3 {
			t.Errorf("ten connections have the ages %v, want ages by chance", ages)
		}
	})
}

// TestALongLeaseIsNotCutShort: the age counts when the connection is given back.
// Its place is free once its goodbye is said, so that there are never more
// connections than there may be; Close waits for that.
func TestALongLeaseIsNotCutShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 1)
		l := get(t, p)
		l.Conn.slow = 3 * time.Second
		pass(24 * time.Hour)
		if l.Conn.bye.Load() || l.Context.Err() != nil {
			t.Error("a lease of a day was cut short")
		}
		start := time.Now()
		l.Release()
		if took := time.Since(start); took != 0 {
			t.Errorf("giving back took %v, want no time", took)
		}
		l = get(t, p)
		if took := time.Since(start); l.Conn.number != 1 || took != 3*time.Second {
			t.Errorf("the next lease is of %d after %v, want a new connection once the old one is gone after 3s", l.Conn.number, took)
		}
		pass(24 * time.Hour)
		l.Conn.slow = 3 * time.Second
		l.Release()
		p.Close()
		if !s.conns[1].bye.Load() {
			t.Error("Close did not wait for the goodbye")
		}
	})
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 2)
		a, b := get(t, p), get(t, p)
		b.Release()
		p.Close()
		if cause := context.Cause(a.Context); !errors.Is(cause, errClosed) {
			t.Errorf("the lease's context ended with %v, want errClosed", cause)
		}
		if !s.conns[1].bye.Load() {
			t.Error("no goodbye on the idle connection")
		}
		synctest.Wait()
		a.Release()
		if !s.conns[0].dead.Load() || s.conns[0].bye.Load() {
			t.Error("the connection in use is not cut")
		}
		if _, err := p.Get(t.Context()); !errors.Is(err, errClosed) {
			t.Errorf("Get error %v, want errClosed", err)
		}
	})
}

func TestFailedDialsGiveTheirPlaceBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := server{err: errors.New("no route")}
		p := newPool(&s, 1)
		defer p.Close()
		for range 3 {
			if _, err := p.Get(t.Context()); !errors.Is(err, s.err) {
				t.Errorf("Get error %v, want %v", err, s.err)
			}
		}
		s.err = nil
		l := get(t, p)
		s.err = errors.New("no route")
		if err := l.Renew(); !errors.Is(err, s.err) {
			t.Errorf("Renew error %v", err)
		}
		s.err = nil
		l = get(t, p)
		if err := l.Renew(); err != nil || l.Conn.number != 2 || !s.conns[1].dead.Load() {
			t.Errorf("Renew gives %d, %v, want a new connection and the old one ended", l.Conn.number, err)
		}
		l.Release()
	})
}

// TestASuitableConnectionIsTakenFirst, although another was used later.
func TestASuitableConnectionIsTakenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s server
		p := newPool(&s, 3)
		defer p.Close()
		leases := []*pool.Lease[*conn]{get(t, p), get(t, p), get(t, p)}
		for _, l := range leases {
			l.Release()
		}
		for _, tt := range []struct{ suits, want int }{{1, 1}, {7, 2}, {0, 0}} {
			l, err := p.GetFor(t.Context(), func(c *conn) bool { return c.number == tt.suits })
			if err != nil {
				t.Fatal(err)
			}
			if l.Conn.number != tt.want {
				t.Errorf("the lease is of %d where %d suits, want %d", l.Conn.number, tt.suits, tt.want)
			}
			defer l.Release()
		}
	})
}
