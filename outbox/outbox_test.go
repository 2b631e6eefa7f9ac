package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/preset/presettest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
	"github.com/mailsession/mailsession/state"
)

const (
	ann = "ann@contoso.example"
	bob = "bob@contoso.example"
	eve = "eve@contoso.example"
)

// office is a fake provider with accounts, and what uses it.
type office struct {
	t        *testing.T
	provider *presettest.Provider
	accounts map[string]*mailtest.Account
	store    state.Store
}

// newOffice starts a provider. It belongs into a bubble.
func newOffice(t *testing.T) *office {
	t.Helper()
	o := &office{
		t: t, store: state.NewMemory(), accounts: map[string]*mailtest.Account{},
		provider: presettest.NewProvider(&presettest.Options{InMemory: true}),
	}
	t.Cleanup(o.provider.Close)
	for _, address := range []string{ann, bob, eve} {
		o.accounts[address] = o.provider.Add(address, secret.New("correct horse"))
	}
	return o
}

// session opens ann's mailbox.
func (o *office) session(opts session.Options) *session.Session {
	o.t.Helper()
	log := testlog.New(o.t)
	known := o.provider.Preset()
	known.IMAP.Transcript, known.SMTP.Transcript = log, log
	opts.Logger = testlog.Logger(log)
	s, err := session.New(session.Credentials{User: ann, Password: secret.New("correct horse")},
		imapx.Backend(known.IMAP, nil), smtpx.Backend(known.SMTP, nil), &opts)
	if err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if err := s.Close(); err != nil {
			o.t.Errorf("Close: %v", err)
		}
	})
	return s
}

// box returns a worker of ann's outbox with a session of its own.
func (o *office) box(opts outbox.Options) *outbox.Outbox {
	o.t.Helper()
	return o.boxOver(o.session(session.Options{SaveSent: session.SentAuto}), opts)
}

func (o *office) boxOver(s *session.Session, opts outbox.Options) *outbox.Outbox {
	o.t.Helper()
	opts.Logger = testlog.Logger(testlog.New(o.t))
	b, err := outbox.New(o.store, s, &opts)
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// count returns how many messages a folder holds.
func (o *office) count(address, folder string) int {
	o.t.Helper()
	list, err := o.accounts[address].Messages(folder)
	if err != nil {
		o.t.Fatal(err)
	}
	return len(list)
}

// draft returns a new message to some addresses.
func draft(subject string, to ...string) *message.Draft {
	d := &message.Draft{From: mail.Address{Address: ann}, Subject: subject, Text: "As agreed.\n"}
	for _, address := range to {
		d.To = append(d.To, mail.Address{Address: address})
	}
	return d
}

// running runs a worker until the function that it returns is called.
func running(t *testing.T, b *outbox.Outbox) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run = %v, want the context's error", err)
		}
	}
}

