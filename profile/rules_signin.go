package profile

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/preset"
)

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
		"tokenFile": !p.TokenFile.IsZero(), "refreshToken": !p.RefreshToken.IsZero(), "password": !p.Password.IsZero(), "authUser": p.AuthUser != "",
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
		FlowPassword:          {"password", "authUser"},
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
		if has[name] && !slices.Contains(needs, name) && !slices.Contains(strings.Fields(rule.allows), name) {
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

// redirect looks at where the browser ends.
func (c *checker) redirect() {
	text := string(c.p.RedirectURI)
	if text == "" || c.refers(text) || c.flow != FlowPKCE {
		return
	}
	u, err := url.Parse(text)
	const fix = `write "http://localhost", "http://127.0.0.1" or "http://[::1]" with the path as it is registered, or the https address or the scheme of your own that is`
	switch {
	case err != nil || u.Scheme == "":
		c.add("redirectUri", "it is not an absolute address", fix)
	case u.Fragment != "" || u.User != nil || u.RawQuery != "" || u.ForceQuery:
		c.add("redirectUri", "it has a query, a fragment or a user, which a redirect must not have", fix)
	case u.Scheme == "http" && !slices.Contains([]string{"localhost", "127.0.0.1", "::1"}, u.Hostname()):
		c.add("redirectUri", "it uses http and is not on this machine", fix)
	case c.provider != nil && c.p.OAuth == nil:
		if err := c.provider.Redirects.Check(text); err != nil {
			c.add("redirectUri", c.cause(err, c.p.RedirectURI), fmt.Sprintf("%s takes %q", c.provider.Name, c.provider.RedirectURL))
		}
	}
}

// parameters looks at the further parameters of a sign-in.
func (c *checker) parameters() {
	for name, value := range c.p.AuthParams {
		field := "authParams/" + strings.TrimPrefix(below("", name), "/")
		if reservedParam(name) {
			c.add(field, "the sign-in sets this parameter itself", "remove it")
		}
		if name != "prompt" || c.refers(string(value)) {
			continue
		}
		known := []string{"none", "login", "consent", "select_account", "create"}
		for word := range strings.FieldsSeq(string(value)) {
			if !slices.Contains(known, word) {
				c.add(field, "the prompt "+c.quote(word)+" is not known", nearOf(word, known))
			}
		}
	}
}

// reservedParam reports whether a parameter is the protocol's own.
func reservedParam(name string) bool {
	return slices.Contains([]string{
		"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method",
		"response_mode", "client_secret", "request", "request_uri",
	}, name)
}

// account looks whether it is known who signs in.
func (c *checker) account() {
	p := c.p
	if p.Account != "" || p.Mailbox != "" || c.flow == "" {
		return
	}
	missing := slices.ContainsFunc(c.sides, func(s side) bool { return s.user == "" })
	if !missing {
		return
	}
	switch c.flow {
	case FlowPKCE, FlowDevice, FlowPinned:
	default:
		c.add("account", fmt.Sprintf("it is missing, and the flow %s does not tell whose mailbox to open", c.flow), "give the mailbox's address")
		return
	}
	scopes := words(p.Scopes...)
	if len(scopes) == 0 && c.provider != nil {
		scopes = c.provider.SignInScopes
	}
	if len(scopes) == 0 && p.Provider != "" || slices.ContainsFunc(scopes, c.refers) {
		return
	}
	if !slices.Contains(scopes, "openid") || !slices.Contains(scopes, "email") {
		c.add("account", "it is missing, and without the scopes openid and email nobody tells it", "give the account, or add openid and email to the scopes")
	}
}
