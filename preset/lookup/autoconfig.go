package lookup

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
)

// wellKnown is where a domain's own web server has its document, atHost where
// the web server autoconfig.DOMAIN has it.
const (
	wellKnown = "/.well-known/autoconfig/mail/config-v1.1.xml"
	atHost    = "/mail/config-v1.1.xml"
)

// byAutoconfig asks the domain's web servers.
func (f *finder) byAutoconfig(ctx context.Context) bool {
	domain := f.result.Domain
	query := ""
	if !f.o.HideAddress {
		query = "?emailaddress=" + url.QueryEscape(f.result.Address)
	}
	if f.document(ctx, ByAutoconfig, "https://autoconfig."+domain+atHost+query) || f.document(ctx, ByAutoconfig, "https://"+domain+wellKnown) {
		return true
	}
	if f.o.AllowHTTP && f.document(ctx, ByAutoconfig, "http://autoconfig."+domain+atHost+query) {
		f.result.Confirm = "the document came by plain http, where everybody on the way can answer"
		return true
	}
	return false
}

// byMXAutoconfig asks the web servers of the company that takes the domain's
// mail. They do not learn whose address it is for.
func (f *finder) byMXAutoconfig(ctx context.Context) bool {
	for _, d := range f.askHosters(ctx, ByMXAutoconfig) {
		if f.document(ctx, ByMXAutoconfig, "https://autoconfig."+d+atHost) || f.document(ctx, ByMXAutoconfig, "https://"+d+wellKnown) {
			f.confirmHoster(d)
			return true
		}
	}
	return false
}

// askHosters asks who takes the domain's mail, and returns the domains of that
// company, none where it is the domain itself.
func (f *finder) askHosters(ctx context.Context, m Method) (domains []string) {
	f.step(ctx, m, f.result.Domain, func(ctx context.Context) (string, error) {
		if err := f.askMX(ctx); err != nil {
			return "", err
		}
		domains = f.hosters()
		if len(domains) == 0 {
			return "", fmt.Errorf("the mail exchanger %s is the domain's own", f.exchangers[0])
		}
		return strings.Join(domains, ", "), nil
	})
	return domains
}

// hosters returns the domains of the first mail exchanger: what is left without
// its own name, and what was registered.
func (f *finder) hosters() []string {
	host := f.exchangers[0]
	registered, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return nil
	}
	domains := []string{registered}
	if _, rest, _ := strings.Cut(host, "."); rest != registered && strings.HasSuffix(rest, "."+registered) {
		domains = []string{rest, registered}
	}
	return slices.DeleteFunc(domains, func(d string) bool { return d == f.result.Domain })
}

// confirmHoster asks for a person's look at what a mail exchanger led to.
func (f *finder) confirmHoster(domain string) {
	if !f.familiar {
		f.result.Confirm = fmt.Sprintf("DNS, which is not protected, names a mail exchanger of %s, whose web server named the servers", domain)
	}
}

// byDatabase asks the database for the domain, and for that of the mail
// exchanger.
func (f *finder) byDatabase(ctx context.Context) bool {
	if f.o.Database == "" {
		return false
	}
	base := strings.TrimRight(f.o.Database, "/") + "/"
	if f.document(ctx, ByDatabase, base+f.result.Domain) {
		return true
	}
	for _, d := range f.askHosters(ctx, ByDatabase) {
		if f.document(ctx, ByDatabase, base+d) {
			f.confirmHoster(d)
			return true
		}
	}
	return false
}

// document asks for a document and takes over what it says.
func (f *finder) document(ctx context.Context, m Method, address string) bool {
	return f.step(ctx, m, address, func(ctx context.Context) (string, error) {
		body, err := f.web.get(ctx, address)
		if err != nil {
			return "", err
		}
		d, err := ParseDocument(body, f.result.Address)
		if err != nil {
			return "", err
		}
		if len(d.Servers) == 0 {
			return "", fmt.Errorf("the document names no server that can be used: %s", strings.Join(d.Skipped, "; "))
		}
		source, _, _ := strings.Cut(address, "?")
		f.take(d, source)
		f.result.Document = d
		return f.result.Provider.Name + ", " + d.summary(), nil
	})
}

