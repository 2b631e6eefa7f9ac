// Package session is what programs hold to read, change and send mail: a
// [Session] joins credentials with one way in and one way out.
//
// The way in is an [Incoming] (imapx for IMAP, pop3x for POP3, ews for Exchange),
// the way out an [Outgoing] (smtpx for SMTP, ews for Exchange). Both are made by
// their own packages and handed to [New]; the program above them does not see
// which they are:
//
//	creds := session.Credentials{User: "ann@example.com", Password: secret.New(password)}
//	s, err := session.New(creds,
//		imapx.Backend(session.Server{Host: "imap.example.com"}, nil),
//		smtpx.Backend(session.Server{Host: "smtp.example.com"}, nil), nil)
//	if err != nil {
//		return err
//	}
//	defer s.Close()
//	for m, err := range s.Messages(ctx, session.Query{Where: session.Filter{Unread: session.Yes}}) {
//		...
//	}
//
// Package preset knows the servers of providers, package oauth makes the Tokens of
// [Credentials], and package profile opens all of it by a name.
//
// New does no I/O. Backends dial when they are first used and dial again when
// a connection died, so a Session lives as long as the program wants.
//
// # Reading
//
// [Session.Messages] iterates over summaries, newest first. Any call is legal
// inside the loop and break leaks nothing. A message that cannot be read comes
// as an [*ItemError] and the loop goes on; any other error is the last item.
// [Session.Read] parses a whole message, [Session.Open] streams it, and
// [Session.Bodies] reads many. Nothing sets a message's \Seen flag but
// [Session.Apply].
//
// # Changing
//
// [Session.Apply] changes flags, moves, copies and deletes, and answers for
// each message by itself.
//
// # Watching
//
// [Session.Watch] iterates over what happens in folders, [Session.WaitFor] returns
// the first message that matches, there already or yet to come, and
// [Session.Process] hands each message to a handler once and keeps how far it
// came. All of them stand on [Session.Changes]: what happened since a [Cursor].
//
// # Sending
//
// [Session.Send] tells what became of a message: see [SendOutcome]. Only what
// was [NotSent] may be sent again without risk. [Session.SendDraft] sends a
// message.Draft, [Session.SendAll] many messages; package outbox sends each once,
// whatever becomes of the program.
//
// # Checking
//
// [Session.Check] goes through all that use needs, from the name server to a
// search, and reports each stage with its time, what it found and what to do
// next. Its table is fit for a support ticket.
//
// # Errors
//
// An error names the server, the operation and, where there is one, the
// remedy; never a password, a token or a message's text. Ask [Temporary],
// [RetryAfter] and [NeedsSignIn] what to do about it, or use errors.As with
// [*AuthError], [*ModeError], [*SendError] and the protocol's own error type.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
)

// Mode says what a Session may do.
type Mode int

// The modes. ReadWrite is the zero value.
const (
	// ReadWrite allows everything.
	ReadWrite Mode = iota
	// ReadOnly allows reading. Nothing is changed on the server; IMAP folders
	// are opened by EXAMINE.
	ReadOnly
	// SendOnly allows sending.
	SendOnly
)

// String returns "read-write", "read-only" or "send-only".
func (m Mode) String() string {
	switch m {
	case ReadWrite:
		return "read-write"
	case ReadOnly:
		return "read-only"
	case SendOnly:
		return "send-only"
	}
	return fmt.Sprintf("mode %d", int(m))
}

