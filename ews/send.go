package ews

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/mail"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// Sender is the way out through one mailbox. It implements [session.Outgoing], and
// is safe for concurrent use.
//
// Exchange sends a message to the recipients that stand in it. Those of the envelope
// that do not are added as blind copies; a message that names somebody who is not in
// the envelope is refused before anything is sent, since that one would get it too.
// The server takes a message for all recipients or for nobody, and learns later that
// one does not exist: then it bounces.
//
// Bounces go to the mailbox that sends. So the envelope's From has to be the address
// of the mailbox, or one that the message is from; the null sender does not exist. Of
// reports, those of success can be asked for.
//
// A message from somebody else needs a right: with Send As nobody sees who sent it, with
// Send on Behalf Exchange puts the mailbox into Sender, whatever stands there. Without
// either the message is refused.
//
// The bytes reach Exchange as they are. It keeps what it understands of them, and makes
// new MIME of that for everybody ([MS-OXCMAIL]): encodings, boundaries and the length of
// lines are its own, and so is the order of the header, from which Bcc is taken out. What
// S/MIME signed or encrypted as a whole is kept byte by byte ([MS-OXOSMIME]), and so is
// never sent in pieces; DKIM has to be left to servers behind Exchange. A text/calendar
// part with a method is an invitation, or an answer to one, as Outlook's own are
// ([MS-OXCICAL]). An attached message becomes an item, of which the same holds.
//
// [MS-OXCMAIL]: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcmail/
// [MS-OXOSMIME]: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxosmime/
// [MS-OXCICAL]: https://learn.microsoft.com/openspecs/exchange_server_protocols/ms-oxcical/
type Sender struct{ client *Client }

var (
	_ session.Outgoing  = (*Sender)(nil)
	_ session.Checker   = (*Sender)(nil)
	_ session.SentFiler = (*Sender)(nil)
)

// Outgoing returns the way out through Exchange for [session.New]. Server and
// options are those of [Backend]; a nil opts means the zero Options.
func Outgoing(server session.Server, opts *Options) session.OutgoingBackend {
	return func(setup session.Setup) (session.Outgoing, error) {
		c, err := newClient(server, setup, opts)
		if err != nil {
			return nil, err
		}
		return &Sender{c}, nil
	}
}

// NewSender returns a way out through Exchange by itself. It does no I/O; an error is
// about the settings.
func NewSender(server session.Server, creds session.Credentials, opts *Options) (*Sender, error) {
	c, err := New(server, creds, opts)
	if err != nil {
		return nil, err
	}
	return &Sender{c}, nil
}

// Close implements [session.Outgoing].
func (s *Sender) Close() error { return s.client.Close() }

// FilesSent implements [session.SentFiler]: Exchange files what it sends, unless the
// envelope has [session.SentNever].
func (s *Sender) FilesSent() bool { return true }

// Check implements [session.Checker]. The stages are those of [Client.Check] up to
// the mailbox; whether a sender may be used shows only when something is sent.
func (s *Sender) Check(ctx context.Context, _ *session.CheckOptions) session.Report {
	c := s.client
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews.check", slog.String("server", c.address))
	report := backend.Checked{
		Backend: backendName, Server: c.server, Address: c.address, Credentials: c.setup.Credentials,
		After: []session.Stage{session.StageMailbox, session.StageSender}, Remedy: remedy,
	}.Check(ctx, s.check)
	end(report.Err())
	c.report(ctx, "check", nil, report.Err())
	return report
}

func (s *Sender) check(ctx context.Context) error {
	if _, err := s.client.checkMailbox(ctx); err != nil {
		return err
	}
	backend.StagesOf(ctx).Skip(session.StageSender, "Exchange tells whether a sender may be used when a message is sent")
	return nil
}

