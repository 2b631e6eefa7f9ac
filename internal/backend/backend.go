// Package backend holds what the backends of all protocols do in the same way:
// how a [session.Server] is reached, and how credentials are used, renewed and
// reported when they are refused.
package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/internal/transcript"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// Ports are a protocol's default ports, by the kind of encryption.
type Ports struct{ TLS, STARTTLS, None int }

// Of returns the default port for s.
func (p Ports) Of(s session.Security) int {
	switch s {
	case session.STARTTLS:
		return p.STARTTLS
	case session.None:
		return p.None
	case session.TLS:
	}
	return p.TLS
}

// Check reports what is wrong with the settings of a server.
func Check(s session.Server) error {
	switch {
	case s.Host == "":
		return errors.New("the server has no host; set Server.Host")
	case !IsHost(s.Host): // which is not shown: an address may hold a password
		return errors.New("Server.Host is not the name of a host; give the name alone, such as mail.example.com, and the port in Server.Port")
	case s.Port < 0 || s.Port > 65535:
		return fmt.Errorf("port %d does not exist", s.Port)
	case s.Security < session.TLS || s.Security > session.None:
		return fmt.Errorf("Server.Security: %v does not exist; use TLS, STARTTLS or None", s.Security)
	}
	return s.Proxy.Check()
}

// IsHost reports whether host can be the name or the IP address of one: it is not a
// URL, not a mail address, and has no port.
func IsHost(host string) bool {
	if strings.ContainsAny(host, "/ :@") {
		_, err := netip.ParseAddr(host)
		return err == nil
	}
	return host != ""
}

// Wire returns how to connect to s. The masker keeps credentials out of the
// transcript, also where the server repeats what it cannot have been told yet.
func Wire(s session.Server, ports Ports, m transcript.Masker, creds sasl.Credentials) wire.Config {
	cfg := wire.Config{
		Address:     s.Address(ports.Of(s.Security)),
		ImplicitTLS: s.Security == session.TLS,
		NoSTARTTLS:  ports.TLS != 0 && ports.STARTTLS == 0,
		TLS:         s.TLS,
		Dial:        s.Proxy.Dialer("mail", s.Dial),
		Timeouts: wire.Timeouts{
			Dial: s.Timeouts.Dial, Handshake: s.Timeouts.Handshake, Greeting: s.Timeouts.Greeting,
			Auth: s.Timeouts.Auth, Command: s.Timeouts.Command, Close: s.Timeouts.Close,
		},
	}
	if s.Transcript != nil {
		cfg.Recorder = transcript.New(s.Transcript, m, creds.Password.Reveal(), creds.Token.Reveal())
	}
	return cfg
}

// Mechanism picks the SASL mechanism for creds on the connection c from those
// that the server offers.
func Mechanism(c *wire.Conn, s session.Server, offered []string, creds sasl.Credentials) (sasl.Mechanism, error) {
	_, encrypted := c.TLS()
	return sasl.Choose(offered, creds, &sasl.Policy{
		Secure:     encrypted || s.AllowPlainAuth,
		Mechanisms: s.Mechanisms,
	})
}

// Login is how one protocol signs in.
type Login[C any] struct {
	// Attempt makes a connection and signs in on it.
	Attempt func(ctx context.Context, creds sasl.Credentials) (C, error)
	// Refused reports whether err is the server's refusal of the credentials,
	// and not a failure of the line or a passing trouble of the server.
	Refused func(err error) bool
	// Remedy says what to do about a refusal that the protocol knows, "" where
	// it knows none.
	Remedy func(err error) string
}

// Connect signs in with c. A refused token is invalidated once, and a new one
// tried on a new connection, as is a password that replaces a refused one; a
// second refusal, or that of a password that nothing replaces, is a
// [*session.AuthError]. Every error is a [*ConnectError].
func (l Login[C]) Connect(ctx context.Context, c session.Credentials, s session.Server, address string) (C, error) {
	conn, err := l.connect(ctx, c, s, address)
	if err != nil {
		err = &ConnectError{err}
	}
	return conn, err
}

