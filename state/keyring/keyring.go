// Package keyring keeps the key of an encrypted Store in the keyring of the
// user's session: the Keychain of macOS, the Credential Manager of Windows, the
// Secret Service of a Linux desktop.
//
//	dir, err := state.OpenDir(path)
//	store, err := keyring.Open(ctx, dir, "grants", nil)
//
// Keyrings hold little, some of them 2560 bytes, and a grant with its access
// tokens is larger. So a keyring gets one key of about 80 bytes, and the records
// stay in a [state.Store], encrypted by package state/seal with that key.
//
// A server has no such keyring, and the error says what to do there. It is a module
// of its own, for the dependencies that it brings.
package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"filippo.io/age"
	"github.com/zalando/go-keyring"

	"github.com/mailsession/mailsession/state"
	"github.com/mailsession/mailsession/state/seal"
)

// DefaultService is the name under which keyrings show the key.
const DefaultService = "mailsession"

// markKey is the record that tells which key a Store was encrypted with.
const markKey = ".seal/keyring"

var (
	// ErrNoKeyring says that this session has no keyring, or that it is locked.
	ErrNoKeyring = errors.New("there is no keyring that can be used")
	// ErrKeyLost says that the Store was encrypted with a key that is not in the
	// keyring any more, or that was replaced there.
	ErrKeyLost = errors.New("the key is not in the keyring")
)

// Options change where the key is kept.
type Options struct {
	// Service is the name of the program, as keyrings show it. Empty means
	// DefaultService.
	Service string
}

// Open returns inner with values encrypted by the key that the keyring holds
// under a name, such as "grants". Where the Store was never encrypted, and the
// keyring has no such key, one is made; processes that do so at the same time
// agree on one, by inner's lock.
//
// The error wraps ErrNoKeyring where the session has no keyring, as on a server,
// and says what to do instead. It wraps ErrKeyLost where records are there that
// the keyring's key does not open: a new key would make them unreadable, so none
// is made. It returns when ctx ends, also while the keyring asks the user to
// unlock it. The options may be nil.
func Open(ctx context.Context, inner state.Store, name string, o *Options) (*seal.Store, error) {
	service := DefaultService
	if o != nil && o.Service != "" {
		service = o.Service
	}
	if inner == nil || name == "" {
		return nil, errors.New("keyring: a Store and a name for its key are needed")
	}
	identity, err := find(ctx, inner, service, name)
	if err != nil {
		return nil, fmt.Errorf("keyring: the key %q of %s: %w", name, service, err)
	}
	return seal.New(inner, seal.Keys{Identities: []age.Identity{identity}}, nil)
}

// find returns the key, and makes it where it is the first one.
func find(ctx context.Context, inner state.Store, service, name string) (identity *age.HybridIdentity, err error) {
	lease, err := state.Acquire(ctx, state.LockerFor(inner), markKey)
	if err != nil {
		return nil, fmt.Errorf("wait for its turn: %w", err)
	}
	defer func() { err = errors.Join(err, lease.Release()) }()
	mark, err := inner.Load(ctx, markKey)
	if err != nil {
		return nil, err
	}
	text, err := ask(ctx, func() (string, error) { return keyring.Get(service, name) })
	switch {
	case errors.Is(err, keyring.ErrNotFound) && mark.Version != "":
		return nil, fmt.Errorf("%w: records were encrypted with it; restore the keyring, or delete the records and sign in again", ErrKeyLost)
	case errors.Is(err, keyring.ErrNotFound):
		identity, err = newKey(ctx, service, name)
	case err == nil:
		if identity, err = age.ParseHybridIdentity(text); err != nil {
			err = errors.New("the keyring's entry is no key of this program") // the cause may quote it
		}
	}
	if err != nil {
		return nil, err
	}
	return identity, compare(ctx, inner, mark, identity)
}

// newKey makes a key and puts it into the keyring.
func newKey(ctx context.Context, service, name string) (*age.HybridIdentity, error) {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("make it: %w", err)
	}
	_, err = ask(ctx, func() (string, error) { return "", keyring.Set(service, name, identity.String()) })
	return identity, err
}

// compare holds the key against the mark, and makes the mark where there is
// none. The mark is a digest: who knew the public key could write records.
func compare(ctx context.Context, inner state.Store, mark state.Record, identity *age.HybridIdentity) error {
	sum := sha256.Sum256([]byte("mailsession keyring\n" + identity.Recipient().String()))
	want := hex.EncodeToString(sum[:])
	if mark.Version == "" {
		_, err := inner.CompareAndSwap(ctx, markKey, "", []byte(want))
		return err
	}
	if string(mark.Value) != want {
		return fmt.Errorf("%w: it holds another key than the records were encrypted with; restore the keyring, or delete the records and sign in again", ErrKeyLost)
	}
	return nil
}

// ask calls the keyring, which knows no contexts and may ask the user something.
func ask(ctx context.Context, call func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		text, err := call()
		answers <- answer{text, err}
	}()
	select {
	case a := <-answers:
		if a.err != nil && !errors.Is(a.err, keyring.ErrNotFound) {
			return "", fmt.Errorf("%w (%w): start a Secret Service such as gnome-keyring, KWallet or KeePassXC in the session and unlock it; "+
				"on a server use package state/seal with a passphrase or a key file instead", ErrNoKeyring, a.err)
		}
		return a.text, a.err
	case <-ctx.Done():
		return "", fmt.Errorf("the keyring does not answer; it may be asking for its password: %w", ctx.Err())
	}
}
