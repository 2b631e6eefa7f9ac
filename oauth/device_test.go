package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// device signs in with a device code; user is what the user does, in a
// goroutine, once the code is shown.
func (b *bed) device(o *oauth.DeviceOptions, user func(d oauth.DeviceCode)) (*oauth.Grant, error) {
	b.t.Helper()
	b.cfg.Endpoint.DeviceURL = b.srv.DeviceURL()
	options := oauth.DeviceOptions{}
	if o != nil {
		options = *o
	}
	done := make(chan struct{})
	shown := false
	options.Show = func(_ context.Context, d oauth.DeviceCode) error {
		shown = true
		go func() {
			defer close(done)
			if user != nil {
				user(d)
			}
		}()
		return nil
	}
	grant, err := oauth.SignInDevice(b.t.Context(), b.cfg, &options)
	if shown {
		<-done
	}
	return grant, err
}

// approveAfter has the default user approve after a while.
func (b *bed) approveAfter(wait time.Duration) func(oauth.DeviceCode) {
	return func(d oauth.DeviceCode) {
		let(wait)
		if err := b.srv.Approve(d.UserCode, oauthtest.DefaultEmail); err != nil {
			b.t.Errorf("Approve: %v", err)
		}
	}
}

// polls returns the number of requests with a device code.
func (b *bed) polls() int {
	n := 0
	for _, r := range b.srv.Log() {
		if strings.HasSuffix(r.Form["grant_type"], ":device_code") {
			n++
		}
	}
	return n
}

func TestSignInWithADevice(t *testing.T) {
	inBubble(t, oauthtest.Options{MailScopes: []string{mailScope}, Rotation: oauthtest.RotateAlways}, func(b *bed) {
		store := state.NewMemory()
		keep := &oauth.Keep{Store: store, Key: "grant/ann"}
		start := time.Now()
		grant, err := b.device(&oauth.DeviceOptions{Keep: keep}, b.approveAfter(time.Minute+time.Second))
		if err != nil {
			b.t.Fatalf("SignInDevice: %v", err)
		}
		if got := time.Since(start); grant.Address() != oauthtest.DefaultEmail || got != 65*time.Second || b.polls() != 13 {
			b.t.Errorf("%v after %v and %d requests, want that of %s after 65s and 13", grant, got, b.polls(), oauthtest.DefaultEmail)
		}
		// It is kept, and good for years like any other.
		let(100 * time.Hour)
		again, err := oauth.Open(b.t.Context(), b.cfg, *keep)
		if err != nil {
			b.t.Fatalf("Open: %v", err)
		}
		tok := b.token(again.For(mailResource))
		if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil {
			b.t.Errorf("CheckToken = %v, want nil", err)
		}
		b.mustNotContain("the log", b.log.String())
	})
}

func TestADeviceSignInOverTCP(t *testing.T) {
	b := newBed(t, oauthtest.Options{DeviceInterval: time.Second})
	grant, err := b.device(nil, func(d oauth.DeviceCode) {
		// The user scans the complete address and chooses the account.
		if err := b.srv.Browser(t.Context(), d.CompleteURL); err != nil {
			t.Errorf("Browser: %v", err)
		}
	})
	if err != nil || grant.Address() != oauthtest.DefaultEmail {
		t.Errorf("SignInDevice = %v, %v, want the grant of %s", grant, err, oauthtest.DefaultEmail)
	}
}

func TestADeviceSignInAsksForOneResource(t *testing.T) {
	inBubble(t, oauthtest.Options{OneResource: true}, func(b *bed) {
		b.cfg.Scopes = []string{"openid", mailScope, graphScope, "offline_access"}
		grant, err := b.device(nil, b.approveAfter(0))
		if err != nil {
			b.t.Fatalf("SignInDevice: %v", err)
		}
		if got, want := b.tokenRequest().Form["scope"], "openid "+mailScope+" offline_access"; got != want {
			b.t.Errorf("the device code was redeemed for %q, want %q", got, want)
		}
		if tok := b.token(grant.For(graphResource)); b.srv.Checker(graphScope)(oauthtest.DefaultEmail, tok.AccessToken) != nil {
			b.t.Error("the token of the second resource is not good")
		}
	})
}

