package oauthtest_test

import (
	"context"
	"fmt"

	"github.com/mailsession/mailsession/oauth/oauthtest"
)

// A fake mail server checks logins with CheckToken.
func Example() {
	srv := oauthtest.New(&oauthtest.Options{MailScopes: []string{"mail"}})
	defer srv.Close()

	tokens, err := srv.Issue(oauthtest.DefaultEmail, "mail")
	if err != nil {
		fmt.Println(err)
		return
	}
	login := func() { fmt.Println(srv.CheckToken(oauthtest.DefaultEmail, tokens.Access)) }
	login()
	srv.ExpireAccess(oauthtest.DefaultEmail)
	login()
	srv.Revoke(oauthtest.DefaultEmail)
	login()
	// Output:
	// <nil>
	// oauthtest: the token has expired
	// oauthtest: the token was revoked
}

// Browser follows an authorization URL as a user's browser would.
func ExampleServer_Browser() {
	srv := oauthtest.New(nil)
	defer srv.Close()

	err := srv.Browser(context.Background(), srv.AuthURL()+"?client_id=somebody-else")
	fmt.Println(err != nil, srv.Hits(oauthtest.AuthorizePath))
	// Output: true 1
}
