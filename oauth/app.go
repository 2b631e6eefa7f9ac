package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/throttle"
	"github.com/mailsession/mailsession/secret"
)

// expiryNotice is how long before its end a credential is warned of.
const expiryNotice = 30 * 24 * time.Hour

// App is a program that gets access tokens without a person: in its own name,
// or for a mailbox that an administrator opened to it. ClientCredentials,
// ServiceAccount, ManagedIdentity and External make one. It keeps tokens in
// memory alone, for there is no refresh token to lose.
//
// Like a Grant, an App gets a token once for all who wait for it, replaces it
// before it ends, each App at a moment of its own, and remembers a refusal for
// a minute. It is safe for concurrent use and must not be copied. It prints
// what it is and no secret.
type App struct {
	cache

	cfg      *Config
	name     string
	notAfter time.Time // of the credential, zero if not known
	// scopes returns what is asked for to get a token for a resource.
	scopes func(resource string) []string
	// ask gets a token.
	ask func(ctx context.Context, scopes []string) (*Token, error)
	// pause holds all requests while the server asks for it.
	pause throttle.Governor
	log   *slog.Logger
	// refusals are when a token was first known to be refused, by slot. They
	// belong to cache.mu.
	refusals map[string]refusal
}

// refusal is a token that a resource server refused.
type refusal struct {
	token secret.Text
	since time.Time
}

// newApp returns an App without any token yet. The Config is not nil.
func newApp(cfg *Config, name string) *App {
	cfg = cfg.clone()
	a := &App{cfg: cfg, name: name, log: observe.Logger(cfg.Logger), refusals: make(map[string]refusal)}
	a.cache = newCache(cfg, a, a.fetch)
	a.scopes = func(resource string) []string { return appScopes(cfg.Scopes, resource) }
	return a
}

// For returns the source of access tokens for a resource, such as
// "https://outlook.office365.com". Its requests name the scopes of the Config
// that begin with the resource. For the resource "", and for one that no scope
// begins with, they name all scopes, or those of the first resource where they
// belong to several. A Config without scopes of a resource asks for
// "RESOURCE/.default", which at Microsoft are all permissions that an
// administrator gave to the program. Scopes that concern a person, such as
// openid and offline_access, are left out.
//
// The source is an [Invalidator] as well. Some issuers hand out one and the same
// token until it ends, whatever a server thinks of it: for a minute after such
// a token was refused the source returns a temporary error in its place.
func (a *App) For(resource string) TokenSource {
	return &source{cache: &a.cache, slot: a.slotFor(a.scopes(resource))}
}

// NotAfter is when the credential ends with which the program proves who it is:
// its certificate, or its secret where the options name its end. It is zero
// where that is not known.
func (a *App) NotAfter() time.Time { return a.notAfter }

// DaysLeft returns how many whole days are left at now until NotAfter, negative
// ones after it, and whether that is known.
func (a *App) DaysLeft(now time.Time) (days int, known bool) {
	if a.notAfter.IsZero() {
		return 0, false
	}
	const day = 24 * time.Hour
	left := a.notAfter.Sub(now)
	if left < 0 {
		left -= day - 1
	}
	return int(left / day), true
}

var (
	_ Sources        = (*App)(nil)
	_ fmt.Formatter  = (*App)(nil)
	_ slog.LogValuer = (*App)(nil)
)

// String returns what the program is and where its tokens are from.
func (a *App) String() string { return a.name }

// Format implements [fmt.Formatter]: every verb prints String.
func (a *App) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, a.String())
}

// LogValue implements [slog.LogValuer].
func (a *App) LogValue() slog.Value { return slog.StringValue(a.String()) }

// appScopes returns the scopes to ask for to get a token for a resource in a
// program's own name.
func appScopes(scopes []string, resource string) []string {
	scopes = slices.DeleteFunc(slices.Clone(scopes), protocolScope)
	if len(scopes) == 0 && resource != "" {
		return []string{strings.TrimSuffix(resource, "/") + "/.default"}
	}
	return scopesFor(scopes, resource)
}

