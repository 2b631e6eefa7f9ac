package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"time"

	"github.com/mailsession/mailsession/message"
)

// DefaultArrivalWait is what a zero [RoundTripOptions.Wait] means.
const DefaultArrivalWait = 5 * time.Minute

// TestMailOptions are the settings of [Session.SendTest]. The zero value works.
type TestMailOptions struct {
	// From is the sender: the Session's user where it is empty, which has to be an
	// address then.
	From string
	// Subject is "Test message" where it is empty.
	Subject string
}

// SendTest sends a small message to an address, or to the sender where to is
// empty: the "send a test message" of mail programs. The message says of itself
// what it is, in words and by Auto-Submitted (RFC 3834), so that no program
// answers it. No copy is kept in the folder of sent mail.
//
// The receipt tells whether the server took it. That it arrives is another matter;
// see [Session.RoundTrip].
func (s *Session) SendTest(ctx context.Context, to string, opts *TestMailOptions) (Receipt, error) {
	if opts == nil {
		opts = &TestMailOptions{}
	}
	d, err := s.testMail(to, *opts)
	if err != nil {
		return Receipt{Outcome: NotSent}, err
	}
	source, err := d.Source()
	if err != nil {
		return Receipt{Outcome: NotSent}, fmt.Errorf("session: send a test message: %w", err)
	}
	return s.Send(ctx, Envelope{From: d.ReturnPath(), To: d.Recipients(), SaveSent: SentNever}, source)
}

// testMail writes the message of SendTest.
func (s *Session) testMail(to string, opts TestMailOptions) (*message.Draft, error) {
	from, err := mail.ParseAddress(cmp.Or(opts.From, s.user))
	if err != nil {
		return nil, errors.New("session: send a test message: the user's name is not a mail address; set From to the address of the mailbox")
	}
	recipient := from
	if to != "" {
		if recipient, err = mail.ParseAddress(to); err != nil {
			return nil, errors.New("session: send a test message: the recipient is not a mail address")
		}
	}
	return &message.Draft{
		From:          *from,
		To:            []mail.Address{*recipient},
		Subject:       cmp.Or(opts.Subject, "Test message"),
		Text:          "This is a test message. A program sent it to see whether mail gets through.\nNobody needs to answer it.\n",
		AutoSubmitted: "auto-generated",
	}, nil
}

// RoundTripOptions are the settings of [Session.RoundTrip]. The zero value works.
type RoundTripOptions struct {
	// TestMailOptions are those of the message.
	TestMailOptions

	// To is where the message is sent: to the sender where it is empty, else to
	// another address whose mail arrives in this mailbox, such as an alias.
	To string
	// Folders are where to look for it besides the inbox and junk, such as one that
	// a filter moves it to.
	Folders []FolderRef
	// Wait bounds the wait for the arrival, beside the context:
	// [DefaultArrivalWait] where it is zero.
	Wait time.Duration
	// Delete has the message deleted, for good, where it arrived, and from the
	// folder of sent mail where the server filed it there. Otherwise it is left.
	Delete bool
}

// RoundTrip is a message's way out and back in.
type RoundTrip struct {
	// Receipt is what the server for sending said.
	Receipt Receipt
	// Began is when sending began. Sending is how long that took, and Arriving how
	// long it then took until the message was seen.
	Began             time.Time
	Sending, Arriving time.Duration
	// Folder is where the message was found: [Inbox], [Junk] or another one that was
	// asked for. In Junk, the mailbox takes this program's mail for unwanted.
	Folder FolderRef
	// Message is its summary. Received is the server's own word of the time.
	Message *Message
	// Cleanup is why the message could not be deleted everywhere, or nil. It is not
	// an error of the round trip.
	Cleanup error
}

// Took is how long it took from the beginning until the message was seen.
func (r RoundTrip) Took() time.Duration { return r.Sending + r.Arriving }

// RoundTrip sends a message as SendTest does, to the mailbox itself, and waits
// until it arrives: it asks for the message's Message-ID in the inbox and in junk,
// at growing intervals, so that the time it tells is up to a tenth too long, or a
// quarter of a second.
//
// The error is that of Send where the message was not sent. Where that is not known
// ([SentUnknown]), it is waited for all the same: its arrival proves it. A message
// that does not come in time is a [*NotArrivedError]; the round trip then tells how
// far it came.
func (s *Session) RoundTrip(ctx context.Context, opts *RoundTripOptions) (RoundTrip, error) {
	if opts == nil {
		opts = &RoundTripOptions{}
	}
	trip := RoundTrip{Receipt: Receipt{Outcome: NotSent}, Began: time.Now()}
	if _, err := s.reader("see a message arrive"); err != nil {
		return trip, err
	}
	var err error
	trip.Receipt, err = s.SendTest(ctx, opts.To, &opts.TestMailOptions)
	trip.Sending = time.Since(trip.Began)
	if err != nil && (trip.Receipt.Outcome != SentUnknown || ctx.Err() != nil) {
		return trip, err
	}
	err = s.see(ctx, &trip, opts)
	if err != nil || !opts.Delete {
		return trip, err
	}
	trip.Cleanup = s.removeTrial(ctx, trip)
	return trip, nil
}

// see waits for the message of a round trip.
func (s *Session) see(ctx context.Context, trip *RoundTrip, opts *RoundTripOptions) error {
	sent := time.Now()
	within, cancel := context.WithTimeout(ctx, cmp.Or(opts.Wait, DefaultArrivalWait))
	defer cancel()
	var err error
	trip.Message, trip.Folder, err = s.arrival(within, trip.Receipt.MessageID, append([]FolderRef{Inbox, Junk}, opts.Folders...))
	trip.Arriving = time.Since(sent)
	if err != nil {
		return fmt.Errorf("session: round trip: %w", err)
	}
	return nil
}

// removeTrial deletes the message of a round trip.
func (s *Session) removeTrial(ctx context.Context, trip RoundTrip) error {
	ids := []ID{trip.Message.ID}
	copies, err := s.sentCopies(ctx, trip.Receipt.MessageID)
	if errors.Is(err, ErrNoFolder) {
		err = nil
	}
	for _, m := range copies {
		ids = append(ids, m.ID)
	}
	for _, id := range ids {
		if results, failed := s.Apply(ctx, Change{Delete: true}, id); failed != nil {
			err = errors.Join(err, failed)
		} else if r := results[0]; r.Outcome != Done && !errors.Is(r.Err, ErrNoMessage) {
			err = errors.Join(err, r.Err)
		}
	}
	if err != nil {
		return fmt.Errorf("session: round trip: delete the test message: %w", err)
	}
	return nil
}
