package session

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/state"
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
	backoff  backoff

	record  progressRecord
	owned   bool // the record has been taken over
	unsaved bool // the record is not what the Store has
	report  Processed
	unmoved error // why messages that were handled could not be moved
	stuck   bool  // nothing can be moved

	completes bool // a move that was begun can be brought to its end
}

// run takes the record over and goes through, once or until ctx ends. What a
// handler made of a message is written down however it ends.
func (p *processor) run(ctx context.Context) error {
	err := p.follow(ctx)
	if p.owned && p.unsaved && !errors.Is(err, state.ErrConflict) {
		err = errors.Join(err, p.saveLast(ctx))
	}
	return err
}

func (p *processor) follow(ctx context.Context) error {
	if !p.opts.Watch || p.opts.DryRun {
		err := p.begin(ctx)
		if err == nil {
			err = p.through(ctx)
		}
		if ctx.Err() != nil && err != nil {
			return retry.Ended(ctx)
		}
		return err
	}
	for err := p.begin(ctx); err != nil; err = p.begin(ctx) {
		if err := p.backoff.wait(ctx, err); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	l := listen(ctx, p.session.in, []FolderRef{p.folder}, listenOptions{interval: p.opts.Interval})
	defer l.stop()
	for {
		if err := p.through(ctx); err != nil {
			if err := p.backoff.wait(ctx, err); err != nil {
				return err
			}
			continue
		}
		if err := p.idle(ctx, l); err != nil {
			return err
		}
	}
}

// idle waits for a notice, or until a message is to be tried again.
func (p *processor) idle(ctx context.Context, l *listener) error {
	until := ctx
	if _, next := p.record.due(time.Now()); !next.IsZero() {
		timed, cancel := context.WithDeadline(ctx, next)
		defer cancel()
		until = timed
	}
	_, err := l.next(until)
	if err != nil && ctx.Err() == nil && until.Err() != nil {
		return nil
	}
	return err
}

// begin looks whether messages can be moved where they are to go, loads the record
// and makes it this processor's own.
func (p *processor) begin(ctx context.Context) error {
	if err := p.checkFolders(ctx); err != nil {
		return err
	}
	rec, fresh, err := p.progress.load(ctx)
	if err != nil {
		return err
	}
	if fresh && p.opts.FromNow {
		if rec.Cursor, err = p.syncer.Cursor(ctx, p.folder); err != nil {
			return err
		}
		rec.Stay = true
	}
	rec.Owner = rand.Text()
	p.record, p.unsaved = rec, true
	if err := p.save(ctx); err != nil {
		return err
	}
	p.owned = !p.opts.DryRun
	p.resume()
	return p.save(ctx)
}

// resume has what was begun and never ended tried again, at once for the first
// time: somebody may have stopped the program.
func (p *processor) resume() {
	for id, i := range p.record.Items {
		if i.State != itemBegun {
			continue
		}
		i.State, i.At, p.unsaved = itemRetry, time.Now(), true
		if i.Tries > 1 {
			i.At = i.At.Add(p.pace(i.Tries - 1))
		}
		p.exhausted(id, i)
	}
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

// through deals with what is new and with what is due, as long as there is room for
// more.
func (p *processor) through(ctx context.Context) error {
	full, err := p.round(ctx)
	for err == nil && full && !p.record.full(p.opts.MaxWaiting) {
		full, err = p.round(ctx)
	}
	if err == nil {
		err = p.leftBehind()
	}
	if err == nil && full && !p.opts.Watch {
		err = fmt.Errorf("%d of them: %w", p.record.waiting(), ErrTooManyWaiting)
	}
	if err == nil {
		p.backoff.reset()
	}
	return err
}

// round deals with what is new, unless too many messages wait already, and then
// with what is due.
func (p *processor) round(ctx context.Context) (full bool, err error) {
	if full, err = p.news(ctx); err != nil {
		return full, err
	}
	ids, _ := p.record.due(time.Now())
	for _, id := range ids {
		if err := p.retry(ctx, id); err != nil {
			return full, err
		}
	}
	if err := p.moveAll(ctx); err != nil {
		return full, err
	}
	p.record.dropSettled()
	return full, p.save(ctx)
}

// news deals with what came, and is full where it left some of that out. A folder
// that is renumbered meanwhile is asked again, which tells what follows from that.
func (p *processor) news(ctx context.Context) (full bool, err error) {
	full, err = p.newsOnce(ctx)
	if errors.Is(err, ErrStaleID) {
		full, err = p.newsOnce(ctx)
	}
	return full, err
}

func (p *processor) newsOnce(ctx context.Context) (full bool, err error) {
	for page, err := range p.syncer.Changes(ctx, p.folder, p.record.Cursor, SyncOptions{Fields: p.fields(), PageSize: p.opts.PageSize}) {
		if expired(err) && p.mayBeginAnew() {
			continue // the pages that follow have all there is
		}
		if err != nil {
			return false, err
		}
		p.backoff.reached = true
		if err := p.checkFirstPage(&page); err != nil {
			return false, err
		}
		if !page.Reset && len(page.Added) > 0 && p.record.full(p.opts.MaxWaiting) {
			return true, nil
		}
		if err := p.page(ctx, page); err != nil {
			return false, err
		}
		if len(page.Added) > 0 {
			p.backoff.reset()
		}
	}
	return false, nil
}

// checkFirstPage compares the record with the first page, while there is no cursor
// that would tell: where the folder was renumbered, the page begins anew, if it may.
func (p *processor) checkFirstPage(page *Changes) error {
	if !p.record.Cursor.IsZero() {
		return nil
	}
	switch err := p.record.checkMailbox(*page); {
	case errors.Is(err, ErrCursorExpired):
		if page.Reset = true; !p.mayBeginAnew() {
			return fmt.Errorf("%s was renumbered before the first page was through: %w", p.folder, err)
		}
	case err != nil:
		return fmt.Errorf("the record is of another mailbox, or of this one by another name of the server or user; give each mailbox a Progress.Name of its own: %w", err)
	}
	return nil
}

// mayBeginAnew reports whether a folder that is told anew has nothing in it that
// must not be handled, as far as the record knows.
func (p *processor) mayBeginAnew() bool {
	return p.opts.Anew || p.opts.Done != "" && !p.record.Stay && !p.record.hasUnmoved()
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
		p.unreadable(bad)
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
		if err := p.try(ctx, m); err != nil {
			return err
		}
	}
	if err := p.moveAll(ctx); err != nil {
		return err
	}
	p.record.dropSettled()
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
