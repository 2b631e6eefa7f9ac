package imapx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// work is one change to the messages of one folder on one connection.
type work struct {
	client *Client
	conn   *conn
	batch  *batch
	to     string // the server's name of the target folder

	// uncertain is set while a command is under way whose effect is not known
	// until it is answered, and stays set after one that was carried out.
	uncertain bool

	// versions are those that the change depends on; nil where it depends on
	// none, or has proven them.
	versions map[uint32]uint64
	// fresh are those that the change has made, as told; nil where nobody asked,
	// and empty for a message that somebody else may have changed just after.
	fresh map[uint32]session.Version

	archive bool // the target is the folder of all messages, in place of an archive
}

// enter opens the folder and has the server tell what is new.
func (w *work) enter() error {
	s, err := w.client.enterAfresh(w.conn, w.batch.folder, false)
	if err != nil {
		return err
	}
	return w.client.current(w.conn, s, w.batch.validity)
}

// run makes the change.
func (w *work) run(change session.Change) error {
	if err := w.enter(); err != nil {
		return err
	}
	if err := w.able(change); err != nil {
		return err
	}
	if err := w.missing(); err != nil {
		return err
	}
	w.depend(change)
	for _, step := range []func(session.Change, []uint32) error{w.flags, w.labels, w.move, w.copy, w.delete} {
		if uids := w.batch.uids(); len(uids) > 0 {
			if err := step(change, uids); err != nil {
				return err
			}
		}
	}
	if !change.Delete {
		w.tellVersions()
	}
	return nil
}

// missing finds the messages that are gone. Servers pass over their numbers in
// silence.
func (w *work) missing() error {
	there, err := w.conn.searchUIDs("UID SEARCH UID " + formatSet(w.batch.uids()))
	if err != nil {
		return err
	}
	exists := map[uint32]bool{}
	for _, uid := range there {
		exists[uid] = true
	}
	for _, t := range w.batch.items {
		if t.open() && !exists[t.uid] {
			t.result.Outcome, t.result.Err = session.NotDone, w.conn.noMessage("apply")
		}
	}
	return nil
}

// able reports what the server lacks for the change, before anything is
// changed.
func (w *work) able(change session.Change) error {
	uidplus, move := w.conn.caps.has("UIDPLUS"), w.conn.caps.has("MOVE")
	switch {
	case change.IfUnchanged != nil && !w.conn.caps.versions():
		return w.lacks("store", "no CONDSTORE, without which a change cannot depend on a version")
	case change.IfUnchanged != nil && w.conn.selected.noVersions:
		return fmt.Errorf("%s: store: the server keeps no versions in the folder %s, without which a change cannot depend on one: %w",
			w.conn.address, shownName(w.batch.folder), errors.ErrUnsupported)
	case len(change.AddLabels)+len(change.RemoveLabels) > 0 && !w.conn.caps.has(gmail):
		return w.lacks("store", "no X-GM-EXT-1, without which messages have no labels; use keywords or folders")
	case change.MoveTo != "" && !move && !uidplus:
		return w.lacks("move", "neither MOVE nor UIDPLUS, without which the originals cannot be removed safely")
	case change.Delete && !uidplus:
		return w.lacks("delete", "no UIDPLUS, without which messages that others marked would be removed too; set the flag \\Deleted, or move to the trash")
	}
	return nil
}

// exec runs a command that changes something.
func (w *work) exec(op, words string) (codes, error) {
	w.uncertain = true
	return w.conn.exec(op, words)
}

func (w *work) flags(change session.Change, uids []uint32) error {
	if err := w.store(uids, "+", change.Set); err != nil {
		return err
	}
	return w.store(w.batch.uids(), "-", change.Clear)
}

// labels adds and takes away labels of Gmail.
func (w *work) labels(change session.Change, uids []uint32) error {
	if len(change.AddLabels) > 0 {
		if err := w.storeItem(uids, labelItem("+", change.AddLabels)); err != nil {
			return err
		}
	}
	if uids = w.batch.uids(); len(change.RemoveLabels) == 0 || len(uids) == 0 {
		return nil
	}
	return w.storeItem(uids, labelItem("-", change.RemoveLabels))
}

