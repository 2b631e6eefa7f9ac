package oauthtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// post sends a form and returns the status and the JSON of the answer.
func post(t *testing.T, srv *oauthtest.Server, address string, form url.Values) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatalf("NewRequest: %v", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return do(t, srv, req)
}

func do(t *testing.T, srv *oauthtest.Server, req *http.Request) (int, map[string]any) {
	t.Helper()
	resp, err := srv.Client().Do(req)
	if err != nil {
		t.Fatalf("%s: %v", req.URL.Path, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", req.URL.Path, err)
	}
	var answer map[string]any
	if len(body) > 0 {
		if err := json.Unmarshal(body, &answer); err != nil {
			t.Fatalf("%s answered %q: %v", req.URL.Path, body, err)
		}
	}
	return resp.StatusCode, answer
}

func TestIntrospectionAndRevocation(t *testing.T) {
	srv := oauthtest.New(&oauthtest.Options{Clients: []oauthtest.Client{{ID: "c", Secret: secret.New("s")}}})
	defer srv.Close()
	issued, err := srv.Issue(oauthtest.DefaultEmail, "mail", "openid")
	if err != nil {
		t.Fatalf("Issue: %v", err)
	}
	token := url.Values{"token": {issued.Access.Reveal()}}
	_, answer := post(t, srv, srv.IntrospectURL(), token)
	for name, want := range map[string]any{
		"active": true, "username": oauthtest.DefaultEmail, "email": oauthtest.DefaultEmail,
		"scope": "mail openid", "client_id": "c", "sub": "1001", "exp": float64(issued.Expiry.Unix()),
	} {
		if answer[name] != want {
			t.Errorf("introspection %s = %v, want %v", name, answer[name], want)
		}
	}
	wrong := url.Values{"token": token["token"], "client_id": {"c"}, "client_secret": {"wrong"}}
	if status, _ := post(t, srv, srv.IntrospectURL(), wrong); status != http.StatusUnauthorized {
		t.Errorf("introspection with a wrong secret = %d, want 401", status)
	}
	if status, _ := post(t, srv, srv.RevokeURL(), wrong); status != http.StatusUnauthorized {
		t.Errorf("revocation with a wrong secret = %d, want 401", status)
	}
	if status := userinfo(t, srv, issued.Access); status != http.StatusOK {
		t.Errorf("userinfo = %d, want 200", status)
	}
	revoke := url.Values{"token": {issued.Refresh.Reveal()}, "client_id": {"c"}, "client_secret": {"s"}}
	if status, _ := post(t, srv, srv.RevokeURL(), revoke); status != http.StatusOK {
		t.Errorf("revocation = %d, want 200", status)
	}
	if _, answer := post(t, srv, srv.IntrospectURL(), token); answer["active"] != false || len(answer) != 1 {
		t.Errorf("introspection after revocation = %v, want only active: false", answer)
	}
	if status := userinfo(t, srv, issued.Access); status != http.StatusUnauthorized {
		t.Errorf("userinfo after revocation = %d, want 401", status)
	}
}

func userinfo(t *testing.T, srv *oauthtest.Server, access secret.Text) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL()+oauthtest.UserinfoPath, http.NoBody)
	if err != nil {
		t.Fatalf("NewRequest: %v", err)
	}
	req.Header.Set("Authorization", "Bearer "+access.Reveal())
	status, _ := do(t, srv, req)
	return status
}

func TestFaults(t *testing.T) {
	everywhere(t, oauthtest.Options{Rotation: oauthtest.RotateAlways}, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv)
		issued, err := srv.Issue(oauthtest.DefaultEmail, "mail")
		if err != nil {
			t.Fatalf("Issue: %v", err)
		}
		srv.Inject(oauthtest.TokenPath,
			oauthtest.Fault{Error: "invalid_client", Suberror: "x", Description: "no"},
			oauthtest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7"}}},
			oauthtest.Fault{Status: http.StatusOK, Body: "<html>", ContentType: "text/html"},
			oauthtest.Fault{ReplyLost: true},
		)
		if _, err := c.refresh(t, issued.Refresh.Reveal()); errorCode(err) != "invalid_client" {
			t.Errorf("first: %s, want invalid_client", errorCode(err))
		}
		var retrieve *oauth2.RetrieveError
		if _, err := c.refresh(t, issued.Refresh.Reveal()); !errors.As(err, &retrieve) ||
			retrieve.Response.StatusCode != http.StatusTooManyRequests || retrieve.Response.Header.Get("Retry-After") != "7" {
			t.Errorf("second: %v, want 429 with Retry-After", err)
		}
		if _, err := c.refresh(t, issued.Refresh.Reveal()); err == nil || !strings.Contains(err.Error(), "parse json") {
			t.Errorf("third: %v, want unreadable JSON", err)
		}
		if _, err := c.refresh(t, issued.Refresh.Reveal()); err == nil || errors.As(err, &retrieve) && retrieve.ErrorCode != "" {
			t.Errorf("fourth: %v, want a broken connection", err)
		}
		// The work of the fourth was done: the token is used up.
		if _, err := c.refresh(t, issued.Refresh.Reveal()); errorCode(err) != "invalid_grant" {
			t.Errorf("fifth: %s, want invalid_grant", errorCode(err))
		}
		if got := srv.Hits(oauthtest.TokenPath); got != 5 {
			t.Errorf("Hits = %d, want 5", got)
		}
	})
}

