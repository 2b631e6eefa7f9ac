package seal

import (
	"context"
	"errors"
	"fmt"

	"filippo.io/age"

	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// The limits of the work factor: those of scrypt in age, which refuses to read
// what took more.
const (
	defaultWorkFactor = 18
	maxWorkFactor     = 22
)

// keyring comes by the pair of a Store.
type keyring struct {
	inner      state.Store
	passphrase secret.Text
	workFactor int

	// turn holds one item while somebody looks for the pair. It is no mutex,
	// since callers leave when their context ends.
	turn chan struct{}
	// found holds the pair once it is known. It belongs to turn.
	found *pair
}

// newKeyring checks keys and options.
func newKeyring(inner state.Store, keys Keys, options Options) (*keyring, error) {
	if options.WorkFactor < 0 || options.WorkFactor > maxWorkFactor {
		return nil, fmt.Errorf("the work factor %d is not one of 1 to %d, or 0", options.WorkFactor, maxWorkFactor)
	}
	ring := &keyring{inner: inner, passphrase: keys.Passphrase, workFactor: options.WorkFactor, turn: make(chan struct{}, 1)}
	if ring.workFactor == 0 {
		ring.workFactor = defaultWorkFactor
	}
	given := len(keys.Recipients) + len(keys.Identities)
	switch {
	case inner == nil:
		return nil, errors.New("there is no store to encrypt")
	case keys.Passphrase.IsZero() && given == 0:
		return nil, errors.New("there is neither a passphrase nor a recipient nor an identity")
	case !keys.Passphrase.IsZero() && given > 0:
		return nil, errors.New("a passphrase excludes recipients and identities")
	case given > 0:
		recipients, err := recipientsOf(keys)
		if err != nil {
			return nil, err
		}
		ring.found = &pair{recipients: recipients, identities: keys.Identities}
	}
	return ring, nil
}

// recipientsOf returns the recipients of Keys without a passphrase.
func recipientsOf(keys Keys) ([]age.Recipient, error) {
	if len(keys.Recipients) > 0 {
		return keys.Recipients, nil
	}
	var recipients []age.Recipient
	for _, identity := range keys.Identities {
		switch i := identity.(type) {
		case *age.X25519Identity:
			recipients = append(recipients, i.Recipient())
		case *age.HybridIdentity:
			recipients = append(recipients, i.Recipient())
		default:
			return nil, fmt.Errorf("an identity of the type %T does not tell its recipient; name the recipients", identity)
		}
	}
	return recipients, nil
}

// pair returns the pair, which a passphrase may first have to open or to make.
func (k *keyring) pair(ctx context.Context) (*pair, error) {
	select {
	case k.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the passphrase to be checked: %w", ctx.Err())
	}
	defer func() { <-k.turn }()
	if k.found != nil {
		return k.found, nil
	}
	identity, err := k.identity(ctx)
	if err != nil {
		return nil, err
	}
	k.found = &pair{recipients: []age.Recipient{identity.Recipient()}, identities: []age.Identity{identity}}
	return k.found, nil
}

// identity returns the passphrase's identity. Where several make it at the same
// time, all get that of the first.
func (k *keyring) identity(ctx context.Context) (*age.HybridIdentity, error) {
	for {
		r, err := k.inner.Load(ctx, identityKey)
		if err != nil {
			return nil, err
		}
		if r.Version != "" {
			return k.openIdentity(r.Value)
		}
		identity, sealed, err := k.makeIdentity()
		if err != nil {
			return nil, err
		}
		_, err = k.inner.CompareAndSwap(ctx, identityKey, "", sealed)
		if !errors.Is(err, state.ErrConflict) {
			return identity, err
		}
	}
}

// openIdentity decrypts the record of an identity.
func (k *keyring) openIdentity(sealed []byte) (*age.HybridIdentity, error) {
	scrypt, err := age.NewScryptIdentity(k.passphrase.Reveal())
	if err != nil {
		return nil, fmt.Errorf("use the passphrase: %w", err)
	}
	scrypt.SetMaxWorkFactor(maxWorkFactor)
	text, err := (&pair{identities: []age.Identity{scrypt}}).open(identityKey, sealed)
	if err != nil {
		return nil, fmt.Errorf("open the store's key pair %s: %w", identityKey, err)
	}
	identity, err := age.ParseHybridIdentity(string(text))
	if err != nil {
		// The parser's error may hold a part of the identity.
		return nil, fmt.Errorf("open the store's key pair %s: %w: it is no identity", identityKey, ErrTampered)
	}
	return identity, nil
}

// makeIdentity returns a new identity and its record.
func (k *keyring) makeIdentity() (*age.HybridIdentity, []byte, error) {
	identity, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, nil, fmt.Errorf("make the store's key pair: %w", err)
	}
	scrypt, err := age.NewScryptRecipient(k.passphrase.Reveal())
	if err != nil {
		return nil, nil, fmt.Errorf("use the passphrase: %w", err)
	}
	scrypt.SetWorkFactor(k.workFactor)
	sealed, err := (&pair{recipients: []age.Recipient{scrypt}}).seal(identityKey, []byte(identity.String()))
	return identity, sealed, err
}
