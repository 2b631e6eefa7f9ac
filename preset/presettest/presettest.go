// Package presettest is a whole fake mail provider in one call: an
// authorization server, an IMAP server, a POP3 server, an SMTP server and an
// Exchange server over the same mailboxes, and a preset that points the other
// packages at them.
//
//	provider := presettest.NewProvider(nil)
//	defer provider.Close()
//	ann := provider.Add("ann@contoso.example", secret.New("correct horse"))
//	ann.Append("INBOX", mailtest.CRLF(text), nil)
//
// Programs are given provider.Preset() in place of a preset of a real
// provider, and sign in with provider.Browser in place of a person. Everything
// else they do as they would outside.
//
// The servers are those of oauthtest, imaptest, pop3test, smtptest and ewstest:
// their faults, and their logs of what the program said, are reached through the
// fields OAuth, IMAP, POP3, SMTP and EWS.
//
// As Microsoft's, the mail servers take access tokens by XOAUTH2 and not by
// OAUTHBEARER, a token opens only the protocols whose scopes it has, refresh
// tokens are given for the scope offline_access, the address is in the id_token,
// the POP3 server takes AUTH in two steps only, and the Exchange server wants
// programs without a person to name the mailbox that they act for. Unlike
// Microsoft's, they take passwords too, and explain a refused token in an error
// challenge.
package presettest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/lookup"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// What the fake provider calls itself.
const (
	// Resource is what access tokens for its mail are issued for.
	Resource = "https://mail.contoso.example"
	// Domain is that of addresses which Lookup finds.
	Domain = "contoso.example"
	// ClientID is the program that is registered with it.
	ClientID = oauthtest.DefaultClientID
	// AppID is the program without a person that is registered with it; see
	// Provider.App.
	AppID = "test-app"

	imapScope = Resource + "/IMAP"
	pop3Scope = Resource + "/POP3"
	smtpScope = Resource + "/SMTP"
	ewsScope  = Resource + "/EWS"
	imapHost  = "imap.contoso.example"
	pop3Host  = "pop.contoso.example"
	smtpHost  = "smtp.contoso.example"
	ewsHost   = "mail.contoso.example"
	exchanger = "mx.contoso.example"
)

// Options change how a Provider behaves. The zero value is a provider over
// loopback TCP that speaks TLS from the first byte and never rotates refresh
// tokens.
type Options struct {
	// InMemory makes the servers reachable over pipes only, for tests in
	// virtual time; NewProvider must then be called inside the bubble that
	// uses the provider.
	InMemory bool
	// Security is how the mail servers encrypt; the zero value means TLS. The
	// Exchange server knows TLS and none, and has TLS with STARTTLS, too.
	Security session.Security
	// Exchange is the release that the Exchange server plays; empty means
	// Exchange 2016.
	Exchange ewstest.Version
	// Rotation is what becomes of refresh tokens that were used.
	Rotation oauthtest.Rotation
	// AccessLifetime is how long access tokens live, one hour if zero.
	AccessLifetime time.Duration
	// Gmail makes mailboxes and the IMAP server like those of Gmail: the folders of
	// all accounts are labels, and searches may be in Gmail's own language.
	Gmail bool
}

// Provider is a running fake provider. It is safe for concurrent use.
type Provider struct {
	// Box holds the mailboxes. Accounts are made by Add, so that the
	// authorization server knows them too.
	Box *mailtest.Box
	// OAuth, IMAP, POP3, SMTP and EWS are the servers.
	OAuth *oauthtest.Server
	IMAP  *imaptest.Server
	POP3  *pop3test.Server
	SMTP  *smtptest.Server
	EWS   *ewstest.Server

	opts      Options
	appSecret secret.Text
}

// NewProvider starts a provider without accounts; o may be nil. Like
// net/http/httptest.NewServer it panics where it cannot listen.
func NewProvider(o *Options) *Provider {
	if o == nil {
		o = &Options{}
	}
	security := map[session.Security]mailtest.Security{
		session.TLS: mailtest.TLS, session.STARTTLS: mailtest.STARTTLS, session.None: mailtest.None,
	}[o.Security]
	capabilities := imaptest.Without("AUTH=OAUTHBEARER")
	if o.Gmail {
		capabilities = imaptest.GmailCapabilities()
	}
	box := mailtest.New()
	appSecret := secret.New("client-secret-" + rand.Text())
	authorization := authority(appSecret, o)
	return &Provider{
		Box:   box,
		OAuth: authorization,
		IMAP: imaptest.New(box, &imaptest.Options{
			Security: security, Hosts: []string{imapHost}, Capabilities: capabilities,
			CheckToken: checker(authorization, imapScope),
		}),
		POP3: pop3test.New(box, &pop3test.Options{
			Security: security, Hosts: []string{pop3Host},
			Capabilities: append(pop3test.Without("SASL"), "SASL PLAIN LOGIN XOAUTH2"), TwoStepAuth: true,
			CheckToken: checker(authorization, pop3Scope),
		}),
		SMTP: smtptest.New(box, &smtptest.Options{
			Security: security, Hosts: []string{smtpHost},
			Extensions: append(smtptest.Without("AUTH"), "AUTH PLAIN LOGIN XOAUTH2"),
			CheckToken: checker(authorization, smtpScope),
		}),
		EWS:       exchange(box, authorization, o),
		opts:      *o,
		appSecret: appSecret,
	}
}

