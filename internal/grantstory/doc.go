// Package grantstory tells what becomes of one kept grant that many processes
// share and some of which are killed, at any authorization server: the fake one
// of package oauthtest as well as one that others wrote.
//
// The processes are the test program itself, started again as a child: its
// TestMain calls [Main]. Each story is told twice: with a Store that has locks
// of its own (state.OpenDir), and with a Store that has none, under leases.
package grantstory

import (
	"context"
	"testing"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

// Server is an authorization server, and what a test does and sees behind a
// program's back.
type Server struct {
	// Config is a client's. Its HTTPClient, Logger and Observer stay nil: the
	// children have none either.
	Config oauth.Config
	// LoginHint says who signs in, and Browser plays the user's browser.
	LoginHint string
	Browser   func(ctx context.Context, address string) error
	// Refreshes returns how many requests with a refresh token have come.
	Refreshes func(t *testing.T) int
	// Good reports whether an access token is good.
	Good func(t *testing.T, token secret.Text) bool
	// KeepsOld tells that a refresh token that was used stays good. Elsewhere
	// it is refused, or taken for stolen.
	KeepsOld bool
}

// key is that of the grant in each Store.
const key = "grant/ann"
