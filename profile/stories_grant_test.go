package profile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// write puts a text into a file.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// inMemory starts a provider for a bubble of virtual time.
func inMemory(t *testing.T) *bed {
	t.Helper()
	b := newBed(t, &presettest.Options{InMemory: true})
	b.opts.AllowLiteralSecrets = true
	return b
}

// TestSignInAgainAfterTheTokenWasReplacedOutsideRefusedForAnotherUser: whoever
// looks after a pinned token replaces it in its file, and the open session goes on
// without a restart; the token of somebody else is refused.
func TestSignInAgainAfterTheTokenWasReplacedOutsideRefusedForAnotherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := inMemory(t)
		path := filepath.Join(t.TempDir(), "token")
		write(t, path, b.pin(t, ann)+"\n")
		f := b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "file:`+path+`"`)
		s := open(t, f)
		wantInbox(t, s, ann)

		b.OAuth.Revoke(ann)
		b.IMAP.Disconnect()
		if _, err := subjects(t, s); !session.NeedsSignIn(err) {
			t.Errorf("with a revoked token: %v, want that somebody has to sign in", err)
		}
		write(t, path, b.pin(t, ann))
		<-time.After(2 * time.Minute)
		wantInbox(t, s, ann)

		b.OAuth.Revoke(ann)
		b.IMAP.Disconnect()
		write(t, path, b.pin(t, bob))
		<-time.After(2 * time.Minute)
		if _, err := subjects(t, s); !errors.Is(err, oauth.ErrOtherUser) {
			t.Errorf("with Bob's token: %v, want ErrOtherUser", err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestExpiredToldFromRevoked: an error says which, and both ask for a new sign-in.
func TestExpiredToldFromRevoked(t *testing.T) {
	for _, tt := range []struct {
		fault oauthtest.Fault
		kind  oauth.Kind
	}{
		{oauthtest.Entra(700082, "invalid_grant", "", "The refresh token has expired due to inactivity."), oauth.KindExpired},
		{oauthtest.Entra(50173, "invalid_grant", "", "The provided grant has expired due to it being revoked."), oauth.KindRevoked},
	} {
		synctest.Test(t, func(t *testing.T) {
			b := inMemory(t)
			f := b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "literal:`+b.pin(t, ann)+`"`)
			b.OAuth.Inject(oauthtest.TokenPath, tt.fault)
			_, err := subjects(t, open(t, f))
			if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != tt.kind || !session.NeedsSignIn(err) {
				t.Errorf("error %v, want the kind %v and a new sign-in", err, tt.kind)
			}
		})
	}
}

