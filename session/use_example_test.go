package session_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/mail"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// order is a message with a file.
const order = `From: Bob <bob@contoso.example>
To: Ann <ann@contoso.example>
Subject: Order 7
Date: Tue, 03 Nov 2026 10:11:12 +0000
Message-ID: <7@contoso.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain

Two boxes, please.
--b
Content-Type: application/pdf
Content-Disposition: attachment; filename="../order 7.pdf"

%PDF
--b--
`

// orders returns a Session over a mailbox with an order in it, and the id of that. The
// function ends both.
func orders() (s *session.Session, provider *presettest.Provider, id session.ID, end func()) {
	provider = presettest.NewProvider(nil)
	ann := provider.Add("ann@contoso.example", secret.New("correct horse"))
	provider.Add("bob@contoso.example", secret.New("correct horse"))
	if _, err := ann.Append("INBOX", mailtest.CRLF(order), nil); err != nil {
		log.Fatal(err)
	}
	known := provider.Preset()
	creds := session.Credentials{User: ann.Address(), Password: secret.New("correct horse")}
	s, err := session.New(creds, imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	m, err := s.WaitFor(context.Background(), session.Query{}, nil)
	if err != nil {
		log.Fatal(err)
	}
	return s, provider, m.ID, func() {
		_ = s.Close()
		provider.Close()
	}
}

// Read gives a message as people see it, and its files under names that are safe.
func ExampleSession_Read() {
	s, _, id, end := orders()
	defer end()
	m, err := s.Read(context.Background(), id)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(m.Header.Subject(), "from", m.Header.From()[0].Name)
	fmt.Println(m.ReadableText())
	for _, a := range m.Attachments {
		fmt.Println(a.FileName(), a.ContentType, a.Size())
	}
	// Output:
	// Order 7 from Bob
	// Two boxes, please.
	// order 7.pdf application/pdf 4
}

// Apply tells what became of each message by itself.
func ExampleSession_Apply() {
	s, provider, id, end := orders()
	defer end()
	change := session.Change{Set: session.Flags{session.Seen}, MoveTo: session.Archive}
	results, err := s.Apply(context.Background(), change, id)
	for _, r := range results {
		if r.Err != nil {
			fmt.Println(r.Outcome, r.Err) // of this message; the others are changed
		}
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(results[0].Outcome, "under a new id:", !results[0].NewID.IsZero())

	ann, _ := provider.Box.Account("ann@contoso.example")
	filed, err := ann.Messages("Archive")
	fmt.Println(len(filed), filed[0].Flags, err)
	// Output:
	// done under a new id: true
	// 1 [\Seen] <nil>
}

// A program sends in the name of a mailbox that an administrator has opened to it:
// nobody signs in.
func ExampleSession_SendDraft() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	provider.Add("bob@contoso.example", secret.Text{})
	provider.AddShared("invoices@contoso.example")
	app, err := provider.App(preset.SMTP) // oauth.ClientCredentials, of a real one
	if err != nil {
		fmt.Println(err)
		return
	}

	invoice := func(ctx context.Context, p preset.Provider, app *oauth.App) error {
		s, err := session.New(session.Credentials{User: "invoices@contoso.example", Tokens: app}, nil, smtpx.Backend(p.SMTP, nil), nil)
		if err != nil {
			return err
		}
		defer s.Close()
		receipt, err := s.SendDraft(ctx, &message.Draft{
			From:    mail.Address{Name: "Contoso", Address: s.User()},
			To:      []mail.Address{{Name: "Bob", Address: "bob@contoso.example"}},
			Subject: "Invoice 4711",
			Text:    "As agreed.\n",
		}, nil)
		fmt.Println(receipt.Outcome)
		return err
	}
	fmt.Println(invoice(context.Background(), provider.Preset(), app))
	// Output:
	// accepted
	// <nil>
}

// An answer quotes what it answers, and shows a picture.
func ExampleSession_SendDraft_answer() {
	s, provider, id, end := orders()
	defer end()
	ctx := context.Background()
	me := mail.Address{Name: "Ann", Address: s.User()}

	m, err := s.Read(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := message.Reply(m, message.ReplyOptions{
		From: me, HTML: `<p>They are on their way.</p><img src="cid:logo@contoso.example" alt="Contoso">`, Quote: true,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	picture := message.Bytes([]byte("\x89PNG\r\n\x1a\n")) // message.File("logo.png") reads a file
	answer.Files = append(answer.Files, message.DraftFile{Name: "logo.png", ContentID: "logo@contoso.example", Content: picture})
	receipt, err := s.SendDraft(ctx, answer, nil)
	if _, refused := errors.AsType[*session.SendError](err); refused {
		fmt.Println(receipt.Outcome, receipt.Recipients) // who got it, and who did not and why
	} else if err != nil {
		fmt.Println(err)
		return
	}
	_, err = s.Apply(ctx, session.Change{Set: session.Flags{session.Answered}}, id)
	fmt.Println(receipt.Outcome, err)

	sent := message.ParseHeader([]byte(provider.SMTP.Messages()[0].Raw))
	fmt.Println(sent.Subject(), sent.InReplyTo())
	// Output:
	// accepted <nil>
	// Re: Order 7 [7@contoso.example]
}

// What came with a message goes on with it.
func ExampleSession_SendDraft_forward() {
	s, provider, id, end := orders()
	defer end()
	ctx := context.Background()
	m, err := s.Read(ctx, id)
	if err != nil {
		fmt.Println(err)
		return
	}
	onward, err := message.Forward(m, message.ForwardOptions{
		From: mail.Address{Address: s.User()}, To: []mail.Address{{Address: "bob@contoso.example"}}, Text: "Can you do that?\n",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := s.SendDraft(ctx, onward, nil)
	fmt.Println(receipt.Outcome, err)

	bob, _ := provider.Box.Account("bob@contoso.example")
	got, err := bob.Messages("INBOX")
	fmt.Println(len(got), err, onward.Subject, onward.Files[0].Name)
	// Output:
	// accepted <nil>
	// 1 <nil> Fwd: Order 7 ../order 7.pdf
}
