package ews_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

const (
	bob   = "bob@example.com"
	carol = "carol@example.com"
)

// invoice is a message to Bob.
const invoice = "From: Ann <" + ann + ">\r\nTo: Bob <" + bob + ">\r\nSubject: Invoice 7\r\nMessage-ID: <7@example.com>\r\nDate: Fri, 20 Nov 2026 09:30:00 +0100\r\n\r\nAs agreed.\r\n"

// newSender returns a bed whose Sender is given the usual password.
func newSender(t *testing.T) (*bed, *ews.Sender) {
	t.Helper()
	return newSenderTo(t, ewstest.Options{})
}

// newSenderTo is newSender for a server that is not the usual one.
func newSenderTo(t *testing.T, o ewstest.Options) (*bed, *ews.Sender) {
	t.Helper()
	b := newBed(t, settings{server: o})
	b.box.Add(bob, password())
	b.box.Add(carol, password())
	log := testlog.New(t)
	at := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial, Transcript: log}
	s, err := ews.NewSender(at, session.Credentials{User: ann, Password: password()}, &ews.Options{Logger: testlog.Logger(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return b, s
}

// inbox returns how many messages somebody has.
func (b *bed) inbox(t *testing.T, address, folder string) int {
	t.Helper()
	account, ok := b.box.Account(address)
	if !ok {
		t.Fatalf("there is no account %s", address)
	}
	all, err := account.Messages(folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(all)
}

// TestSendOnce: who is not named in the message gets a blind copy, and the server
// files one, unless it is told not to.
func TestSendOnce(t *testing.T) {
	for policy, filed := range map[session.SentPolicy]int{session.SentDefault: 1, session.SentAuto: 1, session.SentNever: 0} {
		b, s := newSender(t)
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob, carol}, SaveSent: policy}, message.Bytes([]byte(invoice)))
		if err != nil || receipt.Outcome != session.Accepted || receipt.MessageID != "7@example.com" || len(receipt.Recipients) != 2 {
			t.Errorf("Send = %+v, %v, want accepted for two", receipt, err)
		}
		if sent := b.server.Sent(); len(sent) != 1 || !slices.Equal(sent[0].Recipients, []string{bob, carol}) || strings.Contains(sent[0].Raw, carol) {
			t.Errorf("the server sent %+v, want one message to both that does not name Carol", sent)
		}
		if got := b.inbox(t, ann, "Sent"); got != filed {
			t.Errorf("with the policy %v %d copies are filed, want %d", policy, got, filed)
		}
	}
}

// TestWhatEWSCannotSay is refused before anything is sent.
func TestWhatEWSCannotSay(t *testing.T) {
	for name, tt := range map[string]struct {
		envelope session.Envelope
		raw      string
		want     string
	}{
		"the null sender":                     {session.Envelope{To: []string{bob}}, invoice, "null sender"},
		"bounces to somebody else":            {session.Envelope{From: carol, To: []string{bob}}, invoice, carol},
		"TLS all the way":                     {session.Envelope{From: ann, To: []string{bob}, RequireTLS: true}, invoice, "REQUIRETLS"},
		"delivery in time":                    {session.Envelope{From: ann, To: []string{bob}, DeliverBy: &session.DeliverBy{Within: time.Hour}}, invoice, "DELIVERBY"},
		"no report of failure":                {session.Envelope{From: ann, To: []string{bob}, Reports: &session.DeliveryReports{}}, invoice, "reports failure"},
		"a message that names somebody else":  {session.Envelope{From: ann, To: []string{carol}}, invoice, bob},
		"a blind copy that nobody is to have": {session.Envelope{From: ann, To: []string{bob}}, "Bcc: " + carol + "\r\n" + invoice, carol},
	} {
		b, s := newSender(t)
		receipt, err := s.Send(t.Context(), tt.envelope, message.Bytes([]byte(tt.raw)))
		if !errors.Is(err, errors.ErrUnsupported) || receipt.Outcome != session.NotSent || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, %v, want not sent, unsupported, %q", name, receipt.Outcome, err, tt.want)
		}
		if n := len(b.server.Requests()); n != 0 {
			t.Errorf("%s: %d requests were made", name, n)
		}
	}
	_, s := newSender(t)
	for _, to := range [][]string{nil, {"bob"}, {"Bob <" + bob + ">"}, {bob + "\r\n"}, {""}} {
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: to}, message.Bytes([]byte(invoice)))
		if err == nil || receipt.Outcome != session.NotSent {
			t.Errorf("to %q: %v, %v, want not sent", to, receipt.Outcome, err)
		}
	}
}

