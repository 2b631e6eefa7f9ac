package session

import (
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// DefaultScanLimit is what a zero [Query.ScanLimit] means.
const DefaultScanLimit = 10_000

// Query says which messages to list, and what of them. Its zero value lists
// everything in the inbox. It has a text form, see [ParseQuery], and a JSON
// form, in which unknown fields are refused.
//
// What a server cannot decide of Where is decided here: the backend fetches what
// is needed of the messages that the server's part leaves, and compares by
// itself. [Session.Explain] tells who decides what.
type Query struct {
	// Folder is the inbox where it is not set.
	Folder FolderRef `json:"folder,omitempty"`
	// Where says which messages; the zero value matches all of them.
	Where Filter `json:"where,omitzero"`

	// OldestFirst turns the order round.
	OldestFirst bool `json:"oldestFirst,omitempty"`
	// Limit is the number of messages after which the iteration ends; zero
	// means all.
	Limit int `json:"limit,omitempty"`
	// After is the last message of an earlier page, of which the rest follows:
	// with Limit, the pages of a listing are
	//
	//	q := session.Query{Limit: 50}
	//	for { // each page
	//		for m, err := range s.Messages(ctx, q) { q.After = m.ID ... }
	//	}
	//
	// It is the place in the order that counts, so that another process may ask
	// for the next page, and that messages which came or went meanwhile, the one
	// named here among them, neither hide one nor double one; [Facts.AfterGone]
	// tells where the latter does not hold. Where the last item was an
	// [*ItemError], its ID is the place.
	//
	// An ID of another mailbox ends in an error that wraps [ErrOtherMailbox], one
	// of another folder than Folder [ErrOtherFolder], and one from before the
	// server renumbered the folder [ErrStaleID]. Where and the order may be others
	// than those of the earlier page: what follows is what comes behind that
	// message in this query's order.
	After ID `json:"after,omitzero"`
	// Fields is FieldsAll where it is zero.
	Fields Fields `json:"fields,omitempty"`

	// ServerOnly refuses to compare here: a query that the server cannot
	// decide alone ends in an error that wraps [errors.ErrUnsupported] and names
	// what the server cannot do.
	ServerOnly bool `json:"serverOnly,omitempty"`
	// ScanLimit bounds how many messages may be looked at here in vain, that is
	// without matching. Where one more would have to be, the iteration ends in a
	// [*ScanLimitError]. Zero means [DefaultScanLimit], a negative number that
	// there is no bound.
	ScanLimit int `json:"scanLimit,omitempty"`
}

// Check reports what is wrong with the query itself.
func (q Query) Check() error {
	if q.Limit < 0 {
		return errors.New("session: query: the limit is negative; zero means all")
	}
	if q.Fields&^fieldsKnown != 0 {
		return errors.New("session: query: fields that do not exist")
	}
	if !utf8.ValidString(q.After.text) {
		return errors.New("session: query: after names no message")
	}
	return q.Where.Check()
}

// ScanLimitError ends an iteration that would have had to look at more messages
// than the query allows. The messages before it are good.
type ScanLimitError struct {
	// Limit is how many messages were looked at in vain.
	Limit int
	// Left is how many more the server's part of the query left to look at.
	Left int
}

// Error returns how far it came and what to do.
func (e *ScanLimitError) Error() string {
	return fmt.Sprintf("session: %d messages were looked at in vain and %d are left; narrow the query, or raise its ScanLimit", e.Limit, e.Left)
}

// Explainer tells how a query would be carried out. It is a further interface
// of an [Incoming]; see [Session.Explain].
type Explainer interface {
	Explain(ctx context.Context, q Query) (Plan, error)
}
