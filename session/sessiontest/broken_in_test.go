package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"slices"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// lie is a way in with some of its methods replaced.
type lie struct {
	session.Incoming

	messages func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error]
	open     func(ctx context.Context, id session.ID) (io.ReadCloser, error)
	apply    func(ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error)
	facts    func(*session.Facts)
	close    func() error
}

// Unwrap has the further abilities found that are not lied about.
func (l lie) Unwrap() session.Incoming { return l.Incoming }

func (l lie) Messages(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	if l.messages == nil {
		return l.Incoming.Messages(ctx, q)
	}
	return l.messages(ctx, q)
}

func (l lie) Open(ctx context.Context, id session.ID) (io.ReadCloser, error) {
	if l.open == nil {
		return l.Incoming.Open(ctx, id)
	}
	return l.open(ctx, id)
}

func (l lie) Apply(ctx context.Context, c session.Change, ids ...session.ID) ([]session.Result, error) {
	if l.apply == nil {
		return l.Incoming.Apply(ctx, c, ids...)
	}
	return l.apply(ctx, c, ids)
}

func (l lie) Facts(ctx context.Context) (session.Facts, error) {
	facts, err := l.Incoming.Facts(ctx)
	if l.facts != nil {
		l.facts(&facts)
	}
	return facts, err
}

func (l lie) Close() error {
	if l.close == nil {
		return l.Incoming.Close()
	}
	return l.close()
}

// The rules that several ways of breaking a backend are about.
const (
	ruleCutListing = "a line cut anywhere loses and doubles no message"
	ruleResumed    = "a listing goes on after a lost line"
	ruleGone       = "a message that is gone is ErrNoMessage and NotDone"
	ruleResults    = "there is one Result an id, in the order of the ids"
	ruleCutBody    = "a body ends in io.EOF only if it is whole"
	ruleCutChange  = "a change that was cut tells the truth"
	ruleEachPart   = "each part of a filter finds what it says"
	ruleCombined   = "parts of a filter hold together, in all, any and not"
	ruleEqual      = "what is compared here is what the server finds"
	ruleContext    = "a call ends with its context, at the same instant"
	ruleClose      = "Close ends calls that are under way with ErrClosed"
)

// again lists from an offset after an error, with the messages before it
// yielded already.
func again(in session.Incoming, step int) func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
	return func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
		return func(yield func(*session.Message, error) bool) {
			given, lost := 0, false
			for m, err := range in.Messages(ctx, q) {
				if lost = errors.Is(err, io.ErrUnexpectedEOF); lost {
					break
				}
				if !yield(m, err) {
					return
				}
				given++
			}
			if !lost {
				return
			}
			n := 0
			for m, err := range in.Messages(ctx, q) {
				if n++; n > given+step && !yield(m, err) {
					return
				}
			}
		}
	}
}

func noResume(b *bed) { b.server.noResume = true }

// brokenWaysIn returns what can be wrong with a way in.
func brokenWaysIn() []brokenWay {
	return slices.Concat(
		brokenListings(), brokenSearches(), brokenBodies(), brokenChanges(), brokenEndings(), brokenDetails(), brokenRoom(),
		brokenSignIns(), brokenChecks(), brokenAbilities(), brokenDrafts(), brokenSyncs(), brokenNotices(),
	)
}

