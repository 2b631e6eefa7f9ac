package outbox

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// Enqueue keeps a message until it is sent, under a key that the program chooses:
// 1 to 1,000 bytes of any text. When it returns without an error, the message
// survives a crash as far as the Store survives one.
//
// The same message under the same key is there once, however often it is enqueued:
// Enqueue returns what is known of it, also after it was sent. Another envelope or
// other bytes are an error that wraps [ErrKeyUsed]. After any other error it is safe
// to enqueue the message again.
//
// A message without Message-ID or Date gets them here. For the question whether it is
// the same one they do not count then.
func (b *Outbox) Enqueue(ctx context.Context, key string, e session.Envelope, m message.Source) (Entry, error) {
	raw, err := b.read(m)
	if err != nil {
		return Entry{}, failure("enqueue", key, err)
	}
	entry, err := b.enqueue(ctx, key, e, raw, func(string) ([]byte, error) { return raw, nil })
	return entry, failure("enqueue", key, err)
}

// EnqueueDraft composes a message and enqueues it for everybody it names, as
// [session.Session.SendDraft] sends it. The draft is not changed: where its
// MessageID and Date are not set, each message that is made of it gets its own, and
// it is the same draft for the key all the same.
func (b *Outbox) EnqueueDraft(ctx context.Context, key string, d *message.Draft) (Entry, error) {
	plain := *d
	if plain.Date.IsZero() {
		plain.Date = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
	}
	given, err := b.write(plain, "draft@localhost")
	if err != nil {
		return Entry{}, failure("enqueue", key, err)
	}
	envelope := session.Envelope{From: d.ReturnPath(), To: d.Recipients()}
	entry, err := b.enqueue(ctx, key, envelope, given, func(id string) ([]byte, error) { return b.write(*d, id) })
	return entry, failure("enqueue", key, err)
}

// write composes a draft, with a Message-ID where it has none and one is given.
func (b *Outbox) write(d message.Draft, id string) ([]byte, error) {
	d.MessageID = cmp.Or(d.MessageID, id)
	source, err := d.Source()
	if err != nil {
		return nil, err
	}
	return b.read(source)
}

// failure says what failed; nil stays nil.
func failure(op, key string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("outbox: %s %q: %w", op, key, err)
}

// maxProgramKey is the greatest length of a key that a program chooses.
const maxProgramKey = 1000

// read returns a message's bytes.
func (b *Outbox) read(m message.Source) ([]byte, error) {
	if m == nil {
		return nil, session.ErrEmptyMessage
	}
	r, err := m.Open()
	if err != nil {
		return nil, fmt.Errorf("open the message: %w", err)
	}
	defer r.Close()
	raw, err := io.ReadAll(io.LimitReader(r, b.opts.MaxSize+1))
	if err != nil {
		return nil, fmt.Errorf("read the message: %w", err)
	}
	if len(raw) == 0 {
		return nil, session.ErrEmptyMessage
	}
	if int64(len(raw)) > b.opts.MaxSize {
		return nil, fmt.Errorf("%w: it has more than %d bytes", ErrTooLarge, b.opts.MaxSize)
	}
	return raw, nil
}

// enqueue keeps a message. Given is what the program's message is told from others
// by, and write makes the message's bytes, with a Message-ID where it is to have a
// certain one and has none of its own.
//
// The entry names its bytes before they are kept. So bytes that no entry names are
// of no use to anybody, whenever they are found; and where the program ended in
// between, or another one enqueues the same at this moment, whoever comes next keeps
// the bytes of the same entry.
func (b *Outbox) enqueue(ctx context.Context, key string, e session.Envelope, given []byte, write func(id string) ([]byte, error)) (Entry, error) {
	switch {
	case key == "" || len(key) > maxProgramKey:
		return Entry{}, fmt.Errorf("the key has %d bytes, 1 to %d are allowed", len(key), maxProgramKey)
	case len(e.To) == 0:
		return Entry{}, errors.New("the envelope has no recipient")
	}
	sum, err := digest(e, given)
	if err != nil {
		return Entry{}, err
	}
	it, raw, err := b.enter(ctx, key, e, sum, write)
	if err != nil {
		return Entry{}, err
	}
	b.at(pointEntry)
	if raw == nil && (it.State != StateNew || it.Tries > 0) {
		return it.Entry, nil
	}
	if err := b.keepBytes(ctx, it, raw, write); err != nil {
		return Entry{}, err
	}
	b.at(pointBody)
	if raw != nil {
		b.tell(ctx, it)
	}
	select {
	case b.wake <- struct{}{}:
	default:
	}
	return it.Entry, nil
}

// enter returns the entry of a message: the one that is there, or a new one and
// with it the message's bytes.
func (b *Outbox) enter(ctx context.Context, key string, e session.Envelope, sum string, write func(id string) ([]byte, error)) (*item, []byte, error) {
	if there, err := b.same(ctx, key, sum); err != nil || there != nil {
		return there, nil, err
	}
	raw, err := write("")
	if err != nil {
		return nil, nil, err
	}
	r, raw, err := b.compose(key, e, raw)
	if err != nil {
		return nil, nil, err
	}
	r.Digest = sum
	it := &item{record: r, key: b.entryKey(key)}
	err = b.swap(ctx, it)
	if errors.Is(err, state.ErrConflict) { // somebody else came first
		there, err := b.same(ctx, key, sum)
		if err == nil && there == nil {
			err = errPruned
		}
		return there, nil, err
	}
	if err != nil {
		return nil, nil, fmt.Errorf("keep the entry: %w", err)
	}
	return it, raw, nil
}

