package outbox

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailsession/mailsession/session"
)

// State is how far a message has come.
type State string

// The states of a message.
const (
	// StateNew waits for its first or next try.
	StateNew State = "new"
	// StateSending is in the hands of a worker.
	StateSending State = "sending"
	// StateSent was accepted for every recipient.
	StateSent State = "sent"
	// StatePartial was accepted for some recipients, and given up for the others.
	StatePartial State = "partial"
	// StateFailed was given up for every recipient: the server refused it for good, or
	// for too long.
	StateFailed State = "failed"
	// StateUnknown may have been sent or not, or not to everybody where Entry.Found is
	// set. It is looked for in the folder of sent mail while Entry.Next is set; then the
	// program has to decide.
	StateUnknown State = "unknown"
	// StateDropped was taken out by the program.
	StateDropped State = "dropped"
)

// RecipientState is how far a message has come for one recipient.
type RecipientState string

// The states of a recipient.
const (
	// Waiting waits for the first or next try.
	Waiting RecipientState = "waiting"
	// Accepted is taken by the server, which answers for it from then on.
	Accepted RecipientState = "accepted"
	// Refused is given up; Recipient.Err says why.
	Refused RecipientState = "refused"
	// Unsure may have been accepted or not.
	Unsure RecipientState = "unsure"
)

// Recipient is one recipient of a message.
type Recipient struct {
	// Address is that of the envelope.
	Address string `json:"address"`
	// State is how far the message has come.
	State RecipientState `json:"state"`
	// Err is what the server said last where it refused the recipient.
	Err string `json:"err,omitempty"`
}

// Entry is what is known of one message in an [Outbox].
type Entry struct {
	// Key is the program's name of the message.
	Key string `json:"key"`
	// State is how far it has come.
	State State `json:"state"`
	// Envelope is as it was enqueued.
	Envelope session.Envelope `json:"envelope"`
	// MessageID is the message's Message-ID without angle brackets.
	MessageID string `json:"message_id"`
	// Size is the message's size in bytes.
	Size int64 `json:"size"`
	// Recipients has one for each of Envelope.To, in its order.
	Recipients []Recipient `json:"recipients"`
	// Tries is how often it was begun to be sent.
	Tries int `json:"tries"`
	// Err is what went wrong last, in words; empty where nothing did since the
	// message was enqueued or sent again.
	Err string `json:"err,omitempty"`
	// QueueID is the server's own name of the message, where it told one.
	QueueID string `json:"queue_id,omitempty"`
	// Found says that the message was found in the folder of sent mail when the
	// server's answer was lost. It was sent then: to all whom the server had not
	// refused by name, where a line was lost, which makes it StateSent. Where a worker
	// crashed, what the server had said of each recipient went with it: of several
	// only one is certain, and the message stays StateUnknown, with Next zero, for the
	// program to decide. [session.Envelope.AllOrNone] leaves no such doubt.
	Found bool `json:"found,omitempty"`
	// Copy is what became of the copy in the folder of sent mail, CopyErr why there
	// is none.
	Copy    session.CopyState `json:"copy,omitempty"`
	CopyErr string            `json:"copy_err,omitempty"`

	// Queued is when the message was enqueued, Changed when it came to its state,
	// and Next when something is next done about it: a try, or a look into the
	// folder of sent mail. Next is zero where nothing will be.
	Queued  time.Time `json:"queued"`
	Changed time.Time `json:"changed"`
	Next    time.Time `json:"next,omitzero"`
}

// Decided reports whether nothing more becomes of the message unless the program
// asks for it. StateUnknown is not decided.
func (e Entry) Decided() bool {
	return slices.Contains([]State{StateSent, StatePartial, StateFailed, StateDropped}, e.State)
}

// format is the version of a record's form.
const format = 1

