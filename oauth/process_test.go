package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/state"
)

// What a child process is told.
const (
	childStore  = "OAUTH_TEST_STORE"  // the folder of the Store
	childServer = "OAUTH_TEST_SERVER" // the server's URL
	childPoint  = "OAUTH_TEST_POINT"  // where it is killed, "" for nowhere
	childLeases = "OAUTH_TEST_LEASES" // not "" for a Store without locks
)

func TestMain(m *testing.M) {
	if role, ok := os.LookupEnv(childCommand); ok {
		os.Exit(tokenHelper(role)) //nolint:forbidigo // A TestMain exits.
	}
	if path, ok := os.LookupEnv(childStore); ok {
		os.Exit(child(path)) //nolint:forbidigo // A TestMain exits.
	}
	os.Exit(m.Run()) //nolint:forbidigo // A TestMain exits.
}

// child opens the grant, writes its access token to standard output and returns
// the process's exit code.
func child(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	grant, err := openIn(ctx, path, os.Getenv(childServer), os.Getenv(childPoint), os.Getenv(childLeases) != "")
	if err == nil {
		var tok *oauth.Token
		if tok, err = grant.For("").Token(ctx); err == nil {
			_, err = fmt.Fprint(os.Stdout, tok.AccessToken.Reveal())
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// openIn opens the grant that is kept in a folder. A refresh that reaches the
// point kills this process.
func openIn(ctx context.Context, path, server, point string, leases bool) (*oauth.Grant, error) {
	dir, err := state.OpenDir(path)
	if err != nil {
		return nil, err
	}
	var store state.Store = dying{Dir: dir, point: point, changes: new(int)}
	if leases {
		store = &hooked{Store: dir}
	}
	return oauth.Open(ctx, serverConfig(server, &http.Client{Transport: dyingTransport(point)}), oauth.Keep{Store: store, Key: keepKey})
}

// serverConfig is the configuration for a server at a URL.
func serverConfig(url string, client *http.Client) *oauth.Config {
	return &oauth.Config{
		ClientID:   oauthtest.DefaultClientID,
		Endpoint:   oauth.Endpoint{Issuer: url, AuthURL: url + oauthtest.AuthorizePath, TokenURL: url + oauthtest.TokenPath},
		Scopes:     []string{"openid", "offline_access", mailScope},
		HTTPClient: client,
	}
}

// die kills this process where it has reached the point.
func die(reached, point string) {
	if reached != point {
		return
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // until the kill arrives
}

// dying is a Store whose process is killed at a point.
type dying struct {
	*state.Dir

	point   string
	changes *int // a refresh is one goroutine
}

// CompareAndSwap implements [state.Store].
func (d dying) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	*d.changes++
	die(fmt.Sprintf("before change %d", *d.changes), d.point)
	v, err := d.Dir.CompareAndSwap(ctx, key, old, value)
	die(fmt.Sprintf("after change %d", *d.changes), d.point)
	return v, err
}

// dyingTransport is a transport whose process is killed at a point.
func dyingTransport(point string) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		die("before the request", point)
		resp, err := http.DefaultTransport.RoundTrip(r)
		die("after the answer", point)
		return resp, err
	})
}

// command returns the command of a child.
func command(t *testing.T, path string, srv *oauthtest.Server, more ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	cmd := exec.CommandContext(t.Context(), self) //nolint:gosec // It is this very program.
	cmd.Env = append(os.Environ(), childStore+"="+path, childServer+"="+srv.URL())
	cmd.Env = append(cmd.Env, "GORACE=atexit_sleep_ms=0")
	cmd.Env = append(cmd.Env, more...)
	return cmd
}

// signInTo starts a server, signs in and keeps the grant in a folder, with an
// access token that has expired.
func signInTo(t *testing.T, rotation oauthtest.Rotation) (srv *oauthtest.Server, path string) {
	t.Helper()
	srv = oauthtest.New(&oauthtest.Options{Rotation: rotation})
	t.Cleanup(srv.Close)
	path = filepath.Join(t.TempDir(), "state")
	dir, err := state.OpenDir(path)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	o := &oauth.SignInOptions{OpenURL: srv.Browser, Keep: &oauth.Keep{Store: dir, Key: keepKey}}
	if _, err := oauth.SignIn(t.Context(), serverConfig(srv.URL(), srv.Client()), o); err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	expire(t, dir)
	return srv, path
}

// refreshesAt returns how many requests with a refresh token have come.
func refreshesAt(srv *oauthtest.Server) int {
	return (&bed{srv: srv}).refreshes()
}

