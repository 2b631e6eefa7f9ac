package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

var _ session.Notifier = (*referenceClient)(nil)

// What the lines of a server that notifies say.
const (
	wordListening = "listening"
	wordActivity  = "activity"
	wordAlive     = "alive"
)

// heartbeat is how often a server that notifies says that it is there. A line
// without that for twice as long is taken for lost.
const heartbeat = 5 * time.Minute

// marks are names that wait to be looked at, each once however often it is set.
type marks struct {
	mu    sync.Mutex
	names map[string]struct{}
	set   chan struct{} // holds one item while there are any
}

func newMarks() *marks {
	return &marks{names: map[string]struct{}{}, set: make(chan struct{}, 1)}
}

func (m *marks) add(name string) {
	m.mu.Lock()
	m.names[name] = struct{}{}
	m.mu.Unlock()
	select {
	case m.set <- struct{}{}:
	default: // somebody is to look anyway
	}
}

// take returns the names in order, and forgets them.
func (m *marks) take() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Sorted(maps.Keys(m.names))
	clear(m.names)
	return names
}

// notify tells that something happens in folders until the client leaves.
func (v visitor) notify() error {
	refs := map[string]string{}
	for _, ref := range v.q.Folders {
		f, err := v.find(session.FolderRef(ref))
		if err != nil {
			return v.write(refusalOf(err))
		}
		refs[f.Name] = ref
	}
	happened := newMarks()
	defer v.Box.Watch(func(c mailtest.Change) {
		if ref, ours := refs[c.Folder]; ours && c.Account == v.account.Address() {
			happened.add(ref)
		}
	})()
	gone := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, v.r) // until the client leaves
		close(gone)
	}()
	if err := v.put(answer{Name: wordListening}); err != nil {
		return err
	}
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-gone:
			return nil
		case <-beat.C:
			err = v.put(answer{Name: wordAlive})
		case <-happened.set:
			for _, ref := range happened.take() {
				err = cmp.Or(err, v.put(answer{place: place{Folder: ref}, Name: wordActivity}))
			}
		}
		if err != nil {
			return err
		}
	}
}

// Notify implements [session.Notifier]. One connection listens to all folders.
func (c *referenceClient) Notify(ctx context.Context, folders []session.FolderRef, _ session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		pace := retry.Policy{}
		for try := 1; ; try++ {
			l, err := c.listen(ctx, folders)
			if err == nil {
				try = 1
				var more bool
				if more, err = l.tell(folders, yield); !more {
					return
				}
			}
			if err != nil && !lostLine(err) {
				yield(session.Notice{}, err)
				return
			}
			if err := c.pause(ctx, pace.Wait(try, nil)); err != nil {
				yield(session.Notice{}, err)
				return
			}
		}
	}
}

// errSilent says that a line was given up since nothing came over it.
var errSilent = errors.New("the server fell silent")

// silent gives up a line.
func (k *call) silent() { k.stop(errSilent) }

// lostLine reports whether another connection may fare better.
func lostLine(err error) bool {
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errSilent) {
		return true
	}
	_, network := errors.AsType[*net.OpError](err)
	return network && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, session.ErrClosed)
}

// pause waits between two tries.
func (c *referenceClient) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.done:
		return fmt.Errorf("%s: notify: %w", referenceName, session.ErrClosed)
	case <-ctx.Done():
		return fmt.Errorf("%s: notify: %w", referenceName, context.Cause(ctx))
	}
}

// listener is a connection that tells what happens.
type listener struct {
	call     *call
	happened *marks
	lost     chan struct{} // closed when the line is, for why
	why      error
}

// listen begins to listen to folders.
func (c *referenceClient) listen(ctx context.Context, folders []session.FolderRef) (*listener, error) {
	q := question{Op: "notify"}
	for _, f := range folders {
		q.Folders = append(q.Folders, string(f))
	}
	k, err := c.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	alarm := k.silent
	if c.server.noAlarm {
		alarm = func() {}
	}
	silence := time.AfterFunc(2*heartbeat, alarm)
	a, err := k.take()
	if err == nil {
		err = a.failure(q.Op)
	}
	if err != nil {
		silence.Stop()
		return nil, k.end(err)
	}
	l := &listener{call: k, happened: newMarks(), lost: make(chan struct{})}
	go func() {
		defer close(l.lost)
		defer silence.Stop()
		for {
			a, err := k.take()
			if err != nil {
				l.why = err
				return
			}
			silence.Reset(2 * heartbeat)
			if a.Name == wordActivity {
				l.happened.add(a.Folder)
			}
		}
	}()
	return l, nil
}

// tell hands on what is told, until the line is lost or the loop wants no more.
func (l *listener) tell(folders []session.FolderRef, yield func(session.Notice, error) bool) (more bool, err error) {
	defer func() {
		_ = l.call.end(nil)
		<-l.lost
	}()
	for _, f := range folders {
		if !yield(session.Notice{Kind: session.Listening, Folder: f}, nil) {
			return false, nil
		}
	}
	for {
		select {
		case <-l.lost:
			return true, l.call.end(l.why)
		case <-l.happened.set:
			for _, f := range l.happened.take() {
				if !yield(session.Notice{Kind: session.Activity, Folder: session.FolderRef(f)}, nil) {
					return false, nil
				}
			}
		}
	}
}
