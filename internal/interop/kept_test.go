//go:build interop

package interop_test

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/seal"
)

// A program is a mail program whose sign-in is kept in a sealed folder. Each of
// its runs has that folder and the passphrase, and nothing of the run before.
type program struct {
	issuer *authorization
	folder string
}

// newProgram returns a program whose folder is not there yet.
func newProgram(t *testing.T, issuer *authorization) *program {
	t.Helper()
	return &program{issuer: issuer, folder: filepath.Join(t.TempDir(), "state")}
}

// place opens the Store.
func (p *program) place(t *testing.T) *oauth.Keep {
	t.Helper()
	dir, err := state.OpenDir(p.folder)
	must(t, err)
	store, err := seal.New(dir, seal.Keys{Passphrase: secret.New("correct horse battery staple")}, &seal.Options{WorkFactor: 2})
	must(t, err)
	return &oauth.Keep{Store: store, Key: "grant/" + ann, Provider: "interop"}
}

// signIn is the program's first run, in which the user signs in.
func (p *program) signIn(t *testing.T) *oauth.Grant {
	t.Helper()
	return p.issuer.signInAt(t, ann, p.place(t))
}

// start is each later run.
func (p *program) start(t *testing.T) *oauth.Grant {
	t.Helper()
	grant, err := oauth.Open(t.Context(), p.issuer.client(t), *p.place(t))
	must(t, err)
	return grant
}

// TestAKeptGrantOnRealServers is the life of one sign-in over many runs of a
// program: it reads, changes and sends mail, is started anew, finds its access
// token revoked, then its sign-in, and goes on after another.
func TestAKeptGrantOnRealServers(t *testing.T) {
	t.Parallel()
	for name, start := range authorizations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := start(t)
			liveKept(t, newProgram(t, issuer), startServers(t, &interop.Options{Tokens: issuer.tokens}))
		})
	}
}

func liveKept(t *testing.T, p *program, servers *interop.Servers) {
	t.Helper()
	in, out := pair(t, servers, session.TLS)
	run := func(grant *oauth.Grant) {
		t.Helper()
		s := newSession(t, session.Credentials{User: ann, Tokens: grant}, in, out)
		tellStory(t, s)
		must(t, s.Close())
	}
	refreshes := p.issuer.refreshes(t)
	wantRefreshes := func(when string, want int) {
		t.Helper()
		if got := p.issuer.refreshes(t) - refreshes; got != want {
			t.Errorf("%s: %d refreshes, want %d", when, got, want)
		}
	}
	run(p.signIn(t))
	run(p.start(t))
	wantRefreshes("after a restart", 0)
	wantReplaced(t, p.issuer, p.start, in, out)
	run(p.start(t))
	wantRefreshes("after the access token was revoked, and a restart", 1)
	wantSealed(t, p.folder, tokenOf(t, p.start(t)))

	wantOver(t, p.issuer, p.start, in, out)
	grant := p.start(t)
	wantKind(t, invalidate(t, grant.For("")), oauth.KindRevoked, true) // The kept token is the refused one.
	facts, err := grant.Facts(t.Context())
	if err != nil || facts.Status.State != oauth.StateNeedsSignIn || facts.Status.Kind != oauth.KindRevoked || facts.Status.Since.IsZero() {
		t.Errorf("Facts = %+v, %v, want that the grant was revoked", facts, err)
	}
	wantRefreshes("the refusal is remembered over a restart", 2)
	p.signIn(t)
	run(p.start(t))
	wantRefreshes("after another sign-in", 2)
}

// wantSealed looks for a token, and for what a record is made of, in all files.
func wantSealed(t *testing.T, folder string, token secret.Text) {
	t.Helper()
	files, root := 0, os.DirFS(folder)
	must(t, fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		value, err := fs.ReadFile(root, name)
		for _, plain := range []string{token.Reveal(), "refresh_token"} {
			if bytes.Contains(value, []byte(plain)) {
				t.Errorf("the file %s is not sealed", name)
			}
		}
		return err
	}))
	if files < 2 {
		t.Errorf("%d files in the Store, want the record's and the key's", files)
	}
}

// A counter is a transport that counts the requests it is given.
type counter struct {
	http.Transport

	sent atomic.Int32
}

// RoundTrip implements [http.RoundTripper].
func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.sent.Add(1)
	return c.Transport.RoundTrip(r)
}

// TestOutagesOfAKeptGrant: how often a request is sent, and how often it reaches
// the server, while that is away and in trouble after its return. Where the
// policy ends first the failure is temporary, and the next run goes on as if
// nothing had been.
func TestOutagesOfAKeptGrant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		down    bool  // until the first request has failed, or for good where the policy ends
		busy    int   // requests that are answered 503 afterwards
		retries int   // of the policy
		sent    int32 // requests
		reached int   // those that came to the server
		fails   bool
	}{
		"away for longer than the policy":    {down: true, retries: 3, sent: 4, fails: true},
		"back in trouble, and well then":     {down: true, busy: 2, retries: 20, reached: 3},
		"in trouble for the policy's length": {busy: 4, retries: 3, sent: 4, reached: 4, fails: true},
		"in trouble for less than that":      {busy: 3, retries: 3, sent: 4, reached: 4},
		"not to be tried again":              {busy: 1, retries: -1, sent: 1, reached: 1, fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := startOIDC(t, nil)
			p := newProgram(t, realAuthorization(server))
			first := tokenOf(t, p.signIn(t))
			sent := &counter{}
			failed := make(chan struct{}, 100) // more than there are tries
			p.issuer.config.HTTPClient, p.issuer.config.Logger = &http.Client{Transport: sent}, newAnnouncer(failed)
			p.issuer.config.Retry = oauth.Retry{Count: tt.retries, Initial: 20 * time.Millisecond, Max: 200 * time.Millisecond}
			for range tt.busy {
				must(t, server.InjectToken(t.Context(), http.StatusServiceUnavailable))
			}
			if tt.down {
				must(t, server.Down(t.Context()))
			}
			replaced := make(chan error, 1)
			grant := p.start(t)
			go func() { replaced <- invalidate(t, grant.For("")) }()
			if tt.down && !tt.fails {
				<-failed
				must(t, server.Up(t.Context()))
			}
			err := <-replaced
			if tt.fails {
				wantKind(t, err, oauth.KindTemporary, false)
			} else {
				must(t, err)
			}
			if got := sent.sent.Load(); (tt.sent != 0 && got != tt.sent) || int(got) > tt.retries+1 && tt.retries > 0 {
				t.Errorf("%d requests were sent, want %d of at most %d", got, tt.sent, tt.retries+1)
			}
			if got := refreshHits(t, server); got != tt.reached {
				t.Errorf("%d refreshes reached the server, want %d", got, tt.reached)
			}
			if tt.down && tt.fails {
				must(t, server.Up(t.Context()))
			}
			grant = p.start(t)
			must(t, invalidate(t, grant.For("")))
			if second := tokenOf(t, grant); second.Equal(first) || !introspect(t, server, second).Active {
				t.Error("the next run has no new access token that is active")
			}
		})
	}
}