// Send implements [session.Outgoing]. Where the answer is lost after the last byte, the
// message is looked for by its Message-ID: in the folder of sent mail, and among what
// waits in the outbox and the drafts to be carried away. It was accepted where it is
// there, as one that goes to those whom it does not name as well. What is not found may still be under way inside the server; with
// [session.SentNever] nothing stays behind of a message that has left, so that the
// outcome is unknown nearly always. Nothing is sent again.
//
// A message that is larger than the server takes in one request, or that breaks off on
// its way again and again, is put together as a draft, its attachments one by one, and
// sent then. Where that fails, the draft is removed; where nobody knows whether it was
// sent, the error names the draft.
func (s *Sender) Send(ctx context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
	l, err := readLetter("send", m)
	if err == nil {
		err = s.admit(e, &l)
	}
	receipt := session.Receipt{Outcome: session.NotSent, MessageID: l.header.MessageID()}
	if err != nil {
		return receipt, &session.SendError{Receipt: receipt, Err: err}
	}
	t := &sending{client: s.client, envelope: e, letter: l}
	receipt.Outcome, err = t.run(ctx)
	for _, to := range e.To {
		receipt.Recipients = append(receipt.Recipients, session.Recipient{Address: to, Accepted: err == nil})
	}
	if err != nil {
		return receipt, &session.SendError{Receipt: receipt, Err: err}
	}
	return receipt, nil
}

// sending is one message on its way out.
type sending struct {
	client   *Client
	envelope session.Envelope
	letter   letter
	request  *request
}

func (t *sending) run(ctx context.Context) (session.SendOutcome, error) {
	err := t.submit(ctx, t.createItem())
	switch {
	case err == nil:
		return session.Accepted, nil
	case atFault(t.request, t.letter.size, err) && ctx.Err() == nil:
		return t.runInPieces(ctx, err)
	case !t.request.sent || !mayBeDone(err):
		return session.NotSent, err
	case ctx.Err() == nil && t.found(ctx):
		return session.Accepted, nil
	}
	return session.SentUnknown, err
}

// submit makes the request with which the message leaves, or not.
func (t *sending) submit(ctx context.Context, r *request) error {
	t.request = r
	return t.client.call(ctx, r, func(a *answer) error {
		if err := a.only(func(string) error { return nil }); err != nil {
			return err
		}
		return a.rest()
	})
}

// filed reports whether the server files the message.
func (t *sending) filed() bool { return t.envelope.SaveSent != session.SentNever }

// createItem is the request that sends the message.
func (t *sending) createItem() *request {
	disposition, children := "SendOnly", []element(nil)
	if t.filed() {
		disposition = "SendAndSaveCopy"
		children = append(children, el("m:SavedItemFolderId", t.client.distinguished("sentitems")))
	}
	children = append(children, el("m:Items", t.element(&t.letter)))
	return &request{
		op: "CreateItem", once: true, attrs: t.attrs(),
		body: el("m:CreateItem", children...).with("MessageDisposition", disposition),
	}
}

// attrs are what is told of the request with which the message leaves.
func (t *sending) attrs() []slog.Attr {
	return []slog.Attr{slog.Int("recipients", len(t.envelope.To)), slog.Int64("bytes", t.letter.size)}
}

// element writes the message, or the part of it that l is, with what the envelope
// wants besides.
func (t *sending) element(l *letter) element {
	item := []element{l.mime()}
	if t.letter.reportsReading() {
		item = append(item, leaf("t:ItemClass", readReport))
	}
	if hidden := t.hidden(); len(hidden) > 0 {
		list := el("t:BccRecipients")
		for _, to := range hidden {
			list.children = append(list.children, el("t:Mailbox", leaf("t:EmailAddress", to)))
		}
		item = append(item, list)
	}
	if r := t.envelope.Reports; r != nil && r.Success {
		item = append(item, leaf("t:IsDeliveryReceiptRequested", "true"))
	}
	return el("t:Message", item...)
}

// hidden are the recipients that the message does not name, with those that it names
// as Bcc already: what is set replaces that field.
func (t *sending) hidden() []string {
	shown := addressed(t.letter.header, "To", "Cc")
	return slices.DeleteFunc(slices.Clone(t.envelope.To), func(to string) bool { return contained(shown, to) })
}

// contained reports whether an address is one of several. The case of letters does not
// count.
func contained(addresses []string, address string) bool {
	return slices.ContainsFunc(addresses, func(a string) bool { return strings.EqualFold(a, address) })
}

// found looks for the message where Exchange puts what it has accepted: in the folder of
// sent mail, where a copy is filed, and before that among what is on its way. A message
// of which no copy is filed is nowhere once it has left.
func (t *sending) found(ctx context.Context) bool {
	if !t.letter.searchable() {
		return false
	}
	there := false
	if t.filed() {
		err := t.client.within(ctx, session.Sent, func(f *folder) error {
			items, _, err := t.client.findItem(ctx, search{folder: f, most: t.client.opts.PageSize, by: tagNumber.uri(), where: []element{t.letter.named()}})
			there = t.amongThem(ctx, items)
			return err
		})
		if err != nil {
			return false
		}
	}
	return there || t.onItsWay(ctx)
}