// enqueue puts a draft in the box.
func enqueue(t *testing.T, b *outbox.Outbox, key string, d *message.Draft) outbox.Entry {
	t.Helper()
	e, err := b.EnqueueDraft(t.Context(), key, d)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// wantState looks at an entry.
func wantState(t *testing.T, b *outbox.Outbox, key string, want outbox.State) outbox.Entry {
	t.Helper()
	e, err := b.Entry(t.Context(), key)
	if err != nil || e.State != want {
		t.Errorf("%s is %q (%v, %q), want %q", key, e.State, err, e.Err, want)
	}
	return e
}

// bodies returns how many messages' bytes the Store holds.
func (o *office) bodies() int {
	o.t.Helper()
	return len(o.keys("/body/"))
}

// keys returns the keys of a part of the Store.
func (o *office) keys(part string) []string {
	o.t.Helper()
	list, _ := state.As[state.Lister](o.store)
	var all []string
	for key, err := range list.List(o.t.Context(), outbox.DefaultPrefix+part) {
		if err != nil {
			o.t.Fatal(err)
		}
		all = append(all, key)
	}
	return all
}

// A message goes out once, whoever enqueues it how often, with a copy in the folder
// of sent mail, and leaves nothing but what is known of it.
func TestAMessageGoesOutOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		first := enqueue(t, b, "invoice 7", draft("Invoice 7", bob))
		if first.State != outbox.StateNew || first.MessageID == "" || first.Next.IsZero() {
			t.Errorf("the new entry is %+v", first)
		}
		if again := enqueue(t, b, "invoice 7", draft("Invoice 7", bob)); again.MessageID != first.MessageID {
			t.Errorf("enqueued again it is %s, want %s", again.MessageID, first.MessageID)
		}
		stop := running(t, b)
		synctest.Wait()
		stop()
		sent := wantState(t, b, "invoice 7", outbox.StateSent)
		if sent.Copy != session.CopyFiled || sent.Tries != 1 || sent.QueueID == "" || !sent.Next.IsZero() || sent.Recipients[0].State != outbox.Accepted {
			t.Errorf("the sent entry is %+v", sent)
		}
		if again := enqueue(t, b, "invoice 7", draft("Invoice 7", bob)); again.State != outbox.StateSent {
			t.Errorf("enqueued after it was sent it is %s, want sent", again.State)
		}
		if err := b.Drain(t.Context()); err != nil {
			t.Error(err)
		}
		if got, copies := o.count(bob, "INBOX"), o.count(ann, "Sent"); got != 1 || copies != 1 || o.bodies() != 0 {
			t.Errorf("bob has %d, Sent %d, the Store the bytes of %d; want 1, 1, 0", got, copies, o.bodies())
		}
		there, err := o.accounts[bob].Messages("INBOX")
		if err != nil || !strings.Contains(there[0].Raw, "<"+first.MessageID+">") {
			t.Errorf("bob's message (%v) has not the Message-ID %s", err, first.MessageID)
		}
	})
}

