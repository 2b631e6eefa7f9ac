package profile

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/preset"
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

// sidesOf returns the sides of a set, incoming first. Where it names none, they
// are those that its mode implies, with what the program overrides of them.
func sidesOf(p *Parameters, overridden [2]SideOverride) []side {
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
		sides = append(sides, impliedSide(side{name: "incoming", incoming: true, protocol: IMAP}, overridden[0]))
	}
	if p.Mode != ReadOnly {
		sides = append(sides, impliedSide(side{name: "outgoing", protocol: SMTP}, overridden[1]))
	}
	return sides
}

// impliedSide returns a side that the set does not name, with what the program
// overrides of it.
func impliedSide(s side, o SideOverride) side {
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
		c.add("incoming", "there are neither servers nor a provider that has some", "add incoming or outgoing, as {} where the server is to be found by the address, or name a provider")
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
	if s.host == "" && !s.implied && c.p.Provider == "" && c.p.Account == "" && c.p.Mailbox == "" {
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
	if host != "" && !c.refers(host) && !backend.IsHost(host) {
		c.add(s.name+"/host", "it is not the name of a host", fix)
	}
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
	if c.flow == FlowPassword && s.incoming && s.user == "" && c.p.AuthUser == "" && !own {
		c.add("mailbox", fmt.Sprintf("the account's password does not open it by %s", s.protocol),
			`give incoming a user in the server's own form, such as "CONTOSO\\ann\\info", or an authUser who may open it`)
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

func protocolNames(protocols []preset.Protocol) string {
	return strings.Join(words(protocols...), ", ")
}