// take takes over what a document says. Where its servers are a known provider's,
// that is worth more than the document, but for the users' names.
func (f *finder) take(d *Document, source string) {
	users := map[preset.Protocol]string{}
	for _, s := range d.Servers {
		if _, seen := users[s.Protocol]; !seen {
			users[s.Protocol] = s.User
		}
	}
	if p, ok := f.provider(d); ok {
		f.known(p)
		maps.Copy(f.result.Users, users)
		return
	}
	f.result.Provider, f.result.Users = d.provider(source, time.Now()), users
	f.result.Exchange = f.result.Exchange || d.Exchange
}

// provider returns the known provider of all of a document's mail servers.
func (f *finder) provider(d *Document) (preset.Provider, bool) {
	var found preset.Provider
	for _, s := range d.Servers {
		if s.Host == "" {
			continue
		}
		p, ok := f.find(s.Host, preset.Provider.HasHost, preset.ByHost)
		if !ok || (found.Name != "" && p.Name != found.Name && !found.HasHost(s.Host)) {
			return preset.Provider{}, false
		}
		if found.Name == "" {
			found = p
		}
	}
	return found, found.Name != ""
}

// provider makes a provider of a document.
func (d *Document) provider(source string, at time.Time) preset.Provider {
	p := preset.Provider{Name: d.Name, Source: source, Checked: at}
	passwords, tokens := []preset.Protocol{}, []preset.Protocol{}
	told := false
	for _, s := range d.Servers {
		if p.Offers(s.Protocol) {
			continue
		}
		s.serve(&p)
		told = told || s.Authentication != nil
		if slices.Contains(s.Authentication, PasswordAuth) {
			passwords = append(passwords, s.Protocol)
		}
		if slices.Contains(s.Authentication, TokenAuth) {
			tokens = append(tokens, s.Protocol)
		}
	}
	if !told {
		return p
	}
	p.Flows, p.Refused = map[preset.Flow]preset.FlowFacts{}, map[preset.Flow]string{}
	if len(passwords) > 0 {
		p.Flows[preset.FlowPassword] = preset.FlowFacts{Protocols: passwords}
		p.Flows[preset.FlowAppPassword] = preset.FlowFacts{Protocols: passwords}
	}
	d.authorize(&p, tokens)
	return p
}

// authorize adds the authorization server.
func (d *Document) authorize(p *preset.Provider, protocols []preset.Protocol) {
	if len(protocols) == 0 {
		return
	}
	if d.OAuth == nil {
		p.Refused[preset.FlowBrowser] = "the servers take tokens, but the document names no authorization server; give its endpoints"
		return
	}
	p.Endpoint = oauth.Endpoint{AuthURL: d.OAuth.AuthURL, TokenURL: d.OAuth.TokenURL}
	if strings.HasPrefix(d.OAuth.Issuer, "https://") {
		p.Endpoint.Issuer = d.OAuth.Issuer
	}
	p.Flows[preset.FlowBrowser] = preset.FlowFacts{Protocols: protocols}
	p.Scopes = map[preset.Protocol][]string{}
	for _, proto := range protocols {
		p.Scopes[proto] = slices.Clone(d.OAuth.Scopes)
	}
}

// serve sets a server of a provider.
func (s Server) serve(p *preset.Provider) {
	server := session.Server{Host: s.Host, Port: s.Port, Security: s.Security}
	switch s.Protocol {
	case preset.IMAP:
		p.IMAP = server
	case preset.POP3:
		p.POP3 = server
	case preset.SMTP:
		p.SMTP = server
	case preset.EWS:
		p.EWS.URL = s.URL
	case preset.Graph:
		p.Graph.URL = s.URL
	}
}
