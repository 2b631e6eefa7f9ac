package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// outgoingRules returns all rules for a way out.
func outgoingRules() []outgoingRule {
	return append([]outgoingRule{
		{"nothing is dialled before the first use", lazyOut},
		{"a message that is accepted arrives once, for everybody", acceptedOnce},
		{"a refused recipient does not keep the others from it", partial},
		{"a message that all recipients are refused is NotSent", allRefused},
		{"a message that is too large is NotSent", tooLarge},
		{"what could break out of a command is refused before any byte", injection},
		{"the bytes of a message arrive exactly", exactLetters},
		{"Bcc is never in the bytes", noBcc},
		{"the null sender is a sender", nullSender},
		{"Message-ID and Date are fixed before the first byte", fixedIdentity},
		{"a source that fails is NotSent and never arrives in part", failingSource},
		{"a line cut at any step of the protocol tells the truth", cutSending},
		{"a line cut at any step of a later message tells the truth", cutLaterSending},
		{"a lost line is made again, and the source opened again", sourceAgain},
		{"a server that cannot be reached is NotSent, and is dialled again", unreachableOut},
		{"a call ends with its context, at the same instant, with the right outcome", sendEndsWithContext},
		{"a call whose context has ended is NotSent", sendEndedContext},
		{"Close ends what is being sent with ErrClosed", closeEndsSending},
		{"messages at the same time arrive once each", concurrentSending},
		{"refused credentials are an AuthError, and nothing is sent", refusedSender},
		{"a mode that forbids to send is a ModeError before any I/O", sendingModes},
	}, mailRules()...)
}

func lazyOut(_ context.Context, p *posting) {
	closeIt(p, p.connect())
	if n := p.line.dialled(); n != 0 {
		p.Errorf("%d connections were made before anything was sent", n)
	}
}

func acceptedOnce(ctx context.Context, p *posting) {
	for n := 1; n <= len(p.To); n++ {
		l := p.write("for " + strconv.Itoa(n) + "\r\n")
		p.accepted(ctx, p.envelope(n), l)
		for i, to := range p.To {
			times := 0
			if i < n {
				times = 1
			}
			p.wantArrived(ctx, to, l, times)
		}
	}
	if n := p.line.open(); n > 1 {
		p.Errorf("%d connections are open after messages one after the other, want one at most", n)
	}
	closeIt(p, p.out)
	if n := p.line.open(); n != 0 {
		p.Errorf("%d connections are open after Close", n)
	}
}

func partial(ctx context.Context, p *posting) {
	for at := range 3 {
		e := session.Envelope{From: p.From, To: append(append(append([]string{}, p.To[:at]...), p.Refused), p.To[at:2]...)}
		l := p.write("for some\r\n")
		rec, err := p.out.Send(ctx, e, l)
		p.wantReceipt(e, l, rec, err)
		if rec.Outcome != session.Partial {
			p.Errorf("Send with a refused recipient = %+v, %v; want partial", rec, err)
			continue
		}
		for i, r := range rec.Recipients {
			if r.Accepted == (i == at) || (r.Err != nil) != (i == at) {
				p.Errorf("recipient %d of %d: accepted %t, %v; the refused one is %d", i, len(e.To), r.Accepted, r.Err, at)
			}
		}
		for _, to := range p.To[:2] {
			p.wantArrived(ctx, to, l, 1)
		}
	}
	p.wantSending(ctx)
}

func allRefused(ctx context.Context, p *posting) {
	e := session.Envelope{From: p.From, To: []string{p.Refused, "x" + p.Refused}}
	l := p.write("for nobody\r\n")
	rec, err := p.out.Send(ctx, e, l)
	p.wantReceipt(e, l, rec, err)
	if rec.Outcome != session.NotSent || len(rec.Recipients) != 2 || rec.Recipients[0].Err == nil || rec.Recipients[1].Err == nil {
		p.Errorf("Send to refused recipients = %+v, %v; want not sent, with each one's refusal", rec, err)
	}
	p.wantSending(ctx)
}