// fetch is the cache's way to a new token.
func (a *App) fetch(ctx context.Context, scopes []string, refused secret.Text) (*Token, error) {
	ctx, end := observe.Start(ctx, a.cfg.Observer, "oauth.Fetch", slog.String("app", a.name))
	a.warn(ctx)
	tok, err := a.ask(ctx, scopes)
	if err == nil {
		err = a.check(tok, slotKey(scopes), refused, time.Now())
	}
	err = unattended(err)
	end(err)
	attrs := []slog.Attr{slog.String("app", a.name), slog.Any("scopes", scopes)}
	if err != nil {
		a.log.LogAttrs(ctx, slog.LevelWarn, "no access token", append(attrs, slog.String("error", err.Error()))...)
		return nil, err
	}
	a.log.LogAttrs(ctx, slog.LevelDebug, "new access token", append(attrs, slog.Time("expiry", tok.Expiry))...)
	return tok, nil
}

// warn tells the logger that the credential ends soon.
func (a *App) warn(ctx context.Context) {
	now := time.Now()
	if a.notAfter.IsZero() || a.notAfter.Sub(now) > expiryNotice {
		return
	}
	days, _ := a.DaysLeft(now)
	a.log.LogAttrs(ctx, slog.LevelWarn, "the program's credential ends soon: register a new one",
		slog.String("app", a.name), slog.Time("end", a.notAfter), slog.Int("days", days))
}

