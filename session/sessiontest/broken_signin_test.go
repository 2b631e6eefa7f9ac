package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

const (
	ruleSignIn     = "refused credentials are an AuthError, and nothing is done"
	ruleSendSignIn = "refused credentials are an AuthError, and nothing is sent"
)

// misread returns err, and another where it is a refusal to sign in.
func misread(err error, as func(*session.AuthError) error) error {
	if e, ok := errors.AsType[*session.AuthError](err); ok {
		return as(e)
	}
	return err
}

// brokenSignIns returns what can be wrong with a way in that is not let in.
func brokenSignIns() []brokenWay {
	reads := func(as func(*session.AuthError) error) func(*bed, Dial, session.Incoming) session.Incoming {
		return func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
			return lie{Incoming: in, open: func(ctx context.Context, id session.ID) (io.ReadCloser, error) {
				body, err := in.Open(ctx, id)
				return body, misread(err, as)
			}}
		}
	}
	return []brokenWay{
		{
			name: "takes a refusal for a lost line", rules: []string{ruleSignIn},
			in: reads(func(*session.AuthError) error { return io.ErrUnexpectedEOF }),
		},
		{
			name: "says nothing of what to do", rules: []string{ruleSignIn},
			in: reads(func(e *session.AuthError) error { return &session.AuthError{Server: e.Server, Mechanism: e.Mechanism} }),
		},
		{
			name: "shows the password", rules: []string{ruleSignIn},
			in: reads(func(e *session.AuthError) error { return fmt.Errorf("with %s: %w", wrongSecret, e) }),
		},
	}
}

// brokenSenderSignIns returns the same for a way out.
func brokenSenderSignIns() []brokenWay {
	return []brokenWay{
		{
			name: "does not know what became of a message when it is not let in", rules: []string{ruleSendSignIn},
			out: mailing(func(out session.Outgoing, ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
				rec, err := out.Send(ctx, e, m)
				if _, refused := errors.AsType[*session.AuthError](err); refused {
					rec.Outcome = session.SentUnknown
				}
				return rec, err
			}),
		},
	}
}
