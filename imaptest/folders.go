package imaptest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// folderCommands are those that change folders or ask about one.
func folderCommands() map[string]command {
	return map[string]command{
		"STATUS":      {run: status, state: authenticated},
		"CREATE":      {run: create, state: authenticated},
		"DELETE":      {run: remove, state: authenticated},
		"RENAME":      {run: rename, state: authenticated},
		"SUBSCRIBE":   {run: subscribe, state: authenticated},
		"UNSUBSCRIBE": {run: subscribe, state: authenticated},
	}
}

// names reads n mailbox names and the end of the command.
func (p *parser) names(n int) ([]string, error) {
	names := make([]string, n)
	for i := range names {
		if err := p.space(); err != nil {
			return nil, err
		}
		var err error
		if names[i], err = p.mailbox(); err != nil {
			return nil, err
		}
	}
	return names, p.end()
}

func create(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	name, err := p.mailbox()
	if err != nil {
		return reply{}, err
	}
	role, err := s.createRole(p)
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if s.foreignName(name) {
		return notPermitted(), nil
	}
	// A trailing delimiter only announces that children are to follow.
	name, err = s.owned(strings.TrimSuffix(name, "/"))
	if err != nil {
		return folderProblem(err, false), nil
	}
	before := s.account.Subscriptions()
	if err := s.account.CreateFolder(name, role); err != nil {
		return folderProblem(err, false), nil
	}
	s.restoreSubscriptions(name, before)
	f, err := s.account.Folder(name)
	if err != nil {
		return folderProblem(err, false), nil
	}
	return okCode(s.mailboxIDCode(f), "CREATE completed"), nil
}

// restoreSubscriptions takes back that making a folder subscribes to it and to
// its parents: CREATE does not.
func (s *session) restoreSubscriptions(name string, before []string) {
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' || slices.Contains(before, name[:i]) {
			continue
		}
		_ = s.account.Subscribe(name[:i], false) // what is not there cannot be subscribed to
	}
}

