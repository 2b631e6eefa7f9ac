package wire

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Stage is what a connection waits for.
type Stage int

// The stages, in the order a connection passes them.
const (
	StageDial      Stage = iota // the transport connection
	StageHandshake              // the TLS handshake
	StageGreeting               // the server's first line
	StageAuth                   // answers while signing in
	StageCommand                // answers to commands, and the bytes in them
	StageIdle                   // nothing in particular: no deadline
	StageClose                  // the end
)

// String returns the stage in words that follow "while".
func (s Stage) String() string {
	switch s {
	case StageDial:
		return "connecting"
	case StageHandshake:
		return "negotiating TLS"
	case StageGreeting:
		return "waiting for the greeting"
	case StageAuth:
		return "signing in"
	case StageCommand:
		return "waiting for an answer"
	case StageIdle:
		return "idle"
	case StageClose:
		return "closing"
	}
	return fmt.Sprintf("in stage %d", int(s))
}

// Timeouts bounds how long a connection may stand still. Zero means the
// default, a negative value no bound.
type Timeouts struct {
	Dial      time.Duration // 30 s, for the whole of dialling
	Handshake time.Duration // 30 s
	Greeting  time.Duration // 60 s
	Auth      time.Duration // 60 s; servers delay refusals by 20 s and more
	Command   time.Duration // 2 min
	Close     time.Duration // 5 s
}

func (t Timeouts) of(s Stage) time.Duration {
	switch s {
	case StageHandshake:
		return t.Handshake
	case StageGreeting:
		return t.Greeting
	case StageAuth:
		return t.Auth
	case StageCommand:
		return t.Command
	case StageClose:
		return t.Close
	case StageDial, StageIdle:
	}
	return 0
}

// TimeoutError says that a connection stood still for longer than its stage
// allows. It matches [os.ErrDeadlineExceeded] and is a [net.Error].
type TimeoutError struct {
	Stage   Stage
	Address string
	After   time.Duration
}

func (e *TimeoutError) Error() string {
	text := fmt.Sprintf("%s: nothing came for %v while %v", e.Address, e.After, e.Stage)
	if e.Stage == StageGreeting { // a port for TLS waits for the client to begin
		text += "; check host and port, and that Security fits the port"
	}
	return text
}

// Timeout returns true.
func (e *TimeoutError) Timeout() bool { return true }

// Temporary returns true: another try may fare better.
func (e *TimeoutError) Temporary() bool { return true }

// Unwrap returns [os.ErrDeadlineExceeded].
func (e *TimeoutError) Unwrap() error { return os.ErrDeadlineExceeded }

// ErrInjected is the refusal of bytes that came in plain text behind the
// agreement to STARTTLS.
var ErrInjected = errors.New("the server sent data in plain text behind its agreement to STARTTLS; refused, since anybody on the line may have injected it")

// writeChunk is how much is handed to the socket under one write deadline.
const writeChunk = 32 << 10

// meter is the socket with progress deadlines and byte counters. TLS, where
// it is used, sits on top, so that the deadlines that crypto/tls or a client
// above it would set have no effect.
type meter struct {
	net.Conn

	address        string
	timeouts       Timeouts
	received, sent atomic.Int64

	mu    sync.Mutex // never held while the socket blocks
	stage Stage
	bound time.Duration // in place of the stage's own, where not zero

	writing bool
}

func newMeter(nc net.Conn, address string, t Timeouts) *meter {
	return &meter{Conn: nc, address: address, timeouts: t, stage: StageHandshake}
}

func (m *meter) setStage(s Stage, bound time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stage, m.bound = s, bound
	m.armRead()
}

// limit returns the bound on standing still; m.mu is held.
func (m *meter) limit() time.Duration {
	if m.bound != 0 {
		return m.bound
	}
	return m.timeouts.of(m.stage)
}

// armRead starts the read deadline of the current stage; m.mu is held.
func (m *meter) armRead() {
	var at time.Time
	if d := m.limit(); d > 0 {
		at = time.Now().Add(d)
	}
	// A socket that cannot set deadlines is closed, and the next call says so.
	_ = m.Conn.SetReadDeadline(at)
}

func (m *meter) Read(p []byte) (int, error) {
	m.mu.Lock()
	m.armRead()
	m.mu.Unlock()
	n, err := m.Conn.Read(p)
	m.received.Add(int64(n))
	if n > 0 {
		m.mu.Lock()
		if m.writing { // a peer that speaks is alive, also before it listens
			m.armWrite()
		}
		m.mu.Unlock()
	}
	return n, m.explain(err)
}

func (m *meter) Write(p []byte) (int, error) {
	var written int
	for written < len(p) {
		chunk := p[written:min(len(p), written+writeChunk)]
		m.mu.Lock()
		m.writing = true
		m.armWrite()
		m.mu.Unlock()
		n, err := m.Conn.Write(chunk)
		written += n
		m.sent.Add(int64(n))
		// What was written counts as progress for a reader that waits.
		m.mu.Lock()
		m.writing = false
		if err == nil {
			m.armRead()
		}
		m.mu.Unlock()
		if err != nil {
			return written, m.explain(err)
		}
	}
	return written, nil
}

// armWrite does the same for a write; m.mu is held.
func (m *meter) armWrite() {
	d := m.limit()
	if m.stage == StageIdle {
		d = m.timeouts.Command // a write never waits without end
	}
	var at time.Time
	if d > 0 {
		at = time.Now().Add(d)
	}
	_ = m.Conn.SetWriteDeadline(at)
}

// explain turns a passed deadline into a [*TimeoutError].
func (m *meter) explain(err error) error {
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &TimeoutError{Stage: m.stage, Address: m.address, After: m.limit()}
}

// SetDeadline has no effect: the stages own the deadlines.
func (*meter) SetDeadline(time.Time) error { return nil }

// SetReadDeadline has no effect, as SetDeadline.
func (*meter) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline has no effect, as SetDeadline.
func (*meter) SetWriteDeadline(time.Time) error { return nil }
