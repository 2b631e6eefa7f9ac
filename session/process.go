package session

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailsession/mailsession/state"
)

// What [ProcessOptions] have for zero values.
const (
	DefaultMaxTries   = 5
	DefaultFirstRetry = time.Minute
	DefaultMaxRetry   = time.Hour
	DefaultMaxWaiting = 1000
)

// ErrTooManyWaiting says that [Session.Process] has left out new messages, since as
// many as [ProcessOptions.MaxWaiting] wait for another try: what the handler needs
// may be out of order.
var ErrTooManyWaiting = errors.New("too many messages wait for another try; new ones are handled once fewer do")

// Progress is where [Session.Process] keeps how far it came: one record in a
// Store, for one processor at a time.
type Progress struct {
	// Store keeps the record.
	Store state.Store
	// Name is the record's key; see [state.CheckKey]. Each program and folder has
	// one of its own.
	Name string
}

// Task is one message to be handled.
type Task struct {
	// Message is its summary, with the Fields of the query.
	Message *Message
	// Folder is the folder that it is in, by the name that the query has.
	Folder FolderRef
	// Key stands for this message in this mailbox, folder, validity of the folder and
	// processor: the same at each try and in each process, and another one for every
	// other message. What is done for the message is done once if it is done under
	// this key: as the name of a file, a unique column, an idempotency key. The
	// [Version] of the message is no part of it, since it changes with each flag that
	// somebody sets, the handler among them. A message that a folder has again, moved
	// back or renumbered, is another one; its Message-ID tells.
	Key string
	// Try counts from 1. What a program that died had begun counts.
	Try int
}

// TaskOutcome is what became of a Task, for now or for good.
type TaskOutcome int

// The outcomes of a Task.
const (
	// TaskDone: the handler returned nil.
	TaskDone TaskOutcome = iota
	// TaskRetry: it will be handled again, later.
	TaskRetry
	// TaskProblem: it was given up.
	TaskProblem
	// TaskPending: it would be handled now, were this no dry run.
	TaskPending
)

// String returns "done", "retry", "problem" or "pending".
func (o TaskOutcome) String() string {
	names := []string{"done", "retry", "problem", "pending"}
	if o < 0 || int(o) >= len(names) {
		return fmt.Sprintf("outcome %d", int(o))
	}
	return names[o]
}

// ProcessOptions are the settings of [Session.Process]. The zero value works.
type ProcessOptions struct {
	// WatchOptions say how to look and to listen. Since and Fields do not count.
	WatchOptions
	// Watch goes on with what comes until the context ends. Without it Process
	// returns once it has gone through, and leaves what is to be tried again later
	// to the next call.
	Watch bool
	// FromNow has a processor without a record begin with what comes from now on,
	// in the place of all messages that are there.
	FromNow bool
	// Done and Problem, where they are set, are the folders that messages are moved
	// to once they are done, or given up: other folders than that of the query. They
	// are looked for before the first message is handled. A message that cannot be
	// moved keeps nothing else waiting; after MaxTries it is left where it is.
	Done, Problem FolderRef
	// MaxTries is how many times a message is tried: [DefaultMaxTries] where it is
	// zero, without end where it is negative. After that it is given up.
	MaxTries int
	// FirstRetry is the wait before the second try, [DefaultFirstRetry] where it is
	// zero; each following one is twice as long, up to MaxRetry, [DefaultMaxRetry]
	// where that is zero.
	FirstRetry, MaxRetry time.Duration
	// TryTimeout is when the context of a handler ends. Zero means no bound: a
	// handler that hangs holds up all others then, until the context of Process
	// ends.
	TryTimeout time.Duration
	// MaxWaiting is how many messages may wait for another try before new ones have
	// to wait as well, but for the rest of a page: [DefaultMaxWaiting] where it is
	// zero, any number where it is negative. The record grows with it.
	MaxWaiting int
	// Anew handles all messages of the folder again where the server has renumbered
	// it, or forgot its history, so that nobody knows which of them were handled.
	// Without it Process ends in [ErrCursorExpired] then, unless all that were done
	// have been moved to Done, and the record began with all messages: then those
	// that are there are handled, also ones that were given up, or passed over,
	// before.
	Anew bool
	// DryRun has Told told of the messages that would be handled, and does nothing
	// else: no handler is called, nothing is moved, nothing is kept.
	DryRun bool
	// Told, where it is not nil, is told what became of each try, with the handler's
	// error. The Task of a message that cannot be read has a Message with its ID
	// alone.
	Told func(t Task, o TaskOutcome, err error)
}

func (o *ProcessOptions) withDefaults() ProcessOptions {
	var d ProcessOptions
	if o != nil {
		d = *o
	}
	d.MaxTries = cmp.Or(d.MaxTries, DefaultMaxTries)
	d.FirstRetry = cmp.Or(d.FirstRetry, DefaultFirstRetry)
	d.MaxRetry = cmp.Or(d.MaxRetry, DefaultMaxRetry)
	d.MaxWaiting = cmp.Or(d.MaxWaiting, DefaultMaxWaiting)
	return d
}

