package mailtest

// Security is how a fake server protects its connections. The values are not
// those of session.Security, whose zero value is TLS.
type Security int

const (
	// None is a connection without TLS, which the server does not offer.
	None Security = iota
	// TLS is a connection that starts with the TLS handshake.
	TLS
	// STARTTLS is a connection that starts in plain text and changes to TLS when
	// the client asks for it. The server refuses to let anybody sign in before.
	STARTTLS
)

// String returns the name of the constant.
func (s Security) String() string {
	switch s {
	case TLS:
		return "TLS"
	case STARTTLS:
		return "STARTTLS"
	default:
		return "None"
	}
}

// Command is one command as a client sent it, with secrets taken out.
type Command struct {
	// Conn is the number of the connection, counted from 1 as clients connect.
	Conn int
	// Encrypted tells whether the command came over TLS.
	Encrypted bool
	// Name is the command's name in upper case, such as "UID FETCH" or "RCPT".
	Name string
	// Line is the whole command without its line end. Passwords, tokens and
	// everything else that is part of signing in is written as "[redacted]", and
	// what follows the command as data (a message, a literal) is left out.
	Line string
}