func brokenListings() []brokenWay {
	return []brokenWay{
		{name: "nothing is broken"},
		{
			name: "gives up where the line is lost", alter: noResume, rules: []string{ruleResumed},
		},
		{
			name: "doubles a message after a lost line", alter: noResume, rules: []string{ruleCutListing, ruleResumed},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: again(in, -1)}
			},
		},
		{
			name: "loses a message after a lost line", alter: noResume, rules: []string{ruleCutListing, ruleResumed, ruleWaitCut},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: again(in, 1)}
			},
		},
		{
			name: "ends a search at what cannot be read", rules: []string{ruleBadCompared},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					return func(yield func(*session.Message, error) bool) {
						for m, err := range in.Messages(ctx, q) {
							item, bad := errors.AsType[*session.ItemError](err)
							if bad && !q.Where.IsZero() {
								yield(nil, item.Err)
								return
							}
							if !yield(m, err) {
								return
							}
						}
					}
				}}
			},
		},
		{
			name: "swallows an ItemError", rules: []string{ruleBadMessage, ruleBadCompared},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					return func(yield func(*session.Message, error) bool) {
						for m, err := range in.Messages(ctx, q) {
							if _, bad := errors.AsType[*session.ItemError](err); !bad && !yield(m, err) {
								return
							}
						}
					}
				}}
			},
		},
		{
			name: "holds a connection in the loop", rules: []string{"loops within loops hold no connections"},
			in: func(_ *bed, dial Dial, in session.Incoming) session.Incoming { return holding(in, dial, true) },
		},
		{
			name: "leaks a connection at break", rules: []string{"break leaks nothing"},
			in: func(_ *bed, dial Dial, in session.Incoming) session.Incoming { return holding(in, dial, false) },
		},
		{
			name: "dials when it is made", rules: []string{"nothing is dialled before the first use"},
			in: func(_ *bed, dial Dial, in session.Incoming) session.Incoming {
				if conn, err := dial(context.Background(), "tcp", "eager:1"); err == nil {
					_ = conn.Close()
				}
				return in
			},
		},
		{
			name: "takes a limit for one more", rules: []string{
				"a limit ends the iteration", "conditions hold one by one and together", "any call is legal inside the loop", ruleCombined, rulePlain,
			},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					if q.Limit > 0 {
						q.Limit++
					}
					return in.Messages(ctx, q)
				}}
			},
		},
	}
}

// holding keeps a connection while a loop runs, and where it is careful lets
// go of it at the end; else it forgets it at break.
func holding(in session.Incoming, dial Dial, careful bool) session.Incoming {
	return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
		return func(yield func(*session.Message, error) bool) {
			var held net.Conn
			for m, err := range in.Messages(ctx, q) {
				if held == nil && m != nil && careful {
					if held, err = dial(ctx, "tcp", "held:1"); err == nil {
						defer held.Close()
					}
				}
				if !yield(m, err) {
					if !careful && err == nil {
						_, _ = dial(ctx, "tcp", "forgotten:1")
					}
					return
				}
			}
		}
	}}
}

func brokenBodies() []brokenWay {
	return []brokenWay{
		{
			name: `sets \Seen`, rules: []string{"reading sets no flag", "a read-only session reads and changes nothing"},
			in: func(b *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
					body, err := in.Open(ctx, id)
					if err == nil {
						kept, _ := b.account.Messages(inbox)
						for _, m := range kept {
							_ = b.account.AddFlags(inbox, []string{mailtest.Seen}, m.UID)
						}
					}
					return body, err
				}}
			},
		},
		{
			name: "takes a cut body for a whole one", rules: []string{ruleCutBody},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
					body, err := in.Open(ctx, id)
					if err != nil {
						return nil, err
					}
					return hopeful{body}, nil
				}}
			},
		},
		{
			name: "holds whole messages in memory", rules: []string{"a large message is streamed"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
					raw, err := read(ctx, in, id)
					if err != nil {
						return nil, err
					}
					return &slurped{raw: bytes.NewReader(raw)}, nil
				}}
			},
		},
		{
			name: "repairs line ends", rules: []string{"the bytes of a message are exact"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
					body, err := in.Open(ctx, id)
					if err != nil {
						return nil, err
					}
					return &ending{ReadCloser: body}, nil
				}}
			},
		},
	}
}

// hopeful takes a cut for the end.
type hopeful struct{ io.ReadCloser }

func (h hopeful) Read(p []byte) (int, error) {
	n, err := h.ReadCloser.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = io.EOF
	}
	return n, err
}

// slurped is a message in memory.
type slurped struct {
	raw    io.Reader
	closed bool
}

func (s *slurped) Read(p []byte) (int, error) {
	if s.closed {
		return 0, session.ErrClosed
	}
	return s.raw.Read(p)
}

func (s *slurped) Close() error {
	s.closed = true
	return nil
}

// ending adds the line break that the last line lacks.
type ending struct {
	io.ReadCloser

	last byte
	over bool
}

