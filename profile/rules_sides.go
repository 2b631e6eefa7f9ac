package profile

import (
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/proxy"
	"github.com/mailsession/mailsession/state"
)

// side is one of the two sides of a set, with what both have.
type side struct {
	name       string // "incoming" or "outgoing"
	incoming   bool
	implied    bool // because the set has neither
	protocol   Protocol
	security   Security
	host, url  String
	port       Number
	user       String
	mechanisms List
	allowPlain Flag
	recipient  String
}

// sidesOf returns the sides of a set, those of the provider where it has none.
func (c *checker) sidesOf() []side {
	p := c.p
	var sides []side
	if in := p.Incoming; in != nil {
		sides = append(sides, side{
			name: "incoming", incoming: true, protocol: orDefault(in.Protocol, IMAP), security: in.Security, host: in.Host, url: in.URL,
			port: in.Port, user: in.User, mechanisms: in.Mechanisms, allowPlain: in.AllowPlainAuth,
		})
	}
	if out := p.Outgoing; out != nil {
		sides = append(sides, side{
			name: "outgoing", protocol: orDefault(out.Protocol, SMTP), security: out.Security, host: out.Host, url: out.URL,
			port: out.Port, user: out.User, mechanisms: out.Mechanisms, allowPlain: out.AllowPlainAuth,
			recipient: out.TestRecipient,
		})
	}
	if len(sides) > 0 {
		return sides
	}
	if p.Mode != SendOnly {
		sides = append(sides, c.implies(side{name: "incoming", incoming: true, protocol: IMAP}, c.implied[0]))
	}
	if p.Mode != ReadOnly {
		sides = append(sides, c.implies(side{name: "outgoing", protocol: SMTP}, c.implied[1]))
	}
	return sides
}

// implies returns a side that the set does not name, with what the program
// overrides of it.
func (c *checker) implies(s side, o SideOverride) side {
	s.implied, s.host, s.user = true, String(o.Host), String(o.User)
	if o.Port != 0 {
		s.port = Number(strconv.Itoa(o.Port))
	}
	return s
}

func orDefault[S ~string](value, otherwise S) S {
	if value == "" {
		return otherwise
	}
	return value
}

// modes looks at what the mode has no use for, and what it cannot do without.
func (c *checker) modes() {
	p := c.p
	if p.Incoming == nil && p.Outgoing == nil && p.Provider == "" {
		c.add("incoming", "there are neither servers nor a provider that has some", "add incoming or outgoing, or name a provider")
	}
	pointless := func(field string, set bool) {
		if set {
			c.add(field, fmt.Sprintf("it means nothing in the mode %s", p.Mode), "remove it, or choose another mode")
		}
	}
	limits := Limits{}
	if p.Limits != nil {
		limits = *p.Limits
	}
	switch p.Mode {
	case ReadOnly:
		pointless("outgoing", p.Outgoing != nil)
		pointless("limits/messagesPerMinute", limits.MessagesPerMinute != "")
	case SendOnly:
		pointless("incoming", p.Incoming != nil)
		pointless("limits/pageSize", limits.PageSize != "")
		pointless("outgoing/saveSent", p.Outgoing != nil && p.Outgoing.SaveSent != "")
	default:
	}
}

// side looks at one side.
func (c *checker) side(s side) {
	if c.refers(string(s.protocol)) || c.bad(c.path+"/"+s.name+"/protocol") || c.bad(c.path+"/"+s.name) {
		return
	}
	if s.protocol == EWS || s.protocol == Graph {
		c.service(s)
	} else {
		c.mailServer(s)
	}
	c.offered(s)
	if s.recipient != "" && !c.refers(string(s.recipient)) {
		if _, err := mail.ParseAddress(string(s.recipient)); err != nil {
			c.add("outgoing/testRecipient", "it is not a mail address", `write one such as "ann@example.com"`)
		}
	}
}

// service looks at a side over HTTPS.
func (c *checker) service(s side) {
	for field, set := range map[string]bool{
		"security": s.security != "", "port": s.port != "",
		"mechanisms": len(s.mechanisms) > 0 && s.protocol == Graph, "allowPlainAuth": s.allowPlain != "" && s.protocol == Graph,
	} {
		if set {
			c.add(s.name+"/"+field, fmt.Sprintf("it means nothing with %s, which goes over HTTPS", s.protocol), "remove it")
		}
	}
	if l := c.p.Limits; !s.incoming && s.protocol == EWS && c.opts.Outgoing[EWS] == nil && l != nil && l.MessagesPerMinute != "" {
		c.add("limits/messagesPerMinute", "it means nothing with EWS, whose server has limits of its own", "remove it, or send by SMTP")
	}
	c.host(s, "write the name alone; an address has the field url")
	c.address(s.name+"/url", s.url)
	if s.url == "" && s.host == "" && c.p.Provider == "" {
		c.add(s.name+"/url", "it is missing, and no provider knows it", "give the service's address")
	}
}

