package profile

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
)

// providerNames returns the names of all providers.
func (o *Options) providerNames() []string {
	names := append(slices.Collect(maps.Keys(o.Providers)), preset.Names()...)
	slices.Sort(names)
	return slices.Compact(names)
}

// provider returns the provider of a set; unknown tells that the error is its
// name.
func (o *Options) provider(p *Parameters) (provider preset.Provider, unknown bool, err error) {
	name := string(p.Provider)
	if provider, ok := o.Providers[name]; ok {
		return provider, false, nil
	}
	if !slices.ContainsFunc(preset.Names(), func(n string) bool { return strings.EqualFold(n, name) }) {
		return provider, true, fmt.Errorf("the provider %q is not known", cut(name))
	}
	options := preset.Options{Tenant: string(p.Tenant)}
	if p.OAuth != nil {
		options.OAuthBase, options.Resource = string(p.OAuth.Base), string(p.OAuth.Resource)
	}
	provider, err = preset.New(name, &options)
	if err != nil && p.OAuth != nil {
		// Another authorization server is in front of any provider.
		options.OAuthBase, options.Resource = "", ""
		provider, err = preset.New(name, &options)
	}
	if host := hostOf(p); err != nil && host != "" {
		options.Host = host
		provider, err = preset.New(name, &options)
	}
	return provider, false, err
}

// hostOf returns the host that a provider which everybody can have depends on,
// "" where the set names none.
func hostOf(p *Parameters) string {
	for _, s := range sidesOf(p, [2]SideOverride{}) {
		if s.host != "" {
			return string(s.host)
		}
		if u, err := url.Parse(string(s.url)); err == nil && u.Hostname() != "" {
			return u.Hostname()
		}
	}
	return ""
}

// securityName returns the word of a kind of encryption.
func securityName(s session.Security) Security {
	return map[session.Security]Security{session.TLS: TLS, session.STARTTLS: STARTTLS, session.None: None}[s]
}

// securityOf returns what a word stands for.
func securityOf(s Security) session.Security {
	return map[Security]session.Security{TLS: session.TLS, STARTTLS: session.STARTTLS, None: session.None}[s]
}

// modeOf returns what a word stands for.
func modeOf(m Mode) session.Mode {
	return map[Mode]session.Mode{ReadOnly: session.ReadOnly, SendOnly: session.SendOnly}[m]
}

// endpoint returns the authorization server of a set.
func (b *builder) endpoint(ctx context.Context, known oauth.Endpoint) (oauth.Endpoint, error) {
	o := b.p.OAuth
	if o == nil {
		return known, nil
	}
	e := known
	if o.Base != "" {
		e = oauth.MicrosoftEndpoint(string(o.Base), string(b.p.Tenant))
	}
	if o.Issuer != "" {
		found, err := oauth.Discover(ctx, string(o.Issuer), &oauth.DiscoverOptions{HTTPClient: b.client, Proxy: b.proxy, Retry: b.retry})
		if err != nil {
			return e, err
		}
		e = found.Endpoint
	}
	own := o.AuthURL != "" || o.TokenURL != ""
	if own && o.Base == "" && o.Issuer == "" {
		e = oauth.Endpoint{AuthURL: e.AuthURL, TokenURL: e.TokenURL, DeviceURL: e.DeviceURL, RevokeURL: e.RevokeURL, AuthStyle: e.AuthStyle}
	}
	for target, url := range map[*string]String{&e.AuthURL: o.AuthURL, &e.TokenURL: o.TokenURL, &e.DeviceURL: o.DeviceURL, &e.RevokeURL: o.RevokeURL} {
		if url != "" {
			*target = string(url)
		}
	}
	if o.AuthStyle != "" {
		e.AuthStyle = oauth.InParams
		if o.AuthStyle == InHeader {
			e.AuthStyle = oauth.InHeader
		}
	}
	return e, nil
}

// access returns what is to be allowed.
func (b *builder) access() preset.Access {
	a := preset.Access{Mode: b.plan.Mode, OtherMailbox: b.p.Mailbox != "" && !strings.EqualFold(string(b.p.Mailbox), string(b.p.Account))}
	for _, s := range []*Side{b.plan.Incoming, b.plan.Outgoing} {
		if s != nil {
			a.Protocols = append(a.Protocols, preset.Protocol(s.Protocol))
		}
	}
	if len(b.p.Scopes) > 0 {
		a.Scopes = words(b.p.Scopes...)
	}
	return a
}

// config returns the client of the authorization server.
func (b *builder) config(ctx context.Context) (*oauth.Config, error) {
	p, access := b.p, b.access()
	cfg := b.provider.ConfigFor(string(p.ClientID), access)
	switch b.plan.Flow {
	case FlowClientCredentials, FlowCertificate, FlowServiceAccount, FlowManagedIdentity:
		cfg = b.provider.AppConfig(string(p.ClientID), access.Protocols...)
		if access.Scopes != nil {
			cfg.Scopes = access.Scopes
		}
	default:
	}
	endpoint, err := b.endpoint(ctx, cfg.Endpoint)
	if err != nil {
		return nil, fmt.Errorf("profile: set %q: %w", b.plan.Name, err)
	}
	cfg.Endpoint = endpoint
	cfg.ClientSecret = p.ClientSecret.literal
	if p.RedirectURI != "" {
		cfg.RedirectURL = string(p.RedirectURI)
	}
	for name, value := range p.AuthParams {
		if cfg.AuthParams == nil {
			cfg.AuthParams = map[string][]string{}
		}
		cfg.AuthParams.Set(name, string(value))
	}
	cfg.HTTPClient, cfg.Proxy, cfg.Retry = b.client, b.proxy, b.retry
	cfg.Logger = b.opts.Logger
	if b.opts.Observer != nil {
		cfg.Observer = b.opts.Observer
	}
	return cfg, nil
}
