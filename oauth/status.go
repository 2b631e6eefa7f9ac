package oauth

import (
	"cmp"
	"errors"
	"time"
)

// status is what the server last thought of a grant. The zero value is that of
// a good one.
type status struct {
	State GrantState `json:"state"`
	// Kind is the name of the error's Kind; the others are its fields.
	Kind       string `json:"kind,omitempty"`
	HTTPStatus int    `json:"http_status,omitempty"`
	Code       string `json:"code,omitempty"`
	Suberror   string `json:"suberror,omitempty"`
	Reason     string `json:"reason,omitempty"`
	// Scopes are those that were asked for.
	Scopes string    `json:"scopes,omitempty"`
	Since  time.Time `json:"since,omitzero"`

	extra extras
}

// statusOf returns what an error says of the grant, and whether it says
// anything: that only a new sign-in helps. What is wrong with the client, the
// line or the server says nothing of the grant.
func statusOf(err error, key string, now time.Time) (status, bool) {
	e, ok := errors.AsType[*Error](err)
	if !ok || !e.needsSignIn() {
		return status{}, false
	}
	return status{
		State: StateNeedsSignIn, Kind: e.Kind.String(), HTTPStatus: e.Status, Code: e.Code, Suberror: e.Suberror,
		Reason: e.Description, Scopes: key, Since: now,
	}, true
}

// kind returns the Kind that is named, KindUnknown for a name of a newer
// version.
func (s status) kind() Kind {
	for k := KindUnknown; k <= KindProtocol; k++ {
		if k.String() == s.Kind {
			return k
		}
	}
	return KindUnknown
}

// facts returns what the status says to a program.
func (s status) facts() GrantStatus {
	return GrantStatus{State: cmp.Or(s.State, StateOK), Kind: s.kind(), Code: s.Code, Reason: s.Reason, Since: s.Since}
}

// concerns reports whether the status holds for requests with these scopes:
// consent and second factors are asked for by resource, but a refresh token
// that is gone is gone for all.
func (s status) concerns(key string) bool {
	switch s.kind() {
	case KindConsent, KindInteraction:
		return s.Scopes == key
	default:
		return true
	}
}

// err returns the error to repeat instead of asking the server again, or nil:
// a refusal is remembered for a while, in all processes.
func (s status) err(key, server string, now time.Time) error {
	age := now.Sub(s.Since)
	if s.State != StateNeedsSignIn || !s.concerns(key) || age < 0 || age >= failureMemory {
		return nil
	}
	e := &Error{
		Kind: s.kind(), Op: opRefresh, Server: server, Status: s.HTTPStatus,
		Code: s.Code, Suberror: s.Suberror, Description: s.Reason, VendorCode: vendorCode(nil, s.Reason),
	}
	if !e.needsSignIn() {
		return nil
	}
	return e
}
