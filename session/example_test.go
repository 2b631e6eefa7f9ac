package session_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

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

// printUnread is the program of the README.
func printUnread(ctx context.Context, out io.Writer, p preset.Provider, clientID string, how *oauth.SignInOptions) error {
	grant, err := oauth.SignIn(ctx, p.Config(clientID), how) // opens the browser
	if err != nil {
		return err
	}
	creds := session.Credentials{User: grant.Address(), Tokens: grant}
	s, err := session.New(creds, imapx.Backend(p.IMAP, nil), smtpx.Backend(p.SMTP, nil), nil)
	if err != nil {
		return err
	}
	defer s.Close()
	for m, err := range s.Messages(ctx, session.Query{Where: session.Filter{Unread: session.Yes}, Limit: 10}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			fmt.Fprintln(out, bad) // one message that cannot be read; others can
		} else if err != nil {
			return err
		} else {
			fmt.Fprintln(out, m.Header.Subject())
		}
	}
	return nil
}

func Example() {
	provider := presettest.NewProvider(nil) // a real program: preset.Microsoft365("common")
	defer provider.Close()
	ann := provider.Add("ann@contoso.example", secret.Text{})
	for _, subject := range []string{"Lunch on Friday?", "The contract"} {
		if _, err := ann.Append("INBOX", mailtest.CRLF("From: bob@contoso.example\nSubject: "+subject+"\n\nHello Ann.\n"), nil); err != nil {
			fmt.Println(err)
			return
		}
	}
	err := printUnread(context.Background(), os.Stdout, provider.Preset(), presettest.ClientID, provider.Browser("ann@contoso.example"))
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// The contract
	// Lunch on Friday?
}

func ExampleParseFilter() {
	f, err := session.ParseFilter(`from:ann (has:attachment OR larger:5M) -is:flagged since:2026-01-02`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.From, f.Flagged == session.No, len(f.AnyOf))
	fmt.Println(f)
	_, err = session.ParseFilter("from:ann is:urgent")
	fmt.Println(err)
	// Output:
	// ann true 2
	// from:ann -is:flagged since:2026-01-02T00:00:00Z (has:attachment OR larger:5M)
	// session: filter: at byte 12: unread, read, flagged, answered, draft or deleted expected, found "urgent"
}

func ExampleSession_Check() {
	provider := presettest.NewProvider(nil) // a real program: preset.Microsoft365("common")
	defer provider.Close()
	provider.Add("ann@contoso.example", secret.New("correct horse"))
	p := provider.Preset()
	creds := session.Credentials{User: "ann@contoso.example", Password: secret.New("a wrong horse")}
	s, err := session.New(creds, imapx.Backend(p.IMAP, nil), smtpx.Backend(p.SMTP, nil), &session.Options{Mode: session.ReadOnly})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	checkup := s.Check(context.Background(), nil) // fmt.Println(checkup) prints all of it as a table
	for _, stage := range checkup.Incoming.Stages {
		fmt.Println(stage.Stage, stage.Outcome)
	}
	failed, _ := checkup.Incoming.Failed()
	fmt.Println(failed.Remedy)
	fmt.Println(checkup.Outgoing.Unchecked)
	// Output:
	// dns skipped
	// connect passed
	// tls passed
	// greeting passed
	// capabilities passed
	// sign-in failed
	// mailbox not reached
	// folder not reached
	// search not reached
	// Check user name and password; where the provider has switched passwords off, sign in with OAuth.
	// this session is read-only, and it sends nothing
}

// Many messages go out at once, and each tells what became of it.
func ExampleSession_SendAll() {
	provider := presettest.NewProvider(nil)
	defer provider.Close()
	ann := provider.Add("ann@contoso.example", secret.New("correct horse"))
	creds := session.Credentials{User: ann.Address(), Password: secret.New("correct horse")}
	s, err := session.New(creds, nil, smtpx.Backend(provider.Preset().SMTP, nil), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	invitations := func(yield func(session.Mail) bool) {
		for _, guest := range []string{"bob@fabrikam.example", "carol@fabrikam.example", "nobody@contoso.example"} {
			text := "To: " + guest + "\r\nSubject: You are invited\r\n\r\nSaturday at eight.\r\n"
			envelope := session.Envelope{From: ann.Address(), To: []string{guest}}
			if !yield(session.Mail{Key: guest, Envelope: envelope, Message: message.Bytes([]byte(text))}) {
				return
			}
		}
	}
	became := map[string]session.SendOutcome{}
	for result, err := range s.SendAll(context.Background(), invitations, nil) {
		if _, one := errors.AsType[*session.SendError](err); err != nil && !one {
			fmt.Println(err) // nothing more is sent
			return
		}
		became[result.Key] = result.Receipt.Outcome // err says why
	}
	fmt.Println(became)
	// Output:
	// map[bob@fabrikam.example:accepted carol@fabrikam.example:accepted nobody@contoso.example:not sent]
}