// mailServer looks at a side of IMAP, POP3 or SMTP.
func (c *checker) mailServer(s side) {
	c.shared(s)
	if s.url != "" {
		c.add(s.name+"/url", fmt.Sprintf("it means nothing with %s", s.protocol), "give host and port")
	}
	c.port(s)
	security, known := s.security, !c.refers(string(s.security))
	c.host(s, "write the name alone; the port has a field of its own")
	switch {
	case s.host == "" && !s.implied && c.p.Provider == "" && c.p.Account == "" && c.p.Mailbox == "":
		c.add(s.name+"/host", "it is missing, and there is neither a provider nor an address to find it by", "give the host, a provider or the account")
	}
	if known && security == None && s.allowPlain != Yes && !c.refers(string(s.allowPlain)) {
		c.add(s.name+"/security", "credentials are not sent without encryption", "use TLS or STARTTLS; where everybody on the way may read them, set allowPlainAuth to true")
	}
	if known && security != None && security != "" && s.allowPlain == Yes {
		c.add(s.name+"/allowPlainAuth", fmt.Sprintf("it means nothing with %s", security), "remove it")
	}
}

// host looks at the name of a host.
func (c *checker) host(s side, fix string) {
	host := string(s.host)
	if host != "" && !c.refers(host) && strings.ContainsAny(host, "/ :@") && !isAddress(host) {
		c.add(s.name+"/host", "it is not the name of a host", fix)
	}
}

// isAddress reports whether a host is an IP address.
func isAddress(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil
}

// portOf returns what kinds of encryption a well-known port has, nil for others.
func portOf(p Protocol, port int) []Security {
	switch fmt.Sprintf("%s %d", p, port) {
	case "IMAP 993", "POP3 995", "SMTP 465":
		return []Security{TLS}
	case "IMAP 143", "POP3 110", "SMTP 25", "SMTP 587":
		return []Security{STARTTLS, None}
	}
	return nil
}

// port looks at a port and the encryption that belongs to it.
func (c *checker) port(s side) {
	if s.port == "" || c.refers(string(s.port)) || c.bad(c.path+"/"+s.name+"/security") {
		return
	}
	n, err := strconv.Atoi(string(s.port))
	if err != nil || n < 1 || n > 65535 {
		c.add(s.name+"/port", "it is not a port", "write a number from 1 to 65535")
		return
	}
	security := s.security
	if security == "" && c.provider != nil {
		if known, ok := c.provider.Server(preset.Protocol(s.protocol)); ok {
			security = securityName(known.Security)
		}
	}
	security = orDefault(security, TLS)
	right := portOf(s.protocol, n)
	if c.refers(string(security)) || right == nil || slices.Contains(right, security) {
		return
	}
	c.add(s.name+"/port", fmt.Sprintf("%d is not the port of %s with %s", n, s.protocol, security),
		fmt.Sprintf("set security to %s, or leave the port out", strings.Join(words(right...), " or ")))
}

// shared looks whether a password can open another mailbox than the account's.
func (c *checker) shared(s side) {
	own := c.p.Mailbox == "" || c.p.Account == "" || strings.EqualFold(string(c.p.Mailbox), string(c.p.Account))
	if c.flow == FlowPassword && s.incoming && s.user == "" && !own {
		c.add("mailbox", fmt.Sprintf("the account's password does not open it by %s", s.protocol),
			`give incoming a user in the server's own form, such as "CONTOSO\\ann\\info"`)
	}
}

// offered looks whether the provider has the protocol, and the flow for it.
func (c *checker) offered(s side) {
	if c.provider == nil || c.flow == "" {
		return
	}
	proto := preset.Protocol(s.protocol)
	if !c.provider.Offers(proto) {
		if s.host == "" && s.url == "" {
			c.add(s.name, fmt.Sprintf("%s does not offer %s", c.provider.Name, s.protocol), "use "+protocolNames(c.provider.Protocols()))
		}
		return
	}
	if c.p.OAuth != nil && c.flow != FlowPassword {
		return // Another authorization server has flows of its own.
	}
	if err := allows(*c.provider, c.flow, proto); err != nil && !c.warned(proto) {
		reason, fix := err.Error(), ""
		if e, ok := errors.AsType[*preset.FlowError](err); ok {
			reason = fmt.Sprintf("%s has no flow %s for %s", c.provider.Name, c.flow, s.protocol)
			if e.Reason != "" {
				reason += ": " + e.Reason
			}
			fix = "use " + flowNames(e.Flows)
		}
		c.add("flow", reason, fix)
	}
}

// warned reports whether the flow is one that the provider had once: it loads,
// with a warning.
func (c *checker) warned(proto preset.Protocol) bool {
	for _, r := range c.provider.Retirements {
		if (r.Protocols == nil || slices.Contains(r.Protocols, proto)) && slices.Contains(r.Flows, presetFlow(c.flow)) {
			return true
		}
	}
	return false
}

// address looks at an address of the web.
func (c *checker) address(field string, text String) {
	if text == "" || c.refers(string(text)) {
		return
	}
	u, err := url.Parse(string(text))
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "":
		c.add(field, "it is not an address", `write one such as "https://login.example.com/…", without user and fragment`)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		c.add(field, "it is not encrypted", "use https")
	}
}

