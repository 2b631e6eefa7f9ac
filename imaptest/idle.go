package imaptest

import (
	"context"
	"errors"

	"github.com/mailsession/mailsession/internal/fakenet"
	"github.com/mailsession/mailsession/mailtest"
)

// idleCommands are those that wait.
func idleCommands() map[string]command {
	return map[string]command{"IDLE": {run: idle, state: authenticated, needs: "IDLE"}}
}

// lineRead is what the reader within IDLE comes back with.
type lineRead struct {
	line []byte
	err  error
}

// idle is IDLE (RFC 2177). Its answer lasts from the "+" to the last update;
// the client's DONE has an answer of its own.
func idle(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.end(); err != nil {
		return reply{}, err
	}
	changed := make(chan struct{}, 1)
	defer s.server.box.Watch(func(mailtest.Change) {
		select {
		case changed <- struct{}{}:
		default: // is to be looked at anyway
		}
	})()
	err := s.pushFirst()
	lines := make(chan lineRead, 1)
	go func() {
		line, err := s.c.ReadLine()
		lines <- lineRead{line, err}
	}()
	var read *lineRead
	for err == nil && read == nil {
		select {
		case <-changed:
			err = s.push()
		case r := <-lines:
			read = &r
		}
	}
	return s.idled(err, read, lines)
}

// pushFirst starts the answer.
func (s *session) pushFirst() error {
	if _, err := s.c.WriteString("+ idling\r\n"); err != nil {
		return err
	}
	return s.push()
}

// push sends what happened.
func (s *session) push() error {
	if s.view != nil && s.tellsSelected() {
		if err := s.sync(true, false); err != nil {
			return err
		}
	}
	if err := s.tellOthers(false); err != nil {
		return err
	}
	return s.c.Flush()
}

// idled ends the answer, and with it the reader where that has not come back.
func (s *session) idled(err error, read *lineRead, lines <-chan lineRead) (reply, error) {
	if err == nil {
		err = read.err
	} else {
		if !errors.Is(err, fakenet.ErrStopped) { // a silent connection goes on reading
			s.c.StopReading()
		}
		<-lines
	}
	if err == nil {
		err = s.c.End()
	}
	if err != nil {
		return reply{}, err
	}
	if string(read.line) != "DONE" {
		return bad("Expected DONE"), nil
	}
	s.next = leaveIdle
	return reply{}, nil
}