func tooLarge(ctx context.Context, p *posting) {
	for _, size := range []int64{p.TooLarge, -1} {
		l := p.write(lines(int(p.TooLarge)))
		l.size = max(size, -1)
		if size > 0 {
			l.size = int64(len(l.raw))
		}
		rec, err := p.out.Send(ctx, p.envelope(2), l)
		p.wantReceipt(p.envelope(2), l, rec, err)
		if rec.Outcome != session.NotSent {
			p.Errorf("Send of %d bytes = %+v, %v; want not sent", len(l.raw), rec, err)
		}
		p.wantArrived(ctx, p.To[0], l, 0)
	}
	p.wantSending(ctx)
}

func injection(ctx context.Context, p *posting) {
	good, made := p.To[0], p.line.dialled()
	l := p.write("never\r\n")
	for _, e := range []session.Envelope{
		{From: p.From},
		{From: p.From, To: []string{""}},
		{From: p.From, To: []string{good, good + "\r\nRCPT TO:<" + p.To[1] + ">"}},
		{From: p.From + "\r\nDATA", To: []string{good}},
		{From: p.From, To: []string{good + "\n"}},
		{From: p.From, To: []string{good + "\x00"}},
		{From: p.From, To: []string{good + "> NOTIFY=NEVER"}},
		{From: "<" + p.From + ">", To: []string{good}},
		{From: p.From, To: []string{"Ann <" + good + ">"}},
	} {
		rec, err := p.out.Send(ctx, e, l)
		if err == nil || rec.Outcome != session.NotSent {
			p.Errorf("Send with the envelope %+v = %+v, %v; want not sent", e, rec, err)
		}
	}
	if rec, err := p.out.Send(ctx, p.envelope(1), nil); err == nil || rec.Outcome != session.NotSent {
		p.Errorf("Send of no message = %+v, %v; want not sent", rec, err)
	}
	if n := p.line.dialled() - made; n != 0 {
		p.Errorf("%d connections were made for what cannot be sent", n)
	}
	p.wantSending(ctx)
}

func exactLetters(ctx context.Context, p *posting) {
	for name, body := range map[string]string{
		"dots":                ".\r\n..\r\n.line\r\n.\r\n",
		"eight bits":          "Gr\xc3\xbc\xc3\x9fe, caf\xc3\xa9\r\n",
		"no final line break": "the end",
		"a final dot":         "the end\r\n.",
		"empty lines":         "\r\n\r\n\r\n",
		"nothing":             "",
		"protocol words":      "QUIT\r\nRSET\r\n250 ok\r\n354 go\r\n",
		"long and large":      lines(200_000) + strings.Repeat("z", 900) + "\r\n",
	} {
		for _, known := range []bool{true, false} {
			l := p.write(body)
			if !known {
				l.size = -1
			}
			p.accepted(ctx, p.envelope(1), l)
			p.wantArrived(ctx, p.To[0], l, 1)
			if p.Failed() {
				p.Fatalf("the message is %q, its size is known: %t", name, known)
			}
		}
	}
}

// outSession returns a Session that can send.
func (p *posting) outSession(mode session.Mode) *session.Session {
	p.Helper()
	in := func(session.Setup) (session.Incoming, error) { return nil, errors.New("nobody reads") }
	if mode != session.ReadOnly {
		in = nil
	}
	s, err := session.New(p.Credentials, in, p.Backend(p.line.Dial), &session.Options{Mode: mode})
	if err != nil {
		p.Fatalf("session.New: %v", err)
	}
	p.Cleanup(func() { closeIt(p, s) })
	return s
}

func noBcc(ctx context.Context, p *posting) {
	s := p.outSession(session.SendOnly)
	rec, err := s.SendDraft(ctx, &message.Draft{
		From: mail.Address{Address: p.From}, To: []mail.Address{{Address: p.To[0]}},
		Cc: []mail.Address{{Address: p.To[1]}}, Bcc: []mail.Address{{Address: p.To[2]}}, Subject: "hidden", Text: "see you\n",
	}, nil)
	if err != nil || rec.Outcome != session.Accepted || len(rec.Recipients) != 3 {
		p.Fatalf("SendDraft = %+v, %v; want accepted for three", rec, err)
	}
	for _, to := range p.To[:3] {
		copies := p.arrived(ctx, to, rec.MessageID)
		if len(copies) != 1 {
			p.Errorf("%s got the message %d times, want once", to, len(copies))
			continue
		}
		_, sent, _ := strings.Cut(copies[0], "From: ") // what a server wrote before it names its own recipient
		if strings.Contains(strings.ToLower(copies[0]), "\nbcc:") || strings.Contains(sent, p.To[2]) {
			p.Errorf("what %s got names the hidden recipient", to)
		}
	}
}

