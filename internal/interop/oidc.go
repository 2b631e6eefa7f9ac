package interop

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// oidcProgram is the authorization server, from the folder of this package;
// tests run there.
const oidcProgram = "oidc/server.mjs"

// OIDCOptions says what an authorization server is to do. The zero value is
// usable.
type OIDCOptions struct {
	// AccessLifetime is how long access tokens are good, in whole seconds. 0
	// means an hour.
	AccessLifetime time.Duration
	// KeepRefreshTokens has a refresh token stay good after it was used, instead
	// of being replaced.
	KeepRefreshTokens bool
	// RobotKey is the public key that the client OIDC.Robot signs its assertions
	// with. Nil means that there is no such client.
	RobotKey *rsa.PublicKey
}

// An OIDCClient is a client that is registered with an authorization server.
type OIDCClient struct {
	// ID is its identifier.
	ID string
	// Secret is its secret, zero for a public client.
	Secret secret.Text
}

// OIDC is a running authorization server: the npm package oidc-provider, which
// is certified for OpenID Connect and enforces its rules. It demands PKCE with
// S256, takes loopback redirects with any port, rotates refresh tokens, and
// ends a sign-in whose refresh token comes a second time. It knows the accounts
// ann@example.test and bob@example.test, and the scopes openid, email,
// offline_access, mail and calendar.
type OIDC struct {
	// Issuer is the issuer identifier, the base of all URLs.
	Issuer string
	// AuthURL, TokenURL, DeviceURL, IntrospectURL and RevokeURL are the endpoints.
	AuthURL, TokenURL, DeviceURL, IntrospectURL, RevokeURL string
	// Public is a program without a secret.
	Public OIDCClient
	// Confidential is a program with a secret of all kinds of characters,
	// which it sends in the Authorization header (client_secret_basic).
	Confidential OIDCClient
	// MailServer may ask about tokens and do nothing else. It sends its secret
	// in the form (client_secret_post), as Dovecot does.
	MailServer OIDCClient

	// Service gets tokens in its own name, by a secret in the form.
	Service OIDCClient
	// Robot does so too, by assertions (private_key_jwt).
	Robot OIDCClient

	control string // the URL of the control endpoints
	client  *http.Client
	dir     string
	running *process
	ending  ending
}

// oidcSettings is what the program reads.
type oidcSettings struct {
	Accounts       []string             `json:"accounts"`
	AccessLifetime int                  `json:"accessLifetime"`
	Rotate         bool                 `json:"rotate"`
	Clients        []oidcClientSettings `json:"clients"`
}

// oidcClientSettings is one client's registration.
type oidcClientSettings struct {
	ID      string `json:"id"`
	Secret  string `json:"secret,omitempty"`
	Method  string `json:"method"`
	SignsIn bool   `json:"signsIn"`
	// Alone says that it gets tokens in its own name.
	Alone bool              `json:"alone"`
	JWK   map[string]string `json:"jwk,omitempty"`
}

// StartOIDC starts an authorization server and returns when it listens. Nil
// options are the zero ones. A program that is not installed, or ends, is an
// error that holds what it printed. The caller calls [OIDC.Stop]; the context
// is for starting only.
func StartOIDC(ctx context.Context, opts *OIDCOptions) (*OIDC, error) {
	if opts == nil {
		opts = &OIDCOptions{}
	}
	for try := 1; ; try++ {
		o, err := startOIDC(ctx, opts)
		// Node.js was seen to start and then to stand still, once in a while.
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || try == oidcTries {
			return o, err
		}
	}
}

const (
	oidcTries   = 4
	oidcTimeout = 20 * time.Second // the program listens within 2 s as a rule
)

