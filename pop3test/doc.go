// Package pop3test is a fake POP3 server for tests (RFC 1939 and extensions).
//
// It serves the accounts of a [mailtest.Box] in memory or over loopback TCP,
// speaks strict and correct POP3, and goes wrong in chosen places when told to
// by a [mailtest.Fault]:
//
//	box := mailtest.New()
//	box.Add("ann@example.com", secret.New("correct horse"))
//	server := pop3test.New(box, nil)
//	defer server.Close()
//	server.Inject(mailtest.Reply("PASS", "-ERR [IN-USE] try again"))
//	conn, err := server.Dial(ctx, "tcp", "pop.example.com:110")
//
// A session of package session gets there with
//
//	session.Server{Host: "pop.example.com", Dial: server.Dial, Security: session.None, AllowPlainAuth: true}
//
// or, where the options have Security: mailtest.TLS and the host among Hosts,
//
//	session.Server{Host: "pop.example.com", Dial: server.Dial, TLS: server.ClientTLS()}
//
// # Advice
//
// Prefer [Server.Dial] to a TCP connection: it opens no socket, so a test can
// run inside a bubble of testing/synctest, where a silent server costs no time.
// Use [Server.Listen] and [Server.Addr] for programs that only know TCP.
//
// Offer fewer capabilities ([Without]) to exercise what a client does where an
// extension is missing. Begin with [ExchangeOptions] or [GmailOptions] to meet the habits of
// those servers. A mailbox that somebody else has open is one that
// [Server.Occupy] was called for.
//
// Messages come from files as [mailtest.Account.Seed] and its siblings read them.
// A sign-in that is good and refused all the same, for a while or for good, is
// [Options.Admit].
//
// Faults name commands as clients send them; the challenges of AUTH are part of
// its answer. An answer of several lines has the status as its first line, so
// that the row of message n is line n+1 for [mailtest.WithoutLine],
// [mailtest.RepeatLine], [mailtest.ReplaceLine] and [mailtest.DropAfterLine];
// [NoFinalDot] and [NoStuffing] go wrong in POP3's own ways. The size that
// [mailtest.WrongSize] makes wrong is that in the answer to STAT, LIST or RETR.
//
// Of QUIT there are four stories. [mailtest.Drop] loses the answer and
// [mailtest.Silence] keeps it, after messages were removed. With Fault.Ignore
// and a Fault.Stop the connection ends before. [mailtest.Refuse] answers -ERR
// and removes nothing; [Options.Stuck] removes some and answers -ERR.
//
// What clients said is returned by [Server.Commands], without passwords and
// tokens; [Server.Pending] tells whether all faults have been met.
//
// # What it knows
//
// RFC 1939 whole, with APOP, TOP and UIDL, and LAST on request. CAPA,
// PIPELINING, RESP-CODES, LOGIN-DELAY, EXPIRE and IMPLEMENTATION (RFC 2449),
// AUTH-RESP-CODE with SYS/TEMP and SYS/PERM (RFC 3206), STLS (RFC 2595), UTF8 and
// LANG (RFC 6856). AUTH (RFC 5034) takes PLAIN, LOGIN, XOAUTH2 and OAUTHBEARER,
// with a first response on the same line or on the next.
//
// A session sees the maildrop as it was at the sign-in, and has it alone.
// Messages are removed by QUIT and by nothing else: not where the connection
// ends, and not where a session is ended because it was idle.
//
// # Bytes
//
// A message comes as it lies in the mailbox: bare CRs and LFs, a byte order mark,
// NULs and 8-bit bytes are sent as they are. Dots are put ahead of lines that
// start with one, and a line begins behind CRLF alone. A message that does not
// end in CRLF gets one, because the dot that ends the answer needs a line of its
// own; sizes count it.
//
// # Strictness
//
// Lines end in CRLF and have at most 255 bytes; those within AUTH may have
// 12,288. Keywords are followed by one space or by nothing. Without PIPELINING the
// session ends where one command has come together with another. STLS is refused after
// UTF8. A client that gets along with this has little to fear from others in that
// respect.
package pop3test
