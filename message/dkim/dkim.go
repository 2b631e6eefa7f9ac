// Package dkim signs messages, so that whoever gets one can tell that the domain
// answers for it and that it is as it was sent (RFC 6376, RFC 8301, RFC 8463).
//
// A [Signer] has the key of a domain. Its Sign makes of a [message.Source] another
// one that has a signature before it, and goes to any way out as it is:
//
//	signed, err := signer.Sign(source)
//	receipt, err := s.Send(ctx, envelope, signed)
//
// [Signer.Record] is what has to be in the DNS. Large providers want a signature
// of the domain in From, with a key of RSA: Gmail and Microsoft pass over Ed25519,
// so that who wants it signs twice.
package dkim

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// Options are the settings of a Signer. The zero value works.
type Options struct {
	// Fields are the names of the header fields that are signed, as often as the
	// message has them. Nil means [DefaultFields]. From is always among them.
	Fields []string
	// Sealed are the names of fields that are signed once more than the message has
	// them, so that nobody can add one unnoticed (RFC 6376 section 8.15). Nil means
	// [DefaultSealed]; an empty list means From alone.
	Sealed []string
	// SimpleHeader and SimpleBody sign header and body to the last space ("simple")
	// instead of allowing for what mail systems change on the way ("relaxed").
	SimpleHeader, SimpleBody bool
	// Identity is who in the domain sends (i=): an address, or "@" and a domain
	// below. Empty means that it is not told.
	Identity string
	// ValidFor is how long the signature counts from the signing on (x=), in whole
	// seconds. Zero means without end.
	ValidFor time.Duration
}

// DefaultFields returns the fields that are signed by default: those that RFC 6376
// section 5.4.1 recommends, and that tell how the body is to be read. Both fields
// by which RFC 8058 lets recipients leave a list are among them.
func DefaultFields() []string {
	return []string{
		"From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References",
		"MIME-Version", "Content-Type", "Content-Transfer-Encoding", "Content-Disposition", "Content-ID", "Content-Description",
		"Auto-Submitted", "Disposition-Notification-To", "Resent-Date", "Resent-From", "Resent-Sender", "Resent-To", "Resent-Cc", "Resent-Message-ID",
		"List-Id", "List-Help", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Subscribe", "List-Post", "List-Owner", "List-Archive",
	}
}

// DefaultSealed returns the fields that cannot be added to a signed message: those
// that people see or that decide what they see. What mailing lists add, such as
// Sender and List-Id, is not among them.
func DefaultSealed() []string {
	return []string{"From", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"}
}

// A Signer signs messages for one domain with one key. It may be used by several
// goroutines if its key may, as those of the standard library.
type Signer struct {
	domain, selector string
	key              crypto.Signer
	kind, public     string // as in the record
	opts             Options
}

// minBits is how long a key of RSA has to be (RFC 8301 section 3.2).
const minBits = 1024

// New returns a Signer for a domain, whose public key the DNS has under selector
// and domain. Both are in the form of the DNS, with "xn--" where a name has other
// letters. The key is one of RSA, 2048 bits being usual and 1024 the least, or of
// Ed25519; it may be one that lies elsewhere, in a device or a service. Signatures
// are rsa-sha256 and ed25519-sha256.
func New(domain, selector string, key crypto.Signer, opts *Options) (*Signer, error) {
	s := &Signer{domain: strings.ToLower(domain), selector: selector, key: key}
	if opts != nil {
		s.opts = *opts
	}
	switch {
	case !isName(domain) || !strings.Contains(domain, "."):
		return nil, errors.New("dkim: the domain is not a name of the DNS; one with other letters is written with xn--")
	case !isName(selector):
		return nil, errors.New("dkim: the selector is not a name of the DNS")
	case key == nil:
		return nil, errors.New("dkim: there is no key")
	case s.opts.ValidFor < 0 || s.opts.ValidFor > 0 && s.opts.ValidFor < time.Second:
		return nil, errors.New("dkim: ValidFor is less than a second")
	}
	if err := s.checkFields(); err != nil {
		return nil, err
	}
	if err := s.checkIdentity(); err != nil {
		return nil, err
	}
	return s, s.describe()
}

// checkFields fills in the fields, and refuses what is no name of one.
func (s *Signer) checkFields() error {
	if s.opts.Fields == nil {
		s.opts.Fields = DefaultFields()
	}
	if s.opts.Sealed == nil {
		s.opts.Sealed = DefaultSealed()
	}
	for _, list := range [][]string{s.opts.Fields, s.opts.Sealed} {
		for _, name := range list {
			if name == "" || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || r == ':' || r == ';' }) {
				return fmt.Errorf("dkim: %q is not the name of a header field", name)
			}
			switch strings.ToLower(name) {
			case "dkim-signature", "return-path", "received", "bcc":
				return fmt.Errorf("dkim: %s changes or goes on the way, or is the signature itself, and cannot be signed", name)
			}
		}
	}
	return nil
}

