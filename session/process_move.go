package session

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// checkFolders looks whether messages can be moved where they are to go, before
// the first of them is handled: to other folders, which are there.
func (p *processor) checkFolders(ctx context.Context) error {
	targets := slices.DeleteFunc([]FolderRef{p.opts.Done, p.opts.Problem}, func(f FolderRef) bool { return f == "" })
	if len(targets) == 0 {
		return nil
	}
	facts, err := p.session.in.Facts(ctx)
	if err != nil {
		return err
	}
	if facts.OneFolder || !facts.SafeMove {
		return fmt.Errorf("messages that were handled cannot be moved here, so that Done and Problem have to be empty: %w", errors.ErrUnsupported)
	}
	p.completes = facts.SafeDelete && !facts.Labels // with labels a message is in several folders, and no copy
	var own []Folder
	for f, err := range p.session.in.Folders(ctx) {
		if err != nil {
			return err
		}
		own = append(own, f)
	}
	from := pathAmong(own, p.folder)
	for _, to := range targets {
		path := pathAmong(own, to)
		known := slices.ContainsFunc(own, func(f Folder) bool { return f.Path == path })
		// There are servers that do not tell small letters from large ones.
		if path == from || !known && strings.EqualFold(path, from) {
			return fmt.Errorf("messages that were handled cannot be moved to %s, the folder that they come from; name another one", to)
		}
		labels := facts.Labels && to == Archive // what has labels needs no folder for that
		if known || labels {
			continue
		}
		if err := p.probe(ctx, to); err != nil {
			if errors.Is(err, ErrNoFolder) {
				err = fmt.Errorf("%w; EnsureFolder makes it", err)
			}
			return fmt.Errorf("messages that were handled are to go to %s: %w", to, err)
		}
	}
	return nil
}

// pathAmong returns the path of a folder, or the reference where no folder of the
// user's own has it.
func pathAmong(own []Folder, ref FolderRef) string {
	ref = plain(ref)
	if path, ok := ref.Path(); ok {
		return path
	}
	for _, f := range own {
		if f.Role != RoleNone && FolderFor(f.Role) == ref {
			return f.Path
		}
	}
	return string(ref)
}

// probe looks into a folder that is not among the user's own, as one that others
// share.
func (p *processor) probe(ctx context.Context, folder FolderRef) error {
	for _, err := range readable(p.session.in.Messages(ctx, Query{Folder: folder, Fields: FieldFlags, Limit: 1})) {
		if err != nil {
			return err
		}
	}
	return nil
}

// moveAll moves what is done or given up and has to be moved now. The outcomes
// are written first, so that a crash in between doubles nothing.
func (p *processor) moveAll(ctx context.Context) error {
	if p.opts.DryRun || p.stuck {
		return nil
	}
	ids, _ := p.record.due(time.Now())
	targets := map[FolderRef][]ID{}
	for _, id := range ids {
		switch i := p.record.Items[id]; {
		case !i.Move:
		case i.State == itemProblem:
			targets[p.opts.Problem] = append(targets[p.opts.Problem], id)
		default:
			targets[p.opts.Done] = append(targets[p.opts.Done], id)
		}
	}
	for _, id := range targets[""] { // the settings are others than they were
		p.leave(p.record.Items[id])
	}
	delete(targets, "")
	if len(targets) == 0 {
		return nil
	}
	for _, ids := range targets {
		for _, id := range ids {
			i := p.record.Items[id]
			i.MoveTries++
			i.look, i.MoveHalted, p.unsaved = i.MoveHalted, true, true
		}
	}
	if err := p.save(ctx); err != nil {
		return err
	}
	for to, ids := range targets {
		if err := p.move(ctx, to, ids); err != nil {
			return err
		}
	}
	return nil
}

// leave has a message stay where it is.
func (p *processor) leave(i *progressItem) {
	i.Move, p.unsaved = false, true
	p.record.Stay = p.record.Stay || i.State == itemDone
}

// move moves messages to where they belong. One that is gone has been moved, or
// somebody else did so. One that cannot be moved has its next try later, and
// keeps nothing else waiting.
func (p *processor) move(ctx context.Context, to FolderRef, ids []ID) error {
	results, ids := p.complete(ctx, to, ids)
	moved, whole := p.session.Apply(ctx, Change{MoveTo: to}, ids...)
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	p.unsaved = true
	for _, r := range moved {
		p.record.Items[r.ID].MoveHalted = mayHaveCopied(r)
	}
	results = append(results, moved...)
	for _, r := range results {
		i := p.record.Items[r.ID]
		if r.Outcome == Done || errors.Is(r.Err, ErrNoMessage) || errors.Is(r.Err, ErrStaleID) {
			i.Move = false
			continue
		}
		i.At = time.Now().Add(p.pace(i.MoveTries))
		if r.Outcome != DoneUnknown && !p.backoff.retries(r.Err) {
			p.immovable(r, i, to)
		}
	}
	if whole != nil && !p.backoff.retries(whole) && p.unmoved == nil {
		p.unmoved, p.stuck = whole, true
	}
	return nil
}

// mayHaveCopied reports whether a move that was not done may have left a copy.
func mayHaveCopied(r Result) bool {
	part, ok := errors.AsType[interface {
		error
		LeftCopies() bool
	}](r.Err)
	return r.Outcome == DoneUnknown || ok && part.LeftCopies()
}