func nullSender(ctx context.Context, p *posting) {
	l := p.write("a notification\r\n")
	p.accepted(ctx, session.Envelope{To: p.To[:1]}, l)
	p.wantArrived(ctx, p.To[0], l, 1)
}

func fixedIdentity(ctx context.Context, p *posting) {
	draft := &message.Draft{From: mail.Address{Address: p.From}, To: []mail.Address{{Address: p.To[0]}}, Subject: "once", Text: "only\n"}
	source, err := draft.Source()
	if err != nil {
		p.Fatal(err)
	}
	var ids []string
	for range 2 {
		rec, err := p.out.Send(ctx, p.envelope(1), source)
		if err != nil || rec.MessageID == "" {
			p.Fatalf("Send = %+v, %v; want accepted, with a Message-ID", rec, err)
		}
		ids = append(ids, rec.MessageID)
	}
	copies := p.arrived(ctx, p.To[0], ids[0])
	if ids[0] != ids[1] || len(copies) != 2 {
		p.Fatalf("the same source sent twice has the Message-IDs %q, %d copies arrived", ids, len(copies))
	}
	dates := map[string]bool{}
	for _, raw := range copies {
		m, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			p.Fatalf("what arrived: %v", err)
		}
		if _, err := m.Header.Date(); err != nil {
			p.Errorf("what arrived has the Date %q: %v", m.Header.Get("Date"), err)
		}
		dates[m.Header.Get("Date")] = true
	}
	if len(dates) != 1 {
		p.Errorf("the same source sent twice has the Dates %v", dates)
	}
}

func failingSource(ctx context.Context, p *posting) {
	for name, change := range map[string]func(*letter){
		"fails at once":                func(l *letter) { l.fail = 1 },
		"fails in the header":          func(l *letter) { l.fail = 60 },
		"fails in the text":            func(l *letter) { l.fail = len(l.raw) / 2 },
		"fails before its last byte":   func(l *letter) { l.fail = len(l.raw) - 1 },
		"is shorter than it says":      func(l *letter) { l.size += 100 },
		"is longer than it says":       func(l *letter) { l.size -= 100 },
		"fails, and knows not to size": func(l *letter) { l.fail, l.size = len(l.raw)-1, -1 },
		"is empty":                     func(l *letter) { l.raw, l.size = "", 0 },
		"is empty, and knows it not":   func(l *letter) { l.raw, l.size = "", -1 },
	} {
		l := p.write(lines(100_000))
		change(l)
		rec, err := p.out.Send(ctx, p.envelope(2), l)
		if rec.Outcome != session.NotSent || err == nil || !l.explains(err) {
			p.Errorf("Send of a source that %s = %+v, %v; want not sent, with the cause", name, rec, err)
		}
		p.wantTruth(ctx, "a source that "+name, p.envelope(2), l, rec)
		p.wantSending(ctx)
	}
}

func unreachableOut(ctx context.Context, p *posting) {
	p.line.refuse(true)
	l := p.write("not yet\r\n")
	rec, err := p.out.Send(ctx, p.envelope(1), l)
	if rec.Outcome != session.NotSent || err == nil {
		p.Errorf("Send to a server that refuses connections = %+v, %v; want not sent", rec, err)
	}
	p.line.refuse(false)
	p.accepted(ctx, p.envelope(1), l)
	p.wantArrived(ctx, p.To[0], l, 1)
}

func sendEndedContext(ctx context.Context, p *posting) {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	made := p.line.dialled()
	rec, err := p.out.Send(ended, p.envelope(1), p.write("too late\r\n"))
	if rec.Outcome != session.NotSent || !errors.Is(err, context.Canceled) || p.line.dialled() != made {
		p.Errorf("Send with an ended context = %+v, %v, %d connections; want not sent, context.Canceled", rec, err, p.line.dialled()-made)
	}
}

