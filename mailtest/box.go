package mailtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/secret"
)

// Errors that the functions of this package wrap.
var (
	// ErrSignIn says that a user name, password or token was refused.
	ErrSignIn = errors.New("user name or secret refused")
	// ErrUnavailable says that a secret could not be checked at the moment. A
	// [TokenCheck] wraps it, and servers answer with their temporary failure.
	ErrUnavailable = errors.New("sign-in temporarily unavailable")
	// ErrNoRecipient says that no account has the address.
	ErrNoRecipient = errors.New("no such recipient")
	// ErrNoFolder says that the account has no folder of that name.
	ErrNoFolder = errors.New("no such folder")
	// ErrFolderExists says that a folder of that name is there already.
	ErrFolderExists = errors.New("folder exists")
	// ErrFolderName says that a name cannot be that of a new folder, or that the
	// folder (INBOX) cannot be deleted.
	ErrFolderName = errors.New("folder name not allowed")
	// ErrNoMessage says that no message has that UID or id.
	ErrNoMessage = errors.New("no such message")
)

// Box holds the accounts of one fake provider. The zero value is an empty Box.
// A Box must not be copied after first use.
type Box struct {
	mu           sync.Mutex
	accounts     map[string]*Account // by lower-case address
	masters      map[string]secret.Text
	lastID       uint64
	lastValidity uint32
	pending      []Change // told to the watchers when mu is let go
	watchers     []*watcher
}

// New returns an empty Box.
func New() *Box { return &Box{} }

// Add makes an account with the folders INBOX, Sent, Drafts, Trash, Junk and
// Archive in their roles and returns it. Where the address is taken, Add gives
// that account the new password and returns it. An account whose password is
// empty signs in by token only; see [Account.AcceptTokens].
func (b *Box) Add(address string, password secret.Text) *Account {
	b.mu.Lock()
	defer b.unlock()
	key := strings.ToLower(address)
	if a := b.accounts[key]; a != nil {
		a.password = password
		return a
	}
	if b.accounts == nil {
		b.accounts = make(map[string]*Account)
	}
	a := &Account{
		box: b, address: address, password: password,
		found: make(map[uint64]*place), threads: make(map[string]uint64), subscribed: make(map[string]bool),
	}
	for _, f := range []struct {
		name string
		role Role
	}{
		{"INBOX", RoleInbox},
		{"Sent", RoleSent},
		{"Drafts", RoleDrafts},
		{"Trash", RoleTrash},
		{"Junk", RoleJunk},
		{"Archive", RoleArchive},
	} {
		a.addFolder(f.name, f.role)
	}
	b.accounts[key] = a
	return a
}

// Account returns the account with the address, whose case does not matter,
// and whether there is one.
func (b *Box) Account(address string) (*Account, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[strings.ToLower(address)]
	return a, a != nil
}

// Accounts returns all accounts in the order of their addresses.
func (b *Box) Accounts() []*Account {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.SortedFunc(maps.Values(b.accounts), func(x, y *Account) int {
		return cmp.Compare(x.address, y.address)
	})
}

// CheckPassword returns the account that the user name and password open. The
// error wraps [ErrSignIn] and does not tell which of the two was wrong.
func (b *Box) CheckPassword(user string, password secret.Text) (*Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a := b.accounts[strings.ToLower(user)]
	if a == nil || a.password.IsZero() || !a.password.Equal(password) {
		return nil, fmt.Errorf("mailtest: sign in %q: %w", user, ErrSignIn)
	}
	return a, nil
}

// AddMaster adds somebody without a mailbox who may open every account, or sets his
// password: a master user of Dovecot, an administrator of Cyrus. He signs in by PLAIN
// with the account as the authorization identity (RFC 4616).
func (b *Box) AddMaster(name string, password secret.Text) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.masters == nil {
		b.masters = make(map[string]secret.Text)
	}
	b.masters[strings.ToLower(name)] = password
}

// CheckMaster returns the account of that name where the master's password is right.
// The error wraps [ErrSignIn] and does not tell what was wrong.
func (b *Box) CheckMaster(user, master string, password secret.Text) (*Account, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	a, right := b.accounts[strings.ToLower(user)], b.masters[strings.ToLower(master)]
	if a == nil || right.IsZero() || !right.Equal(password) {
		return nil, fmt.Errorf("mailtest: sign in %q for %q: %w", master, user, ErrSignIn)
	}
	return a, nil
}

