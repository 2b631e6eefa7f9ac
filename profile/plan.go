package profile

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/mail"
	"strconv"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// Plan is what becomes of a set when it is opened: every reference resolved,
// every default filled in, every server found. It prints without secrets.
type Plan struct {
	// Name is the set's.
	Name string
	// Flow is the way of signing in.
	Flow Flow
	// User is the name to sign in with, where the sides have none of their own:
	// the mailbox's address, or else the account's; with FlowPassword the
	// account's, unless there is an AuthUser. It is empty where the id_token will tell.
	User string
	// AuthUser is the name that goes with the password, "" where it is User's.
	AuthUser string
	// OAuth is the client of the authorization server, nil for FlowExternal and
	// FlowPassword.
	OAuth *oauth.Config
	// Mode is what the session may do, SaveSent its policy for copies.
	Mode     session.Mode
	SaveSent session.SentPolicy
	// Incoming and Outgoing are the sides, nil where there is none.
	Incoming, Outgoing *Side
}

// Side is one side of a Plan.
type Side struct {
	// Protocol is the protocol.
	Protocol Protocol
	// Server is the mail server, with TLS settings, proxy and timeouts. For Graph
	// it has no host.
	Server session.Server
	// URL is the service of EWS or Graph, and HTTPClient the way there, with TLS
	// settings and proxy.
	URL        string
	HTTPClient *http.Client
	// User is the side's own name to sign in with, "" where it is the plan's.
	User string
	// Mailbox is the address of the mailbox that is opened, "" where it is that of
	// who signs in. ByApp tells that a program signs in in its own name, which
	// EWS wants to be told whose mailbox it opens.
	Mailbox string
	ByApp   bool
	// NoChannelBinding is for EWS behind what inspects TLS; see ews.Options.
	NoChannelBinding bool
	// TestRecipient is where a test message goes; it may be empty.
	TestRecipient string

	// Connections, PageSize and MessagesPerMinute are bounds, IdleTimeout is how
	// long a connection is kept; 0 is the backend's default.
	Connections, PageSize, MessagesPerMinute int
	IdleTimeout                              time.Duration
	// Retry is how what failed for the moment is tried again.
	Retry oauth.Retry
	// Store keeps what the server cannot.
	Store state.Store
}

// Override replaces parts of a set for one session. Later ones replace what
// earlier ones have set.
type Override struct {
	// Incoming and Outgoing are those of each side.
	Incoming, Outgoing SideOverride
	// Credentials are used in place of the set's flow, with its servers.
	Credentials *session.Credentials
}

// SideOverride replaces parts of one side; what is zero stays.
type SideOverride struct {
	Host string
	Port int
	User string
}

// Plan returns what becomes of a set. It resolves its references, and asks
// servers as far as the set wants endpoints or hosts to be found; it does not
// sign in. Mistakes that show only now are an [*InvalidError].
func (f *File) Plan(ctx context.Context, name string, overrides ...Override) (*Plan, error) {
	b, err := f.build(ctx, name, overrides)
	if err != nil {
		return nil, err
	}
	return b.plan, nil
}

// builder makes a session of a set.
type builder struct {
	file     *File
	opts     *Options
	original *Parameters // with the overrides, and with its references
	p        *Parameters // resolved
	provider preset.Provider
	client   *http.Client
	proxy    *proxy.Config
	tls      *tls.Config // nil where there are no settings
	retry    oauth.Retry
	store    state.Store
	given    *session.Credentials
	found    *lookup.Result  // of the address, nil where nothing had to be found
	implied  [2]SideOverride // of the sides that the set does not name
	plan     *Plan
}

// build resolves a set and fills in what it leaves out.
func (f *File) build(ctx context.Context, name string, overrides []Override) (*builder, error) {
	p, err := f.set(name)
	if err != nil {
		return nil, err
	}
	b := &builder{file: f, opts: &f.opts, original: p.clone(), plan: &Plan{Name: name}}
	for _, o := range overrides {
		if err := b.override(o); err != nil {
			return nil, fmt.Errorf("profile: set %q: %w", name, err)
		}
	}
	if err := b.resolve(ctx); err != nil {
		return nil, err // It names the set in its paths.
	}
	if err := b.settings(); err != nil {
		return nil, fmt.Errorf("profile: set %q: %w", name, err)
	}
	if err := b.sides(ctx); err != nil {
		return nil, fmt.Errorf("profile: set %q: %w", name, err)
	}
	if b.given == nil && b.plan.Flow != FlowExternal && b.plan.Flow != FlowPassword {
		if b.plan.OAuth, err = b.config(ctx); err != nil {
			return nil, err
		}
	}
	b.configure()
	return b, nil
}

// configure has the program change the plan.
func (b *builder) configure() {
	if b.opts.Configure != nil {
		b.opts.Configure(b.plan.Name, b.plan)
	}
}

// clone returns a copy with sides of its own.
func (p *Plan) clone() *Plan {
	c := *p
	for _, s := range []**Side{&c.Incoming, &c.Outgoing} {
		if *s != nil {
			own := **s
			*s = &own
		}
	}
	return &c
}

