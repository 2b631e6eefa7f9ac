package yourtests

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// mailbox returns a mailbox with an invoice and another message in it, the server in
// front of it, and a Session that opens it: in memory, so that a test costs no
// time, whatever it waits for.
func mailbox(t *testing.T) (*mailtest.Account, *imaptest.Server, *session.Session) {
	t.Helper()
	box := mailtest.New()
	ann := box.Add("ann@example.com", secret.New("correct horse"))
	for _, subject := range []string{"Invoice 7", "Lunch?"} {
		if _, err := ann.Append("INBOX", mailtest.CRLF("From: bob@example.org\nSubject: "+subject+"\n\nAs agreed.\n"), nil); err != nil {
			t.Fatal(err)
		}
	}
	server := imaptest.New(box, nil)
	t.Cleanup(func() { _ = server.Close() })
	at := session.Server{Host: "imap.example.com", Dial: server.Dial, Security: session.None, AllowPlainAuth: true}
	s, err := session.New(session.Credentials{User: ann.Address(), Password: secret.New("correct horse")}, imapx.Backend(at, nil), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return ann, server, s
}

// TestInvoicesAreFiled looks into the mailbox to see what the program did.
func TestInvoicesAreFiled(t *testing.T) {
	ann, _, s := mailbox(t)
	n, err := FileInvoices(t.Context(), s, session.Archive)
	if n != 1 || err != nil {
		t.Errorf("FileInvoices = %d, %v, want 1", n, err)
	}
	if left, err := ann.Messages("INBOX"); len(left) != 1 || err != nil {
		t.Errorf("%d messages are left, %v, want 1", len(left), err)
	}
}

// TestTheServerLosesTheLine has the server go away when it is asked to move. What it
// did before it went is not known, and the program must not say that it was done.
func TestTheServerLosesTheLine(t *testing.T) {
	_, server, s := mailbox(t)
	server.Inject(mailtest.Drop("MOVE", 0))
	if n, err := FileInvoices(t.Context(), s, session.Archive); n != 0 || err == nil {
		t.Errorf("FileInvoices = %d, %v, want an error", n, err)
	}
}

// TestTheServerFallsSilent waits for minutes in no time: its clock is that of the
// bubble.
func TestTheServerFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, server, s := mailbox(t)
		server.Inject(mailtest.Silence("SEARCH"))
		if _, err := FileInvoices(t.Context(), s, session.Archive); err == nil || errors.Is(err, session.ErrClosed) {
			t.Errorf("FileInvoices = %v, want an error that names the silence", err)
		}
	})
}
