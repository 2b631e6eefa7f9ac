package wire

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
)

// Trace is told of the steps of making a connection, by those who make it: there
// is no second way of dialling for those who want to know. It comes with the
// context, as a [httptrace.ClientTrace] does, because several calls lie between
// who wants to know and who dials. Functions that are nil are not called; all
// must be safe for concurrent use.
type Trace struct {
	// Begin is called when a step begins: [StageDial] or [StageHandshake].
	Begin func(Stage)
	// Resolving and Resolved are called around the question for the addresses of
	// a name, by a [net.Dialer] alone. With a proxy the name is the proxy's.
	Resolving func(host string)
	Resolved  func(addresses []net.IPAddr, err error)
	// Tried is called for each address that a [net.Dialer] has tried, also for
	// those that came too late.
	Tried func(address string, err error)
	// Connected is called with the transport connection, Secured with the state
	// of the encryption.
	Connected func(net.Conn)
	Secured   func(tls.ConnectionState)
}

type traceKey struct{}

// WithTrace returns a context whose connections are told to t.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// traceOf returns the context's Trace, an empty one where it has none.
func traceOf(ctx context.Context) *Trace {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		return t
	}
	return &Trace{}
}

// watch has the standard library's dialler tell what it does. A token request
// under the same context is nobody's concern, so that this is for dialling
// alone.
func (t *Trace) watch(ctx context.Context) context.Context {
	if t.Resolving == nil && t.Resolved == nil && t.Tried == nil {
		return ctx
	}
	hooks := &httptrace.ClientTrace{}
	if t.Resolving != nil {
		hooks.DNSStart = func(i httptrace.DNSStartInfo) { t.Resolving(i.Host) }
	}
	if t.Resolved != nil {
		hooks.DNSDone = func(i httptrace.DNSDoneInfo) { t.Resolved(i.Addrs, i.Err) }
	}
	if t.Tried != nil {
		hooks.ConnectDone = func(_, address string, err error) { t.Tried(address, err) }
	}
	return httptrace.WithClientTrace(ctx, hooks)
}

func (t *Trace) begin(s Stage) {
	if t.Begin != nil {
		t.Begin(s)
	}
}

func (t *Trace) connected(nc net.Conn) {
	if t.Connected != nil {
		t.Connected(nc)
	}
}

func (t *Trace) secured(state tls.ConnectionState) {
	if t.Secured != nil {
		t.Secured(state)
	}
}