func concurrentSending(ctx context.Context, p *posting) {
	letters := make([]*letter, 4*workers)
	var group sync.WaitGroup
	for w := range workers {
		group.Go(func() {
			for n := w; n < len(letters); n += workers {
				letters[n] = p.write("letter " + strconv.Itoa(n) + "\r\n" + lines(100*n))
				rec, err := p.out.Send(ctx, p.envelope(1+n%2), letters[n])
				if err != nil || rec.Outcome != session.Accepted {
					p.Errorf("Send at the same time as others = %+v, %v; want accepted", rec, err)
				}
			}
		})
	}
	group.Wait()
	for n, l := range letters {
		p.wantArrived(ctx, p.To[0], l, 1)
		p.wantArrived(ctx, p.To[1], l, n%2)
	}
}

func sendingModes(ctx context.Context, p *posting) {
	made := p.line.dialled()
	in := func(session.Setup) (session.Incoming, error) { return unread{}, nil }
	s, err := session.New(p.Credentials, in, p.Backend(p.line.Dial), &session.Options{Mode: session.ReadOnly})
	if err != nil {
		p.Fatalf("session.New: %v", err)
	}
	l := p.write("not from here\r\n")
	if rec, err := s.Send(ctx, p.envelope(1), l); !isModeError(err) || rec.Outcome != session.NotSent {
		p.Errorf("Send in a read-only session = %+v, %v; want not sent, and a ModeError", rec, err)
	}
	closeIt(p, s)
	if n := p.line.dialled() - made; n != 0 || l.opened() != 0 {
		p.Errorf("a read-only session made %d connections to send and opened the message %d times", n, l.opened())
	}
	for _, mode := range []session.Mode{session.SendOnly, session.ReadWrite} {
		l := p.write("from here\r\n")
		if rec, err := p.outSession(mode).Send(ctx, p.envelope(1), l); err != nil || rec.Outcome != session.Accepted {
			p.Errorf("Send in a session of mode %v = %+v, %v; want accepted", mode, rec, err)
		}
		p.wantArrived(ctx, p.To[0], l, 1)
	}
}

// unread is a way in that nobody uses.
type unread struct{ session.Incoming }

func (unread) Close() error { return nil }

// cutBody is the text of messages that are cut: longer than all commands
// before it.
func cutBody() string { return lines(6000) }

func cutSending(ctx context.Context, p *posting) {
	p.cutSteps(ctx, func() {})
}

func cutLaterSending(ctx context.Context, p *posting) {
	p.cutSteps(ctx, func() { p.wantSending(ctx) })
}

// cutSteps cuts a message at each change of direction, on a backend that
// prepare has used before, and holds the outcome against what arrived.
func (p *posting) cutSteps(ctx context.Context, prepare func()) {
	p.Helper()
	e := p.envelope(2)
	prepare()
	p.line.arm(nil)
	p.accepted(ctx, e, p.write(cutBody()))
	outcomes := map[session.SendOutcome]int{}
	for _, f := range p.line.steps() {
		p.out = p.connect()
		p.line.arm(nil)
		prepare()
		l := p.write(cutBody())
		struck := p.line.arm(&f)
		rec, err := p.out.Send(ctx, e, l)
		what := fmt.Sprintf("cut after %d bytes %v", f.after, f.dir)
		p.wantReceipt(e, l, rec, err)
		p.wantTruth(ctx, what, e, l, rec)
		outcomes[rec.Outcome]++
		if rec.Outcome == session.SentUnknown && p.line.believed() < int64(len(l.raw)) {
			p.Errorf("%s: unknown, and the backend had handed over but %d bytes for a message of %d; want not sent", what, p.line.believed(), len(l.raw))
		}
		if !hasStruck(struck) && rec.Outcome != session.Accepted {
			p.Errorf("%s: the line was not cut, and the outcome is %v, %v", what, rec.Outcome, err)
		}
		p.line.arm(nil)
		p.wantSending(ctx)
	}
	if outcomes[session.SentUnknown] == 0 || outcomes[session.Accepted]+outcomes[session.NotSent] == 0 {
		p.Errorf("cuts at all steps had the outcomes %v; want unknown where the answer was lost", outcomes)
	}
}

