package session_test

import (
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

const (
	ann = "ann@contoso.example"
	bob = "bob@contoso.example"
)

// office is a fake provider in a bubble, with ann's session.
type office struct {
	*presettest.Provider

	t        *testing.T
	ann, bob *mailtest.Account
	s        *session.Session
}

// inOffice runs a test of ann's session.
func inOffice(t *testing.T, opts session.Options, filesSent bool, do func(o *office)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o := &office{t: t, Provider: presettest.NewProvider(&presettest.Options{InMemory: true})}
		defer o.Close()
		o.ann, o.bob = o.Add(ann, secret.New("correct horse")), o.Add(bob, secret.New("correct horse"))
		known, log := o.Preset(), testlog.New(t)
		known.IMAP.Transcript, known.SMTP.Transcript = log, log
		known.SMTP.FilesSent = filesSent
		opts.Logger = testlog.Logger(log)
		s, err := session.New(session.Credentials{User: ann, Password: secret.New("correct horse")},
			imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), &opts)
		if err != nil {
			t.Fatal(err)
		}
		o.s = s
		do(o)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// in returns the messages of ann's folder.
func (o *office) in(t *testing.T, folder string) []mailtest.Message {
	t.Helper()
	list, err := o.ann.Messages(folder)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// offer is a message to bob, with a Message-ID.
const offer = "From: ann@contoso.example\nTo: Bob <BOB@contoso.example>\nSubject: Offer\nDate: Fri, 20 Nov 2026 09:30:00 +0100\nMessage-ID: <offer@contoso.example>\n\nAs agreed.\n"

func offerSource() message.Source { return message.Bytes([]byte(mailtest.CRLF(offer))) }

// send sends the offer.
func (o *office) send(t *testing.T, policy session.SentPolicy, to ...string) session.Receipt {
	t.Helper()
	rec, err := o.s.Send(t.Context(), session.Envelope{From: ann, To: to, SaveSent: policy}, offerSource())
	failed, _ := errors.AsType[*session.SendError](err)
	if (rec.Outcome == session.Accepted) != (err == nil) || failed != nil && failed.Receipt.Copy != rec.Copy {
		t.Errorf("the receipt is %+v, the error %v; want both to say the same", rec, err)
	}
	return rec
}

// TestSentPolicies: who keeps a copy, by the policy of session and envelope, and by
// what is known of the server.
func TestSentPolicies(t *testing.T) {
	for _, c := range []struct {
		session, envelope session.SentPolicy
		filesSent         bool
		want              session.CopyState
	}{
		{session.SentDefault, session.SentDefault, false, session.CopyNone},
		{session.SentNever, session.SentDefault, false, session.CopyNone},
		{session.SentAuto, session.SentDefault, false, session.CopyFiled},
		{session.SentAuto, session.SentDefault, true, session.CopyByServer},
		{session.SentAlways, session.SentDefault, true, session.CopyFiled},
		{session.SentDefault, session.SentAuto, false, session.CopyFiled},
		{session.SentAlways, session.SentNever, false, session.CopyNone},
	} {
		t.Run(fmt.Sprintf("%v, %v, %v", c.session, c.envelope, c.filesSent), func(t *testing.T) {
			inOffice(t, session.Options{SaveSent: c.session}, c.filesSent, func(o *office) {
				t := o.t
				if got, want := o.s.SavesSent(session.Envelope{SaveSent: c.envelope}), c.want == session.CopyFiled; got != want {
					t.Errorf("SavesSent = %v, want %v", got, want)
				}
				rec := o.send(t, c.envelope, bob)
				if rec.Copy.State != c.want || rec.Copy.Err != nil {
					t.Errorf("the copy is %+v, want %v", rec.Copy, c.want)
				}
				there := o.in(t, "Sent")
				if got := len(there); got != bToI(c.want == session.CopyFiled) {
					t.Fatalf("%d copies", got)
				}
				if len(there) > 0 && (there[0].Raw != mailtest.CRLF(offer) || len(there[0].Flags) != 1 || there[0].Flags[0] != mailtest.Seen) {
					t.Errorf("the copy has the flags %q and reads\n%s", there[0].Flags, there[0].Raw)
				}
				if c.want == session.CopyFiled {
					if m, err := o.s.Read(t.Context(), rec.Copy.ID); err != nil || m.Header.MessageID() != rec.MessageID {
						t.Errorf("the copy's id does not lead to it: %v", err)
					}
				}
			})
		})
	}
}

// TestASavedDraftKeepsItsCopy: a draft that was sent is the copy where one is to be
// kept, and is removed elsewhere; where it cannot be kept, it stays.
func TestASavedDraftKeepsItsCopy(t *testing.T) {
	for name, c := range map[string]struct {
		policy       session.SentPolicy
		filesSent    bool
		noSent       bool
		want         session.CopyState
		drafts, sent int
	}{
		"kept":          {session.SentAuto, false, false, session.CopyFiled, 0, 1},
		"by the server": {session.SentAuto, true, false, session.CopyByServer, 0, 0},
		"never":         {session.SentDefault, false, false, session.CopyNone, 0, 0},
		"nowhere":       {session.SentAuto, false, true, session.CopyFailed, 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inOffice(t, session.Options{SaveSent: c.policy}, c.filesSent, func(o *office) {
				t := o.t
				if c.noSent {
					if err := o.ann.DeleteFolder("Sent"); err != nil {
						t.Fatal(err)
					}
				}
				id, err := o.s.SaveDraft(t.Context(), &message.Draft{
					From: mail.Address{Address: ann}, To: []mail.Address{{Address: bob}}, Subject: "Offer", Text: "As agreed.\n",
				}, nil)
				if err != nil {
					t.Fatal(err)
				}
				rec, err := o.s.SendSavedDraft(t.Context(), id, nil)
				if (err != nil) != c.noSent || rec.Outcome != session.Accepted || rec.Copy.State != c.want {
					t.Errorf("SendSavedDraft = %+v, %v, want it accepted and the copy %v", rec, err, c.want)
				}
				if got := len(o.in(t, "Drafts")); got != c.drafts {
					t.Errorf("%d drafts, want %d", got, c.drafts)
				}
				if c.noSent {
					return
				}
				if got := len(o.in(t, "Sent")); got != c.sent {
					t.Errorf("%d copies, want %d", got, c.sent)
				}
				if c.sent > 0 {
					if m, err := o.s.Read(t.Context(), rec.Copy.ID); err != nil || m.Header.Subject() != "Offer" {
						t.Errorf("the copy's id does not lead to it: %v", err)
					}
				}
			})
		})
	}
}

func bToI(b bool) int {
	if b {
		return 1
	}
	return 0
}

// TestCopiesByOutcome: what was accepted for anybody is filed; what was not, or may
// not have been, is not.
func TestCopiesByOutcome(t *testing.T) {
	for what, c := range map[string]struct {
		fault   mailtest.Fault
		outcome session.SendOutcome
		want    session.CopyState
	}{
		"partial":  {mailtest.Reply("RCPT", "550 5.1.1 no").Containing("eve@"), session.Partial, session.CopyFiled},
		"not sent": {mailtest.Reply("MAIL", "550 5.7.1 no"), session.NotSent, session.CopyNone},
		"unknown":  {mailtest.Drop(smtptest.EndOfData, 0), session.SentUnknown, session.CopyNone},
	} {
		t.Run(what, func(t *testing.T) {
			inOffice(t, session.Options{SaveSent: session.SentAlways}, false, func(o *office) {
				t := o.t
				o.SMTP.Inject(c.fault)
				rec := o.send(t, session.SentDefault, bob, "eve@fabrikam.example")
				if rec.Outcome != c.outcome || rec.Copy.State != c.want || len(o.in(t, "Sent")) != bToI(c.want == session.CopyFiled) {
					t.Errorf("the receipt is %+v with %d copies, want %v and %v", rec, len(o.in(t, "Sent")), c.outcome, c.want)
				}
			})
		})
	}
}

// TestNoSecondCopy: a copy that the server files, before or after it was looked for,
// is the only one.
func TestNoSecondCopy(t *testing.T) {
	for what, at := range map[string]mailtest.Fault{
		"before": mailtest.Call(mailtest.Greeting, nil), "after": mailtest.Call("APPEND", nil),
	} {
		t.Run(what, func(t *testing.T) {
			inOffice(t, session.Options{SaveSent: session.SentAlways}, false, func(o *office) {
				t := o.t
				at.Call = func() {
					if _, err := o.ann.Append("Sent", mailtest.CRLF(offer), nil); err != nil {
						t.Error(err)
					}
				}
				o.IMAP.Inject(at)
				rec := o.send(t, session.SentDefault, bob)
				if rec.Copy.State != session.CopyFound || rec.Copy.ID.IsZero() || len(o.in(t, "Sent")) != 1 {
					t.Errorf("the copy is %+v of %d, want the server's alone", rec.Copy, len(o.in(t, "Sent")))
				}
				asked := slices.ContainsFunc(o.IMAP.Commands(), func(c mailtest.Command) bool { return c.Name == "APPEND" })
				if asked != (what == "after") {
					t.Errorf("one was appended: %v", asked)
				}
			})
		})
	}
}

// TestACopyThatFails: whatever goes wrong with the copy, the message was accepted,
// and Send says so.
func TestACopyThatFails(t *testing.T) {
	lost := mailtest.Drop("APPEND", 0)
	lost.Ignore = true
	for what, c := range map[string]struct {
		fault mailtest.Fault
		want  session.CopyState
		is    error
	}{
		"full":       {mailtest.Reply("APPEND", "NO [OVERQUOTA] full").Repeating(-1), session.CopyFailed, session.ErrOverQuota},
		"no sign-in": {mailtest.Refuse("AUTHENTICATE").Repeating(-1), session.CopyFailed, nil},
		"lost":       {lost, session.CopyUnknown, nil},
		"unseen":     {mailtest.Reply("SEARCH", "NO [UNAVAILABLE] later").Repeating(-1).Skipping(1), session.CopyUnknown, nil},
	} {
		t.Run(what, func(t *testing.T) {
			inOffice(t, session.Options{SaveSent: session.SentAuto}, false, func(o *office) {
				t := o.t
				o.IMAP.Inject(c.fault)
				rec, err := o.s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, offerSource())
				if err != nil || rec.Outcome != session.Accepted || rec.Copy.State != c.want || rec.Copy.Err == nil {
					t.Errorf("Send = %+v, %v; want it accepted, the copy %v, and why", rec, err, c.want)
				}
				if c.is != nil && !errors.Is(rec.Copy.Err, c.is) {
					t.Errorf("the copy: %v, want %v", rec.Copy.Err, c.is)
				}
				if what == "lost" { // asked for again, it is filed
					again, err := o.s.SaveSent(t.Context(), session.Envelope{From: ann, To: []string{bob}}, offerSource())
					if err != nil || again.State != session.CopyFiled || len(o.in(t, "Sent")) != 1 {
						t.Errorf("SaveSent = %+v, %v; want it filed", again, err)
					}
				}
			})
		})
	}
}

