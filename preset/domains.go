package preset

import (
	"net"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// ByDomain returns the provider that the addresses of a domain are always at,
// and whether one is known. Whose domain is not among the providers' own is
// told by its mail exchangers; see ByMX.
func ByDomain(domain string) (Provider, bool) { return find(Provider.HasDomain, domain) }

// ByMX returns the provider that a mail exchanger is of, and whether one is
// known, such as Google for "aspmx.l.google.com".
func ByMX(host string) (Provider, bool) { return find(Provider.HasMX, host) }

// ByHost returns the provider that an IMAP, POP3 or SMTP server is of, and
// whether one is known. Where several providers share a server, as Microsoft's
// do, it is the first of them.
func ByHost(host string) (Provider, bool) { return find(Provider.HasHost, host) }

// find returns the first provider that has a name.
func find(has func(p Provider, name string) bool, name string) (Provider, bool) {
	for _, e := range entries() {
		if p, ok := e.data(); ok && has(p, name) {
			return p, true
		}
	}
	return Provider{}, false
}

// HasDomain reports whether the addresses of a domain are always at the
// provider.
func (p Provider) HasDomain(domain string) bool {
	domain = canonical(domain)
	for _, d := range p.Domains {
		if domain == d || (strings.HasPrefix(d, ".") && strings.HasSuffix(domain, d)) {
			return true
		}
	}
	return false
}

// HasMX reports whether a mail exchanger is the provider's.
func (p Provider) HasMX(host string) bool {
	host = "." + canonical(host)
	for _, end := range p.MX {
		if strings.HasSuffix(host, "."+end) {
			return true
		}
	}
	return false
}

// HasHost reports whether an IMAP, POP3 or SMTP server is the provider's. An
// address in place of a name is nobody's.
func (p Provider) HasHost(host string) bool {
	host = canonical(host)
	if net.ParseIP(host) != nil {
		return false
	}
	for _, s := range []session.Server{p.IMAP, p.POP3, p.SMTP} {
		if s.Host != "" && canonical(s.Host) == host {
			return true
		}
	}
	return false
}

// canonical returns a name in lower case and without the last dot.
func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
