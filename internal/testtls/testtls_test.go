package testtls_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/pipe"
	"github.com/mailsession/mailsession/internal/testtls"
)

// handshake connects a client that expects name to a server of the authority.
func handshake(t *testing.T, server, client *tls.Config, name string) error {
	t.Helper()
	a, b := pipe.New()
	defer func() { _ = a.Close() }()
	client.ServerName = name
	served := make(chan error, 1)
	go func() {
		defer func() { _ = b.Close() }()
		served <- tls.Server(b, server).HandshakeContext(t.Context())
	}()
	err := tls.Client(a, client).HandshakeContext(t.Context())
	_ = a.Close()
	if served := <-served; err == nil {
		return served
	}
	return err
}

func TestHandshakeInVirtualTime(t *testing.T) {
	tests := []struct {
		hosts []string
		name  string
		ok    bool
	}{
		{nil, "localhost", true},
		{nil, "127.0.0.1", true},
		{nil, "::1", true},
		{nil, "imap.example.com", false},
		{[]string{"imap.example.com", "10.0.0.1"}, "imap.example.com", true},
		{[]string{"imap.example.com", "10.0.0.1"}, "10.0.0.1", true},
		{[]string{"imap.example.com"}, "localhost", false},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			a, err := testtls.New(tt.hosts...)
			if err != nil {
				t.Fatalf("New(%q): %v", tt.hosts, err)
			}
			err = handshake(t, a.Server(), a.Client(), tt.name)
			if (err == nil) != tt.ok {
				t.Errorf("hosts %q, server name %q: %v, want success %t", tt.hosts, tt.name, err, tt.ok)
			}
		})
	}
}

func TestOtherAuthorityIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mine, err := testtls.New()
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		other, err := testtls.New()
		if err != nil {
			t.Fatalf("New: %v", err)
		}
		err = handshake(t, mine.Server(), other.Client(), "localhost")
		if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
			t.Errorf("handshake: %v, want an unknown authority", err)
		}
	})
}

func TestPEMsMakeTheSamePair(t *testing.T) {
	a, err := testtls.New()
	if err != nil {
		t.Fatalf("New: %v", err)
	}
	pair, err := tls.X509KeyPair(a.ServerCertPEM(), a.ServerKeyPEM())
	if err != nil {
		t.Fatalf("X509KeyPair: %v", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.CertPEM()) {
		t.Fatal("CertPEM holds no certificate")
	}
	server := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	if err := handshake(t, server, &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS13}, "localhost"); err != nil {
		t.Errorf("handshake with the PEM files: %v", err)
	}
}