// startOIDC starts the server once.
func startOIDC(ctx context.Context, opts *OIDCOptions) (*OIDC, error) {
	node, err := Node()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mailsession-oidc-")
	if err != nil {
		return nil, fmt.Errorf("interop: make a folder for the authorization server: %w", err)
	}
	o := &OIDC{
		Public:       OIDCClient{ID: "mail-program"},
		Confidential: OIDCClient{ID: "mail-service", Secret: secret.New("client-secret-" + rand.Text() + ` +%:&="\`)},
		MailServer:   OIDCClient{ID: "mail-server", Secret: secret.New("client-secret-" + rand.Text())},
		Service:      OIDCClient{ID: "backup-service", Secret: secret.New("client-secret-" + rand.Text() + ` +%:&="\`)},
		Robot:        OIDCClient{ID: "robot"},
		client:       &http.Client{Transport: &http.Transport{}},
		dir:          dir,
	}
	if err = o.writeSettings(opts); err == nil {
		o.running, err = startProcess("oidc-provider", []string{node, oidcProgram, o.settings()})
	}
	if err == nil {
		err = o.awaitAddresses(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, o.Logs()), o.Stop())
	}
	return o, nil
}

// settings names the file with the program's settings.
func (o *OIDC) settings() string { return filepath.Join(o.dir, "settings.json") }

// writeSettings writes the program's settings for its owner alone.
func (o *OIDC) writeSettings(opts *OIDCOptions) error {
	lifetime := opts.AccessLifetime
	if lifetime == 0 {
		lifetime = time.Hour
	}
	if lifetime < time.Second || lifetime%time.Second != 0 {
		return fmt.Errorf("interop: access tokens cannot be good for %v; whole seconds are wanted", lifetime)
	}
	clients := []oidcClientSettings{
		{ID: o.Public.ID, Method: "none", SignsIn: true},
		{ID: o.Confidential.ID, Secret: o.Confidential.Secret.Reveal(), Method: "client_secret_basic", SignsIn: true},
		{ID: o.MailServer.ID, Secret: o.MailServer.Secret.Reveal(), Method: "client_secret_post"},
		{ID: o.Service.ID, Secret: o.Service.Secret.Reveal(), Method: "client_secret_post", Alone: true},
	}
	if opts.RobotKey != nil {
		clients = append(clients, oidcClientSettings{ID: o.Robot.ID, Method: "private_key_jwt", Alone: true, JWK: jwk(opts.RobotKey)})
	}
	text, err := json.Marshal(oidcSettings{
		Accounts:       []string{"ann@example.test", "bob@example.test"},
		AccessLifetime: int(lifetime / time.Second),
		Rotate:         !opts.KeepRefreshTokens,
		Clients:        clients,
	})
	if err != nil {
		return fmt.Errorf("interop: settings of the authorization server: %w", err)
	}
	return os.WriteFile(o.settings(), text, 0o600)
}

// jwk is a public key as RFC 7518 section 6.3.1 has it.
func jwk(key *rsa.PublicKey) map[string]string {
	encode := base64.RawURLEncoding.EncodeToString
	return map[string]string{
		"kty": "RSA", "use": "sig", "n": encode(key.N.Bytes()), "e": encode(big.NewInt(int64(key.E)).Bytes()),
	}
}

// awaitAddresses waits until the program has printed where it listens.
func (o *OIDC) awaitAddresses(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, oidcTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if addresses := printedURLs(o.running.output.String()); len(addresses) == 2 {
			o.Issuer, o.control = addresses[0], addresses[1]
			o.AuthURL, o.TokenURL = o.Issuer+"/auth", o.Issuer+"/token"
			o.DeviceURL = o.Issuer + "/device/auth"
			o.IntrospectURL, o.RevokeURL = o.TokenURL+"/introspection", o.TokenURL+"/revocation"
			return nil
		}
		select {
		case <-o.running.ended:
			return fmt.Errorf("interop: the authorization server has ended: %w", o.running.err)
		case <-ctx.Done():
			return fmt.Errorf("interop: the authorization server does not say where it listens: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// printedURLs returns the complete lines that are URLs; warnings may stand
// between them.
func printedURLs(output string) []string {
	var found []string
	for line := range strings.Lines(output) {
		if strings.HasPrefix(line, "http://") && strings.HasSuffix(line, "\n") {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// Introspection returns how Dovecot asks this server about tokens, which must
// have the scope mail.
func (o *OIDC) Introspection() *Introspection {
	return &Introspection{
		URL: o.IntrospectURL, ClientID: o.MailServer.ID, ClientSecret: o.MailServer.Secret,
		UsernameAttribute: "email", Scope: "mail",
	}
}

// Stop ends the server, waits until it has ended, and removes its folder.
// Further calls return what the first did.
func (o *OIDC) Stop() error {
	err := o.ending.end(o.dir, o.running)
	o.client.CloseIdleConnections()
	return err
}

// Logs returns what the server printed, for a test that failed.
func (o *OIDC) Logs() string {
	if o.running == nil {
		return ""
	}
	return o.running.name + " printed:\n" + lastLines(o.running.output.String(), 60)
}

// Node returns the Node.js that runs the programs of the folder oidc.
func Node() (string, error) {
	return findNode("the authorization server", oidcProgram, "oidc/node_modules/oidc-provider/package.json")
}

// findNode finds Node and the files that a program needs. A Node that was
// installed with the authorization server comes first: there was no other that is
// new enough.
func findNode(program string, files ...string) (string, error) {
	for _, name := range files {
		if _, err := os.Stat(name); err != nil {
			return "", fmt.Errorf("interop: %s is incomplete (%w); run internal/interop/install, and the tests in internal/interop", program, err)
		}
	}
	own, err := filepath.Glob("oidc/node_modules/node-linux-*/bin/node")
	if err == nil && len(own) > 0 {
		return own[0], nil
	}
	node, err := exec.LookPath("node")
	if err != nil {
		return "", fmt.Errorf("interop: Node.js is not installed (%w); run internal/interop/install", err)
	}
	return node, nil
}
