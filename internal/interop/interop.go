// Package interop starts real servers for tests: Dovecot 2.3 for IMAP, POP3 and
// delivery, Postfix 3.7 for submission, and oidc-provider 9 for OAuth. What the
// library and its fakes claim about a protocol is proven against them.
//
// Everything runs on free ports of 127.0.0.1 and writes to a temporary folder
// of its own; the system's services and configuration are not touched, and no
// mail leaves the machine. The servers end when they are stopped and when the
// program that started them ends, however it ends. Postfix wants root, and the
// script install beside this file puts the programs on a Debian machine.
package interop

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/testtls"
	"github.com/mailsession/mailsession/secret"
)

// Options says what is served. The zero value is usable: two users with random
// passwords, and no access tokens.
type Options struct {
	// Users are the mailboxes. Without any there are ann@example.test and
	// bob@example.test.
	Users []User
	// Master may open the mailbox of every user under a name and a password of his own,
	// as the authentication identity of PLAIN. Nil means that nobody may.
	Master *User
	// Tokens lets users sign in with access tokens (XOAUTH2 and OAUTHBEARER)
	// beside their passwords; nil offers passwords alone.
	Tokens *Introspection
	// Shared has Dovecot set up as larger sites have it: "INBOX/" stands before
	// the names of a user's folders, users may share theirs by SETACL, and a
	// mailbox holds 10 MiB and 1,000 messages at most.
	Shared bool
	// LockPOP3 keeps a mailbox locked for as long as a POP3 session has it open.
	// Dovecot's own default lets several sessions in.
	LockPOP3 bool
	// Compress has Dovecot offer COMPRESS=DEFLATE (RFC 4978), by its plugin
	// imap_zlib. Its own default is not to.
	Compress bool
	// WithoutEHLO are extensions that Postfix does not offer, such as "chunking".
	WithoutEHLO []string
}

// A User is one mailbox.
type User struct {
	// Address is the name to sign in with and the address to send to.
	Address string
	// Password is made up where it is empty; [Servers.Users] has it then.
	Password secret.Text
}

// Introspection says where Dovecot asks whether an access token is good and
// whose it is (RFC 7662).
type Introspection struct {
	// URL is the endpoint. Dovecot posts the token to it as a form.
	URL string
	// ClientID and ClientSecret are what Dovecot names itself with, in the
	// same form (client_secret_post). Where they are empty Dovecot sends the
	// fields all the same, with nothing in them, which some endpoints refuse.
	ClientID     string
	ClientSecret secret.Text
	// UsernameAttribute is the field of the answer that holds the address,
	// "username" if empty.
	UsernameAttribute string
	// Scope is a scope that a token must have, none if empty. A refused client
	// is told it.
	Scope string
	// CAFile names the PEM file of the authority behind an https URL.
	CAFile string
}

// Servers are running servers. Addresses are host:port, on 127.0.0.1.
type Servers struct {
	// IMAP and POP3 accept connections in plain text, with STARTTLS and STLS
	// on offer and passwords allowed without; IMAPS and POP3S begin with TLS.
	IMAP, IMAPS, POP3, POP3S string
	// Submission refuses everything before STARTTLS, Submissions begins with
	// TLS, and SMTP has no TLS and takes passwords in plain text. All demand
	// authentication and accept mail for the users alone.
	Submission, Submissions, SMTP string
	// Users are all users, with their passwords.
	Users []User
	// CAFile names a PEM file with the authority that signed the servers'
	// certificate, which is for localhost, 127.0.0.1 and ::1.
	CAFile string

	authority *testtls.Authority
	dir       string
	running   []*process
	ending    ending
}

// startTries is how many sets of ports Start tries; another program may take
// a port between its choice and its use.
const startTries = 3

// stageTimeout limits how long a server may take to start, to stop, or to
// take in a message.
const stageTimeout = time.Minute

// Start starts Dovecot and Postfix and returns when every listener has sent
// its greeting. Nil options are the zero ones. A server that is not installed,
// or refuses its configuration, is an error that holds the end of its log.
// The caller calls [Servers.Stop]; the context is for starting only.
func Start(ctx context.Context, opts *Options) (*Servers, error) {
	if opts == nil {
		opts = &Options{}
	}
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	users, err := complete(opts.Users)
	if err != nil {
		return nil, err
	}
	authority, err := testtls.New()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	for range startTries {
		var s *Servers
		s, err = start(ctx, programs, authority, users, opts)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errEnded) {
			break
		}
	}
	return nil, err
}

