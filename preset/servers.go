package preset

import "github.com/mailsession/mailsession/session"

// serve sets servers that speak TLS from the first byte, on the ports of RFC
// 8314. An empty host means that there is none.
func (p *Provider) serve(imap, pop3, smtp string) {
	if imap != "" {
		p.IMAP = session.Server{Host: imap, Port: 993, Security: session.TLS}
	}
	if pop3 != "" {
		p.POP3 = session.Server{Host: pop3, Port: 995, Security: session.TLS}
	}
	if smtp != "" {
		p.SMTP = session.Server{Host: smtp, Port: 465, Security: session.TLS}
	}
}
