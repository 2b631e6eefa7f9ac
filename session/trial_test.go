package session_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
)

// TestSendTest: a small message that says what it is, to oneself or to anybody.
func TestSendTest(t *testing.T) {
	inOffice(t, session.Options{SaveSent: session.SentAlways}, false, func(o *office) {
		t := o.t
		for _, to := range []string{"", bob} {
			rec, err := o.s.SendTest(t.Context(), to, nil)
			if err != nil || rec.Outcome != session.Accepted || rec.MessageID == "" {
				t.Errorf("to %q: %+v, %v; want it accepted", to, rec, err)
			}
		}
		sent := o.SMTP.Messages()
		if len(sent) != 2 || sent[0].To[0] != ann || sent[1].To[0] != bob || len(o.in(t, "Sent")) != 0 {
			t.Fatalf("sent was %+v with %d copies, want one to each and no copy", sent, len(o.in(t, "Sent")))
		}
		m, err := message.Parse(strings.NewReader(sent[0].Raw), nil)
		if err != nil || len(m.Header.Defects()) > 0 || m.Header.Get("Auto-Submitted") != "auto-generated" || m.Header.Subject() != "Test message" {
			t.Errorf("the message (%v, %v) is\n%s", err, m.Header.Defects(), sent[0].Raw)
		}
		if err := m.Header.MayAnswer(nil); err == nil {
			t.Error("programs may answer it")
		}
		for what, try := range map[string]func() (session.Receipt, error){
			"no address": func() (session.Receipt, error) { return o.s.SendTest(t.Context(), "bob", nil) },
			"no sender": func() (session.Receipt, error) {
				return o.s.SendTest(t.Context(), bob, &session.TestMailOptions{From: "ann"})
			},
			"a broken subject": func() (session.Receipt, error) {
				return o.s.SendTest(t.Context(), "", &session.TestMailOptions{Subject: "a\x00b"})
			},
		} {
			if rec, err := try(); err == nil || rec.Outcome != session.NotSent {
				t.Errorf("%s: %+v, %v; want it refused", what, rec, err)
			}
		}
	})
}

// delivering has the server accept the next message and deliver it to a folder
// later, or nowhere if that is "".
func (o *office) delivering(t *testing.T, folder string, later time.Duration) {
	t.Helper()
	o.SMTP.Inject(mailtest.CallAfter(smtptest.EndOfData, 1, func() {
		box := o.in(t, "INBOX")
		last := box[len(box)-1]
		if _, err := o.ann.Expunge("INBOX", last.UID); err != nil {
			t.Error(err)
		}
		time.AfterFunc(later, func() {
			if folder == "" {
				return
			}
			if _, err := o.ann.Append(folder, last.Raw, nil); err != nil {
				t.Error(err)
			}
		})
	}))
}

// TestRoundTrip: the message is seen where it arrives, soon after it does.
func TestRoundTrip(t *testing.T) {
	for what, c := range map[string]struct {
		folder string
		at     time.Duration
		most   time.Duration
		want   session.FolderRef
	}{
		"at once":        {"INBOX", 0, 300 * time.Millisecond, session.Inbox},
		"slowly":         {"INBOX", 40 * time.Second, 55 * time.Second, session.Inbox},
		"as junk":        {"Junk", 3 * time.Second, 5 * time.Second, session.Junk},
		"where it is to": {"Archive", 3 * time.Second, 5 * time.Second, session.Archive},
	} {
		t.Run(what, func(t *testing.T) {
			inOffice(t, session.Options{}, false, func(o *office) {
				t := o.t
				o.delivering(t, c.folder, c.at)
				trip, err := o.s.RoundTrip(t.Context(), &session.RoundTripOptions{Folders: []session.FolderRef{session.Archive}})
				if err != nil || trip.Folder != c.want || trip.Message.Header.MessageID() != trip.Receipt.MessageID {
					t.Fatalf("RoundTrip = %+v, %v; want it in %s", trip, err, c.want)
				}
				if trip.Took() < c.at || trip.Took() > c.most {
					t.Errorf("it took %v, want %v to %v", trip.Took(), c.at, c.most)
				}
				if len(o.in(t, c.folder)) != 1 {
					t.Error("the message was not left where it was")
				}
			})
		})
	}
}

