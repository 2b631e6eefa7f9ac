package fakenet

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

// Errors of [SignIn.Run], beside those of mailtest and of the connection.
var (
	// ErrMechanism says that the mechanism is not known.
	ErrMechanism = errors.New("fakenet: unknown mechanism")
	// ErrMalformed says that the client's message does not have the form that
	// the mechanism asks for.
	ErrMalformed = errors.New("fakenet: malformed message")
	// ErrDummy says that the client did not answer an error challenge with what
	// the mechanism prescribes: nothing for XOAUTH2, a lone ^A for OAUTHBEARER.
	ErrDummy = errors.New("fakenet: wrong answer to the error challenge")
	// ErrEncoding says that the client's line is not base64.
	ErrEncoding = errors.New("fakenet: invalid base64")
	// ErrCancelled says that the client sent "*" instead of an answer.
	ErrCancelled = errors.New("fakenet: cancelled by the client")
)

// SignIn is the server's side of one SASL exchange (RFC 4422), the same for
// every protocol. PLAIN (RFC 4616), LOGIN, XOAUTH2 and OAUTHBEARER (RFC 7628)
// are known.
type SignIn struct {
	// Conn is the connection that is signed in on. Where it is nil, no token
	// expires by a fault.
	Conn *Conn
	// Box has the accounts.
	Box *mailtest.Box
	// Mechanism is the name in upper case.
	Mechanism string
	// Initial is the decoded initial response, nil if there is none.
	Initial []byte
	// Refuse refuses whatever the client sends, as if it were wrong.
	Refuse bool
	// NoChallenge leaves out the error challenge of the token mechanisms.
	NoChallenge bool
	// Check, if not nil, decides about access tokens in the account's place.
	Check func(ctx context.Context, user string, token secret.Text) error
	// Name, if not nil, returns the name of the account that a client means by
	// a user name.
	Name func(user string) string
	// Ask sends a challenge and returns the client's decoded answer.
	Ask func(challenge []byte) (answer []byte, err error)

	offered secret.Text // the token that the client came with
}

// Run does the exchange and returns the account that the client signed in to.
// The error wraps [mailtest.ErrSignIn], [mailtest.ErrUnavailable], one of this
// package, or what Ask returned.
func (s *SignIn) Run(ctx context.Context) (*mailtest.Account, error) {
	account, err := s.run(ctx)
	if err == nil && s.Conn != nil {
		s.Conn.SignedIn(s.offered)
	}
	return account, err
}

// expired reports whether a fault, the present one or one before, made the
// token that the client came with expire.
func (s *SignIn) expired() bool {
	if s.Conn == nil {
		return false
	}
	if s.Conn.answer.fault.Expire {
		s.Conn.server.expire(s.offered)
	}
	return s.Conn.server.Expired(s.offered)
}

func (s *SignIn) run(ctx context.Context) (*mailtest.Account, error) {
	switch s.Mechanism {
	case "PLAIN":
		return s.plain()
	case "LOGIN":
		return s.login()
	case "XOAUTH2":
		return s.token(ctx, parseXOAUTH2, nil)
	case "OAUTHBEARER":
		return s.token(ctx, parseOAUTHBEARER, []byte{1})
	default:
		return nil, ErrMechanism
	}
}

// SignedIn takes note that the client signed in, with the access token if it
// had one. [SignIn.Run] does it by itself.
func (c *Conn) SignedIn(token secret.Text) { c.signedIn, c.token = true, token }

// first returns the client's first message.
func (s *SignIn) first(challenge string) ([]byte, error) {
	if s.Initial != nil {
		return s.Initial, nil
	}
	return s.Ask([]byte(challenge))
}

func (s *SignIn) plain() (*mailtest.Account, error) {
	message, err := s.first("")
	if err != nil {
		return nil, err
	}
	fields := bytes.Split(message, []byte{0})
	if len(fields) != 3 || len(fields[1]) == 0 {
		return nil, ErrMalformed
	}
	authorization, user, password := string(fields[0]), string(fields[1]), string(fields[2])
	if authorization == "" || authorization == user {
		return s.password(user, password)
	}
	if s.Refuse {
		return nil, mailtest.ErrSignIn
	}
	return s.Box.CheckMaster(s.name(authorization), user, secret.New(password))
}

func (s *SignIn) login() (*mailtest.Account, error) {
	user, err := s.first("Username:")
	if err != nil {
		return nil, err
	}
	password, err := s.Ask([]byte("Password:"))
	if err != nil {
		return nil, err
	}
	return s.password(string(user), string(password))
}

func (s *SignIn) password(user, password string) (*mailtest.Account, error) {
	if s.Refuse {
		return nil, mailtest.ErrSignIn
	}
	return s.Box.CheckPassword(s.name(user), secret.New(password))
}

// name returns the account's name.
func (s *SignIn) name(user string) string {
	if s.Name == nil {
		return user
	}
	return s.Name(user)
}