// complete ends the moves that halted before, in this program or in one that died. A
// server that cannot move is told to copy and to remove: where the copy is there, the
// next move would make another one, and the original is all that is left to do
// something about. What remains has to be moved all the same. After a try that was
// refused nothing is looked for: what the folder shows then is no copy, and may be
// the original itself in a folder that shows what is in others. Of messages that are
// alike, each has a copy of its own.
func (p *processor) complete(ctx context.Context, to FolderRef, ids []ID) (results []Result, remain []ID) {
	taken := map[ID]bool{}
	for _, id := range ids {
		if !p.completes || !p.record.Items[id].look {
			remain = append(remain, id)
			continue
		}
		copied, err := p.copied(ctx, to, id, taken)
		switch {
		case err != nil:
			results = append(results, Result{ID: id, Outcome: NotDone, Err: err})
		case copied != nil:
			taken[copied.ID] = true
			made, _ := p.session.Apply(ctx, Change{Delete: true}, id) // each result has its error
			results = append(results, made...)
		default:
			remain = append(remain, id)
		}
	}
	return results, remain
}

// copied returns a message of a folder that is like the one with the id, to the byte,
// and of the same time, and none of those that are taken; nil where there is none.
func (p *processor) copied(ctx context.Context, to FolderRef, id ID, taken map[ID]bool) (*Message, error) {
	const fields = FieldHeader | FieldSize | FieldReceived
	original, err := p.only(ctx, Query{Folder: p.folder, Where: Filter{IDs: []ID{id}}, Fields: fields}, nil)
	if err != nil || original == nil {
		return nil, err
	}
	return p.only(ctx, Query{Folder: to, Where: like(original), Fields: fields}, func(m *Message) (bool, error) {
		if taken[m.ID] || m.Size != original.Size || !m.Received.Equal(original.Received) {
			return false, nil
		}
		return p.same(ctx, id, m.ID)
	})
}

// like asks for messages that may be copies of one: by its Message-ID, and of one that
// has none by what a copy has in common with it.
func like(m *Message) Filter {
	if id := m.Header.MessageID(); id != "" {
		return withMessageID(id)
	}
	return Filter{Since: m.Received, Before: m.Received.Add(time.Second), Larger: max(m.Size-1, 0), Smaller: m.Size + 1}
}

// only returns the first message that a query finds and that fits, nil where
// there is none.
func (p *processor) only(ctx context.Context, q Query, fits func(*Message) (bool, error)) (*Message, error) {
	for m, err := range readable(p.session.in.Messages(ctx, q)) {
		if err != nil {
			return nil, err
		}
		if fits == nil {
			return m, nil
		}
		if ok, err := fits(m); ok || err != nil {
			return m, err
		}
	}
	return nil, nil //nolint:nilnil // there is none
}

// same reports whether a copy has the bytes of the original. One that went meanwhile
// has not.
func (p *processor) same(ctx context.Context, original, copied ID) (bool, error) {
	want, err := p.sum(ctx, original)
	if err != nil {
		return false, err
	}
	got, err := p.sum(ctx, copied)
	if errors.Is(err, ErrNoMessage) || errors.Is(err, ErrStaleID) {
		return false, nil
	}
	return err == nil && got == want, err
}

// sum returns the SHA-256 of a message's bytes.
func (p *processor) sum(ctx context.Context, id ID) (sum [sha256.Size]byte, err error) {
	body, err := p.session.in.Open(ctx, id)
	if err != nil {
		return sum, err
	}
	h := sha256.New()
	_, err = io.Copy(h, body)
	h.Sum(sum[:0])
	return sum, errors.Join(err, body.Close())
}

// immovable takes down that a message cannot be moved, and leaves it where it is
// after as many tries as a handler has.
func (p *processor) immovable(r Result, i *progressItem, to FolderRef) {
	if p.unmoved == nil {
		p.unmoved = r.Err
	}
	if concernsAll(r.Err) {
		p.stuck, i.At = true, time.Time{} // the next call finds it mended, or says so again
		return
	}
	p.session.log.Warn("process: a message that was handled cannot be moved", slog.String("progress", p.progress.Name),
		slog.String("message", r.ID.String()), slog.String("to", string(to)), slog.Int("tries", i.MoveTries), slog.Any("error", r.Err))
	if p.opts.MaxTries > 0 && i.MoveTries >= p.opts.MaxTries {
		p.leave(i)
	}
}

// concernsAll reports whether no other message can be moved either.
func concernsAll(err error) bool {
	_, mode := errors.AsType[*ModeError](err)
	return mode || errors.Is(err, ErrNoFolder) || errors.Is(err, ErrOverQuota) || errors.Is(err, errors.ErrUnsupported) ||
		errors.Is(err, ErrClosed) || NeedsSignIn(err)
}

// leftBehind returns why messages could not be moved, once everything else has
// been dealt with. One that goes on watching ends only where no message can be
// moved.
func (p *processor) leftBehind() error {
	err := p.unmoved
	stuck := p.stuck
	if p.unmoved, p.stuck = nil, false; err == nil || p.opts.Watch && !stuck {
		return nil
	}
	return fmt.Errorf("messages that were handled could not be moved, and are in their folder still: %w", err)
}
