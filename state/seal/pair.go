package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// magic begins everything that is encrypted. The key follows, up to the end of
// its line, then the value: so a value cannot be taken for another key's.
const magic = "mailsession seal 1\n"

// ageHeader begins every file of age.
const ageHeader = "age-encryption.org/"

// pair is what values are encrypted to and decrypted with.
type pair struct {
	recipients []age.Recipient
	identities []age.Identity
}

// seal encrypts the value of a key.
func (p *pair) seal(key string, value []byte) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, p.recipients...)
	if err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	for _, part := range [][]byte{[]byte(magic), []byte(key), []byte("\n"), value} {
		if _, err := w.Write(part); err != nil {
			return nil, fmt.Errorf("encrypt: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encrypt: %w", err)
	}
	return out.Bytes(), nil
}

// open decrypts the value of a key.
func (p *pair) open(key string, sealed []byte) ([]byte, error) {
	if !bytes.HasPrefix(sealed, []byte(ageHeader)) {
		return nil, ErrNotSealed
	}
	if len(p.identities) == 0 {
		return nil, fmt.Errorf("%w: there are no identities to read with", ErrWrongKey)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), p.identities...)
	var plain []byte
	if err == nil {
		plain, err = io.ReadAll(r)
	}
	var noMatch *age.NoIdentityMatchError
	switch {
	case errors.As(err, &noMatch):
		return nil, ErrWrongKey
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrTampered, err)
	}
	value, ok := bytes.CutPrefix(plain, []byte(magic+key+"\n"))
	if !ok {
		return nil, fmt.Errorf("%w: it was sealed as another one", ErrTampered)
	}
	return value, nil
}
