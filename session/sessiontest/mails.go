package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync/atomic"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// circular is how many messages a test sends at once.
const circular = 30

// mailRules are about many messages at once.
func mailRules() []outgoingRule {
	return []outgoingRule{
		{"many messages have a result each, and arrive once each, exactly", bulkArrives},
		{"what is wrong with one of many messages concerns no other", bulkWithBad},
		{"a loop over many messages that is left takes no more of them", bulkLeft},
		{"a line cut anywhere among many messages tells the truth", bulkCut},
		{"many messages end with their context, each with its result", bulkEnded},
	}
}

// bulk is what became of many messages.
type bulk struct {
	results map[string]session.MailResult
	errs    map[string]error
	taken   int
	why     error
}

// sendAll sends messages through a Session over the backend; each, if it is not
// nil, is called for each result and reports whether to go on.
func (p *posting) sendAll(ctx context.Context, messages iter.Seq[session.Mail], each func(n int) bool) bulk {
	p.Helper()
	s, err := session.New(p.Credentials, nil, func(session.Setup) (session.Outgoing, error) { return p.out, nil }, nil)
	if err != nil {
		p.Fatalf("session.New: %v", err)
	}
	b := bulk{results: map[string]session.MailResult{}, errs: map[string]error{}}
	opts := &session.BulkOptions{Progress: func(progress session.BulkProgress) { b.taken = progress.Taken }}
	for r, err := range s.SendAll(ctx, messages, opts) {
		if b.why != nil {
			p.Errorf("SendAll goes on after %v", b.why)
		}
		if _, own := errors.AsType[*session.SendError](err); err != nil && !own {
			b.why = err
			continue
		}
		if _, twice := b.results[r.Key]; twice {
			p.Errorf("message %q has two results", r.Key)
		}
		b.results[r.Key], b.errs[r.Key] = r, err
		if each != nil && !each(len(b.results)) {
			break
		}
	}
	wantNoSecret(p, b.why, p.Credentials.Password)
	return b
}

// mails are the letters, each with its number as its key, under one envelope.
func mails(e session.Envelope, letters []*letter) iter.Seq[session.Mail] {
	return func(yield func(session.Mail) bool) {
		for i, l := range letters {
			if !yield(session.Mail{Key: strconv.Itoa(i), Envelope: e, Message: l}) {
				return
			}
		}
	}
}

func (p *posting) circulars(n int) []*letter {
	letters := make([]*letter, n)
	for i := range letters {
		letters[i] = p.write(fmt.Sprintf("number %d\r\n.\r\n..\r\n", i))
		if i%3 == 1 {
			letters[i].size = -1
		}
	}
	return letters
}

// wantResults checks each result by itself, and against what arrived.
func (p *posting) wantResults(ctx context.Context, what string, e session.Envelope, letters []*letter, b bulk) {
	p.Helper()
	for i, l := range letters {
		key := strconv.Itoa(i)
		r, ok := b.results[key]
		if ok {
			p.wantReceipt(e, l, r.Receipt, b.errs[key])
			p.wantTruth(ctx, what+", message "+key, e, l, r.Receipt)
		}
	}
}

func bulkArrives(ctx context.Context, p *posting) {
	e := p.envelope(2)
	letters := p.circulars(circular)
	for i, body := range []string{"", "the end", lines(100_000), "Gr\xc3\xbc\xc3\x9fe\r\n", lines(64 << 10), "\r\n\r\n"} {
		letters[5*i] = p.write(body)
	}
	b := p.sendAll(ctx, mails(e, letters), nil)
	if b.why != nil || len(b.results) != circular {
		p.Fatalf("SendAll gave %d results for %d messages, and %v", len(b.results), circular, b.why)
	}
	p.wantResults(ctx, "many", e, letters, b)
	for i, l := range letters {
		if got := b.results[strconv.Itoa(i)].Receipt.Outcome; got != session.Accepted {
			p.Errorf("message %d of many: %v, %v; want accepted", i, got, b.errs[strconv.Itoa(i)])
		}
		for _, to := range e.To {
			p.wantArrived(ctx, to, l, 1)
		}
	}
	p.wantSending(ctx)
}