// Processed is what a call of [Session.Process] came to.
type Processed struct {
	// Done and Problems count messages that were done, and that were given up.
	Done, Problems int
	// Waiting is how many are to be tried again, or moved, later, by the record.
	Waiting int
}

// handlerError is what a handler wishes beyond its error.
type handlerError struct {
	err    error
	after  time.Duration
	giveUp bool
}

// Error returns the handler's own error.
func (e *handlerError) Error() string { return e.err.Error() }

// Unwrap returns the handler's own error.
func (e *handlerError) Unwrap() error { return e.err }

// GiveUp returns the error by which a handler of [Session.Process] says that
// another try is in vain, and why.
func GiveUp(err error) error {
	return &handlerError{err: orUnsaid(err), giveUp: true}
}

// TryAgainIn returns the error by which a handler of [Session.Process] says when
// to try again, and why.
func TryAgainIn(d time.Duration, err error) error {
	return &handlerError{err: orUnsaid(err), after: max(d, 1)}
}

func orUnsaid(err error) error {
	if err == nil {
		return errors.New("the handler does not say why")
	}
	return err
}

// Process hands each message that q finds to a handler, once if all goes well and
// at least once whatever happens: it begins with those that are there, goes on
// where the last call ended, also in another process, and by
// [ProcessOptions.Watch] with those that come. Oldest come first. What q asks is
// asked when a message is new: one that matches later, by another flag, is passed
// over. Limit, After and the order of q do not count.
//
// The handler returns nil where the message is done. Any error has it tried again
// later, behind others, until [ProcessOptions.MaxTries]; [TryAgainIn] says when,
// [GiveUp] that it is a problem at once. So is a message that cannot be read, and
// one at which the program died each time: none keeps others from being handled.
// Handlers are called one at a time; one that goes on after its context ended
// holds up the end of Process. One that fails after the context of Process ended
// was not given its time: the try does not count, and others come first.
//
// The record is written before each handler is called, with the outcome of the
// one before: one write a message. A message is handled twice only where the
// program or its Store failed between the handler's end and the next write;
// [Task.Key] is the same then. A second processor with the same record takes it
// over, and the first ends in an error that wraps [state.ErrConflict] before it
// calls another handler.
//
// Without Watch, any failure to reach the server ends the call, and what was done
// is kept. With it, failures that pass are waited over, as by [Session.Watch].
// Where the backend cannot tell changes, the error wraps
// [errors.ErrUnsupported]. A nil opts means the zero ProcessOptions.
func (s *Session) Process(ctx context.Context, p Progress, q Query, handle func(ctx context.Context, t Task) error, opts *ProcessOptions) (Processed, error) {
	o := opts.withDefaults()
	syncer, err := readingAs[Syncer](s, "process messages")
	if err == nil && s.mode == ReadOnly && !o.DryRun && (o.Done != "" || o.Problem != "") {
		err = &ModeError{Mode: s.mode, Op: "move messages that were handled"}
	}
	if err == nil {
		err = errors.Join(q.Check(), p.check(), checkProcess(o, handle != nil))
	}
	if err != nil {
		return Processed{}, err
	}
	r := &processor{
		session: s, syncer: syncer, progress: p, query: q, handle: handle, opts: o,
		folder: cmp.Or(q.Folder, Inbox), backoff: backoff{pace: o.pace()},
	}
	r.query.Limit, r.query.After, r.query.OldestFirst, r.query.Folder = 0, ID{}, true, r.folder
	if err = r.run(ctx); err != nil {
		err = fmt.Errorf("session: process %s: %w", p.Name, err)
	}
	r.report.Waiting = r.record.waiting()
	return r.report, err
}

func (p Progress) check() error {
	if p.Store == nil {
		return errors.New("session: process: there is no Store to keep the progress in; set Progress.Store")
	}
	if err := state.CheckKey(p.Name); err != nil {
		return fmt.Errorf("session: process: the name of the progress: %w", err)
	}
	return nil
}

func checkProcess(o ProcessOptions, handler bool) error {
	switch {
	case !handler && !o.DryRun:
		return errors.New("session: process: there is no handler; give one, or set DryRun")
	case o.FirstRetry < 0 || o.MaxRetry < 0 || o.TryTimeout < 0:
		return errors.New("session: process: FirstRetry, MaxRetry and TryTimeout must not be negative")
	}
	return nil
}

// taskKey is the Key of a Task. The version of a message is no part of it: it
// changes with the flags, which the handler may set itself.
func taskKey(name string, id ID) string {
	sum := sha256.Sum256([]byte(name + "\x00" + id.String()))
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:20]))
}
