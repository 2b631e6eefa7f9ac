package preset

import (
	"strings"

	"github.com/mailsession/mailsession/session"
)

// ispdb is a public database of the servers of providers. It has only addresses
// and says nothing of limits and habits.
const ispdb = "https://github.com/thunderbird/autoconfig/blob/main/ispdb/"

// ICloud returns Apple's iCloud Mail, which has no POP3.
func ICloud() Provider {
	p := byPassword("iCloud", "https://support.apple.com/102525", FlowAppPassword, "People make it at account.apple.com, under Sign-In and Security.")
	p.Refused[FlowPassword] = "Apple takes no account password from mail programs; use app-password"
	p.Domains, p.MX = []string{"icloud.com", "me.com", "mac.com"}, []string{"mail.icloud.com"}
	p.LocalUsers = []Protocol{IMAP}
	p.serve("imap.mail.me.com", "", "")
	p.SMTP = session.Server{Host: "smtp.mail.me.com", Port: 587, Security: session.STARTTLS}
	p.Limits = map[Protocol]Limits{SMTP: {
		MessagesPerDay: 1000, RecipientsPerDay: 1000, Recipients: 500, MessageSize: 20 << 20,
		Source: "https://support.apple.com/102198",
	}}
	return p
}

const (
	// switchOn is what people have to do at some of these providers.
	switchOn = "IMAP and POP3 have to be switched on in the settings of the mailbox."
	// withSecondFactor is about passwords at some of them.
	withSecondFactor = "An account with two-factor authentication needs an app password in its place."
)

// GMX returns GMX of gmx.net, whose servers are not those of GMXCom.
func GMX() Provider {
	p := byPassword("GMX", "https://hilfe.gmx.net/pop-imap/imap/imap-serverdaten.html", FlowPassword, withSecondFactor)
	p.Notes, p.Flows[FlowAppPassword] = []string{switchOn}, FlowFacts{}
	p.Domains = strings.Fields("gmx.net gmx.de gmx.at gmx.ch gmx.eu gmx.biz gmx.org gmx.info mein.gmx mail.gmx email.gmx")
	p.MX = []string{"gmx.net"}
	p.serve("imap.gmx.net", "pop.gmx.net", "mail.gmx.net")
	return p
}

// GMXCom returns GMX of gmx.com.
func GMXCom() Provider {
	p := byPassword("GMX (gmx.com)", ispdb+"gmx.com.xml", FlowPassword, withSecondFactor)
	p.Notes, p.Flows[FlowAppPassword] = []string{switchOn}, FlowFacts{}
	p.Domains = strings.Fields(`
		gmx.com gmx.tm gmx.us gmx.co.uk gmx.es gmx.fr gmx.ca gmx.cn gmx.co.in gmx.com.br gmx.com.my gmx.hk gmx.ie gmx.ph
		gmx.pt gmx.ru gmx.se gmx.sg gmx.tw gmx.com.tr gmx.it gmx.li
	`)
	p.serve("imap.gmx.com", "pop.gmx.com", "mail.gmx.com")
	return p
}

// WebDE returns WEB.DE.
func WebDE() Provider {
	p := byPassword("WEB.DE", "https://hilfe.web.de/pop-imap/imap/imap-serverdaten.html", FlowPassword, withSecondFactor)
	p.Notes, p.Flows[FlowAppPassword] = []string{switchOn}, FlowFacts{}
	p.Domains, p.MX = []string{"web.de"}, []string{"web.de"}
	p.LocalUsers = []Protocol{IMAP, POP3, SMTP}
	p.serve("imap.web.de", "pop3.web.de", "smtp.web.de")
	p.Limits = map[Protocol]Limits{POP3: {Note: "A sign-in less than 15 minutes after another one may be refused.", Source: ispdb + "web.de.xml"}}
	return p
}

// MailCom returns mail.com, of whose many domains the larger ones are known.
func MailCom() Provider {
	p := byPassword("mail.com", ispdb+"mail.com.xml", FlowPassword, withSecondFactor)
	p.Notes = []string{switchOn}
	p.Domains = strings.Fields(`
		mail.com mail.org email.com post.com usa.com accountant.com consultant.com dr.com engineer.com cheerful.com
		techie.com linuxmail.org europe.com london.com uymail.com myself.com iname.com writeme.com
	`)
	p.serve("imap.mail.com", "pop.mail.com", "smtp.mail.com")
	return p
}

// OneAndOne returns 1&1 in Germany, for its hosting customers too.
func OneAndOne() Provider {
	p := byPassword("1&1", ispdb+"1und1.de.xml", FlowPassword, "")
	p.Domains = strings.Fields("online.de onlinehome.de sofortstart.de sofort-start.de sofortsurf.de sofort-surf.de go4more.de")
	p.MX = []string{"kundenserver.de", "schlund.de"}
	p.serve("imap.1und1.de", "pop.1und1.de", "smtp.1und1.de")
	return p
}

// MailboxOrg returns mailbox.org, for people with domains of their own too.
func MailboxOrg() Provider {
	p := byPassword("mailbox.org", "https://kb.mailbox.org/de/privat/e-mail/e-mail-konfiguration/", FlowPassword, withSecondFactor)
	p.Flows[FlowAppPassword] = FlowFacts{}
	p.Domains, p.MX = []string{"mailbox.org"}, []string{"mailbox.org"}
	p.serve("imap.mailbox.org", "", "smtp.mailbox.org")
	return p
}

