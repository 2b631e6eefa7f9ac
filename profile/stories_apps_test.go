package profile_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/profile"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// credentialsOf opens the set "ann" as far as its credentials.
func credentialsOf(t *testing.T, set string, o profile.Options) session.Credentials {
	t.Helper()
	var creds session.Credentials
	enough := errors.New("the credentials are enough")
	o.Incoming = map[profile.Protocol]profile.IncomingMaker{profile.IMAP: func(string, profile.Side) (session.IncomingBackend, error) {
		return func(setup session.Setup) (session.Incoming, error) {
			creds = setup.Credentials
			return nil, enough
		}, nil
	}}
	f := parse(t, one(set+`, "mode": "read-only", "incoming": {"host": "imap.example.com"}`), &o)
	if _, err := f.Open(t.Context(), "ann"); !errors.Is(err, enough) {
		t.Fatal(err)
	}
	return creds
}

// wantToken asks for a token, which opens the mailbox of a user.
func wantToken(t *testing.T, server *oauthtest.Server, creds session.Credentials, user string) {
	t.Helper()
	token, err := creds.Tokens.For("https://mail.example").Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := server.CheckToken(user, token.AccessToken); err != nil {
		t.Errorf("the token does not open the mailbox of %s: %v", user, err)
	}
}

// robot returns a certificate with its key as PEM, and what a server knows of it.
func robot(t *testing.T) (text []byte, public *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "robot"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	if public, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for kind, data := range map[string][]byte{"PRIVATE KEY": pkcs8, "CERTIFICATE": der} {
		if err := pem.Encode(&b, &pem.Block{Type: kind, Bytes: data}); err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes(), public
}

// TestCertificateByASet: a program proves who it is by a certificate, as PEM or as
// a file that only the program can read.
func TestCertificateByASet(t *testing.T) {
	text, public := robot(t)
	server := oauthtest.New(&oauthtest.Options{
		Accounts: []oauthtest.Account{},
		Clients: []oauthtest.Client{{ID: "robot", App: &oauthtest.App{
			Permissions: []string{"https://mail.example/IMAP"}, Mailboxes: []string{info}, Certificates: []*x509.Certificate{public},
		}}},
	})
	defer server.Close()
	path := filepath.Join(t.TempDir(), "robot.pem")
	write(t, path, string(text))
	set := `"oauth": {"tokenUrl": "` + server.TokenURL() + `"}, "flow": "certificate", "clientId": "robot", "mailbox": "` + info + `",
		"scopes": "https://mail.example/.default", "certificate": {"content": "file:` + path + `", "password": "literal:a pony", "sendChain": true}`
	o := profile.Options{AllowLiteralSecrets: true}
	wantToken(t, server, credentialsOf(t, set, o), info)

	write(t, path, "\x30\x82 a PFX file\x00 ")
	f := parse(t, one(set+`, "incoming": {"host": "h"}`), &o)
	if _, err := f.Open(t.Context(), "ann"); !errors.Is(err, errors.ErrUnsupported) || !strings.Contains(err.Error(), "ParsePFX") {
		t.Errorf("Open with a PFX file: %v, want that nobody reads it", err)
	}
	o.ParsePFX = func(data []byte, password secret.Text) (*oauth.Certificate, error) {
		if string(data) != "\x30\x82 a PFX file\x00 " || password.Reveal() != "a pony" {
			t.Errorf("ParsePFX got %q and another password", data)
		}
		return oauth.ParseCertificate(text)
	}
	wantToken(t, server, credentialsOf(t, set, o), info)
}

// TestServiceAccountByASet: Google's key file opens a mailbox of the domain.
func TestServiceAccountByASet(t *testing.T) {
	server := oauthtest.New(&oauthtest.Options{Accounts: []oauthtest.Account{{Email: ann}}})
	defer server.Close()
	key, err := server.AddServiceAccount("robot@project.example", "https://mail.example/")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "key.json")
	write(t, path, string(key))
	creds := credentialsOf(t, `"flow": "service-account", "account": "`+ann+`", "scopes": "https://mail.example/", "serviceAccount": {"key": "file:`+path+`"}`, profile.Options{})
	wantToken(t, server, creds, ann)
}

// TestManagedIdentityByASet: the machine vouches for the program.
func TestManagedIdentityByASet(t *testing.T) {
	server := oauthtest.New(&oauthtest.Options{
		Accounts:   []oauthtest.Account{},
		Identities: []oauthtest.Identity{{ObjectID: "mail-reader", Permissions: []string{"https://mail.example/IMAP"}, Mailboxes: []string{info}}},
	})
	defer server.Close()
	for name, value := range server.IdentityEnv() {
		t.Setenv(name, value)
	}
	creds := credentialsOf(t, `"flow": "managed-identity", "mailbox": "`+info+`", "scopes": "https://mail.example/.default", "managedIdentity": {"objectId": "mail-reader"}`, profile.Options{})
	wantToken(t, server, creds, info)
}

