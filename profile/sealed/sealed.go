// Package sealed seals the secrets of a profile for somebody, with age, so that
// sets made on one computer open on another:
//
//	data, err := file.Export(ctx, &profile.ExportOptions{Seal: sealed.To(recipient)})
//
// and there, with the key that only that computer has:
//
//	file, err := profile.Parse(data, &profile.Options{Resolvers: map[string]profile.Resolver{
//		profile.SchemeSealed: sealed.By(identity),
//	}})
//
// It is a package of its own, so that programs that seal nothing do not link age.
//
// What it does not do: age does not say who has encrypted something, so that
// whoever can write the file and knows the recipient can put other secrets into
// it. The fields that are no secrets are in plain text.
package sealed

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
)

// MaxSize is the size of the largest secret that is opened, in bytes.
const MaxSize = 1 << 20

var (
	// ErrWrongKey says that none of the identities opens what is sealed.
	ErrWrongKey = errors.New("it is sealed for somebody else")
	// ErrDamaged says that what is sealed was changed, or is none.
	ErrDamaged = errors.New("what is sealed is damaged")
)

// To returns a Sealer for everybody who has the key of one of the recipients.
func To(recipients ...age.Recipient) profile.Sealer {
	return func(value secret.Text) (string, error) {
		var b bytes.Buffer
		w, err := age.Encrypt(&b, recipients...)
		if err == nil {
			_, err = io.WriteString(w, value.Reveal())
		}
		if err == nil {
			err = w.Close()
		}
		if err != nil {
			return "", fmt.Errorf("sealed: %w", err)
		}
		return base64.StdEncoding.EncodeToString(b.Bytes()), nil
	}
}

// By returns the resolver of "sealed:", which opens what was sealed for one of
// the identities. Its errors wrap [ErrWrongKey] or [ErrDamaged].
func By(identities ...age.Identity) profile.Resolver {
	return func(_ context.Context, what string) (secret.Text, error) {
		data, err := base64.StdEncoding.DecodeString(what)
		if err != nil || len(data) > 2*MaxSize {
			return secret.Text{}, fmt.Errorf("sealed: %w", ErrDamaged)
		}
		r, err := age.Decrypt(bytes.NewReader(data), identities...)
		if _, wrong := errors.AsType[*age.NoIdentityMatchError](err); wrong {
			return secret.Text{}, fmt.Errorf("sealed: %w", ErrWrongKey)
		}
		if err != nil {
			return secret.Text{}, fmt.Errorf("sealed: %w: %w", ErrDamaged, err)
		}
		value, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
		if err != nil || len(value) > MaxSize {
			return secret.Text{}, fmt.Errorf("sealed: %w", ErrDamaged)
		}
		return secret.New(string(value)), nil
	}
}
