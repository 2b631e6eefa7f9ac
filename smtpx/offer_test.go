package smtpx_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// What an envelope asks for is said in MAIL where the server offers it; where it
// does not, nothing is said at all, or the wish is passed over.
func TestWhatAnEnvelopeAsksFor(t *testing.T) {
	for _, tt := range []struct {
		name    string
		ask     session.Envelope
		offered string
		params  string // in MAIL
		lacks   string // where it is not offered, "" where it is passed over
	}{
		{"TLS on all of the way", session.Envelope{RequireTLS: true}, "REQUIRETLS", " REQUIRETLS", "REQUIRETLS"},
		{
			"returned when late",
			session.Envelope{DeliverBy: &session.DeliverBy{Within: 2 * time.Minute, Return: true, Trace: true}},
			"DELIVERBY 60", " BY=120;RT", "DELIVERBY",
		},
		{"told when late", session.Envelope{DeliverBy: &session.DeliverBy{Within: 30 * time.Second}}, "DELIVERBY 60", " BY=30;N", "DELIVERBY"},
		{"any time", session.Envelope{DeliverBy: &session.DeliverBy{Within: time.Second, Return: true}}, "DELIVERBY", " BY=1;R", "DELIVERBY"},
		{"priority", session.Envelope{Priority: -4}, "MT-PRIORITY MIXER", " MT-PRIORITY=-4", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, extensions := range [][]string{append(smtptest.DefaultExtensions(), tt.offered), nil} {
				s := newServer(t, &smtptest.Options{Security: mailtest.TLS, Extensions: extensions})
				c := newClient(t, overTCP(t, s, session.TLS), withPassword(), nil)
				e := tt.ask
				e.From, e.To = ann, []string{bob}
				rec, err := c.Send(t.Context(), e, source(letter))
				lacks, ok := errors.AsType[*smtpx.ExtensionError](err)
				switch {
				case extensions != nil || tt.lacks == "":
					if err != nil || strings.HasSuffix(s.Messages()[0].Params, tt.params) != (extensions != nil) {
						t.Errorf("Send = %v, %v; MAIL had %q", rec, err, s.Messages()[0].Params)
					}
				case !ok || lacks.Extension != tt.lacks || !errors.Is(err, errors.ErrUnsupported) || strings.Contains(said(s), "MAIL"):
					t.Errorf("Send = %v, the server heard\n%s\nwant it to be refused for want of %s", err, said(s), tt.lacks)
				}
			}
		})
	}
}

// REQUIRETLS means nothing without TLS, whatever a server says.
func TestRequireTLSInPlainText(t *testing.T) {
	s := newServer(t, &smtptest.Options{Extensions: append(smtptest.DefaultExtensions(), "REQUIRETLS", "DELIVERBY 240")})
	c := newClient(t, inMemory(s), withPassword(), nil)
	for _, e := range []session.Envelope{
		{From: ann, To: []string{bob}, RequireTLS: true},
		{From: ann, To: []string{bob}, DeliverBy: &session.DeliverBy{Within: time.Minute, Return: true}},
	} {
		rec, err := c.Send(t.Context(), e, source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Send = %v, want %v", err, errors.ErrUnsupported)
		}
	}
}

// TLS on all of the way begins with a server that is known to be the one.
func TestRequireTLSUnverified(t *testing.T) {
	s := newServer(t, &smtptest.Options{Security: mailtest.TLS, Extensions: smtptest.With("REQUIRETLS")})
	server := overTCP(t, s, session.TLS)
	looked := false
	for _, verify := range []func(tls.ConnectionState) error{nil, func(tls.ConnectionState) error { looked = true; return nil }} {
		server.TLS = &tls.Config{InsecureSkipVerify: true, VerifyConnection: verify} //nolint:gosec // G402: what the test is about
		c := newClient(t, server, withPassword(), nil)
		mustSend(t, c)
		rec, err := c.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}, RequireTLS: true}, source(letter))
		if accepted := err == nil && rec.Outcome == session.Accepted; accepted != (verify != nil) || accepted != looked {
			t.Errorf("Send with a certificate that somebody looks at, %t: %v, %v", looked, rec.Outcome, err)
		}
		if err != nil && !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Send = %v, want %v", err, errors.ErrUnsupported)
		}
	}
}

// What no server could carry out is refused before one is dialled.
func TestImpossibleWishes(t *testing.T) {
	s := newServer(t, nil)
	c := newClient(t, inMemory(s), withPassword(), nil)
	for _, e := range []session.Envelope{
		{Priority: 10},
		{Priority: -10},
		{DeliverBy: &session.DeliverBy{Return: true}},
		{DeliverBy: &session.DeliverBy{Within: -time.Minute, Return: true}},
		{DeliverBy: &session.DeliverBy{Within: 40 * 365 * 24 * time.Hour}},
	} {
		e.From, e.To = ann, []string{bob}
		rec, err := c.Send(t.Context(), e, source(letter))
		checkOutcome(t, rec, err, session.NotSent)
	}
	if made, _ := s.Connections(); made != 0 {
		t.Errorf("%d connections were made", made)
	}
}