// TestTokensOfAControlRoom: an address gives tokens to who shows its key.
func TestTokensOfAControlRoom(t *testing.T) {
	server := oauthtest.New(&oauthtest.Options{Accounts: []oauthtest.Account{{Email: ann}}})
	defer server.Close()
	t.Setenv("ROOM_KEY", "Bearer "+server.RoomKey().Reveal())
	creds := credentialsOf(t, `"flow": "external", "account": "`+ann+`", "external": {
		"url": "`+server.ControlRoomURL()+`?mailbox=`+ann+`&resource={resource}", "header": {"Authorization": "env:ROOM_KEY"}}`, profile.Options{})
	wantToken(t, server, creds, ann)
}

// TestOwnAuthority: the certificate authority of the set is the one that counts,
// for tokens and for mail, and a client's certificate is shown.
func TestOwnAuthority(t *testing.T) {
	authority, err := testtls.New()
	if err != nil {
		t.Fatal(err)
	}
	server := oauthtest.New(&oauthtest.Options{TLS: authority.Server(), Accounts: []oauthtest.Account{{Email: ann}}})
	defer server.Close()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "ca"), string(authority.CertPEM()))
	write(t, filepath.Join(dir, "cert"), string(authority.ServerCertPEM()))
	write(t, filepath.Join(dir, "key"), string(authority.ServerKeyPEM()))
	pin, err := server.Issue(ann, "openid", "email")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAIL_PIN", pin.Refresh.Reveal())
	set := `"oauth": {"tokenUrl": "` + server.TokenURL() + `"}, "clientId": "test-client", "refreshToken": "env:MAIL_PIN", "account": "` + ann + `"`
	settings := `, "tls": {"ca": "file:` + dir + `/ca", "certificate": "file:` + dir + `/cert", "key": "file:` + dir + `/key", "minVersion": "1.3", "serverName": "localhost"}`
	wantToken(t, server, credentialsOf(t, set+settings, profile.Options{}), ann)
	_, err = credentialsOf(t, set+`, "retry": {"on": "none"}`, profile.Options{}).Tokens.For("").Token(t.Context())
	if unknown, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
		t.Errorf("without the authority: %v (%v), want that it is unknown", err, unknown)
	}
	for field, reason := range map[string]string{"ca": "tls/ca holds no certificate", "cert": "are not a certificate and its key"} {
		write(t, filepath.Join(dir, field), "nothing")
		_, err := parse(t, one(set+settings+`, "incoming": {"host": "h"}`), nil).Open(t.Context(), "ann")
		if err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("with a wrong %s: %v, want %q", field, err, reason)
		}
		write(t, filepath.Join(dir, "ca"), string(authority.CertPEM()))
	}
}

// TestACheckTellsOfTheGrant: the session's check knows the grant of the set.
func TestACheckTellsOfTheGrant(t *testing.T) {
	b := newBed(t, nil)
	t.Setenv("MAIL_PIN", b.pin(t, ann))
	s := open(t, b.load(t, `"provider": "contoso", "account": "`+ann+`", "clientId": "test-client", "refreshToken": "env:MAIL_PIN"`))
	if err := s.Check(t.Context(), nil).Err(); err != nil {
		t.Error(err)
	}
	if creds := credentialsOf(t, `"provider": "google", "clientId": "c", "clientSecret": "env:MAIL_PIN", "account": "a@b.c", "refreshToken": "env:MAIL_PIN"`, profile.Options{}); !strings.Contains(fmt.Sprintf("%+v", creds), "google") {
		t.Errorf("the credentials print as %+v, want the grant", creds)
	} else if facts, ok := creds.Tokens.(interface {
		Facts(ctx context.Context) (oauth.GrantFacts, error)
	}); !ok {
		t.Error("the credentials tell no facts")
	} else if known, err := facts.Facts(t.Context()); err != nil || known.ClientID != "c" || !known.Refreshable {
		t.Errorf("the facts are %+v, %v", known, err)
	}
}

// TestTheSchemaIsJSON: what is embedded is a schema of draft 2020-12.
func TestTheSchemaIsJSON(t *testing.T) {
	var schema map[string]any
	if err := json.Unmarshal(profile.Schema(), &schema); err != nil || schema["$id"] != profile.SchemaURL || schema["$schema"] != "https://json-schema.org/draft/2020-12/schema" {
		t.Errorf("the schema is %v, %v", schema["$id"], err)
	}
}