// isLoopback reports whether a host is this machine.
func isLoopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}

// rest looks at the settings that have little to do with the others.
func (c *checker) rest() {
	p := c.p
	c.retry(p.Retry)
	if t := p.TLS; t != nil && (t.Certificate == "") != t.Key.IsZero() {
		c.add("tls/key", "a client's certificate and its key belong together", "give both or none")
	}
	if x := p.Proxy; x != nil {
		c.proxy(x)
	}
	if s := p.Store; s != nil && s.Key != "" && !c.refers(string(s.Key)) {
		if err := state.CheckKey(string(s.Key)); err != nil {
			c.add("store/key", c.cause(err, s.Key), "")
		}
	}
	if l := p.Limits; l != nil {
		for field, n := range map[string]Number{"connections": l.Connections, "pageSize": l.PageSize, "messagesPerMinute": l.MessagesPerMinute} {
			c.whole("limits/"+field, n, 1)
		}
	}
}

func (c *checker) proxy(x *Proxy) {
	if x.Environment == Yes && x.URL != "" {
		c.add("proxy/url", "the environment is to decide as well", "give one of the two")
	}
	if x.URL == "" && x.Environment == "" {
		c.add("proxy/url", "it is missing", "give the proxy's url, or set environment to true")
	}
	if x.User == "" && !x.Password.IsZero() {
		c.add("proxy/user", "it is missing, and there is a password", "give it")
	}
	if x.URL == "" || c.refers(string(x.URL)) {
		return
	}
	if err := (&proxy.Config{URL: string(x.URL)}).Check(); err != nil {
		c.add("proxy/url", strings.TrimPrefix(err.Error(), "proxy: "), `write one such as "http://proxy.example.com:3128"`)
	}
}

func (c *checker) retry(r *Retry) {
	if r == nil {
		return
	}
	for field, set := range map[string]bool{
		"statuses": len(r.Statuses) > 0, "count": r.Count != "", "wait": r.Wait != "", "factor": r.Factor != "", "maxWait": r.MaxWait != "",
	} {
		if set && (r.On == RetryNone || field == "statuses" && r.On != RetryStatus && !c.refers(string(r.On))) {
			c.add("retry/"+field, fmt.Sprintf("it means nothing with on: %q", orDefault(r.On, RetryAny)), "remove it, or choose another on")
		}
	}
	c.whole("retry/count", r.Count, 0)
	for i, s := range r.Statuses {
		if n, err := strconv.Atoi(string(s)); !c.refers(string(s)) && (err != nil || n < 100 || n > 599) {
			c.add(fmt.Sprintf("retry/statuses/%d", i), "it is not a status of HTTP", "write a number from 100 to 599")
		}
	}
	if f, err := strconv.ParseFloat(string(r.Factor), 64); r.Factor != "" && !c.refers(string(r.Factor)) && (err != nil || f < 1 || f > 1000) {
		c.add("retry/factor", "it is not a factor", "write a number from 1 to 1000")
	}
}

// whole looks at a number that has no fraction.
func (c *checker) whole(field string, n Number, least int) {
	if n == "" || c.refers(string(n)) {
		return
	}
	if i, err := strconv.Atoi(string(n)); err != nil || i < least || i > 1_000_000 {
		c.add(field, "it is not a number of things", fmt.Sprintf("write a whole number from %d to 1000000", least))
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
			if indexOf(known, word) < 0 {
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

// allows is [preset.Provider.Allows] for the flows of this package.
func allows(provider preset.Provider, flow Flow, proto preset.Protocol) error {
	switch flow {
	case FlowExternal:
		return nil // How somebody else gets tokens is their matter.
	case FlowPinned:
		if provider.Allows(preset.FlowDevice, proto) == nil {
			return nil
		}
		return provider.Allows(preset.FlowBrowser, proto)
	case FlowPassword:
		if provider.Allows(preset.FlowAppPassword, proto) == nil {
			return nil
		}
	default:
	}
	return provider.Allows(presetFlow(flow), proto)
}

// presetFlow is what package preset calls a flow.
func presetFlow(f Flow) preset.Flow {
	switch f {
	case FlowPKCE, FlowPinned:
		return preset.FlowBrowser
	case FlowCertificate:
		return preset.FlowClientCredentials
	default:
		return preset.Flow(f)
	}
}

// flowNames returns the flows of this package that stand for those of package
// preset.
func flowNames(flows []preset.Flow) string {
	var names []string
	for _, f := range flows {
		switch f {
		case preset.FlowBrowser:
			names = append(names, string(FlowPKCE), string(FlowPinned))
		case preset.FlowClientCredentials:
			names = append(names, string(FlowClientCredentials), string(FlowCertificate))
		case preset.FlowAppPassword:
			names = append(names, string(FlowPassword))
		default:
			names = append(names, string(f))
		}
	}
	slices.Sort(names)
	return strings.Join(slices.Compact(names), ", ")
}

func protocolNames(protocols []preset.Protocol) string {
	return strings.Join(words(protocols...), ", ")
}
