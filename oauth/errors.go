package oauth

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// Kind says what a failure means and so what to do about it.
type Kind int

const (
	// KindUnknown is a refusal for a reason that this package does not know.
	// The grant is kept.
	KindUnknown Kind = iota
	// KindTemporary may pass: the server is busy, in trouble or out of reach.
	KindTemporary
	// KindExpired means that the grant's time is over. The user must sign in
	// again.
	KindExpired
	// KindRevoked means that the grant is over before its known time: ended by
	// the user, an administrator or the provider. It is also what invalid_grant
	// means of a server that says no more: where such a server did not say
	// either when its refresh tokens end, the grant may as well have expired.
	// Error.Reason is ReasonRevoked where the server says that it was revoked.
	// The user must sign in again.
	KindRevoked
	// KindReplyLost means that the answer to a request was lost after it had
	// been sent. Where Code is empty it is not known whether the grant is
	// still good, and the next call finds out. Where Code is set the server
	// refused the refresh token after that: the lost answer had replaced it,
	// and the user must sign in again.
	KindReplyLost
	// KindConsent means that the user or an administrator has not consented to
	// what was asked for.
	KindConsent
	// KindInteraction means that the server does nothing without the user: it
	// wants a second factor, a new password or a new sign-in because a code
	// cannot be redeemed, or has something against the account that it tells
	// the user alone; Error.Reason is ReasonPolicy or ReasonAccount then. The
	// user must sign in again.
	KindInteraction
	// KindClientConfig means that the client's registration or the Config is
	// wrong, its secret expired for example. A grant is kept: once that is
	// corrected it works again. For an App it is also what would ask for a
	// person elsewhere.
	KindClientConfig
	// KindPolicy means that a rule or a person says no. Signing in again does
	// not help until that changes.
	KindPolicy
	// KindProtocol means that the server's answer cannot be used or trusted.
	KindProtocol
)

// String returns the kind as one or two words.
func (k Kind) String() string {
	switch k {
	case KindTemporary:
		return "temporary"
	case KindExpired:
		return "expired"
	case KindRevoked:
		return "revoked"
	case KindReplyLost:
		return "reply lost"
	case KindConsent:
		return "needs consent"
	case KindInteraction:
		return "needs interaction"
	case KindClientConfig:
		return "client configuration"
	case KindPolicy:
		return "policy"
	case KindProtocol:
		return "protocol"
	default:
		return "unknown"
	}
}

// Error is a failure to sign in, to get a token or to find a server. Its text
// names the operation, the server, the server's own words without secrets, and
// what to do.
type Error struct {
	// Kind says what the failure means.
	Kind Kind
	// Op is the operation, in words for people: "sign in", "redeem the code",
	// "refresh" or "get a token", say.
	Op string
	// Server is the host of the authorization server.
	Server string
	// Status is the HTTP status of the answer, 0 where there was none.
	Status int
	// Code is the error parameter (RFC 6749 sections 4.1.2.1 and 5.2).
	Code string
	// Suberror is Microsoft's suberror or Google's error_subtype.
	Suberror string
	// Description is the server's explanation for people. Secrets have been
	// taken out of it; its wording may change at any time.
	Description string
	// VendorCode is the vendor's own number, such as "AADSTS700082", or "". It
	// explains; nothing depends on it but the words of the remedy and how the
	// Kind reads among those that are acted on alike: within an invalid_grant
	// that says no more, whether that is expired, revoked, consent or
	// interaction.
	VendorCode string
	// CorrelationID names the request to the vendor's support staff, "" where
	// the answer has none.
	CorrelationID string
	// ErrorURI is the page about the error that the answer names (RFC 6749
	// section 5.2), "" where it names none that uses https. See Page.
	ErrorURI string
	// Claims is what the server wants the next sign-in to prove, as JSON: the
	// value of the parameter claims of an authorization request. It is "" as a
	// rule.
	Claims string
	// Wait is the pause that the server asked for, 0 if none.
	Wait time.Duration
	// Err is what caused the failure where there was no usable answer. It may
	// be nil.
	Err error

	unattended bool // nobody is there to sign in
	pinned     bool // the refresh token comes from outside of the program
}

// Operations whose errors are read in a way of their own.
const (
	opRefresh      = "refresh"
	opRedeem       = "redeem the code"
	opRedeemDevice = "redeem the device code"
)

