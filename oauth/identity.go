package oauth

import (
	"cmp"
	"fmt"
	"strings"
)

// identity is what an id_token says about the user.
type identity struct {
	subject string
	address string
	tenant  string // Microsoft's, "" elsewhere
}

// changed returns the state of a grant that was i's and turns out to be now's:
// StateOtherUser, StateOtherTenant, or "" where nothing says that it is another
// one's.
func (i identity) changed(now identity) GrantState {
	switch {
	case i.subject != "" && now.subject != "" && i.subject != now.subject:
		return StateOtherUser
	case i.tenant != "" && now.tenant != "" && !strings.EqualFold(i.tenant, now.tenant):
		return StateOtherTenant
	default:
		return ""
	}
}

// updated returns what is known of a user after a further id_token, which may
// say less than the one before, and may be another user's.
func (i identity) updated(now identity) identity {
	switch {
	case now.subject == "":
		return i
	case i.changed(now) != "":
		return now
	}
	return identity{
		subject: now.subject, address: cmp.Or(now.address, i.address), tenant: cmp.Or(now.tenant, i.tenant),
	}
}

// stranger returns the error for a grant in the state StateOtherUser or
// StateOtherTenant.
func (g *Grant) stranger(state GrantState) error {
	cause, way := ErrOtherUser, "sign in again, or open the grant anew where that has been done"
	if state == StateOtherTenant {
		cause = ErrOtherTenant
	}
	if g.pin != nil {
		way = "correct the pin, or allow another user"
	}
	return &Error{
		Kind: KindClientConfig, Op: opRefresh, Server: hostOf(g.cfg.Endpoint.TokenURL),
		Err: fmt.Errorf("%w: %s", cause, way),
	}
}
