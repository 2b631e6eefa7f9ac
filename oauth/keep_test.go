package oauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/state"
)

// keepKey is the key of the tests.
const keepKey = "grant/ann@example.org"

// open opens a grant that is kept.
func (b *bed) open(keep oauth.Keep) *oauth.Grant {
	b.t.Helper()
	grant, err := oauth.Open(b.t.Context(), b.cfg, keep)
	if err != nil {
		b.t.Fatalf("Open: %v", err)
	}
	return grant
}

// kept signs in and returns where the grant is kept, and the grant.
func (b *bed) kept(store state.Store) (oauth.Keep, *oauth.Grant) {
	b.t.Helper()
	keep := oauth.Keep{Store: store, Key: keepKey}
	b.opts.Keep = &keep
	return keep, b.signIn()
}

// fields returns the record as JSON has it.
func fields(t *testing.T, store state.Store) map[string]any {
	t.Helper()
	r, err := store.Load(t.Context(), keepKey)
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	var m map[string]any
	if err := json.Unmarshal(r.Value, &m); err != nil {
		t.Fatalf("the record %q: %v", r.Value, err)
	}
	return m
}

// rewrite changes the record's fields.
func rewrite(t *testing.T, store state.Store, change func(map[string]any)) {
	t.Helper()
	_, err := state.Update(t.Context(), store, keepKey, func(value []byte) ([]byte, error) {
		var m map[string]any
		if err := json.Unmarshal(value, &m); err != nil {
			return nil, err
		}
		change(m)
		return json.Marshal(m)
	})
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
}

// hooked is a Store without locks of its own. Before, where it is not nil, may
// refuse a change; after may replace its error.
type hooked struct {
	state.Store // of these, Load is used alone

	mu            sync.Mutex
	before, after func(key string) error
	load          func(key string) error
}

// set changes the hooks.
func (h *hooked) set(before, after, load func(key string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.before, h.after, h.load = before, after, load
}

// Load implements [state.Store].
func (h *hooked) Load(ctx context.Context, key string) (state.Record, error) {
	h.mu.Lock()
	load := h.load
	h.mu.Unlock()
	if load != nil {
		if err := load(key); err != nil {
			return state.Record{}, err
		}
	}
	return h.Store.Load(ctx, key)
}

// CompareAndSwap implements [state.Store].
func (h *hooked) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	h.mu.Lock()
	before, after := h.before, h.after
	h.mu.Unlock()
	if before != nil {
		if err := before(key); err != nil {
			return "", err
		}
	}
	v, err := h.Store.CompareAndSwap(ctx, key, old, value)
	if err == nil && after != nil {
		err = after(key)
	}
	return v, err
}

// errDisk is what a Store of the tests fails with.
var errDisk = errors.New("the disk is full")

// from returns a hook that fails for the record from the nth change on.
func from(n int) func(string) error {
	return func(key string) error {
		if key != keepKey {
			return nil
		}
		if n--; n >= 0 {
			return nil
		}
		return errDisk
	}
}

// stores are a Store with locks and one without.
func stores() map[string]func() state.Store {
	return map[string]func() state.Store{
		"locks":  func() state.Store { return state.NewMemory() },
		"leases": func() state.Store { return &hooked{Store: state.NewMemory()} },
	}
}

func TestAGrantOutlivesTheProgram(t *testing.T) {
	for name, newStore := range stores() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
				keep, first := b.kept(newStore())
				second := b.open(keep)
				if second.Address() != oauthtest.DefaultEmail || second.Subject() != first.Subject() || second.String() != first.String() {
					b.t.Errorf("opened %v of %q, want %v", second, second.Subject(), first)
				}
				if a, z := b.token(first.For("")), b.token(second.For("")); !a.AccessToken.Equal(z.AccessToken) || b.refreshes() != 0 {
					b.t.Errorf("same token %t after %d refreshes, want that of the sign-in", a.AccessToken.Equal(z.AccessToken), b.refreshes())
				}
				for n := range 20 {
					let(time.Hour)
					tokens := make(map[string]bool)
					for _, g := range []*oauth.Grant{second, first, b.open(keep)} {
						tokens[b.token(g.For("")).AccessToken.Reveal()] = true
					}
					if len(tokens) != 1 || b.refreshes() != n+1 {
						b.t.Fatalf("%d tokens after %d refreshes, want 1 after %d", len(tokens), b.refreshes(), n+1)
					}
				}
				b.mustNotContain("the log", b.log.String())
			})
		})
	}
}