// errPruned says that an entry went while its message was enqueued.
var errPruned = fmt.Errorf("%w any more: it was pruned meanwhile", ErrNoEntry)

// keepBytes keeps the bytes of an entry, unless they are there: raw, or what is
// made for it where raw is nil.
func (b *Outbox) keepBytes(ctx context.Context, it *item, raw []byte, write func(id string) ([]byte, error)) error {
	var err error
	again := raw == nil
	if again {
		if raw, err = write(it.MessageID); err == nil {
			raw, _, err = complete(raw, it.MessageID, time.Now())
		}
		if err != nil {
			return err
		}
	}
	if _, err = b.put(ctx, it.Body, "", raw); err != nil && !errors.Is(err, state.ErrConflict) {
		return fmt.Errorf("keep the message's bytes: %w", err)
	}
	if again && err == nil {
		// Prune may have found no bytes just before, and forgets no entry that has
		// changed since. Whoever else changed it does not matter.
		it.Beat++
		if err := b.swap(ctx, it); err != nil && !errors.Is(err, state.ErrConflict) {
			return fmt.Errorf("keep the entry: %w", err)
		}
	}
	switch now, err := b.load(ctx, it.key); {
	case errors.Is(err, ErrNoEntry), err == nil && now.Body != it.Body:
		return errPruned
	case err != nil:
		return err
	}
	return nil
}

// entryOf returns the entry of an item, which may be nil.
func entryOf(it *item) Entry {
	if it == nil {
		return Entry{}
	}
	return it.Entry
}

// same returns what is kept under a key, nil if there is nothing.
func (b *Outbox) same(ctx context.Context, key, sum string) (*item, error) {
	it, err := b.load(ctx, b.entryKey(key))
	switch {
	case errors.Is(err, ErrNoEntry):
		return nil, nil //nolint:nilnil // nothing is there, which is no error here
	case err != nil:
		return nil, err
	case it.Digest != sum:
		return nil, fmt.Errorf("%w; enqueue this one under a key of its own", ErrKeyUsed)
	}
	return it, nil
}

// compose makes the record of a new message, and gives the message what it lacks.
func (b *Outbox) compose(key string, e session.Envelope, raw []byte) (record, []byte, error) {
	now := time.Now()
	raw, id, err := complete(raw, strings.ToLower(rand.Text())+"@"+domain(e.From), now)
	if err != nil {
		return record{}, nil, err
	}
	r := record{
		Entry: Entry{
			Key: key, State: StateNew, Envelope: e, MessageID: id, Size: int64(len(raw)),
			Queued: now, Changed: now, Next: now,
		},
		Format: format, Since: now, Body: b.bodyKey(b.entryKey(key), strings.ToLower(rand.Text()), now),
	}
	for _, to := range e.To {
		r.Recipients = append(r.Recipients, Recipient{Address: to, State: Waiting})
	}
	return r, raw, nil
}

// complete gives a message the Message-ID and the Date that it lacks, and returns
// its Message-ID.
func complete(raw []byte, id string, now time.Time) (whole []byte, messageID string, err error) {
	head := message.ParseHeader(raw)
	var lacking bytes.Buffer
	if own := head.MessageID(); own != "" {
		id = own
	} else if head.Has("Message-ID") {
		return nil, "", errors.New("the message has a Message-ID that cannot be read")
	} else {
		fmt.Fprintf(&lacking, "Message-ID: <%s>\r\n", id)
	}
	if !head.Has("Date") {
		fmt.Fprintf(&lacking, "Date: %s\r\n", now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	return append(lacking.Bytes(), raw...), id, nil
}

// domain returns that of an address, as it can stand in a Message-ID.
func domain(address string) string {
	_, d, _ := strings.Cut(address, "@")
	if d == "" || strings.Trim(strings.ToLower(d), "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
		return "localhost"
	}
	return d
}

// digest tells envelope and message from others. Fields of the envelope that are
// not set do not count, so that it is the same in a program that knows more of them.
func digest(e session.Envelope, raw []byte) (string, error) {
	all, err := json.Marshal(e)
	if err != nil {
		return "", fmt.Errorf("write the envelope: %w", err)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(all, &fields); err != nil {
		return "", fmt.Errorf("write the envelope: %w", err)
	}
	for name, value := range fields {
		switch string(value) {
		case `""`, "0", "false", "null":
			delete(fields, name)
		}
	}
	if all, err = json.Marshal(fields); err != nil {
		return "", fmt.Errorf("write the envelope: %w", err)
	}
	h := sha256.New()
	fmt.Fprintf(h, "%d\n%s", len(all), all)
	h.Write(raw)
	return hex.EncodeToString(h.Sum(nil)), nil
}
