package sasl

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	gosasl "github.com/emersion/go-sasl"

	"github.com/mailsession/mailsession/secret"
)

// CredentialsError says which part of the credentials cannot be used, without
// showing it. Nothing was sent.
type CredentialsError struct {
	Part   string // "user name", "password", "access token" or "host"
	Reason string
}

func (e *CredentialsError) Error() string {
	return fmt.Sprintf("the %s %s; nothing was sent", e.Part, e.Reason)
}

// NewXOAUTH2 returns Google's and Microsoft's mechanism for access tokens.
func NewXOAUTH2(user string, token secret.Text) Mechanism {
	return &xoauth2{user: user, refusal: refusal{token: token}}
}

// NewOAUTHBEARER returns the mechanism of RFC 7628. Host and port are those
// of the connection; an empty host and port 0 are left out.
func NewOAUTHBEARER(user string, token secret.Text, host string, port int) Mechanism {
	return &oauthbearer{user: user, host: host, port: port, refusal: refusal{token: token}}
}

// NewPLAIN returns the mechanism of RFC 4616. The password is that of authUser, who
// acts for user, or the user's own where authUser is empty.
func NewPLAIN(user, authUser string, password secret.Text) Mechanism {
	if authUser == "" {
		return &plain{user: user, password: password}
	}
	return &plain{identity: user, user: authUser, password: password}
}

// NewLOGIN returns the mechanism that asks for the name and then for the
// password. It is in no standard; the wording of the two prompts differs from
// server to server, so that their order counts and nothing else.
func NewLOGIN(user string, password secret.Text) Mechanism {
	return &login{answers: []secret.Text{secret.New(user), password}}
}

// refusal is what both token mechanisms share: the token, and the server's
// explanation of why it does not take it.
type refusal struct {
	token     secret.Text
	challenge *Challenge
}

func (r *refusal) explanation() *Challenge { return r.challenge }

// take keeps the one challenge that a token exchange may have.
func (r *refusal) take(challenge []byte) error {
	if r.challenge != nil {
		return ErrUnexpectedChallenge
	}
	r.challenge = ParseChallenge(challenge, r.token)
	return nil
}

type xoauth2 struct {
	refusal

	user string
}

func (*xoauth2) Name() string { return XOAUTH2 }

func (m *xoauth2) Start() (string, []byte, error) {
	if err := cmp.Or(checkUser(m.user), checkToken(m.token)); err != nil {
		return "", nil, err
	}
	return XOAUTH2, []byte("user=" + m.user + "\x01auth=Bearer " + m.token.Reveal() + "\x01\x01"), nil
}

func (m *xoauth2) Next(challenge []byte) ([]byte, error) {
	return []byte{}, m.take(challenge)
}

type oauthbearer struct {
	refusal

	user, host string
	port       int
}

func (*oauthbearer) Name() string { return OAUTHBEARER }

func (m *oauthbearer) Start() (string, []byte, error) {
	if err := cmp.Or(checkUser(m.user), checkToken(m.token), checkHost(m.host)); err != nil {
		return "", nil, err
	}
	var b strings.Builder
	b.WriteString("n,a=" + saslname(m.user) + ",\x01")
	if m.host != "" {
		b.WriteString("host=" + m.host + "\x01")
	}
	if m.port != 0 {
		b.WriteString("port=" + strconv.Itoa(m.port) + "\x01")
	}
	b.WriteString("auth=Bearer " + m.token.Reveal() + "\x01\x01")
	return OAUTHBEARER, []byte(b.String()), nil
}

func (m *oauthbearer) Next(challenge []byte) ([]byte, error) {
	return []byte{1}, m.take(challenge)
}

// saslname escapes a name as RFC 5801 section 4 wants it.
func saslname(s string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(s)
}

type plain struct {
	identity, user string
	password       secret.Text
}

func (*plain) Name() string { return PLAIN }

func (m *plain) Start() (string, []byte, error) {
	if err := cmp.Or(checkUser(m.user), checkControl("user name", m.identity), checkPassword(m.password)); err != nil {
		return "", nil, err
	}
	// The client of go-sasl would show the password if it were printed, so it
	// lives no longer than this call.
	return gosasl.NewPlainClient(m.identity, m.user, m.password.Reveal()).Start()
}

func (*plain) Next([]byte) ([]byte, error) { return nil, ErrUnexpectedChallenge }

// login differs from go-sasl's, which sends the name as an initial response
// and insists on the prompt "Password:".
type login struct {
	answers []secret.Text
}

func (*login) Name() string { return LOGIN }

func (m *login) Start() (string, []byte, error) {
	return LOGIN, nil, cmp.Or(checkUser(m.answers[0].Reveal()), checkPassword(m.answers[1]))
}

func (m *login) Next([]byte) ([]byte, error) {
	if len(m.answers) == 0 {
		return nil, ErrUnexpectedChallenge
	}
	answer := m.answers[0].Reveal()
	m.answers = m.answers[1:]
	return []byte(answer), nil
}

func checkUser(s string) error {
	if s == "" {
		return &CredentialsError{Part: "user name", Reason: "is empty"}
	}
	return checkControl("user name", s)
}

func checkHost(s string) error { return checkControl("host", s) }

func checkControl(part, s string) error {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] == 0x7f {
			return &CredentialsError{Part: part, Reason: "contains a control character"}
		}
	}
	return nil
}

// checkToken takes what can stand in an HTTP header (RFC 6750 section 2.1).
func checkToken(t secret.Text) error {
	if t.IsZero() {
		return &CredentialsError{Part: "access token", Reason: "is empty"}
	}
	s := t.Reveal()
	for i := range len(s) {
		if s[i] <= 0x20 || s[i] >= 0x7f {
			return &CredentialsError{Part: "access token", Reason: "contains a space, a line end or another character that no token has"}
		}
	}
	return nil
}

func checkPassword(t secret.Text) error {
	switch {
	case t.IsZero():
		return &CredentialsError{Part: "password", Reason: "is empty"}
	case strings.ContainsRune(t.Reveal(), 0):
		return &CredentialsError{Part: "password", Reason: "contains a NUL"}
	}
	return nil
}