// authority returns the authorization server, which knows a program for people, and one
// in its own name by a secret.
func authority(appSecret secret.Text, o *Options) *oauthtest.Server {
	return oauthtest.New(&oauthtest.Options{
		InMemory: o.InMemory,
		Accounts: []oauthtest.Account{},
		Clients: []oauthtest.Client{
			{ID: ClientID},
			{ID: AppID, Secret: appSecret, App: &oauthtest.App{Permissions: []string{imapScope, pop3Scope, smtpScope, ewsScope}}},
		},
		Scopes:         []string{imapScope, pop3Scope, smtpScope, ewsScope, "openid", "email", "profile", "offline_access"},
		OneResource:    true,
		RequireOffline: true,
		Rotation:       o.Rotation,
		AccessLifetime: o.AccessLifetime,
	})
}

// exchange returns the Exchange server, which is strict.
func exchange(box *mailtest.Box, authorization *oauthtest.Server, o *Options) *ewstest.Server {
	security := mailtest.TLS
	if o.Security == session.None {
		security = mailtest.None
	}
	check := authorization.Checker(ewsScope)
	return ewstest.New(box, &ewstest.Options{
		Security: security, Hosts: []string{ewsHost}, Version: o.Exchange, Strict: true,
		CheckToken:  checker(authorization, ewsScope),
		Application: func(token secret.Text) bool { return check(AppID, token) == nil },
	})
}

// Add makes an account with a password and lets it sign in at the
// authorization server too. An account without a password opens by token only.
func (p *Provider) Add(address string, password secret.Text) *mailtest.Account {
	p.OAuth.AddAccount(oauthtest.Account{Email: address})
	return p.account(address, password)
}

// AddShared makes an account that nobody signs in to, such as the mailbox of a
// department, and opens it to the program that App returns.
func (p *Provider) AddShared(address string) *mailtest.Account {
	p.OAuth.OpenMailbox(AppID, address)
	return p.account(address, secret.Text{})
}

// account makes an account of the kind that the options ask for.
func (p *Provider) account(address string, password secret.Text) *mailtest.Account {
	a := p.Box.Add(address, password)
	if p.opts.Gmail {
		a.UseLabels()
	}
	return a
}

// App returns the program that opens shared mailboxes in its own name:
//
//	session.Credentials{User: "info@contoso.example", Tokens: app}
func (p *Provider) App(protocols ...preset.Protocol) (*oauth.App, error) {
	c := p.Preset().AppConfig(AppID, protocols...)
	c.HTTPClient = p.OAuth.Client()
	return oauth.ClientCredentials(c, oauth.ClientSecret(p.appSecret), nil)
}

// AppSecret returns the secret of the program AppID, for settings that are to hold
// it.
func (p *Provider) AppSecret() secret.Text { return p.appSecret }

// checker decides about the access tokens of one protocol.
func checker(server *oauthtest.Server, scope string) func(ctx context.Context, user string, token secret.Text) error {
	check := server.Checker(scope)
	return func(_ context.Context, user string, token secret.Text) error {
		err := check(user, token)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, oauthtest.ErrWrongScope):
			return &mailtest.TokenError{Status: "400", Code: "insufficient_scope", Scope: scope}
		}
		return &mailtest.TokenError{Scope: scope}
	}
}

