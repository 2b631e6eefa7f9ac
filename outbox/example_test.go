package outbox_test

import (
	"context"
	"fmt"
	"net/mail"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
	"github.com/mailsession/mailsession/state"
)

// A program that does not know whether it enqueued an invoice enqueues it again, and
// it goes out once.
func Example() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	for _, address := range []string{"ann@contoso.example", "bob@contoso.example"} {
		provider.Add(address, secret.New("correct horse"))
	}
	known := provider.Preset()
	s, err := session.New(session.Credentials{User: "ann@contoso.example", Password: secret.New("correct horse")},
		imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), &session.Options{SaveSent: session.SentAuto})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	box, err := outbox.New(state.NewMemory(), s, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for range 2 {
		invoice := &message.Draft{
			From:    mail.Address{Name: "Ann", Address: "ann@contoso.example"},
			To:      []mail.Address{{Address: "bob@contoso.example"}},
			Subject: "Invoice 4711",
			Text:    "As agreed.\n",
		}
		if _, err := box.EnqueueDraft(ctx, "invoice-4711", invoice); err != nil {
			fmt.Println(err)
		}
	}
	if err := box.Drain(ctx); err != nil { // or, in a program that goes on: go box.Run(ctx)
		fmt.Println(err)
	}
	for e, err := range box.Entries(ctx) {
		if err != nil {
			fmt.Println(err)
			break
		}
		fmt.Printf("%s: %s to %s in %d try, copy %s\n", e.Key, e.State, e.Recipients[0].Address, e.Tries, e.Copy)
	}
	fmt.Println(len(provider.SMTP.Messages()), "message left")
	// Output:
	// invoice-4711: sent to bob@contoso.example in 1 try, copy filed
	// 1 message left
}
