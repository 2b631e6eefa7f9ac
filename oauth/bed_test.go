package oauth_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// The resources of the tests and a scope of each.
const (
	mailResource  = "https://mail.example.org"
	mailScope     = mailResource + "/Mail.Read"
	graphResource = "https://graph.example.org"
	graphScope    = graphResource + "/User.Read"
)

// bed is a server, a client configuration for it, and what the client says.
type bed struct {
	t    *testing.T
	srv  *oauthtest.Server
	cfg  *oauth.Config
	opts *oauth.SignInOptions
	log  *lockedBuffer
}

// newBed starts a server and configures a client for it.
func newBed(t *testing.T, o oauthtest.Options) *bed {
	t.Helper()
	srv := oauthtest.New(&o)
	t.Cleanup(srv.Close)
	log := &lockedBuffer{out: testlog.New(t)}
	b := &bed{t: t, srv: srv, log: log}
	b.cfg = &oauth.Config{
		ClientID:   oauthtest.DefaultClientID,
		Endpoint:   oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
		Scopes:     []string{"openid", "email", "profile", "offline_access", mailScope},
		HTTPClient: srv.Client(),
		Logger:     slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Observer:   &observer{log: log},
		Rand:       func() float64 { return 0 },
	}
	b.opts = &oauth.SignInOptions{LoginHint: oauthtest.DefaultEmail, OpenURL: srv.Browser, Listen: srv.Listen}
	return b
}

// inBubble runs a test in virtual time.
func inBubble(t *testing.T, o oauthtest.Options, test func(*bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.InMemory = true
		test(newBed(t, o))
	})
}

// everywhere runs a test over TCP and in virtual time.
func everywhere(t *testing.T, o oauthtest.Options, test func(*bed)) {
	t.Helper()
	t.Run("tcp", func(t *testing.T) { test(newBed(t, o)) })
	t.Run("memory", func(t *testing.T) { inBubble(t, o, test) })
}

// signIn returns a grant.
func (b *bed) signIn() *oauth.Grant {
	b.t.Helper()
	grant, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
	if err != nil {
		b.t.Fatalf("SignIn: %v", err)
	}
	return grant
}

// token returns a token of a source, an empty one where that failed.
func (b *bed) token(s oauth.TokenSource) *oauth.Token {
	b.t.Helper()
	tok, err := s.Token(b.t.Context())
	if err != nil {
		b.t.Errorf("Token: %v", err)
		return &oauth.Token{Scopes: []string{""}}
	}
	return tok
}

// refreshes returns how many requests with a refresh token have come.
func (b *bed) refreshes() int {
	n := 0
	for _, r := range b.srv.Log() {
		if r.Form["grant_type"] == "refresh_token" {
			n++
		}
	}
	return n
}

// tokenRequest returns the last request to the token endpoint.
func (b *bed) tokenRequest() oauthtest.Request {
	b.t.Helper()
	log := b.srv.Log()
	for _, r := range slices.Backward(log) {
		if r.Path == oauthtest.TokenPath {
			return r
		}
	}
	b.t.Fatal("no token request has come")
	return oauthtest.Request{}
}

// failed checks the kind of an error and returns what it says.
func (b *bed) failed(err error, want oauth.Kind) oauth.Error {
	b.t.Helper()
	e, ok := errors.AsType[*oauth.Error](err)
	if !ok || e.Kind != want {
		b.t.Fatalf("error %v, want kind %q", err, want)
	}
	return *e
}

// let lets virtual time go on.
func let(d time.Duration) { <-time.After(d) }

// lockedBuffer is a buffer for several writers.
type lockedBuffer struct {
	mu  sync.Mutex
	b   bytes.Buffer
	out io.Writer // gets everything too, where it is not nil
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.out != nil {
		_, _ = l.out.Write(p)
	}
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// observer writes what it is told to a log.
type observer struct{ log *lockedBuffer }

func (o *observer) Start(ctx context.Context, op string, attrs ...slog.Attr) (context.Context, func(error, ...slog.Attr)) {
	logger := slog.New(slog.NewTextHandler(o.log, nil))
	logger.LogAttrs(ctx, slog.LevelInfo, "start", append(attrs, slog.String("op", op))...)
	return ctx, func(err error, attrs ...slog.Attr) {
		attrs = append(attrs, slog.String("op", op), slog.Any("err", err))
		logger.LogAttrs(ctx, slog.LevelInfo, "end", append(attrs, testlog.Forms(err)...)...)
	}
}

// redirectOf returns the redirect URI and the state in an authorization URL.
func redirectOf(t *testing.T, address string) (uri, state string) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatalf("authorization URL: %v", err)
	}
	return u.Query().Get("redirect_uri"), u.Query().Get("state")
}

// mustNotContain fails where text holds one of the server's secrets.
func (b *bed) mustNotContain(what, text string) {
	b.t.Helper()
	for _, s := range b.srv.Secrets() {
		if strings.Contains(text, s.Reveal()) {
			b.t.Errorf("%s contains a secret:\n%s", what, text)
		}
	}
}

// replaced is a body with one text put in place of another.
func replaced(body io.ReadCloser, old, text string) io.ReadCloser {
	all, err := io.ReadAll(body)
	_ = body.Close()
	return io.NopCloser(io.MultiReader(strings.NewReader(strings.Replace(string(all), old, text, 1)), failingReader{err}))
}

// failingReader fails with an error, or ends where that is nil.
type failingReader struct{ err error }

func (f failingReader) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}
