package sasl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/secret"
)

// Credentials is what a client can sign in with, and the connection it does
// so on. Where there is a token, the password is not used.
type Credentials struct {
	User     string
	AuthUser string // whose the password is, where it is not User's
	Password secret.Text
	Token    secret.Text // an access token for this server

	Host string // of the connection, without the port
	Port int
}

// Policy says what a choice has to heed.
type Policy struct {
	// Secure says that the connection is encrypted, or that credentials may
	// travel without that. All mechanisms here show the credentials to
	// whoever sits on the line.
	Secure bool

	// Mechanisms, where not empty, are the only ones to be used, best first.
	// The first that the server offers is taken; where it offers none of them,
	// the first that the credentials fit, since servers do not always list
	// what they take.
	Mechanisms []string
}

// ErrInsecure is the refusal to show credentials to everybody on the line.
var ErrInsecure = errors.New("the connection is not encrypted, and signing in would show the credentials to everybody on the line; use TLS or STARTTLS, or set Server.AllowPlainAuth where nobody else is on the line")

// ErrNoMechanism says that client and server have no mechanism in common.
var ErrNoMechanism = errors.New("no way of signing in that both sides know")

// ErrNoCredentials says that there is neither a password nor a token.
var ErrNoCredentials = errors.New("neither a password nor an access token is given; set Password or Tokens of the Credentials")

// tokenPreference: OAUTHBEARER is the standard, and its refusals tell a token
// that is used up (refresh it) from one that lacks a scope (a new sign-in);
// XOAUTH2's do not tell reliably. Microsoft offers XOAUTH2 only, some of
// Yahoo's servers OAUTHBEARER only.
func tokenPreference() []string { return []string{OAUTHBEARER, XOAUTH2} }

func passwordPreference() []string { return []string{PLAIN, LOGIN} }

// Choose picks the mechanism for creds from the names that the server offers,
// in whatever case. With a token that is OAUTHBEARER, else XOAUTH2, which is
// tried even where neither is offered: Yandex takes it without saying so.
// With a password it is PLAIN, else LOGIN. A nil p is the zero Policy.
//
// The errors match [ErrInsecure], [ErrNoMechanism] or [ErrNoCredentials], or
// are a [*CredentialsError].
func Choose(offered []string, creds Credentials, p *Policy) (Mechanism, error) {
	if p == nil {
		p = &Policy{}
	}
	switch {
	case creds.Token.IsZero() && creds.Password.IsZero():
		return nil, ErrNoCredentials
	case !p.Secure:
		return nil, ErrInsecure
	}
	name, err := choose(offered, creds, p.Mechanisms)
	if err != nil {
		return nil, err
	}
	m := creds.mechanism(name)
	// Whatever is wrong with the credentials shows in a trial start, before a
	// command is sent.
	if _, _, err := m.Start(); err != nil {
		return nil, err
	}
	return m, nil
}

func choose(offered []string, creds Credentials, forced []string) (string, error) {
	offers := func(name string) bool {
		return slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, name) })
	}
	usable := passwordPreference()
	switch {
	case !creds.Token.IsZero():
		usable = tokenPreference()
	case creds.AuthUser != "":
		usable = []string{PLAIN} // the others have room for one name
	}
	if len(forced) > 0 {
		wanted, err := fitting(forced, usable)
		if err != nil {
			return "", err
		}
		if i := slices.IndexFunc(wanted, offers); i >= 0 {
			return wanted[i], nil
		}
		return wanted[0], nil
	}
	if i := slices.IndexFunc(usable, offers); i >= 0 {
		return usable[i], nil
	}
	if !creds.Token.IsZero() {
		return XOAUTH2, nil
	}
	what := "a password"
	if creds.AuthUser != "" {
		what = "the password of an AuthUser"
	}
	return "", fmt.Errorf("%w: the server offers %s, %s can be used with %s",
		ErrNoMechanism, list(offered), what, list(usable))
}

// fitting returns those of forced that the credentials can be used with.
func fitting(forced, usable []string) ([]string, error) {
	var wanted []string
	for _, name := range forced {
		if name = strings.ToUpper(name); slices.Contains(usable, name) {
			wanted = append(wanted, name)
		}
	}
	if len(wanted) == 0 {
		return nil, fmt.Errorf("%w: the settings allow %s, the credentials can be used with %s; correct Server.Mechanisms, or leave it empty",
			ErrNoMechanism, list(forced), list(usable))
	}
	return wanted, nil
}

// list prints names that may come from a server.
func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return clean(strings.Join(names, ", "), maxField, nil)
}

func (c Credentials) mechanism(name string) Mechanism {
	switch name {
	case OAUTHBEARER:
		return NewOAUTHBEARER(c.User, c.Token, c.Host, c.Port)
	case XOAUTH2:
		return NewXOAUTH2(c.User, c.Token)
	case LOGIN:
		return NewLOGIN(c.User, c.Password)
	default:
		return NewPLAIN(c.User, c.AuthUser, c.Password)
	}
}