// Another message under a key is refused, also where only the recipients differ.
func TestAKeyIsOfOneMessage(t *testing.T) {
	t.Parallel()
	b, err := outbox.New(state.NewMemory(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	enqueue(t, b, "a", draft("One", bob))
	for what, d := range map[string]*message.Draft{"another subject": draft("Two", bob), "another recipient": draft("One", eve)} {
		if _, err := b.EnqueueDraft(t.Context(), "a", d); !errors.Is(err, outbox.ErrKeyUsed) {
			t.Errorf("%s: %v, want ErrKeyUsed", what, err)
		}
	}
	raw := message.Bytes([]byte(mailtest.CRLF("From: ann@contoso.example\nMessage-ID: <own@contoso.example>\nDate: Fri, 20 Nov 2026 09:30:00 +0100\n\nHello.\n")))
	for range 2 {
		e, err := b.Enqueue(t.Context(), "b", session.Envelope{From: ann, To: []string{bob}}, raw)
		if err != nil || e.MessageID != "own@contoso.example" || e.Size != raw.Size() {
			t.Errorf("Enqueue = %+v, %v; want the message as it is", e, err)
		}
	}
	if _, err := b.Enqueue(t.Context(), "b", session.Envelope{From: eve, To: []string{bob}}, raw); !errors.Is(err, outbox.ErrKeyUsed) {
		t.Errorf("another sender: %v, want ErrKeyUsed", err)
	}
}

// What cannot be kept is refused before anything is.
func TestWhatIsNotTaken(t *testing.T) {
	t.Parallel()
	store := state.NewMemory()
	b, err := outbox.New(store, nil, &outbox.Options{MaxSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	small, to := message.Bytes([]byte("Subject: a\r\n\r\n")), []string{bob}
	for what, try := range map[string]struct {
		key  string
		to   []string
		m    message.Source
		want string
	}{
		"no key":           {"", to, small, "0 bytes"},
		"a long key":       {strings.Repeat("k", 1001), to, small, "1001 bytes"},
		"no recipient":     {"a", nil, small, "no recipient"},
		"too large":        {"a", to, message.Bytes(make([]byte, 101)), outbox.ErrTooLarge.Error()},
		"a bad Message-ID": {"a", to, message.Bytes([]byte("Message-ID: <>\r\n\r\n")), "Message-ID"},
		"nothing":          {"a", to, nil, session.ErrEmptyMessage.Error()},
		"an empty message": {"a", to, message.Bytes(nil), session.ErrEmptyMessage.Error()},
		"no file":          {"a", to, message.File(t.TempDir() + "/none"), "open the message"},
	} {
		if _, err := b.Enqueue(t.Context(), try.key, session.Envelope{From: ann, To: try.to}, try.m); err == nil || !strings.Contains(err.Error(), try.want) {
			t.Errorf("%s: %v, want %q", what, err, try.want)
		}
	}
	for key, err := range store.List(t.Context(), "") {
		t.Errorf("the Store holds %s, %v", key, err)
	}
}

// Settings that cannot work are refused by New.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]outbox.Options{
		"a prefix that is no key": {Prefix: "an outbox"},
		"a long prefix":           {Prefix: strings.Repeat("p", 101)},
		"a negative time":         {FirstWait: -1},
		"a term of nothing":       {Term: time.Nanosecond},
	} {
		if _, err := outbox.New(state.NewMemory(), nil, &o); err == nil {
			t.Errorf("%s is taken", what)
		}
	}
	if _, err := outbox.New(struct{ state.Store }{state.NewMemory()}, nil, nil); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a Store that cannot list: %v, want ErrUnsupported", err)
	}
	if _, err := outbox.New(nil, nil, nil); err == nil || !strings.Contains(err.Error(), "there is no Store") {
		t.Errorf("no Store: %v, want that told", err)
	}
	in := imapx.Backend(session.Server{Host: "imap.example.com"}, nil)
	for _, mode := range []session.Mode{session.ReadOnly, session.ReadWrite} {
		reading, err := session.New(session.Credentials{User: ann}, in, nil, &session.Options{Mode: mode})
		if err != nil {
			t.Fatal(err)
		}
		_, err = outbox.New(state.NewMemory(), reading, nil)
		_, forbidden := errors.AsType[*session.ModeError](err)
		if err == nil || !strings.Contains(err.Error(), "give New a session with a way out") || forbidden != (mode == session.ReadOnly) {
			t.Errorf("a session in the mode %v that has no way out: %v, want what to give", mode, err)
		}
		if err := reading.Close(); err != nil {
			t.Error(err)
		}
	}
	b, err := outbox.New(state.NewMemory(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Run(t.Context()); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("Run without a session = %v, want ErrUnsupported", err)
	}
	if _, err := b.Entry(t.Context(), "none"); !errors.Is(err, outbox.ErrNoEntry) {
		t.Errorf("Entry of nothing: %v, want ErrNoEntry", err)
	}
}

// A server that refuses for now is asked again, at growing intervals; one that
// refuses for good is not, and the message can be sent again by the program.
func TestRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		var mu sync.Mutex
		var states []string
		b := o.box(outbox.Options{Changed: func(e outbox.Entry) {
			mu.Lock()
			defer mu.Unlock()
			states = append(states, string(e.State))
		}})
		o.provider.SMTP.Inject(mailtest.Reply("MAIL", "451 4.3.0 local trouble").Repeating(2))
		began := time.Now()
		enqueue(t, b, "a", draft("One", bob))
		stop := running(t, b)
		<-time.After(10 * time.Minute)
		e := wantState(t, b, "a", outbox.StateSent)
		if e.Tries != 3 || e.Err != "" {
			t.Errorf("%d tries, error %q; want 3 and none", e.Tries, e.Err)
		}
		if took := e.Changed.Sub(began); took < 2*time.Minute || took > 3*time.Minute {
			t.Errorf("sent after %v, want 1 and 2 minutes less up to a fifth", took)
		}
		if want := []string{"new", "sending", "new", "sending", "new", "sending", "sent"}; !slices.Equal(states, want) {
			t.Errorf("the states %q, want %q", states, want)
		}
		o.provider.SMTP.Inject(mailtest.Reply("RCPT", "550 5.1.1 no such user"))
		enqueue(t, b, "b", draft("Two", bob))
		<-time.After(time.Hour)
		e = wantState(t, b, "b", outbox.StateFailed)
		if e.Tries != 1 || !strings.Contains(e.Recipients[0].Err, "5.1.1") || o.bodies() != 1 {
			t.Errorf("the failed entry is %+v with %d bodies, want one try with the server's words, and its bytes", e, o.bodies())
		}
		if err := b.Resend(t.Context(), "b"); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		wantState(t, b, "b", outbox.StateSent)
		if got := o.count(bob, "INBOX"); got != 2 {
			t.Errorf("bob has %d messages, want 2", got)
		}
		stop()
	})
}

