package session_test

import (
	"context"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// A program sees for itself whether mail gets through.
func ExampleSession_RoundTrip() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	provider.Add("ann@contoso.example", secret.New("correct horse"))
	known := provider.Preset()
	s, err := session.New(session.Credentials{User: "ann@contoso.example", Password: secret.New("correct horse")},
		imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	trip, err := s.RoundTrip(ctx, &session.RoundTripOptions{Delete: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("found in", trip.Folder, "within a minute:", trip.Took() < time.Minute)
	if trip.Cleanup != nil {
		fmt.Println(trip.Cleanup)
	}
	// Output: found in role:inbox within a minute: true
}

// What is sent is kept in the folder of sent mail, unless the server is known to do
// that. Whether it worked stands beside what became of the message.
func ExampleSession_SaveSent() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	provider.Add("ann@contoso.example", secret.New("correct horse"))
	known := provider.Preset()
	s, err := session.New(session.Credentials{User: "ann@contoso.example", Password: secret.New("correct horse")},
		imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), &session.Options{SaveSent: session.SentAuto})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	ctx := context.Background()
	m := message.Bytes([]byte("From: ann@contoso.example\r\nMessage-ID: <7@contoso.example>\r\nSubject: Offer\r\n\r\nAs agreed.\r\n"))
	e := session.Envelope{From: "ann@contoso.example", To: []string{"bob@fabrikam.example"}}
	receipt, err := s.Send(ctx, e, m)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("the message was", receipt.Outcome)
	fmt.Println("the copy was", receipt.Copy.State)
	if again, err := s.SaveSent(ctx, e, m); err == nil {
		fmt.Println("a second copy would be one too many:", again.State)
	}
	// Output:
	// the message was accepted
	// the copy was filed
	// a second copy would be one too many: found
}
