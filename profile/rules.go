package profile

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/preset"
)

// checker looks for mistakes in one set.
type checker struct {
	m       *mistakes
	opts    *Options
	schemes schemes
	// resolved tells that references were replaced by what they give, so that
	// nothing is one, and no value may be quoted.
	resolved bool
	// given tells that the program has credentials of its own, and implied what
	// it overrides of sides that the set does not name.
	given   bool
	implied [2]SideOverride

	p    *Parameters
	path string
	look int // how many paths were suspect when the rules began; see bad
	flow Flow
	// provider is the set's, nil where it has none or where it is not known yet.
	provider *preset.Provider
	sides    []side
}

func (f *File) checker(m *mistakes) *checker {
	return &checker{m: m, opts: &f.opts, schemes: f.opts.schemes()}
}

// refers reports whether a text is a reference, so that its value is not known
// yet.
func (c *checker) refers(text string) bool { return !c.resolved && c.schemes.has(text) }

// bad reports whether something was said about a path before the rules began, so
// that they do not look at it any more.
func (c *checker) bad(path string) bool {
	n, suspect := c.m.suspects[path]
	return suspect && n < c.look
}

// quote returns a value for a message.
func (c *checker) quote(text string) string {
	if c.resolved {
		return "what is there"
	}
	return fmt.Sprintf("%q", cut(text))
}

// cause returns what another package says of a value, without the value where
// that came of a reference.
func (c *checker) cause(err error, value String) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "preset: "), strconv.Quote(string(value)), c.quote(string(value)))
}

// add notes a mistake in a field of the set, named by its names with "/".
// One about which something was said already is passed over.
func (c *checker) add(field, reason, fix string) {
	if path := c.path + "/" + field; !c.bad(path) {
		c.m.add(path, reason, fix)
	}
}

// set looks at all of a set.
func (c *checker) set(p *Parameters, path string) {
	c.p, c.path = p.clone(), path
	c.formats()
	c.look = len(c.m.suspects)
	c.flow, c.provider = c.flowOf(), c.providerOf()
	c.sides = c.sidesOf()
	if c.given {
		c.flow = ""
	} else {
		c.server()
		c.signIn()
		c.account()
		c.redirect()
		c.parameters()
	}
	c.modes()
	for _, s := range c.sides {
		c.side(s)
	}
	c.rest()
}

// flowOf returns the flow, "" where it is not known yet.
func (c *checker) flowOf() Flow {
	p := c.p
	switch {
	case c.refers(string(p.Flow)), c.bad(c.path + "/flow"):
		return ""
	case p.Flow == "" && (c.bad(c.path+"/password") || c.bad(c.path+"/refreshToken") || c.bad(c.path+"/tokenFile")):
		return "" // It follows from what has another name.
	case p.Flow != "":
		return p.Flow
	case !p.RefreshToken.IsZero() || !p.TokenFile.IsZero():
		return FlowPinned
	case !p.Password.IsZero():
		return FlowPassword
	}
	return FlowPKCE
}

// providerOf returns the provider, nil where there is none or where it depends
// on a reference.
func (c *checker) providerOf() *preset.Provider {
	p := c.p
	if p.Provider == "" || c.refers(string(p.Provider)) || c.refers(string(p.Tenant)) || c.bad(c.path+"/tenant") {
		return nil
	}
	provider, unknown, err := c.opts.provider(p)
	switch {
	case err == nil:
		return &provider
	case unknown:
		c.add("provider", "the provider "+c.quote(string(p.Provider))+" is not known", nearOf(string(p.Provider), c.opts.providerNames()))
	case !c.anyReference():
		c.add("provider", strings.TrimPrefix(err.Error(), "preset: "), "")
	}
	return nil
}

// anyReference reports whether what a provider depends on is not known yet.
func (c *checker) anyReference() bool {
	found := c.p.OAuth != nil && (c.refers(string(c.p.OAuth.Base)) || c.refers(string(c.p.OAuth.Resource)))
	for _, s := range c.sidesOf() {
		found = found || c.refers(string(s.host)) || c.refers(string(s.url))
	}
	return found
}

// server looks at where to sign in.
func (c *checker) server() {
	o := c.p.OAuth
	if o != nil {
		c.endpoints(o)
	}
	switch c.flow {
	case FlowPKCE, FlowDevice, FlowClientCredentials, FlowCertificate, FlowPinned:
	default:
		return
	}
	if c.p.Provider == "" && (o == nil || o.Base == "" && o.Issuer == "" && o.TokenURL == "") {
		c.add("provider", "nothing says where to sign in", "name a provider, or give oauth its base, its issuer or its tokenUrl")
		return
	}
	if c.provider == nil && c.p.Provider != "" || o != nil && (o.Base != "" || o.Issuer != "") {
		return
	}
	has := func(url String, known string) bool { return o != nil && url != "" || known != "" }
	provided, given := preset.Provider{}, OAuth{}
	if c.provider != nil {
		provided = *c.provider
	}
	if o != nil {
		given = *o
	}
	switch {
	case c.flow == FlowPKCE && !has(given.AuthURL, provided.Endpoint.AuthURL):
		c.add("oauth/authUrl", "it is missing, and the flow pkce sends the user there", "give it, or the issuer, which knows it")
	case c.flow == FlowDevice && !has(given.DeviceURL, provided.Endpoint.DeviceURL):
		c.add("oauth/deviceUrl", "it is missing, and the flow device begins there", "give it, or the issuer, which knows it")
	case !has(given.TokenURL, provided.Endpoint.TokenURL):
		c.add("oauth/tokenUrl", "it is missing, and tokens come from there", "give it, or the issuer, which knows it")
	}
}

