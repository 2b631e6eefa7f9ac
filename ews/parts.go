package ews

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/spool"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// OpenPart implements [session.PartOpener]. Exchange gives out messages as a whole, from
// their beginning on. So the first part that is opened of a message takes what stands
// before it; whoever opens a second one goes through the parts of the message, which is
// read once more then, to its end, and kept until another one is opened in this way, or
// nothing is for the time of Options.IdleTimeout: in memory, and what is larger in a file
// that is removed. The parts that follow take one small request each, which asks whether
// the message is the same still.
func (c *Client) OpenPart(ctx context.Context, id session.ID, number string) (*session.Part, error) {
	parts, err := c.own(id)
	if err != nil {
		return nil, err
	}
	body, err := c.beginning(ctx, id, parts.Key)
	if err != nil {
		return nil, err
	}
	p, err := message.FindPart(body, number)
	if p == nil && err == nil {
		err = session.ErrNoPart
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: part %s of message %v: %w", c.address, number, id, err), body.Close())
	}
	return &session.Part{Part: p, Closer: body}, nil
}

// beginning opens a message to find a part in it.
func (c *Client) beginning(ctx context.Context, id session.ID, key string) (io.ReadCloser, error) {
	if c.opts.IdleTimeout < 0 || !c.parts.again(key) {
		return c.Open(ctx, id)
	}
	change, err := c.changeKey(ctx, id, key)
	if err != nil {
		return nil, err
	}
	if r := c.parts.open(key, change); r != nil {
		return r, nil
	}
	k, err := c.fetch(ctx, id, key)
	if err != nil {
		return nil, err
	}
	return c.parts.keep(k, c.opts.IdleTimeout), nil
}

// changeKey asks for the state that a message is in.
func (c *Client) changeKey(ctx context.Context, id session.ID, key string) (string, error) {
	items, err := c.getItems(ctx, []string{key}, nil)
	if err != nil {
		return "", err
	}
	if err := items[0].err; err != nil {
		return "", &session.ItemError{ID: id, Err: err}
	}
	return items[0].change, nil
}

// fetch reads a message to its end, to be kept.
func (c *Client) fetch(ctx context.Context, id session.ID, key string) (*keptMessage, error) {
	var k *keptMessage
	r := &request{op: "GetItem", body: getItem(nil, true, itemID(key, "")), attrs: []slog.Attr{slog.Int("messages", 1)}}
	err := c.call(ctx, r, func(a *answer) error {
		if k != nil {
			k.spool.Close() // of the try before
		}
		k = &keptMessage{key: key}
		there := false
		err := a.replies(func(_ int, name string) error {
			if name != "Items" {
				return nil
			}
			return a.children(func(string) error {
				return a.children(func(name string) error {
					switch name {
					case "ItemId":
						k.change = a.attr("ChangeKey")
					case "MimeContent":
						if there {
							return a.malformed("a message has two contents")
						}
						there = true
						return k.spool.Fill(a.content())
					}
					return nil
				})
			})
		}, func(_ int, err error) error { return err })
		if err == nil && !there {
			err = &itemFaultError{noContent}
		}
		return err
	})
	if err == nil {
		return k, nil
	}
	if k != nil {
		k.spool.Close()
	}
	if concernsItem(err) {
		err = &session.ItemError{ID: id, Err: err}
	}
	return nil, err
}

// keptMessage is a message that is kept while somebody goes through its parts.
type keptMessage struct {
	key, change string
	spool       spool.Spool
	readers     int
	dropped     bool // it goes with its last reader
}

// partsOfOne keeps the message whose parts are gone through.
type partsOfOne struct {
	mu   sync.Mutex
	last string // of which a part was opened
	kept *keptMessage
	idle *time.Timer // lets go of it
	rest time.Duration
}

// again reports whether the last part that was opened is of the same message.
func (p *partsOfOne) again(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	same := p.last == key
	if p.last = key; !same {
		p.release()
	}
	return same
}

// open returns the message that is kept, nil where that is another one.
func (p *partsOfOne) open(key, change string) io.ReadCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil || p.kept.key != key || p.kept.change != change || change == "" {
		return nil
	}
	p.idle.Reset(p.rest)
	return p.reader()
}

// keep keeps a message in the place of another, and opens it.
func (p *partsOfOne) keep(k *keptMessage, rest time.Duration) io.ReadCloser {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
	p.kept, p.rest = k, rest
	p.idle = time.AfterFunc(rest, p.drop)
	return p.reader()
}

// reader opens the message that is kept.
func (p *partsOfOne) reader() io.ReadCloser {
	p.kept.readers++
	return &keptReader{Reader: p.kept.spool.Again(), of: p, kept: p.kept}
}

// drop lets go of the message.
func (p *partsOfOne) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.release()
}

// release is drop for who holds the lock.
func (p *partsOfOne) release() {
	if p.kept == nil {
		return
	}
	p.idle.Stop()
	if p.kept.dropped = true; p.kept.readers == 0 {
		p.kept.spool.Close()
	}
	p.kept = nil
}

// keptReader reads a message that is kept.
type keptReader struct {
	io.Reader

	of   *partsOfOne
	kept *keptMessage
	once sync.Once
}

// Close implements [io.Closer].
func (r *keptReader) Close() error {
	r.once.Do(func() {
		r.of.mu.Lock()
		defer r.of.mu.Unlock()
		if r.kept.readers--; r.kept.readers == 0 && r.kept.dropped {
			r.kept.spool.Close()
		}
	})
	return nil
}
