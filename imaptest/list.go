package imaptest

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// listCommands are those that name folders.
func listCommands() map[string]command {
	return map[string]command{
		"LIST": {run: list, state: authenticated},
		"LSUB": {run: lsub, state: authenticated},
	}
}

// listing is a parsed LIST command (RFC 5258 for the extended form).
type listing struct {
	patterns         []string
	subscribed       bool // only folders that are subscribed to
	special          bool // only folders with a special use
	returnSubscribed bool
	status           []string // the items of RETURN (STATUS (...))
}

// listed is one folder to be named; there is false for a parent that is none.
type listed struct {
	name   string
	there  bool
	folder mailtest.Folder
	owner  *mailtest.Account // nil where it is the account's own
}

func list(_ context.Context, s *session, p *parser) (reply, error) {
	l, err := s.parseList(p)
	if err != nil {
		return reply{}, err
	}
	if len(l.patterns) == 1 && l.patterns[0] == "" {
		return ok("LIST completed"), s.untagged(`LIST (\Noselect) "/" ""`)
	}
	all := s.allFolders()
	for _, f := range all {
		if !l.wants(f) {
			continue
		}
		attributes := s.attributes(f, all)
		if f.there && f.folder.Subscribed && (l.subscribed || l.returnSubscribed) {
			attributes = append(attributes, `\Subscribed`)
		}
		if err := s.writeListed("LIST", attributes, f.name); err != nil {
			return reply{}, err
		}
		if f.there && len(l.status) > 0 {
			if err := s.writeStatus(s.placeOf(f), l.status); err != nil {
				return reply{}, err
			}
		}
	}
	return ok("LIST completed"), nil
}

func (l *listing) wants(f listed) bool {
	return slices.ContainsFunc(l.patterns, func(pattern string) bool { return matches(pattern, f.name) }) &&
		(!l.subscribed || f.there && f.folder.Subscribed) &&
		(!l.special || specialUse(f.folder.Role) != "")
}

func lsub(_ context.Context, s *session, p *parser) (reply, error) {
	l := listing{subscribed: true}
	if err := p.space(); err != nil {
		return reply{}, err
	}
	if err := l.parseNames(p, false); err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	for _, f := range s.allFolders() {
		if !l.wants(f) {
			continue
		}
		if err := s.writeListed("LSUB", nil, f.name); err != nil {
			return reply{}, err
		}
	}
	return ok("LSUB completed"), nil
}

func (s *session) parseList(p *parser) (listing, error) {
	var l listing
	if err := p.space(); err != nil {
		return l, err
	}
	extended := s.server.offers("LIST-EXTENDED")
	if extended && p.peek() == '(' {
		options, err := p.words()
		if err != nil {
			return l, err
		}
		if err := l.selectBy(options); err != nil {
			return l, err
		}
		if err := p.space(); err != nil {
			return l, err
		}
	}
	if err := l.parseNames(p, extended); err != nil {
		return l, err
	}
	if extended && p.accept(' ') {
		if err := l.parseReturn(s, p); err != nil {
			return l, err
		}
	}
	return l, p.end()
}

func (l *listing) selectBy(options []string) error {
	for _, o := range options {
		switch o {
		case "SUBSCRIBED":
			l.subscribed = true
		case "SPECIAL-USE":
			l.special = true
		case "REMOTE":
		default:
			return syntaxError("unknown selection option " + o)
		}
	}
	return nil
}

// parseNames reads the reference and the pattern, or several in parentheses.
func (l *listing) parseNames(p *parser, several bool) error {
	reference, err := p.mailbox()
	if err != nil {
		return err
	}
	if err := p.space(); err != nil {
		return err
	}
	add := func() error {
		pattern, err := p.pattern()
		if pattern != "" {
			pattern = reference + pattern
		}
		l.patterns = append(l.patterns, pattern)
		return err
	}
	if several && p.peek() == '(' {
		return p.list(add)
	}
	return add()
}

// parseReturn reads RETURN and its options; CHILDREN and SPECIAL-USE are
// returned anyway.
func (l *listing) parseReturn(s *session, p *parser) error {
	if word, err := p.word(); err != nil || word != "RETURN" {
		return p.wants("RETURN")
	}
	if err := p.space(); err != nil {
		return err
	}
	return p.list(func() error {
		option, err := p.word()
		if err != nil {
			return err
		}
		switch {
		case option == "SUBSCRIBED":
			l.returnSubscribed = true
		case option == "CHILDREN", option == "SPECIAL-USE":
		case option == "STATUS" && s.server.offers("LIST-STATUS"):
			if err := p.space(); err != nil {
				return err
			}
			l.status, err = s.statusItems(p)
			return err
		default:
			return syntaxError("unknown return option " + option)
		}
		return nil
	})
}