// createRole reads the use that a folder is made for (RFC 6154, section 3).
func (s *session) createRole(p *parser) (mailtest.Role, error) {
	if !s.server.offers("CREATE-SPECIAL-USE") || !p.accept(' ') {
		return "", nil
	}
	role := mailtest.Role("")
	err := p.list(func() error {
		if word, err := p.word(); err != nil || word != "USE" {
			return p.wants("USE")
		}
		if err := p.space(); err != nil {
			return err
		}
		return p.list(func() error {
			if err := p.expect('\\'); err != nil {
				return err
			}
			name, err := p.atom()
			if err != nil {
				return err
			}
			role, err = useRole(`\` + name)
			return err
		})
	})
	return role, err
}

// useRole returns the role of a special use.
func useRole(use string) (mailtest.Role, error) {
	for _, role := range []mailtest.Role{
		mailtest.RoleSent, mailtest.RoleDrafts, mailtest.RoleTrash, mailtest.RoleJunk,
		mailtest.RoleArchive, mailtest.RoleAll, mailtest.RoleFlagged,
	} {
		if strings.EqualFold(specialUse(role), use) {
			return role, nil
		}
	}
	return "", syntaxError("unknown special use " + use)
}

func remove(_ context.Context, s *session, p *parser) (reply, error) {
	names, err := p.names(1)
	if err != nil {
		return reply{}, err
	}
	if s.foreignName(names[0]) {
		return notPermitted(), nil
	}
	name, err := s.owned(names[0])
	var f mailtest.Folder
	if err == nil {
		f, err = s.account.Folder(name)
	}
	if err == nil {
		err = s.account.DeleteFolder(f.Name)
	}
	if err != nil {
		return folderProblem(err, false), nil
	}
	if s.view != nil && s.view.id == f.ID {
		s.view = nil
	}
	return ok("DELETE completed"), nil
}

func rename(_ context.Context, s *session, p *parser) (reply, error) {
	names, err := p.names(2)
	if err != nil {
		return reply{}, err
	}
	if s.foreignName(names[0]) || s.foreignName(names[1]) {
		return notPermitted(), nil
	}
	from, err := s.owned(names[0])
	to, wrong := s.owned(names[1])
	if err = cmp.Or(err, wrong); err == nil {
		err = s.account.RenameFolder(from, to)
	}
	if err != nil {
		return folderProblem(err, false), nil
	}
	return ok("RENAME completed"), nil
}

// subscribe is SUBSCRIBE and UNSUBSCRIBE.
func subscribe(_ context.Context, s *session, p *parser) (reply, error) {
	names, err := p.names(1)
	if err != nil {
		return reply{}, err
	}
	if s.foreignName(names[0]) {
		return notPermitted(), nil
	}
	name, err := s.owned(names[0])
	if err == nil {
		err = s.account.Subscribe(name, s.name == "SUBSCRIBE")
	}
	if err != nil {
		return folderProblem(err, false), nil
	}
	return ok(s.name + " completed"), nil
}

func status(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	name, err := p.mailbox()
	if err != nil {
		return reply{}, err
	}
	if err := p.space(); err != nil {
		return reply{}, err
	}
	items, err := s.statusItems(p)
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	at, err := s.find(name)
	if err != nil {
		return folderProblem(err, false), nil
	}
	return ok("STATUS completed"), s.writeStatus(at, items)
}

func (s *session) statusItems(p *parser) ([]string, error) {
	items, err := p.words()
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, p.wants("status items")
	}
	known := []string{"MESSAGES", "RECENT", "UIDNEXT", "UIDVALIDITY", "UNSEEN"}
	if s.server.offers("STATUS=SIZE") {
		known = append(known, "SIZE")
	}
	if s.server.offers(condstore) {
		known = append(known, "HIGHESTMODSEQ")
	}
	if s.server.offers(objectID) {
		known = append(known, "MAILBOXID")
	}
	for _, item := range items {
		if !slices.Contains(known, item) {
			return nil, syntaxError("unknown status item " + item)
		}
	}
	if slices.Contains(items, "HIGHESTMODSEQ") {
		return items, s.enableCondstore()
	}
	return items, nil
}

func (s *session) writeStatus(at place, items []string) error {
	f := at.folder
	values := make([]string, 0, len(items))
	for _, item := range items {
		var value int64
		switch item {
		case "MESSAGES":
			value = int64(f.Messages)
		case "RECENT":
			value = int64(s.recentIn(at))
		case "UIDNEXT":
			value = int64(f.UIDNext)
		case "UIDVALIDITY":
			value = int64(f.UIDValidity)
		case "UNSEEN":
			value = int64(f.Unseen)
		case "HIGHESTMODSEQ":
			if !slices.Contains(s.server.options.NoModSeq, f.Name) {
				value = int64(f.ModSeq) //nolint:gosec // a counter of what a test does
			}
		case "MAILBOXID":
			values = append(values, s.mailboxIDCode(f))
			continue
		case "SIZE":
			value = sizeOf(at)
		}
		values = append(values, fmt.Sprintf("%s %d", item, value))
	}
	w := &encoder{c: s.c}
	w.raw("* STATUS ")
	w.mailbox(at.name)
	w.raw(" (" + strings.Join(values, " ") + ")\r\n")
	return w.err
}

// recentIn counts the messages of a folder that no session has been told of.
func (s *session) recentIn(at place) int {
	from := s.server.recentFrom(at.folder.UIDValidity)
	messages, _ := at.account.Messages(at.folder.Name)
	n := 0
	for i := range messages {
		if messages[i].UID >= from {
			n++
		}
	}
	return n
}

func sizeOf(at place) int64 {
	messages, _ := at.account.Messages(at.folder.Name)
	var total int64
	for i := range messages {
		total += int64(len(messages[i].Raw))
	}
	return total
}