// labelItem writes labels as a STORE has them. There is no .SILENT in Gmail's
// description, so the server tells the labels afterwards and nobody listens.
func labelItem(sign string, labels []string) string {
	words := make([]string, len(labels))
	for i, label := range labels {
		words[i] = quote(encodeUTF7(label))
		if name, own := strings.CutPrefix(label, `\`); own && checkFlags(session.Flags{session.Flag(name)}) == nil {
			words[i] = label // as an atom, which is how Gmail's documents have them
		}
	}
	return sign + "X-GM-LABELS (" + strings.Join(words, " ") + ")"
}

// store adds or takes away flags. No flags is no command: an empty list would
// be harmless here, and with FLAGS alone it would clear them all.
func (w *work) store(uids []uint32, sign string, flags session.Flags) error {
	if len(flags) == 0 || len(uids) == 0 {
		return nil
	}
	if w.versions != nil {
		return w.storeUnchanged(uids, sign, flags)
	}
	return w.storeItem(uids, storeItem(sign, flags))
}

// storeItem changes flags or labels.
//
// A server may refuse because others removed some of the messages meanwhile,
// without saying what became of the rest (RFC 2180 section 4.2). Those that are
// gone get their outcome then, and the rest is asked for again.
func (w *work) storeItem(uids []uint32, item string) error {
	if len(uids) == 0 {
		return nil
	}
	_, err := w.storeTold("UID STORE " + formatSet(uids) + " " + item)
	if e, ok := errors.AsType[*Error](err); !ok || e.Type != "NO" || e.Code != "EXPUNGEISSUED" {
		return err
	}
	if err := w.missing(); err != nil {
		return err
	}
	if left := w.batch.uids(); len(left) < len(uids) {
		return w.storeItem(left, item)
	}
	return err
}

func storeItem(sign string, flags session.Flags) string {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = string(f)
	}
	return sign + "FLAGS.SILENT (" + strings.Join(words, " ") + ")"
}

// move moves in one step where the server can, and else by copy, verify, flag
// and expunge.
func (w *work) move(change session.Change, uids []uint32) error {
	if change.MoveTo == "" {
		return nil
	}
	if w.archive && !w.client.empties(w.batch.folder) {
		return w.storeItem(uids, labelItem("-", []string{`\Inbox`}))
	}
	if w.conn.caps.has("MOVE") {
		told, err := w.exec("move", "UID MOVE "+formatSet(uids)+" "+w.conn.mailboxName(w.to))
		w.settleNamed(w.tellNewIDs(told.copied), err)
		return err
	}
	told, err := w.exec("copy", "UID COPY "+formatSet(uids)+" "+w.conn.mailboxName(w.to))
	if err != nil {
		return err
	}
	if len(w.tellNewIDs(told.copied)) < len(uids) {
		return &partError{fmt.Errorf("%s: move to %s: the server does not confirm every copy; the originals stay, copies may be there too", w.conn.address, shownName(w.to))}
	}
	if err := w.expunge(uids); err != nil {
		return &partError{fmt.Errorf("%s: move to %s: the copies are there, the originals could not be removed: %w", w.conn.address, shownName(w.to), err)}
	}
	// An original that others removed meanwhile is where it was to get.
	for _, t := range w.batch.items {
		if slices.Contains(uids, t.uid) && errors.Is(t.result.Err, session.ErrNoMessage) {
			t.result.Outcome, t.result.Err = session.Done, nil
		}
	}
	return nil
}

func (w *work) copy(change session.Change, uids []uint32) error {
	if change.CopyTo == "" {
		return nil
	}
	told, err := w.exec("copy", "UID COPY "+formatSet(uids)+" "+w.conn.mailboxName(w.to))
	w.settleNamed(w.tellNewIDs(told.copied), err)
	if err != nil || told.copied != "" {
		return err
	}
	// An OK that names no copy is also what a server says when there was nothing
	// left to copy (RFC 9051 section 6.4.9). What is there still was copied.
	err = w.missing()
	if _, answered := errors.AsType[*Error](err); answered {
		return nil // it does not tell, and has said OK to the copy
	}
	return err
}

// settleNamed takes the server at its word where it named the messages that it
// moved or copied: those are done, also where it refused the rest, and after an
// OK the others were gone.
func (w *work) settleNamed(named map[uint32]bool, err error) {
	if len(named) == 0 {
		return
	}
	for _, t := range w.batch.items {
		switch {
		case !t.open():
		case named[t.uid]:
			t.result.Outcome = session.Done
		case err == nil:
			t.result.Outcome, t.result.Err = session.NotDone, w.conn.noMessage("apply")
		}
	}
}

func (w *work) delete(change session.Change, uids []uint32) error {
	if !change.Delete {
		return nil
	}
	return w.expunge(uids)
}

// expunge removes the messages and no others (RFC 4315 section 2.1).
func (w *work) expunge(uids []uint32) error {
	if err := w.store(uids, "+", session.Flags{session.Deleted}); err != nil {
		return err
	}
	if uids = w.batch.uids(); len(uids) == 0 {
		return nil // others removed them
	}
	_, err := w.exec("expunge", "UID EXPUNGE "+formatSet(uids))
	if _, answered := errors.AsType[*Error](err); answered {
		return fmt.Errorf("%s: the messages keep the flag \\Deleted: %w", w.conn.address, err)
	}
	return err
}

func (w *work) lacks(op, what string) error {
	return fmt.Errorf("%s: %s: the server offers %s: %w", w.conn.address, op, what, errors.ErrUnsupported)
}

// tellNewIDs reads the arguments of COPYUID (RFC 4315 section 3): the target's
// UIDVALIDITY, the old numbers and, in the same order, the new ones. It
// returns the messages of the batch that have a new id.
func (w *work) tellNewIDs(copied string) map[uint32]bool {
	fields := strings.Fields(copied)
	if len(fields) != 3 {
		return nil
	}
	limit := len(w.batch.items)
	from, ok1 := parseSet(fields[1], limit)
	to, ok2 := parseSet(fields[2], limit)
	validity, err := strconv.ParseUint(fields[0], 10, 32)
	if !ok1 || !ok2 || len(from) != len(to) || err != nil {
		return nil
	}
	scope := w.client.scope(&selected{name: w.to, validity: uint32(validity)})
	fresh := map[uint32]session.ID{}
	for i, uid := range from {
		fresh[uid] = withKey(scope, to[i])
	}
	told := map[uint32]bool{}
	for _, t := range w.batch.items {
		if id, ok := fresh[t.uid]; ok && t.open() {
			t.result.NewID = id
			told[t.uid] = true
		}
	}
	return told
}

// parseSet reads a set of at most limit numbers in the order it is written.
func parseSet(set string, limit int) (nums []uint32, ok bool) {
	ranges, ok := parseRanges(set)
	for _, r := range ranges {
		if int64(r[1])-int64(r[0]) >= int64(limit-len(nums)) {
			return nil, false
		}
		for n := r[0]; n < r[1]; n++ {
			nums = append(nums, n)
		}
		nums = append(nums, r[1]) // apart, since nothing comes after the largest number
	}
	return nums, ok
}

// parseRanges reads a set of numbers. A range may be written either way.
func parseRanges(set string) (ranges [][2]uint32, ok bool) {
	for part := range strings.SplitSeq(set, ",") {
		first, last, isRange := strings.Cut(part, ":")
		lo, ok := parseUID(first)
		hi := lo
		if ok && isRange {
			hi, ok = parseUID(last)
		}
		if !ok {
			return nil, false
		}
		ranges = append(ranges, [2]uint32{min(lo, hi), max(lo, hi)})
	}
	return ranges, true
}

// parseUID reads a number that a message can have.
func parseUID(word string) (uint32, bool) {
	n, err := strconv.ParseUint(word, 10, 32)
	return uint32(n), err == nil && n > 0
}
