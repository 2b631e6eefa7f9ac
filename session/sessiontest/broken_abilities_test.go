package sessiontest

import (
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// The rules about further abilities that several ways of breaking them are about.
const (
	ruleBodies     = "Bodies gives each message once, with its exact bytes"
	ruleGoneBodies = "a message that is gone is an ItemError of Bodies, and the loop goes on"
	ruleInBodies   = "any call is legal inside a loop over Bodies"
	ruleBreak      = "break ends Bodies and leaks nothing"
	ruleTurns      = "a body of Bodies is over with its turn"
	ruleCutBulk    = "a body of Bodies ends in io.EOF only if it is whole"
	ruleAppended   = "an appended message has its bytes, flags, date and id"
	rulePlain      = "appending sets no flag that was not asked for"
	ruleHalf       = "a source that fails half way appends nothing"
	ruleNoAppend   = "what cannot be appended is an AppendError, and nothing is there"
	ruleCutAppend  = "an append that was cut tells the truth"
	rulePart       = "a part has the bytes that reading the whole message gives"
	ruleNoPart     = "a part that is not there is ErrNoPart"
	ruleRange      = "a range has the bytes of the message from there on"
	ruleCutPart    = "a part or a range ends in io.EOF only if it is whole"
	ruleMade       = "a folder is made under any name, and removed with its messages"
	ruleRenamed    = "a renamed folder keeps its messages, and ids of before name none"
	ruleEdits      = "folders that are there or not are told, and the inbox stays"
	ruleSubscribed = "folders are subscribed to"
	rulePurge      = `purging removes exactly what carries \Deleted, in one folder`
	ruleCount      = "a folder is counted as it is listed"
	rulePlan       = "a plan tells what the server decides and what is compared here"
	ruleFree       = "keywords hold blanks where Facts say so, and are refused elsewhere"
	ruleVersion    = "a change that depends on a version is not made after another's"
	ruleLabels     = "labels are added, listed and taken away"
	ruleLabelled   = "labels are found"
	ruleNative     = "the server's own language finds what it says"
	ruleNames      = "a message has one name of the server's wherever it goes"
)

// under makes a wrapper that has the abilities of what it wraps, but for those it
// has itself.
type under struct{ session.Incoming }

func (u under) Unwrap() session.Incoming { return u.Incoming }

// all are the abilities of the reference backend.
func all(in session.Incoming) *referenceClient {
	c, _ := in.(*referenceClient)
	return c
}

type appendLie struct {
	under

	f func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error)
}

func (l appendLie) Append(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
	return l.f(ctx, folder, m, opts)
}

type appendCall func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error)

// appendingBy makes a way in with another Append.
func appendingBy(f func(b *bed, next appendCall) appendCall) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(b *bed, _ Dial, in session.Incoming) session.Incoming {
		return appendLie{under{in}, f(b, all(in).Append)}
	}
}

type bodiesLie struct {
	under

	f func(ctx context.Context, ids []session.ID, yield func(session.Body, error) bool)
}

func (l bodiesLie) Bodies(ctx context.Context, ids ...session.ID) iter.Seq2[session.Body, error] {
	return func(yield func(session.Body, error) bool) { l.f(ctx, ids, yield) }
}

// readingBodies makes a way in with another Bodies.
func readingBodies(f func(in *referenceClient, dial Dial, ctx context.Context, ids []session.ID, yield func(session.Body, error) bool)) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(_ *bed, dial Dial, in session.Incoming) session.Incoming {
		return bodiesLie{under{in}, func(ctx context.Context, ids []session.ID, yield func(session.Body, error) bool) {
			f(all(in), dial, ctx, ids, yield)
		}}
	}
}

type partLie struct {
	under

	part func(ctx context.Context, id session.ID, number string) (*session.Part, error)
	span func(ctx context.Context, id session.ID, offset, limit int64) (io.ReadCloser, error)
}

func (l partLie) OpenPart(ctx context.Context, id session.ID, number string) (*session.Part, error) {
	if l.part == nil {
		return all(l.Incoming).OpenPart(ctx, id, number)
	}
	return l.part(ctx, id, number)
}

func (l partLie) OpenRange(ctx context.Context, id session.ID, offset, limit int64) (io.ReadCloser, error) {
	if l.span == nil {
		return all(l.Incoming).OpenRange(ctx, id, offset, limit)
	}
	return l.span(ctx, id, offset, limit)
}

