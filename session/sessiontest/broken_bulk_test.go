package sessiontest

import (
	"context"
	"iter"

	"github.com/mailsession/mailsession/session"
)

const (
	ruleBulkArrives = "many messages have a result each, and arrive once each, exactly"
	ruleBulkBad     = "what is wrong with one of many messages concerns no other"
	ruleBulkLeft    = "a loop over many messages that is left takes no more of them"
	ruleBulkCut     = "a line cut anywhere among many messages tells the truth"
	ruleBulkEnded   = "many messages end with their context, each with its result"
)

// bulkLie is a way out with a SendAll.
type bulkLie struct {
	session.Outgoing

	sendAll func(ctx context.Context, messages iter.Seq[session.Mail], yield func(session.MailResult, error) bool)
}

func (l bulkLie) SendAll(ctx context.Context, messages iter.Seq[session.Mail], opts *session.BulkOptions) iter.Seq2[session.MailResult, error] {
	return func(yield func(session.MailResult, error) bool) {
		n := 0
		counted := func(yield func(session.Mail) bool) {
			for m := range messages {
				n++
				opts.Progress(session.BulkProgress{Taken: n})
				if !yield(m) {
					return
				}
			}
		}
		l.sendAll(ctx, counted, yield)
	}
}

// brokenBulks returns what can be wrong with many messages.
func brokenBulks() []brokenWay {
	return []brokenWay{
		{
			name: "does not end many messages with the context", rules: []string{ruleBulkEnded},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
				return bulkLie{out, func(ctx context.Context, messages iter.Seq[session.Mail], yield func(session.MailResult, error) bool) {
					for m := range messages {
						rec, err := out.Send(context.WithoutCancel(ctx), m.Envelope, m.Message)
						if !yield(session.MailResult{Key: m.Key, Receipt: rec}, err) {
							return
						}
					}
				}}
			},
		},
		{
			name: "takes many messages that nobody waits for", rules: []string{ruleBulkLeft, ruleBulkEnded},
			out: func(_ *bed, _ Dial, out session.Outgoing) session.Outgoing {
				return bulkLie{out, func(ctx context.Context, messages iter.Seq[session.Mail], yield func(session.MailResult, error) bool) {
					var all []session.Mail
					for m := range messages {
						if all = append(all, m); len(all) == 10_000 {
							break
						}
					}
					for _, m := range all {
						rec, err := out.Send(ctx, m.Envelope, m.Message)
						if !yield(session.MailResult{Key: m.Key, Receipt: rec}, err) {
							return
						}
					}
				}}
			},
		},
	}
}
