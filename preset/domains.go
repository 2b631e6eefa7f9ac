package preset

import "strings"

// ByDomain returns the provider that the addresses of a domain are always at,
// and whether one is known. Whose domain is not among the providers' own is
// told by its mail exchangers; see ByMX.
func ByDomain(domain string) (Provider, bool) {
	domain = strings.ToLower(strings.TrimSuffix(domain, "."))
	for _, e := range entries() {
		p := e.data()
		for _, d := range p.Domains {
			if domain == d || (strings.HasPrefix(d, ".") && strings.HasSuffix(domain, d)) {
				return p, true
			}
		}
	}
	return Provider{}, false
}

// ByMX returns the provider that a mail exchanger is of, and whether one is
// known, such as Google for "aspmx.l.google.com".
func ByMX(host string) (Provider, bool) {
	host = "." + strings.ToLower(strings.TrimSuffix(host, "."))
	var (
		found   Provider
		longest int
	)
	for _, e := range entries() {
		p := e.data()
		for _, end := range p.MX {
			if strings.HasSuffix(host, "."+end) && len(end) > longest {
				found, longest = p, len(end)
			}
		}
	}
	return found, longest > 0
}