// endpoints looks at the addresses of an authorization server.
func (c *checker) endpoints(o *OAuth) {
	if o.Base != "" && o.Issuer != "" {
		c.add("oauth/issuer", "there is a base as well", "give one of the two")
	}
	if o.Base != "" && !c.refers(string(o.Base)) {
		base := string(o.Base)
		if !strings.Contains(base, "://") {
			base = "https://" + base
		}
		c.address("oauth/base", String(base))
	}
	for field, url := range map[string]String{
		"issuer": o.Issuer, "authUrl": o.AuthURL, "tokenUrl": o.TokenURL, "deviceUrl": o.DeviceURL, "revokeUrl": o.RevokeURL,
	} {
		c.address("oauth/"+field, url)
	}
}

// fields are what only some flows have a use for, by their names.
func (c *checker) fields() map[string]bool {
	p := c.p
	return map[string]bool{
		"clientId": p.ClientID != "", "clientSecret": !p.ClientSecret.IsZero(), "tenant": p.Tenant != "",
		"redirectUri": p.RedirectURI != "", "scopes": len(p.Scopes) > 0, "authParams": len(p.AuthParams) > 0,
		"tokenFile": !p.TokenFile.IsZero(), "refreshToken": !p.RefreshToken.IsZero(), "password": !p.Password.IsZero(),
		"certificate": p.Certificate != nil, "serviceAccount": p.ServiceAccount != nil,
		"managedIdentity": p.ManagedIdentity != nil, "external": p.External != nil,
	}
}

// flowFields are the fields that a flow cannot do without, and those that it may
// have besides.
type flowFields struct{ needs, allows string }

func flowRules() map[Flow]flowFields {
	return map[Flow]flowFields{
		FlowPKCE:              {"clientId", "clientSecret tenant redirectUri scopes authParams tokenFile"},
		FlowDevice:            {"clientId", "clientSecret tenant scopes tokenFile"},
		FlowClientCredentials: {"clientId clientSecret", "tenant scopes tokenFile"},
		FlowCertificate:       {"clientId certificate", "tenant scopes"},
		FlowServiceAccount:    {"serviceAccount", "scopes"},
		FlowManagedIdentity:   {"", "clientId managedIdentity tenant scopes"},
		FlowPinned:            {"clientId refreshToken", "clientSecret tenant scopes tokenFile"},
		FlowExternal:          {"external", ""},
		FlowPassword:          {"password", ""},
	}
}

// signIn looks at what the flow needs, what it has no use for, and whether the
// provider has it.
func (c *checker) signIn() {
	rule, ok := flowRules()[c.flow]
	if !ok {
		return
	}
	has := c.fields()
	inFile := func(name string) bool {
		return has["tokenFile"] && (name == "clientId" || name == "clientSecret" || name == "refreshToken")
	}
	needs := strings.Fields(rule.needs)
	for _, name := range needs {
		if !has[name] && !inFile(name) {
			c.add(name, fmt.Sprintf("it is missing, and the flow %s needs it", c.flow), c.whereFrom(name))
		}
	}
	for field := range reflect.TypeFor[Parameters]().Fields() {
		name := nameOf(field)
		if has[name] && indexOf(needs, name) < 0 && indexOf(strings.Fields(rule.allows), name) < 0 {
			c.add(name, fmt.Sprintf("it means nothing with the flow %s", c.flow), "remove it, or choose another flow")
		}
	}
	c.credentials()
	c.secretOf()
}

// whereFrom says where a missing field comes from.
func (c *checker) whereFrom(name string) string {
	switch name {
	case "clientId":
		return "register the program with the provider, which gives it a client id"
	case "clientSecret":
		return "refer to the secret that the provider gave to the program"
	case "refreshToken", "password":
		return "refer to it: " + strings.Join(c.schemes.examples(), ", ")
	}
	return "add it"
}

// credentials looks into the parts that prove who signs in.
func (c *checker) credentials() {
	p := c.p
	if p.Certificate != nil && p.Certificate.Content.IsZero() {
		c.add("certificate/content", "it is missing", "refer to a PEM or PFX file with the certificate and its key")
	}
	if p.ServiceAccount != nil && p.ServiceAccount.Key.IsZero() {
		c.add("serviceAccount/key", "it is missing", "refer to the JSON key file of the account")
	}
	if e := p.External; e != nil {
		switch {
		case e.Token.IsZero() == (e.URL == ""):
			c.add("external", "there has to be either a token or a url", "give one of the two")
		case len(e.Header) > 0 && e.URL == "":
			c.add("external/header", "it means nothing without a url", "remove it")
		}
		c.address("external/url", e.URL)
	}
}

// secretOf looks whether clients of the provider have a secret.
func (c *checker) secretOf() {
	if c.provider == nil || c.p.OAuth != nil {
		return
	}
	facts, ok := c.provider.Flows[presetFlow(c.flow)]
	if !ok || c.flow == FlowCertificate {
		return
	}
	given := !c.p.ClientSecret.IsZero()
	switch {
	case facts.Secret == preset.SecretNone && given:
		c.add("clientSecret", "the clients of "+c.provider.Name+" have none, and one that is sent is refused", "leave it empty")
	case facts.Secret == preset.SecretRequired && !given && c.p.TokenFile.IsZero() && c.flow != FlowClientCredentials:
		c.add("clientSecret", "it is missing, and every client of "+c.provider.Name+" has one", "refer to the secret that the provider gave to the program")
	}
}