// CheckProof returns the account of that name if the function says so of its
// password: for clients that prove to know the password without sending it, as
// POP3's APOP does. An account without a password is never asked. The error
// wraps [ErrSignIn] and does not tell what was wrong.
func (b *Box) CheckProof(user string, proof func(password secret.Text) bool) (*Account, error) {
	b.mu.Lock()
	a := b.accounts[strings.ToLower(user)]
	var password secret.Text
	if a != nil {
		password = a.password
	}
	b.mu.Unlock()
	if password.IsZero() || !proof(password) {
		return nil, fmt.Errorf("mailtest: sign in %q: %w", user, ErrSignIn)
	}
	return a, nil
}

// CheckToken returns the account that the user name and access token open. The
// error wraps what the account's [TokenCheck] returned, and [ErrSignIn] unless
// that was [ErrUnavailable].
func (b *Box) CheckToken(ctx context.Context, user string, token secret.Text) (*Account, error) {
	b.mu.Lock()
	a := b.accounts[strings.ToLower(user)]
	var check TokenCheck
	if a != nil {
		check = a.check
	}
	b.mu.Unlock()
	if check == nil {
		return nil, fmt.Errorf("mailtest: sign in %q: %w", user, ErrSignIn)
	}
	err := check(ctx, token)
	switch {
	case err == nil:
		return a, nil
	case errors.Is(err, ErrSignIn), errors.Is(err, ErrUnavailable):
		return nil, fmt.Errorf("mailtest: sign in %q: %w", user, err)
	default:
		return nil, fmt.Errorf("mailtest: sign in %q: %w: %w", user, ErrSignIn, err)
	}
}

// Deliver puts the message into the INBOX of every recipient that has an
// account, as a mail server does after accepting it. It returns nil where all
// have one, else an [errors.Join] of one *[RecipientError] for each of the
// others. The bytes are stored as they are, without a Received or Return-Path
// field.
func (b *Box) Deliver(raw string, recipients ...string) error {
	b.mu.Lock()
	defer b.unlock()
	var errs []error
	for _, address := range recipients {
		a := b.accounts[strings.ToLower(address)]
		if a == nil {
			errs = append(errs, &RecipientError{Address: address})
			continue
		}
		a.deliver(raw)
	}
	return errors.Join(errs...)
}

// RecipientError says that a message could not be delivered to an address. It
// wraps [ErrNoRecipient].
type RecipientError struct {
	// Address is the address as it was given to [Box.Deliver].
	Address string
}

// Error returns the address.
func (e *RecipientError) Error() string {
	return fmt.Sprintf("mailtest: deliver to %q: %v", e.Address, ErrNoRecipient)
}

// Unwrap returns [ErrNoRecipient].
func (e *RecipientError) Unwrap() error { return ErrNoRecipient }

// TokenCheck decides whether an access token opens an account. It returns nil
// to accept it, an error wrapping [ErrUnavailable] where it cannot tell, and a
// *[TokenError] or any other error to refuse it. It is called without a lock
// and may do I/O.
type TokenCheck func(ctx context.Context, token secret.Text) error

// Tokens returns a check that accepts the given tokens and nothing else.
func Tokens(tokens ...secret.Text) TokenCheck {
	return func(_ context.Context, token secret.Text) error {
		if !token.IsZero() && slices.ContainsFunc(tokens, token.Equal) {
			return nil
		}
		return &TokenError{}
	}
}

// TokenError refuses a token and says what the server tells its client, in the
// JSON challenges of XOAUTH2 and OAUTHBEARER (RFC 7628, section 3.2.2). The
// zero value describes an expired or unknown token. It wraps [ErrSignIn].
type TokenError struct {
	// Status is the status of the XOAUTH2 challenge, "401" if empty.
	Status string
	// Code is the status of the OAUTHBEARER challenge, "invalid_token" if empty.
	Code string
	// Scope is the scope that the token should have, "mail" if empty.
	Scope string
}

// Error returns that the token was refused.
func (e *TokenError) Error() string {
	return "token refused: " + cmp.Or(e.Code, "invalid_token")
}

// Unwrap returns [ErrSignIn].
func (e *TokenError) Unwrap() error { return ErrSignIn }