// sourceAgain cuts the line of a backend that is at rest.
func sourceAgain(ctx context.Context, p *posting) {
	p.wantSending(ctx)
	p.line.cutAll()
	p.line.settle()
	l := p.write(lines(5000))
	p.accepted(ctx, p.envelope(2), l)
	p.wantArrived(ctx, p.To[0], l, 1)
	p.wantArrived(ctx, p.To[1], l, 1)
	if l.opened() == 0 {
		p.Errorf("the source was never opened")
	}
}

func sendEndsWithContext(ctx context.Context, p *posting) {
	e := p.envelope(2)
	silences := p.clean(ctx, e)
	for _, f := range silences {
		inner, cancel := context.WithCancel(ctx)
		p.out = p.connect()
		l := p.write(cutBody())
		var rec session.Receipt
		err := stalled(p, p.line, f, p.realTime, func() (err error) {
			rec, err = p.out.Send(inner, e, l)
			return err
		}, cancel, 0)
		cancel()
		what := fmt.Sprintf("cancelled when silent after %d bytes %v", f.after, f.dir)
		if !errors.Is(err, context.Canceled) {
			p.Errorf("%s: %v, error %v; want context.Canceled", what, rec.Outcome, err)
		}
		p.wantReceipt(e, l, rec, err)
		closeIt(p, p.out)
		p.wantTruth(ctx, what, e, l, rec)
		if n := p.line.open(); n != 0 {
			p.Errorf("%s: %d connections are open", what, n)
		}
	}
	if p.realTime {
		return
	}
	late, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	p.out = p.connect()
	err := stalled(p, p.line, silences[len(silences)-1], false, func() error {
		_, err := p.out.Send(late, e, p.write(cutBody()))
		return err
	}, func() {}, time.Second)
	if !errors.Is(err, context.DeadlineExceeded) {
		p.Errorf("out of time: error %v, want context.DeadlineExceeded", err)
	}
}

// clean sends a message without a fault and returns where the line can fall
// silent so that the message has no answer.
func (p *posting) clean(ctx context.Context, e session.Envelope) (silences []fault) {
	p.Helper()
	p.line.arm(nil)
	p.accepted(ctx, e, p.write(cutBody()))
	sent, received, _, _ := p.line.counts()
	for _, f := range p.line.steps() {
		if f.dir == receiving && f.after >= received || f.dir == sending && f.after >= sent {
			continue
		}
		f.stall = true
		silences = append(silences, f)
	}
	if len(silences) == 0 {
		p.Fatalf("a message was sent by another way than the dial function that Outgoing.Backend is given")
	}
	closeIt(p, p.out)
	return silences
}

func closeEndsSending(ctx context.Context, p *posting) {
	e := p.envelope(2)
	silences := p.clean(ctx, e)
	for _, f := range silences {
		out := p.connect()
		l := p.write(cutBody())
		var rec session.Receipt
		err := stalled(p, p.line, f, p.realTime, func() (err error) {
			rec, err = out.Send(ctx, e, l)
			return err
		}, func() { closeIt(p, out) }, 0)
		what := fmt.Sprintf("closed when silent after %d bytes %v", f.after, f.dir)
		if !errors.Is(err, session.ErrClosed) {
			p.Errorf("%s: %v, error %v; want ErrClosed", what, rec.Outcome, err)
		}
		p.wantReceipt(e, l, rec, err)
		p.wantTruth(ctx, what, e, l, rec)
	}
	out := p.connect()
	for range 2 {
		closeIt(p, out)
	}
	rec, err := out.Send(ctx, e, p.write("too late\r\n"))
	if rec.Outcome != session.NotSent || !errors.Is(err, session.ErrClosed) {
		p.Errorf("Send of a closed backend = %+v, %v; want not sent, ErrClosed", rec, err)
	}
	p.line.arm(nil)
}
