package smtpx_test

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// outage has dialling fail from one moment to another, and counts how often it does.
type outage struct {
	dial     dialFunc
	err      error
	from, to time.Time
	n        int // at most one connection is used in the tests that look at it
}

func (o *outage) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if now := time.Now(); now.Before(o.from) || !now.Before(o.to) {
		return o.dial(ctx, network, address)
	}
	o.n++
	return nil, &net.OpError{Op: "dial", Net: network, Err: o.err}
}

// unreachable are reasons for which nobody is reached.
func unreachable() map[string]error {
	return map[string]error{
		"refused":      os.NewSyscallError("connect", syscall.ECONNREFUSED),
		"no such name": &net.DNSError{Err: "no such host", Name: "mail.example.com", IsNotFound: true},
	}
}

// long is a Retry that is not used up within minutes.
func long() smtpx.Retry { return smtpx.Retry{Count: 8} }

// A bulk outlasts ten minutes in which there is no server: it tries to connect now and
// then, once for all messages, and every one of them arrives at its first try.
func TestABulkWithoutAServer(t *testing.T) {
	const messages = 5000
	for name, cause := range unreachable() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				server := inMemory(s)
				o := &outage{dial: s.Dial, err: cause, to: time.Now().Add(10 * time.Minute)}
				server.Dial = o.Dial
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1, Retry: long()})
				start := time.Now()
				all, err := sendAll(t, c, circulars(messages), nil)
				if n := count(all)[session.Accepted]; err != nil || n != messages {
					t.Errorf("SendAll = %v, %v, want all %d accepted", count(all), err, messages)
				}
				if took := time.Since(start); took < 10*time.Minute || took > 15*time.Minute || o.n > 7 {
					t.Errorf("it took %v and %d connects that failed, want it soon after 10m and 7 at most", took, o.n)
				}
				for key, r := range all {
					if r.Tries != 1 {
						t.Errorf("message %s took %d tries, want 1", key, r.Tries)
						break
					}
				}
				checkTruth(t, s, all, messages)
			})
		})
	}
}

// The same in the middle of a bulk: what is on its way when the line breaks is told as it
// is, and everything else waits.
func TestAServerThatGoesDuringABulk(t *testing.T) {
	const messages = 500
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				fault := mailtest.Drop("MAIL", 0)
				fault.Skip = 100
				s.Inject(fault)
				server := inMemory(s)
				o := &outage{dial: s.Dial, err: syscall.ECONNREFUSED, from: time.Now().Add(time.Millisecond), to: time.Now().Add(10 * time.Minute)}
				server.Dial = distant(o.Dial, 10*time.Millisecond)
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1, Retry: long()})
				all, err := sendAll(t, c, circulars(messages), nil)
				n := count(all)
				if err != nil || n[session.NotSent] != 0 || n[session.SentUnknown] > 2*smtpx.DefaultWindow || o.n == 0 || o.n > 8 {
					t.Errorf("SendAll = %v, %v after %d connects that failed, want nothing unsent after 1 to 8", n, err, o.n)
				}
				checkTruth(t, s, all, messages)
			})
		})
	}
}

// Where the server stays away the bulk ends as at any lasting refusal, with the error of
// its last connect, and everything that was taken is told once.
func TestAServerThatStaysAway(t *testing.T) {
	for name, tt := range map[string]struct {
		retry    smtpx.Retry
		connects int
		after    time.Duration // without what chance takes off
	}{
		"the default": {smtpx.Retry{}, 4, 65 * time.Second},
		"once more":   {smtpx.Retry{Count: 1, Initial: time.Minute}, 2, time.Minute},
		"never again": {smtpx.Retry{Count: -1}, 1, 0},
	} {
		for what, cause := range unreachable() {
			t.Run(name+", "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, nil)
					server := inMemory(s)
					o := &outage{err: cause, to: time.Now().Add(time.Hour)}
					server.Dial = o.Dial
					c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1, Retry: tt.retry})
					taken, start := 0, time.Now()
					opts := &session.BulkOptions{Progress: func(p session.BulkProgress) { taken = p.Taken }}
					all, why := sendAll(t, c, circulars(5000), opts)
					if !errors.Is(why, cause) || o.n != tt.connects {
						t.Errorf("SendAll ended in %v after %d connects, want %v after %d", why, o.n, cause, tt.connects)
					}
					if took := time.Since(start); took > tt.after || took < tt.after*8/10 {
						t.Errorf("it took %v, want %v less what chance takes off", took, tt.after)
					}
					if n := count(all)[session.NotSent]; n != taken || taken == 0 || taken == 5000 {
						t.Errorf("%d of %d that were taken are not sent, want all of these, and not the whole input", n, taken)
					}
				})
			})
		}
	}
}

