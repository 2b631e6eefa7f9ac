package imaptest

import (
	"context"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// notifyCommands are those of NOTIFY (RFC 5465).
func notifyCommands() map[string]command {
	return map[string]command{"NOTIFY": {run: notify, state: authenticated, needs: "NOTIFY"}}
}

// The events of messages.
const (
	messageNew     = "MESSAGENEW"
	messageExpunge = "MESSAGEEXPUNGE"
	flagChange     = "FLAGCHANGE"
)

// notification is what the client wants to be told without asking. It is told
// within IDLE and with the answers to commands.
type notification struct {
	groups []eventGroup
	told   map[uint64]mailtest.Folder // the folders that are not selected, as the client knows them, by ID
}

// eventGroup is the events that are wanted of some folders.
type eventGroup struct {
	which  string   // in upper case
	names  []string // for SUBTREE and MAILBOXES
	events []string // none where nothing is wanted
}

// notify is NOTIFY.
func notify(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	word, err := p.word()
	if err != nil {
		return reply{}, err
	}
	switch word {
	case "NONE":
		if err := p.end(); err != nil {
			return reply{}, err
		}
		s.notification = &notification{told: map[uint64]mailtest.Folder{}}
		return ok("NOTIFY completed"), nil
	case "SET":
		return s.setNotification(p)
	}
	return reply{}, p.wants("SET or NONE")
}

func (s *session) setNotification(p *parser) (reply, error) {
	n := &notification{told: map[uint64]mailtest.Folder{}}
	var unknown []string
	tellNow := false
	for p.accept(' ') {
		if p.peek() != '(' && len(n.groups) == 0 && !tellNow {
			if word, err := p.word(); err != nil || word != "STATUS" {
				return reply{}, p.wants("STATUS or a group of events")
			}
			tellNow = true
			continue
		}
		g, err := p.eventGroup()
		if err != nil {
			return reply{}, err
		}
		unknown = append(unknown, g.unknown()...)
		n.groups = append(n.groups, g)
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	switch {
	case len(n.groups) == 0:
		return reply{}, p.wants("a group of events")
	case len(unknown) > 0:
		return no("BADEVENT (MessageNew MessageExpunge FlagChange)", "These events are not known: "+strings.Join(unknown, " ")), nil
	}
	for _, g := range n.groups {
		// They make no sense without each other (RFC 5465, section 5).
		if g.wants(messageNew) != g.wants(messageExpunge) || g.wants(flagChange) && !g.wants(messageNew) {
			return bad("MessageNew and MessageExpunge go together, FlagChange with both"), nil
		}
	}
	s.notification = n
	return ok("NOTIFY completed"), s.tellOthers(tellNow)
}

// eventGroup reads "(" which folders SP which events ")".
func (p *parser) eventGroup() (g eventGroup, err error) {
	if err := p.expect('('); err != nil {
		return g, err
	}
	if g.which, err = p.word(); err != nil {
		return g, err
	}
	switch g.which {
	case "SELECTED", "SELECTED-DELAYED", "INBOXES", "PERSONAL", "SUBSCRIBED":
	case "SUBTREE", "MAILBOXES":
		if g.names, err = p.oneOrMore(); err != nil {
			return g, err
		}
	default:
		return g, p.wants("which mailboxes")
	}
	if err := p.space(); err != nil {
		return g, err
	}
	if p.peek() != '(' {
		if word, err := p.word(); err != nil || word != "NONE" {
			return g, p.wants("events or NONE")
		}
		return g, p.expect(')')
	}
	if g.events, err = p.words(); err != nil {
		return g, err
	}
	return g, p.expect(')')
}

// oneOrMore reads the name of a mailbox, or a list of some.
func (p *parser) oneOrMore() (names []string, err error) {
	if err := p.space(); err != nil {
		return nil, err
	}
	one := func() error {
		name, err := p.mailbox()
		names = append(names, name)
		return err
	}
	if p.peek() == '(' {
		err = p.list(one)
	} else {
		err = one()
	}
	return names, err
}

func (g eventGroup) wants(event string) bool { return slices.Contains(g.events, event) }

// unknown returns the events that are not known.
func (g eventGroup) unknown() []string {
	return slices.DeleteFunc(slices.Clone(g.events), func(e string) bool {
		return e == messageNew || e == messageExpunge || e == flagChange
	})
}

// covers reports whether the group is about a folder that is not selected.
func (g eventGroup) covers(at place, own bool) bool {
	switch g.which {
	case "INBOXES":
		return own && at.name == "INBOX"
	case "PERSONAL":
		return own
	case "SUBSCRIBED":
		return at.folder.Subscribed
	case "SUBTREE":
		return slices.ContainsFunc(g.names, func(name string) bool {
			return at.name == name || strings.HasPrefix(at.name, name+"/")
		})
	case "MAILBOXES":
		return slices.Contains(g.names, at.name)
	}
	return false
}

// tellsSelected reports whether what happens in the selected folder is to be
// told: where there was no NOTIFY, as ever.
func (s *session) tellsSelected() bool {
	return s.notification == nil || slices.ContainsFunc(s.notification.groups, func(g eventGroup) bool {
		return strings.HasPrefix(g.which, "SELECTED") && len(g.events) > 0
	})
}

// tellOthers tells where the folders stand that are not selected and in which
// something happened that the client wants to know; with all, where every one of
// them stands.
func (s *session) tellOthers(all bool) error {
	n := s.notification
	if n == nil {
		return nil
	}
	var places []place
	for _, f := range s.account.Folders() {
		places = append(places, place{account: s.account, folder: f, name: f.Name})
	}
	own := len(places)
	for i, at := range append(places, s.foreign()...) {
		g := slices.IndexFunc(n.groups, func(g eventGroup) bool { return g.covers(at, i < own) })
		before, known := n.told[at.folder.ID]
		at, d := at.since(before.ModSeq)
		n.told[at.folder.ID] = at.folder
		if g < 0 || len(n.groups[g].events) == 0 || s.view != nil && s.view.id == at.folder.ID {
			continue
		}
		if !all && (!known || !n.groups[g].happened(before, at, d)) {
			continue
		}
		if err := s.writeStatus(at, s.noticeItems(n.groups[g])); err != nil {
			return err
		}
	}
	return nil
}

// since returns the folder as it is, and what happened to get there.
func (at place) since(modSeq uint64) (place, mailtest.Delta) {
	for {
		d, err := at.account.ChangedSince(at.folder.Name, modSeq)
		f, gone := at.account.FolderByID(at.folder.ID)
		if err != nil || gone != nil {
			return at, mailtest.Delta{}
		}
		if at.folder = f; f.ModSeq == d.ModSeq {
			return at, d
		}
	}
}

// happened reports whether something that the group wants happened since then.
func (g eventGroup) happened(before mailtest.Folder, at place, d mailtest.Delta) bool {
	if before.UIDValidity != at.folder.UIDValidity {
		return true
	}
	return g.wants(messageExpunge) && len(d.Expunged) > 0 || slices.ContainsFunc(d.Changed, func(m mailtest.Message) bool {
		if m.UID >= before.UIDNext {
			return g.wants(messageNew)
		}
		return g.wants(flagChange)
	})
}

// noticeItems are the items of STATUS that tell of the events (RFC 5465, sections
// 5.1 to 5.3).
func (s *session) noticeItems(g eventGroup) []string {
	items := []string{"MESSAGES", "UIDNEXT", "UIDVALIDITY"}
	if s.server.offers(condstore) && (s.condstore || g.wants(flagChange)) {
		items = append(items, "HIGHESTMODSEQ")
	}
	return items
}