// TestReportsOfSuccess are the one kind that can be asked for.
func TestReportsOfSuccess(t *testing.T) {
	b, s := newSender(t)
	e := session.Envelope{From: ann, To: []string{bob}, Reports: &session.DeliveryReports{Success: true, Failure: true}}
	if _, err := s.Send(t.Context(), e, message.Bytes([]byte(invoice))); err != nil {
		t.Error(err)
	}
	all := b.server.Requests()
	if !strings.Contains(all[len(all)-1].Body, "<t:IsDeliveryReceiptRequested>true</t:IsDeliveryReceiptRequested>") {
		t.Errorf("the request does not ask for it")
	}
}

// TestALostAnswerIsLookedFor: the folder of sent mail tells that the message went
// out; where no copy is filed, nobody knows.
func TestALostAnswerIsLookedFor(t *testing.T) {
	for policy, want := range map[session.SentPolicy]session.SendOutcome{session.SentAuto: session.Accepted, session.SentNever: session.SentUnknown} {
		b, s := newSender(t)
		b.server.Inject(mailtest.Drop("CreateItem", 20))
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}, SaveSent: policy}, message.Bytes([]byte(invoice)))
		testlog.Error(t, err)
		if receipt.Outcome != want || (err == nil) != (want == session.Accepted) || b.inbox(t, bob, "INBOX") != 1 {
			t.Errorf("with the policy %v: %v, %v, want %v; Bob has %d", policy, receipt.Outcome, err, want, b.inbox(t, bob, "INBOX"))
		}
	}
}

// TestWhatTheServerSaysOfAMessage: refusals are known for certain, trouble inside the
// server is not, and a busy server is waited for.
func TestWhatTheServerSaysOfAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, tt := range map[string]struct {
			fault mailtest.Fault
			want  session.SendOutcome
			sent  int
		}{
			"not allowed":                 {ewstest.Failing("CreateItem", "ErrorSendAsDenied"), session.NotSent, 0},
			"too large":                   {ewstest.Failing("CreateItem", "ErrorMessageSizeExceeded"), session.NotSent, 0},
			"trouble inside":              {ewstest.Failing("CreateItem", "ErrorItemSave"), session.SentUnknown, 0},
			"trouble that passes":         {ewstest.Failing("CreateItem", "ErrorInternalServerTransientError"), session.SentUnknown, 0},
			"trouble with the whole":      {ewstest.FailingWhole("CreateItem", "ErrorInternalServerError"), session.SentUnknown, 0},
			"busy":                        {ewstest.Busy("CreateItem", time.Minute), session.Accepted, 1},
			"busy, told as of the item":   {ewstest.BusyItems("CreateItem", time.Minute), session.Accepted, 1},
			"busy, told by the front end": {ewstest.Unavailable("CreateItem", time.Minute), session.Accepted, 1},
		} {
			b, s := newSender(t)
			b.server.Inject(tt.fault)
			receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte(invoice)))
			testlog.Error(t, err)
			if receipt.Outcome != tt.want || len(b.server.Sent()) != tt.sent {
				t.Errorf("%s: %v, %v, and the server sent %d; want %v and %d", name, receipt.Outcome, err, len(b.server.Sent()), tt.want, tt.sent)
			}
		}
	})
}

// TestCheckOfAWayOut ends at the mailbox.
func TestCheckOfAWayOut(t *testing.T) {
	_, s := newSender(t)
	report := s.Check(t.Context(), nil)
	if err := report.Err(); err != nil {
		t.Errorf("Check: %v", err)
	}
	if last := report.Stages[len(report.Stages)-1]; last.Stage != session.StageSender || last.Outcome != session.CheckSkipped {
		t.Errorf("the last stage is %+v, want the sender, skipped", last)
	}
}

// TestSentToOthersBefore: a message that goes to one recipient after the other, of whom it
// names none, has one Message-ID. What was filed of it for the first does not prove that
// it left for the second.
func TestSentToOthersBefore(t *testing.T) {
	circular := message.Bytes([]byte("From: " + ann + "\r\nSubject: To all\r\nMessage-ID: <all@example.com>\r\n\r\nHello.\r\n"))
	for name, want := range map[string]session.SendOutcome{"done": session.Accepted, "undone": session.SentUnknown} {
		b, s := newSender(t)
		if _, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob}}, circular); err != nil {
			t.Fatal(err)
		}
		fault := mailtest.Drop("CreateItem", 0)
		fault.Ignore = name == "undone"
		b.server.Inject(fault)
		receipt, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{carol}}, circular)
		if receipt.Outcome != want {
			t.Errorf("%s: the outcome is %v, %v; want %v", name, receipt.Outcome, err, want)
		}
		if n := b.inbox(t, carol, "INBOX"); (n == 1) != (name == "done") {
			t.Errorf("%s: Carol has %d messages", name, n)
		}
	}
}
