// Package lookup finds the mail servers of an address: in the table of package
// preset, by the domain's mail exchangers, by the autoconfig document that the
// domain publishes, by its SRV records (RFC 6186, RFC 8314), and in a database of
// autoconfig documents where the program names one.
//
//	found, err := lookup.Find(ctx, "ann@contoso.example", nil)
//	fmt.Println(found)                       // what was tried, with times and errors
//	grant, err := oauth.SignIn(ctx, found.Provider.Config(clientID), nil)
//
// It is a package of its own since it speaks with DNS and web servers, and
// package preset is data.
//
// # What is sent
//
// No password and no token. DNS servers learn the domain, and so do the database
// and the web servers asked; the web server autoconfig.DOMAIN learns the address
// too, unless Options.HideAddress says otherwise, since some make their answer
// from it.
//
// # What may be believed
//
// Web servers are asked by https, and a redirect to anything else is refused, so
// that their answer is the domain's. DNS answers are not protected: a mail
// exchanger leads only to providers that are known here, and Result.Confirm says
// where a person has to look at the servers before credentials go there.
//
// A document may name any host. A program that looks up addresses for strangers
// gives an HTTPClient whose Transport dials no addresses of its own network.
package lookup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"golang.org/x/net/idna"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
)

// Method is a way to find servers.
type Method string

// The methods, in the order in which Find tries them.
const (
	// ByDomain looks the domain up in preset's table, without any I/O.
	ByDomain Method = "domain table"
	// ByMX asks DNS for the domain's mail exchangers and looks them up in
	// preset's table.
	ByMX Method = "MX records"
	// ByAutoconfig asks the domain's web servers for an autoconfig document.
	ByAutoconfig Method = "autoconfig"
	// BySRV asks DNS for the domain's SRV records.
	BySRV Method = "SRV records"
	// ByMXAutoconfig asks the web servers of the domain of the mail exchanger,
	// which is that of a hosting company.
	ByMXAutoconfig Method = "autoconfig of the mail exchanger"
	// ByDatabase asks Options.Database.
	ByDatabase Method = "database"
)

// Methods returns all methods in their order.
func Methods() []Method {
	return []Method{ByDomain, ByMX, ByAutoconfig, BySRV, ByMXAutoconfig, ByDatabase}
}

// DefaultTimeout is the bound on each step where Options has none.
const DefaultTimeout = 10 * time.Second