// Several connections fail together: the connects that were begun at once count as one,
// and from then on there is one at a time.
func TestConnectsFailTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		s.Inject(mailtest.Bye(mailtest.Greeting, "421 4.3.2 closing down").Repeating(-1))
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 5})
		_, why := sendAll(t, c, circulars(1000), nil)
		if made, _ := s.Connections(); !session.Temporary(why) || made < 4 || made > 5+3 {
			t.Errorf("SendAll ended in %v after %d connects, want the 421 after 4 to 8", why, made)
		}
		s.Heal()
		mustSend(t, c)
	})
}

// A server that lets in but one at a time, in words that want no pause, is not one that
// is out of reach.
func TestOneConnectionOfSeveral(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				f := mailtest.Bye(mailtest.Greeting, "421 4.3.2 busy").Repeating(-1)
				f.Skip = 1
				s.Inject(f)
				server := inMemory(s)
				server.Dial = distant(s.Dial, 100*time.Millisecond)
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 4, Retry: smtpx.Retry{Count: -1}})
				all, err := sendAll(t, c, circulars(1000), nil)
				if err != nil || count(all)[session.Accepted] != 1000 {
					t.Errorf("SendAll = %v, %v, want all accepted over the one connection", count(all), err)
				}
				checkTruth(t, s, all, 1000)
				s.Heal()
			})
		})
	}
}

// places lets in so many connections at a time.
type places struct {
	dial dialFunc
	free atomic.Int32
}

func (p *places) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if p.free.Add(-1) < 0 {
		p.free.Add(1)
		return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
	}
	c, err := p.dial(ctx, network, address)
	return &placed{Conn: c, leave: sync.OnceFunc(func() { p.free.Add(1) })}, err
}

// placed is a connection that has one of the places.
type placed struct {
	net.Conn

	leave func()
}

func (p *placed) Close() error {
	p.leave()
	return p.Conn.Close()
}

// Nobody waits for a place that is free: where a connection has come to its end, another
// one is made at once, whatever became of those that were too many.
func TestAPlaceThatIsFree(t *testing.T) {
	bounds := map[string]time.Duration{"a window": 22 * time.Second, "PIPELINING alone": 64 * time.Second, "one after the other": 209 * time.Second}
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				p := &places{dial: distant(s.Dial, 100*time.Millisecond)}
				p.free.Store(2)
				server := inMemory(s)
				server.Dial = p.Dial
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 3, MessagesPerConnection: 20})
				start := time.Now()
				all, err := sendAll(t, c, circulars(1000), nil)
				if took := time.Since(start); err != nil || count(all)[session.Accepted] != 1000 || took > bounds[name] {
					t.Errorf("SendAll = %v, %v after %v, want all accepted without a wait", count(all), err, took)
				}
				_ = c.Close()
				pass(time.Second) // what is still on its way arrives
			})
		})
	}
}