func TestSilenceAndDelay(t *testing.T) {
	inMemory(t, oauthtest.Options{}, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv)
		issued, err := srv.Issue(oauthtest.DefaultEmail, "mail")
		if err != nil {
			t.Fatalf("Issue: %v", err)
		}
		srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Minute}, oauthtest.Fault{Silent: true})
		start := time.Now()
		if _, err := c.refresh(t, issued.Refresh.Reveal()); err != nil || time.Since(start) != time.Minute {
			t.Errorf("delayed refresh = %v after %v, want nil after 1m", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(c.ctx, time.Hour)
		defer cancel()
		c.ctx = ctx
		if _, err := c.refresh(t, issued.Refresh.Reveal()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("silent refresh = %v, want DeadlineExceeded", err)
		}
	})
}

func TestTheLogShowsNoSecrets(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b bed) {
		t, srv := b.t, b.srv
		c := newClient(t, srv, "openid", "mail")
		tok := c.signIn(t)
		if _, err := c.refresh(t, tok.RefreshToken); err != nil {
			t.Fatalf("refresh: %v", err)
		}
		log := srv.Log()
		shown := fmt.Sprintf("%+v", log)
		for _, s := range srv.Secrets() {
			if strings.Contains(shown, s.Reveal()) {
				t.Errorf("the log contains a secret: %s", shown)
			}
		}
		last := log[len(log)-1]
		if last.Path != oauthtest.TokenPath || last.Form["grant_type"] != "refresh_token" ||
			last.Form["refresh_token"] != secret.Redacted || last.Status != http.StatusOK || last.BasicAuth {
			t.Errorf("last request = %+v", last)
		}
	})
}

func TestBrowserReportsErrors(t *testing.T) {
	everywhere(t, oauthtest.Options{}, func(b bed) {
		t, srv := b.t, b.srv
		if err := srv.Browser(t.Context(), srv.AuthURL()); err == nil || !strings.Contains(err.Error(), "400") {
			t.Errorf("Browser without parameters = %v, want 400", err)
		}
		nobody := srv.AuthURL() + "?client_id=" + oauthtest.DefaultClientID + "&redirect_uri=http://127.0.0.1:1/&code_challenge=x&code_challenge_method=S256&response_type=code"
		if err := srv.Browser(t.Context(), nobody); err == nil || strings.Contains(err.Error(), "code-") {
			t.Errorf("Browser to a closed port = %v, want an error without the code", err)
		}
	})
}

func TestCloseEndsRequests(t *testing.T) {
	inMemory(t, oauthtest.Options{}, func(b bed) {
		t, srv := b.t, b.srv
		srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Silent: true})
		c := newClient(t, srv)
		failed := make(chan error, 1)
		go func() {
			_, err := c.refresh(t, "x")
			failed <- err
		}()
		synctest.Wait()
		srv.Close()
		if err := <-failed; err == nil {
			t.Error("the request succeeded")
		}
		srv.Close()
	})
}

// TestFaultsAreCountedAndForgotten: a test sees whether its faults were used.
func TestFaultsAreCountedAndForgotten(t *testing.T) {
	srv := oauthtest.New(nil)
	defer srv.Close()
	srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Status: 503}, oauthtest.Entra(700082, "invalid_grant", "", "Old."))
	srv.Inject(oauthtest.DevicePath, oauthtest.Google("invalid_grant", "invalid_rapt", "reauth related error (invalid_rapt)"))
	if got := srv.Pending(); got != 3 {
		t.Errorf("Pending = %d, want 3", got)
	}
	if status, _ := post(t, srv, srv.TokenURL(), nil); status != http.StatusServiceUnavailable || srv.Pending() != 2 {
		t.Errorf("status %d and %d pending, want 503 and 2", status, srv.Pending())
	}
	status, body := post(t, srv, srv.TokenURL(), nil)
	if numbers, _ := body["error_codes"].([]any); status != http.StatusBadRequest || len(numbers) != 1 || body["correlation_id"] != oauthtest.FaultCorrelationID {
		t.Errorf("Microsoft's error is %d %v", status, body)
	}
	srv.Heal()
	if status, body := post(t, srv, srv.DeviceURL(), url.Values{"client_id": {oauthtest.DefaultClientID}}); status != http.StatusOK || srv.Pending() != 0 {
		t.Errorf("after Heal: %d %v and %d pending, want a device code", status, body, srv.Pending())
	}
}

// TestDeviceCodes: a code waits for the user, is good once, and ends.
func TestDeviceCodes(t *testing.T) {
	inMemory(t, oauthtest.Options{}, func(b bed) {
		form := url.Values{"client_id": {oauthtest.DefaultClientID}, "scope": {"mail"}}
		_, device := post(b.t, b.srv, b.srv.DeviceURL(), form)
		code, _ := device["device_code"].(string)
		user, _ := device["user_code"].(string)
		redeem := func() string {
			_, answer := post(b.t, b.srv, b.srv.TokenURL(), url.Values{
				"client_id": {oauthtest.DefaultClientID}, "device_code": {code},
				"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
			})
			if refusal, ok := answer["error"].(string); ok {
				return refusal
			}
			return "tokens"
		}
		var got []string
		got = append(got, redeem(), redeem())
		wait(b.t, 6*time.Second) // not yet the ten that slow_down asks for
		got = append(got, redeem())
		wait(b.t, 15*time.Second)
		got = append(got, redeem())
		if err := b.srv.Approve(user, oauthtest.DefaultEmail); err != nil {
			b.t.Errorf("Approve: %v", err)
		}
		got = append(got, redeem(), redeem())
		want := "[authorization_pending slow_down slow_down authorization_pending tokens invalid_grant]"
		if fmt.Sprint(got) != want {
			b.t.Errorf("answers %v, want %s", got, want)
		}
		wait(b.t, 15*time.Minute)
		if err := b.srv.Deny(user); err == nil {
			b.t.Error("a code that has expired can be declined")
		}
	})
}
