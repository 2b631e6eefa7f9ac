package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// The further abilities of the reference backend.
var (
	_ session.Appender     = (*referenceClient)(nil)
	_ session.Fetcher      = (*referenceClient)(nil)
	_ session.PartOpener   = (*referenceClient)(nil)
	_ session.RangeOpener  = (*referenceClient)(nil)
	_ session.FolderEditor = (*referenceClient)(nil)
	_ session.Purger       = (*referenceClient)(nil)
	_ session.Counter      = (*referenceClient)(nil)
	_ session.Explainer    = (*referenceClient)(nil)
)

// Append implements [session.Appender].
func (c *referenceClient) Append(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
	if opts == nil {
		opts = &session.AppendOptions{}
	}
	folder = cmp.Or(folder, session.Inbox)
	raw, err := readSource(m)
	told := &session.AppendError{Folder: folder, Outcome: session.NotDone, MessageID: message.ParseHeader(raw).MessageID(), Err: err}
	if told.Err == nil && len(opts.Flags) > 0 {
		told.Err = c.checkFlags(session.Change{Set: opts.Flags})
	}
	if told.Err != nil {
		return session.ID{}, told
	}
	q := question{Op: "append", Folder: string(folder), Size: int64(len(raw)), Flags: wordsOf(opts.Flags), Received: opts.Received}
	id, err := c.bring(ctx, q, raw)
	if err == nil {
		return id, nil
	}
	if told.Err = err; errors.Is(err, errAsked) {
		told.Outcome = session.DoneUnknown
	}
	return session.ID{}, told
}

// readSource reads a message as a whole, which has to be as long as it says.
func readSource(m message.Source) ([]byte, error) {
	if m == nil {
		return nil, session.ErrEmptyMessage
	}
	r, err := m.Open()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(r)
	if err = errors.Join(err, r.Close()); err == nil && m.Size() >= 0 && m.Size() != int64(len(raw)) {
		err = fmt.Errorf("%s: the message has %d bytes, %d were announced", referenceName, len(raw), m.Size())
	}
	if err == nil && len(raw) == 0 {
		err = session.ErrEmptyMessage
	}
	return raw, err
}

// bring sends a message. Once all of it is on its way, nobody knows.
func (c *referenceClient) bring(ctx context.Context, q question, raw []byte) (session.ID, error) {
	k, err := c.ask(ctx, q)
	if err != nil {
		return session.ID{}, err
	}
	a, err := k.take()
	if err == nil {
		err = a.failure(q.Op)
	}
	for chunk := range slices.Chunk(raw, chunkSize) {
		if err == nil {
			err = k.writeChunk(chunk)
		}
	}
	if err == nil {
		err = k.w.Flush()
	}
	if err != nil {
		return session.ID{}, k.end(err)
	}
	err = k.writeChunk(nil)
	if err == nil {
		err = k.w.Flush()
	}
	if err == nil {
		a, err = k.take()
	}
	if err != nil {
		return session.ID{}, fmt.Errorf("%w: %w", errAsked, k.end(err))
	}
	return c.id(a), k.end(a.failure(q.Op))
}

// Bodies implements [session.Fetcher]: in the order of the ids, each once.
func (c *referenceClient) Bodies(ctx context.Context, ids ...session.ID) iter.Seq2[session.Body, error] {
	return func(yield func(session.Body, error) bool) {
		given := map[session.ID]bool{}
		for _, id := range ids {
			if given[id] {
				continue
			}
			given[id] = true
			body, err := c.Open(ctx, id)
			if err != nil {
				item := concernsOne(err)
				if item {
					err = &session.ItemError{ID: id, Err: err}
				}
				if !yield(session.Body{ID: id}, err) || !item {
					return
				}
				continue
			}
			more := yield(session.Body{ID: id, Reader: body}, nil)
			_ = body.Close() // what was not read does not matter
			if !more {
				return
			}
		}
	}
}

// concernsOne tells whether an error is about one message.
func concernsOne(err error) bool {
	for _, kind := range []error{session.ErrNoMessage, session.ErrStaleID, session.ErrNoFolder, session.ErrOtherMailbox} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// OpenPart implements [session.PartOpener].
func (c *referenceClient) OpenPart(ctx context.Context, id session.ID, number string) (*session.Part, error) {
	body, err := c.Open(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := message.FindPart(body, number)
	if p == nil && err == nil {
		err = session.ErrNoPart
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: part %s of %v: %w", referenceName, number, id, err), body.Close())
	}
	return &session.Part{Part: p, Closer: body}, nil
}

// OpenRange implements [session.RangeOpener].
func (c *referenceClient) OpenRange(ctx context.Context, id session.ID, offset, limit int64) (io.ReadCloser, error) {
	p, err := c.own(id)
	if err != nil {
		return nil, err
	}
	return c.openAgain(ctx, question{Op: "open", Places: []place{p}, Offset: offset, Limit: limit})
}

// CreateFolder implements [session.FolderEditor].
func (c *referenceClient) CreateFolder(ctx context.Context, path string) error {
	return c.edit(ctx, question{Op: "create", Path: path})
}

// RenameFolder implements [session.FolderEditor].
func (c *referenceClient) RenameFolder(ctx context.Context, folder session.FolderRef, path string) error {
	return c.edit(ctx, question{Op: "rename", Folder: string(folder), Path: path})
}

// DeleteFolder implements [session.FolderEditor].
func (c *referenceClient) DeleteFolder(ctx context.Context, folder session.FolderRef) error {
	return c.edit(ctx, question{Op: "delete", Folder: string(folder)})
}

// Subscribe implements [session.FolderEditor].
func (c *referenceClient) Subscribe(ctx context.Context, folder session.FolderRef, on bool) error {
	return c.edit(ctx, question{Op: "subscribe", Folder: string(folder), On: on})
}

func (c *referenceClient) edit(ctx context.Context, q question) error {
	_, err := c.collectOnce(ctx, q)
	return err
}

// PurgeMarked implements [session.Purger].
func (c *referenceClient) PurgeMarked(ctx context.Context, folder session.FolderRef) ([]session.Result, error) {
	marked, err := c.collect(ctx, question{Op: "marked", Folder: string(cmp.Or(folder, session.Inbox))})
	if err != nil {
		return nil, err
	}
	q := question{Op: "purge"}
	results := make([]session.Result, len(marked))
	asked := make([]int, len(marked))
	for i, a := range marked {
		q.Places, results[i].ID, asked[i] = append(q.Places, a.place), c.id(a), i
	}
	if len(marked) == 0 {
		return results, nil
	}
	return results, c.carryOut(ctx, q, asked, results)
}

// Count implements [session.Counter].
func (c *referenceClient) Count(ctx context.Context, folder session.FolderRef) (session.Counts, error) {
	all, err := c.collect(ctx, question{Op: "count", Folder: string(cmp.Or(folder, session.Inbox))})
	if err != nil || len(all) == 0 || all[0].Counts == nil {
		return session.Counts{}, err
	}
	return *all[0].Counts, nil
}

// Explain implements [session.Explainer]. The server decides everything, or
// refuses.
func (c *referenceClient) Explain(ctx context.Context, q session.Query) (session.Plan, error) {
	q.Limit = 1
	_, err := c.collect(ctx, question{Op: "search", Folder: string(cmp.Or(q.Folder, session.Inbox)), Query: q})
	if err != nil {
		return session.Plan{}, err
	}
	return session.Plan{Backend: referenceName, Server: q.Where, Commands: []string{"search " + q.Where.String()}}, nil
}