type editLie struct {
	under

	edit func(c *referenceClient, ctx context.Context, q question) error
}

func (l editLie) CreateFolder(ctx context.Context, path string) error {
	return l.edit(all(l.Incoming), ctx, question{Op: "create", Path: path})
}

func (l editLie) RenameFolder(ctx context.Context, folder session.FolderRef, path string) error {
	return l.edit(all(l.Incoming), ctx, question{Op: "rename", Folder: string(folder), Path: path})
}

func (l editLie) DeleteFolder(ctx context.Context, folder session.FolderRef) error {
	return l.edit(all(l.Incoming), ctx, question{Op: "delete", Folder: string(folder)})
}

func (l editLie) Subscribe(ctx context.Context, folder session.FolderRef, on bool) error {
	return l.edit(all(l.Incoming), ctx, question{Op: "subscribe", Folder: string(folder), On: on})
}

// editing makes a way in that edits folders otherwise.
func editing(f func(c *referenceClient, ctx context.Context, q question) error) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(_ *bed, _ Dial, in session.Incoming) session.Incoming { return editLie{under{in}, f} }
}

type upkeepLie struct {
	under

	purge func(results []session.Result)
	count func(*session.Counts)
	plan  func(*session.Plan)
}

func (l upkeepLie) PurgeMarked(ctx context.Context, folder session.FolderRef) ([]session.Result, error) {
	results, err := all(l.Incoming).PurgeMarked(ctx, folder)
	if l.purge != nil {
		l.purge(results)
	}
	return results, err
}

func (l upkeepLie) Count(ctx context.Context, folder session.FolderRef) (session.Counts, error) {
	counts, err := all(l.Incoming).Count(ctx, folder)
	if l.count != nil {
		l.count(&counts)
	}
	return counts, err
}

func (l upkeepLie) Explain(ctx context.Context, q session.Query) (session.Plan, error) {
	plan, err := all(l.Incoming).Explain(ctx, q)
	if l.plan != nil {
		l.plan(&plan)
	}
	return plan, err
}

// brokenAbilities is about further abilities.
func brokenAbilities() []brokenWay {
	return slices.Concat(brokenAppends(), brokenBulk(), brokenParts(), brokenEdits(), brokenUpkeep(), brokenExtras())
}

func brokenAppends() []brokenWay {
	return []brokenWay{
		{
			name: "loses the date of what is appended", rules: []string{ruleAppended},
			in: appendingBy(func(_ *bed, next appendCall) appendCall {
				return func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
					if opts != nil {
						opts = &session.AppendOptions{Flags: opts.Flags}
					}
					return next(ctx, folder, m, opts)
				}
			}),
		},
		{
			name: "marks what is appended as seen", rules: []string{rulePlain},
			in: appendingBy(func(_ *bed, next appendCall) appendCall {
				return func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
					if opts == nil || len(opts.Flags) == 0 && opts.Received.IsZero() {
						opts = &session.AppendOptions{Flags: session.Flags{session.Seen}}
					}
					return next(ctx, folder, m, opts)
				}
			}),
		},
		{
			name: "appends what came of a source", rules: []string{ruleHalf},
			in: appendingBy(func(_ *bed, next appendCall) appendCall {
				return func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
					if raw, err := readSource(m); err != nil {
						m = message.Bytes(raw)
					}
					return next(ctx, folder, m, opts)
				}
			}),
		},
		{
			name: "appends an empty message", rules: []string{ruleHalf},
			in: appendingBy(func(_ *bed, next appendCall) appendCall {
				return func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
					if m.Size() == 0 {
						m = message.Bytes([]byte("\r\n"))
					}
					return next(ctx, folder, m, opts)
				}
			}),
		},
		{
			name: "appends to the inbox what has no folder", rules: []string{ruleNoAppend},
			in: appendingBy(func(_ *bed, next appendCall) appendCall {
				return func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
					id, err := next(ctx, folder, m, opts)
					if errors.Is(err, session.ErrNoFolder) {
						return next(ctx, session.Inbox, m, opts)
					}
					return id, err
				}
			}),
		},
		{
			name: "appends again where the answer was lost", rules: []string{ruleCutAppend, ruleCutDraft},
			in: appendingBy(func(_ *bed, next appendCall) appendCall {
				return func(ctx context.Context, folder session.FolderRef, m message.Source, opts *session.AppendOptions) (session.ID, error) {
					id, err := next(ctx, folder, m, opts)
					if errors.Is(err, errAsked) {
						return next(ctx, folder, m, opts)
					}
					return id, err
				}
			}),
		},
	}
}

