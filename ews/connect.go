package ews

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// connect makes a connection that is signed in.
func (c *Client) connect(ctx context.Context) (_ *conn, err error) {
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews.connect", slog.String("server", c.address))
	defer func() { end(err) }()
	login := backend.Login[*conn]{Attempt: c.dial, Refused: refusedSignIn, Remedy: remedy}
	cn, err := login.Connect(ctx, c.setup.Credentials, c.server, c.address)
	if err != nil {
		return nil, err
	}
	known := cn.version // every answer tells it again
	c.version.Store(&known)
	_, encrypted := cn.wire.TLS()
	c.log.DebugContext(ctx, "ews connected", "server", c.address, "user", c.setup.Credentials.User, "encrypted", encrypted, "version", cn.version.String())
	return cn, nil
}

// dial makes a connection and signs in on it.
func (c *Client) dial(ctx context.Context, creds sasl.Credentials) (*conn, error) {
	cn, err := newConn(ctx, creds.User, c.wire)
	if err != nil {
		return nil, err
	}
	cn.secrets, cn.cookies, cn.epoch = secretsOf(creds), c.affinity, c.epoch.Load()
	cn.retired = func() bool { return c.epoch.Load() != cn.epoch }
	if v := c.version.Load(); v != nil {
		cn.version = *v
	}
	cn.unbind = cn.wire.Bind(ctx)
	err = c.open(ctx, cn, creds)
	cn.unbind()
	if err != nil {
		cn.wire.Kill(session.ErrClosed)
		return nil, err
	}
	return cn, nil
}

// wire makes a connection that nobody has signed in on.
func (c *Client) wire(ctx context.Context) (*wire.Conn, error) {
	plain := c.server
	plain.Transcript = nil // requests are written down, not bytes
	plain.TLS = overHTTP1(plain.TLS)
	w, err := wire.Dial(ctx, backend.Wire(plain, ports(), nil, sasl.Credentials{}))
	if err != nil {
		return nil, backend.Connecting(c.address, err)
	}
	return w, nil
}

// overHTTP1 returns settings of TLS that offer no other protocol than HTTP/1.1: those of
// a program may be made for HTTP/2, by which nobody can sign in by NTLM.
func overHTTP1(t *tls.Config) *tls.Config {
	if t == nil || len(t.NextProtos) == 0 {
		return t
	}
	t = t.Clone()
	t.NextProtos = nil
	return t
}

// open signs in on a connection.
func (c *Client) open(ctx context.Context, cn *conn, creds sasl.Credentials) error {
	stages := backend.StagesOf(ctx)
	if stages != nil {
		if err := c.greet(ctx, cn, stages); err != nil {
			return err
		}
	}
	stages.Enter(session.StageSignIn)
	cn.enter(wire.StageAuth)
	leave, err := c.gate.enter(ctx, creds)
	if err != nil {
		return err
	}
	err = c.signIn(ctx, cn, creds)
	leave(err)
	if refusedSignIn(err) {
		c.retire(cn)
	}
	if err != nil {
		return err
	}
	stages.Detail(session.StageSignIn, "mechanism", cn.mechanism)
	stages.Detail(session.StageSignIn, "version", cn.version.String())
	return nil
}

// retire has no connection used again that was signed in before this one was refused:
// a password that was changed would be shown once more on each of them, and accounts
// are locked after a few wrong ones.
func (c *Client) retire(cn *conn) {
	c.gate.doubt()
	c.epoch.CompareAndSwap(cn.epoch, cn.epoch+1)
}

// gate lets one sign-in after the other through for as long as nobody knows whether the
// credentials are good. Calls that began before they were refused share the refusal, so
// that what is wrong is shown to the server once, and not on every connection, nor by
// every call that waits for one.
type gate struct {
	turn chan struct{} // holds one element while somebody signs in

	mu       sync.Mutex // never held during I/O
	good     bool       // the last sign-in succeeded
	at       time.Time  // when that was
	refusals int
	refused  sasl.Credentials // the last ones
	refusal  error
}

func newGate() *gate { return &gate{turn: make(chan struct{}, 1)} }

// doubt has the next sign-ins go one by one.
func (g *gate) doubt() {
	g.mu.Lock()
	g.good = false
	g.mu.Unlock()
}

// goodFor is for how long credentials count as good without a doubt after a sign-in: a
// password may be changed while nobody signs in.
const goodFor = 10 * time.Second

// callKey is the key of how many refusals there were when a call began.
type callKey struct{}

// begin returns the context of a call, which shares the refusals that come from now on.
func (g *gate) begin(ctx context.Context) context.Context {
	g.mu.Lock()
	defer g.mu.Unlock()
	return context.WithValue(ctx, callKey{}, g.refusals)
}

// isGood reports whether the last sign-in succeeded.
func (g *gate) isGood() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.good
}

// enter waits for its turn. The error is the refusal of the same credentials since the
// call began, or that of ctx. Leave is told how the sign-in went.
func (g *gate) enter(ctx context.Context, creds sasl.Credentials) (leave func(error), err error) {
	g.mu.Lock()
	good, now := g.good && time.Since(g.at) < goodFor, g.refusals
	g.mu.Unlock()
	seen, called := ctx.Value(callKey{}).(int)
	if !called {
		seen = now
	}
	if err := g.since(seen, creds); err != nil {
		return nil, err
	}
	if good {
		return func(err error) { g.note(creds, err) }, nil
	}
	select {
	case g.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("sign in: %w", retry.Ended(ctx))
	}
	if err := g.since(seen, creds); err != nil {
		<-g.turn
		return nil, err
	}
	return func(err error) {
		g.note(creds, err)
		<-g.turn
	}, nil
}

// since returns the refusal of credentials after so many, nil where they were found to be
// good again.
func (g *gate) since(seen int, creds sasl.Credentials) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refusals != seen && g.sameAsRefused(creds) {
		return g.refusal
	}
	return nil
}

// sameAsRefused is for who holds the lock.
func (g *gate) sameAsRefused(creds sasl.Credentials) bool {
	return g.refused.Password.Equal(creds.Password) && g.refused.Token.Equal(creds.Token)
}

// note takes note of how a sign-in went.
func (g *gate) note(creds sasl.Credentials, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case err == nil:
		g.good, g.at = true, time.Now()
		if g.sameAsRefused(creds) {
			g.refusal = nil
		}
	case refusedSignIn(err):
		g.good = false
		g.refusals++
		g.refused, g.refusal = creds, err
	}
}
