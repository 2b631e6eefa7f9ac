package imapx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/mailsession/mailsession/session"
)

// depend notes the versions that the change depends on, and gives the messages
// that have none their outcome.
func (w *work) depend(change session.Change) {
	if change.IfUnchanged == nil {
		return
	}
	w.versions, w.fresh = map[uint32]uint64{}, map[uint32]session.Version{}
	for _, t := range w.batch.items {
		if !t.open() {
			continue
		}
		v, err := strconv.ParseUint(string(change.IfUnchanged[t.result.ID]), 10, 63)
		if err != nil {
			t.result.Outcome = session.NotDone
			t.result.Err = fmt.Errorf("%s: store: the change depends on a version of the message that is not given; list it with FieldVersion", w.conn.address)
			continue
		}
		w.versions[t.uid] = v
	}
}

// storeUnchanged is store for those messages that have the version that they
// are to have (RFC 7162 section 3.1.3). What follows in the same change depends
// on nothing more: it is the first step that has made another version.
func (w *work) storeUnchanged(uids []uint32, sign string, flags session.Flags) error {
	groups := map[uint64][]uint32{}
	var order []uint64
	for _, uid := range uids {
		v := w.versions[uid]
		if groups[v] == nil {
			order = append(order, v)
		}
		groups[v] = append(groups[v], uid)
	}
	w.versions = nil
	for _, v := range order {
		told, err := w.storeTold(fmt.Sprintf("UID STORE %s (UNCHANGEDSINCE %d) %s", formatSet(groups[v]), v, storeItem(sign, flags)))
		if err != nil && !refusesSome(err) {
			return err
		}
		if !w.refuse(groups[v], told.modified) && err == nil {
			err = fmt.Errorf("%s: store: %w", w.conn.address, session.ErrChanged)
		}
		if err != nil {
			if err := w.verify(groups[v], sign, flags, err); err != nil {
				return err
			}
		}
	}
	return nil
}

// storeTold carries out a STORE and notes the versions that it makes, where the
// server tells them (RFC 7162 section 3.1.3). The answer to a silent one holds no
// flags; flags in it are those that somebody else changed meanwhile, and a version
// that comes with them, or behind them, would hide that.
func (w *work) storeTold(words string) (codes, error) {
	w.uncertain = true
	m, err := w.conn.collect("store", words, func(name string, sc *scanner) error {
		if name != "FETCH" || w.fresh == nil {
			return nil
		}
		f := newFetched(0)
		if err := f.scan(sc); err != nil {
			if itemError(err) {
				return nil
			}
			return err
		}
		switch before, told := w.fresh[f.uid]; {
		case f.message.Flags != nil, told && before == "":
			w.fresh[f.uid] = ""
		case f.message.Version != "":
			w.fresh[f.uid] = f.message.Version
		}
		return nil
	})
	if m == nil {
		return codes{}, err
	}
	return m.codes, err
}

// tellVersions gives the messages that were changed on a condition the versions
// that they have now.
func (w *work) tellVersions() {
	for _, t := range w.batch.items {
		if t.open() {
			t.result.Version = w.fresh[t.uid]
		}
	}
}

// refusesSome reports whether a server says NO for the sake of some messages
// that are changed or gone, having changed the others.
func refusesSome(err error) bool {
	e, answered := errors.AsType[*Error](err)
	return answered && e.Type == "NO" && (e.Code == "MODIFIED" || e.Code == "EXPUNGEISSUED")
}

// refuse gives the messages that the code MODIFIED names their outcome. It
// reports whether the code, if there is one, can be read.
func (w *work) refuse(uids []uint32, modified string) bool {
	if modified == "" {
		return true
	}
	named, ok := parseRanges(modified)
	if !ok {
		return false
	}
	for _, t := range w.batch.items {
		if t.open() && slices.Contains(uids, t.uid) && slices.ContainsFunc(named, func(r [2]uint32) bool { return r[0] <= t.uid && t.uid <= r[1] }) {
			t.result.Outcome = session.NotDone
			t.result.Err = fmt.Errorf("%s: store: %w", w.conn.address, session.ErrChanged)
		}
	}
	return true
}

// verify looks what became of messages where the server refuses a change
// without saying of which: those that are gone, and those that do not have the
// flags as they were to be, get their outcome.
func (w *work) verify(uids []uint32, sign string, flags session.Flags, refusal error) error {
	if err := w.missing(); err != nil {
		return err
	}
	got, _, err := w.conn.fetch(uids, session.Reads{Fields: session.FieldFlags})
	if err != nil {
		return err
	}
	stored := map[uint32]bool{}
	for _, f := range got {
		stored[f.uid] = f.err == nil && !slices.ContainsFunc(flags, func(flag session.Flag) bool { return f.message.Flags.Has(flag) != (sign == "+") })
	}
	for _, t := range w.batch.items {
		if t.open() && slices.Contains(uids, t.uid) && !stored[t.uid] {
			t.result.Outcome, t.result.Err = session.NotDone, refusal
		}
	}
	return nil
}
