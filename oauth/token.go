package oauth

import (
	"context"
	"slices"
	"time"

	"github.com/mailsession/mailsession/secret"
)

const (
	// maxMargin is the longest time before its expiry at which a token is
	// taken for expired.
	maxMargin = 5 * time.Minute
	// defaultMargin stands in for a token whose lifetime is not known.
	defaultMargin = 10 * time.Second
	// defaultLifetime is that of a token whose server states none.
	defaultLifetime = time.Hour
)

// Token is an access token. Those that a TokenSource returns are shared by all
// callers and must not be changed.
type Token struct {
	// AccessToken is what is shown to the resource server.
	AccessToken secret.Text
	// Type is the token's type, "Bearer" for all mail services.
	Type string
	// Issued is when the token was received. It may be zero.
	Issued time.Time
	// Expiry is when the token ends. The zero value means that no end is known.
	Expiry time.Time
	// Scopes are those that the server says it granted, or that were asked for
	// where it does not say.
	Scopes []string
}

// Valid reports whether the token can be used at now for a while yet: it is
// not empty, and further from its expiry than five minutes or a tenth of its
// lifetime, whichever is less. Where Issued is zero the margin is ten seconds.
func (t *Token) Valid(now time.Time) bool {
	if t == nil || t.AccessToken.IsZero() {
		return false
	}
	return t.Expiry.IsZero() || now.Before(t.Expiry.Add(-t.margin()))
}

// margin returns how long before its expiry the token is replaced.
func (t *Token) margin() time.Duration {
	if t.Issued.IsZero() {
		return defaultMargin
	}
	return max(0, min(maxMargin, t.Expiry.Sub(t.Issued)/10))
}

// clone returns a copy that shares nothing that can change.
func (t *Token) clone() *Token {
	c := *t
	c.Scopes = slices.Clone(t.Scopes)
	return &c
}

// TokenSource supplies access tokens for one resource. Implementations are
// safe for concurrent use.
type TokenSource interface {
	// Token returns a token that is valid now, refreshing it first where
	// needed. The token may be shared with other callers: it may be kept, and
	// must not be changed. It returns when ctx
	// ends, with an error wrapping the context's. Temporary reports whether to
	// try again, NeedsSignIn whether only a new sign-in helps.
	Token(ctx context.Context) (*Token, error)
}

// Invalidator is a further ability of a TokenSource: replacing a token that
// the resource server refused although it has not expired.
type Invalidator interface {
	// Invalidate makes the source never return t again. If t is still its
	// present token it gets another one; if not, somebody else did so already,
	// and it returns nil at once. Callers call Token afterwards.
	Invalidate(ctx context.Context, t *Token) error
}

// Sources supplies a TokenSource for each resource, such as
// "https://outlook.office.com" or "https://graph.microsoft.com".
type Sources interface {
	// For returns the source for a resource, without I/O and never nil. The
	// empty string means a token with all scopes, or those of the first
	// resource where they belong to several.
	For(resource string) TokenSource
}

// AnyResource returns Sources that have s for every resource.
func AnyResource(s TokenSource) Sources { return anyResource{s} }

type anyResource struct{ source TokenSource }

// For implements [Sources].
func (a anyResource) For(string) TokenSource { return a.source }

// StaticToken returns a TokenSource that always returns the same access token,
// of type Bearer and without an expiry. It cannot replace a refused token.
func StaticToken(accessToken secret.Text) TokenSource { return staticToken{accessToken} }

type staticToken struct{ accessToken secret.Text }

// Token implements [TokenSource].
func (s staticToken) Token(context.Context) (*Token, error) {
	return &Token{AccessToken: s.accessToken, Type: "Bearer"}, nil
}
