// Package oauth signs a user in with OAuth 2.0 and keeps the access tokens of
// that sign-in fresh. It knows nothing of mail.
//
//	store, err := state.OpenDir(dir)
//	keep := &oauth.Keep{Store: store, Key: "grant"}
//	grant, err := oauth.OpenOrSignIn(ctx, cfg, &oauth.SignInOptions{Keep: keep}) // opens the browser the first time
//	token, err := grant.For("https://outlook.office.com").Token(ctx)
//
// A program for mail hands the Grant to package session as
// Credentials.Tokens, and has its [Config] from package preset.
//
// [SignIn] runs the authorization code flow with PKCE in the user's browser
// and a loopback redirect (RFC 8252), or any registered redirect whose address
// the user pastes, and returns a [Grant]. [SignInDevice] does so with a device
// code (RFC 8628), and [Discover] finds a server's endpoints. A Grant is one
// sign-in and may serve several resources: [Grant.For] returns the
// [TokenSource] of one. Programs that have a token from elsewhere wrap it with
// [StaticToken] and [AnyResource].
//
// # Refreshing
//
// A Grant refreshes a token when it is asked for one and the present one is
// about to expire. Any number of callers wait for the same request; each waits
// no longer than its own context, and the request goes on for the others. A
// rotated refresh token is kept before the new access token is handed out. A
// refresh whose answer was lost is not blindly sent again: where the server
// rotates refresh tokens, a second use may look like theft to it.
//
// A server that refuses a token before its time is answered with
// [Invalidator]: however many connections fail at once, the token is replaced
// once.
//
// # Keeping a grant
//
// With SignInOptions.Keep the grant is a record in a
// [github.com/mailsession/mailsession/state.Store], from which [Open] takes it
// the next time the program runs; [OpenOrSignIn] does either. Processes that share a record refresh once
// between them: the Store's lock spans reading the record, redeeming the refresh
// token and keeping the new one. Before a request leaves, the record is marked,
// so that a process that dies before it has kept the answer is told apart from a
// grant that was revoked (see [KindReplyLost]). An access token is handed out
// after what came with it is kept; where that fails, the caller gets the error,
// and the next call keeps it before anything else.
//
// [Pinned] makes a grant of a refresh token that somebody else looks after. It
// reads the [Pin] and never writes it; what the server puts in its place goes
// into the record.
//
// [Grant.KeepAlive] uses a grant that lies still before its provider ends it,
// [Grant.Revoke] ends it, and [Grant.Facts] says what is known of it.
//
// # Without a person
//
// An [App] gets tokens without a sign-in, and hands them out as a Grant does:
//
//   - [ClientCredentials] is a program in its own name, which proves who it is by
//     a secret, a certificate or a token of another issuer;
//   - [ServiceAccount] is Google's, for mailboxes that were delegated to it, with
//     a key or without ([IAMSigner]);
//   - [ManagedIdentity] is what Azure gives to a machine;
//   - [External] takes tokens that somebody else looks after, from a function, a
//     program's output or an HTTPS endpoint.
//
// [App.NotAfter] tells when the credential ends. Nobody is ever asked to sign in:
// what would need that elsewhere is an error of the configuration here.
//
// # Errors
//
// Failures are an [*Error] whose Kind says what to do; its Remedy says so in
// words, from what Microsoft's and Google's servers say beside the error code.
// [Diagnose] looks at a token that does not work. [Temporary],
// [RetryAfter] and [NeedsSignIn] ask an error the usual questions. Errors
// carry the server's words after secrets have been taken out of them, and
// never an answer's body.
//
// # Security
//
// PKCE with S256 and a random state are always used, the issuer is compared
// where it is known (RFC 9207), the redirect listener binds loopback addresses
// only, token endpoints must use TLS unless they are on loopback themselves,
// and their redirects are not followed. Tokens and secrets are
// [github.com/mailsession/mailsession/secret.Text]: no value of this package
// prints one, whatever the verb.
package oauth