// check returns an error where a token cannot be handed out.
func (a *App) check(tok *Token, key string, refused secret.Text, now time.Time) error {
	problem := func(kind Kind, text string, wait time.Duration) error {
		return &Error{Kind: kind, Op: "get a token", Server: a.server(), Wait: wait, Err: errors.New(text)}
	}
	switch {
	case tok == nil || tok.AccessToken.IsZero():
		return problem(KindProtocol, "there is no access token in the answer", 0)
	case !tok.Expiry.IsZero() && !now.Before(tok.Expiry):
		return problem(KindTemporary, "the access token in the answer has expired already: check this machine's clock", 0)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if refused.IsZero() || !tok.AccessToken.Equal(refused) {
		return nil
	}
	was := a.refusals[key]
	if !was.token.Equal(refused) {
		was = refusal{refused, now}
		a.refusals[key] = was
	}
	if left := was.since.Add(failureMemory).Sub(now); left > 0 {
		return problem(KindTemporary, "the same access token came again that was refused just now", left)
	}
	// It is offered again; where it is refused again, that counts anew.
	delete(a.refusals, key)
	return nil
}

// server returns the host that tokens are from.
func (a *App) server() string { return hostOf(a.cfg.Endpoint.TokenURL) }

// unattended returns an error as it reads where nobody can sign in: what would
// ask for a person elsewhere is the matter of whoever set the program up.
func unattended(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.needsSignIn() {
		return err
	}
	told := *e
	told.Kind, told.unattended = KindClientConfig, true
	if e.Kind == KindConsent || e.Reason() == ReasonPolicy {
		told.Kind = KindPolicy
	}
	return &told
}

// AppOptions are what may be known of a program's credential. The zero value is
// usable.
type AppOptions struct {
	// SecretEnds is when the ClientSecret ends, as the provider says where it
	// was made; nobody can tell from the secret. See App.NotAfter.
	SecretEnds time.Time
}

// ClientCredentials returns an App that gets tokens in its own name (RFC 6749
// section 4.4) and proves with a Credential who it is. It does no I/O; o may be
// nil.
//
// At Microsoft an administrator has to give the program application permissions
// and, for IMAP, POP and SMTP, to register it with Exchange and to open
// mailboxes to it; the mailbox's address is the user to sign in as. The tenant
// must be one tenant. There is no such way into personal accounts, and none at
// Google, which has ServiceAccount in its place: where Endpoint.GrantTypes says
// so, that is an *Error of KindClientConfig, before any request.
func ClientCredentials(cfg *Config, credential Credential, o *AppOptions) (*App, error) {
	if err := cfg.checkClient(); err != nil {
		return nil, err
	}
	if err := cfg.checkGrant(GrantClientCredentials); err != nil {
		return nil, err
	}
	if err := credential.check(); err != nil {
		return nil, err
	}
	if !cfg.ClientSecret.IsZero() && !cfg.ClientSecret.Equal(credential.secret) {
		return nil, configError(fmt.Errorf("its ClientSecret is set, and the credential is another (a %v): leave one of them away", credential))
	}
	a := newApp(cfg, "app "+cfg.ClientID+" at "+hostOf(cfg.Endpoint.TokenURL)+" by "+credential.String())
	a.cfg.ClientSecret = credential.secret
	a.notAfter = credential.notAfter
	if o != nil && a.notAfter.IsZero() {
		a.notAfter = o.SecretEnds
	}
	r := tokenRequest{repeatable: true, params: url.Values{"grant_type": {GrantClientCredentials}}}
	if credential.assert != nil {
		r.prove = a.clientAssertion(credential)
	}
	a.ask = func(ctx context.Context, scopes []string) (*Token, error) { return a.request(ctx, r, scopes) }
	return a, nil
}

// request sends a token request for scopes.
func (a *App) request(ctx context.Context, r tokenRequest, scopes []string) (*Token, error) {
	r.op, r.scopes = "get a token", scopes
	got, err := a.cfg.requestWithRetry(ctx, r, &a.pause)
	if err != nil {
		return nil, a.explain(err)
	}
	return got.token, nil
}

// explain adds to a refusal what is known of the credential.
func (a *App) explain(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != KindClientConfig || e.Err != nil || a.notAfter.IsZero() || time.Now().Before(a.notAfter) {
		return err
	}
	told := *e
	told.Err = fmt.Errorf("the program's credential ended on %s: register a new one", a.notAfter.UTC().Format(time.DateOnly))
	return &told
}

// clientAssertion returns what proves one request (RFC 7521 section 4.2).
func (a *App) clientAssertion(c Credential) func(context.Context) (url.Values, []secret.Text, error) {
	return func(ctx context.Context) (url.Values, []secret.Text, error) {
		text, err := c.assert(ctx, a.cfg.ClientID, a.cfg.Endpoint.TokenURL)
		if err != nil {
			return nil, nil, err
		}
		return url.Values{
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			"client_assertion":      {text.Reveal()},
		}, []secret.Text{text}, nil
	}
}

// checkGrant returns an error where the provider does not offer a grant type to
// programs, and says what it has in its place.
func (c *Config) checkGrant(grantType string) error {
	tenant := strings.ToLower(microsoftTenant(c.Endpoint.TokenURL))
	var reason string
	switch {
	case grantType == GrantClientCredentials && tenant == "consumers":
		reason = "programs have no way of their own into Microsoft's personal accounts: let the user sign in"
	case grantType == GrantClientCredentials && manyTenants(tenant):
		reason = fmt.Sprintf("the tenant %q stands for many, and a program has permissions in one: name that tenant's id or domain", tenant)
	case c.Endpoint.offers(grantType):
		return nil
	case grantType == GrantClientCredentials && c.Endpoint.offers(GrantJWTBearer):
		reason = "use a service account to which an administrator of the domain delegated its mailboxes (ServiceAccount)"
	default:
		reason = "let the user sign in"
	}
	return &Error{
		Kind: KindClientConfig, Op: "check the Config", Server: hostOf(c.Endpoint.TokenURL),
		Err: fmt.Errorf("the provider does not offer %s here; %s", grantType, reason),
	}
}
