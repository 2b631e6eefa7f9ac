package oauth_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
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
	fmt.Println(tok.Type, tok.AccessToken, srv.CheckToken("info@contoso.com", tok.AccessToken))
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

// ExampleClientCertificate proves with a certificate who the program is. The
// provider knows the certificate, and nobody but the program its key.
func ExampleClientCertificate() {
	data, err := os.ReadFile("testdata/robot.pem") // the certificate and its key
	if err != nil {
		fmt.Println(err)
		return
	}
	certificate, err := oauth.ParseCertificate(data)
	if err != nil {
		fmt.Println(err)
		return
	}
	block, _ := pem.Decode(data)
	registered, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		fmt.Println(err)
		return
	}
	srv := oauthtest.New(&oauthtest.Options{Microsoft: true, Clients: []oauthtest.Client{{ID: robot, App: &oauthtest.App{
		Permissions: []string{"https://outlook.office365.com/IMAP.AccessAsApp"}, Mailboxes: []string{"info@contoso.com"},
		Certificates: []*x509.Certificate{registered},
	}}}})
	defer srv.Close()
	cfg := &oauth.Config{ClientID: robot, Endpoint: oauth.Endpoint{TokenURL: srv.TokenURL()}}
	app, err := oauth.ClientCredentials(cfg, oauth.ClientCertificate(certificate, nil), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := app.For("https://outlook.office365.com").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(certificate)
	fmt.Println(srv.CheckToken("info@contoso.com", tok.AccessToken))
	// Output:
	// certificate of "CN=robot" until 2126-10-28
	// <nil>
}

// ExampleFederatedToken is a workflow that asks its runner for a token each
// time, as on GitHub.
func ExampleFederatedToken() {
	const subject = "repo:contoso/mail:ref:refs/heads/main"
	srv := oauthtest.New(&oauthtest.Options{Microsoft: true, Clients: []oauthtest.Client{{ID: robot, App: &oauthtest.App{
		Permissions: []string{"https://outlook.office365.com/IMAP.AccessAsApp"}, Mailboxes: []string{"info@contoso.com"},
		Federated: []string{subject},
	}}}})
	defer srv.Close()
	fromRunner := func(context.Context) (secret.Text, error) { return srv.WorkloadToken(subject) }
	cfg := &oauth.Config{ClientID: robot, Endpoint: oauth.Endpoint{TokenURL: srv.TokenURL()}}
	app, err := oauth.ClientCredentials(cfg, oauth.FederatedToken(fromRunner), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	tok, err := app.For("https://outlook.office365.com").Token(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(srv.CheckToken("info@contoso.com", tok.AccessToken))
	// Output: <nil>
}
