package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// issue returns a refresh token of an account.
func (b *bed) issue(email string) secret.Text {
	b.t.Helper()
	issued, err := b.srv.Issue(email, b.cfg.Scopes...)
	if err != nil {
		b.t.Fatalf("Issue: %v", err)
	}
	return issued.Refresh
}

// pinned returns the grant of a pin.
func (b *bed) pinned(pin oauth.Pin, o *oauth.PinOptions) *oauth.Grant {
	b.t.Helper()
	grant, err := oauth.Pinned(b.t.Context(), b.cfg, pin, o)
	if err != nil {
		b.t.Fatalf("Pinned: %v", err)
	}
	return grant
}

// place is a place of a pin that a test changes.
type place struct{ path string }

func newPlace(t *testing.T, token secret.Text) place {
	t.Helper()
	p := place{filepath.Join(t.TempDir(), "rt-hidden-place")}
	p.put(t, token)
	return p
}

func (p place) put(t *testing.T, token secret.Text) {
	t.Helper()
	if err := os.WriteFile(p.path, []byte(token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatalf("WriteFile: %v", err)
	}
}

func (p place) pin() oauth.Pin { return oauth.PinFile(p.path) }

func TestPinsOfAllKinds(t *testing.T) {
	b := newBed(t, oauthtest.Options{})
	token := b.issue(oauthtest.DefaultEmail)
	dir := t.TempDir()
	for name, text := range map[string]string{
		"plain": token.Reveal(), "lines": "\n " + token.Reveal() + "\r\n",
		"json": `{"access_token":"at","refresh_token":"` + token.Reveal() + `","expires_in":3600}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatalf("WriteFile: %v", err)
		}
	}
	if err := os.Symlink("plain", filepath.Join(dir, "link")); err != nil {
		t.Fatalf("Symlink: %v", err)
	}
	t.Setenv("OAUTH_TEST_PIN", token.Reveal())
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	for name, pin := range map[string]oauth.Pin{
		"value": oauth.PinValue(token), "variable": oauth.PinEnv("OAUTH_TEST_PIN"), "credential": oauth.PinCredential("json"),
		"plain file": oauth.PinFile(filepath.Join(dir, "plain")), "file with lines": oauth.PinFile(filepath.Join(dir, "lines")),
		"link": oauth.PinFile(filepath.Join(dir, "link")), "json file": oauth.PinFile(filepath.Join(dir, "json")),
		"function": oauth.PinFunc(func(context.Context) (secret.Text, error) { return token, nil }),
	} {
		grant := b.pinned(pin, nil)
		if grant.Address() != "" {
			t.Errorf("%s: Address = %q before a refresh", name, grant.Address())
		}
		tok := b.token(grant.For(""))
		if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil || grant.Address() != oauthtest.DefaultEmail {
			t.Errorf("%s: CheckToken = %v for %q", name, err, grant.Address())
		}
		for _, shown := range []string{pin.String(), fmt.Sprintf("%v %+v %#v %s %q %x", pin, pin, pin, pin, pin, pin)} {
			if b.mustNotContain(name, shown); strings.Contains(shown, dir) {
				t.Errorf("%s shows its place: %s", name, shown)
			}
		}
	}
}

func TestAPinThatCannotBeRead(t *testing.T) {
	b := newBed(t, oauthtest.Options{})
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	t.Setenv("OAUTH_TEST_PIN", "rt-SECRET and more")
	at := newPlace(t, secret.New("rt-SECRET\nrt-SECRET"))
	errVault := errors.New("the vault is sealed")
	for name, tt := range map[string]struct {
		pin  oauth.Pin
		want string
	}{
		"nothing":       {oauth.Pin{}, "there is no pin"},
		"empty value":   {oauth.PinValue(secret.Text{}), "no refresh token"},
		"no variable":   {oauth.PinEnv("OAUTH_TEST_NO_PIN"), "not set"},
		"two words":     {oauth.PinEnv("OAUTH_TEST_PIN"), "more than a refresh token"},
		"no file":       {oauth.PinFile(filepath.Join(dir, "rt-hidden-place")), "no such file"},
		"folder":        {oauth.PinFile(dir), "not a regular file"},
		"two lines":     {at.pin(), "more than a refresh token"},
		"no service":    {oauth.PinCredential("rt-hidden-place"), "CREDENTIALS_DIRECTORY"},
		"odd JSON":      {oauth.PinValue(secret.New(`{"refresh_token":["rt-SECRET"]}`)), "refresh_token"},
		"sealed vault":  {oauth.PinFunc(func(context.Context) (secret.Text, error) { return secret.Text{}, errVault }), errVault.Error()},
		"too large":     {oauth.PinValue(secret.New(strings.Repeat("SECRET", 20_000))), "64 KiB"},
		"path outwards": {oauth.PinCredential("../rt-hidden-place"), "CREDENTIALS_DIRECTORY"},
	} {
		_, err := oauth.Pinned(t.Context(), b.cfg, tt.pin, nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "SECRET") ||
			strings.Contains(err.Error(), "rt-hidden-place") || strings.Contains(err.Error(), dir) {
			t.Errorf("%s: Pinned = %v, want %q and neither place nor content", name, err, tt.want)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	if _, err := oauth.Pinned(t.Context(), b.cfg, oauth.PinCredential("../x"), nil); err == nil || !strings.Contains(err.Error(), "name") {
		t.Errorf("Pinned with a path for a name = %v, want an error", err)
	}
	_, err := oauth.Pinned(t.Context(), &oauth.Config{}, at.pin(), nil)
	b.failed(err, oauth.KindClientConfig)
	if _, err := oauth.Pinned(t.Context(), b.cfg, oauth.PinValue(secret.New("x")), &oauth.PinOptions{Keep: &oauth.Keep{}}); err == nil {
		t.Error("Pinned without a Store succeeded")
	}
}

// TestAPinIsRotatedInTheRecord: a pin that cannot be written back outlives the
// server's rotation, and the program.
func TestAPinIsRotatedInTheRecord(t *testing.T) {
	for name, newStore := range stores() {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
				pin := oauth.PinValue(b.issue(oauthtest.DefaultEmail))
				store := newStore()
				o := &oauth.PinOptions{Keep: &oauth.Keep{Store: store, Key: keepKey, Provider: "example"}}
				for n := range 5 {
					grant := b.pinned(pin, o)
					b.token(grant.For(""))
					if b.token(b.pinned(pin, o).For("")); b.refreshes() != n+1 || grant.Address() != oauthtest.DefaultEmail {
						b.t.Errorf("%d refreshes of %q, want %d", b.refreshes(), grant.Address(), n+1)
					}
					let(time.Hour)
				}
				m := fields(b.t, store)
				if sum, _ := m["pin"].(string); !strings.HasPrefix(sum, "sha256:") || m["provider"] != "example" || m["former_pins"] != nil {
					b.t.Errorf("the record has the pin %v, provider %v, former pins %v", m["pin"], m["provider"], m["former_pins"])
				}
				b.mustNotContain("the log", b.log.String())
			})
		})
	}
}

func TestAPinIsReplacedWithoutARestart(t *testing.T) {
	for name, refusal := range map[string]oauthtest.Fault{
		"revoked": {Error: "invalid_grant"}, "expired": {Error: "invalid_grant", Suberror: "token_expired"},
		"malformed": {Error: "invalid_request"}, "interaction": {Error: "interaction_required"},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
				at := newPlace(b.t, b.issue(oauthtest.DefaultEmail))
				keep := &oauth.Keep{Store: state.NewMemory(), Key: keepKey}
				grant := b.pinned(at.pin(), &oauth.PinOptions{Keep: keep})
				other := b.pinned(oauth.PinValue(b.issue(oauthtest.DefaultEmail)), nil)
				b.token(grant.For(""))
				b.token(other.For(""))
				b.srv.Revoke(oauthtest.DefaultEmail)
				let(time.Hour)
				b.srv.Inject(oauthtest.TokenPath, refusal)
				if _, err := grant.For("").Token(b.t.Context()); err == nil {
					b.t.Fatal("Token succeeded with a revoked pin")
				} else if said := strings.HasSuffix(err.Error(), "the new refresh token goes where the pinned one is"); said != oauth.NeedsSignIn(err) {
					b.t.Errorf("%v does not say what to do, or says what does not help", err)
				}
				before := b.refreshes()
				at.put(b.t, b.issue(oauthtest.DefaultEmail))
				let(time.Minute)
				tok := b.token(grant.For(""))
				if err := b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken); err != nil || b.refreshes() != before+2 {
					b.t.Errorf("CheckToken = %v after %d more refreshes, want nil after 2", err, b.refreshes()-before)
				}
				if _, err := other.For("").Token(b.t.Context()); !oauth.NeedsSignIn(err) {
					b.t.Errorf("Token of a pin that stays as it is = %v, want a need to sign in", err)
				}
				b.mustNotContain("the log", b.log.String())
				if strings.Contains(b.log.String(), "rt-hidden-place") {
					b.t.Error("the log shows the pin's place")
				}
			})
		})
	}
}

// TestAChangedPinWins: over an overlay that is still good, from the next start
// on; and a pin that cannot be looked at changes nothing.
func TestAChangedPinWins(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		at := newPlace(b.t, b.issue(oauthtest.DefaultEmail))
		store := state.NewMemory()
		o := &oauth.PinOptions{Keep: &oauth.Keep{Store: store, Key: keepKey}}
		running := b.pinned(at.pin(), o)
		first := b.token(running.For(""))
		was := fields(b.t, store)["pin"]
		at.put(b.t, b.issue(oauthtest.DefaultEmail))
		grant := b.pinned(at.pin(), o)
		if tok := b.token(grant.For("")); tok.AccessToken.Equal(first.AccessToken) || b.refreshes() != 2 || fields(b.t, store)["pin"] == was {
			b.t.Errorf("%d refreshes, want 2, and the token of the new pin", b.refreshes())
		}
		let(time.Hour)
		b.token(running.For("")) // goes on with the new one
		if err := os.Remove(at.path); err != nil {
			b.t.Fatalf("Remove: %v", err)
		}
		b.srv.Revoke(oauthtest.DefaultEmail)
		let(time.Hour)
		_, err := grant.For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		if log := b.log.String(); !strings.Contains(log, "cannot be looked at again") || strings.Contains(log, "rt-hidden-place") {
			b.t.Error("the log does not say that the pin cannot be read, or shows its place")
		}
	})
}

// TestAnOldProcessDoesNotBringItsPinBack: what a process has read before is no
// news to it.
func TestAnOldProcessDoesNotBringItsPinBack(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		o := &oauth.PinOptions{Keep: &oauth.Keep{Store: store, Key: keepKey}}
		old := b.pinned(oauth.PinValue(b.issue(oauthtest.DefaultEmail)), o)
		b.pinned(oauth.PinValue(b.issue(oauthtest.DefaultEmail)), o)
		pin := fields(b.t, store)["pin"]
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant"})
		_, err := old.For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		if now := fields(b.t, store)["pin"]; now != pin || b.refreshes() != 1 {
			b.t.Errorf("the record's pin was changed %t, after %d refreshes", now != pin, b.refreshes())
		}
	})
}

// TestANewPinIsTakenUpOnce: what one process has made of it is not undone by
// the next that sees it.
func TestANewPinIsTakenUpOnce(t *testing.T) {
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		at := newPlace(b.t, b.issue(oauthtest.DefaultEmail))
		store := state.NewMemory()
		o := &oauth.PinOptions{Keep: &oauth.Keep{Store: store, Key: keepKey}}
		first, second := b.pinned(at.pin(), o), b.pinned(at.pin(), o)
		b.token(first.For(""))
		at.put(b.t, b.issue(oauthtest.DefaultEmail))
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant"})
		let(time.Hour)
		b.token(first.For("")) // turns to the new pin, which the server replaces
		refresh := fields(b.t, store)["refresh_token"]
		b.srv.Inject(oauthtest.TokenPath, oauthtest.Fault{Error: "invalid_grant"})
		let(time.Hour)
		_, err := second.For("").Token(b.t.Context())
		b.failed(err, oauth.KindRevoked)
		if fields(b.t, store)["refresh_token"] != refresh {
			b.t.Error("the second process went back to the pin as it came")
		}
		let(time.Hour)
		b.token(second.For(""))
	})
}

// TestAPinOfAnotherUser: it is refused, what came of it is not lost, and the pin
// that comes back is as good as before.
func TestAPinOfAnotherUser(t *testing.T) {
	const bob = "bob@example.org"
	inBubble(t, oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily}, func(b *bed) {
		b.srv.AddAccount(oauthtest.Account{Email: bob})
		anns, bobs := b.issue(oauthtest.DefaultEmail), b.issue(bob)
		at := newPlace(b.t, anns)
		o := &oauth.PinOptions{Keep: &oauth.Keep{Store: state.NewMemory(), Key: keepKey}}
		b.token(b.pinned(at.pin(), o).For(""))
		at.put(b.t, bobs)
		for range 3 {
			grant := b.pinned(at.pin(), o)
			_, err := grant.For("").Token(b.t.Context())
			b.failed(err, oauth.KindClientConfig)
			if !errors.Is(err, oauth.ErrOtherUser) || b.refreshes() != 2 || grant.Address() != oauthtest.DefaultEmail {
				b.t.Errorf("Token = %v after %d refreshes, want ErrOtherUser after 2", err, b.refreshes())
			}
			let(2 * time.Minute)
		}
		let(time.Hour)
		at.put(b.t, anns) // The server has long replaced it.
		running := b.pinned(at.pin(), o)
		if tok := b.token(running.For("")); b.srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken) != nil {
			b.t.Error("the token is not Ann's")
		}
		at.put(b.t, bobs) // So is this one.
		o.AllowOtherUser = true
		grant := b.pinned(at.pin(), o)
		tok := b.token(grant.For(""))
		if err := b.srv.CheckToken(bob, tok.AccessToken); err != nil || grant.Address() != bob {
			b.t.Errorf("CheckToken = %v, Address = %q, want Bob's", err, grant.Address())
		}
		let(time.Hour)
		_, err := running.For("").Token(b.t.Context())
		if b.failed(err, oauth.KindClientConfig); !errors.Is(err, oauth.ErrOtherUser) {
			b.t.Errorf("Token of the program that does not allow it = %v, want ErrOtherUser", err)
		}
	})
}

// TestTokensOfTheFormerUserEnd: where another user is allowed, no resource goes
// on with the tokens of the one before.
func TestTokensOfTheFormerUserEnd(t *testing.T) {
	const bob = "bob@example.org"
	inBubble(t, oauthtest.Options{OneResource: true}, func(b *bed) {
		b.cfg.Scopes = []string{"openid", "email", mailScope, graphScope}
		b.srv.AddAccount(oauthtest.Account{Email: bob})
		at := newPlace(b.t, b.issue(oauthtest.DefaultEmail))
		grant := b.pinned(at.pin(), &oauth.PinOptions{AllowOtherUser: true})
		bad := b.token(grant.For(mailResource))
		let(30 * time.Minute)
		b.token(grant.For(graphResource))
		at.put(b.t, b.issue(bob))
		b.srv.Revoke(oauthtest.DefaultEmail)
		invalidator, _ := grant.For(mailResource).(oauth.Invalidator)
		if err := invalidator.Invalidate(b.t.Context(), bad); err != nil {
			b.t.Errorf("Invalidate = %v, want nil", err)
		}
		for _, resource := range []string{mailResource, graphResource} {
			tok := b.token(grant.For(resource))
			if err := b.srv.CheckToken(bob, tok.AccessToken); err != nil || grant.Address() != bob {
				b.t.Errorf("CheckToken for %s = %v, Address = %q, want Bob's", resource, err, grant.Address())
			}
		}
	})
}

func TestTheRecordOfAPinIsItsOwn(t *testing.T) {
	inBubble(t, oauthtest.Options{}, func(b *bed) {
		store := state.NewMemory()
		keep, _ := b.kept(store)
		o := &oauth.PinOptions{Keep: &keep}
		before := fmt.Sprint(fields(b.t, store))
		pin := oauth.PinValue(b.issue(oauthtest.DefaultEmail))
		_, err := oauth.Pinned(b.t.Context(), b.cfg, pin, o)
		if b.failed(err, oauth.KindClientConfig); fmt.Sprint(fields(b.t, store)) != before {
			b.t.Error("the record of a sign-in was changed")
		}
		keep.Key += "/pin"
		b.token(b.pinned(pin, o).For(""))
		cfg := *b.cfg
		cfg.ClientID = "other"
		_, err = oauth.Pinned(b.t.Context(), &cfg, pin, o)
		b.failed(err, oauth.KindClientConfig)
		// A new pin may be of a new client, and stays one of the same user.
		grant, err := oauth.Pinned(b.t.Context(), &cfg, oauth.PinValue(b.issue(oauthtest.DefaultEmail)), o)
		if err != nil || grant.Address() != oauthtest.DefaultEmail {
			b.t.Errorf("Pinned with a new pin of a new client = %v, %v", grant, err)
		}
		broken := &oauth.PinOptions{Keep: &oauth.Keep{Store: &hooked{Store: store, load: func(string) error { return errDisk }}, Key: keepKey}}
		if _, err := oauth.Pinned(b.t.Context(), b.cfg, pin, broken); !errors.Is(err, errDisk) {
			b.t.Errorf("Pinned = %v, want the Store's error", err)
		}
	})
}

func ExamplePinned() {
	srv := oauthtest.New(&oauthtest.Options{Rotation: oauthtest.RotateRevokeFamily})
	defer srv.Close()
	cfg := &oauth.Config{
		ClientID:   oauthtest.DefaultClientID,
		Endpoint:   oauth.Endpoint{TokenURL: srv.TokenURL()},
		HTTPClient: srv.Client(),
	}
	// Somebody has signed in elsewhere and handed over the refresh token; a
	// program of its own reads it with PinFile, PinEnv or PinCredential.
	issued, err := srv.Issue(oauthtest.DefaultEmail, "mail")
	if err != nil {
		fmt.Println(err)
		return
	}
	pin := oauth.PinValue(issued.Refresh)
	keep := &oauth.Keep{Store: state.NewMemory(), Key: "grant/pinned"}

	ctx := context.Background()
	for range 2 { // The second time the record has the token and its successor.
		grant, err := oauth.Pinned(ctx, cfg, pin, &oauth.PinOptions{Keep: keep})
		if err != nil {
			fmt.Println(err)
			return
		}
		token, err := grant.For("").Token(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(pin, srv.CheckToken(oauthtest.DefaultEmail, token.AccessToken), srv.Hits(oauthtest.TokenPath))
	}
	// Output:
	// pinned refresh token from a value <nil> 1
	// pinned refresh token from a value <nil> 1
}
