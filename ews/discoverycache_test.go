package ews_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
)

// TestDiscoveryCache: what was found is found again without a question, until it is
// forgotten or too old.
func TestDiscoveryCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWeb(t)
		w.exchange(mail, ewstest.Options{NoAutodiscover: only("")})
		o := w.options()
		o.Host, o.Cache = mail, &ews.DiscoveryCache{TTL: time.Hour}
		asked := 0
		for i, step := range []func(){func() {}, func() { later(time.Hour - time.Second) }, func() { later(time.Second) }, func() { o.Cache.Forget(mailbox) }} {
			step()
			d, err := ews.Discover(t.Context(), mailbox, o)
			wantFound(t, d, err, ews.ByPath)
			if again := len(w.dialed) == asked; again != (i == 1) {
				t.Errorf("step %d: nobody was asked: %v", i, again)
			}
			asked = len(w.dialed)
		}
	})
}

// TestDiscoveryCacheTrustsAsItsUserDoes: what one caller's trust has led to is found by
// another one who trusts the same hosts, and not by one who does not.
func TestDiscoveryCacheTrustsAsItsUserDoes(t *testing.T) {
	w := newWeb(t)
	w.stub(auto+":443", sendTo("https://exchange.hoster.example/autodiscover/autodiscover.xml"))
	w.exchange(hoster, ewstest.Options{})
	cache, trusted := &ews.DiscoveryCache{}, w.authority.Client()
	anybody := func(context.Context, ews.Referral) bool { return true }
	nobody := func(context.Context, ews.Referral) bool { return false }
	for i, step := range []struct {
		change func(o *ews.DiscoverOptions)
		found  bool
		asked  bool // whether anybody was
	}{
		{func(o *ews.DiscoverOptions) { o.Trust = anybody }, true, true},
		{func(*ews.DiscoverOptions) {}, false, true},
		{func(o *ews.DiscoverOptions) { o.Trust = nobody }, false, true},
		{func(o *ews.DiscoverOptions) { o.Hosts = []string{"Hoster.example."} }, true, false},
		{func(o *ews.DiscoverOptions) { o.Trust = anybody }, true, false},
		{func(o *ews.DiscoverOptions) { o.Hosts = []string{"other.example"} }, false, true},
		{func(o *ews.DiscoverOptions) { o.Trust = anybody; o.TLS = w.authority.Client() }, true, true},
	} {
		o := w.options()
		o.Cache, o.TLS = cache, trusted
		step.change(o)
		before := len(w.dialed)
		d, err := ews.Discover(t.Context(), mailbox, o)
		if found := err == nil && d.Server.Host == hoster; found != step.found || !found && !errors.Is(err, ews.ErrNotDiscovered) {
			t.Errorf("step %d: Discover = %v, %v; want it found: %t", i, d, err, step.found)
		}
		if asked := len(w.dialed) > before; asked != step.asked {
			t.Errorf("step %d: somebody was asked: %t, want %t (%q)", i, asked, step.asked, w.dialed[before:])
		}
	}
}

// TestDiscoveryCacheIsItsOwn: what a caller does to the answer does not change the next
// one, and there may be no cache to forget in.
func TestDiscoveryCacheIsItsOwn(t *testing.T) {
	w := newWeb(t)
	w.exchange(mail, ewstest.Options{})
	o := w.options()
	o.Host, o.Cache = mail, &ews.DiscoveryCache{}
	for range 3 {
		d, err := ews.Discover(t.Context(), mailbox, o)
		wantFound(t, d, err, ews.ByJSON)
		if slices.ContainsFunc(d.Tried, func(try ews.DiscoveryTry) bool { return try.Way == "" }) {
			t.Errorf("the steps are %v, want them as they were", d.Tried)
		}
		clear(d.Tried)
	}
	var none *ews.DiscoveryCache
	none.Forget(mailbox)
}
