package profile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// Open returns a session of a set, which is the caller's and closed by the
// caller. It resolves the set's references and opens what is kept of its
// sign-in. A server is asked only where the set wants endpoints or hosts to be
// found, or where nobody but the id_token tells whose the sign-in is; mail
// servers are dialled when the session is used.
//
// It never asks a person: where FlowPKCE or FlowDevice has no sign-in yet, the
// error wraps oauth.ErrNoGrant, and [File.SignIn] is the way on. Mistakes that
// show only now are an [*InvalidError], references that lead to nothing a
// [*ReferenceError].
//
// When the sign-in fails later, its references are resolved again, and it is made
// anew where they give something else. Hosts, ports and users are those of the
// time of Open.
func (f *File) Open(ctx context.Context, name string, overrides ...Override) (*session.Session, error) {
	b, err := f.build(ctx, name, overrides)
	if err != nil {
		return nil, err
	}
	s, err := b.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("profile: open set %q: %w", name, err)
	}
	return s, nil
}

// SendTest opens a set, sends a small message to the test recipient of its way
// out, or to the session's user where there is none, and closes it again. See
// session.Session.SendTest.
func (f *File) SendTest(ctx context.Context, name string, overrides ...Override) (session.Receipt, error) {
	b, err := f.build(ctx, name, overrides)
	if err != nil {
		return session.Receipt{Outcome: session.NotSent}, err
	}
	s, err := b.open(ctx)
	if err != nil {
		return session.Receipt{Outcome: session.NotSent}, fmt.Errorf("profile: open set %q: %w", name, err)
	}
	to := ""
	if b.plan.Outgoing != nil {
		to = b.plan.Outgoing.TestRecipient
	}
	receipt, err := s.SendTest(ctx, to, nil)
	return receipt, errors.Join(err, s.Close())
}

// open makes the session.
func (b *builder) open(ctx context.Context) (*session.Session, error) {
	creds, err := b.signInAs(ctx)
	if err != nil {
		return nil, err
	}
	in, err := b.incoming() //nolint:contextcheck // Making a backend does no I/O.
	if err != nil {
		return nil, err
	}
	out, err := b.outgoing() //nolint:contextcheck // Making a backend does no I/O.
	if err != nil {
		return nil, err
	}
	o := &session.Options{Mode: b.plan.Mode, SaveSent: b.plan.SaveSent, Logger: b.opts.Logger, Observer: b.opts.Observer}
	return session.New(creds, in, out, o)
}

// signInAs returns who signs in, and how.
func (b *builder) signInAs(ctx context.Context) (session.Credentials, error) {
	if b.given != nil {
		return *b.given, nil
	}
	creds := session.Credentials{User: b.plan.User, AuthUser: b.plan.AuthUser}
	if b.plan.Flow == FlowPassword {
		creds.Passwords = b.password()
		if creds.User == "" {
			creds.User = b.sideUser()
		}
		return creds, nil
	}
	r, err := b.signIn(ctx)
	if err != nil {
		return creds, err
	}
	creds.Tokens = r
	if creds.User == "" {
		creds.User, err = b.address(ctx, r)
	}
	return creds, err
}

// sideUser returns the user of a side, for a set without an account.
func (b *builder) sideUser() string {
	for _, s := range []*Side{b.plan.Incoming, b.plan.Outgoing} {
		if s != nil && s.User != "" {
			return s.User
		}
	}
	return ""
}

// address returns the address that the sign-in is of. A pin tells it with its
// first token.
func (b *builder) address(ctx context.Context, r *renewing) (string, error) {
	if user := b.sideUser(); user != "" && (b.plan.Incoming == nil || b.plan.Incoming.User != "") && (b.plan.Outgoing == nil || b.plan.Outgoing.User != "") {
		return user, nil
	}
	g := r.grant()
	if g == nil {
		return "", errors.New("nothing tells whose mailbox to open: give the account")
	}
	if g.Address() == "" {
		if _, err := r.For(b.resource()).Token(ctx); err != nil {
			return "", err
		}
		g = r.grant()
	}
	if g.Address() == "" {
		return "", errors.New("the server does not tell who signed in: give the account")
	}
	return g.Address(), nil
}