// TestChangedClientIDInvalidates: a sign-in is of one client, and of no use to
// another; the refresh token stays for the first.
func TestChangedClientIDInvalidates(t *testing.T) {
	b := newBed(t, nil)
	b.opts.Store = state.NewMemory()
	set := func(client string) *profile.File {
		return b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "`+client+`"`)
	}
	signIn(t, set("test-client"))
	before := b.OAuth.Hits(oauthtest.TokenPath)
	_, err := set("another-client").Open(t.Context(), "ann")
	if e, ok := errors.AsType[*oauth.Error](err); !ok || e.Kind != oauth.KindClientConfig || !strings.Contains(err.Error(), "client") {
		t.Errorf("Open with another client id: %v, want that the sign-in is another client's", err)
	}
	wantInbox(t, open(t, set("test-client")), ann)
	if got := b.OAuth.Hits(oauthtest.TokenPath) - before; got != 0 {
		t.Errorf("%d token requests, want none: the kept token is good", got)
	}
}

// TestAKeptSignInOutlivesTheProgram: the set names a folder, in which another
// program finds the sign-in.
func TestAKeptSignInOutlivesTheProgram(t *testing.T) {
	b := newBed(t, nil)
	set := `"provider": "contoso", "account": "` + ann + `", "clientId": "test-client", "store": {"dir": "` + filepath.Join(t.TempDir(), "state") + `"}`
	signIn(t, b.load(t, set))
	wantInbox(t, open(t, b.load(t, set)), ann)
}

// TestTokenFileWithThreeProperties: client id, secret and refresh token are in one
// file, as JSON or as lines; a new one takes effect without a restart.
func TestTokenFileWithThreeProperties(t *testing.T) {
	forms := map[string]func(token string) string{
		"JSON": func(token string) string {
			return `{"client_id": "test-client", "client_secret": "", "refresh_token": "` + token + `"}`
		},
		"lines": func(token string) string {
			return "# of the mail room\nclientId = test-client\nclientSecret=\nrefreshToken: \"" + token + "\"\n"
		},
	}
	for name, form := range forms {
		synctest.Test(t, func(t *testing.T) {
			b := inMemory(t)
			path := filepath.Join(t.TempDir(), "token")
			write(t, path, form(b.pin(t, ann)))
			s := open(t, b.load(t, `"provider": "contoso", "account": "`+ann+`", "tokenFile": "file:`+path+`"`))
			wantInbox(t, s, ann)
			b.OAuth.Revoke(ann)
			b.IMAP.Disconnect()
			write(t, path, form(b.pin(t, ann)))
			<-time.After(2 * time.Minute)
			wantInbox(t, s, ann)

			one := open(t, b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "file:`+path+`#client_id", "refreshToken": "file:`+path+`#refresh_token"`))
			wantInbox(t, one, ann)
			write(t, path, "refresh_token=x\n")
			_, err := b.load(t, `"provider": "contoso", "account": "`+ann+`", "tokenFile": "file:`+path+`"`).Open(t.Context(), "ann")
			if err == nil || !strings.Contains(err.Error(), `no property "client_id"`) {
				t.Errorf("%s without a client id: %v", name, err)
			}
			if err := errors.Join(s.Close(), one.Close()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAppOnlyByTenantForIMAPPOP3AndSMTP: a program opens the mailbox of a
// department in its own name, by all protocols.
func TestAppOnlyByTenantForIMAPPOP3AndSMTP(t *testing.T) {
	b := newBed(t, nil)
	t.Setenv("APP_SECRET", b.AppSecret().Reveal())
	for _, incoming := range []string{"IMAP", "POP3"} {
		s := open(t, b.load(t, `"provider": "contoso", "flow": "client-credentials", "clientId": "test-app", "clientSecret": "env:APP_SECRET",
			"mailbox": "`+info+`", "incoming": {"protocol": "`+incoming+`"}, "outgoing": {}`))
		wantInbox(t, s, info)
		if receipt, err := s.SendTest(t.Context(), bob, nil); err != nil || receipt.Outcome != session.Accepted {
			t.Errorf("%s: SendTest = %v, %v", incoming, receipt.Outcome, err)
		}
	}
	const microsoft = `"provider": "microsoft", "flow": "client-credentials", "clientId": "c", "clientSecret": "env:APP_SECRET", "account": "` + ann + `"`
	for _, many := range []string{"", `, "tenant": "common"`, `, "tenant": "organizations"`} {
		if got := mistakesOf(t, one(microsoft+many), nil); !strings.Contains(got, "/sets/ann/flow") {
			t.Errorf("without one tenant: %s, want a mistake in the flow", got)
		}
	}
	p, err := parse(t, one(microsoft+`, "tenant": "contoso.com"`), nil).Plan(t.Context(), "ann")
	if err != nil || !strings.Contains(p.OAuth.Endpoint.TokenURL, "/contoso.com/") || strings.Join(p.OAuth.Scopes, " ") != "https://outlook.office365.com/.default" {
		t.Errorf("the plan is %+v, %v; want the tenant's token endpoint and .default", p, err)
	}
}

// TestClientCredentialsRefusedForGmail: by the name of the provider when the file
// is read, and by its endpoint when the set is opened, without a request.
func TestClientCredentialsRefusedForGmail(t *testing.T) {
	const client = `"flow": "client-credentials", "clientId": "c", "clientSecret": "literal:stray horse", "account": "ann@gmail.com"`
	o := &profile.Options{AllowLiteralSecrets: true}
	got := mistakesOf(t, one(`"provider": "google", `+client), o)
	if !strings.Contains(got, "/sets/ann/flow: Google has no flow client-credentials") || !strings.Contains(got, "service-account") {
		t.Errorf("mistakes\n%s\nwant that Google has no client credentials, and what it has", got)
	}
	f := parse(t, one(`"oauth": {"tokenUrl": "https://oauth2.googleapis.com/token"}, "incoming": {"host": "imap.gmail.com"}, `+client), o)
	if _, err := f.Open(t.Context(), "ann"); err == nil || !strings.Contains(err.Error(), "ServiceAccount") || strings.Contains(err.Error(), "stray horse") {
		t.Errorf("Open = %v, want a refusal that says what there is", err)
	}
}

// TestReferencesAreResolvedAgainWhenSignInFails: a password and a client's secret
// are changed where they are kept, and the open sessions go on.
func TestReferencesAreResolvedAgainWhenSignInFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := inMemory(t)
		dir := t.TempDir()
		write(t, filepath.Join(dir, "password"), "wrong horse\n")
		s := open(t, b.load(t, `"provider": "contoso", "account": "`+ann+`", "password": "file:`+filepath.Join(dir, "password")+`"`))
		if _, err := subjects(t, s); err == nil || strings.Contains(err.Error(), "horse") {
			t.Errorf("with the wrong password: %v, want a refusal without it", err)
		}
		write(t, filepath.Join(dir, "password"), "correct horse\n")
		wantInbox(t, s, ann)

		write(t, filepath.Join(dir, "secret"), "an expired horse")
		app := open(t, b.load(t, `"provider": "contoso", "flow": "client-credentials", "clientId": "test-app", "clientSecret": "file:`+filepath.Join(dir, "secret")+`", "account": "`+info+`"`))
		if _, err := subjects(t, app); err == nil || session.NeedsSignIn(err) {
			t.Errorf("with the wrong secret: %v, want a refusal", err)
		}
		write(t, filepath.Join(dir, "secret"), b.AppSecret().Reveal())
		<-time.After(2 * time.Minute)
		wantInbox(t, app, info)
		if err := os.Remove(filepath.Join(dir, "secret")); err != nil {
			t.Fatal(err)
		}
		b.IMAP.Disconnect()
		wantInbox(t, app, info) // What is good is not looked at again.
		if err := errors.Join(s.Close(), app.Close()); err != nil {
			t.Error(err)
		}
	})
}

// TestTokensOfSomebodyElse: external tokens come from a reference, for each
// resource, or from an address.
func TestTokensOfSomebodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := inMemory(t)
		issued, err := b.OAuth.Issue(ann, presettest.Resource+"/IMAP", presettest.Resource+"/SMTP")
		if err != nil {
			t.Fatal(err)
		}
		var asked []string
		b.opts.Resolvers = map[string]profile.Resolver{"room": func(_ ctx, what string) (secret.Text, error) {
			asked = append(asked, what)
			return secret.New(`{"access_token": "` + issued.Access.Reveal() + `", "expires_in": 600}`), nil
		}}
		s := open(t, b.load(t, `"provider": "contoso", "flow": "external", "account": "`+ann+`", "external": {"token": "room:mail?for={resource}"}`))
		wantInbox(t, s, ann)
		if strings.Join(asked, " ") != "mail?for="+presettest.Resource {
			t.Errorf("the room was asked for %q, want once, for %s", asked, presettest.Resource)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
