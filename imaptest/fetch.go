package imaptest

import (
	"context"
	"strconv"

	"github.com/mailsession/mailsession/mailtest"
)

// internalDate is the form of INTERNALDATE (RFC 3501, section 9, "date-time").
const internalDate = "_2-Jan-2006 15:04:05 -0700"

// fetchCommands are those that return messages.
func fetchCommands() map[string]command {
	return map[string]command{
		"FETCH":     {run: fetch, state: selected, whole: true},
		"UID FETCH": {run: fetch, state: selected},
	}
}

// loaded is a message while it is looked at.
type loaded struct {
	mailtest.Message
	session *session
	index   int     // in the view
	header  *entity // without its parts
	whole   *entity
}

// top takes header and body apart, once, and leaves the body in one piece.
func (l *loaded) top() *entity {
	if l.header == nil {
		l.header = parseTop(l.Raw)
	}
	return l.header
}

// entity takes the message with all its parts apart, once.
func (l *loaded) entity() *entity {
	if l.whole == nil {
		l.whole = parseEntity(l.Raw)
	}
	return l.whole
}

// load returns the message at an index of the view, nil where it is gone.
func (s *session) load(i int) *loaded {
	m, err := s.view.account.Message(s.view.name, s.view.entries[i].uid)
	if err != nil || m.UIDValidity != s.view.validity {
		return nil
	}
	return &loaded{Message: m, session: s, index: i}
}

// item is one data item of a FETCH response.
type item struct {
	name  string
	needs string // the capability that it comes with, "" for IMAP4rev1
	seen  bool   // whether fetching it sets \Seen
	put   func(w *encoder, l *loaded)
}

// fetch is FETCH and UID FETCH.
func fetch(_ context.Context, s *session, p *parser) (reply, error) {
	byUID := s.byUID()
	set, picked, err := s.picked(p, byUID)
	if err != nil {
		return reply{}, err
	}
	if err := p.space(); err != nil {
		return reply{}, err
	}
	items, err := s.fetchItems(p)
	if err != nil {
		return reply{}, err
	}
	since, err := s.fetchSince(p)
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if byUID || since.vanished {
		items = withItem(items, "UID")
	}
	if items, err = s.withModSeq(items, since); err != nil {
		return reply{}, err
	}
	if err := s.tellVanished(since, set); err != nil {
		return reply{}, err
	}
	return s.tellFetched(picked, items, since)
}

// tellFetched sends the items of the messages that stand at places of the view.
func (s *session) tellFetched(picked []int, items []item, since changedSince) (reply, error) {
	missing := false
	for _, i := range picked {
		l := s.load(i)
		if l == nil {
			missing = true
			continue
		}
		if since.given && l.ModSeq <= since.modSeq {
			continue
		}
		if err := s.writeFetch(l, items); err != nil {
			return reply{}, err
		}
	}
	if missing {
		return okCode("EXPUNGEISSUED", "Some messages were expunged already"), nil
	}
	return ok(s.name + " completed"), nil
}

// byUID reports whether the command is one by UID.
func (s *session) byUID() bool { return len(s.name) > 4 && s.name[:4] == "UID " }

// picked reads the set that names messages, and returns with it where they
// stand in the view.
func (s *session) picked(p *parser, byUID bool) (numSet, []int, error) {
	if err := p.space(); err != nil {
		return nil, nil, err
	}
	set, err := p.set()
	if err != nil {
		return nil, nil, err
	}
	indexes, err := s.view.pick(set, byUID)
	return set, indexes, err
}

// withItem returns the items with the named one first, if it is not there.
func withItem(items []item, name string) []item {
	for _, it := range items {
		if it.name == name {
			return items
		}
	}
	return append([]item{simpleItem(name)}, items...)
}

func (s *session) writeFetch(l *loaded, items []item) error {
	items = s.markSeen(l, items)
	w := &encoder{c: s.c}
	w.raw("* ")
	w.number(l.index + 1)
	w.raw(" FETCH (")
	for i, it := range items {
		if i > 0 {
			w.raw(" ")
		}
		w.raw(it.name + " ")
		it.put(w, l)
	}
	w.raw(")\r\n")
	return w.err
}

// markSeen sets \Seen where fetching the items does that, and returns the items
// with the flags among them where they changed.
func (s *session) markSeen(l *loaded, items []item) []item {
	seen := false
	for _, it := range items {
		seen = seen || it.seen
	}
	if !seen || s.view.readOnly || l.Has(mailtest.Seen) {
		return items
	}
	_ = s.view.account.AddFlags(s.view.name, []string{mailtest.Seen}, l.UID)
	changed := s.load(l.index)
	if changed == nil {
		return items
	}
	l.Message = changed.Message
	s.view.entries[l.index].modSeq = l.ModSeq
	if s.tellsModSeq() {
		items = withItem(items, "MODSEQ")
	}
	return withItem(items, "FLAGS")
}

// simpleItem returns an item that has no section, with a nil put where the name
// is not one of those.
func simpleItem(name string) item {
	it := item{name: name}
	switch name {
	case "FLAGS":
		it.put = func(w *encoder, l *loaded) { w.raw("(" + l.session.flagList(&l.Message, l.index) + ")") }
	case "UID":
		it.put = func(w *encoder, l *loaded) { w.number(int(l.UID)) }
	case "INTERNALDATE":
		it.put = func(w *encoder, l *loaded) { w.raw(`"` + l.Received.Format(internalDate) + `"`) }
	case "RFC822.SIZE":
		it.put = func(w *encoder, l *loaded) { w.number(len(l.Raw)) }
	case "ENVELOPE":
		it.put = func(w *encoder, l *loaded) { w.envelope(l.top()) }
	case "BODY":
		it.put = func(w *encoder, l *loaded) { w.structure(l.entity(), false) }
	case "BODYSTRUCTURE":
		it.put = func(w *encoder, l *loaded) { w.structure(l.entity(), true) }
	case "MODSEQ":
		it.needs = condstore
		it.put = func(w *encoder, l *loaded) { w.raw("(" + strconv.FormatUint(l.ModSeq, 10) + ")") }
	case "RFC822":
		it.seen = true
		it.put = func(w *encoder, l *loaded) { w.literal(l.Raw) }
	case "RFC822.HEADER":
		it.put = func(w *encoder, l *loaded) { w.literal(l.top().header) }
	case "RFC822.TEXT":
		it.seen = true
		it.put = func(w *encoder, l *loaded) { w.literal(l.top().body) }
	default:
		return objectItem(name)
	}
	return it
}
