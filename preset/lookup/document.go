package lookup

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/htmlindex"

	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/session"
)

// The ways of signing in that a Document may name and that are of use here.
const (
	// PasswordAuth is a password in clear, over an encrypted connection.
	PasswordAuth = "password-cleartext"
	// TokenAuth is an access token.
	TokenAuth = "OAuth2"
)

// maxServers is how many servers of a document are looked at, maxText how long a
// name in it may be.
const (
	maxServers = 64
	maxText    = 512
)

// Document is an autoconfig document, as draft-ietf-mailmaint-autoconfig
// describes it.
type Document struct {
	// Name is what the provider calls itself.
	Name string
	// Servers are those that can be used, in the document's order, which is
	// the provider's preference.
	Servers []Server
	// Skipped says of the other ones why they cannot.
	Skipped []string
	// Exchange tells that the document names an Exchange server, with or
	// without its address.
	Exchange bool
	// OAuth is the authorization server, nil where none is named.
	OAuth *AuthorizationServer
}

// Server is a server of a Document.
type Server struct {
	Protocol preset.Protocol
	// Host, Port and Security are of IMAP, POP3 and SMTP.
	Host     string
	Port     int
	Security session.Security
	// URL is of EWS and Graph.
	URL string
	// User is the name to sign in with.
	User string
	// Authentication are the ways of signing in, PasswordAuth and TokenAuth, best
	// first; nil where nothing is known of them.
	Authentication []string
}

// AuthorizationServer is the authorization server of a Document.
type AuthorizationServer struct {
	Issuer, AuthURL, TokenURL string
	Scopes                    []string
}

// The parts of the document that are read.
type (
	clientConfig struct {
		XMLName   xml.Name        `xml:"clientConfig"`
		Providers []emailProvider `xml:"emailProvider"`
		OAuth     *oAuth2         `xml:"oAuth2"`
	}
	emailProvider struct {
		ID       string      `xml:"id,attr"`
		Name     string      `xml:"displayName"`
		Incoming []xmlServer `xml:"incomingServer"`
		Outgoing []xmlServer `xml:"outgoingServer"`
		OAuth    *oAuth2     `xml:"oAuth2"`
	}
	xmlServer struct {
		Type           string   `xml:"type,attr"`
		Host           string   `xml:"hostname"`
		Port           string   `xml:"port"`
		Socket         string   `xml:"socketType"`
		User           string   `xml:"username"`
		Authentication []string `xml:"authentication"`
		URL            string   `xml:"url"`
		EWS            string   `xml:"ewsURL"`
	}
	oAuth2 struct {
		Issuer   string `xml:"issuer"`
		Scope    string `xml:"scope"`
		AuthURL  string `xml:"authURL"`
		TokenURL string `xml:"tokenURL"`
	}
)

// ParseDocument reads an autoconfig document for an address, which is put where
// the document leaves room for it. Servers without encryption, and those that
// can only be signed in to in ways that are of no use here, are left out and
// told in Skipped. The first provider of the document counts.
func ParseDocument(body []byte, address string) (*Document, error) {
	var c clientConfig
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.CharsetReader = func(charset string, input io.Reader) (io.Reader, error) {
		enc, err := htmlindex.Get(charset)
		if err != nil {
			return nil, fmt.Errorf("the character set %q is not known", charset)
		}
		return enc.NewDecoder().Reader(input), nil
	}
	if err := decoder.Decode(&c); err != nil {
		// The cause quotes names of the document's, however long they are.
		return nil, errors.New("the answer is no autoconfig document: " + plain(err.Error()))
	}
	if len(c.Providers) == 0 {
		return nil, errors.New("the document names no provider")
	}
	provider := c.Providers[0]
	fill := placeholders(address)
	d := &Document{Name: plain(fill.Replace(provider.Name))}
	if d.Name == "" {
		d.Name = plain(provider.ID)
	}
	if d.Name == "" {
		d.Name = address[strings.LastIndexByte(address, '@')+1:]
	}
	for _, s := range slices.Concat(first(provider.Incoming), first(provider.Outgoing)) {
		d.add(s, fill)
	}
	d.OAuth = authorizationServer(provider.OAuth)
	if d.OAuth == nil {
		d.OAuth = authorizationServer(c.OAuth)
	}
	return d, nil
}

// first returns the servers that are looked at.
func first(servers []xmlServer) []xmlServer { return servers[:min(len(servers), maxServers)] }