// token does XOAUTH2 or OAUTHBEARER. A refused token gets the error challenge,
// to which the client has to give the mechanism's dummy answer.
func (s *SignIn) token(ctx context.Context, parse func(string) (user, token string, ok bool), dummy []byte) (*mailtest.Account, error) {
	message, err := s.first("")
	if err != nil {
		return nil, err
	}
	user, token, ok := parse(string(message))
	if !ok {
		return nil, ErrMalformed
	}
	s.offered = secret.New(token)
	expired := s.expired()
	account, refused := (*mailtest.Account)(nil), error(&mailtest.TokenError{})
	if !s.Refuse && !expired {
		account, refused = s.open(ctx, user, s.offered)
	}
	if refused == nil || s.NoChallenge || errors.Is(refused, mailtest.ErrUnavailable) {
		return account, refused
	}
	challenge, err := s.challenge(refused)
	if err != nil {
		return nil, err
	}
	answer, err := s.Ask(challenge)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(answer, dummy) {
		return nil, ErrDummy
	}
	return nil, refused
}

// open returns the account that the token opens.
func (s *SignIn) open(ctx context.Context, user string, token secret.Text) (*mailtest.Account, error) {
	user = s.name(user)
	if s.Check == nil {
		return s.Box.CheckToken(ctx, user, token)
	}
	account, ok := s.Box.Account(user)
	if !ok {
		return nil, &mailtest.TokenError{}
	}
	if err := s.Check(ctx, account.Address(), token); err != nil {
		return nil, err
	}
	return account, nil
}

// challenge returns the JSON that tells the client why its token was refused.
func (s *SignIn) challenge(refused error) ([]byte, error) {
	details, ok := errors.AsType[*mailtest.TokenError](refused)
	if !ok {
		details = &mailtest.TokenError{}
	}
	scope := cmp.Or(details.Scope, "mail")
	if s.Mechanism == "XOAUTH2" {
		return json.Marshal(struct {
			Status  string `json:"status"`
			Schemes string `json:"schemes"`
			Scope   string `json:"scope"`
		}{cmp.Or(details.Status, "401"), "bearer", scope})
	}
	return json.Marshal(struct {
		Status string `json:"status"`
		Scope  string `json:"scope"`
	}{cmp.Or(details.Code, "invalid_token"), scope})
}

// parseXOAUTH2 reads "user=" USER ^A "auth=Bearer " TOKEN ^A ^A.
func parseXOAUTH2(message string) (user, token string, ok bool) {
	fields, ended := strings.CutSuffix(message, "\x01\x01")
	user, auth, parted := strings.Cut(fields, "\x01")
	user, named := strings.CutPrefix(user, "user=")
	token, bearer := cutBearer(auth)
	return user, token, ended && parted && named && bearer && user != ""
}

// parseOAUTHBEARER reads the message of RFC 7628, section 3.1: a GS2 header
// that names the user, then key=value pairs that each end in ^A, then a ^A.
func parseOAUTHBEARER(message string) (user, token string, ok bool) {
	header, rest, parted := strings.Cut(message, "\x01")
	pairs, ended := strings.CutSuffix(rest, "\x01\x01")
	name, framed := strings.CutPrefix(header, "n,a=")
	name, closed := strings.CutSuffix(name, ",")
	if !parted || !ended || !framed || !closed || name == "" {
		return "", "", false
	}
	for pair := range strings.SplitSeq(pairs, "\x01") {
		if auth, is := strings.CutPrefix(pair, "auth="); is {
			token, ok = cutBearer("auth=" + auth)
		} else if key, _, is := strings.Cut(pair, "="); !is || key == "" {
			return "", "", false
		}
	}
	return strings.NewReplacer("=2C", ",", "=3D", "=").Replace(name), token, ok
}

func cutBearer(auth string) (token string, ok bool) {
	const prefix = "auth=Bearer "
	if len(auth) <= len(prefix) || !strings.EqualFold(auth[:len(prefix)], prefix) {
		return "", false
	}
	token = auth[len(prefix):]
	return token, !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r == 0x7f })
}

// DecodeAnswer returns the bytes of a client's line in an exchange. It fails
// with [ErrCancelled] or [ErrEncoding].
func DecodeAnswer(line []byte) ([]byte, error) {
	if string(line) == "*" {
		return nil, ErrCancelled
	}
	answer, err := base64.StdEncoding.Strict().AppendDecode([]byte{}, line)
	if err != nil {
		return nil, ErrEncoding
	}
	return answer, nil
}

// DecodeInitial returns the bytes of an initial response, which is "=" where it
// is empty (RFC 4422, section 3.4 as used by RFC 4959 and RFC 4954). It is never
// nil without an error.
func DecodeInitial(text []byte) ([]byte, error) {
	if string(text) == "=" {
		return []byte{}, nil
	}
	return DecodeAnswer(text)
}
