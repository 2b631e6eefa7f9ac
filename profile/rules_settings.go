package profile

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/state"
)

// address looks at an address of the web.
func (c *checker) address(field string, text String) {
	if text == "" || c.refers(string(text)) {
		return
	}
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		c.add(field, "it is not an address", `write one such as "https://login.example.com/…", without user and fragment`)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		c.add(field, "it is not encrypted", "use https")
	}
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// rest looks at the settings that have little to do with the others.
func (c *checker) rest() {
	p := c.p
	c.retry(p.Retry)
	if t := p.TLS; t != nil && (t.Certificate == "") != t.Key.IsZero() {
		c.add("tls/key", "a client's certificate and its key belong together", "give both or none")
	}
	if x := p.Proxy; x != nil {
		c.proxy(x)
	}
	if s := p.Store; s != nil && s.Key != "" && !c.refers(string(s.Key)) {
		if err := state.CheckKey(string(s.Key)); err != nil {
			c.add("store/key", c.cause(err, s.Key), "")
		}
	}
	if l := p.Limits; l != nil {
		for field, n := range map[string]Number{"connections": l.Connections, "pageSize": l.PageSize, "messagesPerMinute": l.MessagesPerMinute} {
			c.whole("limits/"+field, n, 1)
		}
	}
}

func (c *checker) proxy(x *Proxy) {
	if x.Environment == Yes && x.URL != "" {
		c.add("proxy/url", "the environment is to decide as well", "give one of the two")
	}
	if x.URL == "" && x.Environment == "" {
		c.add("proxy/url", "it is missing", "give the proxy's url, or set environment to true")
	}
	if x.User == "" && !x.Password.IsZero() {
		c.add("proxy/user", "it is missing, and there is a password", "give it")
	}
	if x.URL == "" || c.refers(string(x.URL)) {
		return
	}
	if err := (&proxy.Config{URL: string(x.URL)}).Check(); err != nil {
		c.add("proxy/url", strings.TrimPrefix(err.Error(), "proxy: "), `write one such as "http://proxy.example.com:3128"`)
	}
}

func (c *checker) retry(r *Retry) {
	if r == nil {
		return
	}
	for field, set := range map[string]bool{
		"statuses": len(r.Statuses) > 0, "count": r.Count != "", "wait": r.Wait != "", "factor": r.Factor != "", "maxWait": r.MaxWait != "",
	} {
		if set && (r.On == RetryNone || field == "statuses" && r.On != RetryStatus && !c.refers(string(r.On))) {
			c.add("retry/"+field, fmt.Sprintf("it means nothing with on: %q", orDefault(r.On, RetryAny)), "remove it, or choose another on")
		}
	}
	c.whole("retry/count", r.Count, 0)
	for i, s := range r.Statuses {
		if n, err := strconv.Atoi(string(s)); !c.refers(string(s)) && (err != nil || n < 100 || n > 599) {
			c.add(fmt.Sprintf("retry/statuses/%d", i), "it is not a status of HTTP", "write a number from 100 to 599")
		}
	}
	if f, err := strconv.ParseFloat(string(r.Factor), 64); r.Factor != "" && !c.refers(string(r.Factor)) && (err != nil || f < 1 || f > 1000) {
		c.add("retry/factor", "it is not a factor", "write a number from 1 to 1000")
	}
}

// whole looks at a number that has no fraction.
func (c *checker) whole(field string, n Number, least int) {
	if n == "" || c.refers(string(n)) {
		return
	}
	if i, err := strconv.Atoi(string(n)); err != nil || i < least || i > 1_000_000 {
		c.add(field, "it is not a number of things", fmt.Sprintf("write a whole number from %d to 1000000", least))
	}
}
