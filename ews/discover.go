package ews

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/idna"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/session"
)

// ErrNotDiscovered says that nobody who was asked knows where the mailbox is.
var ErrNotDiscovered = errors.New("no Exchange server was found")

// What [DiscoverOptions] and [DiscoveryCache] have for zero values.
const (
	DefaultDiscoverTimeout = 15 * time.Second
	DefaultDiscoveryTTL    = 24 * time.Hour
)

// maxReferrals bounds how often discovery follows where it is sent.
const maxReferrals = 10

// DiscoveryWay is a way to learn where EWS is.
type DiscoveryWay string

// The ways, in the order in which they are tried: the first three at each host, and
// then how other hosts are found.
const (
	// ByJSON is version 2 of Autodiscover, from Exchange 2016 on, without sign-in.
	ByJSON DiscoveryWay = "Autodiscover v2"
	// ByPOX is Autodiscover's "plain old XML".
	ByPOX DiscoveryWay = "Autodiscover"
	// BySOAP is Autodiscover's GetUserSettings, from Exchange 2010 on.
	BySOAP DiscoveryWay = "Autodiscover by SOAP"
	// ByRedirect asks the host autodiscover of the domain by plain http where to go.
	ByRedirect DiscoveryWay = "redirect"
	// BySRV asks DNS for _autodiscover._tcp of the domain.
	BySRV DiscoveryWay = "SRV record"
	// ByPath looks at the usual path of [DiscoverOptions.Host].
	ByPath DiscoveryWay = "usual path"
)

// DiscoverOptions are the settings of [Discover]. The zero value asks the domain's own
// hosts, and has no credentials to show them.
type DiscoverOptions struct {
	// Credentials sign in where the answer is for the owner of the mailbox alone. They
	// go to no host but those that were named, and never in the open.
	Credentials session.Credentials
	// Resource is what tokens are asked for, as in [session.Server].
	Resource string

	// Host, where it is known, is asked in place of the domain's hosts: a name with or
	// without a port.
	Host string
	// Hosts are further hosts that may be believed, and get credentials, if discovery
	// is sent there, as are those below them: such as "outlook.com".
	Hosts []string
	// Trust decides about any other host that discovery is sent to, also where the
	// Cache knows the answer. Nil means that none is believed.
	Trust func(ctx context.Context, r Referral) bool

	// NoChannelBinding is that of [Options], for hosts that take NTLM alone.
	NoChannelBinding bool

	// Dial makes connections, such as through a proxy; nil means a [net.Dialer].
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// TLS has the settings of encrypted connections; nil means those of the system.
	TLS *tls.Config
	// Resolver asks DNS for SRV records, [net.DefaultResolver] where it is nil.
	Resolver SRVResolver
	// Timeout bounds each request; zero means [DefaultDiscoverTimeout].
	Timeout time.Duration
	// UserAgent is what servers are told of the program; empty means "mailsession".
	UserAgent string

	// Cache keeps what was found. Nil means that nothing is kept.
	Cache *DiscoveryCache
	// Logger gets one record a try, at level debug. Nil means silence.
	Logger *slog.Logger
	// Observer is told of "ews.discover". It may be nil.
	Observer session.Observer
}

// SRVResolver asks DNS. A [net.Resolver] is one.
type SRVResolver interface {
	LookupSRV(ctx context.Context, service, proto, name string) (cname string, records []*net.SRV, err error)
}

// Referral is a host that nobody named, to which discovery is sent.
type Referral struct {
	// Host is the host, with its port where that is not 443.
	Host string
	// From is who sends there: an address of the web, or a name in DNS.
	From string
	// By is what led to that.
	By DiscoveryWay
	// Secure says that From was asked by https, so that it is who it says it is.
	// Without it, anybody on the way may have put the host there.
	Secure bool
	// Service says that EWS itself is said to be there. Otherwise it is to be asked
	// where that is.
	Service bool
}

// DiscoveryTry is one step of discovery.
type DiscoveryTry struct {
	Way  DiscoveryWay
	URL  string // what was asked
	Took time.Duration
	Err  error // nil where the answer leads on
}

// String returns what was tried, and what came of it.
func (t DiscoveryTry) String() string {
	s := fmt.Sprintf("%s: %s", t.Way, t.URL)
	if t.Err != nil {
		s += ": " + t.Err.Error()
	}
	return s
}

// Discovered is where a mailbox is.
type Discovered struct {
	// Server has the Host and the Port, and Path is for [Options.Path].
	Server session.Server
	Path   string
	// URL is both of them in one.
	URL string
	// Address is that of the mailbox, which may be another one than was asked for: the
	// one at which a company with several servers keeps it.
	Address string
	// By is the way by which it was found.
	By DiscoveryWay
	// Tried are the steps that led there, in their order.
	Tried []DiscoveryTry
	// At is when it was found.
	At time.Time
}

// DiscoverError says that a mailbox was not found, and what was tried.
type DiscoverError struct {
	Address string
	Tried   []DiscoveryTry
	// Err is why: it wraps [ErrNotDiscovered], and what to do about it.
	Err error
}

