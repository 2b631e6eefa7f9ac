package sessiontest

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// listFolders is a way in with other folders.
type listFolders struct {
	session.Incoming

	change func(f session.Folder) (session.Folder, bool)
}

func (l listFolders) Unwrap() session.Incoming { return l.Incoming }

func (l listFolders) Folders(ctx context.Context) iter.Seq2[session.Folder, error] {
	return func(yield func(session.Folder, error) bool) {
		for f, err := range l.Incoming.Folders(ctx) {
			f, keep := l.change(f)
			if (keep || err != nil) && !yield(f, err) {
				return
			}
		}
	}
}

// listing makes a way in that changes what Messages gives.
func listing(change func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool)) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
		return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
			return func(yield func(*session.Message, error) bool) { change(in, ctx, q, yield) }
		}}
	}
}

// opening makes a way in that changes what Open gives.
func opening(change func(body io.ReadCloser, err error) (io.ReadCloser, error)) func(*bed, Dial, session.Incoming) session.Incoming {
	return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
		return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
			return change(in.Open(ctx, id))
		}}
	}
}

// brokenDetails are about rules that nothing else breaks.
func brokenDetails() []brokenWay {
	return slices.Concat(brokenOrders(), brokenFolders(), brokenIDs(), brokenLines())
}

func brokenOrders() []brokenWay {
	return []brokenWay{
		{
			name: "sorts a folder that is named the other way", rules: []string{"messages come newest first, or oldest first where asked", ruleWait},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				if q.Folder == session.Inbox {
					q.OldestFirst = !q.OldestFirst
				}
				in.Messages(ctx, q)(yield)
			}),
		},
		{
			name: "tells what was not asked for", rules: []string{"a summary has the fields that were asked for"},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				q.Fields |= session.FieldsAll
				in.Messages(ctx, q)(yield)
			}),
		},
		{
			name: "forgets where a page begins", rules: []string{
				"pages follow each other, whatever comes and goes between them",
				"a page goes on behind a message that is gone, or says that it cannot",
				"a page does not go on behind a message of elsewhere",
			},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				q.After = session.ID{}
				in.Messages(ctx, q)(yield)
			}),
		},
		{
			name: "has one part of each message alone", rules: []string{"the structure tells the parts, which can be opened"},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				in.Messages(ctx, q)(func(m *session.Message, err error) bool {
					if m != nil && len(m.Structure) > 1 {
						m.Structure = m.Structure[:1]
					}
					return yield(m, err)
				})
			}),
		},
		{
			name: "takes HTML as it stands for a preview", rules: []string{"a preview is the beginning of the text"},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				in.Messages(ctx, q)(func(m *session.Message, err error) bool {
					if m != nil && m.Preview != "" {
						m.Preview = "<p>" + m.Preview
					}
					return yield(m, err)
				})
			}),
		},
		{
			name: "takes an empty folder for an error", rules: []string{"an empty folder has no messages", ruleCutAppend},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				n := 0
				in.Messages(ctx, q)(func(m *session.Message, err error) bool {
					n++
					return yield(m, err)
				})
				if n == 0 && q.Folder == "" && q.Where.IsZero() && q.After.IsZero() {
					yield(nil, session.ErrNoMessage)
				}
			}),
		},
		{
			name: "does not look again", rules: []string{"a message that came after the last listing is in the next"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				var known atomic.Int64
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					return func(yield func(*session.Message, error) bool) {
						n := int64(0)
						in.Messages(ctx, q)(func(m *session.Message, err error) bool {
							n++
							if known.Load() == 2 && n == 1 && q.Where.IsZero() && m != nil && number(m) == "3" {
								return true
							}
							return yield(m, err)
						})
						known.Store(n)
					}
				}}
			},
		},
	}
}

func brokenFolders() []brokenWay {
	return []brokenWay{
		{
			name: "knows no junk", rules: []string{"facts are true of folders, and folders have their roles"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return listFolders{in, func(f session.Folder) (session.Folder, bool) { return f, f.Role != session.RoleJunk }}
			},
		},
		{
			name: "knows ASCII alone", rules: []string{"a folder's name may have letters of any script", ruleMade, ruleRenamed, ruleSubscribed},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return listFolders{in, func(f session.Folder) (session.Folder, bool) {
					return f, !slices.ContainsFunc([]byte(f.Path), func(b byte) bool { return b > '~' })
				}}
			},
		},
		{
			name: "takes no folder for an empty one", rules: []string{"a folder that is not there is ErrNoFolder"},
			in: listing(func(in session.Incoming, ctx context.Context, q session.Query, yield func(*session.Message, error) bool) {
				in.Messages(ctx, q)(func(m *session.Message, err error) bool {
					return !errors.Is(err, session.ErrNoFolder) && yield(m, err)
				})
			}),
		},
	}
}

