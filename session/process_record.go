package session

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/state"
)

// itemState is what the record says of one message.
type itemState string

const (
	itemBegun   itemState = "begun" // the handler was called, and nobody knows more
	itemRetry   itemState = "retry" // to be handled again at its time
	itemDone    itemState = "done"
	itemProblem itemState = "problem"
)

// progressItem is what the record keeps of one message: since the cursor, and as
// long as something is left to do.
type progressItem struct {
	State itemState `json:"state"`
	Tries int       `json:"tries,omitempty"`
	At    time.Time `json:"at,omitzero"`
	// Move says that it has to be moved yet. MoveTries counts the tries, one that
	// nobody knows the end of among them.
	Move      bool `json:"move,omitempty"`
	MoveTries int  `json:"moveTries,omitempty"`
	// MoveHalted says that nobody knows how far the last of them came: a copy may be
	// there. It is set before a try is made.
	MoveHalted bool `json:"moveHalted,omitempty"`

	look bool // the try before the present one halted
}

// settled reports whether nothing is left to do.
func (i *progressItem) settled() bool {
	return !i.Move && (i.State == itemDone || i.State == itemProblem)
}

// progressRecord is what a Store keeps of a processor.
type progressRecord struct {
	Version int `json:"version"`
	// Owner is drawn anew by each call that takes the record over.
	Owner string `json:"owner"`
	// Cursor is behind the last page of which all messages have been looked at.
	Cursor Cursor `json:"cursor,omitzero"`
	// Items are the messages of the page after that, and those of earlier ones that
	// are to be tried again.
	Items map[ID]*progressItem `json:"items,omitempty"`
	// Stay says that messages are in the folder which must not be handled: they were
	// done, and not moved, or there before the processor began.
	Stay bool `json:"stay,omitempty"`

	kept state.Version
}

const progressVersion = 1

// load reads the record. Where there is none, fresh is true.
func (p Progress) load(ctx context.Context) (rec progressRecord, fresh bool, err error) {
	kept, err := p.Store.Load(ctx, p.Name)
	if err != nil {
		return rec, false, err
	}
	rec = progressRecord{Version: progressVersion, Items: map[ID]*progressItem{}, kept: kept.Version}
	if kept.Version == "" {
		return rec, true, nil
	}
	if err := json.Unmarshal(kept.Value, &rec); err != nil {
		return rec, false, fmt.Errorf("the record of the progress cannot be read; delete it to begin anew: %w", err)
	}
	if rec.Version != progressVersion {
		return rec, false, fmt.Errorf("the record of the progress has the version %d, this program knows %d; leave it to a program that knows it, or delete it to begin anew", rec.Version, progressVersion)
	}
	return rec, false, nil
}

// save writes the record, unless somebody else did so meanwhile.
func (p Progress) save(ctx context.Context, rec *progressRecord) error {
	value, err := json.Marshal(rec)
	if err != nil {
		return err
	}
	version, err := p.Store.CompareAndSwap(ctx, p.Name, rec.kept, value)
	if errors.Is(err, state.ErrConflict) && p.own(ctx, rec) {
		version, err = p.Store.CompareAndSwap(ctx, p.Name, rec.kept, value)
	}
	if errors.Is(err, state.ErrConflict) {
		return fmt.Errorf("another processor has taken over the record; let one alone work on it: %w", err)
	}
	if err != nil {
		return fmt.Errorf("keep the progress: %w", err)
	}
	rec.kept = version
	return nil
}

// own reports whether what the Store has was written by this processor after all:
// by a write that ended in an error.
func (p Progress) own(ctx context.Context, rec *progressRecord) bool {
	there, _, err := p.load(ctx)
	if err != nil || there.Owner != rec.Owner {
		return false
	}
	rec.kept = there.kept
	return true
}

// dropSettled forgets what is settled, once the page that it came in is.
func (r *progressRecord) dropSettled() {
	maps.DeleteFunc(r.Items, func(_ ID, i *progressItem) bool { return i.settled() })
}

// waiting is how many messages something is left to do about.
func (r *progressRecord) waiting() (n int) {
	for _, i := range r.Items {
		if !i.settled() {
			n++
		}
	}
	return n
}

// checkMailbox compares the messages of a page from the zero cursor, which neither
// expires nor is refused, with those of the record. It returns [ErrOtherMailbox]
// where they are another mailbox's, and [ErrCursorExpired] where they have been
// renumbered.
func (r *progressRecord) checkMailbox(page Changes) error {
	if len(page.Added) == 0 {
		return nil
	}
	now, err := page.Added[0].ID.Parts()
	if err != nil {
		return nil //nolint:nilerr // ids that cannot be read are nobody's
	}
	for id := range r.Items {
		before, err := id.Parts()
		switch {
		case err != nil:
		case before.Backend != now.Backend, before.Mailbox != now.Mailbox:
			return ErrOtherMailbox
		case before.Validity != now.Validity:
			return ErrCursorExpired
		}
	}
	return nil
}

// full reports whether so many messages wait that new ones have to.
func (r *progressRecord) full(most int) bool { return most > 0 && r.waiting() >= most }

// hasUnmoved reports whether messages that are done have to be moved yet.
func (r *progressRecord) hasUnmoved() bool {
	for _, i := range r.Items {
		if i.State == itemDone {
			return true
		}
	}
	return false
}

// due returns the messages whose time has come, in the order of their times, and
// when the next one's comes; the zero time where there is none.
func (r *progressRecord) due(now time.Time) (ids []ID, next time.Time) {
	for id, i := range r.Items {
		switch {
		case i.State != itemRetry && !i.Move:
		case !i.At.After(now):
			ids = append(ids, id)
		case next.IsZero() || i.At.Before(next):
			next = i.At
		}
	}
	slices.SortFunc(ids, func(a, b ID) int {
		at := r.Items[a].At.Compare(r.Items[b].At)
		return cmp.Or(at, cmp.Compare(len(a.text), len(b.text)), strings.Compare(a.text, b.text)) // numbers in their order
	})
	return ids, next
}
