package outbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/mailsession/mailsession/state"
)

// item is an entry as the Store had it, or has it after swap.
type item struct {
	record

	key     string
	version state.Version
}

// load reads the entry at a key of the Store.
func (b *Outbox) load(ctx context.Context, key string) (*item, error) {
	kept, err := b.store.Load(ctx, key)
	if err != nil {
		return nil, err
	}
	if kept.Version == "" {
		return nil, ErrNoEntry
	}
	r, err := parseRecord(kept.Value)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	return &item{record: r, key: key, version: kept.Version}, nil
}

// swap keeps what was made of an item, unless somebody else has changed it since;
// the error wraps [state.ErrConflict] then.
func (b *Outbox) swap(ctx context.Context, it *item) error {
	value, err := it.encode()
	if err != nil {
		return err
	}
	version, err := b.put(ctx, it.key, it.version, value)
	if err != nil {
		return err
	}
	it.version = version
	return nil
}

// put is CompareAndSwap, and looks whether a change was made of which the Store did
// not know.
func (b *Outbox) put(ctx context.Context, key string, old state.Version, value []byte) (state.Version, error) {
	version, err := b.store.CompareAndSwap(ctx, key, old, value)
	if err == nil || errors.Is(err, state.ErrConflict) || ctx.Err() != nil {
		return version, err
	}
	now, failed := b.store.Load(ctx, key)
	if failed == nil && now.Version != old && bytes.Equal(now.Value, value) {
		return now.Version, nil
	}
	return "", err
}

// discard removes a message's bytes. Where that fails, the next worker that comes
// by does it.
func (b *Outbox) discard(ctx context.Context, body string) {
	kept, err := b.store.Load(ctx, body)
	if err == nil && kept.Version != "" {
		_, err = b.put(ctx, body, kept.Version, nil)
	}
	if err != nil {
		b.log.LogAttrs(ctx, slog.LevelDebug, "outbox: the bytes of a message are left", slog.Any("error", err))
		return
	}
	b.at(pointRemoved)
}

// tell logs a change and hands it to the program.
func (b *Outbox) tell(ctx context.Context, it *item) {
	level := slog.LevelDebug
	attrs := []slog.Attr{
		slog.String("key", it.Key), slog.String("state", string(it.State)),
		slog.String("message_id", it.MessageID), slog.Int("tries", it.Tries),
	}
	if it.State == StateFailed || it.State == StatePartial || it.State == StateUnknown {
		level = slog.LevelWarn
		attrs = append(attrs, slog.String("error", it.Err))
	}
	b.log.LogAttrs(ctx, level, "outbox: message", attrs...)
	if b.opts.Changed != nil {
		e := it.Entry
		e.Recipients = slices.Clone(e.Recipients)
		b.opts.Changed(e)
	}
}

// recordingTime bounds how long it is tried to write down what became of a message
// after the context of its sending ended.
const recordingTime = 30 * time.Second

// beyond returns a context for what has to be written down even where ctx ended.
func beyond(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), recordingTime)
}
