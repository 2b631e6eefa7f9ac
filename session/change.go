package session

import (
	"errors"
	"fmt"
	"strings"
)

// Change says what to do with messages. Flags are changed first; at most one
// of MoveTo, CopyTo and Delete may be set.
type Change struct {
	// Set and Clear are flags to add and to take away. Others stay.
	Set, Clear Flags
	// MoveTo and CopyTo are folders.
	MoveTo, CopyTo FolderRef
	// Delete removes the messages for good, and nothing else: other messages
	// that are marked as deleted stay.
	Delete bool

	// IfUnchanged, unless it is nil, makes the change depend on each message
	// having the version that it is listed with here: if another program changed
	// the message since, it is [NotDone] with [ErrChanged]. A message that is not
	// listed is NotDone too. The server compares and changes in one step, for
	// flags and Delete; a move or a copy cannot depend on a version. Where the
	// server keeps no versions, the results wrap [errors.ErrUnsupported]. See
	// [Unchanged].
	IfUnchanged map[ID]Version
}

// Unchanged returns the versions of summaries, for [Change.IfUnchanged]. They
// have to be listed with [FieldVersion].
func Unchanged(messages ...*Message) map[ID]Version {
	versions := make(map[ID]Version, len(messages))
	for _, m := range messages {
		versions[m.ID] = m.Version
	}
	return versions
}

// Check reports what is wrong with the change itself.
func (c Change) Check() error {
	var actions []string
	if c.MoveTo != "" {
		actions = append(actions, "MoveTo")
	}
	if c.CopyTo != "" {
		actions = append(actions, "CopyTo")
	}
	if c.Delete {
		actions = append(actions, "Delete")
	}
	switch {
	case len(actions) > 1:
		return fmt.Errorf("session: a change has %s together; make them one after the other", strings.Join(actions, " and "))
	case len(actions) == 0 && len(c.Set) == 0 && len(c.Clear) == 0:
		return errors.New("session: a change that changes nothing")
	}
	if c.IfUnchanged != nil && (c.MoveTo != "" || c.CopyTo != "") {
		return fmt.Errorf("session: a change has %s and IfUnchanged; only flags and Delete can depend on a version", actions[0])
	}
	for _, f := range c.Set {
		if c.Clear.Has(f) {
			return fmt.Errorf("session: a change both sets and clears the flag %s", f)
		}
	}
	return nil
}

// ChangeOutcome is what became of a change to one message.
type ChangeOutcome int

// The outcomes of a change.
const (
	// DoneUnknown: the line was lost before the server's answer.
	DoneUnknown ChangeOutcome = iota
	// Done: the server confirmed it.
	Done
	// NotDone: the change was not made, or not all of it; see Result.Err.
	NotDone
)

// String returns "unknown", "done" or "not done".
func (o ChangeOutcome) String() string {
	switch o {
	case DoneUnknown:
		return "unknown"
	case Done:
		return "done"
	case NotDone:
		return "not done"
	}
	return fmt.Sprintf("outcome %d", int(o))
}

// Result is what became of a change to one message.
type Result struct {
	// ID is the message that the change was asked for.
	ID ID
	// Outcome tells whether it was done.
	Outcome ChangeOutcome
	// NewID is the message in its new place after a move or a copy, zero where
	// the server does not tell.
	NewID ID
	// Version is the version that the message has now, where the change asked for
	// one with IfUnchanged and the server tells it; empty otherwise. The next
	// change may depend on it without another listing. It is empty too where
	// somebody else may have changed the message just after.
	Version Version
	// Err is nil where the outcome is Done. It wraps [ErrNoMessage] where the
	// message is gone, and [ErrChanged] where it has another version than the
	// change depends on.
	Err error
}