// altered goes through bodies and gives others in their place.
func altered(change func(b session.Body) session.Body) func(*bed, Dial, session.Incoming) session.Incoming {
	return readingBodies(func(in *referenceClient, _ Dial, ctx context.Context, ids []session.ID, yield func(session.Body, error) bool) {
		for b, err := range in.Bodies(ctx, ids...) {
			if err == nil {
				b = change(b)
			}
			if !yield(b, err) {
				return
			}
		}
	})
}

func brokenBulk() []brokenWay {
	return []brokenWay{
		{
			name: "repairs line ends of bodies", rules: []string{ruleBodies},
			in: altered(func(b session.Body) session.Body {
				b.Reader = struct {
					io.Reader
					io.Closer
				}{&ending{ReadCloser: io.NopCloser(b.Reader)}, io.NopCloser(nil)}
				return b
			}),
		},
		{
			name: "passes over what is gone in silence", rules: []string{ruleGoneBodies},
			in: readingBodies(func(in *referenceClient, _ Dial, ctx context.Context, ids []session.ID, yield func(session.Body, error) bool) {
				for b, err := range in.Bodies(ctx, ids...) {
					if !errors.Is(err, session.ErrNoMessage) && !yield(b, err) {
						return
					}
				}
			}),
		},
		{
			name: "lets one loop over bodies in at a time", rules: []string{ruleInBodies},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				busy := false
				return bodiesLie{under{in}, func(ctx context.Context, ids []session.ID, yield func(session.Body, error) bool) {
					if busy {
						yield(session.Body{}, errors.New("busy"))
						return
					}
					busy = true
					defer func() { busy = false }()
					all(in).Bodies(ctx, ids...)(yield)
				}}
			},
		},
		{
			name: "leaks a connection where bodies are left", rules: []string{ruleBreak},
			in: readingBodies(func(in *referenceClient, dial Dial, ctx context.Context, ids []session.ID, yield func(session.Body, error) bool) {
				for b, err := range in.Bodies(ctx, ids...) {
					if !yield(b, err) {
						_, _ = dial(ctx, "tcp", "forgotten:1")
						return
					}
				}
			}),
		},
		{
			name: "has bodies end in io.EOF with their turn", rules: []string{ruleTurns},
			in: altered(func(b session.Body) session.Body {
				b.Reader = forgetful{b.Reader}
				return b
			}),
		},
		{
			name: "takes a cut body of many for a whole one", rules: []string{ruleCutBulk},
			in: altered(func(b session.Body) session.Body {
				b.Reader = hopeful{io.NopCloser(b.Reader)}
				return b
			}),
		},
	}
}

// forgetful takes what was closed for what is over.
type forgetful struct{ io.Reader }

func (f forgetful) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, session.ErrClosed) {
		err = io.EOF
	}
	return n, err
}

func brokenParts() []brokenWay {
	parts := func(f func(c *referenceClient) partLie) func(*bed, Dial, session.Incoming) session.Incoming {
		return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
			l := f(all(in))
			l.under = under{in}
			return l
		}
	}
	return []brokenWay{
		{
			name: "gives another part", rules: []string{rulePart, "the structure tells the parts, which can be opened"},
			in: parts(func(c *referenceClient) partLie {
				return partLie{part: func(ctx context.Context, id session.ID, number string) (*session.Part, error) {
					if number == "1.2" {
						number = "1.1"
					}
					return c.OpenPart(ctx, id, number)
				}}
			}),
		},
		{
			name: "gives the first part in the place of none", rules: []string{ruleNoPart},
			in: parts(func(c *referenceClient) partLie {
				return partLie{part: func(ctx context.Context, id session.ID, number string) (*session.Part, error) {
					p, err := c.OpenPart(ctx, id, number)
					if errors.Is(err, session.ErrNoPart) {
						return c.OpenPart(ctx, id, "3")
					}
					return p, err
				}}
			}),
		},
		{
			name: "counts bytes from one", rules: []string{ruleRange},
			in: parts(func(c *referenceClient) partLie {
				return partLie{span: func(ctx context.Context, id session.ID, offset, limit int64) (io.ReadCloser, error) {
					if offset == 1 {
						offset--
					}
					return c.OpenRange(ctx, id, offset, limit)
				}}
			}),
		},
		{
			name: "takes a cut range for a whole one", rules: []string{ruleCutPart},
			in: parts(func(c *referenceClient) partLie {
				return partLie{span: func(ctx context.Context, id session.ID, offset, limit int64) (io.ReadCloser, error) {
					body, err := c.OpenRange(ctx, id, offset, limit)
					if err != nil {
						return nil, err
					}
					return hopeful{body}, nil
				}}
			}),
		},
	}
}

