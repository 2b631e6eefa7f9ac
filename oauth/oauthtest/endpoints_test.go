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
		srv.FailNext(oauthtest.TokenPath,
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
		srv.FailNext(oauthtest.TokenPath, oauthtest.Fault{Delay: time.Minute}, oauthtest.Fault{Silent: true})
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
		srv.FailNext(oauthtest.TokenPath, oauthtest.Fault{Silent: true})
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
