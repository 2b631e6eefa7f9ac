// Package ewstest is a fake Exchange server for tests: Exchange Web Services
// over the accounts of a [mailtest.Box].
//
//	box := mailtest.New()
//	box.Add("ann@example.com", secret.New("correct horse"))
//	server := ewstest.New(box, &ewstest.Options{Strict: true})
//	defer server.Close()
//	server.Inject(ewstest.Busy("FindItem", 5*time.Second))
//	client := &http.Client{Transport: &http.Transport{DialContext: server.Dial}}
//
// The service is at [Path], at whatever host; over TCP it is at [Server.URL]. A
// session of package session gets there by ews.Backend and ews.Outgoing with
//
//	session.Server{Host: "mail.example.com", Dial: server.Dial, Security: session.None, AllowPlainAuth: true}
//
// or, where the options have Security: mailtest.TLS and the host among Hosts,
//
//	session.Server{Host: "mail.example.com", Dial: server.Dial, TLS: server.ClientTLS()}
//
// # Advice
//
// Prefer [Server.Dial] to a TCP connection: it opens no socket, so a test can
// run inside a bubble of testing/synctest, where a silent server costs no time,
// and a stream of notifications lasts its half hour in none.
//
// A strict server refuses what Exchange refuses, and is what one's own client
// should be tested with, on every one of [Versions]. Some clients made by others
// need a lenient one, since they send what is not in the schema.
//
// [Server.Requests] tells what clients asked and were answered, so that a test can
// count requests and check them; [Server.Sent] has the messages that went out.
// [Server.Pending] tells whether all faults have been met.
//
// # Faults
//
// Faults name operations, [SignIn] or [Autodiscover]. All that package mailtest
// has can be done to an answer, whose bytes are those of HTTP: [mailtest.Silence],
// [mailtest.Drop] behind any byte, [mailtest.Drip]. [mailtest.Refuse] answers 401,
// and [mailtest.Expire] does so to the client's token from then on. A message moves
// away under the client's hands by [mailtest.Call], and is not found by its id.
//
// There are three kinds of busy: [Busy], [BusyItems] and [Unavailable].
// [Forbidden] is the end of EWS in Exchange Online. [Failing] puts an error into
// each response message of an operation: ErrorInvalidSyncStateData wants a new
// sync, ErrorSubscriptionNotFound a new subscription. [Server.ExpireSyncStates] and
// [Server.DropSubscriptions] do the same for good, and [Server.Disconnect] ends
// streams. Fault.Reply is read so:
//
//	HTTP/1.1 302 Found CRLF ...      the whole answer: header, empty line, body
//	503 Service Unavailable          a status without a body
//	ErrorItemNotFound: words         an error in each response message, status 200
//	fault ErrorServerBusy: words     a SOAP fault, status 500
//
// Behind a code there may be the values of MessageXml, as in
// "ErrorServerBusy BackOffMilliseconds=5000: words".
//
// Characters that XML forbids come out as they do from Exchange, where a message
// has them: as references, or raw with [Options.RawText].
//
// # What it knows
//
// Folders: GetFolder, FindFolder, SyncFolderHierarchy, CreateFolder, UpdateFolder,
// MoveFolder, CopyFolder, DeleteFolder, EmptyFolder, MarkAllItemsAsRead. Items:
// FindItem with restrictions, queries in Advanced Query Syntax, sorting and paging, by
// number, fraction or condition;
// SyncFolderItems, GetItem, CreateItem (from MIME, from properties, and answers),
// UpdateItem, SendItem, MoveItem, CopyItem, DeleteItem, ArchiveItem, MarkAsJunk;
// GetAttachment, CreateAttachment, DeleteAttachment. Subscribe (to pull, and to
// stream), Unsubscribe, GetEvents, GetStreamingEvents. ConvertId, ResolveNames,
// GetUserOofSettings, SetUserOofSettings, GetServerTimeZones. ExpandDL and
// GetUserConfiguration find nothing. Autodiscover in its four ways.
//
// Items are messages. One whose type is text/calendar without a method is an
// appointment, as a real mailbox has them among what was deleted: it has no read state,
// and a request that changes or deletes it has to say whether others are told. A category is a keyword of the mailbox, or is kept beside it
// where it cannot be one; the flag, the read state and what was last done are
// flags, whether they are set by their names or by the tags of MAPI. Further
// properties of MAPI are kept as they come. Exchange makes MIME anew; this server
// gives the bytes back that it was given, until a property of the message is
// changed. What is deleted softly lies in the folder "Recoverable Items". A
// message that is moved there and back has its old id again.
//
// The outbox, the calendar and their like are folders that exist in this protocol
// only and hold nothing.
//
// # Signing in
//
// Basic, NTLM (version 2 of its answers, one connection a handshake) and bearer
// tokens. With [Options.ExtendedProtection] NTLM has to be bound to the server's
// certificate, as Exchange wants it by default from 2019 CU14 on. A mailbox of somebody else is reached by a Mailbox element, as far as
// [mailtest.Account.Share] allows, or by impersonation, where
// [Options.Impersonate] or the token of an application does.
package ewstest
