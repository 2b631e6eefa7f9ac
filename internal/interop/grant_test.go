//go:build interop

package interop_test

import (
	"os"
	"testing"

	"github.com/mailsession/mailsession/internal/grantstory"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/secret"
)

func TestMain(m *testing.M) {
	if outboxChild() || processorChild() {
		os.Exit(1) //nolint:forbidigo // A TestMain exits.
	}
	os.Exit(grantstory.Main(m)) //nolint:forbidigo // A TestMain exits.
}

// grantServer starts a server of others for the stories of many processes.
func grantServer(opts *interop.OIDCOptions) func(*testing.T) *grantstory.Server {
	return func(t *testing.T) *grantstory.Server {
		t.Helper()
		server := startOIDC(t, opts)
		a := realAuthorization(server)
		a.config.Scopes = []string{mailScope, "openid", "email"}
		return &grantstory.Server{
			Config: a.config, LoginHint: ann, Browser: a.browser, Refreshes: a.refreshes,
			Good:     func(t *testing.T, token secret.Text) bool { t.Helper(); return introspect(t, server, token).Active },
			KeepsOld: opts.KeepRefreshTokens,
		}
	}
}

// TestProcessesRefreshOnceAtOIDCProvider: the server ends a sign-in whose
// refresh token comes twice, and twelve processes share it.
func TestProcessesRefreshOnceAtOIDCProvider(t *testing.T) {
	t.Parallel()
	grantstory.RefreshedOnce(t, grantServer(&interop.OIDCOptions{}))
}

// TestAKilledRefreshAtOIDCProvider: where refresh tokens are replaced, a kill
// costs the grant only between that and keeping the new one; where they are
// not, never.
func TestAKilledRefreshAtOIDCProvider(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*interop.OIDCOptions{
		"revoke family": {}, "never": {KeepRefreshTokens: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			grantstory.KilledAnywhere(t, grantServer(opts))
		})
	}
}
