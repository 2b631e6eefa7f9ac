package ews_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/session"
)

// cookiesOf returns the cookies of a request.
func cookiesOf(request string) string {
	for line := range strings.SplitSeq(request, "\r\n") {
		if value, ok := strings.CutPrefix(line, "Cookie: "); ok {
			return value
		}
	}
	return ""
}

// setting has each answer set the cookies that are next, and keeps those that came with
// each request.
func setting(sets [][]string) (lb *between, came *[]string) {
	came = new([]string)
	return &between{answer: func(answer, request string) string {
		*came = append(*came, cookiesOf(request))
		lines := []string{}
		if n := len(*came); n <= len(sets) {
			for _, s := range sets[n-1] {
				lines = append(lines, "Set-Cookie: "+s)
			}
		}
		first, rest, _ := strings.Cut(answer, "\r\n")
		var kept []string
		for line := range strings.SplitSeq(rest, "\r\n") {
			if !strings.HasPrefix(line, "Set-Cookie: ") {
				kept = append(kept, line)
			}
		}
		return with(first+"\r\n"+strings.Join(kept, "\r\n"), lines...)
	}}, came
}

// TestCookies: whatever a server or a load balancer sets for the service is kept for as
// long as it says, also from the answer that asks to sign in, and nothing else is.
func TestCookies(t *testing.T) {
	const past = "; expires=Sat, 21-Nov-1998 10:00:00 GMT; path=/EWS; secure; HttpOnly"
	many := func(n, size int) (all []string) {
		for i := range n {
			all = append(all, fmt.Sprintf("c%d=%s", i, strings.Repeat("x", size)))
		}
		return all
	}
	for name, tt := range map[string]struct {
		sets  [][]string // by one answer after the other
		path  string
		after time.Duration
		want  string // in the last request
	}{
		"of the load balancer": {[][]string{{"AWSALB=stick; Path=/", "X-BackEndCookie=machine~1; path=/EWS; HttpOnly"}}, "", 0, "X-BackEndCookie=machine~1; AWSALB=stick"},
		"replaced":             {[][]string{{"a=1; path=/"}, {"a=2; path=/"}}, "", 0, "a=2"},
		"taken back by date":   {[][]string{{"a=1; path=/EWS"}, {"a=1" + strings.Replace(past, " secure;", "", 1)}}, "", 0, ""},
		"taken back by age":    {[][]string{{"a=1; path=/EWS"}, {"a=; Max-Age=0; path=/EWS"}}, "", 0, ""},
		"at its end":           {[][]string{{"a=1; Max-Age=60", "b=2; Max-Age=600"}}, "", 2 * time.Minute, "b=2"},
		"of another path":      {[][]string{{"a=1; path=/owa", "b=1; path=/EW", "c=1; path=/EWS/Exchange.asmx/x", "d=1; path=/EWS/"}}, "", 0, "d=1"},
		"in other letters":     {[][]string{{"a=1; path=/EWS"}}, "/ews/exchange.asmx", 0, "a=1"},
		"of another host":      {[][]string{{"a=1; domain=example.net", "b=1; domain=.host", "c=1; domain=localhost"}}, "", 0, "c=1"},
		"for https":            {[][]string{{"a=1; secure", "b=1"}}, "", 0, "b=1"},
		"too large":            {[][]string{{"a=" + strings.Repeat("x", 5000), "b=1"}}, "", 0, "b=1"},
		"too many":             {[][]string{many(100, 1)}, "", 0, strings.Join(many(30, 1), "; ")},
		"too much":             {[][]string{many(10, 2000), {"z=1"}}, "", 0, strings.Join(append(many(4, 2000), "z=1"), "; ")},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lb, came := setting(tt.sets)
				b := newBed(t, settings{
					server: ewstest.Options{Schemes: []string{ewstest.Basic}},
					client: ews.Options{Path: tt.path}, change: lb.stand,
				})
				for range 3 {
					if _, err := b.Count(t.Context(), session.Inbox); err != nil {
						t.Fatal(err)
					}
				}
				later(tt.after)
				if _, err := b.Count(t.Context(), session.Inbox); err != nil {
					t.Fatal(err)
				}
				if last := (*came)[len(*came)-1]; last != tt.want || (*came)[0] != "" {
					t.Errorf("the cookies of the first and the last request are %q and %q, want none and %q", (*came)[0], last, tt.want)
				}
			})
		})
	}
}

// TestCookiesAreOneMailboxsOwn: another Client of the same server has its own, and those
// that come with the question who is there go with the answer.
func TestCookiesAreOneMailboxsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lb, came := setting([][]string{{"stick=1"}})
		b := newBed(t, settings{server: ewstest.Options{Schemes: []string{ewstest.NTLM}}, change: lb.stand})
		if _, err := b.Count(t.Context(), session.Inbox); err != nil {
			t.Fatal(err)
		}
		if slices.Contains((*came)[1:], "") {
			t.Errorf("the cookies of the handshake are %q, want that of the first answer", *came)
		}
		before := len(*came)
		creds := session.Credentials{User: ann, Password: password()}
		other, err := ews.New(session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: lb.Dial}, creds, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Count(t.Context(), session.Inbox); err != nil || (*came)[before] != "" {
			t.Errorf("Count of another Client = %v with the cookie %q, want none", err, (*came)[before])
		}
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
}