// placeholders puts an address in where a document leaves room for it.
func placeholders(address string) *strings.Replacer {
	at := strings.LastIndexByte(address, '@')
	return strings.NewReplacer("%EMAILADDRESS%", address, "%EMAILLOCALPART%", address[:max(at, 0)], "%EMAILDOMAIN%", address[at+1:])
}

// add takes a server over, or says why not.
func (d *Document) add(s xmlServer, fill *strings.Replacer) {
	server, err := s.server(fill)
	if server.Protocol == preset.EWS {
		d.Exchange = true
	}
	if err != nil {
		d.Skipped = append(d.Skipped, fmt.Sprintf("%s at %s: %v", plain(s.Type), plain(fill.Replace(s.Host)), err))
		return
	}
	d.Servers = append(d.Servers, server)
}

// server reads a server.
func (s xmlServer) server(fill *strings.Replacer) (Server, error) {
	server := Server{User: plain(fill.Replace(s.User))}
	protocols := map[string]preset.Protocol{
		"imap": preset.IMAP, "pop3": preset.POP3, "smtp": preset.SMTP, "ews": preset.EWS, "exchange": preset.EWS, "graph": preset.Graph,
	}
	server.Protocol = protocols[strings.ToLower(strings.TrimSpace(s.Type))]
	if server.User == "" {
		server.User = fill.Replace("%EMAILADDRESS%")
	}
	if err := server.signIn(s.Authentication); err != nil {
		return server, err
	}
	switch server.Protocol {
	case preset.IMAP, preset.POP3, preset.SMTP:
		return server, server.reach(fill.Replace(strings.TrimSpace(s.Host)), s.Port, s.Socket)
	case preset.EWS, preset.Graph:
		server.URL = strings.TrimSpace(s.URL)
		if server.URL == "" {
			server.URL = strings.TrimSpace(s.EWS)
		}
		server.URL = fill.Replace(server.URL)
		if !secureURL(server.URL) {
			return server, errors.New("it has no https address")
		}
		return server, nil
	}
	return server, errors.New("the protocol is not known")
}

// signIn sets the ways of signing in.
func (s *Server) signIn(names []string) error {
	if len(names) == 0 {
		return nil
	}
	for _, name := range names[:min(len(names), maxServers)] {
		switch strings.TrimSpace(name) {
		case "password-cleartext", "plain":
			s.Authentication = append(s.Authentication, PasswordAuth)
		case "OAuth2":
			s.Authentication = append(s.Authentication, TokenAuth)
		}
	}
	if s.Authentication == nil {
		return fmt.Errorf("it is signed in to by %s alone", plain(strings.Join(names, ", ")))
	}
	return nil
}

// reach sets host, port and encryption.
func (s *Server) reach(host, port, socket string) error {
	s.Host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !validHost(s.Host) {
		return errors.New("it has no host that there can be")
	}
	number, err := strconv.ParseUint(strings.TrimSpace(port), 10, 16)
	if err != nil || number == 0 {
		return errors.New("it has no port that there can be")
	}
	s.Port = int(number)
	switch strings.ToUpper(strings.TrimSpace(socket)) {
	case "SSL", "TLS":
		s.Security = session.TLS
	case "STARTTLS":
		s.Security = session.STARTTLS
	default:
		return errors.New("it is not encrypted")
	}
	return nil
}

// authorizationServer reads the authorization server, nil where it is not whole.
func authorizationServer(o *oAuth2) *AuthorizationServer {
	if o == nil {
		return nil
	}
	a := &AuthorizationServer{
		Issuer: plain(o.Issuer), AuthURL: strings.TrimSpace(o.AuthURL), TokenURL: strings.TrimSpace(o.TokenURL), Scopes: strings.Fields(o.Scope),
	}
	if !secureURL(a.AuthURL) || !secureURL(a.TokenURL) {
		return nil
	}
	return a
}

// secureURL reports whether an address is of https and without credentials.
func secureURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == "https" && u.Host != "" && u.User == nil
}

// plain returns a text of a stranger's without control characters, and not too
// long of it.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.TrimSpace(text))
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "")
	}
	return text
}

// has reports whether a protocol has a server.
func (d *Document) has(proto preset.Protocol) bool {
	return slices.ContainsFunc(d.Servers, func(s Server) bool { return s.Protocol == proto })
}

// summary lists the servers.
func (d *Document) summary() string {
	var list []string
	for _, s := range d.Servers {
		where := s.URL
		if s.Host != "" {
			where = net.JoinHostPort(s.Host, strconv.Itoa(s.Port))
		}
		list = append(list, string(s.Protocol)+" at "+where)
	}
	return strings.Join(list, ", ")
}