// Resolver asks DNS. *net.Resolver is one.
type Resolver interface {
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

// Options change how Find goes about it. The zero value asks the machine's
// resolver and the domain's own web servers.
type Options struct {
	// Methods are those to try, in this order; nil for all in theirs.
	Methods []Method
	// Providers are known to the program, and come before those of package
	// preset: by their Domains, MX and hosts.
	Providers []preset.Provider
	// Database is the https address of a database of autoconfig documents, to
	// which a slash and the domain are added, such as
	// https://autoconfig.thunderbird.net/v1.1. Where it is empty none is asked.
	Database string
	// Resolver asks DNS, net.DefaultResolver where it is nil.
	Resolver Resolver
	// HTTPClient asks web servers. Its cookies and its redirect policy are
	// replaced. Nil means one with http.DefaultTransport, which takes its
	// proxy from the environment.
	HTTPClient *http.Client
	// HideAddress keeps the address from the web server autoconfig.DOMAIN.
	HideAddress bool
	// AllowHTTP asks autoconfig.DOMAIN by plain http too, after all else that
	// the domain has. Everybody on the way can answer in its place.
	AllowHTTP bool
	// Timeout bounds each step, DefaultTimeout where it is zero.
	Timeout time.Duration
	// Logger is told of each step. Nil discards it.
	Logger *slog.Logger
	// Observer is told of the operation lookup.find. It may be nil.
	Observer session.Observer
}

// Result is what was found, and how.
type Result struct {
	// Address is what was looked up, Domain its domain in ASCII.
	Address, Domain string
	// Method is what found it, empty where nothing was found.
	Method Method
	// Provider has the servers. Its ID is empty where it is none of package
	// preset's and was made of what was found; what that did not tell is not
	// known, such as flows, and FilesSent.
	Provider preset.Provider
	// Users are the names to sign in with, by protocol.
	Users map[preset.Protocol]string
	// Confirm says why a person has to look at the servers before credentials
	// are sent there. It is empty where there is no reason.
	Confirm string
	// Exchange tells that Exchange's autodiscover is worth asking, which
	// package ews does. ExchangeHost is the host, with a port unless it is
	// 443, that a SRV record names for it; it may be empty.
	Exchange     bool
	ExchangeHost string
	// Document is the autoconfig document, nil where none was used.
	Document *Document
	// Steps are all that was tried.
	Steps []Step
}

// Step is one thing that was tried.
type Step struct {
	Method Method
	// Asked is what was asked for, such as an address.
	Asked string
	// Start is when, Took how long.
	Start time.Time
	Took  time.Duration
	// Found is what the answer was, in words.
	Found string
	// Err is why there was none, or why it was of no use.
	Err error
}

// ErrNotFound says that no servers were found.
var ErrNotFound = errors.New("no mail servers were found")

// Find looks up the servers of an address. It goes through the methods until one
// of them has found servers. The options may be nil.
//
// The Result is never nil, and tells what was tried even where there is an
// error: one that matches ErrNotFound after everything was tried, the context's
// where that ended, another one where the address or the options cannot be used.
func Find(ctx context.Context, address string, o *Options) (_ *Result, err error) {
	if o == nil {
		o = &Options{}
	}
	f, err := newFinder(address, o)
	if err != nil {
		return f.result, fmt.Errorf("lookup: %w", err)
	}
	ctx, end := observe.Start(ctx, o.Observer, "lookup.find", slog.String("domain", f.result.Domain))
	defer func() {
		end(err, slog.String("method", string(f.result.Method)), slog.Int("steps", len(f.result.Steps)))
	}()
	methods := o.Methods
	if methods == nil {
		methods = Methods()
	}
	for _, m := range methods {
		if f.try(ctx, m) {
			f.result.Method = m
			return f.result, nil
		}
		if ctx.Err() != nil {
			return f.result, fmt.Errorf("lookup: looking up %s ended: %w", f.result.Domain, context.Cause(ctx))
		}
	}
	return f.result, fmt.Errorf("lookup: %w for %s in %d steps; ask the provider for them", ErrNotFound, f.result.Domain, len(f.result.Steps))
}

// finder is one Find.
type finder struct {
	o        *Options
	log      *slog.Logger
	result   *Result
	resolver Resolver
	web      *web
	timeout  time.Duration
	// exchangers are what the MX records name, once asked for.
	exchangers []string
	// familiar tells that the provider is known as a whole, so that only the
	// choice among known ones was not protected.
	familiar bool
}

func newFinder(address string, o *Options) (*finder, error) {
	f := &finder{o: o, log: observe.Logger(o.Logger), result: &Result{Address: address}, resolver: o.Resolver, timeout: o.Timeout}
	parsed, err := mail.ParseAddress(address)
	if err != nil {
		return f, errors.New("what was given is not an address; give one such as ann@contoso.example")
	}
	at := strings.LastIndexByte(parsed.Address, '@')
	domain, err := asciiDomain(parsed.Address[at+1:])
	if err != nil {
		return f, err
	}
	if strings.ContainsFunc(parsed.Address, unicode.IsControl) {
		return f, errors.New("the address has a control character in it")
	}
	f.result.Address, f.result.Domain = parsed.Address[:at+1]+domain, domain
	if o.Database != "" && !strings.HasPrefix(o.Database, "https://") {
		return f, fmt.Errorf("the database is at %q; only https is allowed", o.Database)
	}
	for _, m := range o.Methods {
		if !slices.Contains(Methods(), m) {
			return f, fmt.Errorf("the method %q is none; see Methods", m)
		}
	}
	if f.resolver == nil {
		f.resolver = net.DefaultResolver
	}
	if f.timeout <= 0 {
		f.timeout = DefaultTimeout
	}
	f.web = newWeb(o.HTTPClient, o.AllowHTTP)
	return f, nil
}

// asciiDomain returns a domain as DNS has it.
func asciiDomain(domain string) (string, error) {
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(domain, "."))
	ascii = strings.ToLower(ascii)
	switch {
	case err != nil || !validHost(ascii):
		return "", fmt.Errorf("%q is not the name of a domain", domain)
	case net.ParseIP(ascii) != nil || !strings.Contains(ascii, "."):
		return "", fmt.Errorf("%q is not a domain that can be looked up; name the servers yourself", domain)
	}
	return ascii, nil
}