// start makes one attempt with one set of ports.
func start(ctx context.Context, programs programs, authority *testtls.Authority, users []User, opts *Options) (*Servers, error) {
	dir, err := os.MkdirTemp("", "mailsession-interop-")
	if err != nil {
		return nil, fmt.Errorf("interop: make a folder for the servers: %w", err)
	}
	s := &Servers{Users: users, CAFile: filepath.Join(dir, "ca.pem"), authority: authority, dir: dir}
	ports, err := s.choosePorts(ctx)
	if err == nil {
		err = s.configure(settings{Dir: dir, Ports: ports, Tokens: opts.Tokens, Master: opts.Master, Shared: opts.Shared, LockPOP3: opts.LockPOP3, Compress: opts.Compress, WithoutEHLO: opts.WithoutEHLO})
	}
	if err == nil {
		err = s.launch(ctx, programs)
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, s.Logs())
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// launch starts the servers; Postfix hands logins to Dovecot, which is why it
// comes second. The ports with TLS are looked at last: a server ends where one
// of its ports is taken, and no other server has their certificate.
func (s *Servers) launch(ctx context.Context, programs programs) error {
	for _, server := range []struct {
		name      string
		prepare   []string
		command   []string
		addresses []string
	}{{
		name:      "dovecot",
		command:   []string{programs.dovecot, "-F", "-c", s.file("dovecot/dovecot.conf")},
		addresses: []string{s.IMAP, s.POP3, s.IMAPS, s.POP3S},
	}, {
		name:      "postfix",
		prepare:   []string{programs.postfix, "-c", s.file("postfix"), "check"},
		command:   []string{programs.postfixMaster, "-s", "-c", s.file("postfix")},
		addresses: []string{s.SMTP, s.Submission, s.Submissions},
	}} {
		if server.prepare != nil {
			if err := runToEnd(ctx, server.prepare); err != nil {
				return err
			}
		}
		p, err := startProcess(server.name, server.command)
		if err != nil {
			return err
		}
		s.running = append(s.running, p)
		for _, address := range server.addresses {
			if err := awaitGreeting(ctx, p, address, s.dial); err != nil {
				return err
			}
		}
	}
	return nil
}

// Stop ends the servers, waits until they have ended, and removes their
// folder. Further calls return what the first did.
func (s *Servers) Stop() error {
	return s.ending.end(s.dir, s.running...)
}

// ClientTLS returns settings that trust the servers' certificate. The server
// name is to be set by the caller, or by what dials.
func (s *Servers) ClientTLS() *tls.Config { return s.authority.Client() }

// User returns the user with an address, which must be one of the users'.
func (s *Servers) User(address string) (User, error) {
	for _, u := range s.Users {
		if strings.EqualFold(u.Address, address) {
			return u, nil
		}
	}
	return User{}, fmt.Errorf("interop: there is no user %s", address)
}

// Deliver puts a message into the INBOX of each recipient, past Postfix, by
// LMTP (RFC 2033). It returns when all of them have it.
func (s *Servers) Deliver(ctx context.Context, message []byte, to ...string) error {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", s.file("lmtp"))
	if err != nil {
		return fmt.Errorf("interop: deliver: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := deliver(textproto.NewConn(conn), message, to); err != nil {
		return fmt.Errorf("interop: deliver: %w", err)
	}
	return nil
}

// deliver is the LMTP dialogue. There is one answer to the data for each
// recipient.
func deliver(conn *textproto.Conn, message []byte, to []string) error {
	if _, _, err := conn.ReadResponse(220); err != nil {
		return err
	}
	commands := []string{"LHLO localhost", "MAIL FROM:<>"}
	for _, address := range to {
		commands = append(commands, "RCPT TO:<"+address+">")
	}
	for _, command := range commands {
		if err := ask(conn, 250, command); err != nil {
			return err
		}
	}
	if err := ask(conn, 354, "DATA"); err != nil {
		return err
	}
	data := conn.DotWriter()
	if _, err := data.Write(message); err != nil {
		return err
	}
	if err := data.Close(); err != nil {
		return err
	}
	for range to {
		if _, _, err := conn.ReadResponse(250); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a command and expects the reply to have a code.
func ask(conn *textproto.Conn, code int, command string) error {
	if err := conn.PrintfLine("%s", command); err != nil {
		return err
	}
	_, _, err := conn.ReadResponse(code)
	return err
}

// complete checks the users and gives a password to those who have none.
func complete(users []User) ([]User, error) {
	if len(users) == 0 {
		users = []User{{Address: "ann@example.test"}, {Address: "bob@example.test"}}
	}
	completed := make([]User, 0, len(users))
	for _, u := range users {
		local, domain, ok := strings.Cut(u.Address, "@")
		if !ok || local == "" || domain == "" || strings.ContainsAny(u.Address, ":/ \t\r\n") || u.Address != strings.ToLower(u.Address) {
			return nil, fmt.Errorf("interop: %q is no address for a user; it has to be lower case, of the form name@domain, without colons, slashes and spaces", u.Address)
		}
		if u.Password.IsZero() {
			u.Password = secret.New("password-" + rand.Text())
		}
		completed = append(completed, u)
	}
	return completed, nil
}

// choosePorts finds a free port for every listener. They are all held at once
// so that none is given out twice, and let go again for the servers.
func (s *Servers) choosePorts(ctx context.Context) (ports, error) {
	var p ports
	for _, listener := range []struct {
		address *string
		port    *int
	}{
		{&s.IMAP, &p.IMAP},
		{&s.IMAPS, &p.IMAPS},
		{&s.POP3, &p.POP3},
		{&s.POP3S, &p.POP3S},
		{&s.Submission, &p.Submission},
		{&s.Submissions, &p.Submissions},
		{&s.SMTP, &p.SMTP},
	} {
		held, err := (&net.ListenConfig{}).Listen(ctx, "tcp4", "127.0.0.1:0")
		if err != nil {
			return ports{}, fmt.Errorf("interop: find a free port: %w", err)
		}
		defer held.Close()
		*listener.address = held.Addr().String()
		_, port, err := net.SplitHostPort(*listener.address)
		if err != nil {
			return ports{}, fmt.Errorf("interop: find a free port: %w", err)
		}
		if *listener.port, err = strconv.Atoi(port); err != nil {
			return ports{}, fmt.Errorf("interop: find a free port: %w", err)
		}
	}
	return p, nil
}

func (s *Servers) file(name string) string { return filepath.Join(s.dir, filepath.FromSlash(name)) }