// Error returns all that was tried.
func (e *DiscoverError) Error() string {
	var tried strings.Builder
	for _, t := range e.Tried {
		tried.WriteString("; " + t.String())
	}
	return fmt.Sprintf("ews: discover %s: %v%s", e.Address, e.Err, tried.String())
}

// Unwrap returns why.
func (e *DiscoverError) Unwrap() error { return e.Err }

// Discover finds out where the mailbox of an address is, as Exchange's own clients do:
// it asks the domain, and the host autodiscover of the domain, by version 2 of
// Autodiscover, by its XML and by SOAP; then whoever the latter host redirects to, and
// whom the domain's SRV record names.
//
// Whom the user did not name is not believed, and gets no credentials: a host outside
// of the domain, and any host that a redirect by plain http leads to, unless
// [DiscoverOptions.Hosts] has it or [DiscoverOptions.Trust] says so. A host that
// refuses the credentials is not shown them again, and after two of those no other
// one is, so that no account is locked.
//
// The error is a [*DiscoverError] that wraps [ErrNotDiscovered], and a
// [*session.AuthError] where credentials were refused. A nil opts means the zero
// DiscoverOptions.
func Discover(ctx context.Context, address string, opts *DiscoverOptions) (_ *Discovered, err error) {
	var o DiscoverOptions
	if opts != nil {
		o = *opts
	}
	if o.Credentials.User == "" {
		o.Credentials.User = address
	}
	d := newDiscoverer(o)
	if err := d.about(address); err != nil {
		return nil, fmt.Errorf("ews: discover: %w", err)
	}
	key := o.key(address)
	if found, ok := o.Cache.load(ctx, key, d); ok {
		return &found, nil
	}
	ctx, end := observe.Start(ctx, o.Observer, "ews.discover", slog.String("domain", d.domain))
	defer func() { end(err) }()
	found, err := d.run(ctx)
	if err != nil {
		return nil, &DiscoverError{Address: address, Tried: d.tried, Err: err}
	}
	found.Tried, found.At = d.tried, time.Now()
	o.Cache.store(key, *found, d)
	return found, nil
}

// discoverer is one discovery.
type discoverer struct {
	opts    DiscoverOptions
	log     *slog.Logger
	address string
	domain  string
	first   string // the domain that the user named

	sentBy DiscoveryWay // what sent to the present address, where it is not the user's

	tried     []DiscoveryTry
	referrals int
	relied    []Referral      // hosts that were believed
	approved  map[string]bool // hosts that the program trusts
	denied    map[Referral]bool
	asked     map[string]bool // whom, and about which address
	refused   map[string]bool // hosts that refused the credentials
	refusal   error           // the first one
	unnamed   []string        // hosts that were not believed
	secrets   backend.Secrets // what was sent to sign in
}

func newDiscoverer(o DiscoverOptions) *discoverer {
	return &discoverer{
		opts: o, log: observe.Logger(o.Logger),
		approved: map[string]bool{}, denied: map[Referral]bool{}, asked: map[string]bool{}, refused: map[string]bool{},
	}
}

// about sets the address to ask about.
func (d *discoverer) about(address string) error {
	i := strings.LastIndexByte(address, '@')
	domain, err := idna.Lookup.ToASCII(strings.TrimSuffix(address[i+1:], "."))
	if i <= 0 || err != nil || !strings.Contains(domain, ".") || strings.ContainsAny(address, " \t\r\n<>/") {
		return fmt.Errorf("%q is not the address of a mailbox", address)
	}
	d.address, d.domain = address, strings.ToLower(domain)
	d.first = cmp.Or(d.first, d.domain)
	return nil
}

// told is what an answer comes to: one of the fields is set.
type told struct {
	service string // the address of EWS
	mailbox string // the address to ask about instead
	next    string // who is to be asked instead
}

// run asks about one address after the other.
func (d *discoverer) run(ctx context.Context) (*Discovered, error) {
	for {
		way, t := d.search(ctx)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("%w: %w", ErrNotDiscovered, context.Cause(ctx))
		case t.service != "":
			server, path, err := ParseURL(t.service)
			if err != nil {
				return nil, err
			}
			return &Discovered{Server: server, Path: path, URL: t.service, Address: d.address, By: way}, nil
		case t.mailbox == "":
			return nil, d.failure()
		}
		d.sentBy = way
		if d.about(t.mailbox) != nil {
			return nil, fmt.Errorf("%w: the server sends to %q, which is not the address of a mailbox", ErrNotDiscovered, d.mask(t.mailbox))
		}
	}
}

// failure says why nothing was found, and what to do.
func (d *discoverer) failure() error {
	switch {
	case d.refusal != nil:
		return fmt.Errorf("%w: %w", ErrNotDiscovered, d.refusal)
	case len(d.unnamed) > 0:
		return fmt.Errorf("%w among those that were named; if %s may be trusted with the credentials, name it in DiscoverOptions.Hosts",
			ErrNotDiscovered, strings.Join(d.unnamed, " or "))
	case d.opts.Host == "":
		return fmt.Errorf("%w; where the server's name is known, set DiscoverOptions.Host", ErrNotDiscovered)
	}
	return fmt.Errorf("%w at this host", ErrNotDiscovered)
}

