package session

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/mailsession/mailsession/proxy"
)

// Security is how a connection is encrypted.
type Security int

// The kinds of Security. TLS is the zero value.
const (
	// TLS is encrypted from the first byte.
	TLS Security = iota
	// STARTTLS begins in plain text and is upgraded before anything that
	// matters is sent; a server that does not offer it is refused.
	STARTTLS
	// None is never encrypted. Credentials are not sent over it unless
	// [Server.AllowPlainAuth] is set.
	None
)

// String returns "TLS", "STARTTLS" or "None".
func (s Security) String() string {
	switch s {
	case TLS:
		return "TLS"
	case STARTTLS:
		return "STARTTLS"
	case None:
		return "None"
	}
	return fmt.Sprintf("security %d", int(s))
}

// Server says where a mail server is and how to talk to it.
type Server struct {
	// Host is a name or an address; the server's certificate has to carry it.
	Host string

	// Port is the protocol's default for the Security where it is zero: 993
	// and 143 for IMAP, 995 and 110 for POP3, 465, 587 and 25 for SMTP.
	Port int

	// Security is TLS where it is not set.
	Security Security

	// TLS holds further settings: own certificate authorities, a client
	// certificate, another server name, a higher minimum version. Nil means
	// the host's authorities and TLS 1.2 or later.
	TLS *tls.Config

	// Resource is what access tokens for this server have to be issued for,
	// such as "https://outlook.office.com"; see [oauth.Sources]. Empty means
	// that one token serves all.
	Resource string

	// Mechanisms restricts and orders the SASL mechanisms, such as
	// "OAUTHBEARER". Empty means the best that the server offers.
	Mechanisms []string

	// AllowPlainAuth permits to send credentials over a connection that is
	// not encrypted. Everybody on the way can read them.
	AllowPlainAuth bool

	// Dial makes the connection, nil means a [net.Dialer]. The fake servers
	// have methods that fit.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Proxy is the proxy on the way to the server; Dial then makes the
	// connection to the proxy. Nil means none: the environment is looked at
	// only where [proxy.FromEnvironment] says so. Timeouts.Dial bounds all that
	// it takes to get through.
	Proxy *proxy.Config

	Timeouts Timeouts

	// FilesSent says, of a server for sending, that what is sent through it comes
	// to be in the user's folder of sent mail without anybody's doing; see
	// [SentAuto].
	FilesSent bool

	// Transcript gets the protocol line by line, with credentials masked and
	// message content left out. Writes come from several goroutines, one at a
	// time.
	Transcript io.Writer
}

// Address returns "host:port", with def where no port is set.
func (s Server) Address(def int) string {
	port := s.Port
	if port == 0 {
		port = def
	}
	return net.JoinHostPort(s.Host, strconv.Itoa(port))
}

// Timeouts bounds how long a connection may stand still in each of its stages;
// every byte in either direction starts the time anew, so that slow transfers
// live. The bound for the whole of an operation is its context. Zero means the
// default, a negative value no bound. An error that a bound ended matches
// [os.ErrDeadlineExceeded] and says what was waited for.
type Timeouts struct {
	Dial      time.Duration // making the connection: 30 s in all
	Handshake time.Duration // TLS: 30 s
	Greeting  time.Duration // the server's first line: 60 s; of SMTP 5 min, as RFC 5321 section 4.5.3.2 wants it
	Auth      time.Duration // each answer while signing in: 60 s, since servers delay refusals
	Command   time.Duration // each answer and the bytes in it: 2 min; of SMTP 5 min, by the same section
	Close     time.Duration // the goodbye: 5 s

	// Message is how long SMTP's answer to a whole message may take: 10 min, or
	// Command where that is longer. Nobody knows what became of a message whose
	// answer was not waited for.
	Message time.Duration
}
