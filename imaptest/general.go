package imaptest

import (
	"context"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// generalCommands are those about the connection itself.
func generalCommands() map[string]command {
	return map[string]command{
		"CAPABILITY": {run: capability},
		"NOOP":       {run: noop},
		"LOGOUT":     {run: logout},
		"ID":         {run: identify, needs: "ID"},
		"ENABLE":     {run: enable, state: authenticated, needs: "ENABLE"},
		"NAMESPACE":  {run: namespace, state: authenticated, needs: "NAMESPACE"},
	}
}

// capabilityList returns what the server offers at this stage of the session:
// ways to sign in only before that, and none in plain text where TLS is to be
// started first.
func (s *session) capabilityList() string {
	list := []string{"IMAP4rev1"}
	starttls := s.server.options.Security == mailtest.STARTTLS && !s.c.Encrypted()
	if starttls && s.account == nil {
		list = append(list, "STARTTLS", "LOGINDISABLED")
	}
	for _, c := range s.server.options.Capabilities {
		upper := strings.ToUpper(c)
		signIn := strings.HasPrefix(upper, "AUTH=") || upper == "SASL-IR"
		switch {
		case upper == "IMAP4REV1", upper == "STARTTLS":
		case upper == "LOGINDISABLED" && (s.account != nil || starttls):
		case signIn && (s.account != nil || starttls):
		default:
			list = append(list, c)
		}
	}
	return strings.Join(list, " ")
}

// capabilityCode returns the CAPABILITY response code, or "" where the options
// want none.
func (s *session) capabilityCode() string {
	if s.server.options.QuietCapabilities {
		return ""
	}
	return "CAPABILITY " + s.capabilityList()
}

func capability(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	return ok("CAPABILITY completed"), s.untagged("CAPABILITY " + s.capabilityList())
}

func noop(_ context.Context, s *session, p *parser) (reply, error) {
	return ok(s.name + " completed"), p.end()
}

func logout(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	s.next, s.view = hangUp, nil
	return ok("LOGOUT completed"), s.untagged("BYE Logging out")
}

// The limits of RFC 2971, section 3.3.
const (
	maxIDFields = 30
	maxIDName   = 30
	maxIDValue  = 1024
)

// identify is ID (RFC 2971).
func identify(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	var words []string
	var id map[string]string
	if p.peek() == '(' {
		id = map[string]string{}
		if err := p.list(func() error {
			word, err := p.nstring()
			words = append(words, word)
			return err
		}); err != nil {
			return reply{}, err
		}
	} else if word, err := p.word(); err != nil || word != "NIL" {
		return reply{}, p.wants("a list or NIL")
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if len(words)%2 != 0 || len(words) > 2*maxIDFields {
		return bad("At most 30 names, each with its value"), nil
	}
	for i := 0; i < len(words); i += 2 {
		name, value := strings.ToLower(words[i]), words[i+1]
		if _, twice := id[name]; twice || name == "" || len(name) > maxIDName || len(value) > maxIDValue {
			return bad("Names once and of at most 30 bytes, values of at most 1024"), nil
		}
		id[name] = value
	}
	s.identified = s.identified || len(id) > 0
	s.server.mu.Lock()
	s.server.ids = append(s.server.ids, id)
	s.server.mu.Unlock()
	return ok("ID completed"), s.untagged(`ID ("name" "imaptest")`)
}

// unsafeLogin is the answer to who opens a folder without having said a name, in
// NetEase's words.
func (s *session) unsafeLogin() (reply, bool) {
	if !s.server.options.WantID || s.identified {
		return reply{}, false
	}
	return no("", s.name+" Unsafe Login. Please contact kefu@188.com for help"), true
}

// nstring reads a string or NIL, which is returned as "".
func (p *parser) nstring() (string, error) {
	if c := p.peek(); c == '"' || c == '{' {
		return p.str()
	}
	if word, err := p.word(); err != nil || word != "NIL" {
		return "", p.wants("a string or NIL")
	}
	return "", nil
}

// enable is ENABLE (RFC 5161). QRESYNC brings CONDSTORE along.
func enable(_ context.Context, s *session, p *parser) (reply, error) {
	var words []string
	for first := true; first || p.peek() != 0; first = false {
		if err := p.space(); err != nil {
			return reply{}, err
		}
		word, err := p.word()
		if err != nil {
			return reply{}, err
		}
		words = append(words, word)
	}
	enabled := []string{"ENABLED"}
	for _, word := range words {
		if !s.server.offers(word) || word != condstore && word != qresync {
			continue
		}
		s.qresync = s.qresync || word == qresync
		if err := s.enableCondstore(); err != nil {
			return reply{}, err
		}
		enabled = append(enabled, word)
	}
	return ok("ENABLE completed"), s.untagged(strings.Join(enabled, " "))
}
