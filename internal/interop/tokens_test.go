//go:build interop

package interop_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
)

// Tokens of the introspection endpoint.
const (
	annsToken    = "good-horse-of-ann"
	bobsToken    = "good-horse-of-bob"
	expiredToken = "expired-horse-of-ann"
	weakToken    = "horse-of-ann-for-other-things"
	unknownToken = "never-issued-horse"
)

// introspection answers Dovecot's questions about tokens as RFC 7662 has it.
func introspection(t *testing.T) *interop.Introspection {
	t.Helper()
	const client, clientSecret = "dovecot", "the horse between dovecot and the endpoint"
	answers := map[string]map[string]any{
		annsToken:    {"active": true, "username": "ann@example.test", "scope": "mail"},
		bobsToken:    {"active": true, "username": "bob@example.test", "scope": "mail"},
		weakToken:    {"active": true, "username": "ann@example.test", "scope": "calendar"},
		expiredToken: {"active": false},
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id := r.PostFormValue("client_id"); id != client || r.PostFormValue("client_secret") != clientSecret {
			t.Errorf("introspection request of client %q, want %q with its secret", id, client)
			http.Error(w, "unauthorized", http.StatusUnauthorized)
			return
		}
		answer, ok := answers[r.PostFormValue("token")]
		if !ok {
			answer = map[string]any{"active": false}
		}
		w.Header().Set("Content-Type", "application/json")
		if err := json.NewEncoder(w).Encode(answer); err != nil {
			t.Errorf("answer an introspection request: %v", err)
		}
	}))
	t.Cleanup(server.Close)
	return &interop.Introspection{
		URL:          server.URL,
		ClientID:     client,
		ClientSecret: secret.New(clientSecret),
		Scope:        "mail",
	}
}

func xoauth2(user, token string) string {
	return "user=" + user + "\x01auth=Bearer " + token + "\x01\x01"
}

func oauthbearer(user, token string) string {
	return "n,a=" + user + ",\x01auth=Bearer " + token + "\x01\x01"
}

// TestTokensOnIMAP signs in with good tokens and looks at what a refused one
// is answered.
func TestTokensOnIMAP(t *testing.T) {
	t.Parallel()
	servers := startServers(t, &interop.Options{Tokens: introspection(t)})
	const ann = "ann@example.test"
	for _, tc := range []struct {
		name, mechanism, response, end string
		challenge, result              string
	}{
		{
			name: "XOAUTH2", mechanism: "XOAUTH2", response: xoauth2(ann, annsToken),
		}, {
			name: "OAUTHBEARER", mechanism: "OAUTHBEARER", response: oauthbearer(ann, annsToken),
		}, {
			name: "XOAUTH2 expired", mechanism: "XOAUTH2", response: xoauth2(ann, expiredToken),
			challenge: `{"status":"401","schemes":"bearer","scope":"mail"}`,
		}, {
			name: "XOAUTH2 unknown", mechanism: "XOAUTH2", response: xoauth2(ann, unknownToken),
			challenge: `{"status":"401","schemes":"bearer","scope":"mail"}`,
		}, {
			name: "XOAUTH2 of another user", mechanism: "XOAUTH2", response: xoauth2(ann, bobsToken),
			challenge: `{"status":"401","schemes":"bearer","scope":"mail"}`,
		}, {
			name: "XOAUTH2 without the scope", mechanism: "XOAUTH2", response: xoauth2(ann, weakToken),
			challenge: `{"status":"401","schemes":"bearer","scope":"mail"}`,
		}, {
			name: "OAUTHBEARER expired", mechanism: "OAUTHBEARER", response: oauthbearer(ann, expiredToken), end: "AQ==",
			challenge: `{"status":"invalid_token"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := dialIMAPS(t, servers)
			challenge, result := c.authenticate(tc.mechanism, tc.response, tc.end)
			if challenge != tc.challenge {
				t.Errorf("challenge = %q, want %q", challenge, tc.challenge)
			}
			if tc.challenge != "" {
				if want := "NO [AUTHENTICATIONFAILED] Authentication failed."; result != want {
					t.Errorf("AUTHENTICATE = %q, want %q", result, want)
				}
				return
			}
			wantOK(t, "AUTHENTICATE", result)
			c.ok("SELECT INBOX")
		})
	}
}
