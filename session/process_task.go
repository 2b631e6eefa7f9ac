package session

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// unreadable gives up a message that cannot be summarized, once.
func (p *processor) unreadable(bad *ItemError) {
	i := p.record.Items[bad.ID]
	switch {
	case i == nil:
		i = &progressItem{}
	case i.State != itemRetry:
		return
	}
	t := Task{Message: &Message{ID: bad.ID}, Folder: p.folder, Key: taskKey(p.progress.Name, bad.ID), Try: i.Tries + 1}
	if p.opts.DryRun {
		p.tell(t, TaskProblem, bad)
		return
	}
	p.record.Items[bad.ID] = i
	p.end(t, i, GiveUp(bad))
}

// retry hands out a message whose time has come.
func (p *processor) retry(ctx context.Context, id ID) error {
	i := p.record.Items[id]
	if i == nil || i.State != itemRetry {
		return nil
	}
	found, err := p.list(ctx, Filter{IDs: []ID{id}})
	if err != nil && !errors.Is(err, ErrStaleID) {
		return err
	}
	if len(found) > 0 {
		return p.try(ctx, found[0])
	}
	if i.State == itemRetry { // it is gone, or the folder was renumbered, and it is not one that cannot be read
		delete(p.record.Items, id)
		p.unsaved = true
	}
	return nil
}

// try writes down that a message is begun, with what was to be written before,
// and hands it to the handler.
func (p *processor) try(ctx context.Context, m *Message) error {
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	before := p.record.Items[m.ID]
	i := &progressItem{State: itemBegun, Tries: 1}
	if before != nil {
		i.Tries += before.Tries
	}
	t := Task{Message: m, Folder: p.folder, Key: taskKey(p.progress.Name, m.ID), Try: i.Tries}
	if p.opts.DryRun {
		p.tell(t, TaskPending, nil)
		return nil
	}
	p.record.Items[m.ID], p.unsaved = i, true
	if err := p.save(ctx); err != nil {
		if p.record.Items[m.ID] = before; before == nil {
			delete(p.record.Items, m.ID)
		}
		return err
	}
	err := p.call(ctx, t)
	if err == nil || ctx.Err() == nil {
		p.end(t, i, err)
	} else { // it was not given the time: that does not count, and others come first
		*i = progressItem{State: itemRetry, Tries: t.Try - 1, At: time.Now()}
		p.unsaved = true
	}
	if ctx.Err() != nil {
		return retry.Ended(ctx)
	}
	return nil
}

// call calls the handler, with the time that a try may take.
func (p *processor) call(ctx context.Context, t Task) error {
	if p.opts.TryTimeout <= 0 {
		return p.handle(ctx, t)
	}
	ctx, cancel := context.WithTimeout(ctx, p.opts.TryTimeout)
	defer cancel()
	return p.handle(ctx, t)
}

// end takes down the outcome of a try.
func (p *processor) end(t Task, i *progressItem, err error) {
	p.unsaved = true
	i.Tries, i.At, i.Move = t.Try, time.Time{}, false
	wish, _ := errors.AsType[*handlerError](err)
	switch {
	case err == nil:
		i.State, i.Move = itemDone, p.opts.Done != ""
		p.record.Stay = p.record.Stay || !i.Move
		p.report.Done++
		p.tell(t, TaskDone, nil)
	case wish != nil && wish.giveUp || p.opts.MaxTries > 0 && t.Try >= p.opts.MaxTries:
		i.State, i.Move = itemProblem, p.opts.Problem != ""
		p.report.Problems++
		p.session.log.Warn("process: a message was given up", slog.String("progress", p.progress.Name),
			slog.String("message", t.Message.ID.String()), slog.Int("tries", t.Try), slog.Any("error", err))
		p.tell(t, TaskProblem, err)
	default:
		wait := p.pace(t.Try)
		if wish != nil && wish.after > 0 {
			wait = wish.after
		}
		i.State, i.At = itemRetry, time.Now().Add(wait)
		p.tell(t, TaskRetry, err)
	}
}

func (p *processor) tell(t Task, o TaskOutcome, err error) {
	if wish, ok := errors.AsType[*handlerError](err); ok && wish == err { //nolint:errorlint // the wrapper alone is taken off
		err = wish.err
	}
	if p.opts.Told != nil {
		p.opts.Told(t, o, err)
	}
}
