package oauth_test

import (
	"os"
	"testing"

	"github.com/mailsession/mailsession/internal/grantstory"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

func TestMain(m *testing.M) {
	if role, ok := os.LookupEnv(childCommand); ok {
		os.Exit(tokenHelper(role)) //nolint:forbidigo // A TestMain exits.
	}
	if role, ok := os.LookupEnv(childSignIn); ok {
		os.Exit(signInHelper(role)) //nolint:forbidigo // A TestMain exits.
	}
	os.Exit(grantstory.Main(m)) //nolint:forbidigo // A TestMain exits.
}

// storyServer starts a fake server for the stories of many processes.
func storyServer(rotation oauthtest.Rotation) func(*testing.T) *grantstory.Server {
	return func(t *testing.T) *grantstory.Server {
		t.Helper()
		srv := oauthtest.New(&oauthtest.Options{Rotation: rotation})
		t.Cleanup(srv.Close)
		return &grantstory.Server{
			Config: oauth.Config{
				ClientID: oauthtest.DefaultClientID,
				Endpoint: oauth.Endpoint{Issuer: srv.Issuer(), AuthURL: srv.AuthURL(), TokenURL: srv.TokenURL()},
				Scopes:   []string{"openid", "offline_access", mailScope},
			},
			LoginHint: oauthtest.DefaultEmail,
			Browser:   srv.Browser,
			Refreshes: func(*testing.T) int { return (&bed{srv: srv}).refreshes() },
			Good: func(_ *testing.T, token secret.Text) bool {
				return srv.CheckToken(oauthtest.DefaultEmail, token) == nil
			},
			KeepsOld: rotation == oauthtest.RotateKeepOld || rotation == oauthtest.RotateNever,
		}
	}
}

// TestProcessesRefreshOnce: many processes find the same expired token on a
// server that ends a grant whose refresh token is used twice.
func TestProcessesRefreshOnce(t *testing.T) {
	grantstory.RefreshedOnce(t, storyServer(oauthtest.RotateRevokeFamily))
}

// TestAKilledRefresh: the grant is lost only where the server has replaced the
// refresh token and the new one had not been kept yet.
func TestAKilledRefresh(t *testing.T) {
	for name, rotation := range map[string]oauthtest.Rotation{
		"revoke family": oauthtest.RotateRevokeFamily, "always": oauthtest.RotateAlways,
		"keep old": oauthtest.RotateKeepOld, "never": oauthtest.RotateNever,
	} {
		t.Run(name, func(t *testing.T) { grantstory.KilledAnywhere(t, storyServer(rotation)) })
	}
}
