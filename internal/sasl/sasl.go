// Package sasl signs clients in, once for every protocol: XOAUTH2,
// OAUTHBEARER (RFC 7628), PLAIN (RFC 4616) and LOGIN.
//
// [Choose] picks a mechanism from what the server offers and what credentials
// there are, and [Exchange] runs it. IMAP, POP3 and SMTP supply nothing but
// their framing, as a [Dialogue].
//
// # Refused tokens
//
// A server that refuses a token says why in a challenge, and goes on only
// after the client answered it: with an empty line for XOAUTH2, with a single
// 0x01 for OAUTHBEARER. The mechanisms here do that, and the explanation comes
// back as the [Challenge] of an [Error].
//
// # Injection
//
// Names, passwords and tokens are checked before the first byte leaves: a
// 0x01 in a name would add fields to a token exchange, a NUL would move the
// borders of PLAIN.
package sasl

import (
	"errors"
	"fmt"
	"strings"

	gosasl "github.com/emersion/go-sasl"
)

// The names of the mechanisms.
const (
	XOAUTH2     = "XOAUTH2"
	OAUTHBEARER = "OAUTHBEARER"
	PLAIN       = "PLAIN"
	LOGIN       = "LOGIN"
)

// Mechanism is the client's side of one exchange. It is good for one exchange
// and not safe for concurrent use.
//
// Start returns the name once more and the initial response, nil where the
// mechanism lets the server speak first. Next answers a challenge; both are in
// decoded bytes. An error of either ends the exchange.
type Mechanism interface {
	gosasl.Client

	// Name returns the name by which servers offer the mechanism.
	Name() string
}

// explainer is a Mechanism that keeps the server's explanation of a refusal.
type explainer interface {
	explanation() *Challenge
}

// ErrUnexpectedChallenge says that the server asked for more than the
// mechanism has to give.
var ErrUnexpectedChallenge = gosasl.ErrUnexpectedServerChallenge

// ErrEarlySuccess says that the server accepted the client before it had
// heard any credentials.
var ErrEarlySuccess = errors.New("the server reported success before any credentials were sent")

// ErrTooManyChallenges says that the server did not come to an end.
var ErrTooManyChallenges = fmt.Errorf("the server sent more than %d challenges", maxChallenges)

// Error is a failed exchange.
type Error struct {
	// Mechanism is the name of the mechanism.
	Mechanism string

	// Challenge is the server's explanation, nil where it gave none.
	Challenge *Challenge

	// Err is what ended the exchange: the server's refusal as its protocol
	// words it, the failure of the connection, or the mechanism's own error.
	Err error
}

func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %v", e.Mechanism, e.Err)
	if e.Challenge != nil {
		fmt.Fprintf(&b, " (the server explains: %v)", e.Challenge)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }
