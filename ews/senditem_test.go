package ews_test

import (
	"bytes"
	"errors"
	"fmt"
	netmail "net/mail"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// large returns a message to Bob with files of so many bytes, and an envelope that
// has it go to Carol as well.
func large(t *testing.T, sizes ...int) (session.Envelope, message.Source) {
	t.Helper()
	d := letterWith(sizes...)
	d.To = []netmail.Address{{Name: "Bob", Address: bob}}
	m, err := d.Source()
	if err != nil {
		t.Fatal(err)
	}
	return session.Envelope{From: ann, To: []string{bob, carol}}, m
}

// newLargeSender returns a Sender to a server that takes requests of up to a million
// bytes.
func newLargeSender(t *testing.T, version ewstest.Version) (*bed, *ews.Sender) {
	t.Helper()
	return newSenderTo(t, ewstest.Options{Version: version, MaxRequest: 1_000_000})
}

// made returns the requests of an operation.
func (b *bed) made(operation string) []ewstest.Request {
	return slices.DeleteFunc(b.server.Requests(), func(r ewstest.Request) bool { return r.Operation != operation })
}

// TestLargeMessage: a message that is larger than a request may be arrives with all
// that is attached, at those in its blind copy too, and one copy is filed where the
// envelope wants it. No draft is left.
func TestLargeMessage(t *testing.T) {
	for _, version := range ewstest.Versions() {
		for policy, filed := range map[session.SentPolicy]int{session.SentAuto: 1, session.SentNever: 0} {
			t.Run(fmt.Sprint(version, policy), func(t *testing.T) {
				b, s := newLargeSender(t, version)
				e, m := large(t, 600_000, 500_000, 10)
				e.SaveSent, e.Reports = policy, &session.DeliveryReports{Success: true, Failure: true}
				receipt, err := s.Send(t.Context(), e, m)
				if err != nil || receipt.Outcome != session.Accepted || len(receipt.Recipients) != 2 {
					t.Fatalf("Send = %+v, %v, want accepted for two", receipt, err)
				}
				sent := b.server.Sent()
				if len(sent) != 1 || !slices.Equal(sent[0].Recipients, []string{bob, carol}) || strings.Contains(sent[0].Raw, carol) {
					t.Fatalf("the server sent %d messages, want one to both that does not name Carol", len(sent))
				}
				got, err := message.Parse(strings.NewReader(sent[0].Raw), nil)
				if err != nil {
					t.Fatal(err)
				}
				if got.Header.MessageID() != receipt.MessageID || got.Header.Get("Return-Receipt-To") == "" || !strings.Contains(got.Text, "--not a boundary") {
					t.Errorf("the message %q says %q", got.Header.MessageID(), got.Text)
				}
				for i, size := range []int{600_000, 500_000, 10} {
					if want := bytes.Repeat([]byte{byte('a' + i)}, size); !bytes.Equal(got.Attachments[i].Content, want) {
						t.Errorf("attachment %d is not what was sent", i)
					}
				}
				if copies, drafts := b.inbox(t, ann, "Sent"), len(b.drafts(t)); copies != filed || drafts != 0 {
					t.Errorf("%d copies are filed and %d drafts left, want %d and none", copies, drafts, filed)
				}
			})
		}
	}
}

// TestLargeMessageThatIsRefused: nothing was sent, and no draft is left, wherever the
// server refuses; what can be no draft, or is too large for the mailbox, is not tried.
func TestLargeMessageThatIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			sizes  []int
			faults []mailtest.Fault
			want   string
			pieces int
		}{
			"one attachment is too large":     {[]int{10, 900_000}, nil, "413", 1},
			"the mailbox takes nothing large": {[]int{10, 20}, []mailtest.Fault{ewstest.Failing("CreateItem", "ErrorMessageSizeExceeded")}, "ErrorMessageSizeExceeded", 0},
			"an attachment is refused":        {[]int{600_000, 500_000}, []mailtest.Fault{ewstest.Failing("CreateAttachment", "ErrorQuotaExceeded").Skipping(1)}, "ErrorQuotaExceeded", 2},
			"an attachment is lost":           {[]int{600_000, 500_000}, []mailtest.Fault{mailtest.Drop("CreateAttachment", 0)}, "CreateAttachment", 1},
			"the draft is refused":            {[]int{600_000, 500_000}, []mailtest.Fault{ewstest.Failing("SendItem", "ErrorSendAsDenied")}, "ErrorSendAsDenied", 2},
			"the whole is too large":          {[]int{600_000, 500_000}, []mailtest.Fault{ewstest.Failing("SendItem", "ErrorMessageSizeExceeded")}, "ErrorMessageSizeExceeded", 2},
		} {
			b, s := newLargeSender(t, ewstest.Exchange2016)
			b.server.Inject(tt.faults...)
			e, m := large(t, tt.sizes...)
			receipt, err := s.Send(t.Context(), e, m)
			testlog.Error(t, err)
			if err == nil || receipt.Outcome != session.NotSent || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v, %v, want not sent, %s", name, receipt.Outcome, err, tt.want)
			}
			if sent, drafts := len(b.server.Sent()), len(b.drafts(t)); sent != 0 || drafts != 0 {
				t.Errorf("%s: %d messages were sent and %d drafts are left", name, sent, drafts)
			}
			if n := len(b.made("CreateAttachment")); n != tt.pieces {
				t.Errorf("%s: %d pieces were attached, want %d", name, n, tt.pieces)
			}
		}
	})
}

