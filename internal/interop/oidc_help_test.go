//go:build interop

package interop_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

// tokenOf returns the present access token of a grant.
func tokenOf(t *testing.T, grant *oauth.Grant) secret.Text {
	t.Helper()
	token, err := grant.For("").Token(t.Context())
	must(t, err)
	return token.AccessToken
}

// A recorder is a transport that keeps the refresh tokens which pass it.
type recorder struct {
	mu     sync.Mutex
	tokens []secret.Text
}

// recorded describes a server to a program whose refresh tokens the test sees.
func recorded(server *interop.OIDC) (*authorization, *recorder) {
	a, r := realAuthorization(server), &recorder{}
	a.config.HTTPClient = &http.Client{Transport: r}
	return a, r
}

// RoundTrip implements [http.RoundTripper].
func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	var answer struct {
		RefreshToken string `json:"refresh_token"`
	}
	if json.Unmarshal(body, &answer) == nil && answer.RefreshToken != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.tokens = append(r.tokens, secret.New(answer.RefreshToken))
	}
	return resp, nil
}

// refreshTokens returns the refresh tokens so far, oldest first.
func (r *recorder) refreshTokens() []secret.Text {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.tokens)
}

// post sends a form as any client can, and returns the answer.
func post(t *testing.T, address string, form url.Values) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(form.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	return resp.StatusCode, string(body)
}

// until waits for a condition that nothing announces.
func until(t *testing.T, what string, met func() bool) {
	t.Helper()
	giveUp := time.NewTimer(time.Minute)
	defer giveUp.Stop()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !met() {
		select {
		case <-again.C:
		case <-giveUp.C:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
