package ews

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// maxRounds is how often a change is tried that others get in the way of.
const maxRounds = 5

// update changes flags. What depends on what is there, as the list of categories
// does, is read first, and changed only if nobody else was faster.
func (w *work) update(ctx context.Context) error {
	conditional := w.change.IfUnchanged != nil
	if err := w.each(ctx, func(ctx context.Context, part []*changing) error {
		for range maxRounds {
			state, err := w.state(ctx, part)
			if err != nil {
				return err
			}
			if err := w.updateOnce(ctx, opened(part), state); err != nil {
				return err
			}
			if again := overtaken(part); !w.merges() || conditional || !again {
				return nil
			}
			for _, t := range part {
				if errors.Is(t.result.Err, session.ErrChanged) {
					t.result = session.Result{}
				}
			}
		}
		return nil
	}); err != nil {
		return err
	}
	if w.change.MoveTo == "" && w.change.CopyTo == "" && !w.change.Delete {
		return nil
	}
	for _, t := range w.items { // there is more to be done
		if t.result.Outcome == session.Done {
			t.result = session.Result{}
		}
	}
	return nil
}

func opened(part []*changing) []*changing {
	return slices.DeleteFunc(slices.Clone(part), func(t *changing) bool { return !t.open() })
}

func overtaken(part []*changing) bool {
	return slices.ContainsFunc(part, func(t *changing) bool { return errors.Is(t.result.Err, session.ErrChanged) })
}

// merges reports whether the change depends on what is there.
func (w *work) merges() bool {
	return len(keywordsOf(w.change.Set)) > 0 || len(keywordsOf(w.change.Clear)) > 0
}

func keywordsOf(flags session.Flags) []string {
	var all []string
	for _, f := range flags {
		if !strings.HasPrefix(string(f), `\`) {
			all = append(all, string(f))
		}
	}
	return all
}

// state asks for what a change depends on. A message that is a draft stays one, and
// another one does not become one.
func (w *work) state(ctx context.Context, part []*changing) (map[*changing]*itemInfo, error) {
	drafts := w.change.Set.Has(session.Draft) || w.change.Clear.Has(session.Draft)
	if !w.merges() && !drafts {
		return nil, nil //nolint:nilnil // nothing has to be known
	}
	items, err := w.client.getItems(ctx, keysOf(part), []element{field("item:Categories"), field("item:IsDraft")})
	if err != nil {
		return nil, err
	}
	state := map[*changing]*itemInfo{}
	for i, t := range part {
		switch it := items[i]; {
		case it.err != nil:
			t.fail(it.err)
		case drafts && it.draft != w.change.Set.Has(session.Draft):
			t.fail(fmt.Errorf("%s: apply: Exchange fixes whether a message is a draft when it is made; append it anew: %w", w.client.address, errors.ErrUnsupported))
		default:
			state[t] = it.itemInfo
		}
	}
	return state, nil
}

// updateOnce makes the change, once.
func (w *work) updateOnce(ctx context.Context, part []*changing, state map[*changing]*itemInfo) error {
	conditional := w.change.IfUnchanged != nil
	how := "AlwaysOverwrite"
	if conditional || w.merges() {
		how = "NeverOverwrite"
	}
	var changes []element
	var concerned []*changing
	for _, t := range part {
		key := t.change
		if it := state[t]; it != nil && !conditional && w.merges() {
			key = it.change
		}
		updates := w.updates(state[t])
		if len(updates) == 0 {
			t.result.Outcome = session.Done // it is so already
			continue
		}
		changes = append(changes, el("t:ItemChange", itemID(t.key, key), el("t:Updates", updates...)))
		concerned = append(concerned, t)
	}
	if len(changes) == 0 {
		return nil
	}
	body := el("m:UpdateItem", el("m:ItemChanges", changes...)).with("ConflictResolution", how).with("MessageDisposition", "SaveOnly").
		with("SendMeetingInvitationsOrCancellations", "SendToNone") // else none of it is done to an appointment
	r := &request{op: "UpdateItem", body: w.client.quietly(body), once: how == "NeverOverwrite", single: true}
	return w.act(ctx, r, func(a *answer) error {
		return a.outcomes(concerned, func(t *changing, it *itemInfo) {
			if conditional && !w.change.Delete {
				t.result.Version = session.Version(it.change)
			}
		})
	})
}

// updates writes the change to one message.
func (w *work) updates(it *itemInfo) []element {
	var all []element
	for _, flags := range []struct {
		list session.Flags
		on   bool
	}{{w.change.Set, true}, {w.change.Clear, false}} {
		for _, f := range flags.list {
			all = append(all, markUpdates(f, flags.on)...)
		}
	}
	if w.change.IfUnchanged != nil && w.change.Delete {
		all = append(all, setField(tagDeleted.uri(), tagDeleted.setTo(markedDeleted)))
	}
	if it == nil || !w.merges() {
		return all
	}
	categories := merged(it.categories, keywordsOf(w.change.Set), keywordsOf(w.change.Clear))
	switch {
	case slices.Equal(categories, it.categories):
	case len(categories) == 0:
		all = append(all, deleteField(field("item:Categories")))
	default:
		list := el("t:Categories")
		for _, c := range categories {
			list.children = append(list.children, leaf("t:String", c))
		}
		all = append(all, setField(field("item:Categories"), list))
	}
	return all
}

// merged returns categories with some added and others taken away. Letters' case does
// not count.
func merged(have, add, remove []string) []string {
	is := func(a string) func(string) bool { return func(b string) bool { return strings.EqualFold(a, b) } }
	all := slices.DeleteFunc(slices.Clone(have), func(c string) bool { return slices.ContainsFunc(remove, is(c)) })
	for _, c := range add {
		if !slices.ContainsFunc(all, is(c)) {
			all = append(all, c)
		}
	}
	return all
}

func setField(path, property element) element {
	return el("t:SetItemField", path, el("t:Message", property))
}

func deleteField(path element) element { return el("t:DeleteItemField", path) }

// markUpdates writes what makes one of the named flags.
func markUpdates(f session.Flag, on bool) []element {
	mark := func(t tag, value int) element {
		if !on {
			return deleteField(t.uri())
		}
		return setField(t.uri(), t.setTo(value))
	}
	switch {
	case strings.EqualFold(string(f), string(session.Seen)):
		return []element{setField(field("message:IsRead"), leaf("t:IsRead", boolean(on)))}
	case strings.EqualFold(string(f), string(session.Flagged)):
		return []element{mark(tagFlagged, flagged)}
	case strings.EqualFold(string(f), string(session.Answered)):
		return []element{mark(tagVerb, repliedTo), mark(tagIcon, iconReplied)}
	case strings.EqualFold(string(f), string(session.Deleted)):
		return []element{mark(tagDeleted, markedDeleted)}
	}
	return nil
}