func TestTheRecord(t *testing.T) {
	inBubble(t, oauthtest.Options{RefreshLifetime: 24 * time.Hour, Rotation: oauthtest.RotateAlways}, func(b *bed) {
		store := state.NewMemory()
		b.opts.Keep = &oauth.Keep{Store: store, Key: keepKey, Provider: "example"}
		grant := b.signIn()
		source := grant.For("")
		scopes := strings.Join(b.cfg.Scopes, " ")
		check := func(when string) {
			tok, m := b.token(source), fields(b.t, store)
			tokens, _ := m["access_tokens"].(map[string]any)
			held, _ := tokens[scopes].(map[string]any)
			for what, pair := range map[string][2]any{
				"schema": {m["schema"], 1.0}, "provider": {m["provider"], "example"}, "client_id": {m["client_id"], b.cfg.ClientID},
				"issuer": {m["issuer"], b.cfg.Endpoint.Issuer}, "token_url": {m["token_url"], b.cfg.Endpoint.TokenURL},
				"address": {m["address"], oauthtest.DefaultEmail}, "subject": {m["subject"], grant.Subject()},
				"scopes":         {fmt.Sprint(m["scopes"]), fmt.Sprint(b.cfg.Scopes)},
				"refresh_expiry": {m["refresh_expiry"], tok.Issued.Add(24 * time.Hour).Format(time.RFC3339Nano)},
				"last_use":       {m["last_use"], tok.Issued.Format(time.RFC3339Nano)},
				"status":         {fmt.Sprint(m["status"]), "map[state:ok]"},
				"pending_since":  {m["pending_since"], nil},
				"access token":   {held["access_token"], tok.AccessToken.Reveal()},
			} {
				if pair[0] != pair[1] {
					b.t.Errorf("%s: %s is %v, want %v", when, what, pair[0], pair[1])
				}
			}
			refresh, _ := m["refresh_token"].(string)
			if !strings.HasPrefix(refresh, "rt-") {
				b.t.Errorf("%s: refresh_token %q", when, refresh)
			}
		}
		check("after the sign-in")
		let(time.Hour)
		check("after a refresh")
	})
}

func TestNoAccessTokensAreKept(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		store := state.NewMemory()
		keep := oauth.Keep{Store: store, Key: keepKey, NoAccessTokens: true}
		b.opts.Keep = &keep
		first := b.signIn()
		second := b.open(keep)
		b.token(second.For(""))
		let(time.Hour)
		b.token(first.For(""))
		b.token(second.For(""))
		if got := b.refreshes(); got != 3 {
			b.t.Errorf("%d refreshes, want 3: each refreshes for itself", got)
		}
		if m := fields(b.t, store); m["access_tokens"] != nil {
			b.t.Error("the record holds access tokens")
		}
	})
}

func TestNothingIsKeptUnderTheKey(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		_, err := oauth.Open(b.t.Context(), b.cfg, oauth.Keep{Store: store, Key: keepKey})
		if !errors.Is(err, oauth.ErrNoGrant) || !oauth.NeedsSignIn(err) || !strings.Contains(err.Error(), keepKey) {
			b.t.Errorf("Open = %v, want ErrNoGrant, a need to sign in, and the key", err)
		}
		_, grant := b.kept(store)
		r, _ := store.Load(b.t.Context(), keepKey)
		if _, err := store.CompareAndSwap(b.t.Context(), keepKey, r.Version, nil); err != nil {
			b.t.Fatalf("CompareAndSwap: %v", err)
		}
		let(time.Hour)
		if _, err := grant.For("").Token(b.t.Context()); !errors.Is(err, oauth.ErrNoGrant) || b.refreshes() != 0 {
			b.t.Errorf("Token = %v after %d refreshes, want ErrNoGrant after none", err, b.refreshes())
		}
		for name, keep := range map[string]oauth.Keep{"no Store": {Key: keepKey}, "a bad key": {Store: store, Key: "a//b"}} {
			if _, err := oauth.Open(b.t.Context(), b.cfg, keep); err == nil {
				b.t.Errorf("Open with %s succeeded", name)
			}
			b.opts.Keep = &keep
			if _, err := oauth.SignIn(b.t.Context(), b.cfg, b.opts); err == nil || b.srv.Hits(oauthtest.AuthorizePath) != 1 {
				b.t.Errorf("SignIn with %s = %v, want an error before the browser opens", name, err)
			}
		}
	})
}

