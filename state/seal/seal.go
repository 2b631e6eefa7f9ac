package seal

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"

	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

var (
	// ErrWrongKey says that the passphrase, or none of the identities, opens
	// what is kept. It can be right for another store.
	ErrWrongKey = errors.New("the passphrase or identity does not open it")
	// ErrTampered says that a value was changed after it was sealed, or belongs
	// to another key.
	ErrTampered = errors.New("the record was tampered with or is damaged")
	// ErrNotSealed says that a value was stored without encryption.
	ErrNotSealed = errors.New("the record is not encrypted")
)

const (
	// privatePrefix is where a sealed Store keeps its own records.
	privatePrefix = ".seal/"
	// identityKey is the record of the key pair behind a passphrase.
	identityKey = privatePrefix + "identity"
)

// Keys say who can read and write: either by a passphrase, or by recipients and
// identities.
type Keys struct {
	// Passphrase opens the Store to whoever knows it.
	Passphrase secret.Text
	// Recipients are those who can read what is written. Where there are none,
	// they are those of the Identities.
	Recipients []age.Recipient
	// Identities are the keys to read with. Without any, records can be
	// written and not read.
	Identities []age.Identity
}

// Options change how a passphrase is used.
type Options struct {
	// WorkFactor is the binary logarithm of scrypt's cost for a passphrase that
	// is new to the Store, from 1 to 22. 0 means 18, which takes about a second
	// and 256 MiB each time the Store is opened; one less halves both. Values
	// below 15 are for tests.
	WorkFactor int
}

// Store is a [state.Store] that encrypts the values of another one. It is safe
// for concurrent use as far as that one is.
type Store struct {
	inner state.Store
	keys  *keyring
}

var _ state.Store = (*Store)(nil)

// New returns inner with encrypted values. It does no I/O: the first Load or
// CompareAndSwap looks for the passphrase's key pair, and makes it if there is
// none. [Store.Check] does so at once. Options may be nil.
func New(inner state.Store, keys Keys, options *Options) (*Store, error) {
	if options == nil {
		options = &Options{}
	}
	ring, err := newKeyring(inner, keys, *options)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return &Store{inner: inner, keys: ring}, nil
}

// Unwrap returns the Store with the encrypted values, so that [state.As] finds
// its locks and listings. Those need no encryption: keys are in clear.
func (s *Store) Unwrap() state.Store { return s.inner }

// Check returns an error that wraps [ErrWrongKey] where the passphrase is not
// that of the Store. It makes the key pair if there is none. Identities are
// checked by each record alone.
func (s *Store) Check(ctx context.Context) error {
	_, err := s.keys.pair(ctx)
	if err != nil {
		return fmt.Errorf("seal: check: %w", err)
	}
	return nil
}

// Load implements [state.Store]. The error wraps [ErrWrongKey], [ErrTampered]
// or [ErrNotSealed] where there is a record that cannot be decrypted.
func (s *Store) Load(ctx context.Context, key string) (state.Record, error) {
	if err := s.begin("load", key); err != nil {
		return state.Record{}, err
	}
	r, err := s.inner.Load(ctx, key)
	if err != nil || r.Version == "" {
		return r, err
	}
	pair, err := s.keys.pair(ctx)
	if err == nil {
		r.Value, err = pair.open(key, r.Value)
	}
	if err != nil {
		return state.Record{}, fmt.Errorf("seal: load %s: %w", key, err)
	}
	return r, nil
}

// CompareAndSwap implements [state.Store].
func (s *Store) CompareAndSwap(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	if err := s.begin("compare and swap", key); err != nil {
		return "", err
	}
	if value == nil {
		return s.inner.CompareAndSwap(ctx, key, old, nil)
	}
	pair, err := s.keys.pair(ctx)
	var sealed []byte
	if err == nil {
		sealed, err = pair.seal(key, value)
	}
	if err != nil {
		return "", fmt.Errorf("seal: compare and swap %s: %w", key, err)
	}
	return s.inner.CompareAndSwap(ctx, key, old, sealed)
}

// begin refuses the keys that no caller may use.
func (s *Store) begin(doing, key string) error {
	err := state.CheckKey(key)
	if err == nil && strings.HasPrefix(key, privatePrefix) {
		err = fmt.Errorf("%w %q: what begins with %q is kept for the encryption itself", state.ErrInvalidKey, key, privatePrefix)
	}
	if err != nil {
		return fmt.Errorf("seal: %s: %w", doing, err)
	}
	return nil
}
