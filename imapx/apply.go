package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/session"
)

// Apply implements [session.Incoming]. The messages of one folder are changed
// together, in as many commands as their number asks for.
func (c *Client) Apply(ctx context.Context, change session.Change, ids ...session.ID) ([]session.Result, error) {
	results := make([]session.Result, len(ids))
	batches := c.sortOut(ids, results)
	to, archive, err := c.prepare(ctx, change)
	for _, b := range batches {
		if err == nil {
			err = c.carryOut(ctx, "apply", to, b, func(w *work) error {
				w.archive = archive
				return w.run(change)
			})
			c.forgetMissing(b)
		}
		b.settle(session.NotDone, err)
	}
	return results, err
}

// prepare checks the change and returns the server's name of the folder that
// it leads to; archive says that this is the folder of all messages, which stands
// for an archive where folders are labels.
func (c *Client) prepare(ctx context.Context, change session.Change) (to string, archive bool, err error) {
	if err := checkChange(change); err != nil {
		return "", false, err
	}
	ref := cmp.Or(change.MoveTo, change.CopyTo)
	if ref == "" {
		return "", false, nil
	}
	to, err = c.resolve(ctx, ref)
	if !errors.Is(err, session.ErrNoFolder) || change.MoveTo != session.Archive {
		return to, false, err
	}
	facts, failed := c.Facts(ctx)
	if failed != nil {
		return "", false, failed
	}
	if !facts.Labels {
		return "", false, err
	}
	to, err = c.resolve(ctx, session.FolderFor(session.RoleAll))
	return to, true, err
}

// empties reports whether moving a message from a folder to that of all messages
// is what archiving means there: it is not elsewhere, or has the inbox as its
// label. Anywhere else the move would take another label off.
func (c *Client) empties(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.folders, func(f folder) bool {
		return f.name == name && (f.Role == session.RoleInbox || f.Role == session.RoleTrash || f.Role == session.RoleJunk)
	})
}

// checkChange refuses what would not survive the way to the server.
func checkChange(change session.Change) error {
	if err := change.Check(); err != nil {
		return err
	}
	return checkFlags(slices.Concat(change.Set, change.Clear))
}

func checkFlags(flags session.Flags) error {
	for _, f := range flags {
		if err := checkFlag(f); err != nil {
			return err
		}
	}
	return nil
}

// checkFlag refuses what is no flag of IMAP.
func checkFlag(f session.Flag) error {
	if !backend.IsAtom(f) {
		return fmt.Errorf("imap: %q cannot be a flag; use letters of ASCII, digits and signs other than (){%%*\"\\], and no blanks", f)
	}
	return nil
}

// checkQuery refuses what could not be asked.
func checkQuery(q session.Query) error {
	return cmp.Or(q.Check(), backend.CheckKeywords(q.Where, checkFlag))
}

// forgetMissing drops what is known of the folders where one of them is not
// there any more, so that the next change looks for it anew.
func (c *Client) forgetMissing(b *batch) {
	for _, t := range b.items {
		if errors.Is(t.result.Err, session.ErrNoFolder) {
			c.forget()
			return
		}
	}
}

// batch is messages of one folder, with the places for their results.
type batch struct {
	folder   string
	validity string
	items    []changing
	width    int // of the set of their numbers, in bytes, at most
}

type changing struct {
	uid    uint32
	result *session.Result
}

// open reports whether the message has no outcome yet.
func (t changing) open() bool {
	return t.result.Outcome == session.DoneUnknown && t.result.Err == nil
}

// settle gives every message that has none yet an outcome.
func (b *batch) settle(o session.ChangeOutcome, err error) {
	for _, t := range b.items {
		if t.open() {
			t.result.Outcome, t.result.Err = o, err
		}
	}
}

// uids returns the numbers of the messages that have no outcome yet, ascending.
func (b *batch) uids() []uint32 {
	var uids []uint32
	for _, t := range b.items {
		if t.open() {
			uids = append(uids, t.uid)
		}
	}
	slices.Sort(uids)
	return slices.Compact(uids)
}

// sortOut puts ids into batches by folder and by what fits into one command;
// what is not an id of this mailbox gets its result at once.
func (c *Client) sortOut(ids []session.ID, results []session.Result) []*batch {
	var batches []*batch
	filling := map[[2]string]*batch{} // by folder and validity
	for i, id := range ids {
		results[i].ID = id
		parts, uid, err := c.own(id)
		if err != nil {
			results[i].Outcome, results[i].Err = session.NotDone, err
			continue
		}
		key := [2]string{parts.Folder, parts.Validity}
		width := len(parts.Key) + len(",")
		b := filling[key]
		if b == nil || len(b.items) == c.opts.PageSize || b.width+width > maxSet {
			b = &batch{folder: parts.Folder, validity: parts.Validity}
			batches, filling[key] = append(batches, b), b
		}
		b.width += width
		b.items = append(b.items, changing{uid: uid, result: &results[i]})
	}
	return batches
}

// carryOut changes the messages of one batch. What it returns keeps the batches
// that follow from being tried: a lost connection, refused credentials.
func (c *Client) carryOut(ctx context.Context, op, to string, b *batch, change func(w *work) error) error {
	var w *work
	err := c.do(ctx, op, func(cn *conn) error {
		w = &work{client: c, conn: cn, batch: b, to: to}
		return change(w)
	}, func() bool { return !w.uncertain }, slog.String("folder", b.folder), slog.Int("messages", len(b.items)))
	_, lost := errors.AsType[*backend.LostError](err)
	switch {
	case err == nil:
		b.settle(session.Done, nil)
		return nil
	case lost && w != nil && w.uncertain:
		for _, t := range b.items {
			if t.open() {
				t.result.Err = err // the outcome stays unknown
			}
		}
		return err
	}
	b.settle(session.NotDone, err)
	if _, refused := errors.AsType[*session.AuthError](err); lost || refused || w == nil {
		return err
	}
	return nil // it concerns this batch alone
}