// TestADeviceSignInSurvives: servers in trouble, lost answers and the server's
// wish to be asked less often lengthen a sign-in and do not end it.
func TestADeviceSignInSurvives(t *testing.T) {
	pending := oauthtest.Entra(70016, "authorization_pending", "", "OAuth 2.0 device flow error. Authorization is pending.")
	for _, tt := range []struct {
		name   string
		faults []oauthtest.Fault // of the first requests
		waited time.Duration     // for the first request after the faults
	}{
		{"pending", []oauthtest.Fault{{Error: "authorization_pending"}, pending}, 15 * time.Second},
		{"503", []oauthtest.Fault{{Status: 503}}, 15 * time.Second},
		{"500 again and again", []oauthtest.Fault{{Status: 500}, {Status: 500}, {Status: 500}}, 75 * time.Second},
		{"trouble that passes", []oauthtest.Fault{{Status: 500}, pending, pending}, 25 * time.Second},
		{"504 of a gateway", []oauthtest.Fault{{Status: 504}}, 15 * time.Second},
		{"a lost answer", []oauthtest.Fault{{ReplyLost: true}}, 15 * time.Second},
		{"a page", []oauthtest.Fault{{Status: 200, Body: "<html>sign in to the hotel</html>", ContentType: "text/html"}}, 15 * time.Second},
		{"a silent server", []oauthtest.Fault{{Silent: true}}, 45 * time.Second},
		{"slow_down", []oauthtest.Fault{{Error: "slow_down"}}, 15 * time.Second},
		{"slow_down is for ever", []oauthtest.Fault{{Error: "slow_down"}, {Error: "slow_down"}, pending}, 45 * time.Second},
		{"Retry-After", []oauthtest.Fault{{Status: 429, Header: http.Header{"Retry-After": {"60"}}}}, 65 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				b.srv.Inject(oauthtest.TokenPath, tt.faults...)
				start := time.Now()
				grant, err := b.device(nil, func(d oauth.DeviceCode) {
					if len(tt.faults) > 0 && tt.faults[0].ReplyLost {
						let(6 * time.Second) // later than the first request
					}
					b.approveAfter(0)(d)
				})
				if err != nil {
					b.t.Fatalf("SignInDevice: %v", err)
				}
				if got := time.Since(start); got != tt.waited || b.polls() != len(tt.faults)+1 {
					b.t.Errorf("%v after %v and %d requests, want %v and %d", grant, got, b.polls(), tt.waited, len(tt.faults)+1)
				}
			})
		})
	}
}

func TestADeviceThatAsksTooOftenIsSlowedDown(t *testing.T) {
	// The server wants a longer interval than it says.
	inBubble(t, oauthtest.Options{DeviceInterval: 7 * time.Second}, func(b *bed) {
		b.cfg.HTTPClient = &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			resp, err := b.srv.Client().Transport.RoundTrip(r)
			if err == nil && r.URL.Path == oauthtest.DevicePath {
				resp.Body = replaced(resp.Body, `"interval":7,`, "")
				resp.ContentLength = -1
			}
			return resp, err
		})}
		if _, err := b.device(nil, b.approveAfter(time.Minute)); err != nil {
			b.t.Fatalf("SignInDevice: %v", err)
		}
		if got := b.polls(); got > 8 {
			b.t.Errorf("%d requests in a minute after slow_down, want 8 at most", got)
		}
	})
}

