package ews

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// What a server may set: more is not kept. Web servers refuse requests whose header
// has more than 16 KiB.
const (
	maxCookies     = 30
	maxCookie      = 4 << 10
	maxCookieBytes = 8 << 10 // of all of them
)

// affinity keeps the cookies that a server, or the load balancer before it, sets for
// the address of the service, and sends them there and nowhere else: by them requests
// come to the machine that has the mailbox and its subscriptions, whatever they are
// called there.
//
// Each Client has its own. It is about one mailbox, which is what every request names
// in X-AnchorMailbox, and Exchange's cookies lead to the machine of the mailbox that
// was named when they were set: shared among mailboxes or users, they would lead to the
// wrong one.
type affinity struct {
	endpoint *url.URL

	mu  sync.Mutex // of decisions about what is kept
	jar *cookiejar.Jar
}

func newAffinity(endpoint *url.URL) *affinity {
	jar, _ := cookiejar.New(nil) // it never fails
	return &affinity{endpoint: endpoint, jar: jar}
}

// keep takes the cookies of an answer: Domain, Path, Secure and the end of their lives
// are the jar's concern (RFC 6265 section 5).
func (a *affinity) keep(resp *http.Response) {
	if len(resp.Header["Set-Cookie"]) == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, cookie := range resp.Cookies() {
		if a.fits(cookie) {
			a.jar.SetCookies(a.endpoint, []*http.Cookie{cookie})
		}
	}
}

// fits reports whether a cookie is for the service, and there is room for it. One that
// would never be sent would not be counted either.
func (a *affinity) fits(cookie *http.Cookie) bool {
	size := len(cookie.Name) + len(cookie.Value)
	if size > maxCookie || cookie.Secure && a.endpoint.Scheme != "https" || !a.within(cookie) {
		return false
	}
	others := slices.DeleteFunc(a.jar.Cookies(a.endpoint), func(c *http.Cookie) bool { return c.Name == cookie.Name })
	for _, c := range others {
		size += len(c.Name) + len(c.Value)
	}
	return len(others) < maxCookies && size <= maxCookieBytes
}

// within reports whether the service is below the path of a cookie, for which the case
// of letters does not count, as it does not on the servers. In the cookie it is then
// as in the address.
func (a *affinity) within(cookie *http.Cookie) bool { //nolint:gosec // G124: it is the server that set it
	path, whole := cookie.Path, a.endpoint.Path
	if !strings.HasPrefix(path, "/") {
		return true // the default is that of the address
	}
	if len(path) > len(whole) || !strings.EqualFold(path, whole[:len(path)]) {
		return false
	}
	if !strings.HasSuffix(path, "/") && len(path) < len(whole) && whole[len(path)] != '/' {
		return false
	}
	cookie.Path = whole[:len(path)]
	return true
}

// with returns a request that has the cookies for where it goes.
func (a *affinity) with(req *http.Request) *http.Request {
	all := a.jar.Cookies(req.URL)
	if len(all) == 0 {
		return req
	}
	req = req.Clone(req.Context())
	for _, c := range all {
		req.AddCookie(c)
	}
	return req
}

// minCookie is how long a cookie is that is kept out of what is told. What is shorter
// is the number of a machine, and found in words that have nothing to do with it.
const minCookie = 8

// secrets returns the cookies that nobody else may have.
func (a *affinity) secrets() []string {
	if a == nil {
		return nil // of an answer that comes from no connection
	}
	var all []string
	for _, c := range a.jar.Cookies(a.endpoint) {
		if len(c.Value) >= minCookie {
			all = append(all, c.Value)
		}
	}
	return all
}
