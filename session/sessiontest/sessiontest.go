// Package sessiontest holds the tests that every backend of package session
// has to pass: [TestIncoming] for a [session.Incoming], [TestOutgoing] for a
// [session.Outgoing]. It is for _test.go files.
//
// # Use
//
// A backend is given a mailbox and a way to its server, anew for each test:
//
//	func TestConformance(t *testing.T) {
//		sessiontest.TestIncoming(t, func(t testing.TB) *sessiontest.Incoming {
//			box := mailtest.New()
//			ann := box.Add("ann@example.com", secret.New("correct horse"))
//			fake := imaptest.New(box, nil)
//			t.Cleanup(func() { fake.Close() })
//			return &sessiontest.Incoming{
//				Credentials: session.Credentials{User: "ann@example.com", Password: secret.New("correct horse")},
//				Mailbox:     sessiontest.Account(ann),
//				Dial:        fake.Dial,
//				Backend: func(dial sessiontest.Dial) session.IncomingBackend {
//					server := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: dial}
//					return imapx.Backend(server, &imapx.Options{PageSize: 10})
//				},
//				Spoil: func(n int) (string, string) {
//					return fmt.Sprintf("(UID %d FLAGS (", n), fmt.Sprintf("(UID %d FLAGS !", n)
//				},
//			}
//		}, nil)
//	}
//
// The name of each subtest is the rule that it checks. The backend reaches its
// server through the dial function that the suite hands it, and nowhere else:
// the suite counts what goes over that line, cuts it after any byte, silences
// it, and knows which connections are open. So the same faults happen to every
// protocol, on a fake and on a real server alike. Faults are placed by the
// bytes of a run without any, so that they fall into every part of a dialogue.
// The connections are without TLS, since what is encrypted cannot be spoiled.
//
// # What a backend cannot do
//
// No rule is skipped for what a backend lacks. It says so in its
// [session.Facts], and the suite checks the opposite then: that the call is
// refused with an error that wraps [errors.ErrUnsupported] and names what is
// missing, and that nothing was changed. So it is with the further abilities,
// which are found by [session.As]: what a Session does in the place of one is
// held to the same rule.
//
// A real server may break a rule by itself, whatever the backend does. Such rules
// are named in [Options.Except], with what the server does, and the tests print
// that.
//
// # Time
//
// Each test runs in a bubble of testing/synctest: a call whose context ends
// returns at the same virtual instant, and a goroutine that is left at the end
// fails the test. Sockets and processes do not live in such a bubble; for them
// there is [Options.RealTime].
//
// # A backend to compare with
//
// [Reference] is a backend in memory, with a small protocol of its own over
// the same kind of line. It passes both suites, whatever it is told to lack.
package sessiontest

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// Options are the settings of a suite. The zero value works.
type Options struct {
	// RealTime runs the tests outside of bubbles of testing/synctest, for
	// servers behind sockets. What differs: that a call ends with its context
	// is checked as such, not that it does so at the same instant, and
	// goroutines are not counted.
	RealTime bool
	// Brief tells the longest story, a day of watching, in two hours: for variants
	// of a server whose main form is tested with all of it.
	Brief bool
	// Except names rules that the server itself breaks, and tells how. They are
	// not run, and what is told of them is logged. A name that no rule has is a
	// failure.
	Except map[string]string
}

// Incoming is a way in, and the mailbox behind it. Credentials, Mailbox, Backend
// and Spoil are required.
type Incoming struct {
	// Credentials open the mailbox.
	Credentials session.Credentials
	// Mailbox is the mailbox, empty but for its usual folders.
	Mailbox Mailbox
	// Dial leads to the server; nil means a [net.Dialer].
	Dial Dial
	// Backend returns the backend under test, which reaches its server by dial
	// alone. Its pages should have at most 10 messages, so that the 25 of most
	// tests are several. It is called more than once.
	Backend func(dial Dial) session.IncomingBackend
	// Spoil returns what to replace in the bytes that the server sends, and by
	// what, so that the summary of the inbox's n-th message cannot be read and
	// all others can. Both have the same length.
	Spoil func(n int) (old, broken string)
	// SpoilContent, where it is not nil, is like Spoil for what the n-th message
	// holds: its summary can be read. It is for backends that read messages to
	// compare them with a text, and for servers whose protocol lets a message come
	// in such a way that what follows it can be told.
	SpoilContent func(n int) (old, broken string)
	// TooLarge is a size in bytes that the server does not append, zero where
	// that is not known.
	TooLarge int64
	// NoNUL says that the server keeps another byte in the place of a NUL, since
	// its protocol cannot carry any (RFC 9051 section 4.3).
	NoNUL bool
	// NoArrival says that the protocol does not tell when a message came, so that
	// the backend takes the message's own word for it. The suite then puts a
	// Received field ahead of messages, as the last server on their way does.
	NoArrival bool
	// Base64 says that messages come in base64, so that a third more goes over the
	// line than they have.
	Base64 bool
	// FinalBreak says that every message ends in a line break, since the protocol
	// sends whole lines (RFC 1939 section 3).
	FinalBreak bool
	// Polls says that the backend's [session.Notifier] keeps no line, since the
	// server tells nothing by itself: it gives notice that it is time to look.
	Polls bool
	// NoValidity says that the protocol does not tell that a server voided its
	// ids. A message of an id from before is gone, then.
	NoValidity bool
}

