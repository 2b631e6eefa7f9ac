package lookup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
)

// maxExchangers is how many mail exchangers are looked at.
const maxExchangers = 20

// byMX looks the domain's mail exchangers up.
func (f *finder) byMX(ctx context.Context) bool {
	return f.step(ctx, ByMX, f.result.Domain, func(ctx context.Context) (string, error) {
		if err := f.askMX(ctx); err != nil {
			return "", err
		}
		for _, host := range f.exchangers {
			if p, ok := f.find(host, preset.Provider.HasMX, preset.ByMX); ok {
				f.known(p)
				return p.Name + ", by " + host, nil
			}
		}
		return "", fmt.Errorf("the mail exchangers %s are of no provider that is known", strings.Join(f.exchangers, ", "))
	})
}

// askMX asks for the mail exchangers, unless they are known already. Within a step,
// which bounds it.
func (f *finder) askMX(ctx context.Context) error {
	if len(f.exchangers) > 0 {
		return nil
	}
	records, err := f.resolver.LookupMX(ctx, f.result.Domain)
	if absent(err) || (err == nil && len(records) == 0) {
		return errors.New("the domain has no MX records")
	}
	// Some records may be well even where the resolver found fault with others.
	if err != nil && len(records) == 0 {
		return fmt.Errorf("the MX records cannot be had: %w", err)
	}
	for _, r := range records[:min(len(records), maxExchangers)] {
		host := strings.ToLower(strings.TrimSuffix(r.Host, "."))
		if host == "" {
			return errors.New("the domain takes no mail (RFC 7505)")
		}
		if validHost(host) {
			f.exchangers = append(f.exchangers, host)
		}
	}
	if len(f.exchangers) == 0 {
		return errors.New("the MX records name no host")
	}
	return nil
}

// absent reports whether DNS says that there is no such record.
func absent(err error) bool {
	e, ok := errors.AsType[*net.DNSError](err)
	return ok && e.IsNotFound
}

// service is a SRV record that leads to a server.
type service struct {
	name     string
	protocol preset.Protocol
	security session.Security
}

// services are those of RFC 6186 and RFC 8314, TLS from the first byte before
// STARTTLS.
func services() []service {
	return []service{
		{"imaps", preset.IMAP, session.TLS},
		{"imap", preset.IMAP, session.STARTTLS},
		{"pop3s", preset.POP3, session.TLS},
		{"pop3", preset.POP3, session.STARTTLS},
		{"submissions", preset.SMTP, session.TLS},
		{"submission", preset.SMTP, session.STARTTLS},
	}
}

// bySRV asks for the domain's SRV records.
func (f *finder) bySRV(ctx context.Context) bool {
	found := &Document{Name: f.result.Domain}
	for _, s := range services() {
		if found.has(s.protocol) {
			continue
		}
		f.step(ctx, BySRV, "_"+s.name+"._tcp."+f.result.Domain, func(ctx context.Context) (string, error) {
			host, port, err := f.askSRV(ctx, s.name)
			if err != nil {
				return "", err
			}
			found.Servers = append(found.Servers, Server{Protocol: s.protocol, Host: host, Port: port, Security: s.security, User: f.result.Address})
			return net.JoinHostPort(host, strconv.Itoa(port)), nil
		})
	}
	f.step(ctx, BySRV, "_autodiscover._tcp."+f.result.Domain, func(ctx context.Context) (string, error) {
		host, port, err := f.askSRV(ctx, "autodiscover")
		if err != nil {
			return "", err
		}
		f.result.Exchange, f.result.ExchangeHost = true, host
		if port != 443 {
			f.result.ExchangeHost = net.JoinHostPort(host, strconv.Itoa(port))
		}
		return f.result.ExchangeHost, nil
	})
	if len(found.Servers) == 0 {
		return false
	}
	f.take(found, "https://www.rfc-editor.org/rfc/rfc6186")
	for _, s := range found.Servers {
		if !f.familiar && !within(s.Host, f.result.Domain) {
			f.result.Confirm = fmt.Sprintf("DNS, which is not protected, names the server %s, which is not of the domain %s (RFC 6186 section 6)", s.Host, f.result.Domain)
			break
		}
	}
	return true
}

// askSRV asks for one service and returns the first server.
func (f *finder) askSRV(ctx context.Context, name string) (host string, port int, err error) {
	_, records, err := f.resolver.LookupSRV(ctx, name, "tcp", f.result.Domain)
	switch {
	case absent(err) || (err == nil && len(records) == 0):
		return "", 0, errors.New("there is no such record")
	case err != nil && len(records) == 0:
		return "", 0, fmt.Errorf("the records cannot be had: %w", err)
	}
	host, port = strings.ToLower(strings.TrimSuffix(records[0].Target, ".")), int(records[0].Port)
	switch {
	case host == "":
		return "", 0, errors.New("the domain says that it has no such service")
	case !validHost(host) || port == 0:
		return "", 0, errors.New("the record names no server")
	}
	return host, port, nil
}

// within reports whether a host is of a domain.
func within(host, domain string) bool {
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// validHost reports whether a name is one that a host can have, or an address.
func validHost(host string) bool {
	if net.ParseIP(host) != nil {
		return true
	}
	if host == "" || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range label {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return false
			}
		}
	}
	return true
}