// Preset returns what a program has to know of the provider. It panics where
// the servers cannot listen or are closed.
func (p *Provider) Preset() preset.Provider {
	return preset.Provider{
		Name:    "Contoso",
		Source:  "preset/presettest",
		Checked: time.Now(),
		MX:      []string{exchanger},
		Endpoint: oauth.Endpoint{
			Issuer:                p.OAuth.Issuer(),
			AuthURL:               p.OAuth.AuthURL(),
			TokenURL:              p.OAuth.TokenURL(),
			DeviceURL:             p.OAuth.DeviceURL(),
			RevokeURL:             p.OAuth.RevokeURL(),
			ResponseMode:          "form_post",
			IssuerInRedirect:      true,
			RefreshTokensReusable: p.opts.Rotation == oauthtest.RotateNever || p.opts.Rotation == oauthtest.RotateKeepOld,
		},
		RedirectURL:  "http://127.0.0.1",
		SignInScopes: []string{"openid", "email", "profile", "offline_access"},
		Scopes: map[preset.Protocol][]string{
			preset.IMAP: {imapScope},
			preset.POP3: {pop3Scope},
			preset.SMTP: {smtpScope},
			preset.EWS:  {ewsScope},
		},
		AppScopes: map[preset.Protocol][]string{
			preset.IMAP: {Resource + "/.default"},
			preset.POP3: {Resource + "/.default"},
			preset.SMTP: {Resource + "/.default"},
			preset.EWS:  {Resource + "/.default"},
		},
		IMAP: p.server(imapHost, p.IMAP),
		POP3: p.server(pop3Host, p.POP3),
		SMTP: p.server(smtpHost, p.SMTP),
		EWS:  preset.Service{URL: p.ewsURL(), Resource: Resource},
	}
}

// EWSServer returns how the Exchange server is reached: what the Preset's URL
// says, and beside that the certificate to trust and, in memory, how to dial.
func (p *Provider) EWSServer() session.Server {
	s := p.server(ewsHost, p.EWS)
	if s.Security == session.STARTTLS {
		s.Security = session.TLS
	}
	return s
}

// ewsURL returns the address of the Exchange server.
func (p *Provider) ewsURL() string {
	if !p.opts.InMemory {
		return p.EWS.URL()
	}
	if p.opts.Security == session.None {
		return "http://" + ewsHost + ewstest.Path
	}
	return "https://" + ewsHost + ewstest.Path
}

// fake is what the mail servers have in common.
type fake interface {
	Addr() string
	Dial(ctx context.Context, network, address string) (net.Conn, error)
	ClientTLS() *tls.Config
}

func (p *Provider) server(host string, f fake) session.Server {
	s := session.Server{Host: host, Security: p.opts.Security, TLS: f.ClientTLS(), Resource: Resource}
	s.AllowPlainAuth = s.Security == session.None // nobody else is on this line
	if p.opts.InMemory {
		s.Dial = f.Dial
		return s
	}
	address, port, err := net.SplitHostPort(f.Addr())
	if err == nil {
		s.Host = address
		s.Port, err = strconv.Atoi(port)
	}
	if err != nil {
		panic(fmt.Sprintf("presettest: %s does not listen: %v", host, err))
	}
	return s
}

// Lookup returns options with which lookup.Find finds the provider for the
// addresses of accounts at Domain, by the mail exchanger that a fake DNS names.
// It asks no real DNS and no web server.
func (p *Provider) Lookup() *lookup.Options {
	return &lookup.Options{
		Providers:  []preset.Provider{p.Preset()},
		Resolver:   names{},
		HTTPClient: &http.Client{Transport: noWeb{}},
	}
}

// names is a DNS that knows of the mail exchanger of one domain.
type names struct{}

// LookupMX names the provider's mail exchanger for addresses at Domain.
func (names) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	if name == Domain {
		return []*net.MX{{Host: exchanger + ".", Pref: 10}}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// LookupSRV knows of nothing.
func (names) LookupSRV(_ context.Context, _, _, name string) (cname string, records []*net.SRV, err error) {
	return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
}

// noWeb is a web without servers.
type noWeb struct{}

// RoundTrip refuses.
func (noWeb) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("there is no web server in the fake provider")
}

// Config returns the settings for a sign-in, with an HTTP client that reaches
// the provider over TCP and in memory.
func (p *Provider) Config(protocols ...preset.Protocol) *oauth.Config {
	c := p.Preset().Config(ClientID, protocols...)
	c.HTTPClient = p.OAuth.Client()
	return c
}

// Browser returns options for a sign-in in which a plain HTTP client plays the
// browser and the person at it, who signs in as address. The sign-in fails where
// Add has not made that account.
func (p *Provider) Browser(address string) *oauth.SignInOptions {
	return &oauth.SignInOptions{LoginHint: address, OpenURL: p.OAuth.Browser, Listen: p.OAuth.Listen}
}

// Close ends all servers and their connections.
func (p *Provider) Close() {
	p.IMAP.Close()
	p.POP3.Close()
	p.SMTP.Close()
	_ = p.EWS.Close()
	p.OAuth.Close()
}