// Credentials is who signs in, and how: with Tokens if they are set, else with
// Passwords or Password.
type Credentials struct {
	// User is the name to sign in with, mostly the mail address. To open a
	// shared mailbox with one's own token, it is the mailbox's address. Servers
	// have other forms for other ways to a mailbox that is somebody else's; see
	// package imapx.
	User string

	// AuthUser is who signs in with Password to open the mailbox of User, where that
	// is somebody else, or another name: a master user of Dovecot, an administrator of
	// Cyrus, a delegate at Exchange, or DOMAIN\user for the mailbox of an address. Empty
	// means User. By IMAP, POP3 and SMTP it takes a server with PLAIN, which alone
	// carries both names: User is the authorization identity there (RFC 4616 section 2).
	// Package ews signs in by the one name and asks for the mailbox of the other. Tokens
	// tell themselves who signs in, so that it is not used with them.
	AuthUser string

	// Password is for servers that still take one.
	Password secret.Text

	// Passwords, where set, gives the password in place of Password, for one that
	// somebody else looks after and may change.
	Passwords PasswordSource

	// Tokens gives access tokens, for each resource its own: an
	// [oauth.Grant], or [oauth.AnyResource] around a single source.
	Tokens oauth.Sources
}

// PasswordSource looks after a password. It is safe for concurrent use.
type PasswordSource interface {
	// Password returns the password to sign in with. Refused is zero, or a
	// password that the server has refused just now: where the source knows of
	// another one since, that is tried once; the same one again ends the
	// sign-in.
	Password(ctx context.Context, refused secret.Text) (secret.Text, error)
}

// Setup is what a Session gives to the backends it makes.
type Setup struct {
	Credentials Credentials
	// ReadOnly asks the backend to open everything without the right to
	// change it.
	ReadOnly bool
	// Logger is never nil.
	Logger *slog.Logger
	// Observer may be nil.
	Observer Observer
}

// IncomingBackend makes a way in. It does no I/O.
type IncomingBackend func(Setup) (Incoming, error)

// OutgoingBackend makes a way out. It does no I/O.
type OutgoingBackend func(Setup) (Outgoing, error)

// Observer is told of each operation's beginning and end. It must be safe for
// concurrent use and must not block.
type Observer interface {
	// Start is called when the operation op begins, such as "imap.fetch". The
	// context it returns is used for the operation; the function it returns is
	// called once, when the operation ends, with the error it ended in and
	// what is known by then.
	Start(ctx context.Context, op string, attrs ...slog.Attr) (context.Context, func(err error, attrs ...slog.Attr))
}

// Options are the settings of a Session. The zero value works.
type Options struct {
	// Mode is ReadWrite where it is not set.
	Mode Mode
	// Logger gets one record an operation at level debug, and at warn what needs
	// attention: refused credentials, a message that was not accepted for
	// everybody. Nil means silence.
	Logger *slog.Logger
	// Observer is told of every operation.
	Observer Observer
	// SaveSent says whether a copy of what is sent is kept in the folder of sent mail:
	// SentNever where it is not set. It needs a way in that can append.
	SaveSent SentPolicy
	// KeepBcc has such a copy name those in a Bcc field whom the message went to
	// without being named in it.
	KeepBcc bool
}

// Session joins credentials with one way in and one way out. It is safe for
// concurrent use.
type Session struct {
	in   Incoming
	out  Outgoing
	user string
	mode Mode

	saveSent SentPolicy
	keepBcc  bool
	log      *slog.Logger
}

// New returns a Session over the two backends. Either may be nil: the mode
// ReadOnly needs the first, SendOnly the second, ReadWrite at least one. What
// the missing one would do ends in an error that wraps [errors.ErrUnsupported].
func New(creds Credentials, in IncomingBackend, out OutgoingBackend, opts *Options) (*Session, error) {
	if opts == nil {
		opts = &Options{}
	}
	if err := check(creds, in != nil, out != nil, opts); err != nil {
		return nil, err
	}
	setup := Setup{
		Credentials: creds,
		ReadOnly:    opts.Mode == ReadOnly,
		Logger:      observe.Logger(opts.Logger),
		Observer:    opts.Observer,
	}
	s := &Session{
		mode: opts.Mode, user: creds.User,
		saveSent: opts.SaveSent, keepBcc: opts.KeepBcc, log: setup.Logger,
	}
	if in != nil && opts.Mode != SendOnly {
		made, err := in(setup)
		if err != nil {
			return nil, fmt.Errorf("session: incoming: %w", err)
		}
		s.in = made
	}
	if out != nil && opts.Mode != ReadOnly {
		made, err := out(setup)
		if err != nil { // made may be a nil pointer then, which is not a nil Outgoing
			return nil, errors.Join(fmt.Errorf("session: outgoing: %w", err), s.Close())
		}
		s.out = made
	}
	return s, nil
}

