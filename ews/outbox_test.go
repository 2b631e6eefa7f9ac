package ews_test

import (
	netmail "net/mail"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// queued is an outbox that sends through Exchange, with two messages in it. It belongs
// into a bubble.
func queued(t *testing.T) (*bed, *outbox.Outbox) {
	t.Helper()
	b := newBed(t, settings{})
	b.box.Add(bob, password())
	log := testlog.New(t)
	at := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial, Transcript: log}
	s, err := session.New(session.Credentials{User: ann, Password: password()}, nil, ews.Outgoing(at, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	box, err := outbox.New(state.NewMemory(), s, &outbox.Options{Logger: testlog.Logger(log)})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"a", "b"} {
		d := &message.Draft{From: netmail.Address{Address: ann}, To: []netmail.Address{{Address: bob}}, Subject: key, Text: "As agreed.\n"}
		if _, err := box.EnqueueDraft(t.Context(), key, d); err != nil {
			t.Fatal(err)
		}
	}
	return b, box
}

// states returns in which states the two messages are, and how often both were tried.
func states(t *testing.T, box *outbox.Outbox) (a, b outbox.State, tries int) {
	t.Helper()
	first, err := box.Entry(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	second, err := box.Entry(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	return first.State, second.State, first.Tries + second.Tries
}

// TestWhatHoldsAnOutbox: what a machine before Exchange answers, and what Exchange says
// of the mailbox, gives no message up. One is tried, and all go out once the way is free.
func TestWhatHoldsAnOutbox(t *testing.T) {
	for name, fault := range map[string]mailtest.Fault{
		"no EWS at the door":         mailtest.Reply("GetFolder", "404 Not Found"),
		"a gateway that is broken":   mailtest.Reply("GetFolder", "500 Internal Server Error"),
		"a firewall":                 mailtest.Reply("CreateItem", "403 Forbidden"),
		"no EWS at the path":         mailtest.Reply("CreateItem", "404 Not Found"),
		"no EWS at all":              mailtest.Reply("CreateItem", "405 Method Not Allowed"),
		"a page to sign in":          mailtest.Reply("CreateItem", "HTTP/1.1 302 Found\r\nLocation: https://mail.example.com/owa/auth/logon.aspx\r\nContent-Length: 0\r\n\r\n"),
		"a proxy":                    mailtest.Reply("CreateItem", "407 Proxy Authentication Required"),
		"an account that is blocked": mailtest.Reply("CreateItem", "ErrorAccountDisabled: The account is disabled."),
		"a password that is too old": mailtest.Reply("CreateItem", "ErrorPasswordExpired: The password has expired."),
		"no impersonation":           mailtest.Reply("CreateItem", "fault ErrorImpersonateUserDenied: The account does not have permission to impersonate."),
		"somebody else's mailbox":    mailtest.Reply("CreateItem", "ErrorAccessDenied: Access is denied."),
		"no mailbox":                 mailtest.Reply("CreateItem", "ErrorNonExistentMailbox: The SMTP address has no mailbox associated with it."),
		"enough sent":                mailtest.Reply("CreateItem", "ErrorSubmissionQuotaExceeded: The quota is exceeded."),
		"a full mailbox":             mailtest.Reply("CreateItem", "ErrorQuotaExceeded: The mailbox is full."),
		"no folder of sent mail":     mailtest.Reply("CreateItem", "ErrorFolderNotFound: The specified folder could not be found in the store."),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bed, box := queued(t)
				bed.server.Inject(fault)
				if err := box.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				if a, b, tries := states(t, box); a != outbox.StateNew || b != outbox.StateNew || tries != 1 {
					t.Errorf("the messages are %v and %v after %d tries, want both new after one", a, b, tries)
				}
				<-time.After(10 * time.Minute)
				if err := box.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				if a, b, _ := states(t, box); a != outbox.StateSent || b != outbox.StateSent {
					t.Errorf("the messages are %v and %v afterwards, want both sent", a, b)
				}
			})
		})
	}
}

// TestABusyServerHoldsAnOutbox for longer than one message is tried.
func TestABusyServerHoldsAnOutbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bed, box := queued(t)
		bed.server.Inject(ewstest.Busy("CreateItem", 0).Repeating(100))
		if err := box.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if a, b, tries := states(t, box); a != outbox.StateNew || b != outbox.StateNew || tries != 1 {
			t.Errorf("the messages are %v and %v after %d tries, want both new after one", a, b, tries)
		}
	})
}

// TestWhatConcernsOneMessage gives that one up, and the other goes out.
func TestWhatConcernsOneMessage(t *testing.T) {
	for name, reply := range map[string]string{
		"who may not send as From":  "ErrorSendAsDenied: The user account does not have the right to send mail on behalf of the specified sending account.",
		"a recipient that is none":  "ErrorInvalidRecipients: At least one recipient is not valid.",
		"too many recipients":       "ErrorExceededMaxRecipientLimit: The message has too many recipients.",
		"a message that is too big": "ErrorMessageSizeExceeded: The message exceeds the maximum supported size.",
		"bytes that are no message": "ErrorMimeContentInvalid: The MIME content is invalid.",
		"what nobody knows":         "ErrorCannotSetNonCalendarPermissionOnCalendarFolder: What is that?",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				bed, box := queued(t)
				bed.server.Inject(mailtest.Reply("CreateItem", reply))
				if err := box.Drain(t.Context()); err != nil {
					t.Error(err)
				}
				a, b, tries := states(t, box)
				if failed, sent := min(a, b), max(a, b); failed != outbox.StateFailed || sent != outbox.StateSent || tries != 2 {
					t.Errorf("the messages are %v and %v after %d tries, want one failed and one sent", a, b, tries)
				}
			})
		})
	}
}