func (l Login[C]) connect(ctx context.Context, c session.Credentials, s session.Server, address string) (C, error) {
	var none C
	creds, token, err := current(ctx, c, s, address)
	if err != nil {
		return none, err
	}
	conn, err := l.attempt(ctx, creds, s)
	if err == nil || !l.Refused(err) {
		return conn, err
	}
	creds, remedy, err := l.renewed(ctx, c, s, address, signIn{creds, token, err})
	if err != nil {
		return none, err
	}
	conn, err = l.attempt(ctx, creds, s)
	if err != nil && l.Refused(err) {
		return none, l.authError(err, creds, address, remedy)
	}
	return conn, err
}

// attempt is Attempt, and says what to do about a certificate that is refused.
func (l Login[C]) attempt(ctx context.Context, creds sasl.Credentials, s session.Server) (C, error) {
	conn, err := l.Attempt(ctx, creds)
	if remedy := CertificateRemedy(err, s); remedy != "" {
		err = fmt.Errorf("%w; %s", err, remedy)
	}
	return conn, err
}

// signIn is an attempt that the server refused.
type signIn struct {
	creds   sasl.Credentials
	token   *oauth.Token
	refusal error
}

// renewed returns the credentials for a second attempt, and what to do where it
// is refused too.
func (l Login[C]) renewed(ctx context.Context, c session.Credentials, s session.Server, address string, first signIn) (sasl.Credentials, string, error) {
	if first.token == nil {
		creds, err := anotherPassword(ctx, c, first.creds, address)
		if err == nil && creds.Password.IsZero() {
			err = l.authError(first.refusal, creds, address, passwordRemedy)
		}
		return creds, passwordRemedy, err
	}
	source, ok := c.Tokens.For(s.Resource).(oauth.Invalidator)
	if !ok {
		return first.creds, "", l.authError(first.refusal, first.creds, address, fixedTokenRemedy)
	}
	StagesOf(ctx).again(first.refusal)
	if err := source.Invalidate(ctx, first.token); err != nil {
		return first.creds, "", fmt.Errorf("%s: replace the refused token: %w", address, err)
	}
	creds, _, err := current(ctx, c, s, address)
	return creds, tokenRemedy, err
}

// anotherPassword returns creds with a password in place of the refused one, or
// with none where there is no other.
func anotherPassword(ctx context.Context, c session.Credentials, creds sasl.Credentials, address string) (sasl.Credentials, error) {
	refused := creds.Password
	creds.Password = secret.Text{}
	if c.Passwords == nil || refused.IsZero() {
		return creds, nil
	}
	another, err := c.Passwords.Password(ctx, refused)
	if err != nil {
		return creds, fmt.Errorf("%s: the password of %s after it was refused: %w", address, c.User, err)
	}
	if !another.Equal(refused) {
		creds.Password = another
		StagesOf(ctx).told(another)
	}
	return creds, nil
}

// What to do about a refusal that the protocol has no better word for.
const (
	passwordRemedy   = "check user name and password; where the provider has switched passwords off, sign in with OAuth"
	fixedTokenRemedy = "give a fresh access token, issued for this user and this protocol" //nolint:gosec // G101: words for people
	tokenRemedy      = "a fresh token was refused too: check that the sign-in grants access to this protocol, that the user owns the mailbox or has rights to it, and that the protocol is switched on for the mailbox"
)