// try goes about one method and reports whether servers were found.
func (f *finder) try(ctx context.Context, m Method) bool {
	switch m {
	case ByDomain:
		return f.byDomain(ctx)
	case ByMX:
		return f.byMX(ctx)
	case ByAutoconfig:
		return f.byAutoconfig(ctx)
	case BySRV:
		return f.bySRV(ctx)
	case ByMXAutoconfig:
		return f.byMXAutoconfig(ctx)
	case ByDatabase:
		return f.byDatabase(ctx)
	}
	return false
}

// step does one thing within its time and writes it down, unless the context has
// ended. It reports whether it went well.
func (f *finder) step(ctx context.Context, m Method, asked string, do func(ctx context.Context) (found string, err error)) bool {
	if ctx.Err() != nil {
		return false
	}
	s := Step{Method: m, Asked: asked, Start: time.Now()}
	limited, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	s.Found, s.Err = do(limited)
	s.Took = time.Since(s.Start)
	f.result.Steps = append(f.result.Steps, s)
	attrs := []slog.Attr{slog.String("method", string(m)), slog.String("asked", f.withoutAddress(asked)), slog.Duration("took", s.Took)}
	if s.Err != nil {
		attrs = append(attrs, slog.String("error", f.withoutAddress(s.Err.Error())))
	} else {
		attrs = append(attrs, slog.String("found", f.withoutAddress(s.Found)))
	}
	f.log.LogAttrs(ctx, slog.LevelDebug, "looked up mail servers", attrs...)
	return s.Err == nil
}

// withoutAddress returns a text without the mail address, for logs.
func (f *finder) withoutAddress(text string) string {
	for _, form := range []string{f.result.Address, url.QueryEscape(f.result.Address)} {
		text = strings.ReplaceAll(text, form, "ADDRESS")
	}
	return text
}

// known takes over a provider that is known as a whole.
func (f *finder) known(p preset.Provider) {
	f.familiar = true
	f.result.Provider, f.result.Users = p, map[preset.Protocol]string{}
	for _, proto := range p.Protocols() {
		f.result.Users[proto] = p.User(proto, f.result.Address)
	}
	f.result.Exchange = f.result.Exchange || p.EWS.URL != ""
}

// find returns the first provider that has a name, the program's own before
// those of package preset.
func (f *finder) find(name string, has func(p preset.Provider, name string) bool, table func(string) (preset.Provider, bool)) (preset.Provider, bool) {
	for _, p := range f.o.Providers {
		if has(p, name) {
			return p, true
		}
	}
	return table(name)
}

// byDomain looks the domain up.
func (f *finder) byDomain(ctx context.Context) bool {
	return f.step(ctx, ByDomain, f.result.Domain, func(context.Context) (string, error) {
		p, ok := f.find(f.result.Domain, preset.Provider.HasDomain, preset.ByDomain)
		if !ok {
			return "", errors.New("the domain is none of a known provider's own")
		}
		f.known(p)
		return p.Name, nil
	})
}
