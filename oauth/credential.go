package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// maxAssertion is the largest federated token that is read from a file.
const maxAssertion = 64 << 10

// Credential is how a program proves to a token endpoint who it is:
// ClientSecret, ClientCertificate, FederatedFile or FederatedToken. It prints
// its kind and nothing secret. The zero value is none.
type Credential struct {
	name     string
	notAfter time.Time
	secret   secret.Text
	// assert returns an assertion for one request to audience (RFC 7521
	// section 4.2). It is nil for a secret. Its errors are of type *Error.
	assert func(ctx context.Context, clientID, audience string) (secret.Text, error)
}

// ClientSecret is a secret that the provider gave to the client. It is sent as
// Endpoint.AuthStyle says.
func ClientSecret(text secret.Text) Credential {
	return Credential{name: "client secret", secret: text}
}

// CertificateOptions change how a certificate proves who the program is. The
// zero value is right for Microsoft Entra ID.
type CertificateOptions struct {
	// Algorithm is how assertions are signed. Empty means PS256; AD FS wants
	// RS256.
	Algorithm Algorithm
	// KeyID is the kid of the header, for servers that know the key by one.
	KeyID string
	// SendChain puts the certificate with its chain into the header (x5c), for
	// servers that trust the certificate by its issuer and name.
	SendChain bool
	// Audience is the claim aud. Empty means the token endpoint's URL.
	Audience string
}

// ClientCertificate is a certificate that is registered with the provider
// (private_key_jwt of OpenID Connect Core section 9). Each request carries a
// new assertion, good once and for five minutes by this machine's clock, that
// names the certificate by its x5t#S256. The options may be nil.
func ClientCertificate(c *Certificate, o *CertificateOptions) Credential {
	if o == nil {
		o = &CertificateOptions{}
	}
	if c == nil {
		return Credential{}
	}
	opts := *o
	if opts.Algorithm == "" {
		opts.Algorithm = PS256
	}
	return Credential{
		name: "client certificate", notAfter: c.NotAfter(),
		assert: func(_ context.Context, clientID, audience string) (secret.Text, error) {
			if opts.Audience != "" {
				audience = opts.Audience
			}
			return c.assertion(clientID, audience, opts, time.Now())
		},
	}
}

// assertion returns a new client assertion.
func (c *Certificate) assertion(clientID, audience string, o CertificateOptions, now time.Time) (secret.Text, error) {
	if o.Algorithm != PS256 && o.Algorithm != RS256 {
		return secret.Text{}, credentialError(KindClientConfig, fmt.Errorf("the algorithm %q is not known: use PS256 or RS256", o.Algorithm))
	}
	claims, err := json.Marshal(newAssertionClaims(clientID, audience, now))
	if err != nil {
		return secret.Text{}, credentialError(KindClientConfig, errors.New("the claims of an assertion cannot be written as JSON"))
	}
	text, err := signJWT(c.key, o.Algorithm, c.header(o.Algorithm, o.KeyID, o.SendChain), claims)
	if err != nil {
		return secret.Text{}, credentialError(KindClientConfig, err)
	}
	return text, nil
}

// FederatedFile is a token of another issuer that the provider trusts for this
// client, such as the one that Kubernetes keeps in the file which
// AZURE_FEDERATED_TOKEN_FILE names. The file is read anew for each request,
// since whoever writes it replaces the token before it ends.
func FederatedFile(path string) Credential {
	return Credential{
		name: "federated token of a file",
		assert: func(context.Context, string, string) (secret.Text, error) {
			return readFederated(path)
		},
	}
}

// readFederated reads a token from a file.
func readFederated(path string) (secret.Text, error) {
	f, err := os.Open(path) //nolint:gosec // G304: the path is the program's own choice.
	if err != nil {
		return secret.Text{}, credentialError(KindClientConfig, fmt.Errorf("the federated token cannot be read: %w", err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxAssertion+1))
	if err != nil {
		return secret.Text{}, credentialError(KindClientConfig, fmt.Errorf("the federated token cannot be read: %w", err))
	}
	text := strings.TrimSpace(string(data))
	switch {
	case text == "":
		// Whoever writes it may have just emptied it.
		return secret.Text{}, credentialError(KindTemporary, fmt.Errorf("the file %s with the federated token is empty", path))
	case len(data) > maxAssertion, !compactJWT(text):
		return secret.Text{}, credentialError(KindClientConfig, fmt.Errorf("the file %s holds no JWT: name the file with the federated token", path))
	}
	return secret.New(text), nil
}

// FederatedToken is like FederatedFile, with a function that returns the token,
// such as GitHub's for a workflow. It is called for each request, with a
// context that ends with the request. An error that is not of this package is
// taken for temporary only where it has a method Temporary that says so.
func FederatedToken(token func(ctx context.Context) (secret.Text, error)) Credential {
	if token == nil {
		return Credential{}
	}
	return Credential{
		name: "federated token",
		assert: func(ctx context.Context, _, _ string) (secret.Text, error) {
			text, err := token(ctx)
			switch {
			case err != nil:
				return secret.Text{}, suppliedError("get the federated token", "", err)
			case !compactJWT(text.Reveal()):
				return secret.Text{}, credentialError(KindClientConfig, errors.New("the function returned no JWT"))
			}
			return text, nil
		},
	}
}

// compactJWT reports whether text has the shape of a signed JWT.
func compactJWT(text string) bool {
	for _, r := range text {
		if r != '.' && r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') {
			return false
		}
	}
	return strings.Count(text, ".") == 2
}

// credentialError says why a program cannot prove who it is.
func credentialError(kind Kind, err error) *Error {
	return &Error{Kind: kind, Op: "make a client assertion", Err: err}
}

// check returns an error where the credential is none.
func (c *Credential) check() error {
	if c.assert == nil && c.secret.IsZero() {
		return configError(errors.New("there is no credential: give a ClientSecret, a ClientCertificate or a federated token"))
	}
	return nil
}

var (
	_ fmt.Formatter  = Credential{}
	_ slog.LogValuer = Credential{}
)

// String returns the credential's kind.
func (c Credential) String() string {
	if c.name == "" {
		return "no credential"
	}
	return c.name
}

// Format implements [fmt.Formatter]: every verb prints String.
func (c Credential) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, c.String())
}

// LogValue implements [slog.LogValuer].
func (c Credential) LogValue() slog.Value { return slog.StringValue(c.String()) }