// Of several recipients those who were accepted get the message once, those who
// are refused for now get it later, and those who are refused for good never.
func TestRecipientsAreOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{})
		o.provider.SMTP.Inject(mailtest.Reply("RCPT", "450 4.2.0 later").Containing("bob@"))
		enqueue(t, b, "a", draft("One", ann, bob, "nobody@contoso.example"))
		stop := running(t, b)
		defer stop()
		synctest.Wait()
		e := wantState(t, b, "a", outbox.StateNew)
		if got := fmt.Sprintf("%s %s %s", e.Recipients[0].State, e.Recipients[1].State, e.Recipients[2].State); got != "accepted waiting refused" {
			t.Errorf("the recipients are %s, want accepted waiting refused", got)
		}
		<-time.After(5 * time.Minute)
		wantState(t, b, "a", outbox.StatePartial)
		if a, b, copies := o.count(ann, "INBOX"), o.count(bob, "INBOX"), o.count(ann, "Sent"); a != 1 || b != 1 || copies != 1 {
			t.Errorf("ann has %d, bob %d, Sent %d; want one each", a, b, copies)
		}
	})
}

// A message that is refused for too long is given up.
func TestGivingUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOffice(t)
		b := o.box(outbox.Options{GiveUpAfter: 12 * time.Hour})
		o.provider.SMTP.Inject(mailtest.Reply("MAIL", "451 4.7.1 later").Repeating(-1))
		enqueue(t, b, "a", draft("One", bob))
		stop := running(t, b)
		defer stop()
		<-time.After(11 * time.Hour)
		wantState(t, b, "a", outbox.StateNew)
		<-time.After(3 * time.Hour)
		e := wantState(t, b, "a", outbox.StateFailed)
		if e.Tries < 12 || e.Tries > 30 || !strings.Contains(e.Recipients[0].Err, "4.7.1") {
			t.Errorf("given up after %d tries with %q, want about 20, and the server's words", e.Tries, e.Recipients[0].Err)
		}
	})
}

// A message for all or for nobody waits for all of them where one is refused for now,
// and is given up for all of them where one is refused for good.
func TestAllOrNone(t *testing.T) {
	for want, refused := range map[outbox.State]mailtest.Fault{
		outbox.StateSent:   mailtest.Reply("RCPT", "450 4.2.0 later").Containing("bob@"),
		outbox.StateFailed: mailtest.Reply("RCPT", "550 5.1.1 no such user").Containing("bob@").Repeating(-1),
	} {
		synctest.Test(t, func(t *testing.T) {
			o := newOffice(t)
			b := o.box(outbox.Options{})
			o.provider.SMTP.Inject(refused)
			e := session.Envelope{From: ann, To: []string{ann, bob, eve}, AllOrNone: true}
			if _, err := b.Enqueue(t.Context(), "a", e, message.Bytes([]byte("From: "+ann+"\r\n\r\nHello.\r\n"))); err != nil {
				t.Fatal(err)
			}
			stop := running(t, b)
			defer stop()
			synctest.Wait()
			if got := o.count(ann, "INBOX") + o.count(bob, "INBOX") + o.count(eve, "INBOX"); got != 0 {
				t.Errorf("%d of them have the message though one was refused", got)
			}
			<-time.After(5 * time.Minute)
			got := wantState(t, b, "a", want)
			arrived := []int{o.count(ann, "INBOX"), o.count(bob, "INBOX"), o.count(eve, "INBOX")}
			if n := b2i(want == outbox.StateSent); !slices.Equal(arrived, []int{n, n, n}) {
				t.Errorf("ann, bob and eve have %d messages (%+v), want %d each", arrived, got.Recipients, n)
			}
		})
	}
}
