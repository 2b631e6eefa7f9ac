package oauth_test

import (
	"context"
	"fmt"
	"os"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/oauth/oauthtest"
	"github.com/mailsession/mailsession/secret"
)

// ExampleClientCredentials is a service that reads a shared mailbox at
// Microsoft in its own name.
func ExampleClientCredentials() {
	srv := oauthtest.New(&oauthtest.Options{
		Microsoft: true,
		Clients: []oauthtest.Client{{ID: robot, Secret: secret.New(robotSecret), App: &oauthtest.App{
			Permissions: []string{"https://outlook.office365.com/IMAP.AccessAsApp"}, Mailboxes: []string{"info@contoso.com"},
		}}},
	})
	defer srv.Close()
	// A real one has Endpoint: oauth.MicrosoftEndpoint("", "contoso.com").
	cfg := &oauth.Config{ClientID: robot, Endpoint: oauth.Endpoint{TokenURL: srv.TokenURL()}}
	app, err := oauth.ClientCredentials(cfg, oauth.ClientSecret(secret.New(robotSecret)), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// session.Credentials{User: "info@contoso.com", Tokens: app} is all that
	// the mail side needs.
	tok, err := app.For("https://outlook.office365.com").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tok.Type, tok.AccessToken, srv.CheckToken("info@contoso.com", tok.AccessToken.Reveal()))
	// Output: Bearer [redacted] <nil>
}

// ExampleFederatedFile is a pod in a cluster whose service account a provider
// trusts: there is no secret to keep.
func ExampleFederatedFile() {
	cfg := &oauth.Config{
		ClientID: os.Getenv("AZURE_CLIENT_ID") + robot,
		Endpoint: oauth.MicrosoftEndpoint(os.Getenv("AZURE_AUTHORITY_HOST"), "contoso.com"),
	}
	app, err := oauth.ClientCredentials(cfg, oauth.FederatedFile("/var/run/secrets/azure/tokens/azure-identity-token"), nil)
	fmt.Println(app, err)
	// Output: app 11111111-2222-3333-4444-555555555555 at login.microsoftonline.com by federated token of a file <nil>
}
