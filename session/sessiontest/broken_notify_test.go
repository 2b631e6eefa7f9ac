package sessiontest

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/mailsession/mailsession/session"
)

// The rules about notices and watching that several ways of breaking them are
// about.
const (
	ruleNotices    = "a notice comes first for each folder, and when something happens"
	ruleNoticeLost = "notices go on after a lost line, and begin anew"
	ruleSilent     = "a line that falls silent is replaced"
	ruleNoticeEnds = "notices end with their context, at the same instant"
	ruleNoticeLeft = "a loop over notices that is left leaks nothing"
	ruleWatch      = "a watch tells what comes, changes and goes"
	ruleWatchOn    = "a watch goes on from a cursor, and tells what happened meanwhile"
	ruleWatchMany  = "a watch hears of several folders"
	ruleWatchReset = "a watch tells that a folder was renumbered, and what is in it"
	ruleWatchGone  = "a folder that is gone ends a watch of its own alone"
	ruleWatchCut   = "a line cut anywhere in a watch loses and doubles nothing"
	ruleDay        = "a day of watching over lost lines tells what the mailbox holds"
	ruleWatchEnds  = "a watch ends with its context, at the same instant"
	ruleWatchLeft  = "a watch that is left leaks nothing"
	ruleWait       = "a wait finds what is there already, and what comes"
	ruleWaitCut    = "a wait misses no message that comes while the line is cut"
	ruleProcess    = "a processor hands out each message once, over lost lines, oldest first"
	ruleWaitEnds   = "a wait ends with its context, at the same instant"
)

type notifyLie struct {
	under

	f func(ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool)
}

func (l notifyLie) Notify(ctx context.Context, folders []session.FolderRef, _ session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) { l.f(ctx, folders, yield) }
}

// notifying makes a way in with another Notify.
func notifying(f func(c *referenceClient, dial Dial, ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool)) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(_ *bed, dial Dial, in session.Incoming) session.Incoming {
		return notifyLie{under{in}, func(ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool) {
			f(all(in), dial, ctx, folders, yield)
		}}
	}
}

// vague is a way in that does not say which error it is about when a folder is
// not there.
type vague struct{ under }

func unnamed(err error) error {
	if errors.Is(err, session.ErrNoFolder) {
		return errors.New("something is not there")
	}
	return err
}

func (v vague) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	return func(yield func(session.Changes, error) bool) {
		all(v.Incoming).Changes(ctx, folder, since, opts)(func(page session.Changes, err error) bool { return yield(page, unnamed(err)) })
	}
}

func (v vague) Cursor(ctx context.Context, folder session.FolderRef) (session.Cursor, error) {
	c, err := all(v.Incoming).Cursor(ctx, folder)
	return c, unnamed(err)
}

func (v vague) Notify(ctx context.Context, folders []session.FolderRef, opts session.NotifyOptions) iter.Seq2[session.Notice, error] {
	return func(yield func(session.Notice, error) bool) {
		all(v.Incoming).Notify(ctx, folders, opts)(func(n session.Notice, err error) bool { return yield(n, unnamed(err)) })
	}
}

func brokenNotices() []brokenWay {
	return []brokenWay{
		{
			name: "does not say that a folder is gone", rules: []string{ruleWatchGone, ruleElsewhere},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming { return vague{under{in}} },
		},
		{
			name: "listens and tells of nothing", rules: []string{ruleNotices, ruleNoticeLost, ruleSilent, ruleWatch, ruleWatchMany, ruleWatchCut, ruleDay, ruleWait, ruleWaitCut},
			in: notifying(func(c *referenceClient, _ Dial, ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool) {
				c.Notify(ctx, folders, session.NotifyOptions{})(func(n session.Notice, err error) bool {
					return err == nil && n.Kind == session.Activity || yield(n, err)
				})
			}),
		},
		{
			name: "keeps to itself that the line was lost", rules: []string{ruleNoticeLost, ruleSilent, ruleWatchReset, ruleDay},
			sometimes: []string{ruleWatchCut}, // what happens may go by the line that tells or by the one that looks
			in: notifying(func(c *referenceClient, _ Dial, ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool) {
				heard := map[session.FolderRef]bool{}
				c.Notify(ctx, folders, session.NotifyOptions{})(func(n session.Notice, err error) bool {
					again := err == nil && n.Kind == session.Listening && heard[n.Folder]
					heard[n.Folder] = true
					return again || yield(n, err)
				})
			}),
		},
		{
			name: "waits for ever on a silent line", rules: []string{ruleSilent},
			alter: func(b *bed) { b.server.noAlarm = true },
		},
		{
			name: "ends its notices a second late", rules: []string{ruleNoticeEnds, ruleWatchEnds, ruleWaitEnds},
			in: notifying(func(c *referenceClient, _ Dial, ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool) {
				c.Notify(ctx, folders, session.NotifyOptions{})(func(n session.Notice, err error) bool {
					if err != nil {
						<-time.After(time.Second)
					}
					return yield(n, err)
				})
			}),
		},
		{
			name: "leaks a connection where notices are left", rules: []string{ruleNoticeLeft, ruleWatchLeft, ruleNoticeEnds, ruleWatchEnds, ruleWaitEnds},
			in: notifying(func(c *referenceClient, dial Dial, ctx context.Context, folders []session.FolderRef, yield func(session.Notice, error) bool) {
				defer func() { _, _ = dial(context.WithoutCancel(ctx), "tcp", "forgotten:1") }()
				c.Notify(ctx, folders, session.NotifyOptions{})(yield)
			}),
		},
	}
}
