package smtpx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// window is how many commands go out before their answers are read, where the
// server takes that (RFC 2920). It keeps both directions well below what the
// buffers between two hosts hold, so that neither side waits for the other.
const window = 100

// transaction sends one message over one connection.
type transaction struct {
	c     *conn
	env   session.Envelope
	l     *letter
	final time.Duration // how long the answer to the message may take

	nth      int     // of the connection's messages, counted from 1
	mail     error   // the answer to MAIL, where it is a refusal
	rcpt     []error // the same for each recipient, errNotAsked before
	data     reply   // the answer to DATA, code 0 before
	began    bool    // bytes of the message went out
	complete bool    // all of them did
	refused  error   // the answer to DATA or to the message, where it is a refusal
}

// errNotAsked stands for the answer that did not come.
var errNotAsked = errors.New("the server was not asked")

// step is one command and what its answer means.
type step struct {
	op, line string
	take     func(reply)
}

// run goes from MAIL to the server's last answer. The receipt is right
// whatever the error.
func (t *transaction) run() (session.Receipt, error) {
	t.rcpt = slices.Repeat([]error{errNotAsked}, len(t.env.To))
	err := t.check()
	if err == nil {
		err = t.begin()
	}
	if err != nil {
		return t.receipt(session.NotSent), err
	}
	r, err := t.deliver()
	switch {
	case err != nil && t.complete:
		return t.receipt(session.SentUnknown), err
	case err != nil:
		return t.receipt(session.NotSent), err
	case !r.verdict():
		err := t.c.refusal(opMessage, r)
		t.c.w.Kill(err)
		return t.receipt(session.SentUnknown), err
	case !r.positive():
		t.refused = t.c.refusal(opMessage, r)
		t.c.reset()
		return t.receipt(session.NotSent), t.refused
	}
	outcome := session.Accepted
	if t.accepted() < len(t.rcpt) {
		outcome = session.Partial
	}
	t.c.takes.learn(r)
	rec := t.receipt(outcome)
	rec.QueueID = queueID(r.text())
	return rec, t.firstRefusal()
}

// begin has the server agree to a message, to its sender and to at least one
// recipient, or to all of them where the envelope wants that.
func (t *transaction) begin() error {
	if err := t.ask(); err != nil {
		return err
	}
	switch {
	case t.data.code == 354 && t.mail != nil:
		// Whatever follows would be taken for a message. There is no way back
		// but to leave.
		t.c.w.Kill(t.mail)
		return t.mail
	case t.data.code == 354 && t.accepted() == 0:
		return cmp.Or(t.emptyMessage(), t.firstRefusal())
	case t.data.code == 354:
		return nil
	}
	err := cmp.Or(t.mail, t.refusedBegin())
	t.c.reset()
	return err
}

// ask sends the commands up to DATA, as many at a time as the server takes.
// What is for all or nobody waits with DATA until all are accepted: behind an
// agreement to DATA there is no way to send nothing.
func (t *transaction) ask() error {
	size := 1
	if t.c.ext.has("PIPELINING") {
		size = window
	}
	steps := t.steps()
	groups := [][]step{steps}
	if t.env.AllOrNone {
		last := len(steps) - 1
		groups = [][]step{steps[:last], steps[last:]}
	}
	t.c.messages++
	t.nth = t.c.messages
	for _, group := range groups {
		for chunk := range slices.Chunk(group, size) {
			if t.mail != nil || chunk[0].op == opData && !t.agreed() {
				return nil
			}
			if err := t.exchange(chunk); err != nil {
				return err
			}
		}
	}
	return nil
}

// agreed reports whether the server agreed to enough recipients.
func (t *transaction) agreed() bool {
	n := t.accepted()
	return n == len(t.rcpt) || n > 0 && !t.env.AllOrNone
}

// refusedBegin returns why it is not to be gone on after MAIL.
func (t *transaction) refusedBegin() error {
	if !t.agreed() {
		return t.refusedRecipients()
	}
	e := t.c.refusal(opData, t.data)
	if t.data.code/100 < 4 {
		// Not a refusal, but an answer to something else.
		t.c.w.Kill(e)
	}
	t.refused = e
	return e
}

// refusedRecipients returns why there are not enough recipients. Where the
// message is for all of them, a refusal that lasts counts more than one that
// passes.
func (t *transaction) refusedRecipients() error {
	if t.accepted() > 0 {
		t.refused = session.ErrNotAll
	}
	for _, err := range t.rcpt {
		if t.env.AllOrNone && err != nil && !retry.IsTemporary(err) {
			return err
		}
	}
	return t.firstRefusal()
}

// steps returns the commands of the transaction up to DATA.
func (t *transaction) steps() []step {
	steps := make([]step, 0, len(t.env.To)+2)
	steps = append(steps, step{opMail, t.mailLine(), t.tookMail})
	for i, to := range t.env.To {
		steps = append(steps, step{opRcpt, t.rcptLine(to), func(r reply) { t.tookRcpt(i, r) }})
	}
	return append(steps, step{opData, "DATA", func(r reply) { t.data = r }})
}