// Outgoing is a way out, and the mailboxes that it leads to. All but Credentials
// and Dial is required.
type Outgoing struct {
	// Credentials sign in.
	Credentials session.Credentials
	// Dial leads to the server; nil means a [net.Dialer].
	Dial Dial
	// Backend returns the backend under test, which reaches its server by dial
	// alone. It is called more than once.
	Backend func(dial Dial) session.OutgoingBackend
	// From is the sender's address.
	From string
	// To are at least three addresses whose mail can be looked at.
	To []string
	// Refused is an address that the server refuses as a recipient.
	Refused string
	// TooLarge is a size in bytes that the server does not take.
	TooLarge int64
	// Arrived returns the messages that came for an address of To. It waits
	// until nothing is on its way any more.
	Arrived func(ctx context.Context, address string) ([]string, error)
}

// limit bounds each test: generously in real time, and in virtual time longer
// than a backend may wait for anything.
func (o *Options) limit() time.Duration {
	if o.RealTime {
		return 2 * time.Minute
	}
	return 24 * time.Hour
}

// TestIncoming tests that a way in keeps the rules of [session.Incoming]. Open
// is called for each test and closes what is to be closed by Cleanup. The
// tests run one after the other. Nil options are the zero ones.
func TestIncoming(t *testing.T, open func(tb testing.TB) *Incoming, opts *Options) {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	rules := incomingRules()
	var names []string
	for _, rule := range rules {
		names = append(names, rule.name)
	}
	opts.checkExcept(t, names)
	for _, rule := range rules {
		opts.runRule(t, rule.name, func(t *testing.T) {
			t.Helper()
			checkIncoming(t, rule, open, opts)
		})
	}
}

// TestOutgoing tests that a way out keeps the rules of [session.Outgoing]. What
// is said at [TestIncoming] holds here too.
func TestOutgoing(t *testing.T, open func(tb testing.TB) *Outgoing, opts *Options) {
	t.Helper()
	if opts == nil {
		opts = &Options{}
	}
	rules := slices.Concat(outgoingRules(), senderCheckRules())
	var names []string
	for _, rule := range rules {
		names = append(names, rule.name)
	}
	opts.checkExcept(t, names)
	for _, rule := range rules {
		opts.runRule(t, rule.name, func(t *testing.T) {
			t.Helper()
			checkOutgoing(t, rule, open, opts)
		})
	}
}

// checkExcept reports exceptions from rules that there are not.
func (o *Options) checkExcept(tb testing.TB, rules []string) {
	tb.Helper()
	for name := range o.Except {
		if !slices.Contains(rules, name) {
			tb.Errorf("sessiontest: there is no rule %q to make an exception from", name)
		}
	}
}

// runRule runs the test of a rule, unless there is an exception from it.
func (o *Options) runRule(t *testing.T, name string, run func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		if why, excepted := o.Except[name]; excepted {
			t.Logf("not run: %s", why)
			return
		}
		inTime(t, o, run)
	})
}

// inTime runs a test in a bubble, or without one where time is real.
func inTime(t *testing.T, opts *Options, run func(t *testing.T)) {
	t.Helper()
	if opts.RealTime {
		run(t)
		return
	}
	synctest.Test(t, run)
}

// incomingRule is one rule of TestIncoming.
type incomingRule struct {
	name string
	run  func(ctx context.Context, r *reading)
}