func bulkWithBad(ctx context.Context, p *posting) {
	letters := p.circulars(circular)
	var all []session.Mail
	for m := range mails(p.envelope(1), letters) {
		all = append(all, m)
	}
	letters[5].fail = len(letters[5].raw) - 1
	letters[8].size += 7
	all[10].Envelope.To = []string{p.Refused}
	all[12].Envelope.To = []string{p.To[0], p.Refused, p.To[1]}
	all[14].Envelope.To = []string{p.To[0] + "\r\nRCPT TO:<" + p.To[1] + ">"}
	all[16].Envelope.To = nil
	all[18].Message = nil
	large := p.write(lines(int(p.TooLarge)))
	all[20].Message = large
	all[22].Message = message.Bytes(nil)
	b := p.sendAll(ctx, slices.Values(all), nil)
	if b.why != nil || len(b.results) != circular {
		p.Fatalf("SendAll gave %d results for %d messages, and %v", len(b.results), circular, b.why)
	}
	bad := []int{5, 8, 10, 14, 16, 18, 20, 22}
	for i, m := range all {
		want := session.Accepted
		switch {
		case slices.Contains(bad, i):
			want = session.NotSent
		case i == 12:
			want = session.Partial
		}
		r := b.results[m.Key].Receipt
		if r.Outcome != want || (b.errs[m.Key] == nil) != (want == session.Accepted) {
			p.Errorf("message %d of many: %v, %v; want %v", i, r.Outcome, b.errs[m.Key], want)
		}
		if want == session.Accepted {
			p.wantTruth(ctx, "among bad ones", m.Envelope, letters[i], r)
		}
	}
	for i, times := range map[int]int{5: 0, 8: 0, 10: 0, 12: 1, 14: 0, 16: 0} {
		p.wantArrived(ctx, p.To[0], letters[i], times)
		p.wantArrived(ctx, p.To[1], letters[i], times)
	}
	p.wantArrived(ctx, p.To[0], large, 0)
	p.wantSending(ctx)
}

func bulkLeft(ctx context.Context, p *posting) {
	var taken atomic.Int64 // the input may still run when the loop is left
	endless := func(yield func(session.Mail) bool) {
		for {
			if !yield(session.Mail{Key: strconv.FormatInt(taken.Add(1), 10), Envelope: p.envelope(1), Message: p.write("endless\r\n")}) {
				return
			}
		}
	}
	p.sendAll(ctx, endless, func(n int) bool { return n < 3 })
	p.line.settle()
	if n := taken.Load(); n > 5000 {
		p.Errorf("%d messages were taken for 3 results", n)
	}
	p.wantSending(ctx)
	closeIt(p, p.out)
	if n := p.line.open(); n != 0 {
		p.Errorf("%d connections are open after Close", n)
	}
}

func bulkCut(ctx context.Context, p *posting) {
	e := p.envelope(2)
	p.line.arm(nil)
	if b := p.sendAll(ctx, mails(e, p.circulars(12)), nil); b.why != nil {
		p.Fatalf("SendAll: %v", b.why)
	}
	sent, received, _, _ := p.line.counts()
	n := cuts
	if p.realTime {
		n = 2
	}
	for _, f := range slices.Concat(places(receiving, received, n), places(sending, sent, n)) {
		p.out = p.connect()
		letters := p.circulars(12)
		p.line.arm(&f)
		b := p.sendAll(ctx, mails(e, letters), nil)
		what := fmt.Sprintf("cut after %d bytes %v", f.after, f.dir)
		if b.why != nil && len(b.results) != b.taken || b.why == nil && len(b.results) != len(letters) {
			p.Errorf("%s: %d results for %d messages of which %d were taken, %v", what, len(b.results), len(letters), b.taken, b.why)
		}
		p.wantResults(ctx, what, e, letters, b)
		p.line.arm(nil)
		p.wantSending(ctx)
		closeIt(p, p.out)
	}
}

func bulkEnded(ctx context.Context, p *posting) {
	inner, cancel := context.WithCancel(ctx)
	defer cancel()
	letters := p.circulars(200)
	e := p.envelope(1)
	b := p.sendAll(inner, mails(e, letters), func(n int) bool {
		if n == 3 {
			cancel()
		}
		return true
	})
	if !errors.Is(b.why, context.Canceled) {
		p.Errorf("SendAll whose context is cancelled ends in %v, want context.Canceled", b.why)
	}
	if len(b.results) != b.taken {
		p.Errorf("%d messages were taken, %d have a result", b.taken, len(b.results))
	}
	p.wantResults(ctx, "cancelled", e, letters, b)
	p.wantSending(ctx)
}
