package session_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// numbered is message n to some addresses.
func numbered(n int, policy session.SentPolicy, to ...string) session.Mail {
	text := fmt.Sprintf("From: %s\nSubject: Number %d\nMessage-ID: <number-%d@contoso.example>\n\nAs agreed.\n", ann, n, n)
	return session.Mail{
		Key: "the same", Envelope: session.Envelope{From: ann, To: to, SaveSent: policy},
		Message: message.Bytes([]byte(mailtest.CRLF(text))),
	}
}

// SendAll keeps copies as Send does: of what was accepted for anybody, by the policy
// of each envelope, whatever the keys.
func TestSendAllKeepsCopies(t *testing.T) {
	inOffice(t, session.Options{SaveSent: session.SentAuto}, false, func(o *office) {
		mails := []session.Mail{
			numbered(0, session.SentDefault, bob),
			numbered(1, session.SentNever, bob),
			numbered(2, session.SentAlways, bob, "nobody@contoso.example"),
			numbered(3, session.SentAlways, "nobody@contoso.example"),
			numbered(4, session.SentAuto, ann),
		}
		copies := map[string]session.CopyState{}
		for r, err := range o.s.SendAll(o.t.Context(), slices.Values(mails), nil) {
			if r.Key != "the same" {
				t.Errorf("a result has the key %q, %v", r.Key, err)
			}
			if failed, ok := errors.AsType[*session.SendError](err); ok && failed.Receipt.Copy != r.Receipt.Copy {
				t.Errorf("the error tells of the copy %v, the receipt %v", failed.Receipt.Copy, r.Receipt.Copy)
			}
			if _, twice := copies[r.Receipt.MessageID]; twice {
				t.Errorf("%s has two results", r.Receipt.MessageID)
			}
			copies[r.Receipt.MessageID] = r.Receipt.Copy.State
		}
		for n, want := range []session.CopyState{session.CopyFiled, session.CopyNone, session.CopyFiled, session.CopyNone, session.CopyFiled} {
			if got := copies[fmt.Sprintf("number-%d@contoso.example", n)]; got != want {
				t.Errorf("the copy of message %d is %v, want %v", n, got, want)
			}
		}
		if got := len(o.in(t, "Sent")); got != 3 {
			t.Errorf("the folder of sent mail has %d messages, want 3", got)
		}
	})
}

// Where the server files what is sent, SendAll leaves it to it.
func TestSendAllLeavesCopiesToTheServer(t *testing.T) {
	inOffice(t, session.Options{SaveSent: session.SentAuto}, true, func(o *office) {
		for r, err := range o.s.SendAll(o.t.Context(), slices.Values([]session.Mail{numbered(0, session.SentDefault, bob)}), nil) {
			if err != nil || r.Receipt.Copy.State != session.CopyByServer || r.Key != "the same" {
				t.Errorf("the result is %+v, %v; want the copy by the server", r, err)
			}
		}
		if got := len(o.in(t, "Sent")); got != 0 {
			t.Errorf("the folder of sent mail has %d messages, want none", got)
		}
	})
}

// A backend that sends one at a time is not asked again and again with credentials
// that it refuses.
func TestSendAllOneByOneEndsWithTheCredentials(t *testing.T) {
	tries := 0
	out := single{send: func(context.Context, session.Envelope) (session.Receipt, error) {
		tries++
		return session.Receipt{Outcome: session.NotSent}, &session.AuthError{Server: "smtp.contoso.example:465", Err: errors.New("535")}
	}}
	var last error
	results := 0
	for _, err := range sendingSession(t, out).SendAll(t.Context(), letters("a", "b", "c"), nil) {
		if last = err; err != nil {
			if _, one := errors.AsType[*session.SendError](err); one {
				results++
			}
		}
	}
	if _, one := errors.AsType[*session.SendError](last); one || !session.NeedsSignIn(last) || tries != 1 || results != 1 {
		t.Errorf("%d tries, %d results, and in the end %v; want one, one, and the refusal", tries, results, last)
	}
}
