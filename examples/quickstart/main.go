// The command quickstart does with one Session what a program does with mail:
// it signs in, lists folders, reads unread mail, answers a message, marks and
// moves it, and sees its own answer arrive.
//
//	go run ./examples/quickstart
//
// starts a whole fake provider in the process. With an account and a client
// that is registered with the provider it does the same for real, signing in
// by the user's browser:
//
//	go run ./examples/quickstart -provider microsoft -client-id … -account you@example.com
//
// There it answers only a note that the account sent to itself, and sends one
// first. A client secret, which Google gives to desktop programs, is taken
// from the environment variable CLIENT_SECRET.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/preset"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(out)
	name := flags.String("provider", "", "a real provider: "+strings.Join(preset.Names(), ", ")+"; none means a fake one in this process")
	clientID := flags.String("client-id", "", "the id of your client, as registered with the provider")
	account := flags.String("account", "", "the mail address to sign in with")
	if err := flags.Parse(args); err != nil {
		return err
	}
	r := newReport(out)
	if *name == "" {
		return fake(ctx, r)
	}
	return genuine(ctx, r, *name, *clientID, *account)
}

// fake tells the story on a provider of its own.
func fake(ctx context.Context, r *report) error {
	provider := presettest.NewProvider(nil) //nolint:contextcheck // its servers outlive no call, and Close ends them
	defer provider.Close()
	const ann = "ann@contoso.example"
	inbox := provider.Add(ann, secret.Text{})
	for _, text := range []string{
		"From: Bob <bob@contoso.example>\nTo: Ann <ann@contoso.example>\nSubject: Lunch on Friday?\nDate: Fri, 20 Nov 2026 09:30:00 +0100\nMessage-ID: <1@contoso.example>\n\nAt twelve, as always?\n",
		"From: Carla <carla@fabrikam.example>\nTo: Ann <ann@contoso.example>\nSubject: =?UTF-8?Q?Invoice_n=C2=B0_7?=\nDate: Fri, 20 Nov 2026 11:00:00 +0100\nMessage-ID: <7@fabrikam.example>\n\nAs agreed.\n",
	} {
		if _, err := inbox.Append("INBOX", mailtest.CRLF(text), nil); err != nil {
			return err
		}
	}
	p := provider.Preset() //nolint:contextcheck // as above
	r.step("provider", "a fake one runs in this process: sign-in %s, IMAP %s, SMTP %s", provider.OAuth.URL(), p.IMAP.Address(0), p.SMTP.Address(0))
	return story(ctx, r, p, provider.Config(), provider.Browser(ann)) //nolint:contextcheck // as above
}

// genuine tells the story on a real provider.
func genuine(ctx context.Context, r *report, name, clientID, account string) error {
	p, err := preset.ByName(name)
	if err != nil {
		return err
	}
	if clientID == "" || account == "" {
		return fmt.Errorf("-provider %s needs -client-id and -account; register a client for desktop programs with the redirect %s", name, p.RedirectURL)
	}
	cfg := p.Config(clientID)
	cfg.ClientSecret = secret.New(os.Getenv("CLIENT_SECRET"))
	r.step("provider", "%s: IMAP %s, SMTP %s", p.Name, p.IMAP.Address(0), p.SMTP.Address(0))
	return story(ctx, r, p, cfg, &oauth.SignInOptions{LoginHint: account})
}
