package session

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
)

// processor is one call of Process.
type processor struct {
	session  *Session
	syncer   Syncer
	progress Progress
	folder   FolderRef
	query    Query
	handle   func(ctx context.Context, t Task) error
	opts     ProcessOptions
	trouble  patience

	record  progressRecord
	unsaved bool // the record is not what the Store has
	report  Processed
}

// run takes the record over and goes through, once or until ctx ends.
func (p *processor) run(ctx context.Context) error {
	if err := p.begin(ctx); err != nil {
		return err
	}
	if !p.opts.Watch || p.opts.DryRun {
		err := p.through(ctx)
		if ctx.Err() != nil && err != nil {
			return retry.Ended(ctx)
		}
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	e := listen(ctx, p.session.in, []FolderRef{p.folder}, earOptions{interval: p.opts.Interval})
	defer e.stop()
	for {
		if err := p.through(ctx); err != nil {
			if err := p.trouble.wait(ctx, err); err != nil {
				return err
			}
			continue
		}
		if err := p.idle(ctx, e); err != nil {
			return err
		}
	}
}

// idle waits for a notice, or until a message is to be tried again.
func (p *processor) idle(ctx context.Context, e *ear) error {
	until := ctx
	if _, next := p.record.due(time.Now()); !next.IsZero() {
		timed, cancel := context.WithDeadline(ctx, next)
		defer cancel()
		until = timed
	}
	_, err := e.next(until)
	if err != nil && ctx.Err() == nil && until.Err() != nil {
		return nil
	}
	return err
}

// begin loads the record and makes it this processor's own. What was begun and
// never ended is tried again, at once for the first time: somebody may have
// stopped the program.
func (p *processor) begin(ctx context.Context) error {
	rec, fresh, err := p.progress.load(ctx)
	if err != nil {
		return err
	}
	p.record = rec
	for id, i := range p.record.Items {
		if i.State == itemBegun {
			i.State, i.At = itemRetry, time.Now()
			if i.Tries > 1 {
				i.At = i.At.Add(p.pace(i.Tries - 1))
			}
			p.exhausted(id, i)
		}
	}
	if fresh && p.opts.FromNow {
		if p.record.Cursor, err = p.syncer.Cursor(ctx, p.folder); err != nil {
			return err
		}
	}
	p.record.Owner, p.unsaved = rand.Text(), true
	return p.save(ctx)
}

// exhausted gives up a message at which the program died too often.
func (p *processor) exhausted(id ID, i *progressItem) {
	if !p.opts.DryRun && p.opts.MaxTries > 0 && i.Tries >= p.opts.MaxTries {
		t := Task{Message: &Message{ID: id}, Folder: p.folder, Key: taskKey(p.progress.Name, id), Try: i.Tries}
		p.end(t, i, GiveUp(errors.New("the program ended each time while it handled the message")))
	}
}

// pace is the wait after so many tries.
func (p *processor) pace(tries int) time.Duration {
	return retry.Policy{Initial: p.opts.FirstRetry, Max: p.opts.MaxRetry, Jitter: -1}.Wait(tries, nil)
}

// through deals with what is new, and then with what is due.
func (p *processor) through(ctx context.Context) error {
	for page, err := range p.syncer.Changes(ctx, p.folder, p.record.Cursor, SyncOptions{Fields: p.fields(), PageSize: p.opts.PageSize}) {
		if errors.Is(err, ErrCursorExpired) && (p.opts.Anew || p.opts.Done != "") {
			continue // the pages that follow have all there is
		}
		if err != nil {
			return err
		}
		p.trouble.passed()
		if err := p.page(ctx, page); err != nil {
			return err
		}
	}
	ids, _ := p.record.due(time.Now())
	for _, id := range ids {
		if err := p.again(ctx, id); err != nil {
			return err
		}
	}
	if err := p.moveAll(ctx); err != nil {
		return err
	}
	p.record.passed()
	return p.save(ctx)
}

func (p *processor) fields() Fields {
	if !p.query.Where.IsZero() {
		return FieldFlags // those that match are asked for again
	}
	return p.query.Fields
}

// page handles the messages of a page that have no outcome yet. Its cursor is
// kept with the next write.
func (p *processor) page(ctx context.Context, page Changes) error {
	if page.Reset {
		clear(p.record.Items)
	}
	for _, id := range page.Removed {
		delete(p.record.Items, id)
	}
	for _, bad := range page.Failed {
		if p.record.Items[bad.ID] == nil {
			p.unreadable(bad)
		}
	}
	added := page.Added
	if !p.query.Where.IsZero() {
		var err error
		if added, err = p.matching(ctx, page.Added); err != nil {
			return err
		}
	}
	for _, m := range added {
		if p.record.Items[m.ID] != nil {
			continue
		}
		if err := p.one(ctx, m); err != nil {
			return err
		}
	}
	if err := p.moveAll(ctx); err != nil {
		return err
	}
	p.record.passed()
	p.unsaved = p.unsaved || p.record.Cursor != page.Cursor
	p.record.Cursor = page.Cursor
	return nil
}

// matching returns those of some messages that the query finds.
func (p *processor) matching(ctx context.Context, added []*Message) ([]*Message, error) {
	if len(added) == 0 {
		return nil, nil
	}
	ids := make([]ID, len(added))
	for i, m := range added {
		ids[i] = m.ID
	}
	return p.list(ctx, Filter{IDs: ids, All: []Filter{p.query.Where}})
}

// list returns the messages that a filter finds, and takes down those that cannot
// be read.
func (p *processor) list(ctx context.Context, where Filter) ([]*Message, error) {
	q := p.query
	q.Where = where
	var found []*Message
	for m, err := range p.session.in.Messages(ctx, q) {
		if bad, ok := errors.AsType[*ItemError](err); ok {
			p.unreadable(bad)
			continue
		}
		if err != nil {
			return nil, err
		}
		found = append(found, m)
	}
	return found, nil
}

// unreadable gives up a message that cannot be summarized.
func (p *processor) unreadable(bad *ItemError) {
	i := &progressItem{Tries: 1}
	t := Task{Message: &Message{ID: bad.ID}, Folder: p.folder, Key: taskKey(p.progress.Name, bad.ID), Try: 1}
	if p.opts.DryRun {
		p.tell(t, TaskProblem, bad)
		return
	}
	p.record.Items[bad.ID] = i
	p.end(t, i, GiveUp(bad))
}

// again hands out a message whose time has come.
func (p *processor) again(ctx context.Context, id ID) error {
	i := p.record.Items[id]
	if i == nil || i.State != itemRetry {
		return nil
	}
	found, err := p.list(ctx, Filter{IDs: []ID{id}})
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return p.one(ctx, found[0])
	}
	if p.record.Items[id] == i { // it is gone, and not one that cannot be read
		delete(p.record.Items, id)
		p.unsaved = true
	}
	return nil
}