func check(creds Credentials, in, out bool, opts *Options) error {
	mode := opts.Mode
	switch {
	case opts.SaveSent < SentDefault || opts.SaveSent > SentAlways:
		return fmt.Errorf("session: Options.SaveSent: %v does not exist; use SentNever, SentAuto or SentAlways", opts.SaveSent)
	case mode < ReadWrite || mode > SendOnly:
		return fmt.Errorf("session: Options.Mode: %v does not exist; use ReadWrite, ReadOnly or SendOnly", mode)
	case mode == ReadOnly && !in:
		return errors.New("session: mode read-only needs an incoming backend, such as imapx.Backend")
	case mode == SendOnly && !out:
		return errors.New("session: mode send-only needs an outgoing backend, such as smtpx.Backend")
	case !in && !out:
		return errors.New("session: neither an incoming nor an outgoing backend is given; give New at least one, such as imapx.Backend")
	case creds.User == "" && (creds.Tokens != nil || creds.Passwords != nil || !creds.Password.IsZero()):
		return errors.New("session: the credentials name no user; set Credentials.User to the mail address")
	}
	return nil
}

// User returns the name that the Session signs in with.
func (s *Session) User() string { return s.user }

// Mode returns what the Session may do.
func (s *Session) Mode() Mode { return s.mode }

// Sends reports whether the Session can send: it has a way out, and its mode lets it
// be used.
func (s *Session) Sends() bool { return s.out != nil }

// reader returns the way in, or why there is none for op.
func (s *Session) reader(op string) (Incoming, error) {
	if s.mode == SendOnly {
		return nil, &ModeError{Mode: s.mode, Op: op}
	}
	if s.in == nil {
		return nil, fmt.Errorf("session: %s: no incoming backend was given: %w", op, errors.ErrUnsupported)
	}
	return s.in, nil
}

// Folders iterates over all folders of the mailbox that are the user's own. An
// error is the last item. [Session.ListFolders] lists those of others too, and
// tells more of each.
func (s *Session) Folders(ctx context.Context) iter.Seq2[Folder, error] {
	in, err := s.reader("list folders")
	if err != nil {
		return failed[Folder](err)
	}
	return in.Folders(ctx)
}

// Messages iterates over summaries of the messages that q asks for, newest first
// unless q says otherwise: in the order in which they came to the folder, which for
// messages that were moved there is not that of [Message.Received].
func (s *Session) Messages(ctx context.Context, q Query) iter.Seq2[*Message, error] {
	in, err := s.reader("list messages")
	if err != nil {
		return failed[*Message](err)
	}
	if err := q.Check(); err != nil {
		return failed[*Message](err)
	}
	return in.Messages(ctx, q)
}

// Explain tells how the way in would carry out q: what the server is asked for,
// and what is compared here. It may ask the server what it can do. Where the
// backend cannot tell, the error wraps [errors.ErrUnsupported]. Where nothing may
// be compared here and something would have to be, the plan says what, and
// Messages ends in such an error.
func (s *Session) Explain(ctx context.Context, q Query) (Plan, error) {
	e, err := readingAs[Explainer](s, "explain a query")
	if err == nil {
		err = q.Check()
	}
	if err != nil {
		return Plan{}, err
	}
	return e.Explain(ctx, q)
}

// readable passes over the messages of a listing that cannot be read.
func readable(messages iter.Seq2[*Message, error]) iter.Seq2[*Message, error] {
	return func(yield func(*Message, error) bool) {
		for m, err := range messages {
			if _, bad := errors.AsType[*ItemError](err); !bad && !yield(m, err) {
				return
			}
		}
	}
}

