// Package mailtest holds the mailboxes of a fake mail provider.
//
// A [Box] knows no protocol. The fake servers (imaptest, smtptest and their
// siblings) serve one Box between them, so that what one accepts appears in
// the others, and a test looks into the same Box to see what happened:
//
//	box := mailtest.New()
//	ann := box.Add("ann@example.com", secret.New("correct horse"))
//	server := imaptest.New(box, nil)
//	defer server.Close()
//
// # Advice
//
// Seed an account with [Account.Append], or with [Account.Seed] from a folder
// of .eml files (a testdata folder through [os.DirFS], an embed.FS, or an
// fstest.MapFS), [Account.SeedTree] from a tree of them, and [Account.SeedMbox]. Write messages in Go source with plain line ends and pass
// them through [CRLF].
//
// Everything the package hands out is a copy taken at one moment. To wait until
// a program has done something, use [Box.Wait] rather than polling.
//
// What a server does wrong is described by a [Fault], for every protocol in
// the same words. Faults are handed to the fake server, not to the Box.
//
// All types are safe for concurrent use. No goroutine is started and nothing but
// [Box.Wait] blocks, so a Box works inside a bubble of testing/synctest; times
// come from [time.Now] and therefore follow its virtual clock.
package mailtest