// one writes down that a message is begun, with what was to be written before,
// and hands it to the handler.
func (p *processor) one(ctx context.Context, m *Message) error {
	i := p.record.Items[m.ID]
	if i == nil {
		i = &progressItem{}
	}
	t := Task{Message: m, Folder: p.folder, Key: taskKey(p.progress.Name, m.ID), Try: i.Tries + 1}
	if p.opts.DryRun {
		p.tell(t, TaskPending, nil)
		return nil
	}
	before := *i
	i.State, i.Tries, i.At = itemBegun, t.Try, time.Time{}
	p.record.Items[m.ID] = i
	p.unsaved = true
	if err := p.save(ctx); err != nil {
		return err
	}
	err := p.handle(ctx, t)
	if err != nil && ctx.Err() != nil { // it was not given the time
		if *i = before; i.State == "" {
			delete(p.record.Items, m.ID)
		}
		p.unsaved = true
		return errors.Join(retry.Ended(ctx), p.saveLast(ctx))
	}
	p.end(t, i, err)
	if ctx.Err() != nil {
		return errors.Join(retry.Ended(ctx), p.saveLast(ctx))
	}
	return nil
}

// end takes down the outcome of a try.
func (p *processor) end(t Task, i *progressItem, err error) {
	p.unsaved = true
	i.Tries, i.At, i.Move = t.Try, time.Time{}, false
	wish, _ := errors.AsType[*handlerError](err)
	switch {
	case err == nil:
		i.State, i.Move = itemDone, p.opts.Done != ""
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

// moveAll moves what is done or given up and has to be moved now. The outcomes
// are written first, so that a crash in between doubles nothing.
func (p *processor) moveAll(ctx context.Context) error {
	if p.opts.DryRun {
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
		p.record.Items[id].Move, p.unsaved = false, true
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

// move moves messages to where they belong. One that is gone has been moved, or
// somebody else did so.
func (p *processor) move(ctx context.Context, to FolderRef, ids []ID) error {
	results, whole := p.session.Apply(ctx, Change{MoveTo: to}, ids...)
	p.unsaved = true
	for _, r := range results {
		i := p.record.Items[r.ID]
		switch {
		case r.Outcome == Done || errors.Is(r.Err, ErrNoMessage) || errors.Is(r.Err, ErrStaleID):
			i.Move = false
		case ctx.Err() == nil && (r.Outcome == DoneUnknown || p.trouble.passes(r.Err)):
			i.At = time.Now().Add(p.pace(1))
		default:
			whole = cmp.Or(whole, r.Err)
		}
	}
	if whole != nil && ctx.Err() == nil && p.trouble.passes(whole) {
		return nil // each has its time
	}
	return whole
}

// save writes the record where it is not what the Store has.
func (p *processor) save(ctx context.Context) error {
	if p.opts.DryRun || !p.unsaved {
		return nil
	}
	if err := p.progress.save(ctx, &p.record); err != nil {
		return err
	}
	p.unsaved = false
	return nil
}

// lastWrite bounds the write after the end of the context.
const lastWrite = 5 * time.Second

// saveLast writes the record although ctx has ended.
func (p *processor) saveLast(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
	defer cancel()
	return p.save(ctx)
}