// resource returns what the first token is for.
func (b *builder) resource() string {
	if b.plan.Incoming != nil {
		return b.plan.Incoming.Server.Resource
	}
	if b.plan.Outgoing != nil {
		return b.plan.Outgoing.Server.Resource
	}
	return ""
}

// missing says that there is no backend for a protocol.
func missing(side string, p Protocol) error {
	return fmt.Errorf("%s: this program has no backend for %s: %w; register one in Options.%s", side, p, errors.ErrUnsupported,
		map[string]string{"incoming": "Incoming", "outgoing": "Outgoing"}[side])
}

// incoming returns the way in, nil where there is none.
func (b *builder) incoming() (session.IncomingBackend, error) {
	s := b.plan.Incoming
	if s == nil {
		return nil, nil //nolint:nilnil // no side is a proper one
	}
	var backend session.IncomingBackend
	var err error
	switch makers := b.opts.Incoming; {
	case makers[s.Protocol] != nil:
		backend, err = makers[s.Protocol](b.plan.Name, *s)
	case s.Protocol == IMAP:
		backend = imapx.Backend(s.Server, &imapx.Options{MaxConnections: s.Connections, IdleTimeout: s.IdleTimeout, PageSize: s.PageSize})
	case s.Protocol == POP3:
		backend = pop3x.Backend(s.Server, &pop3x.Options{IdleTimeout: s.IdleTimeout, PageSize: s.PageSize, Store: s.Store})
	case s.Protocol == EWS:
		var o *ews.Options
		if o, err = exchange(s); err == nil {
			backend = ews.Backend(s.Server, o)
		}
	default:
		err = missing("incoming", s.Protocol)
	}
	if err != nil || s.User == "" || b.given != nil {
		return backend, err
	}
	return func(setup session.Setup) (session.Incoming, error) {
		setup.Credentials.User = s.User
		return backend(setup)
	}, nil
}

// exchange returns what a side says of EWS, which is the same for both.
func exchange(s *Side) (*ews.Options, error) {
	_, path, err := ews.ParseURL(s.URL)
	if err != nil {
		return nil, err
	}
	o := &ews.Options{Path: path, MaxConnections: s.Connections, IdleTimeout: s.IdleTimeout, PageSize: s.PageSize, Retry: s.Retry}
	o.NoChannelBinding = s.NoChannelBinding
	if s.ByApp {
		o.Impersonate = &ews.ConnectingID{SMTPAddress: s.Mailbox}
	} else {
		o.Mailbox = s.Mailbox
	}
	return o, nil
}

// outgoing returns the way out, nil where there is none.
func (b *builder) outgoing() (session.OutgoingBackend, error) {
	s := b.plan.Outgoing
	if s == nil {
		return nil, nil //nolint:nilnil // no side is a proper one
	}
	var backend session.OutgoingBackend
	var err error
	switch makers := b.opts.Outgoing; {
	case makers[s.Protocol] != nil:
		backend, err = makers[s.Protocol](b.plan.Name, *s)
	case s.Protocol == SMTP:
		backend = smtpx.Backend(s.Server, smtpOptions(s))
	case s.Protocol == EWS:
		var o *ews.Options
		if o, err = exchange(s); err == nil {
			backend = ews.Outgoing(s.Server, o)
		}
	default:
		err = missing("outgoing", s.Protocol)
	}
	if err != nil || s.User == "" || b.given != nil {
		return backend, err
	}
	return func(setup session.Setup) (session.Outgoing, error) {
		setup.Credentials.User = s.User
		return backend(setup)
	}, nil
}

// smtpOptions returns what a side says of SMTP.
func smtpOptions(s *Side) *smtpx.Options {
	o := &smtpx.Options{
		MaxConnections: s.Connections, IdleTimeout: s.IdleTimeout,
		Retry: smtpx.Retry{Count: s.Retry.Count, Initial: s.Retry.Initial, Factor: s.Retry.Factor, Max: s.Retry.Max},
	}
	if s.Retry.On == oauth.RetryNever {
		o.Retry.Count = -1
	}
	if s.MessagesPerMinute > 0 {
		o.Rate = smtpx.Rate{Messages: s.MessagesPerMinute, Per: time.Minute}
	}
	return o
}
