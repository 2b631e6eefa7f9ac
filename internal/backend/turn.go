package backend

import (
	"sync"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// Turn is whose turn it is with a message that is being read over a connection. One
// goroutine at a time reads it or closes it, and who closes it does not wait for a reader
// to whom nothing comes.
type Turn struct {
	free chan struct{} // has an element while nobody has the turn

	mu   sync.Mutex // guards line, and that nothing ends the connection once it is nil
	line *wire.Conn // nil once the connection is, or may be, somebody else's
}

// NewTurn returns the turns with what is read over a connection. Nobody has the first.
func NewTurn(line *wire.Conn) *Turn {
	t := &Turn{free: make(chan struct{}, 1), line: line}
	t.Pass()
	return t
}

// Take waits for the turn.
func (t *Turn) Take() { <-t.free }

// Pass gives the turn to whoever waits for it.
func (t *Turn) Pass() { t.free <- struct{}{} }

// Seize takes the turn. Where somebody else has it, that one's connection ends.
func (t *Turn) Seize() {
	select {
	case <-t.free:
		return
	default:
	}
	t.mu.Lock()
	if t.line != nil {
		t.line.Kill(session.ErrClosed)
	}
	t.mu.Unlock()
	t.Take()
}

// Leave says that the connection is about to be given back.
func (t *Turn) Leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line = nil
}
