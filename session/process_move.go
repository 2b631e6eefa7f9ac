package session

import (
	"context"
	"errors"
	"fmt"
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
		return fmt.Errorf("messages that were handled cannot be moved here: %w", errors.ErrUnsupported)
	}
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
			return fmt.Errorf("messages that were handled cannot be moved to %s, the folder that they come from", to)
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
	for _, err := range p.session.in.Messages(ctx, Query{Folder: folder, Fields: FieldFlags, Limit: 1}) {
		if _, bad := errors.AsType[*ItemError](err); err != nil && !bad {
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
	results, whole := p.session.Apply(ctx, Change{MoveTo: to}, ids...)
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	p.unsaved = true
	for _, r := range results {
		i := p.record.Items[r.ID]
		if r.Outcome == Done || errors.Is(r.Err, ErrNoMessage) || errors.Is(r.Err, ErrStaleID) {
			i.Move = false
			continue
		}
		i.MoveTries++
		i.At = time.Now().Add(p.pace(i.MoveTries))
		if r.Outcome != DoneUnknown && !p.trouble.passes(r.Err) {
			p.immovable(r, i, to)
		}
	}
	if whole != nil && !p.trouble.passes(whole) && p.unmoved == nil {
		p.unmoved, p.stuck = whole, true
	}
	return nil
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
