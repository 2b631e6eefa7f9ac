package smtpx

import (
	"cmp"
	"context"
	"errors"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// hear takes the answers in the order of what was asked, and gives each message
// its result.
func (s *stream) hear(ctx context.Context, asks []ask) {
	for _, a := range asks {
		if s.failed == nil {
			s.answer(ctx, a)
		}
		if s.failed != nil {
			s.skip(a)
		}
	}
	// Whatever left was asked here before: without a question left, there is no
	// answer left.
	if s.failed == nil && len(s.asked) == 0 {
		s.inStep(asks[len(asks)-1].what.op())
	}
}

// inStep ends the reading where the server says more than it was asked.
func (s *stream) inStep(op string) {
	err := s.c.inStep(op)
	if err == nil {
		return
	}
	if e, ok := errors.AsType[*Error](err); ok && e.Code == codeClosing {
		s.bye = err
		s.b.c.pace.heed(err)
	} else {
		s.outOfStep = true
	}
	s.fail(err)
}

// skip takes note of what will not be answered.
func (s *stream) skip(a ask) {
	s.track(a.f)
	if a.what == askGo || a.what == askData || a.what == askTrial {
		select {
		case s.verb <- false:
		default: // the writer knows
		}
	}
}

// track takes note of a message that is on its way.
func (s *stream) track(f *flight) {
	if f.settled {
		return
	}
	if n := len(s.flights); n == 0 || s.flights[n-1] != f {
		s.flights = append(s.flights, f)
	}
}

// fail ends the reading. What the server says from here on is not heard.
func (s *stream) fail(err error) {
	s.failed = err
	close(s.broken)
}

// misfit is fail where the answers do not fit what was asked, so that nobody
// knows what they are answers to.
func (s *stream) misfit(op string, r reply) {
	s.outOfStep = true
	s.fail(s.c.misfit(op, "the server answers what it was not asked", r))
}

// answer reads the answer to one command, where it has one.
func (s *stream) answer(ctx context.Context, a ask) {
	s.track(a.f)
	switch a.what {
	case askGo:
		s.decide(ctx, a)
		return
	case askGiveUp:
		s.done(ctx, verdict{f: a.f, outcome: session.NotSent, err: cmp.Or(a.f.gaveUp, a.f.why())})
		return
	case askReset, askMail, askRcpt, askData, askChunk, askTrial, askEmpty, askWhole:
	}
	r, err := s.c.read(a.what.op())
	if err != nil {
		_, nonsense := errors.AsType[*Error](err)
		s.outOfStep = nonsense
		s.fail(err)
		return
	}
	if a.what != askReset {
		a.f.heard = true
	}
	s.bye = nil
	if r.code == codeClosing {
		s.bye = s.c.refusal(a.what.op(), r)
		if a.what == askMail {
			s.bye = a.f.refusedMail(r)
		}
		s.b.c.pace.heed(s.bye)
		// It will hardly say more, and is not waited for as long as for a verdict.
		s.c.w.SetStage(wire.StageCommand)
	}
	s.take(ctx, a, r)
}

// take is told what the server answered.
func (s *stream) take(ctx context.Context, a ask, r reply) {
	f := a.f
	switch a.what {
	case askReset:
		if !r.positive() && s.bye == nil {
			s.outOfStep = true
			s.fail(s.c.misfit(opReset, "the server refuses to begin anew", r))
		}
	case askMail:
		f.tookMail(r)
	case askRcpt:
		f.tookRcpt(a.i, r)
		f.hopeless.Store(f.mail != nil || a.i == len(f.rcpt)-1 && !f.agreed())
	case askData:
		f.transaction.data = r
		s.decideData(ctx, a)
	case askChunk, askTrial:
		if !r.positive() && f.refused == nil {
			f.refused = s.c.refusal(opMessage, r)
			f.hopeless.Store(true)
		}
		if a.what == askTrial {
			s.decide(ctx, a)
		}
	case askEmpty:
		s.done(ctx, verdict{f: f, outcome: session.NotSent, reply: r, err: f.why()})
	case askWhole:
		s.judge(ctx, f, r)
	case askGo, askGiveUp:
	}
}

// decide tells the writer whether the recipients are as the envelope wants them, and
// whether the server takes what it had of the text.
func (s *stream) decide(ctx context.Context, a ask) {
	if a.f.mail != nil || !a.f.agreed() || a.f.refused != nil {
		s.done(ctx, verdict{f: a.f, outcome: session.NotSent, err: a.f.why()})
		s.verb <- false
		return
	}
	s.verb <- true
}

// decideData tells the writer whether the server agreed to DATA.
func (s *stream) decideData(ctx context.Context, a ask) {
	f, r := a.f, a.f.transaction.data
	switch {
	case r.code == 354 && f.mail != nil, r.code/100 < 4 && r.code != 354:
		s.misfit(opData, r)
		return // and the writer is told when this answer is skipped
	case r.code == 354:
		s.verb <- true
		return
	}
	if f.mail == nil && f.agreed() {
		f.refused = s.c.refusal(opData, r)
	}
	s.done(ctx, verdict{f: f, outcome: session.NotSent, reply: r, err: f.why()})
	s.verb <- false
}

// why returns why a message is not sent, as far as the server said so before
// its end.
func (f *flight) why() error {
	switch {
	case f.mail != nil:
		return f.mail
	case !f.unheard() && !f.agreed():
		return f.refusedRecipients()
	}
	return f.refused
}

// unheard reports whether there is a recipient that nothing was answered for.
func (f *flight) unheard() bool {
	for _, err := range f.rcpt {
		if errors.Is(err, errNotAsked) {
			return true
		}
	}
	return false
}

// close makes room for another message.
func (s *stream) close(f *flight) {
	f.settled = true
	if len(s.flights) > 0 && s.flights[0] == f {
		s.flights = s.flights[1:]
	}
	<-s.slots
	select {
	case s.left <- struct{}{}:
	default:
	}
}

// lose says what is known of a message that has no answer, when everything that
// could be sent was.
func (s *stream) lose(ctx context.Context, f *flight) {
	why := f.why()
	err := cmp.Or(f.gaveUp, s.failed)
	outcome := session.NotSent
	switch whole := f.end > 0 && f.end <= s.sent; {
	case s.outOfStep && whole:
		outcome = session.SentUnknown
	case s.outOfStep:
	case why != nil:
		err = why
	case s.bye != nil:
		// Answers come in the order of the commands: what is behind the one that was
		// answered by a goodbye was not carried out.
		err = s.bye
	case whole:
		outcome = session.SentUnknown
	}
	rec := f.transaction.receipt(outcome)
	s.closeLost(f)
	if outcome == session.NotSent && (!f.heard || spent(err)) && f.gaveUp == nil && ctx.Err() == nil {
		// It had no part in what happened.
		f.job.tries--
		s.b.again(f.job)
		return
	}
	s.b.tried(ctx, f.job, rec, err)
}

func (s *stream) closeLost(f *flight) {
	f.settled = true
	<-s.slots
}
