//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// TestExtendedProtection has requests_ntlm, which nobody here wrote, and package ews sign
// in by NTLM at a server that requires a channel binding, with certificates signed in
// the ways that there are: both bind to the connection in the same way. Without the
// binding neither gets in.
func TestExtendedProtection(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	for _, algorithm := range []x509.SignatureAlgorithm{
		x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA1WithRSA,
	} {
		t.Run(algorithm.String(), func(t *testing.T) {
			t.Parallel()
			certificate := selfSigned(t, key, algorithm)
			box := mailtest.New()
			box.Add(ewsAnn, secret.New("horse-of-ann"))
			server := ewstest.New(box, &ewstest.Options{
				Security: mailtest.TLS, TLS: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12},
				Schemes: []string{ewstest.NTLM}, ExtendedProtection: ewstest.ProtectionRequire,
			})
			t.Cleanup(func() { _ = server.Close() })
			for _, unbound := range []bool{false, true} {
				if status := requestsNTLM(t, server, certificate, unbound); (status == 401) != unbound {
					t.Errorf("requests_ntlm got %d, unbound %t", status, unbound)
				}
				if err := countByNTLM(t, server, unbound); session.NeedsSignIn(err) != unbound || err != nil && !unbound {
					t.Errorf("package ews got %v, unbound %t", err, unbound)
				}
			}
		})
	}
}

// selfSigned returns a certificate for localhost that is signed by itself.
func selfSigned(t *testing.T, key *rsa.PrivateKey, algorithm x509.SignatureAlgorithm) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		SignatureAlgorithm: algorithm,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// requestsNTLM returns the status that Debian's requests_ntlm gets.
func requestsNTLM(t *testing.T, server *ewstest.Server, certificate tls.Certificate, unbound bool) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), pythonPatience)
	defer cancel()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600))
	_, port, err := net.SplitHostPort(server.Addr())
	must(t, err)
	args := []string{"-B", filepath.Join("testdata", "ntlm_story.py"), "--port", port, "--security", "tls", "--ca", ca, "--user", ewsAnn}
	if unbound {
		args = append(args, "--unbound")
	}
	cmd := exec.CommandContext(ctx, "/usr/bin/python3", args...) //nolint:gosec // G204: one of testdata.
	cmd.Env = append(os.Environ(), "MAILSESSION_STORY_SECRET=horse-of-ann")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("requests_ntlm: %v\n%s", err, said.String())
	}
	var answer struct{ Status int }
	if err := json.Unmarshal(out, &answer); err != nil || strings.Contains(string(out)+said.String(), "horse-of-ann") {
		t.Fatalf("requests_ntlm printed %q, %v", out, err)
	}
	return answer.Status
}

// countByNTLM counts the messages of an inbox by package ews.
func countByNTLM(t *testing.T, server *ewstest.Server, unbound bool) error {
	t.Helper()
	s, path, err := ews.ParseURL("https://localhost" + ewstest.Path)
	must(t, err)
	s.TLS, s.Dial = server.ClientTLS(), server.Dial
	creds := session.Credentials{User: ewsAnn, Password: secret.New("horse-of-ann")}
	client, err := ews.New(s, creds, &ews.Options{Path: path, NoChannelBinding: unbound})
	must(t, err)
	defer func() { must(t, client.Close()) }()
	_, err = client.Count(t.Context(), session.Inbox)
	return err
}