// TestADeviceSignInEnds: the user declines, nobody comes, or the server says no.
func TestADeviceSignInEnds(t *testing.T) {
	deny := func(b *bed) func(oauth.DeviceCode) {
		return func(d oauth.DeviceCode) {
			if err := b.srv.Deny(d.UserCode); err != nil {
				b.t.Errorf("Deny: %v", err)
			}
		}
	}
	nobody := func(*bed) func(oauth.DeviceCode) { return nil }
	approve := func(b *bed) func(oauth.DeviceCode) { return b.approveAfter(0) }
	for _, tt := range []struct {
		name    string
		options oauth.DeviceOptions
		fault   oauthtest.Fault
		user    func(*bed) func(oauth.DeviceCode)
		kind    oauth.Kind
		text    string
		after   time.Duration
	}{
		{"declined", oauth.DeviceOptions{}, oauthtest.Fault{}, deny, oauth.KindPolicy, "declined", 5 * time.Second},
		{"declined at Microsoft", oauth.DeviceOptions{}, oauthtest.Entra(65004, "authorization_declined", "", "x"), nobody, oauth.KindPolicy, "accept", 5 * time.Second},
		{"nobody comes", oauth.DeviceOptions{}, oauthtest.Fault{}, nobody, oauth.KindInteraction, "within 15m", 15 * time.Minute},
		{"a shorter limit", oauth.DeviceOptions{Timeout: time.Minute}, oauthtest.Fault{}, nobody, oauth.KindInteraction, "within 1m", time.Minute},
		{"expired", oauth.DeviceOptions{}, oauthtest.Fault{Error: "expired_token"}, nobody, oauth.KindInteraction, "sign in again", 5 * time.Second},
		{"expired at Microsoft", oauth.DeviceOptions{}, oauthtest.Entra(70019, "expired_token", "", "x"), nobody, oauth.KindInteraction, "start again", 5 * time.Second},
		{"wrong code at Microsoft", oauth.DeviceOptions{}, oauthtest.Entra(70018, "bad_verification_code", "", "x"), nobody, oauth.KindInteraction, "start again", 5 * time.Second},
		{"the client is wrong", oauth.DeviceOptions{}, oauthtest.Entra(7000218, "invalid_client", "", "x"), nobody, oauth.KindClientConfig, "public client", 5 * time.Second},
		// The tokens were on their way: whoever asks again is refused.
		{"the answer was lost", oauth.DeviceOptions{}, oauthtest.Fault{ReplyLost: true}, approve, oauth.KindReplyLost, "sign in again", 15 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				b.srv.Inject(oauthtest.TokenPath, tt.fault)
				start := time.Now()
				_, err := b.device(&tt.options, tt.user(b))
				e := b.failed(err, tt.kind)
				if got := time.Since(start); !strings.Contains(e.Error(), tt.text) || got != tt.after {
					b.t.Errorf("error %q after %v, want %q in it after %v", e.Error(), got, tt.text, tt.after)
				}
				b.mustNotContain("the error", fmt.Sprintf("%v %+v", err, err))
			})
		})
	}
}

func TestADeviceSignInEndsWithItsContext(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		b.cfg.Endpoint.DeviceURL = b.srv.DeviceURL()
		reason := errors.New("the window was closed")
		ctx, cancel := context.WithCancelCause(b.t.Context())
		start := time.Now()
		_, err := oauth.SignInDevice(ctx, b.cfg, &oauth.DeviceOptions{Show: func(context.Context, oauth.DeviceCode) error {
			cancel(reason)
			return nil
		}})
		if !errors.Is(err, reason) || time.Since(start) != 0 {
			b.t.Errorf("SignInDevice = %v after %v, want %v at once", err, time.Since(start), reason)
		}
		_, err = oauth.SignInDevice(b.t.Context(), b.cfg, &oauth.DeviceOptions{Prompt: failingWriter{reason}})
		if !errors.Is(err, reason) {
			b.t.Errorf("with a broken prompt SignInDevice = %v, want %v", err, reason)
		}
	})
}

