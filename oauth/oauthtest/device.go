package oauthtest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// deviceGrant is the grant_type of a device code (RFC 8628 section 3.4).
const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// device is a device code.
type device struct {
	userCode string
	client   string
	scopes   []string
	interval time.Duration
	expires  time.Time
	asked    time.Time // when the program last asked for the tokens
	family   *family   // nil until somebody approves
	denied   bool
	used     bool
}

// serveDevice is the device authorization endpoint (RFC 8628 section 3.1).
func (s *Server) serveDevice(w http.ResponseWriter, r *http.Request) {
	client, no := s.authenticate(r)
	if no == nil {
		no = s.checkScopes(r.PostForm.Get("scope"))
	}
	if no != nil {
		writeRefusal(w, no)
		return
	}
	s.mu.Lock()
	code := s.random("dc-")
	d := &device{
		userCode: rand.Text()[:4] + "-" + rand.Text()[:4],
		client:   client.ID, scopes: s.granted(r.PostForm.Get("scope")),
		interval: s.opts.DeviceInterval, expires: time.Now().Add(s.opts.DeviceLifetime),
	}
	s.devices[code] = d
	s.mu.Unlock()
	page := s.base + VerifyPath
	answer := map[string]any{
		"device_code": code, "user_code": d.userCode, "verification_uri": page,
		"verification_uri_complete": page + "?user_code=" + url.QueryEscape(d.userCode),
		"expires_in":                int64(s.opts.DeviceLifetime / time.Second),
	}
	if d.interval != defaultInterval {
		answer["interval"] = int64(d.interval / time.Second)
	}
	writeJSON(w, http.StatusOK, answer)
}

// deviceByUserCode returns the device with a user code that is still good. The
// caller holds the lock.
func (s *Server) deviceByUserCode(userCode string) *device {
	for _, d := range s.devices {
		if strings.EqualFold(d.userCode, strings.TrimSpace(userCode)) && time.Now().Before(d.expires) {
			return d
		}
	}
	return nil
}

// Approve plays the user who enters the code of a device sign-in and agrees. It
// fails where no account has that address and where the code is not good.
func (s *Server) Approve(userCode, email string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	account, ok := s.account(email)
	d := s.deviceByUserCode(userCode)
	switch {
	case !ok:
		return fmt.Errorf("oauthtest: no account %s", email)
	case d == nil:
		return fmt.Errorf("oauthtest: no device waits with the code %q", userCode)
	}
	d.family = &family{account: account, client: d.client, scopes: slices.Clone(d.scopes)}
	return nil
}

// Deny plays the user who enters the code of a device sign-in and declines.
func (s *Server) Deny(userCode string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.deviceByUserCode(userCode)
	if d == nil {
		return fmt.Errorf("oauthtest: no device waits with the code %q", userCode)
	}
	d.denied = true
	return nil
}

// serveVerify is the page at which a user enters the code: it asks for the
// code, then who signs in, and then approves.
func (s *Server) serveVerify(w http.ResponseWriter, r *http.Request) {
	userCode, email := r.Form.Get("user_code"), r.Form.Get("login_hint")
	s.mu.Lock()
	known := s.deviceByUserCode(userCode) != nil
	s.mu.Unlock()
	switch {
	case userCode == "":
		render(w, codePage, nil)
	case !known:
		http.Error(w, "the code is not known or has expired", http.StatusBadRequest)
	case email == "":
		s.choose(w, r)
	default:
		if err := s.Approve(userCode, email); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		render(w, donePage, nil)
	}
}

// redeemDevice answers a device code (RFC 8628 section 3.5). The caller holds
// the lock.
func (s *Server) redeemDevice(client Client, form url.Values) (map[string]any, *refusal) {
	d := s.devices[form.Get("device_code")]
	now := time.Now()
	switch {
	case d == nil || d.client != client.ID || d.used:
		return nil, refuse("invalid_grant", "the device code is not known or was used before")
	case !now.Before(d.expires):
		return nil, refuse("expired_token", "the device code has expired")
	case d.denied:
		return nil, refuse("access_denied", "the user declined")
	case d.family == nil && !d.asked.IsZero() && now.Sub(d.asked) < d.interval:
		d.asked, d.interval = now, d.interval+defaultInterval
		return nil, refuse("slow_down", "the device asks too often")
	case d.family == nil:
		d.asked = now
		return nil, refuse("authorization_pending", "the user has not finished")
	}
	return s.firstAnswer(d.family, form, func() { d.used = true })
}

const codePage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in a device</title></head><body><h1>Which code does your device show?</h1>
<form method="get"><input name="user_code" autofocus><button>Continue</button></form></body></html>
`

const donePage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Signed in</title></head>
<body><h1>Your device is signed in</h1></body></html>
`