func failed[T any](err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		yield(zero, err)
	}
}

// Open returns the bytes of a message as the server has them, streamed. They
// end in io.EOF only if all came. The caller closes the reader, also while another
// goroutine reads, which then gets [ErrClosed].
func (s *Session) Open(ctx context.Context, id ID) (io.ReadCloser, error) {
	in, err := s.reader("open a message")
	if err != nil {
		return nil, err
	}
	return in.Open(ctx, id)
}

// Read opens a message and parses it within the default limits of
// [message.Parse]. With an error it returns what came of the message, or nil if
// it could not be opened. A message of more than message.DefaultMaxBytes is a
// [*message.LimitError]; Open gives its bytes all the same.
func (s *Session) Read(ctx context.Context, id ID) (*message.Message, error) {
	body, err := s.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	m, err := message.Parse(body, nil)
	if err != nil {
		return m, fmt.Errorf("session: read message %v: %w", id, err)
	}
	return m, nil
}

// Apply changes messages. The results are in the order of the ids, one for
// each, also where err says that the whole could not go on.
func (s *Session) Apply(ctx context.Context, c Change, ids ...ID) ([]Result, error) {
	if s.mode == ReadOnly {
		return notDone(ids, &ModeError{Mode: s.mode, Op: "change messages"})
	}
	in, err := s.reader("change messages")
	if err == nil {
		err = c.Check()
	}
	if err != nil {
		return notDone(ids, err)
	}
	return in.Apply(ctx, c, ids...)
}

func notDone(ids []ID, err error) ([]Result, error) {
	results := make([]Result, len(ids))
	for i, id := range ids {
		results[i] = Result{ID: id, Outcome: NotDone, Err: err}
	}
	return results, err
}

// Facts tells what the way in can do.
func (s *Session) Facts(ctx context.Context) (Facts, error) {
	in, err := s.reader("ask for facts")
	if err != nil {
		return Facts{}, err
	}
	return in.Facts(ctx)
}

// Send sends the message under the envelope. The error is nil only where every
// recipient was accepted; otherwise it is a [*SendError] or tells why nothing
// was tried, and the receipt tells how far it came.
//
// The message goes out as it is, with a Bcc field where its header has one;
// [message.Submit] takes that off. Drafts are composed without.
func (s *Session) Send(ctx context.Context, e Envelope, m message.Source) (Receipt, error) {
	out, err := s.sender("send")
	if err != nil {
		return Receipt{Outcome: NotSent}, err
	}
	rec, err := out.Send(ctx, e, m)
	rec.Copy = s.keepCopy(ctx, e, m, rec)
	if failed, ok := errors.AsType[*SendError](err); ok {
		failed.Receipt.Copy = rec.Copy
	}
	return rec, err
}

// sender returns the way out, or why there is none for op.
func (s *Session) sender(op string) (Outgoing, error) {
	if s.mode == ReadOnly {
		return nil, &ModeError{Mode: s.mode, Op: op}
	}
	if s.out == nil {
		return nil, fmt.Errorf("session: %s: no outgoing backend was given: %w", op, errors.ErrUnsupported)
	}
	return s.out, nil
}

// SendDraft composes d and sends it to everybody it names. Bounces go to the
// draft's [message.Draft.ReturnPath], unless opts, which may be nil, say
// otherwise.
func (s *Session) SendDraft(ctx context.Context, d *message.Draft, opts *SendOptions) (Receipt, error) {
	source, err := d.Source()
	if err != nil {
		return Receipt{Outcome: NotSent}, fmt.Errorf("session: send: %w", err)
	}
	return s.Send(ctx, opts.envelope(d.ReturnPath(), d.Recipients()), source)
}

// Close ends both backends and their connections.
func (s *Session) Close() error {
	var errs []error
	if s.in != nil {
		errs = append(errs, s.in.Close())
	}
	if s.out != nil {
		errs = append(errs, s.out.Close())
	}
	return errors.Join(errs...)
}
