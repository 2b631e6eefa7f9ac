package imaptest

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// The names under which folders of other accounts appear (RFC 2342): those that
// somebody shares with this account, below the owner's address, and those that
// are shared with everyone.
const (
	othersPrefix = "Other Users/"
	sharedPrefix = "Shared/"
)

// place is a folder that the session may use.
type place struct {
	account *mailtest.Account // whose it is
	name    string            // as the client knows it
	folder  mailtest.Folder   // as its owner knows it
}

// find returns the folder of that name: one of the account, or one of others.
func (s *session) find(name string) (place, error) {
	own, err := s.owned(name)
	var f mailtest.Folder
	if err == nil {
		f, err = s.account.Folder(own)
	}
	if err == nil {
		return place{s.account, s.shown(f.Name), f}, nil
	}
	for _, p := range s.foreign() {
		if p.name == name {
			return p, nil
		}
	}
	return place{}, err
}

// owned returns the account's own name of a folder, without the prefix that the
// server wants before it.
func (s *session) owned(name string) (string, error) {
	own, below := strings.CutPrefix(name, s.server.options.Prefix)
	switch {
	case strings.EqualFold(name, "INBOX"):
		return name, nil
	case !below:
		return "", fmt.Errorf("imaptest: folder %q: %w", name, mailtest.ErrFolderName)
	}
	return own, nil
}

// shown returns the server's name of a folder of the account.
func (s *session) shown(own string) string {
	if own == "INBOX" {
		return own
	}
	return s.server.options.Prefix + own
}

// foreign returns the folders of other accounts.
func (s *session) foreign() []place {
	if !s.server.offers("NAMESPACE") {
		return nil
	}
	var all []place
	for _, f := range s.account.Shared() {
		name := othersPrefix + f.Owner.Address() + "/" + f.Folder.Name
		if f.Everyone {
			name = sharedPrefix + f.Folder.Name
		}
		all = append(all, place{f.Owner, name, f.Folder})
	}
	return all
}

// namespace is NAMESPACE (RFC 2342). The namespaces of others are told where
// there is something in them.
func namespace(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	told := map[string]string{othersPrefix: "NIL", sharedPrefix: "NIL"}
	for _, f := range s.foreign() {
		for prefix := range told {
			if strings.HasPrefix(f.name, prefix) {
				told[prefix] = fmt.Sprintf(`((%q "/"))`, prefix)
			}
		}
	}
	return ok("NAMESPACE completed"), s.untaggedf(`NAMESPACE ((%q "/")) %s %s`, s.server.options.Prefix, told[othersPrefix], told[sharedPrefix])
}

// foreignName reports whether a name is in a namespace of others that the
// account sees, so that it cannot be made, deleted or renamed.
func (s *session) foreignName(name string) bool {
	for _, f := range s.foreign() {
		for _, prefix := range []string{othersPrefix, sharedPrefix} {
			if strings.HasPrefix(f.name, prefix) && strings.HasPrefix(name, prefix) {
				return true
			}
		}
	}
	return false
}

func notPermitted() reply { return no("NOPERM", "Not permitted in the folders of others") }