// record is the value that an entry is kept as.
type record struct {
	Entry

	Format int `json:"format"`
	// Digest is of envelope and bytes as the program gave them.
	Digest string `json:"digest"`
	// Body is the key of the record with the message's bytes.
	Body string `json:"body"`
	// Since is when the time to give up after began.
	Since time.Time `json:"since"`
	// Claim is the random name of the last try, for its worker to know it by. It is
	// "" where a late answer to an earlier try must not count any more.
	Claim string `json:"claim,omitempty"`
	// Term is for how long a claim has to be seen unchanged before its worker counts
	// as gone, in milliseconds, and Beat what its worker changes meanwhile.
	Term int64  `json:"term_ms,omitempty"`
	Beat uint64 `json:"beat,omitempty"`
	// Heard says that what the server said of each recipient in the last try is in
	// Recipients, also where its last answer was lost.
	Heard bool `json:"heard,omitempty"`
	// Looks is how often it was looked for in vain in StateUnknown.
	Looks int `json:"looks,omitempty"`
	// CopyDue says that a copy is to be filed, and CopyTries how often that failed.
	CopyDue   bool `json:"copy_due,omitempty"`
	CopyTries int  `json:"copy_tries,omitempty"`
}

// encode returns the value of a record.
func (r *record) encode() ([]byte, error) { return json.Marshal(r) }

// parseRecord reads the value of a record. One that has more in it than is known here,
// in a new format or in this one, is not read: what a change of it would drop may be
// what the message must not be sent without.
func parseRecord(value []byte) (record, error) {
	var of struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(value, &of); err != nil {
		return record{}, fmt.Errorf("the entry cannot be read: %w", err)
	}
	if of.Format != format {
		return record{}, fmt.Errorf("%w: it has format %d, and this one knows %d", ErrOtherVersion, of.Format, format)
	}
	var r record
	strict := json.NewDecoder(bytes.NewReader(value))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&r); err != nil {
		if json.Unmarshal(value, new(record)) == nil { // but for a field
			return record{}, fmt.Errorf("%w: %w", ErrOtherVersion, err)
		}
		return record{}, fmt.Errorf("the entry cannot be read: %w", err)
	}
	if len(r.Recipients) != len(r.Envelope.To) || r.Term < 0 {
		return record{}, errors.New("the entry contradicts itself")
	}
	return r, nil
}

// in returns the addresses of the recipients in a state.
func (r *record) in(s RecipientState) []string {
	var list []string
	for _, rcpt := range r.Recipients {
		if rcpt.State == s {
			list = append(list, rcpt.Address)
		}
	}
	return list
}

// lookFor has a message looked for from now on. What is in the folder of sent mail
// proves nothing where it may be of an earlier try.
func (r *record) lookFor(now time.Time) {
	r.Looks, r.Next = 0, now
	if r.Found || len(r.in(Accepted)) > 0 {
		r.Next = time.Time{}
	}
}

// provenByCopy reports whether a copy in the folder of sent mail proves that the
// message was accepted for all who are unsure.
func (r *record) provenByCopy() bool {
	return r.Heard || r.Envelope.AllOrNone || len(r.in(Unsure)) == 1
}

// turn changes the recipients of one state to another one; why is for those of whom
// nothing else is known.
func (r *record) turn(from, to RecipientState, why string) {
	for i := range r.Recipients {
		if r.Recipients[i].State == from {
			r.Recipients[i].State = to
			r.Recipients[i].Err = cmp.Or(r.Recipients[i].Err, why)
		}
	}
}

// become sets the state that follows from the recipients' states.
func (r *record) become(now time.Time) {
	accepted := len(r.in(Accepted))
	switch {
	case len(r.in(Unsure)) > 0:
		r.State = StateUnknown
	case len(r.in(Waiting)) > 0:
		r.State = StateNew
	case accepted == len(r.Recipients):
		r.State = StateSent
	case accepted > 0:
		r.State = StatePartial
	default:
		r.State = StateFailed
	}
	r.Changed = now
	if r.Decided() {
		r.Next = time.Time{}
	}
}