// allFolders returns the account's folders and their missing parents, in the
// order of their names with INBOX first.
func (s *session) allFolders() []listed {
	all := make(map[string]listed)
	for _, f := range s.account.Folders() {
		all[f.Name] = listed{name: f.Name, there: true, folder: f}
		for i, c := range f.Name {
			if parent := f.Name[:i]; c == '/' && !all[parent].there {
				all[parent] = listed{name: parent}
			}
		}
	}
	for _, p := range s.foreign() {
		own := p.folder
		own.Role, own.Subscribed = "", false // are the owner's
		all[p.name] = listed{name: p.name, there: true, folder: own, owner: p.account}
		for i, c := range p.name {
			if parent := p.name[:i]; c == '/' && !all[parent].there {
				all[parent] = listed{name: parent}
			}
		}
	}
	return slices.SortedFunc(maps.Values(all), func(x, y listed) int {
		if inbox := x.name == "INBOX"; inbox || y.name == "INBOX" {
			return boolOrder(inbox, y.name == "INBOX")
		}
		return cmp.Compare(x.name, y.name)
	})
}

// placeOf returns where a listed folder is.
func (s *session) placeOf(f listed) place {
	return place{account: cmp.Or(f.owner, s.account), name: f.name, folder: f.folder}
}

// boolOrder puts true first.
func boolOrder(x, y bool) int {
	switch {
	case x == y:
		return 0
	case x:
		return -1
	default:
		return 1
	}
}

func (s *session) attributes(f listed, all []listed) []string {
	var attributes []string
	if !f.there {
		attributes = append(attributes, `\Noselect`)
	}
	if s.server.offers("CHILDREN") || s.server.offers("LIST-EXTENDED") {
		child := func(g listed) bool { return strings.HasPrefix(g.name, f.name+"/") }
		if slices.ContainsFunc(all, child) {
			attributes = append(attributes, `\HasChildren`)
		} else {
			attributes = append(attributes, `\HasNoChildren`)
		}
	}
	if use := specialUse(f.folder.Role); use != "" && s.server.offers("SPECIAL-USE") {
		attributes = append(attributes, use)
	}
	return attributes
}

// specialUse returns the attribute of RFC 6154 for a role.
func specialUse(role mailtest.Role) string {
	switch role {
	case mailtest.RoleSent:
		return `\Sent`
	case mailtest.RoleDrafts:
		return `\Drafts`
	case mailtest.RoleTrash:
		return `\Trash`
	case mailtest.RoleJunk:
		return `\Junk`
	case mailtest.RoleArchive:
		return `\Archive`
	case mailtest.RoleAll:
		return `\All`
	case mailtest.RoleFlagged:
		return `\Flagged`
	case mailtest.RoleInbox:
	}
	return ""
}

func (s *session) writeListed(response string, attributes []string, name string) error {
	w := &encoder{c: s.c}
	w.raw("* " + response + " (" + strings.Join(attributes, " ") + `) "/" `)
	w.mailbox(name)
	w.raw("\r\n")
	return w.err
}

// matches tells whether a name fits a pattern, in which "*" stands for anything
// and "%" for anything without a delimiter.
func matches(pattern, name string) bool {
	if n := len("INBOX"); len(pattern) >= n && strings.EqualFold(pattern[:n], "INBOX") &&
		(len(pattern) == n || strings.ContainsRune("/*%", rune(pattern[n]))) {
		pattern = "INBOX" + pattern[n:]
	}
	// ends[i] tells whether the pattern so far fits the first i bytes.
	ends := make([]bool, len(name)+1)
	ends[0] = true
	for _, c := range []byte(pattern) {
		if c != '*' && c != '%' {
			for i := len(name); i > 0; i-- {
				ends[i] = ends[i-1] && name[i-1] == c
			}
			ends[0] = false
			continue
		}
		for i := 1; i <= len(name); i++ {
			ends[i] = ends[i] || ends[i-1] && (c == '*' || name[i-1] != '/')
		}
	}
	return ends[len(name)]
}