// TestACopyWithoutAPlace: a mailbox without a folder for it, and a session that
// cannot append.
func TestACopyWithoutAPlace(t *testing.T) {
	inOffice(t, session.Options{SaveSent: session.SentAuto}, false, func(o *office) {
		t := o.t
		if err := o.ann.DeleteFolder("Sent"); err != nil {
			t.Fatal(err)
		}
		if rec := o.send(t, session.SentDefault, bob); rec.Copy.State != session.CopyFailed || !errors.Is(rec.Copy.Err, session.ErrNoFolder) {
			t.Errorf("the copy is %+v, want ErrNoFolder", rec.Copy)
		}
	})
	inOffice(t, session.Options{SaveSent: session.SentAuto, Mode: session.SendOnly}, false, func(o *office) {
		t := o.t
		rec := o.send(t, session.SentDefault, bob)
		if e, ok := errors.AsType[*session.ModeError](rec.Copy.Err); !ok || rec.Copy.State != session.CopyFailed {
			t.Errorf("the copy is %+v (%v), want a ModeError", rec.Copy, e)
		}
	})
}

// TestBccInTheCopy: with the choice to keep them, those whom the header does not name
// are in the copy, and in nothing else.
func TestBccInTheCopy(t *testing.T) {
	inOffice(t, session.Options{SaveSent: session.SentAuto, KeepBcc: true}, false, func(o *office) {
		t := o.t
		o.send(t, session.SentDefault, bob, "carl@fabrikam.example", "dora@fabrikam.example")
		copies, there := o.in(t, "Sent"), o.SMTP.Messages()
		bcc := "Bcc: <carl@fabrikam.example>,\r\n <dora@fabrikam.example>\r\n"
		if len(copies) != 1 || copies[0].Raw != bcc+mailtest.CRLF(offer) {
			t.Errorf("the copy is\n%s", copies[0].Raw)
		}
		if len(there) != 1 || strings.Contains(there[0].Raw, "Bcc") {
			t.Errorf("sent was\n%s", there[0].Raw)
		}
		_, err := o.s.SendDraft(t.Context(), &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: bob}}, Bcc: []mail.Address{{Address: ann}}}, nil)
		if copies = o.in(t, "Sent"); err != nil || len(copies) != 2 || !strings.HasPrefix(copies[1].Raw, "Bcc: <ann@contoso.example>\r\n") {
			t.Errorf("the copy of a draft (%v) is\n%s", err, copies[len(copies)-1].Raw)
		}
	})
}

