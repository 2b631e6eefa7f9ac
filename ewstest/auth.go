package ewstest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// connAuth is what a connection knows of who is on it. NTLM signs in a
// connection; all else signs in a request.
type connAuth struct {
	who       who
	ntlm      bool // who signed in by NTLM
	challenge []byte
}

// check signs a request in. It returns nil where it may pass.
func (c *connAuth) check(ctx context.Context, s *Server, req *http.Request, encrypted bool) *answer {
	scheme, rest, _ := strings.Cut(req.Header.Get("Authorization"), " ")
	rest = strings.TrimSpace(rest)
	switch {
	case scheme == "" && c.ntlm:
		return nil
	case !slices.ContainsFunc(s.options.Schemes, func(offered string) bool { return strings.EqualFold(offered, scheme) }):
		c.forget()
		return s.unauthorized()
	case strings.EqualFold(scheme, NTLM):
		return c.negotiate(s, rest, encrypted)
	case strings.EqualFold(scheme, Basic):
		c.forget()
		return c.basic(s, req)
	default:
		c.forget()
		return c.bearer(ctx, s, secret.New(rest))
	}
}

func (c *connAuth) forget() { *c = connAuth{} }

func (c *connAuth) basic(s *Server, req *http.Request) *answer {
	user, password, ok := req.BasicAuth()
	if !ok {
		return s.unauthorized()
	}
	account, err := s.box.CheckPassword(s.address(user), secret.New(password))
	if err != nil {
		return s.unauthorized()
	}
	c.who = who{account: account}
	return nil
}

// address returns the address that a user name stands for: itself, or that of
// the account whose local part is the name of "DOMAIN\name" or "name".
func (s *Server) address(user string) string {
	if _, name, found := strings.Cut(user, `\`); found {
		user = name
	}
	if strings.Contains(user, "@") {
		return user
	}
	for _, account := range s.box.Accounts() {
		if local, _, _ := strings.Cut(account.Address(), "@"); strings.EqualFold(local, user) {
			return account.Address()
		}
	}
	return user
}

func (c *connAuth) bearer(ctx context.Context, s *Server, token secret.Text) *answer {
	if token.IsZero() || s.net.Expired(token) {
		return s.refuseToken()
	}
	if s.options.Application(token) {
		c.who = who{token: token, app: true}
		return nil
	}
	for _, account := range s.box.Accounts() {
		err := s.checkToken(ctx, account.Address(), token)
		if errors.Is(err, mailtest.ErrUnavailable) {
			return plain(http.StatusServiceUnavailable)
		}
		if err == nil {
			c.who = who{account: account, token: token}
			return nil
		}
	}
	return s.refuseToken()
}

// checkToken asks whether a token opens an account.
func (s *Server) checkToken(ctx context.Context, user string, token secret.Text) error {
	if s.options.CheckToken != nil {
		return s.options.CheckToken(ctx, user, token)
	}
	_, err := s.box.CheckToken(ctx, user, token)
	return err
}

// unauthorized asks for credentials.
func (s *Server) unauthorized() *answer {
	a := plain(http.StatusUnauthorized)
	for _, scheme := range s.options.Schemes {
		switch scheme {
		case Basic:
			scheme = `Basic realm="mail.example.com"`
		case Bearer:
			scheme = `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", token_types="app_asserted_user_v1 service_asserted_app_v1"`
		}
		a.header = append(a.header, "WWW-Authenticate", scheme)
	}
	return a
}

// refuseToken says that a token is of no use, or no longer.
func (s *Server) refuseToken() *answer {
	return plain(http.StatusUnauthorized,
		"WWW-Authenticate", `Bearer client_id="00000002-0000-0ff1-ce00-000000000000", error="invalid_token"`,
		"x-ms-diagnostics", `2000003;reason="The token is not valid or has expired.";error_category="invalid_token"`)
}

// negotiate takes a step of NTLM.
func (c *connAuth) negotiate(s *Server, message string, encrypted bool) *answer {
	data, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		c.forget()
		return s.unauthorized()
	}
	switch ntlmType(data) {
	case ntlmNegotiate:
		c.forget()
		c.challenge = newChallenge()
		return plain(http.StatusUnauthorized,
			"WWW-Authenticate", "NTLM "+base64.StdEncoding.EncodeToString(ntlmChallenge(c.challenge)))
	case ntlmAuthenticate:
		challenge := c.challenge
		c.forget()
		account := s.ntlmAccount(challenge, data, encrypted)
		if account == nil {
			return s.unauthorized()
		}
		c.who, c.ntlm = who{account: account}, true
		return nil
	}
	c.forget()
	return s.unauthorized()
}

// ntlmAccount returns the account whose password an answer proves to know.
func (s *Server) ntlmAccount(challenge, message []byte, encrypted bool) *mailtest.Account {
	proof, ok := parseAuthenticate(message)
	if !ok || challenge == nil {
		return nil
	}
	account, err := s.box.CheckProof(s.address(proof.user), func(password secret.Text) bool {
		return proof.holds(challenge, password.Reveal())
	})
	if err != nil || !s.protects(proof.pairs(), encrypted) {
		return nil
	}
	return account
}
