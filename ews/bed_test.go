package ews_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// bed is a client and a fake server with one mailbox.
type bed struct {
	*ews.Client

	server  *ewstest.Server
	account *mailtest.Account
	box     *mailtest.Box
	sender  *ews.Sender // where newRetrying made one
}

// settings are what a bed differs in.
type settings struct {
	server ewstest.Options
	client ews.Options
	creds  session.Credentials // the usual password where it is zero
	change func(s *session.Server)
}

func newBed(tb testing.TB, o settings) *bed {
	tb.Helper()
	b := &bed{box: mailtest.New()}
	b.account = b.box.Add(ann, password())
	o.server.Strict = true
	b.server = ewstest.New(b.box, &o.server)
	log := testlog.New(tb)
	s := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial, Transcript: log}
	if o.change != nil {
		o.change(&s)
	}
	if o.creds.User == "" {
		o.creds.User = ann
	}
	if o.creds.Tokens == nil && o.creds.Password.IsZero() {
		o.creds.Password = password()
	}
	if o.client.Logger == nil {
		o.client.Logger, o.client.Observer = testlog.Logger(log), testlog.NewObserver(log)
	}
	var err error
	if b.Client, err = ews.New(s, o.creds, &o.client); err != nil {
		tb.Fatalf("ews.New: %v", err)
	}
	tb.Cleanup(func() {
		if err := errors.Join(b.Close(), b.server.Close()); err != nil {
			tb.Errorf("close: %v", err)
		}
		keepRequests(tb, b.server)
	})
	return b
}

// fill puts samples into the inbox.
func (b *bed) fill(tb testing.TB, n int) {
	tb.Helper()
	for i := range n {
		b.put(tb, mailtest.Sample(i+1))
	}
}

func (b *bed) put(tb testing.TB, raw string) {
	tb.Helper()
	if _, err := b.account.Append("INBOX", raw, nil); err != nil {
		tb.Fatalf("append: %v", err)
	}
}

// list returns the subjects of what a query finds, and the ids.
func (b *bed) list(ctx context.Context, q session.Query) (subjects []string, ids []session.ID, err error) {
	for m, err := range b.Messages(ctx, q) {
		if err != nil {
			return subjects, ids, err
		}
		subjects, ids = append(subjects, m.Header.Subject()), append(ids, m.ID)
	}
	return subjects, ids, nil
}

// renewing gives the tokens "horse-1", "horse-2" and so on, the next one after each
// that is refused.
type renewing struct{ n int }

func (r *renewing) Token(context.Context) (*oauth.Token, error) {
	return &oauth.Token{AccessToken: secret.New(fmt.Sprintf("horse-%d", r.n+1))}, nil
}

func (r *renewing) Invalidate(context.Context, *oauth.Token) error {
	r.n++
	return nil
}
