package imaptest

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/mailsession/mailsession/mailtest"
)

// Names of CONDSTORE and QRESYNC (RFC 7162), as capabilities and as parameters.
const (
	condstore = "CONDSTORE"
	qresync   = "QRESYNC"
)

// enableCondstore makes the session tell change counters from here on. A client
// that has a folder selected learns where that one stands (RFC 7162, section
// 3.1.2).
func (s *session) enableCondstore() error {
	if s.condstore {
		return nil
	}
	s.condstore = true
	if s.view == nil || s.view.noModSeq {
		return nil
	}
	return s.untagged(s.highestModSeq().String())
}

// tellsModSeq reports whether change counters of the selected folder are told.
func (s *session) tellsModSeq() bool { return s.condstore && !s.view.noModSeq }

// errNoModSeq refuses a question about change counters in a folder that keeps
// none.
const errNoModSeq = syntaxError("no change counters in this folder")

func (s *session) highestModSeq() reply {
	return okCode(fmt.Sprintf("HIGHESTMODSEQ %d", s.view.modSeq), "Highest")
}

// number64 reads a number of 63 bits, as change counters are.
func (p *parser) number64() (uint64, error) {
	digits, err := p.span("a number", isDigit)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return 0, syntaxError("number " + digits + " too large")
	}
	return n, nil
}

// changedSince is the modifier of FETCH that asks for what changed only.
type changedSince struct {
	given, vanished bool
	modSeq          uint64
}

// fetchSince reads the modifiers of FETCH (RFC 7162, sections 3.1.4.1 and 3.2.6).
func (s *session) fetchSince(p *parser) (changedSince, error) {
	var since changedSince
	if !s.server.offers(condstore) || !p.accept(' ') {
		return since, nil
	}
	err := p.list(func() error {
		word, err := p.word()
		switch {
		case err != nil:
			return err
		case word == "VANISHED" && s.qresync && s.byUID():
			since.vanished = true
			return nil
		case word != "CHANGEDSINCE":
			return syntaxError("unknown fetch modifier " + word)
		}
		if err := p.space(); err != nil {
			return err
		}
		since.given = true
		since.modSeq, err = p.number64()
		return err
	})
	if err == nil && since.vanished && !since.given {
		err = syntaxError("VANISHED without CHANGEDSINCE")
	}
	return since, err
}

// withModSeq adds MODSEQ to the items where the client asked for changes, and
// takes either as the wish to be told change counters.
func (s *session) withModSeq(items []item, since changedSince) ([]item, error) {
	if since.given {
		items = withItem(items, "MODSEQ")
	}
	if !slices.ContainsFunc(items, func(it item) bool { return it.name == "MODSEQ" }) {
		return items, nil
	}
	if s.view.noModSeq {
		return nil, errNoModSeq
	}
	return items, s.enableCondstore()
}

// tellVanished names the messages of the set that are gone since then.
func (s *session) tellVanished(since changedSince, set numSet) error {
	if !since.vanished {
		return nil
	}
	d, err := s.changesAfter(since.modSeq)
	if err != nil {
		return err
	}
	return s.tellEarlier(d, set)
}