// A recipient whose mailbox has a space, and one that is named twice, stand in the copy
// once each.
func TestBccOfOddRecipients(t *testing.T) {
	inOffice(t, session.Options{SaveSent: session.SentAuto, KeepBcc: true}, false, func(o *office) {
		rec := o.send(o.t, session.SentDefault, bob, `"carl b"@fabrikam.example`, "dora@fabrikam.example", "dora@Fabrikam.example")
		copies := o.in(o.t, "Sent")
		bcc := "Bcc: <\"carl b\"@fabrikam.example>,\r\n <dora@fabrikam.example>\r\n"
		if len(copies) != 1 || copies[0].Raw != bcc+mailtest.CRLF(offer) {
			o.t.Errorf("the copies are %+v (%v), want one with %q", copies, rec.Copy.Err, bcc)
		}
	})
}

// TestFindSent looks in the folder of sent mail, then in that of all mail, and
// passes drafts over.
func TestFindSent(t *testing.T) {
	inOffice(t, session.Options{}, false, func(o *office) {
		t := o.t
		if _, err := o.s.FindSent(t.Context(), "<offer@contoso.example>"); !errors.Is(err, session.ErrNoMessage) {
			t.Errorf("nothing was sent: %v, want ErrNoMessage", err)
		}
		if err := o.ann.CreateFolder("Everything", mailtest.RoleAll); err != nil {
			t.Fatal(err)
		}
		if _, err := o.ann.Append("Everything", mailtest.CRLF(offer), &mailtest.AppendOptions{Flags: []string{mailtest.Draft}}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.s.FindSent(t.Context(), "offer@contoso.example"); !errors.Is(err, session.ErrNoMessage) {
			t.Errorf("a draft: %v, want ErrNoMessage", err)
		}
		if _, err := o.ann.Append("Everything", mailtest.CRLF(strings.Replace(offer, "<offer", "<another.offer", 1)), nil); err != nil {
			t.Fatal(err)
		}
		if _, err := o.s.FindSent(t.Context(), "offer@contoso.example"); !errors.Is(err, session.ErrNoMessage) {
			t.Errorf("a Message-ID that contains it: %v, want ErrNoMessage", err)
		}
		if _, err := o.ann.Append("Everything", mailtest.CRLF(offer), nil); err != nil {
			t.Fatal(err)
		}
		if m, err := o.s.FindSent(t.Context(), "offer@contoso.example"); err != nil || m.Header.Subject() != "Offer" {
			t.Errorf("FindSent = %v, %v; want the message", m, err)
		}
		if _, err := o.s.FindSent(t.Context(), "<>"); err == nil {
			t.Error("no Message-ID is looked for")
		}
	})
}