// override puts what a program gives into the parameters, as it is. Sides that
// are implied have theirs later.
func (b *builder) override(o Override) error {
	p := b.original
	implied := p.Incoming == nil && p.Outgoing == nil
	for _, side := range []struct {
		name  string
		there bool
		o     SideOverride
		merge *SideOverride
	}{{"incoming", p.Incoming != nil, o.Incoming, &b.implied[0]}, {"outgoing", p.Outgoing != nil, o.Outgoing, &b.implied[1]}} {
		switch {
		case side.o == SideOverride{}:
		case implied:
			side.merge.Host = cmp.Or(side.o.Host, side.merge.Host)
			side.merge.Port = cmp.Or(side.o.Port, side.merge.Port)
			side.merge.User = cmp.Or(side.o.User, side.merge.User)
		case !side.there:
			return fmt.Errorf("there is no %s side to override", side.name)
		case side.name == "incoming":
			replace(&p.Incoming.Host, &p.Incoming.Port, &p.Incoming.User, side.o)
		default:
			replace(&p.Outgoing.Host, &p.Outgoing.Port, &p.Outgoing.User, side.o)
		}
	}
	if o.Credentials != nil {
		b.given = o.Credentials
	}
	return nil
}

func replace(host *String, port *Number, user *String, o SideOverride) {
	const itself = SchemeLiteral + ":"
	if o.Host != "" {
		*host = String(itself + o.Host)
	}
	if o.Port != 0 {
		*port = Number(strconv.Itoa(o.Port))
	}
	if o.User != "" {
		*user = String(itself + o.User)
	}
}

// resolve replaces the references, and looks for mistakes in what they give.
func (b *builder) resolve(ctx context.Context) error {
	path := setPath(b.plan.Name)
	p, err := b.opts.resolve(ctx, b.original, path)
	if err != nil {
		return err
	}
	if err := openTokenFile(p, path); err != nil {
		return err
	}
	m := &mistakes{}
	c := &checker{m: m, opts: b.opts, resolved: true, implied: b.implied, given: b.given != nil}
	if b.given != nil {
		withoutSignIn(p)
	}
	c.set(p, path)
	if err := m.err(); err != nil {
		return err
	}
	b.p, b.plan.Flow = p, c.flow
	if c.provider != nil {
		b.provider = *c.provider
	}
	b.plan.User = string(orDefault(p.Mailbox, p.Account))
	b.plan.AuthUser = string(p.AuthUser)
	if c.flow == FlowPassword && p.AuthUser == "" { // It is the account's.
		b.plan.User = string(orDefault(p.Account, p.Mailbox))
	}
	if b.given != nil {
		b.plan.User, b.plan.AuthUser = b.given.User, b.given.AuthUser
	}
	return nil
}

// withoutSignIn removes what the credentials of the program replace.
func withoutSignIn(p *Parameters) {
	p.Flow, p.ClientID, p.ClientSecret, p.RedirectURI = "", "", Secret{}, ""
	p.Scopes, p.AuthParams, p.TokenFile, p.RefreshToken, p.Password, p.AuthUser = nil, nil, Secret{}, Secret{}, Secret{}, ""
	p.Certificate, p.ServiceAccount, p.ManagedIdentity, p.External = nil, nil, nil, nil
}

// sides makes the sides of the plan.
func (b *builder) sides(ctx context.Context) error {
	for _, s := range sidesOf(b.p, b.implied) {
		made, err := b.side(ctx, s)
		if err != nil {
			return err
		}
		if made == nil {
			continue
		}
		if s.incoming {
			b.plan.Incoming = made
		} else {
			b.plan.Outgoing = made
		}
	}
	return nil
}

func (b *builder) side(ctx context.Context, s side) (*Side, error) {
	made := &Side{
		Protocol: s.protocol, User: string(s.user), TestRecipient: string(s.recipient), Retry: b.retry, Store: b.store,
		Mailbox: string(b.p.Mailbox), ByApp: byApp(b.plan.Flow),
		NoChannelBinding: b.p.TLS != nil && b.p.TLS.NoChannelBinding == Yes,
	}
	if made.ByApp && made.Mailbox == "" {
		made.Mailbox = string(b.p.Account)
	}
	if l := b.p.Limits; l != nil {
		made.Connections, made.PageSize = intOf(l.Connections), intOf(l.PageSize)
		made.MessagesPerMinute, made.IdleTimeout = intOf(l.MessagesPerMinute), durationOf(l.IdleTimeout)
	}
	if s.protocol == EWS || s.protocol == Graph {
		return made, b.service(s, made)
	}
	known, ok := b.provider.Server(preset.Protocol(s.protocol))
	if s.implied && !ok {
		return nil, nil //nolint:nilnil // a side that nobody asked for
	}
	if s.host == "" && !ok {
		var err error
		if known, err = b.find(ctx, s, made); err != nil {
			return nil, err
		}
	}
	made.Server = b.server(known, s)
	if made.User == "" && ok && b.given == nil && (s.host == "" || b.provider.HasHost(string(s.host))) {
		made.User = b.userAt(preset.Protocol(s.protocol))
	}
	return made, nil
}

