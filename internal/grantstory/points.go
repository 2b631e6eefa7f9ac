package grantstory

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"sync"

	"github.com/mailsession/mailsession/state"
)

// point is a place in a refresh, in the order in which a refresh comes by.
type point struct {
	name string
	// leases tells that the place exists under leases alone.
	leases bool
	// sent tells whether the server has done its work by then, kept whether
	// what it answered has been kept.
	sent, kept bool
}

// points are the places at which a process is killed. What a Store does within
// one change is its own tests' business: it leaves the old record or the new
// one.
func points() []point {
	return []point{
		{name: "before the lease is taken", leases: true},
		{name: "after the lease is taken", leases: true},
		{name: "before the claim", leases: true}, // see state.Guard
		{name: "after the claim", leases: true},
		{name: "before the mark"},
		{name: "after the mark"},
		{name: "before the request"},
		{name: "after the answer", sent: true},
		{name: "before the new token is kept", sent: true},
		{name: "after the new token is kept", sent: true, kept: true},
		{name: "before the lease is given back", leases: true, sent: true, kept: true},
		{name: "after the lease is given back", leases: true, sent: true, kept: true},
	}
}

// dying is a Store without locks whose process is killed at a point. It serves
// one refresh, which changes one thing after the other, while the lease may be
// renewed in the background at any time.
type dying struct {
	state.Store

	point string

	mu     sync.Mutex
	taken  bool // the lease
	marked bool // the record
}

// CompareAndSwap implements [state.Store].
func (d *dying) CompareAndSwap(ctx context.Context, k string, old state.Version, value []byte) (state.Version, error) {
	what := d.change(k, value)
	die("before "+what, d.point)
	v, err := d.Store.CompareAndSwap(ctx, k, old, value)
	die("after "+what, d.point)
	return v, err
}

// change says what a change of a record is for: that of the grant, or else that
// of its lease, which has no holder once it was given back. It goes by the value
// wherever it can, so that a renewal is never taken for anything else.
func (d *dying) change(k string, value []byte) string {
	var record struct {
		Pending json.RawMessage `json:"pending_since"`
		Holder  string          `json:"holder"`
	}
	// A value that is not JSON has no mark and no holder.
	_ = json.Unmarshal(value, &record)
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case k != key && record.Holder == "":
		return "the lease is given back"
	case k != key && d.taken:
		return "the lease is renewed"
	case k != key:
		d.taken = true
		return "the lease is taken"
	case record.Pending != nil:
		d.marked = true
		return "the mark"
	case d.marked:
		return "the new token is kept"
	default:
		return "the claim"
	}
}

// dyingTransport is a transport whose process is killed at a point.
type dyingTransport struct {
	http.RoundTripper

	point string
}

// RoundTrip implements [http.RoundTripper].
func (d dyingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	die("before the request", d.point)
	resp, err := d.RoundTripper.RoundTrip(r)
	die("after the answer", d.point)
	return resp, err
}

// die kills this process where it has reached the point.
func die(reached, at string) {
	if reached != at {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the kill arrives
}
