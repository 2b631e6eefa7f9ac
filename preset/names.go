package preset

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/spelling"
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

// data returns the provider without what it depends on, and whether there is
// one without.
func (e entry) data() (Provider, bool) {
	p, err := e.make(Options{})
	p.ID = e.name
	return p, err == nil
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
// option that the provider has no use for is an error, as is a missing Host. That of
// a name which is not known tells the one that was probably meant.
func New(name string, o *Options) (Provider, error) {
	if o == nil {
		o = &Options{}
	}
	all := entries()
	i := slices.IndexFunc(all, func(e entry) bool { return strings.EqualFold(e.name, name) })
	if i < 0 {
		return Provider{}, fmt.Errorf("preset: no provider is called %q; %s", name, likely(name))
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

// likely says which provider was probably meant by a name, or which ones there are.
func likely(name string) string {
	for _, domain := range []string{name, name + ".com"} { // "gmail", "hotmail.com"
		if p, ok := ByDomain(domain); ok {
			return fmt.Sprintf("did you mean %q?", p.ID)
		}
	}
	if near := spelling.Nearest(name, Names(), 2); near != "" {
		return fmt.Sprintf("did you mean %q?", near)
	}
	return "known are " + strings.Join(Names(), ", ")
}

// entries are all providers, those first that people look for first.
func entries() []entry {
	clouds := []string{"tenant", "OAuth base", "resource"}
	return append([]entry{
		{name: "microsoft", options: clouds, make: exchangeTenant(Microsoft365, "common")},
		{name: "microsoft-gcc", options: clouds, make: exchangeTenant(MicrosoftGCC, "organizations")},
		{name: "microsoft-gcc-high", options: clouds, make: exchangeTenant(MicrosoftGCCHigh, "organizations")},
		{name: "microsoft-dod", options: clouds, make: exchangeTenant(MicrosoftDoD, "organizations")},
		{name: "microsoft-china", options: clouds, make: exchangeTenant(MicrosoftChina, "organizations")},
		fixed("outlook.com", OutlookCom),
		{name: "exchange", options: []string{"host", "tenant", "OAuth base", "resource"}, make: exchangeServer},
		fixed("google", Google),
		fixed("google-workspace", GoogleWorkspace),
		fixed("yahoo", Yahoo),
		fixed("aol", AOL),
		fixed("att", ATT),
		fixed("fastmail", Fastmail),
		fixed("comcast", Comcast),
		fixed("yandex", Yandex),
		fixed("mail.ru", MailRu),
		fixed("icloud", ICloud),
		fixed("gmx", GMX),
		fixed("gmx.com", GMXCom),
		fixed("web.de", WebDE),
		fixed("mail.com", MailCom),
		fixed("1und1", OneAndOne),
		fixed("mailbox.org", MailboxOrg),
		fixed("posteo", Posteo),
		fixed("t-online", TOnline),
		fixed("orange", Orange),
		fixed("libero", Libero),
		fixed("qq", QQ),
		fixed("seznam", Seznam),
		fixed("163.com", NetEase),
		fixed("naver", Naver),
		{name: "proton-bridge", options: []string{"host"}, make: func(o Options) (Provider, error) { return ProtonBridge(o.Host), nil }},
	}, zohoEntries()...)
}
