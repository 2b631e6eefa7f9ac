package ews_test

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/session"
)

// forgetful is a server that takes its cookie back.
type forgetful struct {
	http.RoundTripper

	cookies *[]string // that came
	set     *[]string // that are set, one an answer
}

func (r forgetful) RoundTrip(req *http.Request) (*http.Response, error) {
	*r.cookies = append(*r.cookies, req.Header.Get("Cookie"))
	resp, err := r.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Header.Del("Set-Cookie")
		if len(*r.set) > 0 {
			resp.Header.Set("Set-Cookie", (*r.set)[0])
			*r.set = (*r.set)[1:]
		}
	}
	return resp, err
}

// TestCookiesThatAreTakenBack: where the mailbox went to another machine, the server
// takes back the cookie that leads to the old one.
func TestCookiesThatAreTakenBack(t *testing.T) {
	const past = "; expires=Sat, 21-Nov-1998 10:00:00 GMT; path=/EWS; secure; HttpOnly"
	for name, ends := range map[string]string{
		"by its date": "X-BackEndCookie=machine~1" + past, "empty": "X-BackEndCookie=" + past, "by its age": "X-BackEndCookie=machine~1; Max-Age=0",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cookies []string
				set := []string{"X-BackEndCookie=machine~1; path=/EWS", ends}
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: []string{ewstest.Basic}},
					client: ews.Options{Authenticate: func(connection http.RoundTripper) http.RoundTripper {
						return forgetful{signed{connection}, &cookies, &set}
					}},
				})
				for range 3 {
					if _, err := b.Count(t.Context(), session.Inbox); err != nil {
						t.Fatal(err)
					}
				}
				if len(cookies) < 3 || cookies[0] != "" || cookies[1] != "X-BackEndCookie=machine~1" || slices.ContainsFunc(cookies[2:], func(c string) bool { return c != "" }) {
					t.Errorf("the cookies of the requests are %q, want one in the second request alone", cookies)
				}
			})
		})
	}
}