// current returns the credentials of this moment.
func current(ctx context.Context, c session.Credentials, s session.Server, address string) (sasl.Credentials, *oauth.Token, error) {
	creds := sasl.Credentials{User: c.User, Password: c.Password}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return creds, nil, fmt.Errorf("server address: %w", err)
	}
	creds.Host = host
	if creds.Port, err = strconv.Atoi(port); err != nil {
		return creds, nil, fmt.Errorf("server address: %w", err)
	}
	stages := StagesOf(ctx)
	if c.Tokens == nil && c.Passwords != nil {
		if creds.Password, err = c.Passwords.Password(ctx, secret.Text{}); err != nil {
			return creds, nil, fmt.Errorf("%s: password of %s: %w", address, c.User, err)
		}
		stages.told(creds.Password)
	}
	if c.Tokens == nil {
		creds.AuthUser = c.AuthUser
		return creds, nil, nil
	}
	stages.Enter(session.StageToken)
	token, err := c.Tokens.For(s.Resource).Token(ctx)
	if err != nil {
		return creds, nil, fmt.Errorf("%s: access token for %s: %w", address, c.User, err)
	}
	stages.issued(token)
	creds.Token = token.AccessToken
	return creds, token, nil
}

func (l Login[C]) authError(err error, creds sasl.Credentials, address, remedy string) error {
	e := &session.AuthError{Server: address, User: creds.User, Remedy: remedy, Err: err}
	if creds.AuthUser != "" {
		e.Remedy = "check " + creds.AuthUser + "'s name and password, and that the server lets " + creds.AuthUser + " act for others"
	}
	if known := l.Remedy(err); known != "" {
		e.Remedy = known
	}
	if se, ok := errors.AsType[*sasl.Error](err); ok {
		e.Mechanism, e.Err = se.Mechanism, se.Err
		if c := se.Challenge; c != nil {
			e.Status, e.Schemes, e.Scope, e.Challenge = c.Status, c.Schemes, c.Scope, c.Raw
		}
	}
	return e
}

// ConnectError is why there is no connection that is signed in.
type ConnectError struct{ Err error }

// Error returns the cause's.
func (e *ConnectError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ConnectError) Unwrap() error { return e.Err }

// ConcernsAll returns true: nothing was asked about one message, and the next one
// would fare no better.
func (*ConnectError) ConcernsAll() bool { return true }

// LostError says that the connection failed, or was cut, during an operation.
type LostError struct {
	Server string // "host:port"
	Op     string
	Err    error
}

// Error returns what was lost where, and why.
func (e *LostError) Error() string {
	cause := strings.TrimPrefix(e.Err.Error(), e.Server+": ")
	return fmt.Sprintf("%s: %s: connection lost: %s", e.Server, e.Op, cause)
}

// Unwrap returns the cause.
func (e *LostError) Unwrap() error { return e.Err }

// Temporary reports whether another try may fare better: the line broke, or the
// server fell silent.
func (e *LostError) Temporary() bool {
	_, silent := errors.AsType[*wire.TimeoutError](e.Err)
	return silent || broken(e.Err)
}

// broken reports whether a connection ended by itself, without anybody here
// wanting it to.
func broken(cause error) bool {
	if Deliberate(cause) {
		return false
	}
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe, syscall.ECONNRESET, syscall.ECONNABORTED, syscall.EPIPE} {
		if errors.Is(cause, end) {
			return true
		}
	}
	return false
}

// Connecting explains why a connection could not be made: one that broke while
// it was secured is a [*LostError], as one that breaks later is.
func Connecting(server string, err error) error {
	if !broken(err) {
		return err
	}
	return &LostError{Server: server, Op: "connect", Err: err}
}

// Unreachable reports whether err is that the network, the name service or the
// host did not let a connection through: another try may fare better, a server
// may be on its way up.
func Unreachable(err error) bool {
	_, ok := errors.AsType[*net.OpError](err)
	return ok && !Deliberate(err)
}

// Deliberate reports whether a connection ended because the program wanted it
// to: its context ended, or it closed the backend.
func Deliberate(cause error) bool {
	return errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) ||
		errors.Is(cause, session.ErrClosed)
}

// IsLost reports whether err is a connection that broke by itself, so that
// another one is worth a try at once. A server that fell silent is not: the
// caller has waited long enough.
func IsLost(err error) bool {
	lost, ok := errors.AsType[*LostError](err)
	return ok && broken(lost.Err)
}
