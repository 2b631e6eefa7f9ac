package smtpx_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// steps are those of a transaction on a new connection, in their order.
func steps() []string {
	return []string{mailtest.Greeting, "EHLO", "AUTH", "MAIL", "RCPT", "DATA", smtptest.EndOfData}
}

// Answers that nobody asked for are not taken for those of what comes next. In
// the worst case that would be a message, which a server seemed to have accepted
// before it had seen a byte of it.
func TestAnswersTooMany(t *testing.T) {
	for _, tt := range []struct {
		step, extra string
		outcome     session.SendOutcome
		text        string
	}{
		{mailtest.Greeting, "250 once more", session.NotSent, "EHLO: the server answers what it was not asked: 250 once more"},
		{"MAIL", "250 once more", session.NotSent, "was not asked"},
		{"DATA", "250 once more", session.NotSent, "message: the server answers what it was not asked: 250 once more"},
		{"DATA", "421 4.3.2 closing down", session.NotSent, "message: 421 4.3.2 closing down"},
		{smtptest.EndOfData, "250 once more", session.Accepted, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, &smtptest.Options{Extensions: smtptest.Without("PIPELINING")})
			c := newClient(t, inMemory(s), withPassword(), nil)
			s.Inject(mailtest.After(tt.step, tt.extra+"\r\n"))
			rec, err := c.Send(t.Context(), toBob(), source(letter))
			if rec.Outcome != tt.outcome || (err == nil) != (tt.text == "") || err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%q behind the answer to %s: %v, %v, want %v and %q", tt.extra, tt.step, rec.Outcome, err, tt.outcome, tt.text)
			}
			synctest.Wait()
			if got := len(s.Messages()) == 1; got != (tt.outcome == session.Accepted) {
				t.Errorf("%q behind the answer to %s: the server has the message: %t", tt.extra, tt.step, got)
			}
			mustSend(t, c)
		})
	}
}

func checkOutcome(t *testing.T, rec session.Receipt, err error, want session.SendOutcome) {
	t.Helper()
	if rec.Outcome != want {
		t.Errorf("outcome %v, want %v; %v", rec.Outcome, want, err)
	}
	if _, ok := errors.AsType[*session.SendError](err); !ok {
		t.Fatalf("the error is %v, want a SendError", err)
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("the error shows the password: %v", err)
	}
	for _, r := range rec.Recipients {
		if r.Accepted {
			t.Errorf("%s is accepted where the message is %v", r.Address, want)
		}
	}
}

// A context that ends cuts the connection at that very instant.
func TestCancel(t *testing.T) {
	for _, step := range append([]string{"dial"}, steps()...) {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				server := inMemory(s)
				if step == "dial" {
					server.Dial = slowDial
				}
				c := newClient(t, server, withPassword(), nil)
				s.Inject(mailtest.Delay(step, time.Hour))
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				rec, err := c.Send(ctx, toBob(), source(letter))
				if got := time.Since(start); got != 5*time.Second {
					t.Errorf("Send returned after %v, want 5s", got)
				}
				want := session.NotSent
				if step == smtptest.EndOfData {
					want = session.SentUnknown
				}
				checkOutcome(t, rec, err, want)
				if !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("Send = %v, want %v", err, context.DeadlineExceeded)
				}
			})
		})
	}
}

// Ended in the middle of the message, nothing is sent, and the server does not
// take the half of it for the whole.
func TestCancelInTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m := brokenSource{text: letter + strings.Repeat("x\r\n", 100_000), size: -1, hook: func() {
			cancel()
			synctest.Wait()
		}}
		rec, err := c.Send(ctx, toBob(), m)
		checkOutcome(t, rec, err, session.NotSent)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Send = %v, want %v", err, context.Canceled)
		}
		synctest.Wait()
		if got := len(s.Messages()); got != 0 {
			t.Errorf("the server has %d messages, want none", got)
		}
	})
}

// A slow server that says a byte now and then is waited for.
func TestSlowServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		s.Inject(mailtest.Drip("", 1, 50*time.Second).Repeating(-1), mailtest.Drip(mailtest.Greeting, 1, 50*time.Second))
		mustSend(t, c)
	})
}

func TestClose(t *testing.T) {
	for _, step := range append([]string{"idle", "dial", "wait"}, steps()...) {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				server := inMemory(s)
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1})
				switch step {
				case "idle":
					mustSend(t, c)
				case "dial":
					server.Dial = slowDial
					c = newClient(t, server, withPassword(), nil)
				case "wait":
					s.Inject(mailtest.Delay("EHLO", time.Hour))
					go func() { _, _ = c.Send(t.Context(), toBob(), source(letter)) }()
					synctest.Wait()
				default:
					s.Inject(mailtest.Delay(step, time.Hour))
				}
				time.AfterFunc(10*time.Second, func() { _ = c.Close() })
				if step == "idle" {
					pass(20 * time.Second)
				}
				start := time.Now()
				rec, err := c.Send(t.Context(), toBob(), source(letter))
				want := session.NotSent
				if step == smtptest.EndOfData {
					want = session.SentUnknown
				}
				checkOutcome(t, rec, err, want)
				if !errors.Is(err, session.ErrClosed) {
					t.Errorf("Send = %v, want %v", err, session.ErrClosed)
				}
				if got := time.Since(start); step != "idle" && got != 10*time.Second {
					t.Errorf("Send returned %v after it began, want 10s", got)
				}
				waitClosed(t, s)
			})
		})
	}
}

// waitClosed lets the server notice that the client is gone.
func waitClosed(t *testing.T, s *smtptest.Server) {
	t.Helper()
	pass(2 * time.Hour)
	synctest.Wait()
	if _, open := s.Connections(); open != 0 {
		t.Errorf("%d connections are open after Close, want none", open)
	}
}

func slowDial(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