// onItsWay looks for the message among those that were handed to the transport, and wait
// for it in the folder in which they were made.
func (t *sending) onItsWay(ctx context.Context) bool {
	for _, name := range []string{"outbox", "drafts"} {
		items, _, err := t.client.findItem(ctx, search{
			at: t.client.distinguished(name), most: maxFound, properties: []element{tagFlags.uri()}, where: []element{t.letter.named()},
		})
		other := func(it found) bool { return it.err != nil || it.state&messageSubmitted == 0 }
		if err == nil && t.amongThem(ctx, slices.DeleteFunc(items, other)) {
			return true
		}
	}
	return false
}

// amongThem reports whether the message is one of those that have its Message-ID. Others
// may have gone to others: a message that names nobody is sent to many one by one.
func (t *sending) amongThem(ctx context.Context, items []found) bool {
	hidden := t.hidden()
	if len(items) == 0 || len(hidden) == 0 {
		return len(items) > 0
	}
	ids := make([]string, len(items))
	for i, it := range items {
		ids[i] = it.id
	}
	copies, err := t.client.getItems(ctx, ids, []element{field("message:BccRecipients")})
	return err == nil && slices.ContainsFunc(copies, func(it found) bool {
		to := addressed(message.ParseHeader(it.fields.header()), "Bcc")
		return !slices.ContainsFunc(hidden, func(address string) bool { return !contained(to, address) })
	})
}

// mayBeDone reports whether a request that reached the server may have been carried
// out although this is what came of it.
func mayBeDone(err error) bool {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return true // no answer, or one that cannot be read
	case e.Code == "":
		// Of a machine in between: what it refuses or sends elsewhere goes no further.
		return e.Status/100 != 3 && e.Status/100 != 4 && e.class() != throttled && e.class() != tooLarge
	case e.Code == "ErrorBatchProcessingStopped":
		return false
	}
	return e.class() == transient || slices.Contains([]string{"ErrorInternalServerError", "ErrorItemSave", "ErrorItemSavePropertyError"}, e.Code)
}

// addressed returns the addresses in some fields of a header.
func addressed(h message.Header, fields ...string) []string {
	var list []string
	for _, name := range fields {
		for _, a := range h.Addresses(name) {
			list = append(list, a.Address)
		}
	}
	return list
}

// admit reports why a message cannot be sent as the envelope wants it.
func (s *Sender) admit(e session.Envelope, l *letter) error {
	if len(e.To) == 0 {
		return errors.New("ews: send: the envelope has no recipient")
	}
	for _, a := range e.To {
		if parsed, err := mail.ParseAddress(a); err != nil || parsed.Name != "" || strings.ContainsAny(a, "<>") {
			return fmt.Errorf("ews: send: %q is not an address such as user@example.com", a)
		}
	}
	for _, a := range addressed(l.header, "To", "Cc", "Bcc") {
		if !contained(e.To, a) {
			return lacks("the message names %s, who is not in the envelope: Exchange sends to everybody that a message names", a)
		}
	}
	return s.checkWishes(e, l)
}

// checkWishes is about what else an envelope may ask for.
func (s *Sender) checkWishes(e session.Envelope, l *letter) error {
	own := append(addressed(l.header, "From", "Sender"), s.client.target(), s.client.setup.Credentials.User)
	switch r := e.Reports; {
	case e.From == "":
		return lacks("the envelope has the null sender, and Exchange sends in the name of a mailbox: name it in Envelope.From, or in SendOptions.ReturnPath")
	case !contained(own, e.From):
		return lacks("bounces go to the mailbox that sends, and not to the envelope's From %s", e.From)
	case e.RequireTLS:
		return lacks("Exchange is not told by EWS to send by TLS alone (REQUIRETLS)")
	case e.DeliverBy != nil:
		return lacks("Exchange is not told by EWS when to deliver (DELIVERBY)")
	case r != nil && (!r.Failure || r.WholeMessage || r.ID != ""):
		return lacks("Exchange reports failure always, with what it chooses of the message and without an ID")
	}
	return nil
}

// lacks says what EWS cannot do.
func lacks(format string, args ...any) error {
	return fmt.Errorf("ews: send: "+format+": %w", append(args, errors.ErrUnsupported)...)
}
