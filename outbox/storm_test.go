package outbox_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/outbox"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/state"
)

// storms is how many are tried. The same one does not always take the same course,
// since goroutines do not.
const storms = 12

// storm is a time in which everything goes wrong: two workers share a Store that
// fails for each of them now and then, are stopped and started, and send by servers
// that fail at any step.
type storm struct {
	*office

	rand  *rand.Rand
	disks []*stuck
	boxes []*outbox.Outbox
	stops []func()
	keys  []string
}

// Whatever goes wrong together: what is accepted arrived once, what is refused did
// not, of what is not known nothing arrived twice, and a message for all or for nobody
// is no exception. Each that is sent has one copy.
func TestAStormOfFaults(t *testing.T) {
	t.Parallel()
	for seed := range uint64(storms) {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newStorm(t, seed)
				for step := range 60 {
					s.step(strconv.Itoa(step))
					<-time.After(time.Duration(s.rand.IntN(120)) * time.Second)
				}
				s.calm()
				for _, key := range s.keys {
					s.judge(key)
				}
			})
		})
	}
}

func newStorm(t *testing.T, seed uint64) *storm {
	t.Helper()
	s := &storm{office: newOffice(t), rand: rand.New(rand.NewPCG(seed, seed))} //nolint:gosec // It is to be repeated, not to be secret.
	memory := state.NewMemory()
	for range 2 {
		disk := &stuck{Memory: memory}
		s.store = disk
		s.disks = append(s.disks, disk)
		s.boxes = append(s.boxes, s.box(outbox.Options{GiveUpAfter: 12 * time.Hour, Poll: 10 * time.Minute}))
	}
	return s
}

// one returns any of a list.
func one[T any](s *storm, list ...T) T { return list[s.rand.IntN(len(list))] }

// step has one thing happen.
func (s *storm) step(key string) {
	switch s.rand.IntN(8) {
	case 0, 1:
		s.enqueue(key)
	case 2, 3:
		for range 1 + s.rand.IntN(3) {
			s.provider.SMTP.Inject(s.fault(mailtest.Greeting, "EHLO", "AUTH", "MAIL", "RCPT", "DATA", smtptest.EndOfData, "RSET"))
		}
	case 4:
		s.provider.IMAP.Inject(s.fault(mailtest.Greeting, "LIST", "SEARCH", "APPEND", "SELECT", "FETCH"))
	case 5:
		one(s, s.disks...).broken.Store(s.rand.IntN(2) == 0)
	case 6:
		s.turn()
	case 7:
		s.provider.SMTP.Disconnect()
	}
}

// enqueue puts a message in, as often as it takes the Store to keep it.
func (s *storm) enqueue(key string) {
	e := session.Envelope{From: ann, To: one(s, []string{bob}, []string{eve}, []string{bob, eve}, []string{bob, "nobody@contoso.example"})}
	e.AllOrNone = s.rand.IntN(4) == 0
	m := message.Bytes([]byte(mailtest.CRLF("From: ann@contoso.example\nMessage-ID: <" + key + "-@contoso.example>\n\nHello.\n")))
	for range 5 {
		if _, err := one(s, s.boxes...).Enqueue(s.t.Context(), key, e, m); err == nil {
			s.keys = append(s.keys, key)
			return
		}
	}
}

// fault returns something that goes wrong at one of some commands.
func (s *storm) fault(commands ...string) mailtest.Fault {
	c := one(s, commands...)
	return one(s,
		mailtest.Drop(c, 0), mailtest.Silence(c), mailtest.Half(c), ignored(mailtest.Drop(c, 0)), mailtest.Delay(c, 100*time.Second),
		mailtest.Bye(c, "421 4.3.2 shutting down"), mailtest.Reply(c, "451 4.3.0 local trouble"), mailtest.Reply(c, "421 4.7.0 [THROTTLED] slow down"),
		mailtest.Reply("RCPT", "450 4.2.0 later").Containing("bob@"), mailtest.Reply("RCPT", "550 5.1.1 no").Containing("eve@"),
	).Skipping(s.rand.IntN(3))
}

// turn starts another worker, or stops the oldest one.
func (s *storm) turn() {
	if len(s.stops) == 3 {
		s.stops[0]()
		s.stops = s.stops[1:]
		return
	}
	b := one(s, s.boxes...)
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = b.Run(ctx) // that ctx ended, and perhaps what the Store failed to do
	}()
	s.stops = append(s.stops, func() { cancel(); <-ended })
}

// calm has everything work again, and waits until nothing more is to happen.
func (s *storm) calm() {
	for _, stop := range s.stops {
		stop()
	}
	for _, disk := range s.disks {
		disk.broken.Store(false)
	}
	s.provider.SMTP.Heal()
	s.provider.IMAP.Heal()
	defer running(s.t, s.boxes[0])()
	<-time.After(60 * time.Hour)
}

// judge compares what the outbox says of a message with what arrived.
func (s *storm) judge(key string) {
	e, err := s.boxes[0].Entry(s.t.Context(), key)
	if err != nil || !e.Next.IsZero() || e.State == outbox.StateNew || e.State == outbox.StateSending {
		s.t.Errorf("in the end %s is %+v, %v", key, e, err)
	}
	for _, r := range e.Recipients {
		n := s.holds(r.Address, "INBOX", key)
		if want := b2i(r.State == outbox.Accepted); r.State != outbox.Unsure && n != want || n > 1 {
			s.t.Errorf("%s has %s %d times: %+v", r.Address, key, n, e)
		}
		if e.Envelope.AllOrNone && r.State != e.Recipients[0].State {
			s.t.Errorf("%s is for all of them or for nobody: %+v", key, e)
		}
	}
	if n := s.holds(ann, "Sent", key); n > 1 || e.State == outbox.StateSent && n != 1 {
		s.t.Errorf("there are %d copies of %s: %+v", n, key, e)
	}
}

// holds returns how often a folder holds a message; nobody has one.
func (s *storm) holds(address, folder, key string) int {
	account, ok := s.accounts[address]
	if !ok {
		return 0
	}
	list, err := account.Messages(folder)
	if err != nil {
		s.t.Fatal(err)
	}
	n := 0
	for _, m := range list {
		n += b2i(strings.Contains(m.Raw, "<"+key+"-@"))
	}
	return n
}
