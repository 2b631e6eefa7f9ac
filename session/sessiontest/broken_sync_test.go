package sessiontest

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"

	"github.com/mailsession/mailsession/session"
)

// The rules about changes that several ways of breaking them are about.
const (
	ruleFromZero  = "changes from the zero cursor are all messages, oldest first, once"
	ruleSyncField = "changes of an added message have the fields that were asked for"
	ruleNow       = "a present cursor tells only what happens from then on"
	ruleNet       = "changes are what it comes to: added, changed and removed"
	ruleByPage    = "changes go on behind the cursor of any page, from another process"
	ruleElsewhere = "a cursor of elsewhere is refused"
	ruleExpired   = "an expired cursor is ErrCursorExpired, and then everything once"
	ruleUnread    = "a message that cannot be summarized is told as failed, once"
	ruleCutSync   = "a line cut anywhere loses and doubles no change"
)

type changesCall func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error]

type syncLie struct {
	under

	changes changesCall
	cursor  func(ctx context.Context, folder session.FolderRef) (session.Cursor, error)
}

func (l syncLie) Changes(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
	if l.changes == nil {
		return all(l.Incoming).Changes(ctx, folder, since, opts)
	}
	return l.changes(ctx, folder, since, opts)
}

func (l syncLie) Cursor(ctx context.Context, folder session.FolderRef) (session.Cursor, error) {
	if l.cursor == nil {
		return all(l.Incoming).Cursor(ctx, folder)
	}
	return l.cursor(ctx, folder)
}

// syncing makes a way in with another Changes.
func syncing(f func(next changesCall) changesCall) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
		return syncLie{under: under{in}, changes: f(all(in).Changes)}
	}
}

// alteredPage makes a way in that tells other pages.
func alteredPage(f func(*session.Changes)) func(*bed, Dial, session.Incoming) session.Incoming {
	return syncing(func(next changesCall) changesCall {
		return func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
			return func(yield func(session.Changes, error) bool) {
				next(ctx, folder, since, opts)(func(page session.Changes, err error) bool {
					if err == nil {
						f(&page)
					}
					return yield(page, err)
				})
			}
		}
	})
}

// askedAlteredly makes a way in that asks for other changes than it is asked for.
func askedAlteredly(f func(since *session.Cursor, opts *session.SyncOptions)) func(*bed, Dial, session.Incoming) session.Incoming {
	return syncing(func(next changesCall) changesCall {
		return func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
			f(&since, &opts)
			return next(ctx, folder, since, opts)
		}
	})
}

func brokenSyncs() []brokenWay {
	return []brokenWay{
		{
			name: "tells the newest first", rules: []string{ruleFromZero, ruleUnread, ruleProcess},
			in: alteredPage(func(page *session.Changes) { slices.Reverse(page.Added) }),
		},
		{
			name: "voids what was known for no reason", rules: []string{
				ruleFromZero, ruleNet, ruleByPage, ruleCutSync, ruleExpired, ruleWatch, ruleWatchOn, ruleWatchMany, ruleWatchCut, ruleDay,
			},
			in: alteredPage(func(page *session.Changes) { page.Reset = true }),
		},
		{
			name: "gives every field of an added message", rules: []string{ruleSyncField},
			in: askedAlteredly(func(_ *session.Cursor, opts *session.SyncOptions) { opts.Fields = 0 }),
		},
		{
			name: "takes now for the beginning", rules: []string{ruleNow, ruleWatch},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return syncLie{under: under{in}, cursor: func(ctx context.Context, folder session.FolderRef) (session.Cursor, error) {
					_, err := all(in).Cursor(ctx, folder)
					return session.Cursor{}, err
				}}
			},
		},
		{
			name: "does not tell what is removed", rules: []string{ruleNet, ruleByPage, ruleUnread, ruleWatch, ruleWatchOn, ruleWatchCut, ruleDay},
			in: alteredPage(func(page *session.Changes) { page.Removed = nil }),
		},
		{
			name: "does not tell what is changed", rules: []string{ruleNet, ruleByPage, ruleWatch, ruleDay, ruleWait},
			in: alteredPage(func(page *session.Changes) { page.Changed = nil }),
		},
		{
			name: "has the cursor of a page skip a message", rules: []string{ruleByPage, ruleProcess},
			in: syncing(func(next changesCall) changesCall {
				return func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
					return func(yield func(session.Changes, error) bool) {
						if opts.PageSize == 0 {
							next(ctx, folder, since, opts)(yield)
							return
						}
						opts.PageSize++
						next(ctx, folder, since, opts)(func(page session.Changes, err error) bool {
							page.Added = page.Added[:min(len(page.Added), opts.PageSize-1)]
							return yield(page, err)
						})
					}
				}
			}),
		},
		{
			name: "takes every cursor for its own", rules: []string{ruleElsewhere},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return syncLie{under: under{in}, changes: func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
					if p, err := since.Parts(); err == nil {
						p.Backend, p.Mailbox = referenceName, all(in).mailbox
						since = session.NewCursor(p)
					}
					return all(in).Changes(ctx, folder, since, opts)
				}}
			},
		},
		{
			name: "begins anew without a word", rules: []string{ruleExpired},
			in: syncing(func(next changesCall) changesCall {
				return func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
					return func(yield func(session.Changes, error) bool) {
						next(ctx, folder, since, opts)(func(page session.Changes, err error) bool {
							return errors.Is(err, session.ErrCursorExpired) || yield(page, err)
						})
					}
				}
			}),
		},
		{
			name: "is silent about what cannot be read", rules: []string{ruleUnread},
			in: alteredPage(func(page *session.Changes) { page.Failed = nil }),
		},
		{
			name: "takes a lost line for the end of the changes", alter: noResume, rules: []string{ruleResumed, ruleCutSync, ruleWatchCut, ruleDay, ruleWaitCut, ruleProcess},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return syncLie{under: under{in}, changes: func(ctx context.Context, folder session.FolderRef, since session.Cursor, opts session.SyncOptions) iter.Seq2[session.Changes, error] {
					return func(yield func(session.Changes, error) bool) {
						all(in).Changes(ctx, folder, since, opts)(func(page session.Changes, err error) bool {
							if errors.Is(err, io.ErrUnexpectedEOF) {
								page.Cursor, err = all(in).Cursor(ctx, folder)
							}
							return yield(page, err)
						})
					}
				}}
			},
		},
	}
}
