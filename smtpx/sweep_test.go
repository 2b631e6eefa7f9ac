package smtpx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/racing"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// scissors cut the first connection after so many bytes in one direction. The
// server keeps what it got before.
type scissors struct {
	dial dialFunc
	up   bool // count what the client sends, else what the server says
	at   int

	mu   sync.Mutex
	made int
	cut  bool
}

func (s *scissors) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := s.dial(ctx, network, address)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.made++; err != nil || s.made > 1 {
		return c, err
	}
	return &cutConn{Conn: c, s: s, left: s.at}, nil
}

type cutConn struct {
	net.Conn

	s    *scissors
	left int
}

func (c *cutConn) take(n int) (taken int, last bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	taken = min(n, c.left)
	c.left -= taken
	if taken < n {
		c.s.cut = true
	}
	return taken, taken < n
}

func (c *cutConn) Write(p []byte) (int, error) {
	if !c.s.up {
		return c.Conn.Write(p)
	}
	n, last := c.take(len(p))
	n, err := c.Conn.Write(p[:n])
	if last {
		_ = c.Conn.Close()
		err = syscall.ECONNRESET
	}
	return n, err
}

func (c *cutConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if errors.Is(err, io.ErrClosedPipe) || errors.Is(err, net.ErrClosed) {
		err = syscall.ECONNRESET
	}
	if c.s.up {
		return n, err
	}
	n, last := c.take(n)
	if last {
		_ = c.Conn.Close()
		err = syscall.ECONNRESET
	}
	return n, err
}

// Wherever the line is cut, after each byte and each seventh, nothing is said to be not sent that the server has,
// and nothing accepted that it has not; and nothing that is tried again arrives
// twice.
func TestCutAfterEachByte(t *testing.T) {
	for name, extensions := range offers() {
		for _, window := range []int{1, 2, 4} {
			for _, up := range []bool{true, false} {
				for _, again := range []int{-1, 1} {
					t.Run(fmt.Sprintf("%s, window %d, from the client %t, again %d", name, window, up, again), func(t *testing.T) {
						cutAfterEachByte(t, extensions, window, up, again)
					})
				}
			}
		}
	}
}

func cutAfterEachByte(t *testing.T, extensions []string, window int, up bool, again int) {
	t.Helper()
	const messages = 6
	seen := map[session.SendOutcome]int{}
	at, step := 0, 7
	switch {
	case racing.Enabled:
		step = 23 // some places of each command
	case window > 2 && again < 0:
		step = 1
	}
	for cut := true; cut; at += step {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Extensions: extensions})
			shears := &scissors{dial: s.Dial, up: up, at: at}
			server := inMemory(s)
			server.Dial = shears.Dial
			c, err := smtpx.New(server, withPassword(), &smtpx.Options{
				MaxConnections: 1, Window: window, Retry: smtpx.Retry{Count: again}, Logger: testlog.Logger(testlog.New(t)),
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			all, errs, taken := outcomes{}, []error(nil), messages
			for r, err := range c.SendAll(t.Context(), circulars(messages), nil) {
				if _, own := errors.AsType[*session.SendError](err); err != nil && !own {
					if again > 0 || !session.Temporary(err) {
						t.Error(err)
					}
					taken = len(all) // there is no connection, and none is tried again
					continue
				}
				all[r.Key] = r
				if err != nil {
					errs = append(errs, err)
				}
			}
			synctest.Wait()
			checkTruth(t, s, all, taken)
			n := count(all)
			if again > 0 && n[session.NotSent] > 0 {
				t.Errorf("%v, want nothing that is not sent after another try: %v", n, errs)
			}
			for o, k := range n {
				seen[o] += k
			}
			cut = shears.cut
		})
		if t.Failed() {
			t.Fatalf("the line was cut after %d bytes", at)
		}
	}
	if seen[session.Accepted] == 0 || again < 0 && seen[session.NotSent] == 0 || !up && seen[session.SentUnknown] == 0 || at < 200 {
		t.Errorf("%d bytes gave %v, want several of each", at, seen)
	}
}
