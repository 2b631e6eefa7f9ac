package sessiontest

import (
	"cmp"
	"context"
	"errors"
	"io"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

const (
	ruleDraft    = "a draft is kept with its blind copies, and the next takes its place"
	ruleConflict = "a draft that another program has is a conflict, and nothing is lost"
	ruleCutDraft = "an update of a draft that was cut leaves a draft"
)

// draftLie keeps drafts in words of its own.
type draftLie struct {
	under

	flags               session.Flags
	unseeing, destroyer bool // does not look for the old one, or removes it first
}

func (l draftLie) SaveDraft(ctx context.Context, m message.Source, opts *session.DraftOptions) (session.ID, error) {
	id, err := all(l.Incoming).Append(ctx, cmp.Or(opts.Folder, session.Drafts), m, &session.AppendOptions{Flags: l.flags})
	if err != nil {
		return id, &session.DraftError{Op: "save", Err: err}
	}
	return id, nil
}

func (l draftLie) UpdateDraft(ctx context.Context, old session.ID, m message.Source, opts *session.DraftOptions) (id session.ID, err error) {
	look := func() error {
		body, err := l.Open(ctx, old)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, body)
		return errors.Join(err, body.Close())
	}
	store := func() error {
		id, err = l.SaveDraft(ctx, m, opts)
		return err
	}
	remove := func() error {
		results, err := l.Apply(ctx, session.Change{Delete: true}, old)
		return cmp.Or(err, results[0].Err)
	}
	steps := []func() error{look, store, remove}
	if l.unseeing {
		steps = steps[1:]
	}
	if l.destroyer {
		steps = []func() error{look, remove, store}
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return id, &session.DraftError{Op: "update", Stored: id, Left: old, Err: err}
		}
	}
	return id, nil
}

// brokenDrafts are ways of keeping drafts that lose something of them.
func brokenDrafts() []brokenWay {
	keeping := func(l draftLie) func(*bed, Dial, session.Incoming) session.Incoming {
		return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
			l.under = under{in}
			return l
		}
	}
	marks := session.Flags{session.Draft, session.Seen}
	return []brokenWay{
		{name: "keeps drafts well, in words of its own", in: keeping(draftLie{flags: marks})},
		{name: "keeps drafts as if they were mail", rules: []string{ruleDraft}, in: keeping(draftLie{flags: session.Flags{session.Seen}})},
		{name: "stores a draft beside one that is gone", rules: []string{ruleConflict}, in: keeping(draftLie{flags: marks, unseeing: true})},
		{name: "removes the old draft before it has the new one", rules: []string{ruleCutDraft}, in: keeping(draftLie{flags: marks, destroyer: true})},
	}
}