// TestTheRequestForADeviceCode: what goes wrong before there is a code.
func TestTheRequestForADeviceCode(t *testing.T) {
	for _, tt := range []struct {
		name  string
		fault oauthtest.Fault
		kind  oauth.Kind // KindUnknown: none
		text  string
	}{
		{"busy", oauthtest.Fault{Status: 503}, oauth.KindUnknown, ""},
		{"lost", oauthtest.Fault{ReplyLost: true}, oauth.KindUnknown, ""},
		{"refused", oauthtest.Fault{Status: 401, Error: "invalid_client"}, oauth.KindClientConfig, "invalid_client"},
		{"an error in a good answer", oauthtest.Fault{Status: 200, Error: "invalid_scope"}, oauth.KindClientConfig, "invalid_scope"},
		{"not found", oauthtest.Fault{Status: 404, Body: "no"}, oauth.KindClientConfig, "404"},
		{"nothing in it", oauthtest.Fault{Status: 200, Body: "{}"}, oauth.KindProtocol, "no device code"},
		{"no object", oauthtest.Fault{Status: 200, Body: "7"}, oauth.KindProtocol, "not a JSON object"},
		{"a plain page", device(`"verification_uri":"http://example.org/device"`), oauth.KindProtocol, "no page"},
		{"a page that runs", device(`"verification_uri":"javascript:alert(1)"`), oauth.KindProtocol, "no page"},
		{"a code that paints", oauthtest.Fault{Status: 200, Body: `{"device_code":"d","user_code":"\u001b[2J","verification_uri":"https://e.example"}`}, oauth.KindProtocol, "cannot be shown"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				b.srv.Inject(oauthtest.DevicePath, tt.fault)
				_, err := b.device(nil, b.approveAfter(0))
				if tt.kind == oauth.KindUnknown {
					if err != nil {
						b.t.Errorf("SignInDevice = %v, want nil", err)
					}
					return
				}
				if e := b.failed(err, tt.kind); !strings.Contains(e.Error(), tt.text) || b.polls() != 0 {
					b.t.Errorf("error %q after %d requests, want %q in it and none", e.Error(), b.polls(), tt.text)
				}
			})
		})
	}
}

// device is an answer of the device authorization endpoint with further fields.
func device(more string) oauthtest.Fault {
	return oauthtest.Fault{Status: 200, Body: `{"device_code":"d","user_code":"AB-CD",` + more + `}`}
}

func TestADeviceSignInWithASecret(t *testing.T) {
	const odd = "a horse+with %26 & signs"
	for style, auth := range map[oauth.AuthStyle]oauthtest.ClientAuth{oauth.InParams: oauthtest.AuthPost, oauth.InHeader: oauthtest.AuthBasic} {
		client := oauthtest.Client{ID: "conf &", Secret: secret.New(odd), Auth: auth}
		inBubble(t, oauthtest.Options{Clients: []oauthtest.Client{client}}, func(b *bed) {
			b.cfg.ClientID, b.cfg.ClientSecret, b.cfg.Endpoint.AuthStyle = client.ID, client.Secret, style
			if _, err := b.device(nil, b.approveAfter(0)); err != nil {
				b.t.Errorf("style %d: SignInDevice = %v", style, err)
			}
		})
	}
}

func TestWithoutADeviceEndpoint(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		_, err := oauth.SignInDevice(b.t.Context(), b.cfg, nil)
		if e := b.failed(err, oauth.KindClientConfig); !strings.Contains(e.Error(), "DeviceURL") {
			b.t.Errorf("error %q, want DeviceURL in it", e.Error())
		}
	})
}

// The user sits at a machine without a browser. Approve stands in for what the
// user does at another one.
func ExampleSignInDevice() {
	srv := oauthtest.New(&oauthtest.Options{DeviceInterval: time.Second})
	defer srv.Close()

	var screen bytes.Buffer
	grant, err := oauth.SignInDevice(context.Background(), &oauth.Config{
		ClientID: oauthtest.DefaultClientID,
		Endpoint: oauth.Endpoint{Issuer: srv.Issuer(), DeviceURL: srv.DeviceURL(), TokenURL: srv.TokenURL()},
		Scopes:   []string{"openid", "email", "offline_access", "https://mail.example.org/Mail.Read"},
	}, &oauth.DeviceOptions{Show: func(_ context.Context, d oauth.DeviceCode) error {
		fmt.Fprint(&screen, d)
		return srv.Approve(d.UserCode, "ann@example.org")
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, _, _ := strings.Cut(screen.String(), "\n")
	fmt.Println(first)
	fmt.Println(grant.Address())
	// Output:
	// To sign in, open this page in a browser on any device:
	// ann@example.org
}
