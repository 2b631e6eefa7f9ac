// Package pfx reads PFX files (PKCS #12), in which certificates are handed out
// with their private keys, for oauth.ClientCertificate.
//
//	certificate, err := pfx.Parse(data, secret.New(password))
//	app, err := oauth.ClientCredentials(cfg, oauth.ClientCertificate(certificate, nil), nil)
//
// It is for files of one's own: what a file from a stranger costs to open is not
// bounded.
package pfx

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"

	"software.sslmate.com/src/go-pkcs12"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

// MaxSize is the size of the largest file that Parse reads, in bytes.
const MaxSize = 1 << 20

// ErrPassword says that the password of a PFX file is wrong, or that the file
// was changed.
var ErrPassword = errors.New("the password is wrong")

// Parse reads a certificate, its private key and the rest of its chain from a
// PFX file, in the encryption of today (AES) or of earlier years (3DES, RC2).
// The zero password is that of a file without one. The error wraps ErrPassword
// where the password is wrong; it holds nothing of the file or the password.
//
// The file says how much work its encryption is, without a limit: read files of
// your own, and none of strangers.
func Parse(data []byte, password secret.Text) (*oauth.Certificate, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("oauth/pfx: the file is larger than %d bytes: it is no PFX file of one certificate", MaxSize)
	}
	key, leaf, rest, err := pkcs12.DecodeChain(data, password.Reveal())
	switch {
	case errors.Is(err, pkcs12.ErrIncorrectPassword):
		return nil, fmt.Errorf("oauth/pfx: the file cannot be opened: %w", ErrPassword)
	case err != nil:
		return nil, fmt.Errorf("oauth/pfx: the file is not a PFX file of one certificate with its private key (%w)", err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("oauth/pfx: the private key cannot sign: use an RSA key")
	}
	return oauth.NewCertificate(append([]*x509.Certificate{leaf}, rest...), signer)
}
