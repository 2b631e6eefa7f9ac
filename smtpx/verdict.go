package smtpx

import (
	"cmp"
	"context"
	"errors"

	"github.com/emersion/go-smtp"

	"github.com/mailsession/mailsession/session"
)

// verdict is what became of a message on its way.
type verdict struct {
	f       *flight
	outcome session.SendOutcome
	reply   reply
	err     error
}

// judge takes the answer to a whole message.
func (s *stream) judge(ctx context.Context, f *flight, r reply) {
	v := verdict{f: f, outcome: session.NotSent, reply: r, err: f.why()}
	var fits bool
	switch {
	case !r.verdict(), r.positive() && v.err != nil:
		// Neither yes nor no, or a yes to what it said no to: this is the answer to
		// something else.
		s.misfit(opMessage, r)
		return
	case r.positive():
		v.outcome, v.err = session.Accepted, f.firstRefusal()
		if v.err != nil {
			v.outcome = session.Partial
		}
		fits = s.c.takes.fits(r)
	default:
		// Where nobody is to get the message, it is out of order.
		expected := r.code == 503 && v.err != nil
		if v.err == nil {
			f.refused = s.c.refusal(opMessage, r)
			v.err = f.refused
		}
		// A goodbye is an answer to anything.
		fits = r.enhanced()[1] != 1 && !aboutCommands(r.code) || expected || s.bye != nil
	}
	if !fits || len(s.doubts) > 0 { // behind a doubt nothing is certain
		s.doubt(v)
		return
	}
	s.done(ctx, v)
}

// aboutCommands reports whether a code is about commands and not about messages (RFC
// 5321 section 4.2.1).
func aboutCommands(code int) bool { return code/10 == 50 }

// doubt keeps a verdict in mind that may be the answer to something else: one that
// takes the message in other words than the first, or that refuses it with a code
// for addresses or for commands. Servers have such answers to messages, and it is
// also what a server looks like that gave one answer too many. [stream.resolve] finds
// out which it is; until then no other message is begun, and nothing is believed of
// those on their way.
func (s *stream) doubt(v verdict) {
	s.doubts = append(s.doubts, v)
	s.clean = false
	s.inDoubt.Store(true)
	s.close(v.f)
}

// resolve gives the messages in doubt their results, when nothing else is on its way
// any more. It reports whether there were any, and the connection is in step.
func (s *stream) resolve(ctx context.Context) (again bool) {
	if len(s.doubts) == 0 {
		return false
	}
	err := cmp.Or(s.failed, s.bye)
	if err == nil {
		err = s.c.prove(s.b.c.localName)
	}
	for _, v := range s.doubts {
		if err != nil {
			s.unchunked(v) // who does not know BDAT may have read the message as commands
			v = verdict{f: v.f, outcome: session.SentUnknown, err: err}
			v.f.refused = nil
		}
		s.tell(ctx, v)
	}
	return err == nil
}

// done gives a message on its way its result.
func (s *stream) done(ctx context.Context, v verdict) {
	s.clean = v.outcome == session.Accepted || v.outcome == session.Partial
	s.close(v.f)
	s.tell(ctx, v)
}

// tell tells the bulk what became of a message.
func (s *stream) tell(ctx context.Context, v verdict) {
	rec := v.f.transaction.receipt(v.outcome)
	if v.outcome == session.Accepted || v.outcome == session.Partial {
		rec.QueueID = queueID(v.reply.text())
	}
	s.b.c.pace.heed(v.err)
	if s.unchunked(v) || v.outcome == session.NotSent && spent(v.err) {
		v.f.job.tries--
		s.b.again(v.f.job)
		return
	}
	s.b.tried(ctx, v.f.job, rec, v.err)
}

// unchunked reports whether a message was refused since the server does not know
// BDAT, though it offers CHUNKING. It is sent by DATA then, as is all that follows.
func (s *stream) unchunked(v verdict) bool {
	e, ok := errors.AsType[*Error](v.err)
	if !ok || !s.chunking || v.outcome != session.NotSent || e.Op != opMessage || !aboutCommands(e.Code) {
		return false
	}
	s.b.c.unchunked.Store(true)
	return true
}

// prove finds out whether the next answer is that to the next command, and ends the
// connection where it is not. The answer to EHLO is like no other, and where it
// comes in its turn all answers before it did. EHLO also does what RSET does (RFC
// 5321 section 4.1.4).
func (c *conn) prove(name string) error {
	r, err := c.command(opHello, "EHLO "+name)
	switch {
	case err != nil:
		return err
	case r.code == codeClosing:
		return c.refusal(opHello, r)
	case !r.positive() || !parseExtensions(r).has("PIPELINING"):
		return c.misfit(opHello, "the server answers what it was not asked", r)
	}
	return nil
}

// manner is how a server answers when it takes a message.
type manner struct {
	known    bool
	queueID  bool // it tells one
	enhanced smtp.EnhancedCode
}

// learn takes note of the answer to a message that was taken. One that tells a queue
// ID is the better one to know others by.
func (m *manner) learn(r reply) {
	tells := queueID(r.text()) != ""
	if tells || !m.queueID {
		*m = manner{known: true, queueID: tells, enhanced: r.enhanced()}
	}
}

// fits reports whether r can only be the answer to a message. Answers to other
// commands are positive as well: where the server gave one answer too many, the
// one to the last recipient stands in the place of that to the message.
func (m manner) fits(r reply) bool {
	if m.queueID {
		return queueID(r.text()) != ""
	}
	return r.enhanced() == m.enhanced
}
