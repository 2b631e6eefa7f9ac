package oauth

import (
	"context"
	"time"
)

// GrantFacts is what is known of a grant without asking the server.
type GrantFacts struct {
	// LastUse is when the server last took the refresh token, or gave it.
	LastUse time.Time
	// Ends is when the refresh token ends whatever happens, zero where the
	// server did not say.
	Ends time.Time
	// IdleEnd is when the grant ends if nobody uses it until then: LastUse and
	// Endpoint.IdleLimit. It is zero where the limit is not known.
	IdleEnd time.Time
	// Refreshable tells that there is a refresh token. Without one the grant
	// ends with its access tokens.
	Refreshable bool
	// NeedsSignIn tells that the server refused the refresh token the last time,
	// or that the user signed out.
	NeedsSignIn bool
	// Missing are the scopes that were asked for and not granted; see
	// Grant.Missing.
	Missing []string
	// Server is the host of the token endpoint.
	Server string
}

// Facts reads the grant's record, and asks nobody else.
func (g *Grant) Facts(ctx context.Context) (GrantFacts, error) {
	facts := GrantFacts{Missing: g.Missing(), Server: hostOf(g.cfg.Endpoint.TokenURL)}
	err := g.underLock(ctx, func(_ hold, rec *record) error {
		facts.LastUse, facts.Ends = rec.lastUse, rec.refreshExpiry
		facts.Refreshable = !rec.refresh.IsZero()
		facts.NeedsSignIn = rec.status.State == stateNeedsSignIn || rec.status.State == stateSignedOut
		if limit := g.cfg.Endpoint.IdleLimit; limit > 0 && !rec.lastUse.IsZero() && facts.Refreshable {
			facts.IdleEnd = rec.lastUse.Add(limit)
		}
		return nil
	})
	return facts, err
}
