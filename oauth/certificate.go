package oauth

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"
)

// minKeyBits is the shortest RSA key that a signature may come from (RFC 7518
// section 3.3).
const minKeyBits = 2048

// Certificate is an X.509 certificate with its private key, which a program
// proves with who it is. It prints the certificate's name and never the key.
type Certificate struct {
	chain []*x509.Certificate // the certificate itself first
	key   crypto.Signer
}

// NewCertificate returns a Certificate of a chain in any order and the private
// key of one of them. The key may live in a security module; it must be an RSA
// key of at least 2048 bits.
func NewCertificate(chain []*x509.Certificate, key crypto.Signer) (*Certificate, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	public, _ := key.Public().(*rsa.PublicKey)
	i := slices.IndexFunc(chain, func(c *x509.Certificate) bool { return public.Equal(c.PublicKey) })
	if i < 0 {
		return nil, fmt.Errorf("oauth: none of the %d certificates belongs to the private key: give the certificate that was made with it", len(chain))
	}
	ordered := []*x509.Certificate{chain[i]}
	for j, c := range chain {
		if j != i {
			ordered = append(ordered, c)
		}
	}
	return &Certificate{chain: ordered, key: key}, nil
}

// checkKey returns an error where a key cannot sign assertions.
func checkKey(key crypto.Signer) error {
	if key == nil {
		return errors.New("oauth: there is no private key")
	}
	public, ok := key.Public().(*rsa.PublicKey)
	if !ok {
		return fmt.Errorf("oauth: the private key is of the kind %T: use an RSA key", key.Public())
	}
	if bits := public.N.BitLen(); bits < minKeyBits {
		return fmt.Errorf("oauth: the RSA key has %d bits: use one of at least %d", bits, minKeyBits)
	}
	return nil
}

// ParseCertificate reads a certificate and its private key from PEM blocks in
// any order: CERTIFICATE, and PRIVATE KEY (PKCS #8) or RSA PRIVATE KEY (PKCS
// #1). Other blocks are passed over. An encrypted key is refused: give it
// without a password, or as a PFX file, which package oauth/pfx reads.
func ParseCertificate(data []byte) (*Certificate, error) {
	var chain []*x509.Certificate
	var key crypto.Signer
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		switch {
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("oauth: a PEM certificate cannot be read: %w", err)
			}
			chain = append(chain, c)
		case strings.HasSuffix(block.Type, "PRIVATE KEY"):
			next, err := parseKey(block)
			if err != nil {
				return nil, err
			}
			if key != nil {
				return nil, errors.New("oauth: the PEM data have several private keys: leave one")
			}
			key = next
		}
	}
	if len(chain) == 0 {
		return nil, errors.New("oauth: the PEM data have no CERTIFICATE block: put the certificate next to its key")
	}
	return NewCertificate(chain, key)
}

// parseKey reads a private key. Its errors do not quote what they are about.
func parseKey(block *pem.Block) (crypto.Signer, error) {
	if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
		return nil, errors.New("oauth: the PEM private key is encrypted: decrypt it (openssl pkey), or use a PFX file")
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("oauth: the PEM block %q is not a private key in PKCS #1 or PKCS #8", clean(block.Type))
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("oauth: the private key cannot sign: use an RSA key")
	}
	return signer, nil
}

// NotAfter is when the certificate ends.
func (c *Certificate) NotAfter() time.Time { return c.chain[0].NotAfter }

// Thumbprint returns the SHA-256 of the certificate in hexadecimal digits, as
// openssl x509 -fingerprint -sha256 prints it but for the colons.
func (c *Certificate) Thumbprint() string {
	sum := sha256.Sum256(c.chain[0].Raw)
	return hex.EncodeToString(sum[:])
}

var (
	_ fmt.Formatter  = (*Certificate)(nil)
	_ slog.LogValuer = (*Certificate)(nil)
)

// String returns the certificate's subject and its end.
func (c *Certificate) String() string {
	return fmt.Sprintf("certificate of %q until %s", clean(c.chain[0].Subject.String()), c.NotAfter().UTC().Format(time.DateOnly))
}

// Format implements [fmt.Formatter]: every verb prints String.
func (c *Certificate) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, c.String())
}

// LogValue implements [slog.LogValuer].
func (c *Certificate) LogValue() slog.Value { return slog.StringValue(c.String()) }
