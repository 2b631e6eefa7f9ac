package grantstory

import (
	"encoding/json"
	"errors"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

const (
	// Processes is how many processes share the grant.
	Processes = 12
	// Rounds is how often they all find an expired token.
	Rounds = 20
)

// eachStore tells a story with locks and with leases.
func eachStore(t *testing.T, tell func(t *testing.T, leases bool)) {
	t.Helper()
	for name, leases := range map[string]bool{"locks": false, "leases": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tell(t, leases)
		})
	}
}

// RefreshedOnce has [Processes] processes find the same expired token, [Rounds]
// times. Each time the server sees one refresh, everybody has the new token,
// and the grant lives on. Start starts a server at which a second use of a
// refresh token ends the grant.
func RefreshedOnce(t *testing.T, start func(t *testing.T) *Server) {
	t.Helper()
	eachStore(t, func(t *testing.T, leases bool) {
		t.Helper()
		srv := start(t)
		job := srv.signIn(t, leases)
		children := make([]*child, Processes)
		for i := range children {
			children[i] = job.start(t)
		}
		before := srv.Refreshes(t)
		for round := range Rounds {
			job.expire(t)
			tokens := allAsk(t, children)
			for i, tok := range tokens {
				if !tok.Equal(tokens[0]) {
					t.Errorf("round %d: process %d has another token than process 0", round, i)
				}
			}
			if !srv.Good(t, tokens[0]) {
				t.Errorf("round %d: the token is no good", round)
			}
			if got := srv.Refreshes(t) - before; got != round+1 {
				t.Fatalf("%d refreshes after round %d, want %d", got, round, round+1)
			}
		}
		for i, c := range children {
			if err := c.end(); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		}
	})
}

// allAsk has all children ask for a token at once.
func allAsk(t *testing.T, children []*child) []secret.Text {
	t.Helper()
	tokens := make([]secret.Text, len(children))
	var all sync.WaitGroup
	for i, c := range children {
		all.Go(func() {
			var err error
			if tokens[i], err = c.token(); err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		})
	}
	all.Wait()
	return tokens
}

// KilledAnywhere has a process killed at each point of a refresh. The grant is
// lost only where the server has replaced the refresh token, refuses the old
// one, and the new one had not been kept yet; and then that is what the error
// says.
func KilledAnywhere(t *testing.T, start func(t *testing.T) *Server) {
	t.Helper()
	eachStore(t, func(t *testing.T, leases bool) {
		t.Helper()
		srv := start(t)
		for _, p := range points() {
			if leases || !p.leases {
				t.Run(p.name, func(t *testing.T) { srv.killAt(t, p, leases) })
			}
		}
	})
}

// killAt kills a process at a point, and looks at what the next one finds.
func (s *Server) killAt(t *testing.T, p point, leases bool) {
	t.Helper()
	job := s.signIn(t, leases)
	job.expire(t)
	before := s.Refreshes(t)
	job.wantKilled(t, p.name)
	if got := s.Refreshes(t) - before; (got == 1) != p.sent {
		t.Fatalf("%d refreshes before the child was killed, sent is %t", got, p.sent)
	}
	token, err := job.afterwards(t)
	if !s.KeepsOld && p.sent && !p.kept {
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Kind != oauth.KindReplyLost || e.Code != "invalid_grant" || !oauth.NeedsSignIn(err) {
			t.Errorf("Token = %v, want that an answer was lost and a need to sign in", err)
		}
		return
	}
	if err != nil || !s.Good(t, token.AccessToken) {
		t.Fatalf("Token: error %v, want a good token", err)
	}
	if got := s.Refreshes(t) - before; p.kept && got != 1 {
		t.Errorf("%d refreshes, want 1: what was kept is taken", got)
	}
	// The refresh token in the record is good too.
	job.expire(t)
	if token, err = job.afterwards(t); err != nil || !s.Good(t, token.AccessToken) {
		t.Errorf("the next refresh: error %v, want a good token", err)
	}
}

// wantKilled starts a child that does not come past a point.
func (k task) wantKilled(t *testing.T, point string) {
	t.Helper()
	k.Point = point
	c := k.start(t)
	_, asked := c.token()
	exit, ok := errors.AsType[*exec.ExitError](c.end())
	if asked == nil || !ok || exit.Exited() {
		t.Fatalf("the child was not killed %s: %v, %v: %s", point, asked, exit, c.complaint.String())
	}
}

// afterwards returns what a process finds after another was killed. It waits in
// virtual time, for a lease outlives its owner by its term.
func (k *task) afterwards(t *testing.T) (token *oauth.Token, err error) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { token, err = k.tokenIn(t.Context()) })
	return token, err
}

// signIn keeps a new grant in a folder of its own.
func (s *Server) signIn(t *testing.T, leases bool) *task {
	t.Helper()
	job := &task{
		ClientID: s.Config.ClientID, Endpoint: s.Config.Endpoint, Scopes: s.Config.Scopes,
		Folder: filepath.Join(t.TempDir(), "state"), Leases: leases,
	}
	store, err := job.store()
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	cfg := s.Config
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	o := &oauth.SignInOptions{LoginHint: s.LoginHint, OpenURL: s.Browser, Keep: &oauth.Keep{Store: store, Key: key}}
	if _, err := oauth.SignIn(t.Context(), &cfg, o); err != nil {
		t.Fatalf("SignIn: %v", err)
	}
	return job
}

// expire ends the time of the access tokens in the record, also for somebody
// whose virtual time begins in 2000.
func (k *task) expire(t *testing.T) {
	t.Helper()
	dir, err := state.OpenDir(k.Folder)
	if err != nil {
		t.Fatalf("OpenDir: %v", err)
	}
	_, err = state.Update(t.Context(), dir, key, func(value []byte) ([]byte, error) {
		var record map[string]any
		if err := json.Unmarshal(value, &record); err != nil {
			return nil, err
		}
		tokens, _ := record["access_tokens"].(map[string]any)
		if len(tokens) == 0 {
			t.Error("there is no access token in the record")
		}
		for _, tok := range tokens {
			object, _ := tok.(map[string]any)
			object["expiry"] = time.Date(1999, time.January, 1, 0, 0, 0, 0, time.UTC)
		}
		return json.Marshal(record)
	})
	if err != nil {
		t.Fatalf("expire the token: %v", err)
	}
}