// Posteo returns Posteo.
func Posteo() Provider {
	p := byPassword("Posteo", "https://posteo.de/hilfe/wie-richte-ich-posteo-in-einem-mailprogramm-ein-pop3-imap-und-smtp", FlowPassword, "")
	for end := range strings.FieldsSeq(`
		de at be ca ch cl co co.uk com com.br cr cz dk ee es eu fi gl gr hn hr hu ie in is it jp la li lt lu me mx my net
		nl no nz org pe pl pm pt ro se sg si tn uk us
	`) {
		p.Domains = append(p.Domains, "posteo."+end)
	}
	p.MX = []string{"posteo.de"}
	p.serve("posteo.de", "posteo.de", "posteo.de")
	return p
}

// TOnline returns the mail of Deutsche Telekom.
func TOnline() Provider {
	p := byPassword("T-Online", "https://www.telekom.de/hilfe/apps-dienste/e-mail/einstellungen/posteingang-postausgang-server", FlowAppPassword,
		"It is the E-Mail-Passwort, which people set up in the customer centre, and not the one for the web site.")
	p.Refused[FlowPassword] = "T-Online does not take the web site's password from mail programs; use app-password, which is called E-Mail-Passwort there"
	p.Domains = []string{"t-online.de", "magenta.de"}
	p.serve("secureimap.t-online.de", "securepop.t-online.de", "securesmtp.t-online.de")
	return p
}

// Orange returns the mail of Orange in France.
func Orange() Provider {
	p := byPassword("Orange", ispdb+"orange.fr.xml", FlowPassword, "")
	p.Domains = []string{"orange.fr", "wanadoo.fr"}
	p.serve("imap.orange.fr", "pop.orange.fr", "smtp.orange.fr")
	return p
}

// Libero returns Libero Mail of Italy and its brands.
func Libero() Provider {
	p := byPassword("Libero", ispdb+"libero.it", FlowPassword, "")
	p.Domains = strings.Fields("libero.it iol.it blu.it inwind.it giallo.it")
	p.serve("imapmail.libero.it", "popmail.libero.it", "smtp.libero.it")
	return p
}

// QQ returns QQ Mail of Tencent.
func QQ() Provider {
	p := byPassword("QQ Mail", ispdb+"qq.com.xml", FlowAppPassword, "It is the authorization code that the settings of the mailbox show when IMAP is switched on.")
	p.Domains = []string{"qq.com"}
	p.serve("imap.qq.com", "", "smtp.qq.com")
	return p
}

// Seznam returns Seznam's Email of the Czech Republic, for addresses of its own.
func Seznam() Provider {
	p := byPassword("Seznam", "https://o-seznam.cz/napoveda/email/mohlo-by-se-hodit/postovni-programy-a-aplikace/", FlowPassword, "")
	p.Domains = strings.Fields("seznam.cz email.cz post.cz spoluzaci.cz")
	p.serve("imap.seznam.cz", "", "smtp.seznam.cz")
	return p
}

// NetEase returns the mail of 163.com.
func NetEase() Provider {
	p := byPassword("NetEase (163.com)", ispdb+"163.com.xml", FlowPassword, "")
	p.Domains = []string{"163.com"}
	p.serve("imap.163.com", "", "smtp.163.com")
	return p
}

// Naver returns Naver Mail of Korea.
func Naver() Provider {
	p := byPassword("Naver", ispdb+"naver.com.xml", FlowPassword, withSecondFactor)
	p.Notes, p.Flows[FlowAppPassword] = []string{switchOn}, FlowFacts{}
	p.Domains = []string{"naver.com"}
	p.serve("imap.naver.com", "pop.naver.com", "smtp.naver.com")
	return p
}

// ProtonBridge returns the Proton Mail Bridge, a program on the user's computer
// through which other programs reach Proton Mail. The host is 127.0.0.1 where
// it is empty. Its certificate is its own: take it from the Bridge's settings
// into Server.TLS.
func ProtonBridge(host string) Provider {
	if host == "" {
		host = "127.0.0.1"
	}
	p := byPassword("Proton Mail Bridge", "https://proton.me/support/bridge", FlowAppPassword, "It is the one that the Bridge shows for the account, not that of Proton.")
	p.Refused[FlowPassword] = "Proton's own password opens nothing but its web site; use app-password, which the Bridge shows"
	p.Notes = []string{
		"The Bridge has to run, on the same machine unless a host is given; it shows its ports, which may differ.",
		"The Bridge's certificate is signed by itself: export it in the Bridge's settings, and trust it in Server.TLS.",
	}
	p.Domains, p.MX = []string{"proton.me", "protonmail.com", "protonmail.ch", "pm.me"}, []string{"protonmail.ch"}
	p.IMAP = session.Server{Host: host, Port: 1143, Security: session.STARTTLS}
	p.SMTP = session.Server{Host: host, Port: 1025, Security: session.STARTTLS}
	return p
}

// byPassword returns a provider without an authorization server for mail.
func byPassword(name, source string, flow Flow, note string) Provider {
	refused := onlyPeople("use "+string(flow), "")
	refused[FlowBrowser] = "the provider has no authorization server for mail; use " + string(flow)
	refused[FlowDevice] = refused[FlowBrowser]
	return Provider{
		Name: name, Source: source, Checked: checked(),
		Flows: map[Flow]FlowFacts{flow: {Note: note}}, Refused: refused,
	}
}
