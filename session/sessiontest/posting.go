package sessiontest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// posting is one test of a way out.
type posting struct {
	testing.TB
	*Outgoing

	line     *line
	out      session.Outgoing
	realTime bool
}

// connect returns another backend over the same line. The test's end closes
// it.
func (p *posting) connect() session.Outgoing {
	p.Helper()
	out, err := p.Backend(p.line.Dial)(setupFor(p.Credentials))
	if err != nil {
		p.Fatalf("make the backend: %v", err)
	}
	p.Cleanup(func() { closeIt(p, out) })
	return out
}

// letter is a message to send: a Source that counts how often it was opened.
type letter struct {
	id   string // its Message-ID without angle brackets
	raw  string
	size int64 // what it says of itself

	mu    sync.Mutex
	opens int
	fail  int // reading fails after so many bytes, where it is not zero
}

var errSource = errors.New("the disk is gone")

// Open implements [message.Source].
func (l *letter) Open() (io.ReadCloser, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.opens++
	if l.fail > 0 {
		return io.NopCloser(io.MultiReader(strings.NewReader(l.raw[:l.fail]), failing{})), nil
	}
	return io.NopCloser(strings.NewReader(l.raw)), nil
}

// explains reports whether an error names what is wrong with the source.
func (l *letter) explains(err error) bool {
	switch {
	case l.fail > 0:
		return errors.Is(err, errSource)
	case l.raw == "":
		return errors.Is(err, session.ErrEmptyMessage)
	}
	return true
}

// Size implements [message.Source].
func (l *letter) Size() int64 { return l.size }

func (l *letter) opened() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opens
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errSource }

// write makes a message that no other test has.
func (p *posting) write(body string) *letter {
	id := strings.ToLower(rand.Text()) + "@sender.example"
	raw := mailtest.CRLF("From: <"+p.From+">\nTo: undisclosed-recipients:;\nSubject: a letter\n"+
		"Date: Fri, 01 Mar 2024 09:00:00 +0000\nMessage-ID: <"+id+">\n\n") + body
	return &letter{id: id, raw: raw, size: int64(len(raw))}
}

// envelope is for the first n addresses.
func (p *posting) envelope(n int) session.Envelope {
	return session.Envelope{From: p.From, To: p.To[:n]}
}

// arrived returns the copies of a message that an address got.
func (p *posting) arrived(ctx context.Context, address, id string) []string {
	p.Helper()
	p.line.settle()
	if !p.realTime {
		synctest.Wait()
	}
	all, err := p.Arrived(ctx, address)
	if err != nil {
		p.Fatalf("look into the mail of %s: %v", address, err)
	}
	var copies []string
	for _, raw := range all {
		if strings.Contains(raw, "<"+id+">") {
			copies = append(copies, raw)
		}
	}
	return copies
}

// wantArrived checks that an address got a message so many times, and as it
// was sent. Servers write fields of their own before it.
func (p *posting) wantArrived(ctx context.Context, address string, l *letter, times int) {
	p.Helper()
	copies := p.arrived(ctx, address, l.id)
	if len(copies) != times {
		p.Errorf("%s got the message %d times, want %d", address, len(copies), times)
	}
	want := l.raw
	if !strings.HasSuffix(want, "\r\n") {
		want += "\r\n"
	}
	for _, raw := range copies {
		if !strings.HasSuffix(raw, want) {
			got := []byte(raw[max(len(raw)-len(want), 0):])
			i := max(difference(got, []byte(want)), 0)
			p.Errorf("%s got %d bytes that differ from byte %d of %d on: %q, want %q", address, len(raw), i, len(want),
				excerpt(got, i), excerpt([]byte(want), i))
		}
	}
}

// accepted sends a message that is taken for everybody.
func (p *posting) accepted(ctx context.Context, e session.Envelope, l *letter) {
	p.Helper()
	rec, err := p.out.Send(ctx, e, l)
	if err != nil || rec.Outcome != session.Accepted {
		p.Fatalf("Send = %+v, %v; want accepted", rec, err)
	}
	p.wantReceipt(e, l, rec, err)
}

// wantReceipt checks what has to be so in every receipt.
func (p *posting) wantReceipt(e session.Envelope, l *letter, rec session.Receipt, err error) {
	p.Helper()
	wantNoSecret(p, err, p.Credentials.Password)
	if (err == nil) != (rec.Outcome == session.Accepted) {
		p.Errorf("outcome %v with the error %v; want no error exactly where all accepted", rec.Outcome, err)
	}
	if err != nil && rec.MessageID != "" {
		se, ok := errors.AsType[*session.SendError](err)
		if !ok || se.Receipt.Outcome != rec.Outcome {
			p.Errorf("error %v, want a SendError with the outcome %v", err, rec.Outcome)
		}
	}
	if rec.MessageID != l.id && (rec.Outcome != session.NotSent || rec.MessageID != "") {
		p.Errorf("the receipt names the message %q, want %q", rec.MessageID, l.id)
	}
	if len(rec.Recipients) == 0 && rec.Outcome == session.NotSent {
		return // it did not come so far
	}
	if len(rec.Recipients) != len(e.To) {
		p.Errorf("%d recipients in the receipt, want %d", len(rec.Recipients), len(e.To))
		return
	}
	taken := 0
	for i, to := range rec.Recipients {
		if to.Address != e.To[i] {
			p.Errorf("recipient %d of the receipt is %q, want %q", i, to.Address, e.To[i])
		}
		if to.Accepted {
			taken++
		}
		if to.Accepted && to.Err != nil {
			p.Errorf("recipient %q is accepted with the error %v", to.Address, to.Err)
		}
	}
	switch {
	case rec.Outcome == session.Accepted && taken != len(e.To),
		rec.Outcome == session.Partial && (taken == 0 || taken == len(e.To)),
		rec.Outcome != session.Accepted && rec.Outcome != session.Partial && taken != 0:
		p.Errorf("outcome %v with %d of %d recipients accepted", rec.Outcome, taken, len(e.To))
	}
}

// wantTruth compares a receipt with what the mailboxes got.
func (p *posting) wantTruth(ctx context.Context, what string, e session.Envelope, l *letter, rec session.Receipt) {
	p.Helper()
	for i, to := range e.To {
		n := len(p.arrived(ctx, to, l.id))
		said := rec.Outcome == session.Accepted || rec.Outcome == session.Partial && rec.Recipients[i].Accepted
		switch {
		case n > 1:
			p.Errorf("%s: %s got the message %d times", what, to, n)
		case said && n == 0:
			p.Errorf("%s: outcome %v, and %s got nothing", what, rec.Outcome, to)
		case !said && rec.Outcome != session.SentUnknown && n > 0:
			p.Errorf("%s: outcome %v, and %s got the message", what, rec.Outcome, to)
		}
	}
}

// wantSending checks that the backend sends after whatever happened to it.
func (p *posting) wantSending(ctx context.Context) {
	p.Helper()
	l := p.write("still there\r\n")
	rec, err := p.out.Send(ctx, p.envelope(1), l)
	if err != nil || rec.Outcome != session.Accepted {
		p.Errorf("afterwards, Send = %+v, %v; want accepted", rec, err)
		return
	}
	p.wantArrived(ctx, p.To[0], l, 1)
}

var _ message.Source = (*letter)(nil)

// lines returns n bytes of text.
func lines(n int) string {
	return string(bytes.Repeat([]byte(strings.Repeat("y", 62)+"\r\n"), (n+63)/64))
}
