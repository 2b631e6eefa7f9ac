package profile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/mailsession/mailsession/session"
)

// Set holds live sessions by their names, for all parts of a program: whoever
// asks for a name gets the same Session, with its connections, its sign-in and
// its limits. It is safe for concurrent use.
//
// The sessions are the Set's, and closed with it. A part of a program that wants
// one of its own opens it with [File.Open].
type Set struct {
	file *File

	mu     sync.Mutex
	live   map[string]*shared
	closed bool
}

// shared is the session of one name.
type shared struct {
	turn    chan struct{} // holds one token: whose turn it is to open it
	session *session.Session
	cancel  context.CancelCauseFunc // ends the opening that is under way
}

// NewSet returns a Set of the file's sets. It does no I/O.
func (f *File) NewSet() *Set { return &Set{file: f, live: map[string]*shared{}} }

// Session returns the live session of a name, opened by the first who asks; see
// [File.Open]. Others wait for that as long as their context allows, and try for
// themselves where it failed. Callers must not close it. After Close the error
// wraps [session.ErrClosed].
func (s *Set) Session(ctx context.Context, name string) (*session.Session, error) {
	one, err := s.entry(name)
	if err != nil {
		return nil, err
	}
	select {
	case one.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("profile: wait for the session of %q: %w", name, context.Cause(ctx))
	}
	defer func() { <-one.turn }()
	if one.session != nil {
		return one.session, s.isClosed(name)
	}
	opening, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := s.begin(one, name, cancel); err != nil {
		return nil, err
	}
	opened, err := s.file.Open(opening, name)
	s.mu.Lock()
	defer s.mu.Unlock()
	one.cancel = nil
	switch {
	case s.closed && err == nil:
		return nil, errors.Join(errClosed(name), opened.Close())
	case s.closed:
		return nil, errClosed(name)
	case err != nil:
		return nil, err
	}
	one.session = opened
	return opened, nil
}

// begin notes how an opening is ended, unless the Set is closed.
func (s *Set) begin(one *shared, name string, cancel context.CancelCauseFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed(name)
	}
	one.cancel = cancel
	return nil
}

// entry returns the place of a name.
func (s *Set) entry(name string) (*shared, error) {
	if _, err := s.file.set(name); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errClosed(name)
	}
	if s.live[name] == nil {
		s.live[name] = &shared{turn: make(chan struct{}, 1)}
	}
	return s.live[name], nil
}

func errClosed(name string) error {
	return fmt.Errorf("profile: the session of %q: %w", name, session.ErrClosed)
}

func (s *Set) isClosed(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed(name)
	}
	return nil
}

// Close closes all sessions. Calls on them that are under way end, and so do
// openings, as soon as what they wait for heeds its context.
func (s *Set) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.live)) {
		one := s.live[name]
		if one.session != nil {
			errs = append(errs, one.session.Close())
		}
		if one.cancel != nil {
			one.cancel(session.ErrClosed)
		}
	}
	clear(s.live)
	return errors.Join(errs...)
}
