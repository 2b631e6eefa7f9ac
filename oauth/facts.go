package oauth

import (
	"context"
	"time"
)

// GrantFacts is what is known of a grant without asking the server. It holds no
// secret.
type GrantFacts struct {
	// Provider is the name that the sign-in wrote into the record; see
	// Keep.Provider.
	Provider string
	// ClientID is the client that the grant was issued to.
	ClientID string
	// Tenant is the id of the user's tenant at Microsoft (the claim tid), and
	// Subject the user's own (the claim sub). They are empty where the server
	// has none, or gave no id_token.
	Tenant, Subject string
	// Scopes are those that the server has named as granted so far, for all
	// resources.
	Scopes []string
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
	// Status is what the last refresh made of the grant.
	Status GrantStatus
	// Missing are the scopes that were asked for and not granted; see
	// Grant.Missing.
	Missing []string
	// Server is the host of the token endpoint.
	Server string
}

// GrantState says in one word how a grant is.
type GrantState string

// The states of a grant, as they stand in its record.
const (
	// StateOK is a grant that nothing is known against.
	StateOK GrantState = "ok"
	// StateNeedsSignIn is one whose refresh token the server has refused.
	StateNeedsSignIn GrantState = "needs_sign_in"
	// StateOtherUser is one whose refresh brought another user's tokens: see
	// ErrOtherUser.
	StateOtherUser GrantState = "other_user"
	// StateOtherTenant is one whose refresh brought another tenant's tokens: see
	// ErrOtherTenant.
	StateOtherTenant GrantState = "other_tenant"
	// StateSignedOut is one that Forget or Revoke has ended.
	StateSignedOut GrantState = "signed_out"
)

// GrantStatus is the state of a grant, and what has brought it about. Failures
// that may pass leave no trace in it.
type GrantStatus struct {
	// State is the state. A newer version of this package may know further ones.
	State GrantState
	// Kind is that of the error by which the server refused the grant,
	// KindUnknown where it did not.
	Kind Kind
	// Code is the server's error parameter, and Reason its explanation for
	// people, without secrets; they are empty as a rule where State is not
	// StateNeedsSignIn.
	Code, Reason string
	// Since is when the grant came into the state, zero where State is StateOK.
	Since time.Time
}

// Facts reads the grant's record, and asks nobody else. Where the record is not
// this grant's any more, since somebody else has signed in under its key or with
// another client, the error is that of a refresh.
func (g *Grant) Facts(ctx context.Context) (GrantFacts, error) {
	facts := GrantFacts{Missing: g.Missing(), Server: hostOf(g.cfg.Endpoint.TokenURL)}
	err := g.underLock(ctx, func(_ hold, rec *record) error {
		facts.Provider, facts.ClientID, facts.Scopes = rec.provider, rec.clientID, rec.scopes
		facts.Tenant, facts.Subject = rec.user.tenant, rec.user.subject
		facts.LastUse, facts.Ends = rec.lastUse, rec.refreshExpiry
		facts.Refreshable = !rec.refresh.IsZero()
		facts.Status = rec.status.facts()
		facts.NeedsSignIn = facts.Status.State == StateNeedsSignIn || facts.Status.State == StateSignedOut
		if limit := g.cfg.Endpoint.IdleLimit; limit > 0 && !rec.lastUse.IsZero() && facts.Refreshable {
			facts.IdleEnd = rec.lastUse.Add(limit)
		}
		return nil
	})
	return facts, err
}
