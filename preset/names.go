package preset

import (
	"fmt"
	"slices"
	"strings"
)

// Options are what a provider depends on.
type Options struct {
	// Tenant is Microsoft's: an id, a domain of it, "organizations" or
	// "common". The providers of one region alone have none.
	Tenant string
	// Host is the server of the providers that everybody can have at home,
	// such as Exchange.
	Host string
	// OAuthBase is the base URL of the authorization server, in place of the
	// provider's own; see [oauth.MicrosoftEndpoint].
	OAuthBase string
	// Resource is what Exchange's access tokens are issued for, in place of the
	// provider's own, where sources conflict or a tenant differs.
	Resource string
}

// entry is a provider by its name.
type entry struct {
	name string
	// options are the names of those that it heeds.
	options []string
	make    func(o Options) (Provider, error)
}

// data returns the provider with a tenant and a host that stand for any, for
// what does not depend on them.
func (e entry) data() Provider {
	p, _ := e.make(Options{Host: "mail.example.com"})
	p.ID = e.name
	return p
}

// fixed is an entry of a provider that depends on nothing.
func fixed(name string, provider func() Provider) entry {
	return entry{name: name, make: func(Options) (Provider, error) { return provider(), nil }}
}

// Names returns the names that New and ByName know, in alphabetical order.
func Names() []string {
	var names []string
	for _, e := range entries() {
		names = append(names, e.name)
	}
	slices.Sort(names)
	return names
}

// ByName returns a provider by its name alone: "microsoft" for Microsoft365 with
// "common", which takes work, school and personal accounts, "outlook.com" for
// Microsoft's personal accounts alone, "google" for Gmail and Google Workspace.
// Case does not matter.
func ByName(name string) (Provider, error) { return New(name, nil) }

// New returns a provider by its name, with what it depends on; o may be nil. An
// option that the provider has no use for is an error, as is a missing Host.
func New(name string, o *Options) (Provider, error) {
	if o == nil {
		o = &Options{}
	}
	all := entries()
	i := slices.IndexFunc(all, func(e entry) bool { return strings.EqualFold(e.name, name) })
	if i < 0 {
		return Provider{}, fmt.Errorf("preset: no provider is called %q; known are %s", name, strings.Join(Names(), ", "))
	}
	for option, value := range map[string]string{"tenant": o.Tenant, "host": o.Host, "OAuth base": o.OAuthBase, "resource": o.Resource} {
		if value != "" && !slices.Contains(all[i].options, option) {
			return Provider{}, fmt.Errorf("preset: the provider %q has no use for a %s; leave it out", name, option)
		}
	}
	p, err := all[i].make(*o)
	p.ID = all[i].name
	return p, err
}

// entries are all providers, those first that people look for first.
func entries() []entry {
	return []entry{
		{name: "microsoft", options: []string{"tenant", "OAuth base"}, make: func(o Options) (Provider, error) {
			return exchangeTenant(o), nil
		}},
		fixed("outlook.com", OutlookCom),
		fixed("google", Google),
		fixed("google-workspace", GoogleWorkspace),
	}
}