// search asks about the address in all ways.
func (d *discoverer) search(ctx context.Context) (DiscoveryWay, told) {
	if host := d.opts.Host; host != "" {
		if way, t := d.host(ctx, host); t != (told{}) {
			return way, t
		}
		return ByPath, d.path(ctx, host)
	}
	hosts := []string{d.domain, "autodiscover." + d.domain}
	if d.domain != d.first && !d.trust(ctx, Referral{Host: d.domain, From: d.first, By: d.sentBy, Secure: true}) {
		d.note(ctx, d.sentBy, d.domain, time.Now(), &unnamedError{d.domain})
		return "", told{}
	}
	for _, host := range hosts {
		if way, t := d.host(ctx, host); t != (told{}) {
			return way, t
		}
	}
	if way, t := d.redirect(ctx, hosts[1]); t != (told{}) {
		return way, t
	}
	return d.srv(ctx)
}

// host asks a host in all ways that a host knows.
func (d *discoverer) host(ctx context.Context, host string) (DiscoveryWay, told) {
	about := host + " " + d.address
	if d.asked[about] {
		return "", told{}
	}
	d.asked[about] = true
	for _, way := range []DiscoveryWay{ByJSON, ByPOX, BySOAP} {
		t, reached := d.ask(ctx, way, d.url(way, host))
		if t != (told{}) {
			return way, t
		}
		if !reached || ctx.Err() != nil {
			break
		}
	}
	return "", told{}
}

// named reports whether the user named a host, or one that it is below. Of the
// domain's own, exactly leaves those below out.
func (d *discoverer) named(host string, exactly bool) bool {
	below := func(name string) bool {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		return name != "" && (host == name || strings.HasSuffix(host, "."+name))
	}
	return slices.ContainsFunc(d.opts.Hosts, below) || d.own(host) || !exactly && (below(d.first) || below(hostOf(d.opts.Host)))
}

// trust reports whether a host may be believed. Who was approved once is not asked
// about again.
func (d *discoverer) trust(ctx context.Context, r Referral) bool {
	host := hostOf(r.Host)
	if d.named(host, r.By == ByRedirect) || d.approved[host] {
		d.relied = append(d.relied, r)
		return true
	}
	question := r
	question.From = ""
	if d.denied[question] {
		return false
	}
	if d.opts.Trust != nil && d.opts.Trust(ctx, r) {
		d.approved[host] = true
		d.relied = append(d.relied, r)
		return true
	}
	d.denied[question] = true
	if shown := d.mask(host); !slices.Contains(d.unnamed, shown) {
		d.unnamed = append(d.unnamed, shown)
	}
	return false
}

// hostOf returns the name out of "host" and "host:port".
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(strings.Trim(host, "[]"), "."))
}

// note takes down a try.
func (d *discoverer) note(ctx context.Context, way DiscoveryWay, url string, since time.Time, err error) {
	url, err = d.shown(url), d.advised(url, err)
	t := DiscoveryTry{Way: way, URL: url, Took: time.Since(since), Err: err}
	d.tried = append(d.tried, t)
	d.log.DebugContext(ctx, "ews discover", "way", string(way), "url", url, "error", err)
}

// shown is an address without secrets: a server may have made it up. The user's own
// names are no secrets, whatever the password is.
func (d *discoverer) shown(address string) string {
	if scheme, rest, ok := strings.Cut(address, "://"); ok {
		if host, path, ok := strings.Cut(rest, "/"); ok && d.own(hostOf(host)) {
			return scheme + "://" + host + "/" + d.mask(path)
		}
	}
	return d.mask(address)
}

// own reports whether the user named a host himself.
func (d *discoverer) own(host string) bool {
	return slices.Contains([]string{d.first, "autodiscover." + d.first, hostOf(d.opts.Host)}, host)
}

// advised is an error without secrets, which says what to do about a certificate.
func (d *discoverer) advised(address string, err error) error {
	if err == nil {
		return nil
	}
	_, host, _ := strings.Cut(address, "://")
	host, _, _ = strings.Cut(host, "/")
	if remedy := backend.CertificateRemedy(err, session.Server{Host: host, TLS: d.opts.TLS}); remedy != "" {
		err = fmt.Errorf("%w; %s", err, remedy)
	}
	if words := err.Error(); d.mask(words) != words {
		return errors.New(d.mask(words))
	}
	return err
}

// mask takes out of words what was sent to sign in.
func (d *discoverer) mask(words string) string { return masked(words, slices.Clone(d.secrets)) }

// unnamedError says that a host is not believed.
type unnamedError struct{ host string }

// Error returns where the answer leads, and that nobody goes there.
func (e *unnamedError) Error() string {
	return fmt.Sprintf("it leads to %s, which was not named, and is not believed unasked", e.host)
}
