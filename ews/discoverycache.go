package ews

import (
	"cmp"
	"context"
	"crypto/tls"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// DiscoveryCache keeps what was found for a while. The zero value works, also for
// several goroutines. Who uses one cache may differ in whom it trusts: what was found
// by way of a host is found by those who would have gone there too, for which
// [DiscoverOptions.Trust] is asked again, and whose [DiscoverOptions.TLS] is the same
// value.
type DiscoveryCache struct {
	// TTL is how long it is kept; zero means [DefaultDiscoveryTTL]. It is not to be
	// changed once the cache is in use.
	TTL time.Duration

	mu    sync.Mutex // never held while the program is asked
	found map[discoveryKey]discovery
}

// discoveryKey is what an answer is to.
type discoveryKey struct{ address, host string } // in small letters

// discovery is what was found, and who was believed on the way.
type discovery struct {
	Discovered

	tls    *tls.Config // by which hosts showed who they are
	relied []Referral
}

// key returns under which name an answer to the question is kept.
func (o *DiscoverOptions) key(address string) discoveryKey {
	return discoveryKey{strings.ToLower(address), strings.ToLower(o.Host)}
}

// load returns what was found by way of hosts that d trusts too.
func (c *DiscoveryCache) load(ctx context.Context, key discoveryKey, d *discoverer) (Discovered, bool) {
	if c == nil {
		return Discovered{}, false
	}
	c.mu.Lock()
	kept, ok := c.found[key]
	if ok && time.Since(kept.At) >= cmp.Or(c.TTL, DefaultDiscoveryTTL) {
		delete(c.found, key)
		ok = false
	}
	c.mu.Unlock()
	ok = ok && kept.tls == d.opts.TLS && !slices.ContainsFunc(kept.relied, func(r Referral) bool { return !d.trust(ctx, r) })
	kept.Tried = slices.Clone(kept.Tried)
	return kept.Discovered, ok
}

func (c *DiscoveryCache) store(key discoveryKey, found Discovered, d *discoverer) {
	if c == nil {
		return
	}
	found.Tried = slices.Clone(found.Tried)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.found == nil {
		c.found = map[discoveryKey]discovery{}
	}
	c.found[key] = discovery{found, d.opts.TLS, d.relied}
}

// Forget drops what is known of an address, as is to be done where the mailbox is not
// there any more. A nil cache knows nothing.
func (c *DiscoveryCache) Forget(address string) {
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	maps.DeleteFunc(c.found, func(key discoveryKey, _ discovery) bool { return strings.EqualFold(key.address, address) })
}
