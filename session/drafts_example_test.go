package session_test

import (
	"context"
	"fmt"
	"net/mail"
	"strings"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// writeAndSend saves a draft, changes it and sends it.
func writeAndSend(ctx context.Context, s *session.Session, draft *message.Draft) error {
	id, err := s.SaveDraft(ctx, draft, nil)
	if err != nil {
		return err
	}
	draft.Subject = "Lunch on Monday?"
	if id, err = s.UpdateDraft(ctx, id, draft, nil); err != nil {
		return err
	}
	receipt, err := s.SendSavedDraft(ctx, id, &session.SendSavedDraftOptions{MoveTo: session.Sent})
	if err != nil {
		return err // says whether it was sent, and where the draft is
	}
	fmt.Println(receipt.Outcome)
	return nil
}

func ExampleSession_SendSavedDraft() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	ann, bob := provider.Add("ann@contoso.example", secret.New("correct horse")), provider.Add("bob@contoso.example", secret.Text{})
	known, password := provider.Preset(), secret.New("correct horse")
	s, err := session.New(session.Credentials{User: ann.Address(), Password: password},
		imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	err = writeAndSend(context.Background(), s, &message.Draft{
		From:    mail.Address{Address: "ann@contoso.example"},
		Bcc:     []mail.Address{{Address: "bob@contoso.example"}},
		Subject: "Lunch on Friday?",
	})
	if err != nil {
		fmt.Println(err)
	}
	show := func(a *mailtest.Account, folder string) {
		all, err := a.Messages(folder)
		fmt.Println(a.Address(), folder, len(all), err)
		for _, m := range all {
			h := message.ParseHeader([]byte(m.Raw))
			fmt.Println(h.Subject(), strings.Join(m.Flags, " "), h.Has("Bcc"))
		}
	}
	show(ann, "Drafts")
	show(ann, "Sent")
	show(bob, "INBOX")
	// Output:
	// accepted
	// ann@contoso.example Drafts 0 <nil>
	// ann@contoso.example Sent 1 <nil>
	// Lunch on Monday? \Seen true
	// bob@contoso.example INBOX 1 <nil>
	// Lunch on Monday?  false
}