func (e *ending) Read(p []byte) (int, error) {
	if e.over {
		return 0, io.EOF
	}
	n, err := e.ReadCloser.Read(p[:len(p)/2+1])
	if n > 0 {
		e.last = p[n-1]
	}
	if errors.Is(err, io.EOF) && e.last != '\n' && n+2 <= len(p) {
		n += copy(p[n:], "\r\n")
		e.over = true
	}
	return n, err
}

// brokenChanges is about Apply.
func brokenChanges() []brokenWay {
	return slices.Concat(brokenResults(), brokenDuplicates(), brokenFlags())
}

// applying makes a way in with another Apply.
func applying(f func(b *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error)) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(b *bed, _ Dial, in session.Incoming) session.Incoming {
		return lie{Incoming: in, apply: func(ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
			return f(b, in, ctx, c, ids)
		}}
	}
}

// telling makes a way in that changes the results of Apply.
func telling(f func(r *session.Result)) func(*bed, Dial, session.Incoming) session.Incoming {
	return applying(func(_ *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
		all, err := in.Apply(ctx, c, ids...)
		for i := range all {
			f(&all[i])
		}
		return all, err
	})
}

func brokenResults() []brokenWay {
	return []brokenWay{
		{
			name: "says that what is gone was changed", rules: []string{ruleGone, ruleResults},
			in: telling(func(r *session.Result) {
				if errors.Is(r.Err, session.ErrNoMessage) {
					r.Outcome, r.Err = session.Done, nil
				}
			}),
		},
		{
			name: "says done where the answer was lost", rules: []string{ruleCutChange, ruleCutDraft},
			in: telling(func(r *session.Result) {
				if r.Outcome == session.DoneUnknown {
					r.Outcome, r.Err = session.Done, nil
				}
			}),
		},
		{
			name: "says not done where the answer was lost", rules: []string{ruleCutChange},
			in: telling(func(r *session.Result) {
				if r.Outcome == session.DoneUnknown {
					r.Outcome = session.NotDone
				}
			}),
		},
		{
			name: "tells no new ids and says that it does", rules: []string{
				"a moved message is in one place, and its new id works", "a copied message is in two places",
			},
			in: telling(func(r *session.Result) { r.NewID = session.ID{} }),
		},
	}
}

func brokenDuplicates() []brokenWay {
	return []brokenWay{
		{
			name: "takes ids of other mailboxes for its own", rules: []string{"an id of another mailbox or protocol is ErrOtherMailbox", ruleResults},
			in: applying(func(_ *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
				own := slices.Clone(ids)
				for i, id := range ids {
					if p, err := id.Parts(); err == nil {
						p.Backend, p.Mailbox = referenceName, session.Fingerprint(referenceName, ann)
						own[i] = session.NewID(p)
					}
				}
				all, err := in.Apply(ctx, c, own...)
				for i := range all {
					all[i].ID = ids[i]
				}
				return all, err
			}),
		},
		{
			name: "names each message once", rules: []string{"an id that is given twice has two Results"},
			in: applying(func(_ *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
				var once []session.ID
				for _, id := range ids {
					if !slices.Contains(once, id) {
						once = append(once, id)
					}
				}
				if len(ids) > many { // with ids of others among them, which another rule is about
					once = ids
				}
				return in.Apply(ctx, c, once...)
			}),
		},
	}
}

