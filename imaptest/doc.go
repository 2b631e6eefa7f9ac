// Package imaptest is a fake IMAP server for tests (RFC 3501 and extensions).
//
// It serves the accounts of a [mailtest.Box] in memory or over loopback TCP,
// speaks strict and correct IMAP, and goes wrong in chosen places when told to
// by a [mailtest.Fault]:
//
//	box := mailtest.New()
//	box.Add("ann@example.com", secret.New("correct horse"))
//	server := imaptest.New(box, nil)
//	defer server.Close()
//	server.Inject(mailtest.Reply("SELECT", "NO [THROTTLED] slow down"))
//	conn, err := server.Dial(ctx, "tcp", "imap.example.com:143")
//
// A session of package session gets there with
//
//	session.Server{Host: "imap.example.com", Dial: server.Dial, Security: session.None, AllowPlainAuth: true}
//
// or, where the options have Security: mailtest.TLS and the host among Hosts,
//
//	session.Server{Host: "imap.example.com", Dial: server.Dial, TLS: server.ClientTLS()}
//
// # Advice
//
// Prefer [Server.Dial] to a TCP connection: it opens no socket, so a test can
// run inside a bubble of testing/synctest, where a silent server costs no time.
// Use [Server.Listen] and [Server.Addr] for programs that only know TCP.
//
// Offer fewer capabilities ([Without]) to exercise what a client does where an
// extension is missing: the server then knows neither the extension's commands
// nor its response codes.
//
// Faults name commands as clients send them: "FETCH" fits FETCH and UID FETCH,
// "UID FETCH" the latter only. The answer to IDLE lasts until the client ends
// it; the end is a command of its own, "DONE". The "+" before a literal is
// [mailtest.Continue], the challenges of AUTHENTICATE are part of its answer.
// Fault.Refuse on LOGIN or AUTHENTICATE refuses the password or token.
//
// What clients said is returned by [Server.Commands], without passwords and
// tokens; [Server.Pending] tells whether all faults have been met.
//
// # What it knows
//
// All of RFC 3501, and ID, ENABLE, NAMESPACE, UNSELECT, IDLE, CHILDREN, UIDPLUS,
// MOVE, SASL-IR, LITERAL+ and LITERAL-, CONDSTORE and QRESYNC, ESEARCH and
// PARTIAL, SPECIAL-USE and CREATE-SPECIAL-USE, LIST-EXTENDED, LIST-STATUS,
// STATUS=SIZE, QUOTA, OBJECTID and PREVIEW. Of NOTIFY it knows the events of
// messages, without items to fetch, and tells them within IDLE and with the
// answers to commands. Sign-in is by LOGIN and by
// AUTHENTICATE with PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER; COMPRESS=DEFLATE. On
// request there is Gmail's X-GM-EXT-1 with ids, labels and X-GM-RAW; see
// [GmailCapabilities].
//
// Folders that others share (see [mailtest.Account.Share]) appear in namespaces
// of their own, below "Other Users/" and the owner's address, or below "Shared/"
// where they are shared with everyone. Subscriptions outlive their folders.
//
// A [Replay] plays the server's side of a recorded session instead.
//
// It is as strict as the RFCs allow: lines end in CRLF, quoted strings hold
// seven-bit text, message numbers exist, mailbox names are proper modified
// UTF-7. A client that gets along with it has little to fear from others in
// that respect.
package imaptest