func brokenEdits() []brokenWay {
	return []brokenWay{
		{
			name: "makes folders of ASCII alone", rules: []string{ruleMade},
			in: editing(func(c *referenceClient, ctx context.Context, q question) error {
				if q.Op == "create" {
					q.Path = strings.ReplaceAll(q.Path, "注意", "??")
				}
				return c.edit(ctx, q)
			}),
		},
		{
			name: "copies a folder that is to be renamed", rules: []string{ruleRenamed},
			in: editing(func(c *referenceClient, ctx context.Context, q question) error {
				err := c.edit(ctx, q)
				if q.Op == "rename" && err == nil {
					path, _ := session.FolderRef(q.Folder).Path()
					err = c.CreateFolder(ctx, path)
				}
				return err
			}),
		},
		{
			name: "takes a folder that is not there for one that is removed", rules: []string{ruleEdits},
			in: editing(func(c *referenceClient, ctx context.Context, q question) error {
				err := c.edit(ctx, q)
				if q.Op == "delete" && errors.Is(err, session.ErrNoFolder) {
					return nil
				}
				return err
			}),
		},
		{
			name: "subscribes for good", rules: []string{ruleSubscribed},
			in: editing(func(c *referenceClient, ctx context.Context, q question) error {
				q.On = true
				return c.edit(ctx, q)
			}),
		},
	}
}

func brokenUpkeep() []brokenWay {
	upkeep := func(l upkeepLie) func(*bed, Dial, session.Incoming) session.Incoming {
		return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
			l.under = under{in}
			return l
		}
	}
	return []brokenWay{
		{
			name: "does not know what it purged", rules: []string{rulePurge},
			in: upkeep(upkeepLie{purge: func(results []session.Result) {
				for i := range results {
					results[i].Outcome = session.DoneUnknown
				}
			}}),
		},
		{
			name: "counts what is flagged as read", rules: []string{ruleCount},
			in: upkeep(upkeepLie{count: func(c *session.Counts) { c.Unread = c.Messages }}),
		},
		{
			name: "compares here for no reason", rules: []string{rulePlan, ruleEqual},
			in: upkeep(upkeepLie{plan: func(p *session.Plan) { p.Local = p.Server }}),
		},
	}
}

func brokenExtras() []brokenWay {
	return []brokenWay{
		{
			name: "changes whatever the version", rules: []string{ruleVersion},
			in: applying(func(_ *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
				c.IfUnchanged = nil
				return in.Apply(ctx, c, ids...)
			}),
		},
		{
			name: "sets labels in the place of others", rules: []string{ruleLabels, ruleLabelled},
			in: applying(func(b *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
				if len(c.AddLabels) > 0 && c.Check() == nil {
					kept, _ := b.account.Messages(inbox)
					for _, m := range kept {
						_ = b.account.ChangeLabels(inbox, []mailtest.UID{m.UID}, func([]string) []string { return nil })
					}
				}
				return in.Apply(ctx, c, ids...)
			}),
		},
		{
			name: "takes a label for a word", rules: []string{ruleLabelled},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				q.Where.Subject, q.Where.Label = q.Where.Subject+q.Where.Label, ""
				in.Messages(ctx, q)(yield)
			}),
		},
		{
			name: "passes over the server's own language", rules: []string{ruleNative},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				q.Where.Native = ""
				in.Messages(ctx, q)(yield)
			}),
		},
		{
			name: "names a message by its place", rules: []string{ruleNames},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				in.Messages(ctx, q)(func(m *session.Message, err error) bool {
					if m != nil && m.EmailID != "" {
						m.EmailID = m.ID.String()
					}
					return yield(m, err)
				})
			}),
		},
	}
}
