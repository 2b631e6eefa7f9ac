package pipe

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stream is one direction: a ring of bytes with a writing and a reading side.
type stream struct {
	mu      sync.Mutex
	changed sync.Cond // of mu; told of every change of the fields below

	ring  []byte // allocated by the first write
	start int    // index of the first unread byte
	n     int    // count of unread bytes

	writing    bool // a Write is under way; others wait, so that writes do not mix
	finished   bool // no more bytes will come
	writerGone bool // the writing end is closed
	readerGone bool // the reading end is closed

	readLimit, writeLimit deadline
}

// deadline is the time after which one side's calls fail.
type deadline struct {
	timer   *time.Timer // nil where none is set or it has passed
	passed  bool
	changes int // tells a timer that fired late that it was replaced
}

func newStream() *stream {
	s := &stream{}
	s.changed.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.readerGone:
			return 0, net.ErrClosed
		case s.readLimit.passed:
			return 0, os.ErrDeadlineExceeded
		case len(p) == 0:
			return 0, nil
		case s.n > 0:
			n := s.take(p)
			s.changed.Broadcast()
			return n, nil
		case s.finished:
			return 0, io.EOF
		}
		s.changed.Wait()
	}
}

func (s *stream) write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.writing {
		if err := s.writeError(); err != nil {
			return 0, err
		}
		s.changed.Wait()
	}
	s.writing = true
	defer func() {
		s.writing = false
		s.changed.Broadcast()
	}()
	written := 0
	for {
		if err := s.writeError(); err != nil {
			return written, err
		}
		written += s.put(p[written:])
		s.changed.Broadcast()
		if written == len(p) {
			return written, nil
		}
		s.changed.Wait()
	}
}

// writeError returns why no byte can be written now or later, or nil.
func (s *stream) writeError() error {
	switch {
	case s.writerGone:
		return net.ErrClosed
	case s.readerGone, s.finished:
		return io.ErrClosedPipe
	case s.writeLimit.passed:
		return os.ErrDeadlineExceeded
	}
	return nil
}

// take moves unread bytes to p and returns how many.
func (s *stream) take(p []byte) int {
	total := 0
	for s.n > 0 && total < len(p) {
		n := copy(p[total:], s.ring[s.start:min(s.start+s.n, len(s.ring))])
		s.start = (s.start + n) % len(s.ring)
		s.n -= n
		total += n
	}
	return total
}

// put moves what fits of p into the ring and returns how many bytes that was.
func (s *stream) put(p []byte) int {
	if s.ring == nil && len(p) > 0 {
		s.ring = make([]byte, Size)
	}
	total := 0
	for s.n < len(s.ring) && total < len(p) {
		free := (s.start + s.n) % len(s.ring)
		n := copy(s.ring[free:min(free+len(s.ring)-s.n, len(s.ring))], p[total:])
		s.n += n
		total += n
	}
	return total
}

// end applies a closing change, stops the timers of a side that is gone, and
// wakes everybody.
func (s *stream) end(change func(*stream)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
	if s.readerGone {
		s.readLimit.stop()
		s.n = 0
	}
	if s.writerGone {
		s.writeLimit.stop()
	}
	if s.readerGone && s.writerGone {
		s.ring = nil
	}
	s.changed.Broadcast()
}

func (s *stream) setDeadline(d *deadline, t time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if closed := d == &s.readLimit && s.readerGone || d == &s.writeLimit && s.writerGone; closed {
		return net.ErrClosed
	}
	d.stop()
	if t.IsZero() {
		return nil
	}
	wait := time.Until(t)
	if wait <= 0 {
		d.passed = true
		s.changed.Broadcast()
		return nil
	}
	current := d.changes
	d.timer = time.AfterFunc(wait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if d.changes == current {
			d.passed = true
			s.changed.Broadcast()
		}
	})
	return nil
}

// stop takes the deadline away.
func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.timer, d.passed = nil, false
	d.changes++
}
