package pop3x_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const ann = "ann@example.com"

func password() secret.Text { return secret.New("correct horse") }

func withPassword() session.Credentials {
	return session.Credentials{User: ann, Password: password()}
}

// world is a maildrop, its server, and a client.
type world struct {
	*testing.T

	box     *mailtest.Box
	account *mailtest.Account
	server  *pop3test.Server
	client  *pop3x.Client
}

// newWorld makes a maildrop with n samples.
func newWorld(t *testing.T, n int, o *pop3test.Options, opts *pop3x.Options) *world {
	t.Helper()
	w := &world{T: t, box: mailtest.New()}
	w.account = w.box.Add(ann, password())
	for i := range n {
		w.put(mailtest.Sample(i + 1))
	}
	w.server = pop3test.New(w.box, o)
	t.Cleanup(func() { _ = w.server.Close() })
	w.client = w.connect(withPassword(), opts)
	return w
}

// settings say how to reach the server without a network.
func (w *world) settings() session.Server {
	return session.Server{
		Host: "mail.example.com", Security: session.None, AllowPlainAuth: true, Dial: w.server.Dial, TLS: w.server.ClientTLS(),
	}
}

// connect makes a client that ends with the test.
func (w *world) connect(creds session.Credentials, opts *pop3x.Options) *pop3x.Client {
	w.Helper()
	return w.open(w.settings(), creds, opts)
}

func (w *world) open(s session.Server, creds session.Credentials, opts *pop3x.Options) *pop3x.Client {
	w.Helper()
	var o pop3x.Options
	if opts != nil {
		o = *opts
	}
	log := testlog.New(w.T)
	s.Transcript, o.Observer = log, testlog.NewObserver(log)
	if o.Logger == nil {
		o.Logger = testlog.Logger(log)
	}
	c, err := pop3x.New(s, creds, &o)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = c.Close() })
	return c
}

func (w *world) put(raw string) {
	w.Helper()
	if _, err := w.account.Append("INBOX", raw, nil); err != nil {
		w.Fatal(err)
	}
}

// left returns which samples the maildrop holds.
func (w *world) left() string {
	w.Helper()
	kept, err := w.account.Messages("INBOX")
	if err != nil {
		w.Fatal(err)
	}
	var words []string
	for _, m := range kept {
		_, rest, _ := strings.Cut(m.Raw, "<sample-")
		name, _, _ := strings.Cut(rest, "@")
		words = append(words, name)
	}
	return strings.Join(words, " ")
}

// list returns all messages, oldest first, where none cannot be read.
func (w *world) list() []*session.Message {
	w.Helper()
	all, err := collect(w.Context(), w.client, session.Query{OldestFirst: true})
	if err != nil {
		w.Fatalf("Messages: %v", err)
	}
	return all
}

func (w *world) ids() []session.ID {
	w.Helper()
	var ids []session.ID
	for _, m := range w.list() {
		ids = append(ids, m.ID)
	}
	return ids
}

func collect(ctx context.Context, c *pop3x.Client, q session.Query) ([]*session.Message, error) {
	var all []*session.Message
	for m, err := range c.Messages(ctx, q) {
		if err != nil {
			return all, err
		}
		all = append(all, m)
	}
	return all, nil
}

// subjects names messages by the number in their subject.
func subjects(all []*session.Message) string {
	var words []string
	for _, m := range all {
		words = append(words, strings.TrimPrefix(m.Header.Subject(), "Sample "))
	}
	return strings.Join(words, " ")
}

func read(ctx context.Context, c *pop3x.Client, id session.ID) (string, error) {
	body, err := c.Open(ctx, id)
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(body)
	return string(raw), errors.Join(err, body.Close())
}

// said returns the commands that the server heard, without their arguments.
func (w *world) said() []string {
	var names []string
	for _, c := range w.server.Commands() {
		names = append(names, c.Name)
	}
	return names
}

// outcomes writes results in short.
func outcomes(results []session.Result) string {
	var words []string
	for _, r := range results {
		words = append(words, r.Outcome.String())
	}
	return strings.Join(words, ", ")
}

// renewable is a source of tokens "horse-0", "horse-1" and so on, the next one
// after each that was refused.
type renewable struct {
	mu sync.Mutex
	n  int
}

func (r *renewable) Token(context.Context) (*oauth.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return &oauth.Token{AccessToken: r.token()}, nil
}

func (r *renewable) token() secret.Text { return secret.New(fmt.Sprintf("horse-%d", r.n)) }

func (r *renewable) Invalidate(_ context.Context, t *oauth.Token) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t.AccessToken.Equal(r.token()) {
		r.n++
	}
	return nil
}

func withTokens() session.Credentials {
	return session.Credentials{User: ann, Tokens: oauth.AnyResource(&renewable{})}
}

// pass lets virtual time go by.
func pass(d time.Duration) { <-time.After(d) }