// The server's limits are kept: what cannot be is refused, what can be goes over
// as many connections as it takes.
func TestLimits(t *testing.T) {
	limits := append(smtptest.DefaultExtensions(), "LIMITS MAILMAX=3 RCPTMAX=2 RCPTDOMAINMAX=1 OTHER=x")
	for _, window := range []int{1, 16} {
		t.Run(fmt.Sprint("window ", window), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: limits})
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1, Window: window})
				for _, tt := range []struct {
					to    []string
					limit string
				}{
					{[]string{ann, bob, carol}, "RCPTMAX"}, {[]string{bob, "x@elsewhere.example"}, "RCPTDOMAINMAX"}, {[]string{ann, "Bob@EXAMPLE.com"}, ""},
				} {
					_, err := c.Send(t.Context(), session.Envelope{From: ann, To: tt.to}, source(letter))
					e, ok := errors.AsType[*smtpx.LimitError](err)
					if ok != (tt.limit != "") || ok && e.Limit != tt.limit {
						t.Errorf("Send to %v = %v, want the limit %q", tt.to, err, tt.limit)
					}
				}
				before := len(s.Messages())
				all, err := sendAll(t, c, circulars(10), nil)
				if err != nil || count(all)[session.Accepted] != 10 || len(s.Messages())-before != 10 {
					t.Errorf("SendAll = %v, %v", count(all), err)
				}
				mustSend(t, c)
				if strings.Contains(said(s), "Too many") || s.Pending() != 0 {
					t.Error("a limit was not kept")
				}
				perConn := map[int]int{}
				for _, m := range s.Messages() {
					if perConn[m.Conn]++; perConn[m.Conn] > 3 {
						t.Errorf("connection %d carried more than 3 messages", m.Conn)
					}
				}
			})
		})
	}
}

func TestMessagesPerConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1, MessagesPerConnection: 4})
		for range 5 {
			mustSend(t, c)
		}
		all, err := sendAll(t, c, circulars(10), nil)
		made, _ := s.Connections()
		if err != nil || len(all) != 10 || made != 4 {
			t.Errorf("15 messages took %d connections, %v, want 4 of 4 messages each", made, err)
		}
	})
}

// All or nobody: DATA waits for the recipients, and nobody gets a message that
// one is refused.
func TestAllOrNone(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), nil)
				e := session.Envelope{From: ann, To: []string{bob, "nobody@example.com", carol}, AllOrNone: true}
				s.Inject(mailtest.Reply("RCPT", "450 4.2.0 later").Containing(bob))
				rec, err := c.Send(t.Context(), e, source(letter))
				checkOutcome(t, rec, err, session.NotSent)
				refused, ok := errors.AsType[*smtpx.Error](err)
				if !ok || refused.Recipient != e.To[1] || session.Temporary(err) {
					t.Errorf("Send = %v, want the refusal that lasts", err)
				}
				if r := rec.Recipients; len(r) != 3 || !errors.Is(r[2].Err, session.ErrNotAll) || r[0].Err == nil || errors.Is(r[0].Err, session.ErrNotAll) {
					t.Errorf("recipients %+v", rec.Recipients)
				}
				if len(s.Messages()) != 0 || strings.Contains(said(s), "DATA") {
					t.Errorf("the server heard\n%s", said(s))
				}
				e.To = []string{bob, carol}
				if rec, err := c.Send(t.Context(), e, source(letter)); err != nil || rec.Outcome != session.Accepted {
					t.Errorf("Send = %v, %v", rec, err)
				}
			})
		})
	}
}

// So many messages a minute and no more, by whatever way they are sent; what was
// sent has its result before others wait for their turn.
func TestRate(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				o := &smtpx.Options{MaxConnections: 1, Rate: smtpx.Rate{Messages: 5, Recipients: 100, Per: time.Minute}}
				c := newClient(t, inMemory(s), withPassword(), o)
				start := time.Now()
				mustSend(t, c)
				results := map[time.Duration]int{}
				for r, err := range c.SendAll(t.Context(), circulars(11), nil) {
					if err != nil {
						t.Errorf("message %s: %v", r.Key, err)
					}
					results[time.Since(start)]++
				}
				if want := map[time.Duration]int{0: 4, time.Minute: 5, 2 * time.Minute: 2}; !maps.Equal(results, want) {
					t.Errorf("results came after %v, want %v", results, want)
				}
				if got := len(s.Messages()); got != 12 {
					t.Errorf("the server has %d messages, want 12", got)
				}
			})
		})
	}
}

// A server that wants to be left alone is, by every message of the mailbox; a
// caller with less time than that is told at once.
func TestTheServersPauseHoldsAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		s.Inject(mailtest.Reply("MAIL", "451 4.7.0 [THROTTLED] try again in 40 seconds"))
		rec, err := c.Send(t.Context(), toBob(), source(letter))
		checkOutcome(t, rec, err, session.NotSent)
		if got := session.RetryAfter(err); got != 40*time.Second {
			t.Errorf("RetryAfter = %v, want 40s", got)
		}
		start := time.Now()
		short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if _, err := c.Send(short, toBob(), source(letter)); err == nil || time.Since(start) != 0 || session.RetryAfter(err) != 40*time.Second {
			t.Errorf("Send = %v after %v, want an error at once that says when to come back", err, time.Since(start))
		}
		all, err := sendAll(t, c, circulars(5), nil)
		if took := time.Since(start); err != nil || len(all) != 5 || took != 40*time.Second {
			t.Errorf("SendAll took %v, %v, want 40s", took, err)
		}
	})
}

// What a server says of one recipient's mailbox holds up nobody else; what it says of
// the client in answer to RCPT does.
func TestAPauseOfOneRecipient(t *testing.T) {
	for said, want := range map[string]time.Duration{
		"450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery":                 0,
		"451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation; wait 30 seconds": 30 * time.Second,
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			c := newClient(t, inMemory(s), withPassword(), nil)
			s.Inject(mailtest.Reply("RCPT", said))
			if _, err := c.Send(t.Context(), toBob(), source(letter)); session.RetryAfter(err) == 0 {
				t.Errorf("%s: the error says nothing of when to come back: %v", said, err)
			}
			began := time.Now()
			mustSend(t, c)
			if took := time.Since(began); took != want {
				t.Errorf("%s: the next message waited %v, want %v", said, took, want)
			}
		})
	}
}