// Error returns what happened, where, and what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("oauth: ")
	b.WriteString(e.Op)
	if e.Server != "" {
		b.WriteString(" at " + e.Server)
	}
	if e.Code != "" {
		b.WriteString(": " + e.Code)
	} else if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP status %d", e.Status)
	}
	if e.Suberror != "" {
		b.WriteString(" (" + e.Suberror + ")")
	}
	if e.Description != "" {
		b.WriteString(": " + e.Description)
	}
	if e.Err != nil {
		b.WriteString(": " + clean(e.Err.Error()))
	}
	b.WriteString("; " + e.Remedy())
	return b.String()
}

// Reason returns what the vendor's number or words say beyond the Kind.
func (e *Error) Reason() Reason {
	reason, _ := e.explain()
	return reason
}

// Page returns the address of a page about the error: the one that the answer
// names, else the vendor's, else "".
func (e *Error) Page() string {
	switch {
	case e.ErrorURI != "":
		return e.ErrorURI
	case e.VendorCode != "":
		return entraPage
	case e.fromGoogle() && e.Code != "":
		return googlePage
	default:
		return ""
	}
}

// Remedy says what to do, as a clause without a full stop. It is the last part
// of Error's text.
func (e *Error) Remedy() string {
	remedy := e.remedy()
	if e.Op == opRefresh && (e.Kind == KindClientConfig || e.Kind == KindUnknown) {
		remedy += "; the grant is kept"
	}
	if e.pinned && NeedsSignIn(e) {
		remedy += "; the new refresh token goes where the pinned one is"
	}
	return remedy
}

// remedy says what to do about the cause.
func (e *Error) remedy() string {
	// A number never speaks where the answer itself is in question.
	if e.Kind != KindReplyLost && e.Kind != KindProtocol {
		if reason, remedy := e.explain(); remedy != "" && (!e.unattended || !reason.personal()) {
			return remedy
		}
	}
	switch {
	case e.unattended && e.Kind == KindPolicy:
		return "an administrator must consent to the program's permissions"
	case e.unattended:
		return "nobody can sign in for a program: check its registration, its permissions and the rules for it"
	case e.Kind == KindInteraction && (e.Op == opRedeem || e.Op == opRedeemDevice):
		return "the code is not good, or no longer: sign in again"
	}
	return e.remedyOfKind()
}

// remedyOfKind says what to do where nothing but the Kind is known.
func (e *Error) remedyOfKind() string {
	switch e.Kind {
	case KindTemporary:
		if e.Wait > 0 {
			return fmt.Sprintf("try again in %v", e.Wait.Round(time.Second))
		}
		return "try again later"
	case KindExpired:
		return "the grant has expired: sign in again"
	case KindRevoked:
		return "the grant is over, revoked or else expired without the server saying so: sign in again"
	case KindReplyLost:
		switch {
		case e.Code == "" && e.Op == opRedeem:
			return "the answer was lost after the code had been sent, and a code works once: sign in again"
		case e.Code == "":
			return "the answer was lost after the request had been sent, so the refresh token may be used up: the next try will tell"
		}
		return "the answer to an earlier request was lost, and with it the new refresh token: sign in again"
	case KindConsent:
		return "the user or an administrator must consent: sign in again"
	case KindInteraction:
		return "the server asks for the user: sign in again"
	case KindClientConfig:
		return "correct the client's registration or configuration"
	case KindPolicy:
		return "the user, an administrator or a policy refuses it: ask the administrator"
	case KindProtocol:
		return "the answer cannot be used: check the endpoint's configuration"
	default:
		return "the reason is not one that is known here: go by what is said"
	}
}

// Unwrap returns e.Err.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether the same call may succeed later.
func (e *Error) Temporary() bool { return e.Kind == KindTemporary }

// RetryAfter returns e.Wait.
func (e *Error) RetryAfter() time.Duration { return e.Wait }

// StatusCode returns e.Status.
func (e *Error) StatusCode() int { return e.Status }

// needsSignIn reports whether only a new sign-in helps.
func (e *Error) needsSignIn() bool {
	switch e.Kind {
	case KindExpired, KindRevoked, KindConsent, KindInteraction:
		return true
	case KindReplyLost:
		return e.Code != ""
	default:
		return false
	}
}

// Temporary reports whether err says that the same call may succeed later.
func Temporary(err error) bool { return retry.IsTemporary(err) }

// RetryAfter returns the pause that a server asked for in err, or 0.
func RetryAfter(err error) time.Duration { return retry.After(err) }

// NeedsSignIn reports whether err means that the user must sign in, again or
// for the first time.
func NeedsSignIn(err error) bool {
	if errors.Is(err, ErrNoGrant) {
		return true
	}
	e, ok := errors.AsType[*Error](err)
	return ok && e.needsSignIn()
}
