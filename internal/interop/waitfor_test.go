//go:build interop

package interop_test

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// TestWaitForOnRealServers: a program that signs up somewhere waits for the code
// that Postfix brings it. It listens when the code is sent, Dovecot kills its
// connection meanwhile, and other mail comes first. A second call finds the code at
// once, and one for a code that nobody sends ends with its context.
func TestWaitForOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	in, out := pair(t, servers, session.TLS)
	bobs := newSession(t, session.Credentials{User: bob, Password: userOf(t, servers, bob).Password}, in, out)
	shown := &script{}
	in.Transcript = shown
	s, err := session.New(session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, imapx.Backend(in, nil), nil, nil)
	must(t, err)
	t.Cleanup(func() { _ = s.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()

	wanted := session.Query{Where: session.Filter{From: bob, Subject: "Your code"}}
	opts := &session.WatchOptions{FirstWait: 50 * time.Millisecond}
	found := make(chan *session.Message, 1)
	failed := make(chan error, 1)
	go func() {
		m, err := s.WaitFor(ctx, wanted, opts)
		found <- m
		failed <- err
	}()
	shown.await(ctx, t, " IDLE", 1)
	killed, err := servers.KillIMAP()
	if err != nil || killed == 0 {
		t.Fatalf("%d sessions killed, %v", killed, err)
	}
	shown.await(ctx, t, " IDLE", 2)
	for _, subject := range []string{"Welcome", "Your code is 4711"} {
		_, err := bobs.SendDraft(ctx, &message.Draft{
			From: mail.Address{Address: bob}, To: []mail.Address{{Address: ann}}, Subject: subject, Text: subject + ".\n",
		}, nil)
		must(t, err)
	}
	m := <-found
	must(t, <-failed)
	body, err := s.Read(ctx, m.ID)
	if err != nil || strings.TrimSpace(body.Text) != "Your code is 4711." {
		t.Errorf("the message is %q, %q, %v; want the code", m.Header.Subject(), body.Text, err)
	}
	if again, err := s.WaitFor(ctx, wanted, opts); err != nil || again.ID != m.ID {
		t.Errorf("waiting again finds %+v, %v; want %v", again, err, m.ID)
	}

	never, stop := context.WithCancel(ctx)
	idles := shown.count(" IDLE")
	go func() {
		shown.await(ctx, t, " IDLE", idles+1)
		stop()
	}()
	if m, err := s.WaitFor(never, session.Query{Where: session.Filter{Subject: "nobody sends this"}}, opts); m != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("WaitFor = %+v, %v; want that its context ended", m, err)
	}
}