// tellEarlier names the expunged messages that are in the set, nil for all.
func (s *session) tellEarlier(d mailtest.Delta, set numSet) error {
	var gone []mailtest.UID
	for i := range d.Expunged {
		uid := d.Expunged[i].UID
		if set == nil || set.contains(int64(uid), int64(d.UIDNext)-1) {
			gone = append(gone, uid)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	return s.untagged("VANISHED (EARLIER) " + uidSet(gone))
}

// selecting is what SELECT may say behind the name (RFC 7162, section 3.2.5).
type selecting struct {
	condstore, qresync bool
	validity           uint32
	modSeq             uint64
	known              numSet // of UIDs, nil for all
}

// selecting reads the parameters of SELECT and the end of the command.
func (s *session) selecting(p *parser) (selecting, error) {
	var o selecting
	if !s.server.offers(condstore) || !p.accept(' ') {
		return o, p.end()
	}
	err := p.list(func() error {
		word, err := p.word()
		switch {
		case err != nil:
			return err
		case word == condstore:
			o.condstore = true
			return nil
		case word == qresync && s.qresync:
			o.qresync = true
			return o.resync(p)
		}
		return syntaxError("unknown or not enabled parameter " + word)
	})
	if err != nil {
		return o, err
	}
	return o, p.end()
}

// resync reads what follows QRESYNC. The message numbers that a client may send
// along are an aid against long answers, and not needed here.
func (o *selecting) resync(p *parser) (err error) {
	steps := []func() error{
		p.space,
		func() error { return p.expect('(') },
		func() error { o.validity, err = p.number(); return err },
		p.space,
		func() error { o.modSeq, err = p.number64(); return err },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	if p.accept(' ') && p.peek() != '(' {
		if o.known, err = p.set(); err != nil {
			return err
		}
		p.accept(' ')
	}
	if p.peek() == '(' {
		if err := p.numbersAndUIDs(); err != nil {
			return err
		}
	}
	return p.expect(')')
}

// numbersAndUIDs reads "(" a set of message numbers, one of UIDs ")".
func (p *parser) numbersAndUIDs() error {
	n := 0
	err := p.list(func() error {
		n++
		_, err := p.set()
		return err
	})
	if err == nil && n != 2 {
		err = p.wants("a set of message numbers and one of UIDs")
	}
	return err
}

// tellResync tells what happened since the client saw the folder the last time.
// A client that knows another UIDVALIDITY is told nothing.
func (s *session) tellResync(o selecting) error {
	if !o.qresync || o.validity != s.view.validity {
		return nil
	}
	d, err := s.changesAfter(o.modSeq)
	if err != nil {
		return err
	}
	if err := s.tellEarlier(d, o.known); err != nil {
		return err
	}
	for i := range d.Changed {
		if o.known != nil && !o.known.contains(int64(d.Changed[i].UID), int64(d.UIDNext)-1) {
			continue
		}
		if err := s.tellFlags(&d.Changed[i], true); err != nil {
			return err
		}
	}
	return nil
}

// unchangedSince reads the modifier of STORE, math.MaxUint64 where there is
// none.
func (s *session) unchangedSince(p *parser) (uint64, error) {
	if !s.server.offers(condstore) || p.i+1 >= len(p.b) || string(p.b[p.i:p.i+2]) != " (" {
		return math.MaxUint64, nil
	}
	if s.view.noModSeq {
		return 0, errNoModSeq
	}
	p.i++
	since := uint64(math.MaxUint64)
	err := p.list(func() error {
		word, err := p.word()
		if err != nil || word != "UNCHANGEDSINCE" {
			return p.wants("UNCHANGEDSINCE")
		}
		if err := p.space(); err != nil {
			return err
		}
		since, err = p.number64()
		return err
	})
	return since, err
}

// modified returns the code that names the messages which a conditional STORE
// left alone (RFC 7162, section 3.1.3), "" for none.
func (s *session) modified(refused []int) string {
	if len(refused) == 0 {
		return ""
	}
	return "MODIFIED " + uidSet(s.numbers(refused))
}

// numbers returns UIDs or message numbers, as the command has them, of what
// stands at the indexes of the view.
func (s *session) numbers(indexes []int) []mailtest.UID {
	if s.byUID() {
		return s.view.uids(indexes)
	}
	numbers := make([]mailtest.UID, 0, len(indexes))
	for _, i := range indexes {
		numbers = append(numbers, mailtest.UID(i+1)) //nolint:gosec // a folder has fewer messages than UIDs
	}
	return numbers
}

// expunged answers a command that expunged messages, with the change counter
// for clients that resynchronize by it.
func (s *session) expunged(gone int) reply {
	if gone > 0 && s.qresync {
		if f, err := s.view.account.FolderByID(s.view.id); err == nil {
			return okCode(fmt.Sprintf("HIGHESTMODSEQ %d", f.ModSeq), s.name+" completed")
		}
	}
	return ok(s.name + " completed")
}
