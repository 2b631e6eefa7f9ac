package sessiontest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// outLie is a way out with another Send.
type outLie struct {
	session.Outgoing

	send func(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error)
}

func (l outLie) Send(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
	return l.send(ctx, e, m)
}

const (
	ruleCutSending = "a line cut at any step of the protocol tells the truth"
	ruleCutLater   = "a line cut at any step of a later message tells the truth"
	ruleSendEnds   = "a call ends with its context, at the same instant, with the right outcome"
	ruleSendClose  = "Close ends what is being sent with ErrClosed"
)

// mailing makes a way out with another Send.
func mailing(f func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error)) func(*bed, Dial, session.Outgoing) session.Outgoing {
	return func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
		return outLie{out, func(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
			return f(out, ctx, e, m)
		}}
	}
}

// rewriting makes a way out that changes the messages in which a text is.
func rewriting(when, old, with string) func(*bed, Dial, session.Outgoing) session.Outgoing {
	return mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
		if l, ok := m.(*letter); m != nil && (!ok || l.fail == 0 && l.size == int64(len(l.raw))) {
			if r, err := m.Open(); err == nil {
				raw, _ := io.ReadAll(r)
				if strings.Contains(string(raw), when) {
					m = message.Bytes([]byte(strings.Replace(string(raw), old, with, 1)))
				}
			}
		}
		return out.Send(ctx, e, m)
	})
}

// brokenWaysOut returns what can be wrong with a way out.
func brokenWaysOut() []brokenWay {
	return slices.Concat(brokenPosts(), brokenOutcomes(), brokenReceipts(), brokenLetters(), brokenSenders(), brokenSenderSignIns(), brokenSenderChecks(), brokenBulks())
}

func brokenOutcomes() []brokenWay {
	return []brokenWay{
		{name: "nothing is broken"},
		{
			name: "says accepted after a cut", rules: []string{ruleCutSending, ruleCutLater, ruleSendEnds, ruleSendClose},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				rec, err := out.Send(ctx, e, m)
				if rec.Outcome == session.SentUnknown {
					rec.Outcome, err = session.Accepted, nil
					for i := range rec.Recipients {
						rec.Recipients[i].Accepted = true
					}
				}
				return rec, err
			}),
		},
		{
			name: "says not sent after a cut", rules: []string{ruleCutSending, ruleCutLater, ruleSendEnds, ruleSendClose, ruleBulkCut},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				rec, err := out.Send(ctx, e, m)
				if rec.Outcome == session.SentUnknown {
					rec.Outcome = session.NotSent
					err = &session.SendError{Receipt: rec, Err: err}
				}
				return rec, err
			}),
		},
		{
			name: "sends again what may have arrived", rules: []string{ruleCutSending, ruleCutLater, ruleBulkCut},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				rec, err := out.Send(ctx, e, m)
				if rec.Outcome == session.SentUnknown && ctx.Err() == nil && !errors.Is(err, session.ErrClosed) {
					return out.Send(ctx, e, m)
				}
				return rec, err
			}),
		},
	}
}

func brokenReceipts() []brokenWay {
	return []brokenWay{
		{
			name: "tells the recipients in another order", rules: []string{
				"a message that is accepted arrives once, for everybody", "a refused recipient does not keep the others from it",
				"a message that all recipients are refused is NotSent", "a message that is too large is NotSent", ruleCutSending, ruleCutLater, ruleSendEnds, ruleSendClose,
				"a lost line is made again, and the source opened again", ruleBulkArrives, ruleBulkCut,
			},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				rec, err := out.Send(ctx, e, m)
				rec.Recipients = slices.Clone(rec.Recipients)
				slices.Reverse(rec.Recipients)
				return rec, err
			}),
		},
		{
			name: "says accepted where some were refused", rules: []string{"a refused recipient does not keep the others from it", ruleBulkBad},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				rec, err := out.Send(ctx, e, m)
				if rec.Outcome == session.Partial {
					rec.Outcome, err = session.Accepted, nil
				}
				return rec, err
			}),
		},
		{
			name: "repairs addresses", rules: []string{"what could break out of a command is refused before any byte"},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				e.To = slices.Clone(e.To)
				for i, to := range e.To {
					e.To[i] = strings.TrimSpace(to)
				}
				return out.Send(ctx, e, m)
			}),
		},
		{
			name: "refuses the null sender", rules: []string{"the null sender is a sender"},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				if e.From == "" && len(e.To) == 1 {
					return session.Receipt{Outcome: session.NotSent}, errors.New("no sender")
				}
				return out.Send(ctx, e, m)
			}),
		},
	}
}

func brokenLetters() []brokenWay {
	return []brokenWay{
		{name: "writes Bcc", rules: []string{"Bcc is never in the bytes"}, out: rewriting("Subject: hidden", "Subject: hidden", "Bcc: "+carol+"\r\nSubject: hidden")},
		{name: "takes dots away", rules: []string{"the bytes of a message arrive exactly", ruleBulkArrives, ruleBulkBad}, out: rewriting("\r\n..\r\n", "\r\n..\r\n", "\r\n.\r\n")},
		{
			name: "dates anew what is sent again", rules: []string{"Message-ID and Date are fixed before the first byte"},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
				n := 0
				return outLie{out, func(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
					if _, test := m.(*letter); test || m == nil {
						return out.Send(ctx, e, m)
					}
					r, err := m.Open()
					if err != nil {
						return session.Receipt{Outcome: session.NotSent}, err
					}
					raw, _ := io.ReadAll(r)
					n++
					dated := strings.Replace(string(raw), "Date: ", "Date: Mon, 01 Jan 2024 09:00:0"+strconv.Itoa(n)+" +0000\r\nX-Was: ", 1)
					return out.Send(ctx, e, message.Bytes([]byte(dated)))
				}}
			},
		},
	}
}

func brokenSenders() []brokenWay {
	return []brokenWay{
		{
			name: "does not listen to the context", rules: []string{ruleSendEnds, "a call whose context has ended is NotSent"},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				return out.Send(context.WithoutCancel(ctx), e, m)
			}),
		},
		{
			name: "dials when it is made", rules: []string{
				"nothing is dialled before the first use",
			},
			out: func(_ *bed, dial Dial, out session.Outgoing) session.Outgoing {
				if conn, err := dial(context.Background(), "tcp", "eager:1"); err == nil {
					_ = conn.Close()
				}
				return out
			},
		},
		{
			name: "has one message at a time lost", rules: []string{"messages at the same time arrive once each"},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
				busy := make(chan struct{}, 1)
				return outLie{out, func(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
					select {
					case busy <- struct{}{}:
						defer func() { <-busy }()
						return out.Send(ctx, e, m)
					default:
						return session.Receipt{Outcome: session.NotSent}, errors.New("busy")
					}
				}}
			},
		},
	}
}