// checkIdentity refuses an identity outside of the domain (RFC 6376 section 3.5).
func (s *Signer) checkIdentity() error {
	id := s.opts.Identity
	if id == "" {
		return nil
	}
	local, domain, ok := strings.Cut(id, "@")
	domain = strings.ToLower(domain)
	if !ok || !isName(domain) || domain != s.domain && !strings.HasSuffix(domain, "."+s.domain) {
		return fmt.Errorf("dkim: the identity is not of the domain %s", s.domain)
	}
	if a, err := mail.ParseAddress("x" + id); err != nil || a.Name != "" || strings.ContainsAny(local, ";= \t\"") {
		return errors.New("dkim: the identity is not an address that can be written into a signature")
	}
	return nil
}

// describe finds out what kind of key it is.
func (s *Signer) describe() error {
	switch public := s.key.Public().(type) {
	case *rsa.PublicKey:
		if bits := public.N.BitLen(); bits < minBits {
			return fmt.Errorf("dkim: the key has %d bits; one of RSA needs %d, and 2048 are usual", bits, minBits)
		}
		der, err := x509.MarshalPKIXPublicKey(public)
		if err != nil {
			return fmt.Errorf("dkim: the public key: %w", err)
		}
		s.kind, s.public = "rsa", base64.StdEncoding.EncodeToString(der)
	case ed25519.PublicKey:
		s.kind, s.public = "ed25519", base64.StdEncoding.EncodeToString(public)
	default:
		return fmt.Errorf("dkim: the key is a %T; use one of RSA or Ed25519", public)
	}
	return nil
}

// Record returns what has to be in the DNS, as a TXT record: its name, and its
// value (RFC 6376 section 3.6.1), which is not secret. Values of more than 255
// bytes have to be given to name servers in several strings.
func (s *Signer) Record() (name, value string) {
	return s.selector + "._domainkey." + s.domain, "v=DKIM1; k=" + s.kind + "; p=" + s.public
}

// ParseKey reads a private key in PEM: of RSA or Ed25519 as PKCS #8 ("PRIVATE
// KEY"), or of RSA as PKCS #1 ("RSA PRIVATE KEY"). openssl genpkey writes the
// former. Errors do not show the key.
func ParseKey(text secret.Text) (crypto.Signer, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	switch {
	case block == nil:
		return nil, errors.New("dkim: the key is not PEM; it has to begin with -----BEGIN PRIVATE KEY-----")
	case block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "":
		return nil, errors.New("dkim: the key is encrypted; decrypt it with openssl pkey")
	case block.Type == "RSA PRIVATE KEY":
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, errors.New("dkim: the key of RSA cannot be read") // the cause may show parts of it
		}
		return key, nil
	case block.Type != "PRIVATE KEY":
		return nil, fmt.Errorf("dkim: the PEM has a %s; it has to be a PRIVATE KEY of RSA or Ed25519", strings.Map(printable, block.Type))
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("dkim: the key cannot be read")
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("dkim: the key is a %T; use one of RSA or Ed25519", key)
}

func printable(r rune) rune {
	if r < ' ' || r >= 0x7f {
		return '?'
	}
	return r
}

// isName reports whether s is a name of the DNS in ASCII.
func isName(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
	}
	return true
}