// Whoever leaves the loop, or ends the context, does not wait for the server. A context
// that ends before the next connect ends the bulk with the last one's error.
func TestTheEndOfABulkThatWaits(t *testing.T) {
	for name, end := range map[string]func(cancel func()) (ended time.Duration, why error){
		"cancelled": func(cancel func()) (time.Duration, error) {
			time.AfterFunc(30*time.Second, cancel)
			return 30 * time.Second, context.Canceled
		},
		"closed":     func(func()) (time.Duration, error) { return 30 * time.Second, session.ErrClosed },
		"a deadline": func(func()) (time.Duration, error) { return 0, syscall.ECONNREFUSED },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := inMemory(newServer(t, nil))
				server.Dial = (&outage{err: syscall.ECONNREFUSED, to: time.Now().Add(time.Hour)}).Dial
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1, Retry: smtpx.Retry{Initial: time.Minute}})
				bound := time.Hour
				if name == "a deadline" {
					bound = 30 * time.Second
				}
				ctx, cancel := context.WithTimeout(t.Context(), bound)
				defer cancel()
				after, want := end(cancel)
				if errors.Is(want, session.ErrClosed) {
					time.AfterFunc(after, func() { _ = c.Close() })
				}
				start := time.Now()
				var why error
				for _, err := range c.SendAll(ctx, circulars(100), nil) {
					why = err
				}
				if took := time.Since(start); !errors.Is(why, want) || took != after {
					t.Errorf("SendAll ended in %v after %v, want %v after %v", why, took, want, after)
				}
			})
		})
	}
}

// Break does not wait for the server either. The first result is that of a message that
// can never be sent.
func TestBreakWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := inMemory(newServer(t, nil))
		o := &outage{err: syscall.ECONNREFUSED, to: time.Now().Add(time.Hour)}
		server.Dial = o.Dial
		c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1, Retry: smtpx.Retry{Initial: time.Minute}})
		input := func(yield func(session.Mail) bool) {
			if yield(circular(0, bob)) {
				synctest.Wait() // its connect has failed
				yield(circular(1, "no address"))
			}
		}
		start := time.Now()
		for r, err := range c.SendAll(t.Context(), input, nil) {
			if r.Key != "1" || err == nil {
				t.Errorf("the first result is of message %s, %v, want the error of 1", r.Key, err)
			}
			break
		}
		if took := time.Since(start); took != 0 || o.n != 1 {
			t.Errorf("it took %v and %d connects, want no time and one", took, o.n)
		}
	})
}

// What was to be sent and met nobody does not count against one's own rate.
func TestNoRateWithoutAServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		server := inMemory(s)
		server.Dial = (&outage{dial: s.Dial, err: syscall.ECONNREFUSED, to: time.Now().Add(10 * time.Minute)}).Dial
		c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1, Retry: long(), Rate: smtpx.Rate{Messages: 2, Recipients: 2, Per: 24 * time.Hour}})
		start := time.Now()
		all, err := sendAll(t, c, circulars(2), nil)
		if took := time.Since(start); err != nil || count(all)[session.Accepted] != 2 || took > time.Hour {
			t.Errorf("SendAll = %v, %v after %v, want both accepted within the hour", count(all), err, took)
		}
	})
}

// A server that wants a sign-in of everybody ends a bulk at the first message that it
// says so of, on a connection that did nothing before.
func TestASignInThatIsWanted(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				s.Inject(mailtest.Reply("MAIL", "530 5.7.0 Authentication required").Repeating(-1))
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1})
				taken := 0
				opts := &session.BulkOptions{Progress: func(p session.BulkProgress) { taken = p.Taken }}
				all, why := sendAll(t, c, circulars(1000), opts)
				e, ok := errors.AsType[*smtpx.Error](why)
				if !ok || e.Code != 530 || count(all)[session.NotSent] != taken || taken == 1000 {
					t.Errorf("SendAll = %v of %d, %v, want those that were taken not sent, and the 530", count(all), taken, why)
				}
				made, _ := s.Connections()
				asked := 0
				for _, c := range s.Commands() {
					if c.Name == "MAIL" {
						asked++
					}
				}
				if made != 1 || asked != 1 {
					t.Errorf("%d connections and %d MAILs, want one of each", made, asked)
				}
				s.Heal()
			})
		})
	}
}