func brokenIDs() []brokenWay {
	return []brokenWay{
		{
			name: "takes a renumbered message for one that is gone", rules: []string{"an id from before the server renumbered is ErrStaleID"},
			in: opening(func(body io.ReadCloser, err error) (io.ReadCloser, error) {
				if errors.Is(err, session.ErrStaleID) {
					return nil, session.ErrNoMessage
				}
				return body, err
			}),
		},
		{
			name: "opens what it has listed and nothing else",
			rules: []string{
				"an id names the same message from another backend of the mailbox", "a moved message is in one place, and its new id works",
				"a copied message is in two places", ruleContext, ruleClose, ruleBreak, ruleDraft, "an id from before the server renumbered is ErrStaleID",
			},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				var listed atomic.Bool
				return lie{
					Incoming: in,
					messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
						listed.Store(true)
						return in.Messages(ctx, q)
					},
					open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
						if parts, err := id.Parts(); !listed.Load() || err == nil && parts.Folder == "Archive" {
							return nil, session.ErrNoMessage
						}
						return in.Open(ctx, id)
					},
				}
			},
		},
		{
			name: "wants an id", rules: []string{"no ids are no work"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, apply: func(ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
					if len(ids) == 0 {
						return nil, errors.New("nothing to change")
					}
					return in.Apply(ctx, c, ids...)
				}}
			},
		},
		{
			name: "makes what it can of a change", rules: []string{"a change that contradicts itself is refused"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, apply: func(ctx context.Context, c session.Change, ids []session.ID) ([]session.Result, error) {
					if c.Delete {
						c.MoveTo = ""
					}
					return in.Apply(ctx, c, ids...)
				}}
			},
		},
		{
			name: "has a body go on after Close", rules: []string{"a body that is closed early spoils nothing"},
			in: opening(func(body io.ReadCloser, err error) (io.ReadCloser, error) {
				if err != nil {
					return nil, err
				}
				return &late{ReadCloser: body}, nil
			}),
		},
		{
			name: "has Close wait for whoever reads", rules: []string{"a body may be closed while it is read"},
			in: opening(func(body io.ReadCloser, err error) (io.ReadCloser, error) {
				if err != nil {
					return nil, err
				}
				return &polite{ReadCloser: body, turn: make(chan struct{}, 1)}, nil
			}),
		},
	}
}

// polite is closed once nobody reads it.
type polite struct {
	io.ReadCloser

	turn chan struct{} // holds an item while somebody reads or closes
}

func (p *polite) Read(b []byte) (int, error) {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	return p.ReadCloser.Read(b)
}

func (p *polite) Close() error {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	return p.ReadCloser.Close()
}

// late ends in io.EOF after Close.
type late struct {
	io.ReadCloser

	closed bool
}

func (l *late) Read(p []byte) (int, error) {
	if l.closed {
		return 0, io.EOF
	}
	return l.ReadCloser.Read(p)
}

func (l *late) Close() error {
	l.closed = true
	return l.ReadCloser.Close()
}

func brokenLines() []brokenWay {
	return []brokenWay{
		{
			name: "ends a loop with its connection", rules: []string{"a line that is lost inside the loop is made again", "loops within loops hold no connections"},
			in: func(_ *bed, dial Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					return func(yield func(*session.Message, error) bool) { tied(ctx, dial, in, q, yield) }
				}}
			},
		},
		{
			name: "never forgets a refusal", rules: []string{"a server that cannot be reached is an error, and is dialled again"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				var refused atomic.Pointer[error]
				return lie{Incoming: in, messages: func(ctx context.Context, q session.Query) iter.Seq2[*session.Message, error] {
					return func(yield func(*session.Message, error) bool) {
						if err := refused.Load(); err != nil {
							yield(nil, *err)
							return
						}
						in.Messages(ctx, q)(func(m *session.Message, err error) bool {
							if errors.Is(err, syscall.ECONNREFUSED) {
								refused.Store(&err)
							}
							return yield(m, err)
						})
					}
				}}
			},
		},
		{
			name: "serves one call at a time", rules: []string{"calls at the same time do not disturb each other"},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				var busy atomic.Bool
				return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
					if !busy.CompareAndSwap(false, true) {
						return nil, errors.New("busy")
					}
					defer busy.Store(false)
					return in.Open(ctx, id)
				}}
			},
		},
	}
}

// tied lists messages for as long as a connection lives.
func tied(ctx context.Context, dial Dial, in session.Incoming, q session.Query, yield func(*session.Message, error) bool) {
	var held net.Conn
	for m, err := range in.Messages(ctx, q) {
		if held == nil && m != nil {
			if held, err = dial(ctx, "tcp", "held:1"); err == nil {
				defer held.Close()
			}
		}
		if held != nil && err == nil {
			if _, lost := held.Write([]byte(" ")); lost != nil {
				yield(nil, io.ErrUnexpectedEOF)
				return
			}
		}
		if !yield(m, err) {
			return
		}
	}
}

// brokenPosts are about rules for ways out that nothing else breaks.
func brokenPosts() []brokenWay {
	return []brokenWay{
		{
			name: "sends an empty message", rules: []string{"a source that fails is NotSent and never arrives in part", ruleBulkBad},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				if m != nil && m.Size() == 0 {
					m = message.Bytes([]byte("\r\n"))
				}
				return out.Send(ctx, e, m)
			}),
		},
		{
			name: "takes a failing source for a short one", rules: []string{"a source that fails is NotSent and never arrives in part", ruleBulkBad},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
				return outLie{out, func(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
					if l, ok := m.(*letter); ok && l.fail > 100 {
						m = message.Bytes([]byte(l.raw[:l.fail]))
					}
					return out.Send(ctx, e, m)
				}}
			},
		},
		{
			name: "never forgets a refusal", rules: []string{"a server that cannot be reached is NotSent, and is dialled again"},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
				var refused atomic.Pointer[error]
				return outLie{out, func(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
					if err := refused.Load(); err != nil {
						return session.Receipt{Outcome: session.NotSent}, *err
					}
					rec, err := out.Send(ctx, e, m)
					if errors.Is(err, syscall.ECONNREFUSED) {
						refused.Store(&err)
					}
					return rec, err
				}}
			},
		},
	}
}