func TestOpenWithAnotherConfig(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		keep, grant := b.kept(store)
		before := fmt.Sprint(fields(b.t, store))
		for name, change := range map[string]func(*oauth.Config){
			"client \"other\"":                  func(c *oauth.Config) { c.ClientID = "other" },
			"issuer \"https://other.example\"":  func(c *oauth.Config) { c.Endpoint.Issuer = "https://other.example" },
			"URL \"https://other.example/tok\"": func(c *oauth.Config) { c.Endpoint.TokenURL = "https://other.example/tok" },
		} {
			cfg := *b.cfg
			change(&cfg)
			_, err := oauth.Open(b.t.Context(), &cfg, keep)
			what, value, _ := strings.Cut(name, " ")
			b.failed(err, oauth.KindClientConfig)
			for _, want := range []string{what, value, "new sign-in"} {
				if !strings.Contains(err.Error(), want) {
					b.t.Errorf("Open with another %s = %v, want %q in it", what, err, want)
				}
			}
		}
		if after := fmt.Sprint(fields(b.t, store)); after != before {
			b.t.Errorf("the record was changed to %s", after)
		}
		cfg := *b.cfg
		cfg.Endpoint.Issuer, cfg.Endpoint.AuthURL = "", ""
		if _, err := oauth.Open(b.t.Context(), &cfg, keep); err != nil {
			b.t.Errorf("Open with no issuer and no AuthURL = %v, want nil", err)
		}
		// Another program takes the record over while this one runs.
		rewrite(b.t, store, func(m map[string]any) { m["client_id"] = "other" })
		let(time.Hour)
		_, err := grant.For("").Token(b.t.Context())
		b.failed(err, oauth.KindClientConfig)
		if b.refreshes() != 0 {
			b.t.Errorf("%d refreshes with another client's token, want none", b.refreshes())
		}
	})
}

func TestARecordOfANewerVersion(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		keep, grant := b.kept(store)
		rewrite(b.t, store, func(m map[string]any) { m["schema"], m["client_id"] = 2, []string{"another form"} })
		before := fmt.Sprint(fields(b.t, store))
		_, err := oauth.Open(b.t.Context(), b.cfg, keep)
		_, again := oauth.SignIn(b.t.Context(), b.cfg, b.opts)
		let(time.Hour)
		_, token := grant.For("").Token(b.t.Context())
		for name, err := range map[string]error{"Open": err, "SignIn": again, "Token": token} {
			if err == nil || !strings.Contains(err.Error(), "newer version") || !strings.Contains(err.Error(), "schema is 2") {
				b.t.Errorf("%s = %v, want that a newer version wrote the record", name, err)
			}
		}
		if after := fmt.Sprint(fields(b.t, store)); after != before || b.refreshes() != 0 || b.srv.Hits(oauthtest.AuthorizePath) != 1 {
			b.t.Errorf("the record is %s after %d refreshes, want it untouched", after, b.refreshes())
		}
	})
}

func TestWhatANewerVersionAddedSurvives(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateAlways}, func(b *bed) {
		b.cfg.Scopes = append(b.cfg.Scopes, graphScope)
		store := state.NewMemory()
		_, grant := b.kept(store)
		b.token(grant.For(graphResource))
		rewrite(b.t, store, func(m map[string]any) {
			m["added"] = map[string]any{"deep": []any{1.5, "x"}}
			m["Refresh_Token"] = "of another case"
			for _, tok := range m["access_tokens"].(map[string]any) { //nolint:forcetypeassert // A panic fails the test as well.
				tok.(map[string]any)["added"] = true //nolint:forcetypeassert // A panic fails the test as well.
			}
		})
		let(time.Hour)
		b.token(grant.For(graphResource))
		m := fields(b.t, store)
		if got := fmt.Sprint(m["added"], m["Refresh_Token"]); got != "map[deep:[1.5 x]]of another case" {
			b.t.Errorf("the record's further fields are %s", got)
		}
		old := 0
		for _, tok := range m["access_tokens"].(map[string]any) { //nolint:forcetypeassert // A panic fails the test as well.
			if object, _ := tok.(map[string]any); object["added"] == true {
				old++
			}
		}
		if old != 1 {
			b.t.Errorf("%d access tokens with a further field, want that of the token that was not replaced", old)
		}
	})
}

