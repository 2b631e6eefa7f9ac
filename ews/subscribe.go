package ews

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// subscription is what the server tells of what happens in some folders.
type subscription struct {
	id        string
	watermark string // of one that is asked: how far it was told
	folders   string // which, in one text
	streaming bool
	fresh     bool // nothing has come of it yet
}

// foldersIn names a set of folders.
func foldersIn(folders []*folder) string {
	var ids []string
	for _, f := range folders {
		ids = append(ids, f.id)
	}
	slices.Sort(ids)
	return strings.Join(ids, " ")
}

// subscribe has the server take note of what happens in folders: to be streamed, or
// to be asked for at least every so often.
func (c *Client) subscribe(ctx context.Context, folders []*folder, streaming bool, every time.Duration) (*subscription, error) {
	var ids, kinds []element
	for _, f := range folders {
		ids = append(ids, folderID(f.id))
	}
	for _, kind := range []string{"CopiedEvent", "CreatedEvent", "DeletedEvent", "ModifiedEvent", "MovedEvent", "NewMailEvent"} {
		kinds = append(kinds, leaf("t:EventType", kind))
	}
	wanted := el("m:StreamingSubscriptionRequest", el("t:FolderIds", ids...), el("t:EventTypes", kinds...))
	if !streaming {
		wanted.name = "m:PullSubscriptionRequest"
		wanted.children = append(wanted.children, leaf("t:Timeout", strconv.Itoa(lifetime(every))))
	}
	s := &subscription{folders: foldersIn(folders), streaming: streaming, fresh: true}
	err := c.call(ctx, &request{op: "Subscribe", body: el("m:Subscribe", wanted), crowds: true}, func(a *answer) error {
		return a.only(func(name string) (err error) {
			switch name {
			case "SubscriptionId":
				s.id, err = a.word()
			case "Watermark":
				s.watermark, err = a.word()
			}
			return err
		})
	})
	if err == nil && s.id == "" {
		err = &itemFaultError{"the server does not name the subscription"}
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// lifetime returns for how many minutes a server is to keep a subscription that is
// asked every so often, over a few failures.
func lifetime(every time.Duration) int {
	const least, most = 10, 1440
	return int(min(max(every.Minutes()*4, least), most))
}

// crowded reports whether a server has as many subscriptions or streams for the user as
// it allows: there is no use in asking again before others have ended.
func crowded(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.Code == "ErrorExceededSubscriptionCount" || e.Code == "ErrorExceededConnectionCount")
}

// unsubscribe has the server forget a subscription. Where that fails, it does so by
// itself after a while.
func (c *Client) unsubscribe(ctx context.Context, s *subscription) error {
	r := &request{op: "Unsubscribe", body: el("m:Unsubscribe", leaf("m:SubscriptionId", s.id)), hasty: true}
	return c.call(ctx, r, func(a *answer) error {
		return a.only(func(string) error { return nil })
	})
}

// farewell is how long Close takes at most for the server's sake.
const farewell = 2 * time.Second

// Close implements [session.Incoming]. Streams end at once. The server is told to
// forget subscriptions, of which a mailbox may have few, for which Close takes two
// seconds at most: those that it is not told of, it forgets after half an hour or so.
func (c *Client) Close() error {
	c.closing.Do(func() {
		close(c.closed)
		c.forgetSubscriptions()
	})
	c.parts.drop()
	c.pool.Close()
	return nil
}

// forgetSubscriptions has the server forget all of them, once the loops over notices
// have ended. Nobody signs in for that with credentials that were refused.
func (c *Client) forgetSubscriptions() {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	select {
	case <-c.subscriptions.unused():
	case <-ctx.Done():
	}
	for c.gate.isGood() {
		s := c.subscriptions.oldest()
		if s == nil {
			return
		}
		if err := c.unsubscribe(ctx, s); err != nil && !answered(err) {
			return
		}
	}
}

// maxKept is how many subscriptions are kept for a next loop over the same folders. A
// mailbox may have as few as 20.
const maxKept = 4

// subscriptions are those that nobody uses. Loops that wait for one message after the
// other would leave one behind each.
type subscriptions struct {
	mu    sync.Mutex
	kept  []*subscription // the oldest first
	users int             // loops that have one, or may
	left  chan struct{}   // closed when the last of them ends
}

// join counts a loop.
func (k *subscriptions) join() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users++; k.users == 1 {
		k.left = make(chan struct{})
	}
}

// leave ends the use of a subscription, which may be nil, by a loop.
func (k *subscriptions) leave(s *subscription) {
	k.put(s)
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.users--; k.users == 0 {
		close(k.left)
	}
}

// unused returns what is closed when no loop is left.
func (k *subscriptions) unused() <-chan struct{} {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.left == nil {
		k.left = make(chan struct{})
		close(k.left)
	}
	return k.left
}

// take takes one for folders, nil where there is none.
func (k *subscriptions) take(folders string, streaming bool) *subscription {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i, s := range k.kept {
		if s.folders == folders && s.streaming == streaming {
			k.kept = slices.Delete(k.kept, i, i+1)
			return s
		}
	}
	return nil
}

// surplus takes the oldest one, nil where another one finds room.
func (k *subscriptions) surplus() *subscription {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.kept) < maxKept {
		return nil
	}
	return k.first()
}

// oldest takes the oldest one, nil where there is none.
func (k *subscriptions) oldest() *subscription {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.first()
}

func (k *subscriptions) first() *subscription {
	if len(k.kept) == 0 {
		return nil
	}
	s := k.kept[0]
	k.kept = slices.Delete(k.kept, 0, 1)
	return s
}

// put keeps one, which may be nil.
func (k *subscriptions) put(s *subscription) {
	if s == nil {
		return
	}
	s.fresh = false
	k.mu.Lock()
	k.kept = append(k.kept, s)
	k.mu.Unlock()
}
