package session_test

import (
	"context"
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// single is a way out that sends one message at a time.
type single struct {
	session.Outgoing

	send func(ctx context.Context, e session.Envelope) (session.Receipt, error)
}

func (s single) Send(ctx context.Context, e session.Envelope, _ message.Source) (session.Receipt, error) {
	return s.send(ctx, e)
}

func (single) Close() error { return nil }

// bulky sends many, and wrappedOut does not know that.
type bulky struct {
	single

	sent []string
}

type wrappedOut struct{ session.Outgoing }

func (w wrappedOut) Unwrap() session.Outgoing { return w.Outgoing }

func (b *bulky) SendAll(_ context.Context, messages iter.Seq[session.Mail], _ *session.BulkOptions) iter.Seq2[session.MailResult, error] {
	return func(yield func(session.MailResult, error) bool) {
		for m := range messages {
			if b.sent = append(b.sent, m.Key); !yield(session.MailResult{Key: m.Key}, nil) {
				return
			}
		}
	}
}

func sendingSession(t *testing.T, out session.Outgoing) *session.Session {
	t.Helper()
	s, err := session.New(creds(), nil, func(session.Setup) (session.Outgoing, error) { return out, nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func letters(keys ...string) iter.Seq[session.Mail] {
	return func(yield func(session.Mail) bool) {
		for _, k := range keys {
			if !yield(session.Mail{Key: k, Envelope: session.Envelope{To: []string{k}}}) {
				return
			}
		}
	}
}

func TestSendAllByABackendThatCan(t *testing.T) {
	b := &bulky{}
	for r, err := range sendingSession(t, wrappedOut{b}).SendAll(t.Context(), letters("a", "b", "c"), nil) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Key == "b" {
			break
		}
	}
	if want := []string{"a", "b"}; !slices.Equal(b.sent, want) {
		t.Errorf("the backend sent %q, want %q", b.sent, want)
	}
}

// Where the backend sends one at a time, an error of one message does not end
// the loop, and a context that ends does.
func TestSendAllOneByOne(t *testing.T) {
	refused := errors.New("not to you")
	ctx, cancel := context.WithCancel(t.Context())
	out := single{send: func(_ context.Context, e session.Envelope) (session.Receipt, error) {
		switch e.To[0] {
		case "b":
			return session.Receipt{Outcome: session.NotSent}, refused
		case "d":
			cancel()
		}
		return session.Receipt{Outcome: session.Accepted}, nil
	}}
	var progress session.BulkProgress
	var got []string
	var last error
	opts := &session.BulkOptions{Progress: func(p session.BulkProgress) { progress = p }}
	for r, err := range sendingSession(t, out).SendAll(ctx, letters("a", "b", "c", "d", "e"), opts) {
		if _, own := errors.AsType[*session.SendError](err); own != (r.Key == "b") || own && !errors.Is(err, refused) {
			t.Errorf("message %q: %v", r.Key, err)
		}
		got, last = append(got, r.Key+" "+r.Receipt.Outcome.String()), err
	}
	if want := []string{"a accepted", "b not sent", "c accepted", "d accepted", " unknown"}; !slices.Equal(got, want) {
		t.Errorf("SendAll gave %q, want %q", got, want)
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("the last error is %v, want %v", last, context.Canceled)
	}
	if progress.Taken != 4 || progress.Accepted != 3 || progress.NotSent != 1 || progress.Done() != 4 {
		t.Errorf("the progress is %+v", progress)
	}
}

func TestSendAllNeedsAWayOut(t *testing.T) {
	s, err := session.New(creds(), func(session.Setup) (session.Incoming, error) { return nil, nil }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err := range s.SendAll(t.Context(), letters("a"), nil) {
		if n++; !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("SendAll = %v, want %v", err, errors.ErrUnsupported)
		}
	}
	if n != 1 {
		t.Errorf("SendAll gave %d items, want its error alone", n)
	}
}