func TestAnUnreadableRecord(t *testing.T) {
	for name, value := range map[string]string{ //nolint:gosec // G101: they are no credentials.
		"text": "rt-SECRETSECRETSECRET", "no schema": `{"refresh_token":"rt-SECRET"}`, "list": `["rt-SECRET"]`, "empty": "",
		"wrong kind": `{"schema":1,"refresh_token":{"rt-SECRET":1}}`, "wrong time": `{"schema":1,"last_use":"rt-SECRET"}`,
		"wrong token": `{"schema":1,"access_tokens":{"":"rt-SECRET"}}`, "wrong status": `{"schema":1,"status":"rt-SECRET"}`,
		"schema of text": `{"schema":"rt-SECRET"}`, "wrong former": `{"schema":1,"former_pins":["rt-SECRET"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{}, func(b *bed) {
				store := state.NewMemory()
				if _, err := store.CompareAndSwap(b.t.Context(), keepKey, "", []byte(value)); err != nil {
					b.t.Fatalf("CompareAndSwap: %v", err)
				}
				_, err := oauth.Open(b.t.Context(), b.cfg, oauth.Keep{Store: store, Key: keepKey})
				if err == nil || errors.Is(err, oauth.ErrNoGrant) || strings.Contains(err.Error(), "SECRET") || !strings.Contains(err.Error(), keepKey) {
					b.t.Errorf("Open = %v, want an error that names the key and quotes nothing", err)
				}
				keep, _ := b.kept(store) // A new sign-in is the way out.
				b.open(keep)
			})
		})
	}
}

func TestNothingIsAllocatedForAGoodToken(t *testing.T) {
	b := newBed(t, oauthtest.Options{})
	source := b.signIn().For("")
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { _, _ = source.Token(ctx) }); n != 0 {
		t.Errorf("%v allocations a call, want 0", n)
	}
}

// TestTheBrowserOpensWhereItHasTo: the first time, and when the user has to sign in
// again; not for a grant that is there, nor for one of another client.
func TestTheBrowserOpensWhereItHasTo(t *testing.T) {
	b := newBed(t, oauthtest.Options{})
	ctx := t.Context()
	opened := 0
	b.opts.OpenURL = func(ctx context.Context, address string) error {
		opened++
		return b.srv.Browser(ctx, address)
	}
	if _, err := oauth.OpenOrSignIn(ctx, b.cfg, nil); err == nil || !strings.Contains(err.Error(), "SignInOptions.Keep") {
		t.Errorf("without a place to keep it: %v", err)
	}
	b.opts.Keep = &oauth.Keep{Store: state.NewMemory(), Key: "grant"}
	open := func(want int) *oauth.Grant {
		t.Helper()
		g, err := oauth.OpenOrSignIn(ctx, b.cfg, b.opts)
		if err != nil || opened != want {
			t.Fatalf("OpenOrSignIn = %v, %v after %d sign-ins, want %d", g, err, opened, want)
		}
		return g
	}
	open(1)
	g := open(1)
	b.srv.Revoke(oauthtest.DefaultEmail)
	token, err := g.For(mailResource).Token(ctx)
	if err != nil {
		t.Fatal(err)
	}
	invalidator, ok := g.For(mailResource).(oauth.Invalidator)
	if !ok {
		t.Fatal("the source of a grant is no Invalidator")
	}
	if err := invalidator.Invalidate(ctx, token); !oauth.NeedsSignIn(err) {
		t.Errorf("a revoked grant: %v, want an error that needs a sign-in", err)
	}
	g = open(2)
	if err := g.Forget(ctx); err != nil {
		t.Fatal(err)
	}
	open(3)
	b.cfg.ClientID = "another"
	_, err = oauth.OpenOrSignIn(ctx, b.cfg, b.opts)
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindClientConfig || opened != 3 {
		t.Errorf("another client: %v after %d sign-ins, want an error of the configuration", err, opened)
	}
}

func ExampleOpenOrSignIn() {
	srv := oauthtest.New(nil)
	defer srv.Close()
	cfg := &oauth.Config{
		ClientID:   oauthtest.DefaultClientID,
		Endpoint:   oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
		Scopes:     []string{"openid", "email", "offline_access"},
		HTTPClient: srv.Client(),
	}
	// A program that lasts uses state.OpenDir, and leaves OpenURL out.
	keep := &oauth.Keep{Store: state.NewMemory(), Key: "grant/ann@example.org"}
	browser := func(ctx context.Context, address string) error {
		fmt.Println("the browser opens")
		return srv.Browser(ctx, address)
	}
	for range 2 { // two runs of the program
		grant, err := oauth.OpenOrSignIn(context.Background(), cfg, &oauth.SignInOptions{Keep: keep, OpenURL: browser})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(grant.Address())
	}
	// Output:
	// the browser opens
	// ann@example.org
	// ann@example.org
}

func ExampleOpen() {
	srv := oauthtest.New(&oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily})
	defer srv.Close()
	cfg := &oauth.Config{
		ClientID:   oauthtest.DefaultClientID,
		Endpoint:   oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
		Scopes:     []string{"openid", "email", "offline_access"},
		HTTPClient: srv.Client(),
	}
	// A program that lasts uses state.OpenDir.
	keep := oauth.Keep{Store: state.NewMemory(), Key: "grant/ann@example.org"}

	ctx := context.Background()
	grant, err := oauth.Open(ctx, cfg, keep)
	if errors.Is(err, oauth.ErrNoGrant) {
		fmt.Println("nobody has signed in yet")
		grant, err = oauth.SignIn(ctx, cfg, &oauth.SignInOptions{Keep: &keep, OpenURL: srv.Browser})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(grant.Address())

	grant, err = oauth.Open(ctx, cfg, keep) // the next time the program runs
	if err != nil {
		fmt.Println(err)
		return
	}
	token, err := grant.For("").Token(ctx)
	fmt.Println(grant.Address(), token.AccessToken, err)
	// Output:
	// nobody has signed in yet
	// ann@example.org
	// ann@example.org [redacted] <nil>
}
