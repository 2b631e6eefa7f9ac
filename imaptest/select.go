package imaptest

import (
	"context"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// selectCommands are those about the selected folder as a whole.
func selectCommands() map[string]command {
	return map[string]command{
		"SELECT":      {run: selectFolder, state: authenticated},
		"EXAMINE":     {run: selectFolder, state: authenticated},
		"CHECK":       {run: noop, state: selected},
		"CLOSE":       {run: closeFolder, state: selected},
		"UNSELECT":    {run: unselect, state: selected, needs: "UNSELECT"},
		"EXPUNGE":     {run: expunge, state: selected},
		"UID EXPUNGE": {run: uidExpunge, state: selected, needs: "UIDPLUS"},
	}
}

// selectFolder is SELECT and EXAMINE.
func selectFolder(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	name, err := p.mailbox()
	if err != nil {
		return reply{}, err
	}
	o, err := s.selecting(p)
	if err != nil {
		return reply{}, err
	}
	if err := s.leaveFolder(); err != nil {
		return reply{}, err
	}
	if r, refused := s.unsafeLogin(); refused {
		return r, nil
	}
	s.condstore = s.condstore || o.condstore
	at, err := s.find(name)
	if err != nil {
		return folderProblem(err, false), nil
	}
	d, err := s.enter(at)
	if err != nil {
		return folderProblem(err, false), nil
	}
	if err := s.describe(d); err != nil {
		return reply{}, err
	}
	if code := s.mailboxIDCode(at.folder); code != "" {
		if err := s.untagged(okCode(code, "Mailbox").String()); err != nil {
			return reply{}, err
		}
	}
	if err := s.tellResync(o); err != nil {
		return reply{}, err
	}
	if s.view.readOnly {
		return okCode("READ-ONLY", "EXAMINE completed"), nil
	}
	return okCode("READ-WRITE", "SELECT completed"), nil
}

// enter selects a folder, and returns what is in it.
func (s *session) enter(at place) (mailtest.Delta, error) {
	v := &view{account: at.account, id: at.folder.ID, name: at.folder.Name, readOnly: s.name == "EXAMINE"}
	v.noModSeq = slices.Contains(s.server.options.NoModSeq, v.name)
	d, err := v.account.ChangedSince(v.name, 0)
	if err != nil {
		return d, err
	}
	v.validity, v.modSeq = d.UIDValidity, d.ModSeq
	for _, m := range d.Changed {
		v.entries = append(v.entries, entry{uid: m.UID, modSeq: m.ModSeq})
	}
	s.view = v
	s.markRecent(d.UIDNext)
	return d, nil
}

// leaveFolder ends what was selected. Clients that resynchronize are told where
// its answers end (RFC 7162, section 3.2.11).
func (s *session) leaveFolder() error {
	was := s.view
	s.view = nil
	if was == nil || !s.qresync {
		return nil
	}
	return s.untagged(okCode("CLOSED", "Previous mailbox closed").String())
}

// describe sends what SELECT tells about a folder (RFC 3501, section 6.3.1).
func (s *session) describe(d mailtest.Delta) error {
	v, flags := s.view, flagsOf(d.Changed)
	firstUnseen := 1 + slices.IndexFunc(d.Changed, func(m mailtest.Message) bool { return !m.Has(mailtest.Seen) })
	permanent := strings.Join(append(slices.Clone(flags), `\*`), " ")
	if v.readOnly {
		permanent = ""
	}
	lines := []func() error{
		func() error { return s.untaggedf("FLAGS (%s)", strings.Join(flags, " ")) },
		func() error { return s.untaggedf("%d EXISTS", len(v.entries)) },
		func() error { return s.untaggedf("%d RECENT", v.recents()) },
		func() error {
			if firstUnseen == 0 {
				return nil
			}
			return s.untaggedf("OK [UNSEEN %d] First unseen message", firstUnseen)
		},
		func() error { return s.untaggedf("OK [PERMANENTFLAGS (%s)] Flags that can be changed", permanent) },
		func() error { return s.untaggedf("OK [UIDVALIDITY %d] UIDs valid", v.validity) },
		func() error { return s.untaggedf("OK [UIDNEXT %d] Predicted next UID", d.UIDNext) },
		func() error {
			if !s.server.offers(condstore) {
				return nil
			}
			if v.noModSeq {
				return s.untagged(okCode("NOMODSEQ", "No change counters here").String())
			}
			return s.untagged(s.highestModSeq().String())
		},
	}
	for _, line := range lines {
		if err := line(); err != nil {
			return err
		}
	}
	return nil
}

// flagsOf returns the system's flags and those that messages have.
func flagsOf(messages []mailtest.Message) []string {
	flags := systemFlags()
	for i := range messages {
		for _, f := range messages[i].Flags {
			if !slices.Contains(flags, f) {
				flags = append(flags, f)
			}
		}
	}
	return flags
}

// closeFolder is CLOSE: it removes what is marked \Deleted without a word.
func closeFolder(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	r := ok("CLOSE completed")
	if !s.view.readOnly {
		r = s.expunged(s.expungeDeleted(nil))
	}
	s.view = nil
	return r, nil
}

// unselect is UNSELECT (RFC 3691).
func unselect(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	s.view = nil
	return ok("UNSELECT completed"), nil
}

func expunge(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if s.view.readOnly {
		return readOnly(), nil
	}
	return s.expunged(s.expungeDeleted(nil)), nil
}

// uidExpunge is UID EXPUNGE (RFC 4315).
func uidExpunge(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	set, err := p.set()
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if s.view.readOnly {
		return readOnly(), nil
	}
	return s.expunged(s.expungeDeleted(set)), nil
}

func readOnly() reply { return no("", "Mailbox is read-only") }

// expungeDeleted removes the messages of the folder that have \Deleted and are
// in the set, nil for all, and returns how many. The client is told by sync.
func (s *session) expungeDeleted(set numSet) int {
	messages, _ := s.view.account.Messages(s.view.name)
	var uids []mailtest.UID
	for i := range messages {
		m := &messages[i]
		if m.Has(mailtest.Deleted) && (set == nil || set.contains(int64(m.UID), s.view.highest())) {
			uids = append(uids, m.UID)
		}
	}
	gone, _ := s.view.account.Expunge(s.view.name, uids...)
	return len(gone)
}
