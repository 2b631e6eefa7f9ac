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
	recursive        bool // also those that have such below them
	special          bool // only folders with a special use
	returnSubscribed bool
	status           []string // the items of RETURN (STATUS (...))
}

// listed is one folder to be named; there is false for a parent that is none, and
// for one that is gone but still subscribed to.
type listed struct {
	name       string
	there      bool
	subscribed bool
	folder     mailtest.Folder
	owner      *mailtest.Account // nil where it is the account's own
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
	candidates := all
	if l.subscribed {
		candidates = s.withGone(all)
	}
	for _, f := range candidates {
		below := l.childInfo(f, candidates)
		if !l.wants(f) && !below {
			continue
		}
		if err := s.writeFolder(&l, f, all, below); err != nil {
			return reply{}, err
		}
	}
	return ok("LIST completed"), nil
}

// writeFolder sends what a LIST command wants to know of a folder.
func (s *session) writeFolder(l *listing, f listed, all []listed, below bool) error {
	attributes := s.attributes(f, all)
	if f.subscribed && (l.subscribed || l.returnSubscribed) {
		attributes = append(attributes, `\Subscribed`)
	}
	extended := ""
	if below {
		extended = ` ("CHILDINFO" ("SUBSCRIBED"))`
	}
	if err := s.writeListed("LIST", attributes, f.name, extended); err != nil {
		return err
	}
	if f.there && len(l.status) > 0 {
		return s.writeStatus(s.placeOf(f), l.status)
	}
	return nil
}

// childInfo reports whether a folder is to be named for the sake of those below
// it: one is subscribed to, and not named itself (RFC 5258, section 3.5).
func (l *listing) childInfo(f listed, all []listed) bool {
	return l.recursive && l.fits(f) && slices.ContainsFunc(all, func(g listed) bool {
		return strings.HasPrefix(g.name, f.name+"/") && g.subscribed && !l.wants(g)
	})
}

// withGone adds the folders that are subscribed to and gone.
func (s *session) withGone(all []listed) []listed {
	all = slices.Clone(all)
	for _, name := range s.account.Subscriptions() {
		name = s.shown(name)
		i := slices.IndexFunc(all, func(f listed) bool { return f.name == name })
		if i < 0 {
			all = append(all, listed{name: name, subscribed: true})
		} else {
			all[i].subscribed = true
		}
	}
	slices.SortFunc(all, inOrder)
	return all
}

// fits reports whether a folder's name fits one of the patterns.
func (l *listing) fits(f listed) bool {
	return slices.ContainsFunc(l.patterns, func(pattern string) bool { return matches(pattern, f.name) })
}

func (l *listing) wants(f listed) bool {
	return l.fits(f) && (!l.subscribed || f.subscribed) && (!l.special || specialUse(f.folder.Role) != "")
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
	all := s.withGone(s.allFolders())
	for _, f := range all {
		var attributes []string
		switch {
		case l.wants(f):
		case l.hides(f, all):
			attributes = []string{`\Noselect`}
		default:
			continue
		}
		if err := s.writeListed("LSUB", attributes, f.name, ""); err != nil {
			return reply{}, err
		}
	}
	return ok("LSUB completed"), nil
}

// hides reports whether LSUB names a folder in the place of those below it, which
// a pattern that ends in "%" does not reach (RFC 3501, section 6.3.9).
func (l *listing) hides(f listed, all []listed) bool {
	return strings.HasSuffix(l.patterns[0], "%") && l.fits(f) && slices.ContainsFunc(all, func(g listed) bool {
		return strings.HasPrefix(g.name, f.name+"/") && g.subscribed && !l.fits(g)
	})
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
	based := false // on an option that RECURSIVEMATCH can go with
	for _, o := range options {
		switch o {
		case "SUBSCRIBED":
			l.subscribed, based = true, true
		case "SPECIAL-USE":
			l.special, based = true, true
		case "RECURSIVEMATCH":
			l.recursive = true
		case "REMOTE":
		default:
			return syntaxError("unknown selection option " + o)
		}
	}
	if l.recursive && !based {
		return syntaxError("RECURSIVEMATCH by itself")
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
		name := s.shown(f.Name)
		all[name] = listed{name: name, there: true, subscribed: f.Subscribed, folder: f}
		for i, c := range name {
			if parent := name[:i]; c == '/' && !all[parent].there {
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
	return slices.SortedFunc(maps.Values(all), inOrder)
}

func inOrder(x, y listed) int {
	if inbox := x.name == "INBOX"; inbox || y.name == "INBOX" {
		return boolOrder(inbox, y.name == "INBOX")
	}
	return cmp.Compare(x.name, y.name)
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
	switch {
	case !f.there && f.subscribed:
		attributes = append(attributes, `\NonExistent`)
	case !f.there:
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

func (s *session) writeListed(response string, attributes []string, name, extended string) error {
	w := &encoder{c: s.c}
	w.raw("* " + response + " (" + strings.Join(attributes, " ") + `) "/" `)
	w.mailbox(name)
	w.raw(extended + "\r\n")
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
