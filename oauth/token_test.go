package oauth_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

func TestTokenValid(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	access := secret.New("at")
	for _, tt := range []struct {
		name string
		tok  *oauth.Token
		want bool
	}{
		{"nil", nil, false},
		{"empty", &oauth.Token{}, false},
		{"without an end", &oauth.Token{AccessToken: access}, true},
		{"an hour, 6 minutes left", &oauth.Token{AccessToken: access, Issued: now.Add(-54 * time.Minute), Expiry: now.Add(6 * time.Minute)}, true},
		{"an hour, 5 minutes left", &oauth.Token{AccessToken: access, Issued: now.Add(-55 * time.Minute), Expiry: now.Add(5 * time.Minute)}, false},
		{"ten minutes, 61 s left", &oauth.Token{AccessToken: access, Issued: now.Add(-539 * time.Second), Expiry: now.Add(61 * time.Second)}, true},
		{"ten minutes, 60 s left", &oauth.Token{AccessToken: access, Issued: now.Add(-540 * time.Second), Expiry: now.Add(60 * time.Second)}, false},
		{"life not known, 11 s left", &oauth.Token{AccessToken: access, Expiry: now.Add(11 * time.Second)}, true},
		{"life not known, 10 s left", &oauth.Token{AccessToken: access, Expiry: now.Add(10 * time.Second)}, false},
		{"ends before it began", &oauth.Token{AccessToken: access, Issued: now.Add(time.Hour), Expiry: now.Add(time.Second)}, true},
		{"over", &oauth.Token{AccessToken: access, Issued: now.Add(-2 * time.Hour), Expiry: now.Add(-time.Hour)}, false},
	} {
		if got := tt.tok.Valid(now); got != tt.want {
			t.Errorf("%s: Valid = %t, want %t", tt.name, got, tt.want)
		}
	}
}

func TestStaticToken(t *testing.T) {
	sources := oauth.AnyResource(oauth.StaticToken(secret.New("at")))
	for _, resource := range []string{"", "https://mail.example.org"} {
		tok, err := sources.For(resource).Token(t.Context())
		if err != nil || tok.AccessToken.Reveal() != "at" || tok.Type != "Bearer" || !tok.Valid(time.Now()) {
			t.Errorf("For(%q).Token = %+v, %v", resource, tok, err)
		}
	}
	if _, ok := sources.For("").(oauth.Invalidator); ok {
		t.Error("a static token claims that it can be replaced")
	}
}

func ExampleAnyResource() {
	tokens := oauth.AnyResource(oauth.StaticToken(secret.New("from somewhere else")))
	token, err := tokens.For("https://mail.example.org").Token(context.Background())
	fmt.Println(token.Type, token.AccessToken, err)
	// Output: Bearer [redacted] <nil>
}
