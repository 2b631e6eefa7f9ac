package outbox

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// What Options have for zero values.
const (
	DefaultPrefix      = "outbox"
	DefaultMaxSize     = 25 << 20
	DefaultFirstWait   = time.Minute
	DefaultMaxWait     = time.Hour
	DefaultGiveUpAfter = 48 * time.Hour
	DefaultKeepFor     = 30 * 24 * time.Hour
	DefaultTerm        = time.Minute
	DefaultPoll        = 15 * time.Second
)

// Options are the settings of an [Outbox]. The zero value works. All who share an
// outbox should have the same.
type Options struct {
	// Prefix is what the keys of the Store begin with: [DefaultPrefix] where it is
	// empty. Outboxes of several mailboxes in one Store need one each. It follows the
	// rules of [state.CheckKey] and has at most 100 bytes.
	Prefix string
	// MaxSize is the size in bytes of the largest message that is taken:
	// [DefaultMaxSize] where it is zero. A message is held in memory while it is sent.
	MaxSize int64

	// FirstWait is the wait before the second try, [DefaultFirstWait] where it is
	// zero; each following one is twice as long, up to MaxWait, [DefaultMaxWait]
	// where that is zero, or as long as the server asks for.
	FirstWait, MaxWait time.Duration
	// GiveUpAfter is how long after it was enqueued a message is given up that is
	// refused for the time being: [DefaultGiveUpAfter] where it is zero. It is tried five
	// times at least, however long it waited for a worker.
	GiveUpAfter time.Duration
	// KeepFor is how long Run keeps what is known of messages that are [Entry.Decided]:
	// [DefaultKeepFor] where it is zero, for ever where it is negative.
	KeepFor time.Duration

	// Term is how long a worker counts as alive that does not renew its claim:
	// [DefaultTerm] where it is zero. A message in the hands of a worker that is gone
	// becomes [StateUnknown] after about this long. A worker whose Store does not answer for
	// nine tenths of it gives up what it is sending.
	Term time.Duration
	// Poll is the longest pause after which Run looks for messages that other
	// processes have enqueued: [DefaultPoll] where it is zero. Those of its own
	// process it sees at once.
	Poll time.Duration

	// Changed, where it is not nil, is told of each change of a message's state that
	// this Outbox made, by whichever goroutine made it: calls for different messages
	// may come at the same time. It must not block.
	Changed func(Entry)
	// Logger gets one record a change at level debug, and at warn what needs
	// attention. Nil means silence.
	Logger *slog.Logger
}

// Outbox keeps messages until they are sent. It is safe for concurrent use.
type Outbox struct {
	store   state.Store
	list    state.Lister
	session *session.Session
	opts    Options
	pace    retry.Policy
	log     *slog.Logger

	wake chan struct{} // holds one item while there is something new

	mu     sync.Mutex
	claims map[string]sighting // by the key of the entry
	held   time.Time           // until when nothing is sent

	// reached is told of each named point that is come to. Only tests set it.
	reached func(point string)
}

// New returns the outbox in a Store that sends through a session. It does no I/O.
// The Store has to be a [state.Lister], or to wrap one; else the error wraps
// [errors.ErrUnsupported]. Options may be nil.
//
// Where s is nil, the outbox takes messages and tells of them, for a program that
// leaves sending to another one. A session that cannot send is an error: see
// [session.Session.Sends].
func New(store state.Store, s *session.Session, opts *Options) (*Outbox, error) {
	if opts == nil {
		opts = &Options{}
	}
	o := *opts
	o.Prefix = cmp.Or(o.Prefix, DefaultPrefix)
	o.MaxSize = cmp.Or(o.MaxSize, DefaultMaxSize)
	o.FirstWait = cmp.Or(o.FirstWait, DefaultFirstWait)
	o.MaxWait = cmp.Or(o.MaxWait, DefaultMaxWait)
	o.GiveUpAfter = cmp.Or(o.GiveUpAfter, DefaultGiveUpAfter)
	o.KeepFor = cmp.Or(o.KeepFor, DefaultKeepFor)
	o.Term = cmp.Or(o.Term, DefaultTerm)
	o.Poll = cmp.Or(o.Poll, DefaultPoll)
	if err := check(o, s); err != nil {
		return nil, fmt.Errorf("outbox: %w", err)
	}
	if store == nil {
		return nil, errors.New("outbox: there is no Store; give New one that outlives the program, such as that of state.OpenDir")
	}
	list, ok := state.As[state.Lister](store)
	if !ok {
		return nil, fmt.Errorf("outbox: the Store cannot list its keys: %w", errors.ErrUnsupported)
	}
	return &Outbox{
		store: store, list: list, session: s, opts: o,
		pace:   retry.Policy{Initial: o.FirstWait, Max: o.MaxWait},
		log:    observe.Logger(o.Logger),
		wake:   make(chan struct{}, 1),
		claims: map[string]sighting{},
	}, nil
}

// maxPrefix leaves room for what follows in a key.
const maxPrefix = 100

// sendsNothing says what to do about a session that cannot send.
const sendsNothing = "give New a session with a way out, such as smtpx.Backend, in a mode that sends, or none to leave sending to another program"

func check(o Options, s *session.Session) error {
	if len(o.Prefix) > maxPrefix {
		return fmt.Errorf("the prefix has %d bytes, %d are allowed", len(o.Prefix), maxPrefix)
	}
	if err := state.CheckKey(o.Prefix); err != nil {
		return err
	}
	if min(o.MaxSize, int64(o.FirstWait), int64(o.MaxWait), int64(o.GiveUpAfter), int64(o.Poll)) < 0 || o.Term < time.Millisecond {
		return errors.New("a size or a time of the options is negative or too short")
	}
	switch {
	case s == nil || s.Sends():
		return nil
	case s.Mode() == session.ReadOnly:
		return fmt.Errorf("%w; %s", &session.ModeError{Mode: s.Mode(), Op: "send from an outbox"}, sendsNothing)
	}
	return fmt.Errorf("the session has no way out: %w; %s", errors.ErrUnsupported, sendsNothing)
}

// The keys of the Store. Bodies are listed in the order in which they were
// enqueued, and are there for as long as there may be something to do.
const (
	entryPart = "/entry/"
	bodyPart  = "/body/"
)

// entryKey returns the key of the entry for a key of the program.
func (b *Outbox) entryKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return b.opts.Prefix + entryPart + hex.EncodeToString(sum[:20])
}

// bodyKey returns a key for the bytes of a message. No two are the same.
func (b *Outbox) bodyKey(entry, nonce string, now time.Time) string {
	_, name, _ := strings.Cut(entry, entryPart)
	return fmt.Sprintf("%s%s%016x-%s-%s", b.opts.Prefix, bodyPart, now.UnixNano(), name, nonce)
}

// parseBody returns the key of the entry that a body is of.
func (b *Outbox) parseBody(body string) (entry string, ok bool) {
	parts := strings.Split(strings.TrimPrefix(body, b.opts.Prefix+bodyPart), "-")
	if len(parts) != 3 {
		return "", false
	}
	return b.opts.Prefix + entryPart + parts[1], true
}

// at tells a test that a named point is come to.
func (b *Outbox) at(point string) {
	if b.reached != nil {
		b.reached(point)
	}
}

// The points at which a crash is tried. At each of them the Store has just been
// changed, or the world has.
const (
	pointEntry    = "entry kept"
	pointBody     = "body kept"
	pointClaimed  = "claimed"
	pointAnswered = "answered"
	pointRecorded = "recorded"
	pointFiled    = "copy filed"
	pointNoted    = "copy noted"
	pointRemoved  = "body removed"
)
