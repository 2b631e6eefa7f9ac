package oauth

import (
	"context"
	"crypto"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

const (
	// delegationLifetime is how long the assertion of a service account is
	// good, the longest that Google takes.
	delegationLifetime = time.Hour
	// clockSlack is how much earlier than now it is dated: Google refuses one
	// of the future, and clocks differ.
	clockSlack = 10 * time.Second
	// maxKeyFile is the largest key file that is read.
	maxKeyFile = 64 << 10
	// IAMCredentials is the base URL of Google's IAM Service Account
	// Credentials API.
	IAMCredentials = "https://iamcredentials.googleapis.com" //nolint:gosec // G101: an address that everybody may know
)

// JWTSigner signs in the name of a service account: a ServiceAccountKey, an
// IAMSigner, or a program's own, such as one over a key management service.
type JWTSigner interface {
	// Account returns the service account's address.
	Account() string
	// SignJWT returns claims, a JSON object, as a JWT that is signed with a key
	// of the account by RS256.
	SignJWT(ctx context.Context, claims []byte) (secret.Text, error)
}

// ServiceAccountKey is a key of a service account, from the JSON file that
// Google gives out once. It prints the account's address and never the key.
type ServiceAccountKey struct {
	account, keyID, clientID, tokenURL string
	key                                crypto.Signer
}

// ParseServiceAccountKey reads a JSON key file. Its errors quote nothing of it.
func ParseServiceAccountKey(data []byte) (*ServiceAccountKey, error) {
	var file struct {
		Type     string `json:"type"`
		KeyID    string `json:"private_key_id"`
		Key      string `json:"private_key"`
		Account  string `json:"client_email"`
		ClientID string `json:"client_id"`
		TokenURL string `json:"token_uri"`
	}
	switch {
	case len(data) > maxKeyFile:
		return nil, errors.New("oauth: the key file is too large to be one of a service account")
	case json.Unmarshal(data, &file) != nil:
		return nil, errors.New("oauth: the key file is not a JSON object: use the JSON key of a service account, not the P12 one")
	case file.Type != "service_account":
		return nil, fmt.Errorf("oauth: the key file is of the type %q, not service_account: make a JSON key of a service account", cleanCode(file.Type))
	case !strings.Contains(file.Account, "@") || strings.ContainsFunc(file.Account, unfit):
		return nil, errors.New("oauth: the key file has no client_email")
	}
	block, _ := pem.Decode([]byte(file.Key))
	if block == nil {
		return nil, errors.New("oauth: the private_key of the key file is not PEM")
	}
	key, err := parseKey(block)
	if err != nil {
		return nil, err
	}
	if err := checkKey(key); err != nil {
		return nil, err
	}
	return &ServiceAccountKey{account: file.Account, keyID: file.KeyID, clientID: file.ClientID, tokenURL: file.TokenURL, key: key}, nil
}

// Account implements [JWTSigner].
func (k *ServiceAccountKey) Account() string { return k.account }

// ClientID returns the account's number, which an administrator enters in the
// Admin console to delegate mailboxes to it, or "".
func (k *ServiceAccountKey) ClientID() string { return k.clientID }

// SignJWT implements [JWTSigner].
func (k *ServiceAccountKey) SignJWT(_ context.Context, claims []byte) (secret.Text, error) {
	header := map[string]any{"alg": RS256, "typ": "JWT"}
	if k.keyID != "" {
		header["kid"] = k.keyID
	}
	return signJWT(k.key, RS256, header, claims)
}

var (
	_ fmt.Formatter  = (*ServiceAccountKey)(nil)
	_ slog.LogValuer = (*ServiceAccountKey)(nil)
)

// String returns whose key it is.
func (k *ServiceAccountKey) String() string { return "key of " + clean(k.account) }

// Format implements [fmt.Formatter]: every verb prints String.
func (k *ServiceAccountKey) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, k.String())
}