// TestRoundTripCleansUp: by choice nothing is left of it, nor of the copy that the
// server filed, and what is not its own stays.
func TestRoundTripCleansUp(t *testing.T) {
	inOffice(t, session.Options{}, true, func(o *office) {
		t := o.t
		o.SMTP.Inject(mailtest.CallAfter(smtptest.EndOfData, 1, func() {
			if _, err := o.ann.Append("Sent", o.SMTP.Messages()[0].Raw, nil); err != nil {
				t.Error(err)
			}
		}))
		for _, folder := range []string{"INBOX", "Sent"} {
			if _, err := o.ann.Append(folder, mailtest.Sample(1), nil); err != nil {
				t.Fatal(err)
			}
		}
		trip, err := o.s.RoundTrip(t.Context(), &session.RoundTripOptions{Delete: true})
		if err != nil || trip.Cleanup != nil {
			t.Errorf("RoundTrip = %+v, %v", trip, err)
		}
		if in, sent := o.in(t, "INBOX"), o.in(t, "Sent"); len(in) != 1 || len(sent) != 1 {
			t.Errorf("%d messages in the inbox and %d in Sent, want what was there before", len(in), len(sent))
		}
		o.IMAP.Inject(mailtest.Reply("STORE", "NO not you").Repeating(-1))
		trip, err = o.s.RoundTrip(t.Context(), &session.RoundTripOptions{Delete: true})
		if err != nil || trip.Cleanup == nil || trip.Folder != session.Inbox {
			t.Errorf("RoundTrip = %+v, %v; want it arrived, and why it is left", trip, err)
		}
	})
}

// TestRoundTripInVain: what does not arrive, or is not sent, is told apart.
func TestRoundTripInVain(t *testing.T) {
	inOffice(t, session.Options{}, false, func(o *office) {
		t := o.t
		o.delivering(t, "", 0)
		began := time.Now()
		trip, err := o.s.RoundTrip(t.Context(), nil)
		e, ok := errors.AsType[*session.NotArrivedError](err)
		if !ok || !errors.Is(err, context.DeadlineExceeded) || e.MessageID != trip.Receipt.MessageID || e.Waited != session.DefaultArrivalWait || time.Since(began) != e.Waited {
			t.Errorf("RoundTrip = %v after %v, want a NotArrivedError after five minutes", err, time.Since(began))
		}
		if asked := len(o.IMAP.Commands()); asked > 200 {
			t.Errorf("%d commands in five minutes", asked)
		}
		o.delivering(t, "", 0)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began = time.Now()
		if _, err := o.s.RoundTrip(ctx, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Minute {
			t.Errorf("RoundTrip = %v after %v, want the end of its context", err, time.Since(began))
		}
		o.SMTP.Inject(mailtest.Reply("RCPT", "550 5.1.1 no"))
		if trip, err := o.s.RoundTrip(t.Context(), nil); trip.Receipt.Outcome != session.NotSent || err == nil {
			t.Errorf("RoundTrip = %+v, %v; want it not sent", trip, err)
		}
		o.IMAP.Inject(mailtest.Reply("SEARCH", "NO [CANNOT] never"))
		if _, err := o.s.RoundTrip(t.Context(), nil); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("RoundTrip = %v, want the server's refusal", err)
		}
	})
	inOffice(t, session.Options{Mode: session.SendOnly}, false, func(o *office) {
		t := o.t
		if _, err := o.s.RoundTrip(t.Context(), nil); err == nil || len(o.SMTP.Messages()) != 0 {
			t.Errorf("RoundTrip = %v with %d messages sent, want it refused beforehand", err, len(o.SMTP.Messages()))
		}
	})
}

// TestRoundTripThroughTrouble: a lost answer is made good by the arrival, and
// connections that die while it is waited are replaced.
func TestRoundTripThroughTrouble(t *testing.T) {
	inOffice(t, session.Options{}, false, func(o *office) {
		t := o.t
		o.SMTP.Inject(mailtest.Drop(smtptest.EndOfData, 0))
		trip, err := o.s.RoundTrip(t.Context(), nil)
		if err != nil || trip.Receipt.Outcome != session.SentUnknown || trip.Folder != session.Inbox {
			t.Errorf("RoundTrip = %+v, %v; want it unknown, and arrived", trip, err)
		}
		o.delivering(t, "INBOX", 30*time.Second)
		o.IMAP.Inject(mailtest.Drop("SEARCH", 0).Repeating(3))
		o.IMAP.Inject(mailtest.Reply("SEARCH", "NO [UNAVAILABLE] later").Repeating(2))
		if trip, err = o.s.RoundTrip(t.Context(), nil); err != nil || trip.Took() < 30*time.Second || trip.Took() > 45*time.Second {
			t.Errorf("RoundTrip = %+v, %v; want it after half a minute", trip, err)
		}
	})
}