// incomingRules returns all rules for a way in.
func incomingRules() []incomingRule {
	var all []incomingRule
	for _, group := range [][]incomingRule{
		listingRules(), contentRules(), pageRules(), filterRules(), bodyRules(), folderRules(), roomRules(), idRules(), flagRules(),
		changeRules(), lineRules(), endingRules(), signInRules(), checkRules(),
		appendRules(), draftRules(), bulkRules(), partRules(), editRules(), upkeepRules(), extraRules(), syncRules(), noticeRules(), watchRules(), waitRules(), processRules(),
	} {
		all = append(all, group...)
	}
	return all
}

// outgoingRule is one rule of TestOutgoing.
type outgoingRule struct {
	name string
	run  func(ctx context.Context, s *posting)
}

// checkIncoming checks one rule on a backend and a mailbox of its own.
func checkIncoming(tb testing.TB, rule incomingRule, open func(tb testing.TB) *Incoming, opts *Options) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), opts.limit())
	defer cancel()
	bed := open(tb)
	if bed.Mailbox == nil || bed.Backend == nil || bed.Spoil == nil || bed.Credentials.User == "" {
		tb.Fatalf("sessiontest: an Incoming needs Credentials, Mailbox, Backend and Spoil")
	}
	r := &reading{TB: tb, Incoming: bed, line: newLine(bed.Dial), realTime: opts.RealTime, brief: opts.Brief}
	tb.Cleanup(r.line.end)
	r.in = r.connect()
	rule.run(ctx, r)
}

// checkOutgoing checks one rule on a backend and mailboxes of its own.
func checkOutgoing(tb testing.TB, rule outgoingRule, open func(tb testing.TB) *Outgoing, opts *Options) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), opts.limit())
	defer cancel()
	bed := open(tb)
	if len(bed.To) < 3 || bed.From == "" || bed.Refused == "" || bed.TooLarge == 0 || bed.Backend == nil || bed.Arrived == nil {
		tb.Fatalf("sessiontest: an Outgoing needs Backend, From, three addresses in To, Refused, TooLarge and Arrived")
	}
	p := &posting{TB: tb, Outgoing: bed, line: newLine(bed.Dial), realTime: opts.RealTime}
	tb.Cleanup(p.line.end)
	p.out = p.connect()
	rule.run(ctx, p)
}

// reading is one test of a way in.
type reading struct {
	testing.TB
	*Incoming

	line     *line
	in       session.Incoming
	realTime bool
	brief    bool
}

// connect returns another backend over the same line. The test's end closes
// it.
func (r *reading) connect() session.Incoming {
	r.Helper()
	in, err := r.Backend(r.line.Dial)(setupFor(r.Credentials))
	if err != nil {
		r.Fatalf("make the backend: %v", err)
	}
	r.Cleanup(func() { closeIt(r, in) })
	return in
}

// renew closes the backend and puts a new one in its place, when the server has
// noticed: some let one connection at a time into a mailbox.
func (r *reading) renew() {
	r.Helper()
	closeIt(r, r.in)
	r.line.settle()
	if !r.realTime {
		synctest.Wait()
	}
	r.in = r.connect()
}

// session returns a Session over another backend.
func (r *reading) session(mode session.Mode) *session.Session {
	r.Helper()
	s, err := session.New(r.Credentials, r.Backend(r.line.Dial), nil, &session.Options{Mode: mode})
	if err != nil {
		r.Fatalf("session.New in mode %v: %v", mode, err)
	}
	r.Cleanup(func() { closeIt(r, s) })
	return s
}

func setupFor(creds session.Credentials) session.Setup {
	return session.Setup{Credentials: creds, Logger: quiet()}
}

func closeIt(tb testing.TB, c io.Closer) {
	tb.Helper()
	if err := c.Close(); err != nil {
		tb.Errorf("Close: %v", err)
	}
}

// wantUnsupported checks the error about something that the backend says it
// lacks.
func wantUnsupported(tb testing.TB, what string, err error, names ...string) {
	tb.Helper()
	if !errors.Is(err, errors.ErrUnsupported) {
		tb.Errorf("%s: error %v, want one that wraps errors.ErrUnsupported", what, err)
		return
	}
	for _, name := range names {
		if strings.Contains(strings.ToLower(err.Error()), name) {
			return
		}
	}
	tb.Errorf("%s: error %v, want one that names what is missing (one of %q)", what, err, names)
}

// wantNoSecret checks that an error does not tell how to sign in.
func wantNoSecret(tb testing.TB, err error, password secret.Text) {
	tb.Helper()
	if err != nil && !password.IsZero() && strings.Contains(err.Error(), password.Reveal()) {
		tb.Errorf("an error shows the password")
	}
}