// userAt returns the name to sign in with at a server of the provider's that
// wants another one than the address, "" at all others.
func (b *builder) userAt(proto preset.Protocol) string {
	if name := b.provider.User(proto, b.plan.User); name != b.plan.User {
		return name
	}
	return ""
}

// service fills in a side over HTTPS.
func (b *builder) service(s side, made *Side) error {
	known, _ := b.provider.Service(preset.Protocol(s.protocol))
	made.URL = string(orDefault(s.url, String(known.URL)))
	server := session.Server{Resource: known.Resource, Security: session.TLS}
	if s.protocol == EWS {
		if s.url == "" && s.host != "" {
			made.URL = "https://" + string(s.host) + ews.DefaultPath
		}
		at, _, err := ews.ParseURL(made.URL)
		if err != nil {
			return err
		}
		server.Host, server.Port, server.Security = at.Host, at.Port, at.Security
	}
	made.Server = b.common(server, s)
	var err error
	made.HTTPClient, err = b.serviceClient()
	return err
}

// byApp reports whether a program signs in in its own name.
func byApp(f Flow) bool {
	return f == FlowClientCredentials || f == FlowCertificate || f == FlowManagedIdentity
}

// find finds the server of a side by the address, and the name to sign in with
// there.
func (b *builder) find(ctx context.Context, s side, made *Side) (session.Server, error) {
	address := b.plan.User
	if address == "" || b.given != nil {
		address = string(orDefault(b.p.Mailbox, b.p.Account))
	}
	if _, err := mail.ParseAddress(address); err != nil { // and may be anything
		return session.Server{}, fmt.Errorf("find the %s server: the account is not a mail address; give one such as ann@example.com, or the host", s.protocol)
	}
	wrap := func(err error) error { return fmt.Errorf("find the %s server of %s: %w", s.protocol, address, err) }
	if b.found == nil {
		var err error
		if b.found, err = b.lookUp(ctx, address); err != nil {
			return session.Server{}, wrap(err)
		}
	}
	server, ok := b.found.Provider.Server(preset.Protocol(s.protocol))
	if !ok {
		return server, wrap(fmt.Errorf("%w; there is %s", lookup.ErrNotFound, protocolNames(b.found.Provider.Protocols())))
	}
	made.User = string(orDefault(s.user, String(b.found.Users[preset.Protocol(s.protocol)])))
	return server, nil
}

// lookUp finds the servers of an address, and has a person look at them where
// nobody else answers for them.
func (b *builder) lookUp(ctx context.Context, address string) (*lookup.Result, error) {
	o := lookup.Options{}
	if b.opts.Lookup != nil {
		o = *b.opts.Lookup
	}
	if o.HTTPClient == nil {
		client, err := b.serviceClient()
		if err != nil {
			return nil, err
		}
		o.HTTPClient = client
	}
	found, err := lookup.Find(ctx, address, &o)
	switch {
	case err != nil:
		return nil, err
	case found.Confirm == "":
		return found, nil
	case b.opts.Trust == nil:
		return nil, fmt.Errorf("%s; look at them and give the host, or set Options.Trust", found.Confirm)
	}
	if err := b.opts.Trust(ctx, found); err != nil {
		return nil, err
	}
	return found, nil
}

// server puts the settings of a side over those that are known of its server.
func (b *builder) server(known session.Server, s side) session.Server {
	server := known
	if s.host != "" {
		server.Host = string(s.host)
	}
	if s.security != "" && (securityOf(s.security) != known.Security || known.Host == "") {
		server.Security, server.Port = securityOf(s.security), 0
	}
	if s.port != "" {
		server.Port = intOf(s.port)
	}
	return b.common(server, s)
}

// common adds the settings that are the same for all protocols.
func (b *builder) common(server session.Server, s side) session.Server {
	server.AllowPlainAuth = server.AllowPlainAuth || s.allowPlain == Yes
	if len(s.mechanisms) > 0 {
		server.Mechanisms = words(s.mechanisms...)
	}
	if b.p.OAuth != nil && b.p.OAuth.Resource != "" {
		server.Resource = string(b.p.OAuth.Resource)
	}
	if b.tls != nil {
		server.TLS = b.tls
	}
	if b.proxy != nil {
		server.Proxy = b.proxy
	}
	if l := b.p.Limits; l != nil && l.Timeouts != nil {
		t := l.Timeouts
		server.Timeouts = session.Timeouts{
			Dial: durationOf(t.Dial), Handshake: durationOf(t.Handshake), Greeting: durationOf(t.Greeting),
			Auth: durationOf(t.Auth), Command: durationOf(t.Command), Message: durationOf(t.Message),
			Close: durationOf(t.Close),
		}
	}
	return server
}