// tookMail takes the answer to MAIL.
func (t *transaction) tookMail(r reply) {
	if !r.positive() {
		t.mail = t.refusedMail(r)
	}
}

// refusedMail turns a refusal of MAIL into an error. A connection that has carried
// messages and is at its end will carry no other.
func (t *transaction) refusedMail(r reply) *Error {
	e := t.c.refusal(opMail, r)
	if e.spent = t.nth > 1 && e.ofConnection(); e.spent {
		t.c.full.Store(true)
	}
	return e
}

// tookRcpt takes the answer to the i-th RCPT.
func (t *transaction) tookRcpt(i int, r reply) {
	t.rcpt[i] = nil
	if !r.positive() {
		e := t.c.refusal(opRcpt, r)
		e.Recipient = t.env.To[i]
		t.rcpt[i] = e
	}
}

// exchange sends some commands and reads their answers.
func (t *transaction) exchange(steps []step) error {
	for _, s := range steps {
		if err := t.c.send(s.op, s.line); err != nil {
			return err
		}
	}
	if err := t.c.flush(steps[0].op); err != nil {
		return err
	}
	for i, s := range steps {
		r, err := t.c.read(s.op)
		if _, silent := errors.AsType[*wire.TimeoutError](err); silent && i > 0 {
			return fmt.Errorf("%w; it has answered a part of what was sent together: where that happens again, put PIPELINING into Options.Without", err)
		}
		if err != nil {
			return err
		}
		s.take(r)
		switch {
		case r.code != codeClosing:
		case s.op == opMail:
			return t.mail
		default: // no further answer will come
			return t.c.refusal(s.op, r)
		}
	}
	return nil
}

// emptyMessage ends a DATA that nobody is to get anything of, as RFC 2920
// section 3.1 wants it. The answer is a refusal and does not matter.
func (t *transaction) emptyMessage() error {
	if _, err := t.c.command(opMessage, "."); err != nil {
		return err
	}
	t.c.reset()
	return nil
}

// deliver sends the message and reads the last answer.
func (t *transaction) deliver() (reply, error) {
	if err := t.c.inStep(opMessage); err != nil {
		return reply{}, err
	}
	t.began = true
	out := t.c.message()
	s := &stuffer{w: out, limit: t.c.ext.sizeLimit()}
	err := t.l.copyTo(s)
	if err == nil {
		err = s.Close()
	}
	_, broken := errors.AsType[*sourceError](err)
	if errors.Is(err, errBeyond) {
		err, broken = t.tooLarge(-1), true
	}
	if broken {
		// The server must not take for whole what is not: there is no other
		// way to break off than to leave.
		t.c.w.Kill(err)
		return reply{}, err
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return reply{}, t.brokenOff(err)
	}
	t.complete = true
	// Servers may check a message for minutes before they answer (RFC 5321
	// section 4.5.3.2.6), and giving up early is what makes the outcome
	// unknown.
	t.c.w.SetStageFor(wire.StageCommand, t.final)
	defer t.c.w.SetStage(wire.StageCommand)
	return t.c.read(opMessage)
}

// brokenOff returns why the message could not be sent to its end: what the server
// said before it left, where it said something, else the failure of the line.
func (t *transaction) brokenOff(cause error) error {
	t.c.w.SetStage(wire.StageClose)
	r, err := t.c.read(opMessage)
	if err == nil && r.code/100 >= 4 {
		t.refused = t.c.refusal(opMessage, r)
		t.c.w.Kill(t.refused)
		return t.refused
	}
	t.c.w.Kill(cause)
	return t.c.lost(opMessage, t.c.w.Err())
}

func (t *transaction) accepted() int {
	n := 0
	for _, err := range t.rcpt {
		if err == nil {
			n++
		}
	}
	return n
}

// firstRefusal returns the first recipient's refusal, nil where all were
// accepted.
func (t *transaction) firstRefusal() error {
	for _, err := range t.rcpt {
		if err != nil {
			return err
		}
	}
	return nil
}

// receipt tells what is known of each recipient. A recipient that was agreed
// to is accepted only where the message was, and shares the message's refusal.
func (t *transaction) receipt(o session.SendOutcome) session.Receipt {
	rec := session.Receipt{Outcome: o, MessageID: t.l.messageID}
	taken := o == session.Accepted || o == session.Partial
	for i, to := range t.env.To {
		r := session.Recipient{Address: to}
		switch err := t.rcpt[i]; {
		case err == nil:
			r.Accepted, r.Err = taken, t.refused
		case !errors.Is(err, errNotAsked):
			r.Err = err
		}
		rec.Recipients = append(rec.Recipients, r)
	}
	return rec
}
