// Package testtls makes certificates for tests: a certificate authority that
// lives as long as the value and one server certificate signed by it.
//
// The certificates are valid from 1999 to 2099, because the clock inside a
// bubble of testing/synctest starts in the year 2000.
package testtls

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Authority is a certificate authority together with the certificate of one
// server. It is safe for concurrent use.
type Authority struct {
	pool      *x509.CertPool
	server    tls.Certificate
	certPEM   []byte
	serverPEM []byte
	keyPEM    []byte
}

// New returns an authority whose server certificate is for the given DNS names
// and IP addresses. Without any it is for localhost, 127.0.0.1 and ::1.
func New(hosts ...string) (*Authority, error) {
	if len(hosts) == 0 {
		hosts = []string{"localhost", "127.0.0.1", "::1"}
	}
	root := template(1, "mailsession test authority")
	root.IsCA, root.BasicConstraintsValid = true, true
	root.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	rootKey, rootDER, err := sign(root, nil, nil)
	if err != nil {
		return nil, err
	}
	leaf := template(2, hosts[0])
	leaf.KeyUsage = x509.KeyUsageDigitalSignature
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			leaf.IPAddresses = append(leaf.IPAddresses, ip)
		} else {
			leaf.DNSNames = append(leaf.DNSNames, h)
		}
	}
	leafKey, leafDER, err := sign(leaf, root, rootKey)
	if err != nil {
		return nil, err
	}
	return assemble(rootDER, leafDER, leafKey)
}

func assemble(rootDER, leafDER []byte, leafKey *ecdsa.PrivateKey) (*Authority, error) {
	root, err := x509.ParseCertificate(rootDER)
	if err != nil {
		return nil, fmt.Errorf("testtls: parse the authority's certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(leafKey)
	if err != nil {
		return nil, fmt.Errorf("testtls: encode the server's key: %w", err)
	}
	a := &Authority{
		pool:      x509.NewCertPool(),
		server:    tls.Certificate{Certificate: [][]byte{leafDER, rootDER}, PrivateKey: leafKey},
		certPEM:   pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: rootDER}),
		serverPEM: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leafDER}),
		keyPEM:    pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
	a.pool.AddCert(root)
	return a, nil
}

// template returns the fields that both certificates share.
func template(serial int64, name string) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Date(1999, time.January, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2099, time.December, 31, 0, 0, 0, 0, time.UTC),
	}
}

// sign returns a new key and its certificate, signed by the parent or, where
// that is nil, by itself.
func sign(cert, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("testtls: make a key for %s: %w", cert.Subject.CommonName, err)
	}
	if parent == nil {
		parent, parentKey = cert, key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, &key.PublicKey, parentKey)
	if err != nil {
		return nil, nil, fmt.Errorf("testtls: sign the certificate of %s: %w", cert.Subject.CommonName, err)
	}
	return key, der, nil
}

// Server returns new settings for a server that shows the certificate.
func (a *Authority) Server() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{a.server}, MinVersion: tls.VersionTLS12}
}

// Client returns new settings for a client that trusts the authority and
// nothing else. ServerName is empty: the one who dials sets it.
func (a *Authority) Client() *tls.Config {
	return &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12}
}

// CertPEM returns the authority's own certificate, as a client that reads its
// roots from a file wants it.
func (a *Authority) CertPEM() []byte { return append([]byte(nil), a.certPEM...) }

// ServerCertPEM returns the server's certificate.
func (a *Authority) ServerCertPEM() []byte { return append([]byte(nil), a.serverPEM...) }

// ServerKeyPEM returns the server's private key in PKCS #8.
func (a *Authority) ServerKeyPEM() []byte { return append([]byte(nil), a.keyPEM...) }
