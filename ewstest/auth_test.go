package ewstest_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestBasicAndTokensSignIn(t *testing.T) {
	b := newBed(t, nil)
	for _, in := range []struct {
		name, value string
		status      int
	}{
		{"nothing", "", 401},
		{"a token", "Bearer " + token, 200},
		{"a wrong token", "Bearer wrong-horse", 401},
		{"an unknown scheme", "Digest horse", 401},
	} {
		b.authorize = func(r *http.Request) {
			if in.value != "" {
				r.Header.Set("Authorization", in.value)
			}
		}
		r := b.ask(getFolder("IdOnly", known("inbox")))
		if r.status != in.status {
			t.Errorf("%s: status = %d, want %d", in.name, r.status, in.status)
		}
		if offered := r.header.Values("WWW-Authenticate"); in.value == "" && len(offered) != 3 {
			t.Errorf("%s: %q are offered, want three schemes", in.name, offered)
		}
	}
	b.authorize = func(r *http.Request) { r.SetBasicAuth(`EXAMPLE\ann`, password) }
	b.ask(getFolder("IdOnly", known("inbox"))).want(200)
	b.authorize = func(r *http.Request) { r.SetBasicAuth(ann, "wrong horse") }
	b.ask(getFolder("IdOnly", known("inbox"))).want(401)
	for _, r := range b.server.Requests() {
		if strings.Contains(r.Header.Get("Authorization"), "horse") {
			t.Errorf("a request is kept with %q", r.Header.Get("Authorization"))
		}
	}
}

func TestAnExpiredTokenIsRefusedFromThenOn(t *testing.T) {
	b := newBed(t, nil)
	b.authorize = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+token) }
	b.server.Inject(mailtest.Expire("FindItem"))
	b.ask(getFolder("IdOnly", known("inbox"))).want(200)
	b.ask(findItem("IdOnly", "", "", known("inbox"))).want(401)
	b.ask(getFolder("IdOnly", known("inbox"))).want(401)
	if n := b.server.Pending(); n != 0 {
		t.Errorf("Pending() = %d, want 0", n)
	}
}

func TestThePathMatters(t *testing.T) {
	b := newBed(t, nil)
	b.do(http.MethodGet, "http://mail.example.com"+strings.ToLower(ewstest.Path), "").want(200)
	b.do(http.MethodGet, "http://mail.example.com/owa", "").want(404)
}
