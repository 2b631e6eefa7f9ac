package session

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Change says what to do with messages. Flags are changed first, then labels; at
// most one of MoveTo, CopyTo and Delete may be set, and none beside labels.
type Change struct {
	// Set and Clear are flags to add and to take away. Others stay.
	Set, Clear Flags
	// AddLabels and RemoveLabels are labels of Gmail to add and to take away, as
	// [Message.Labels] has them: the system's own with a "\" in front, such as
	// `\Starred`. A label that does not exist is made. Taking away the label of the
	// folder that the message is named in takes the message out of it: without
	// `\Inbox` it is archived, and is in the folder of all mail from then on. Where
	// the server has no labels, the results wrap [errors.ErrUnsupported].
	AddLabels, RemoveLabels []string
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
	case len(actions) == 0 && len(c.Set) == 0 && len(c.Clear) == 0 && !c.labels():
		return errors.New("session: a change that changes nothing; set one of its fields")
	case len(actions) > 0 && c.labels():
		return fmt.Errorf("session: a change has %s and labels; make them one after the other", actions[0])
	case c.IfUnchanged != nil && (c.MoveTo != "" || c.CopyTo != ""):
		return fmt.Errorf("session: a change has %s and IfUnchanged; only flags and Delete can depend on a version", actions[0])
	case c.IfUnchanged != nil && c.labels():
		return errors.New("session: a change has labels and IfUnchanged; only flags and Delete can depend on a version")
	}
	for _, f := range c.Set {
		if c.Clear.Has(f) {
			return fmt.Errorf("session: a change both sets and clears the flag %s", f)
		}
	}
	return c.checkLabels()
}

func (c Change) labels() bool { return len(c.AddLabels)+len(c.RemoveLabels) > 0 }

// checkLabels refuses what cannot be the name of a label. Letters' case does not
// count in names.
func (c Change) checkLabels() error {
	for _, label := range slices.Concat(c.AddLabels, c.RemoveLabels) {
		name := strings.TrimPrefix(label, `\`)
		if strings.TrimSpace(name) == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return fmt.Errorf("session: %q cannot be a label; a name is one line of UTF-8", label)
		}
	}
	for _, label := range c.AddLabels {
		if slices.ContainsFunc(c.RemoveLabels, func(l string) bool { return strings.EqualFold(l, label) }) {
			return fmt.Errorf("session: a change both adds and removes the label %q", label)
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