// LogValue implements [slog.LogValuer].
func (k *ServiceAccountKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// ServiceAccount returns an App that is a service account of Google's and opens
// the mailbox of user, which an administrator of a Workspace domain delegated
// to it: an assertion in the account's name, about the user, becomes an access
// token (RFC 7523 section 2.1). An empty user means the account itself, which
// has no mailbox. It does no I/O.
//
// All scopes of the Config are asked for, whatever the resource; each of them
// has to be delegated. The token endpoint is that of the Config, or else that of
// the key. ClientID and ClientSecret are not used.
func ServiceAccount(cfg *Config, signer JWTSigner, user string) (*App, error) {
	if cfg == nil {
		return nil, configError(errors.New("there is none"))
	}
	if key, ok := signer.(*ServiceAccountKey); ok && key != nil && cfg.Endpoint.TokenURL == "" {
		cfg = cfg.at(key.tokenURL)
	}
	scopes := slices.DeleteFunc(slices.Clone(cfg.Scopes), protocolScope)
	if err := cfg.checkDelegation(signer, scopes); err != nil {
		return nil, err
	}
	a := newApp(cfg, "service account "+clean(signer.Account())+" at "+hostOf(cfg.Endpoint.TokenURL))
	if user != "" {
		a.name += " for " + clean(user)
	}
	a.cfg.ClientID, a.cfg.ClientSecret = "", secret.Text{}
	a.scopes = func(string) []string { return scopes }
	a.ask = func(ctx context.Context, scopes []string) (*Token, error) {
		r := tokenRequest{
			repeatable: true, params: url.Values{"grant_type": {GrantJWTBearer}},
			prove: a.delegation(signer, user, scopes),
		}
		// The scopes are in the assertion.
		tok, err := a.request(ctx, r, nil)
		if err != nil {
			return nil, explainDelegation(err, signer, user)
		}
		if len(tok.Scopes) == 0 {
			tok.Scopes = scopes
		}
		return tok, nil
	}
	return a, nil
}

// checkDelegation returns what is wrong with the settings of a service account.
func (c *Config) checkDelegation(signer JWTSigner, scopes []string) error {
	if key, ok := signer.(*ServiceAccountKey); signer == nil || ok && key == nil {
		return configError(errors.New("there is nothing to sign with: give a ServiceAccountKey or an IAMSigner"))
	}
	if err := c.checkToken(); err != nil {
		return err
	}
	if err := c.checkGrant(GrantJWTBearer); err != nil {
		return err
	}
	if len(scopes) == 0 {
		return configError(errors.New("it has no Scopes: name those that were delegated, such as https://mail.google.com/"))
	}
	return nil
}

// delegationClaims are those of a service account's assertion.
type delegationClaims struct {
	Issuer   string `json:"iss"`
	Subject  string `json:"sub,omitempty"`
	Scope    string `json:"scope"`
	Audience string `json:"aud"`
	IssuedAt int64  `json:"iat"`
	Expires  int64  `json:"exp"`
}

// delegation returns what proves one request.
func (a *App) delegation(signer JWTSigner, user string, scopes []string) func(context.Context) (url.Values, []secret.Text, error) {
	return func(ctx context.Context) (url.Values, []secret.Text, error) {
		issued := time.Now().Add(-clockSlack)
		claims, err := json.Marshal(delegationClaims{
			Issuer: signer.Account(), Subject: user, Scope: slotKey(scopes), Audience: a.cfg.Endpoint.TokenURL,
			IssuedAt: issued.Unix(), Expires: issued.Add(delegationLifetime).Unix(),
		})
		if err != nil {
			return nil, nil, credentialError(KindClientConfig, errors.New("the claims of an assertion cannot be written as JSON"))
		}
		text, err := signer.SignJWT(ctx, claims)
		if err != nil {
			return nil, nil, suppliedError("sign an assertion", "", err)
		}
		return url.Values{"assertion": {text.Reveal()}}, []secret.Text{text}, nil
	}
}

// explainDelegation adds to a refusal what an administrator has to do.
func explainDelegation(err error, signer JWTSigner, user string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Code != "unauthorized_client" || e.Err != nil {
		return err
	}
	who := clean(signer.Account())
	if key, ok := signer.(*ServiceAccountKey); ok && key.clientID != "" {
		who = "client " + clean(key.clientID)
	}
	told := *e
	told.Err = fmt.Errorf("an administrator delegates exactly these scopes to %s in the Admin console under domain-wide delegation, "+
		"which takes up to a day to act, and %q has to be a user of that domain", who, clean(user))
	return &told
}

// IAMOptions change how a JWT is signed by Google's API. The zero value is
// usable.
type IAMOptions struct {
	// BaseURL replaces IAMCredentials.
	BaseURL string
	// Delegates are the accounts of a chain of impersonation, the first of
	// which the base tokens may act as.
	Delegates []string
	// Config says how the API is reached: its HTTPClient and Proxy are used. It
	// may be nil.
	Config *Config
}

// IAMSigner signs in the name of a service account without its key, by
// signJwt of Google's IAM Service Account Credentials API. The base tokens, of
// the metadata server, of a workload identity or of a person, need the scope
// https://www.googleapis.com/auth/iam, and their owner the role Service Account
// Token Creator on the account. A base token that the API refuses is replaced
// once. The options may be nil.
func IAMSigner(account string, base TokenSource, o *IAMOptions) JWTSigner {
	if o == nil {
		o = &IAMOptions{}
	}
	s := &iamSigner{account: account, base: base, delegates: []string{}}
	for _, d := range o.Delegates {
		s.delegates = append(s.delegates, "projects/-/serviceAccounts/"+d)
	}
	cfg := o.Config
	if cfg == nil {
		cfg = &Config{}
	}
	root := o.BaseURL
	if root == "" {
		root = IAMCredentials
	}
	s.cfg = cfg.at(strings.TrimRight(root, "/") + "/v1/projects/-/serviceAccounts/" + url.PathEscape(account) + ":signJwt")
	return s
}

// iamSigner is what IAMSigner returns.
type iamSigner struct {
	account   string
	base      TokenSource
	delegates []string
	cfg       *Config
}

// Account implements [JWTSigner].
func (s *iamSigner) Account() string { return s.account }

// Format implements [fmt.Formatter]: every verb prints whose signer it is.
func (s *iamSigner) Format(state fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(state, "signer of "+clean(s.account))
}

// SignJWT implements [JWTSigner].
func (s *iamSigner) SignJWT(ctx context.Context, claims []byte) (secret.Text, error) {
	if err := secureAddress(s.cfg.Endpoint.TokenURL); err != nil {
		return secret.Text{}, configError(err)
	}
	if s.base == nil {
		return secret.Text{}, configError(errors.New("the IAMSigner has no base tokens"))
	}
	for try := 0; ; try++ {
		tok, err := s.base.Token(ctx)
		if err != nil {
			return secret.Text{}, suppliedError("get a base token", "", err)
		}
		signed, err := s.sign(ctx, claims, tok)
		invalidator, ok := s.base.(Invalidator)
		if e, refused := errors.AsType[*Error](err); !ok || !refused || e.Status != http.StatusUnauthorized || try > 0 {
			return signed, err
		}
		if err := invalidator.Invalidate(ctx, tok); err != nil {
			return secret.Text{}, suppliedError("get a base token", "", err)
		}
	}
}

// sign sends one request.
func (s *iamSigner) sign(ctx context.Context, claims []byte, tok *Token) (secret.Text, error) {
	req, err := postJSON(ctx, s.cfg.Endpoint.TokenURL, map[string]any{"payload": string(claims), "delegates": s.delegates})
	if err != nil {
		return secret.Text{}, err
	}
	req.Header.Set("Authorization", "Bearer "+tok.AccessToken.Reveal())
	got, err := s.cfg.call(s.cfg.transport(), req, tok.AccessToken)
	if err != nil {
		return secret.Text{}, err
	}
	if got.status != http.StatusOK {
		e := s.cfg.refused(got, tok.AccessToken)
		e.Op = "sign an assertion"
		if e.Status == http.StatusForbidden && e.Err == nil {
			e.Err = fmt.Errorf("give the owner of the base token the role Service Account Token Creator on %s", clean(s.account))
		}
		return secret.Text{}, e
	}
	var answer struct {
		SignedJWT string `json:"signedJwt"`
	}
	if json.Unmarshal(got.body, &answer) != nil || !compactJWT(answer.SignedJWT) {
		return secret.Text{}, s.cfg.failed(KindProtocol, errors.New("the answer has no signedJwt in it"))
	}
	return secret.New(answer.SignedJWT), nil
}