// TestLargeMessageThatStaysADraft: where the draft cannot be removed, the error names
// it, and yet tells that nothing was sent.
func TestLargeMessageThatStaysADraft(t *testing.T) {
	b, s := newLargeSender(t, ewstest.Exchange2016)
	b.server.Inject(ewstest.Failing("SendItem", "ErrorSendAsDenied"), ewstest.Failing("DeleteItem", "ErrorAccessDenied"))
	e, m := large(t, 600_000, 500_000)
	receipt, err := s.Send(t.Context(), e, m)
	if err == nil || receipt.Outcome != session.NotSent || !strings.Contains(err.Error(), "is left as") || len(b.drafts(t)) != 1 {
		t.Errorf("Send: %v, %v; want not sent, and the draft that is left", receipt.Outcome, err)
	}
}

// TestALostAnswerAboutADraft: the copy in the folder of sent mail, or that the draft is
// gone, tells that the message went out. Where the draft is still there, nobody knows,
// and it is not sent again.
func TestALostAnswerAboutADraft(t *testing.T) {
	undone := mailtest.Drop("SendItem", 0)
	undone.Ignore = true
	for name, tt := range map[string]struct {
		fault  mailtest.Fault
		policy session.SentPolicy
		want   session.SendOutcome
		sent   int
	}{
		"sent and filed":        {mailtest.Drop("SendItem", 20), session.SentAuto, session.Accepted, 1},
		"sent without a copy":   {mailtest.Drop("SendItem", 20), session.SentNever, session.Accepted, 1},
		"not sent":              {undone, session.SentAuto, session.SentUnknown, 0},
		"not sent, and no copy": {undone, session.SentNever, session.SentUnknown, 0},
		"trouble inside":        {ewstest.Failing("SendItem", "ErrorItemSave"), session.SentAuto, session.SentUnknown, 0},
	} {
		b, s := newLargeSender(t, ewstest.Exchange2016)
		b.server.Inject(tt.fault)
		e, m := large(t, 600_000, 500_000)
		e.SaveSent = tt.policy
		receipt, err := s.Send(t.Context(), e, m)
		testlog.Error(t, err)
		if receipt.Outcome != tt.want || (err == nil) != (tt.want == session.Accepted) || len(b.server.Sent()) != tt.sent {
			t.Errorf("%s: %v, %v, and the server sent %d; want %v and %d", name, receipt.Outcome, err, len(b.server.Sent()), tt.want, tt.sent)
		}
		if tries, drafts := len(b.made("SendItem")), len(b.drafts(t)); tries != 1 || drafts != 1-tt.sent {
			t.Errorf("%s: SendItem was asked for %d times and %d drafts are left, want once and %d", name, tries, drafts, 1-tt.sent)
		}
	}
}

// TestDraftThatSomebodyChanges: a draft is sent as it was put together, or not at all.
func TestDraftThatSomebodyChanges(t *testing.T) {
	b, s := newLargeSender(t, ewstest.Exchange2016)
	b.server.Inject(mailtest.Call("SendItem", func() {
		if err := b.account.AddFlags("Drafts", []string{mailtest.Flagged}, b.drafts(t)[0].UID); err != nil {
			t.Error(err)
		}
	}))
	e, m := large(t, 600_000, 500_000)
	receipt, err := s.Send(t.Context(), e, m)
	if !errors.Is(err, session.ErrChanged) || receipt.Outcome != session.NotSent || len(b.server.Sent()) != 0 {
		t.Errorf("Send: %v, %v; want that it is not sent, since it changed", receipt.Outcome, err)
	}
}

// TestAMessageIsAttachedAsOne: in pieces as well, under its subject.
func TestAMessageIsAttachedAsOne(t *testing.T) {
	for _, version := range ewstest.Versions() {
		b, s := newLargeSender(t, version)
		raw := "From: " + ann + "\r\nTo: " + bob + "\r\nMessage-ID: <fwd@example.com>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nSee.\r\n" +
			"--b\r\nContent-Type: message/rfc822\r\n\r\n" + invoice + "\r\n" +
			"--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + strings.Repeat("QUJD", 230_000) + "\r\n--b--\r\n"
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte(raw)))
		if err != nil || receipt.Outcome != session.Accepted {
			t.Fatalf("%s: %v, %v; want it accepted", version, receipt.Outcome, err)
		}
		if made := b.made("CreateAttachment"); len(made) != 2 || !strings.Contains(made[0].Body, "<t:ItemAttachment><t:Name>Invoice 7</t:Name>") {
			t.Errorf("%s: %d pieces were attached, and the first not as a message", version, len(made))
		}
		got, err := message.Parse(strings.NewReader(b.server.Sent()[0].Raw), nil)
		if err != nil || len(got.Attachments) != 2 || got.Attachments[0].ContentType != "message/rfc822" || !strings.Contains(string(got.Attachments[0].Content), "As agreed.") {
			t.Errorf("%s: the message has %d attachments, %v; want a message and a file", version, len(got.Attachments), err)
		}
	}
}