// TestAKilledRefresh: a process is killed at each point of a refresh. The grant
// is lost only where the server has replaced the refresh token, takes it badly
// when the old one is used, and the new one had not been kept yet; and then that
// is what the error says.
func TestAKilledRefresh(t *testing.T) {
	for _, tt := range []struct {
		point string
		// sent tells whether the server has done its work by then, kept whether
		// its answer has been kept.
		sent, kept bool
	}{
		{point: "before change 1"}, // the mark
		{point: "after change 1"},
		{point: "before the request"},
		{point: "after the answer", sent: true},
		{point: "before change 2", sent: true}, // the answer
		{point: "after change 2", sent: true, kept: true},
	} {
		for name, rotation := range map[string]oauthtest.Rotation{
			"revoke family": oauthtest.RotateRevokeFamily, "always": oauthtest.RotateAlways, "keep old": oauthtest.RotateKeepOld, "never": oauthtest.RotateNever,
		} {
			t.Run(tt.point+"/"+name, func(t *testing.T) {
				srv, path := signInTo(t, rotation)
				said, err := command(t, path, srv, childPoint+"="+tt.point).CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Exited() {
					t.Fatalf("the child was not killed: %v: %s", err, said)
				}
				if got := refreshesAt(srv); (got == 1) != tt.sent {
					t.Fatalf("%d refreshes before the child was killed, sent is %t", got, tt.sent)
				}
				grant, err := openIn(t.Context(), path, srv.URL(), "", false)
				if err != nil {
					t.Fatalf("Open: %v", err)
				}
				strict := rotation == oauthtest.RotateRevokeFamily || rotation == oauthtest.RotateAlways
				tok, err := grant.For("").Token(t.Context())
				if strict && tt.sent && !tt.kept {
					e, ok := errors.AsType[*oauth.Error](err)
					if !ok || e.Kind != oauth.KindReplyLost || e.Code != "invalid_grant" || !oauth.NeedsSignIn(err) {
						t.Errorf("Token = %v, want that an answer was lost and a need to sign in", err)
					}
					return
				}
				if err != nil || srv.CheckToken(oauthtest.DefaultEmail, tok.AccessToken.Reveal()) != nil {
					t.Fatalf("Token = %v, %v, want a good token", tok, err)
				}
				if tt.kept && refreshesAt(srv) != 1 {
					t.Errorf("%d refreshes, want 1: what was kept is taken", refreshesAt(srv))
				}
				if strict {
					survives(t, srv, path)
				}
			})
		}
	}
}

// survives checks that the refresh token in the record is good.
func survives(t *testing.T, srv *oauthtest.Server, path string) {
	t.Helper()
	dir, err := state.OpenDir(path)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	expire(t, dir)
	said, err := command(t, path, srv).Output()
	if err != nil || srv.CheckToken(oauthtest.DefaultEmail, string(said)) != nil {
		t.Errorf("the next refresh fails: %v", err)
	}
}

// TestProcessesRefreshOnce: many processes find the same expired token on a
// server that ends a grant whose refresh token is used twice.
func TestProcessesRefreshOnce(t *testing.T) {
	const processes, rounds = 12, 3
	for name, leases := range map[string]string{"locks": "", "leases": "1"} {
		t.Run(name, func(t *testing.T) {
			srv, path := signInTo(t, oauthtest.RotateRevokeFamily)
			dir, err := state.OpenDir(path)
			if err != nil {
				t.Fatalf("OpenDir: %v", err)
			}
			for round := range rounds {
				expire(t, dir)
				tokens := make([]string, processes)
				var all sync.WaitGroup
				for i := range processes {
					cmd := command(t, path, srv, childLeases+"="+leases)
					var complaint strings.Builder
					cmd.Stderr = &complaint
					all.Go(func() {
						said, err := cmd.Output()
						tokens[i] = string(said)
						if checkErr := srv.CheckToken(oauthtest.DefaultEmail, tokens[i]); err != nil || checkErr != nil {
							t.Errorf("round %d, process %d: %v, %v: %s", round, i, err, checkErr, complaint.String())
						}
					})
				}
				all.Wait()
				for i, tok := range tokens {
					if tok != tokens[0] {
						t.Errorf("round %d: process %d has another token than process 0", round, i)
					}
				}
				if got := refreshesAt(srv); got != round+1 {
					t.Errorf("%d refreshes after round %d, want %d", got, round, round+1)
				}
			}
			survives(t, srv, path)
		})
	}
}