func brokenFlags() []brokenWay {
	return []brokenWay{
		{
			name: "removes what others marked", rules: []string{"deleting removes only what was named"},
			in: applying(func(b *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
				all, err := in.Apply(ctx, c, ids...)
				if c.Delete {
					kept, _ := b.account.Messages(inbox)
					for _, m := range kept {
						if m.Has(mailtest.Deleted) {
							_, _ = b.account.Expunge(inbox, m.UID)
						}
					}
				}
				return all, err
			}),
		},
		{
			name: "clears the flags that are not set", rules: []string{"flags are set and cleared, and others stay"},
			in: applying(func(_ *bed, in session.Incoming, ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
				if len(c.Set) > 0 && len(c.Clear) == 0 && !c.Set.Has("$Work") && c.Check() == nil {
					for _, f := range []session.Flag{session.Seen, session.Answered, session.Deleted, session.Draft} {
						if !c.Set.Has(f) {
							c.Clear = append(c.Clear, f)
						}
					}
				}
				return in.Apply(ctx, c, ids...)
			}),
		},
		{
			name: "has no keywords and says that it does", rules: []string{"keywords are kept where Facts say so", ruleAppended},
			alter: func(b *bed) { b.server.Facts.Keywords = false },
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, facts: func(f *session.Facts) { f.Keywords = true }}
			},
		},
		{
			name: "has no free keywords and says that it does", rules: []string{ruleFree},
			alter: func(b *bed) { b.server.Facts.FreeKeywords = false },
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, facts: func(f *session.Facts) { f.FreeKeywords = true }}
			},
		},
		{
			name: "has free keywords and says that it does not", rules: []string{ruleFree, ruleNoAppend},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, facts: func(f *session.Facts) { f.FreeKeywords = false }}
			},
		},
		{
			name: "keeps flags and says that it does not", rules: []string{
				"conditions hold one by one and together", "flags are set and cleared, and others stay",
				"flags are changed before a message moves", ruleEachPart, ruleNoAppend, rulePurge, ruleVersion,
			},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, facts: func(f *session.Facts) { f.NoFlags = true }}
			},
		},
	}
}

func brokenEndings() []brokenWay {
	return []brokenWay{
		{
			name: "does not listen to the context", rules: []string{ruleContext, "a call whose context has ended does nothing"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{
					Incoming: in,
					messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
						return in.Messages(context.WithoutCancel(ctx), q)
					},
				}
			},
		},
		{
			name: "does not listen to Close", rules: []string{ruleClose, "a closed backend is ErrClosed", ruleNoticeEnds},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, close: func() error { return nil }}
			},
		},
		{
			name: "shows the password", rules: []string{ruleCutListing, ruleResumed}, alter: noResume,
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					return func(yield func(*session.Message, error) bool) {
						for m, err := range in.Messages(ctx, q) {
							if errors.Is(err, io.ErrUnexpectedEOF) {
								err = errors.Join(err, errors.New("signed in with "+correct))
							}
							if !yield(m, err) {
								return
							}
						}
					}
				}}
			},
		},
	}
}

// brokenSearches is about filters.
func brokenSearches() []brokenWay {
	asking := func(change func(q *session.Query)) func(*bed, Dial, session.Incoming) session.Incoming {
		return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
			return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
				change(&q)
				return in.Messages(ctx, q)
			}}
		}
	}
	return []brokenWay{
		{
			name: "takes since for a day", rules: []string{"since and before are exact instants"},
			in: asking(func(q *session.Query) {
				if !q.Where.Since.IsZero() && q.Where.Before.IsZero() && q.Where.Since.Minute() == 0 && q.Where.Since.Second() == 1 {
					q.Where.Since = q.Where.Since.Truncate(24 * time.Hour)
				}
			}),
		},
		{
			name: "passes over not", rules: []string{ruleCombined, ruleEqual, "since and before are exact instants", ruleEachPart, ruleLabelled, ruleNative},
			in: asking(func(q *session.Query) { q.Where.Not = nil }),
		},
		{
			name: "passes over the body", rules: []string{ruleEachPart, ruleEqual},
			in: asking(func(q *session.Query) {
				if q.Where.From == "" {
					q.Where.Body = ""
				}
			}),
		},
		{
			name: "lets the server find other words", rules: []string{ruleEqual},
			in: asking(func(q *session.Query) {
				if q.ServerOnly && q.Where.Subject != "" {
					q.Where.Subject += " "
				}
			}),
		},
		{
			name: "passes over labels", rules: []string{"what only another server knows is refused", ruleLabelled, rulePlan},
			alter: func(b *bed) { b.server.Facts.Labels, b.server.Facts.Native = false, "" },
			in:    asking(func(q *session.Query) { q.Where.Label = "" }),
		},
		{
			name: "stops looking in silence", rules: []string{"a scan limit ends in a ScanLimitError, never in silence"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					if q.ScanLimit > 0 && q.ScanLimit < 4 {
						return func(func(*session.Message, error) bool) {}
					}
					return in.Messages(ctx, q)
				}}
			},
		},
	}
}
