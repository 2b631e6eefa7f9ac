package ews

import "fmt"

// maxIdle is how many pages in a row may bring nothing new although the server says that
// others follow. While a folder changes, some do.
const maxIdle = 100

// endlessError says that a server has always more to tell, and tells nothing new.
type endlessError struct{ server, op, what string }

// Error returns where, and what goes on without end.
func (e *endlessError) Error() string {
	return fmt.Sprintf("%s: %s: %s, so that it would never end", e.server, e.op, e.what)
}

func (c *Client) endless(op, what string, values ...any) error {
	return &endlessError{c.address, op, fmt.Sprintf(what, values...)}
}

// idle counts the pages in a row that bring nothing new.
type idle int

// tooLong takes note of a page, and reports whether there were too many of them.
func (n *idle) tooLong(news bool) bool {
	if *n++; news {
		*n = 0
	}
	return *n > maxIdle
}

// states watches over the states of a history, in which none comes twice. It keeps one
// of them, and after twice as many each time another one, so that it meets a circle of
// any length.
type states struct {
	kept       string
	since, lap int
}

// circle takes note of a state, and reports whether it was there before.
func (s *states) circle(state string) bool {
	if state == s.kept {
		return true
	}
	if s.since++; s.since >= s.lap {
		s.kept, s.since, s.lap = state, 0, 2*max(s.lap, 1)
	}
	return false
}

// unrolling watches over pages of a history.
type unrolling struct {
	states

	idle  idle
	added []string // by the last page
}

// unrolled begins behind a state.
func unrolled(state string) *unrolling {
	return &unrolling{states: states{kept: state}}
}

// check returns why no page is to be asked for behind this one although the server says
// that there is one.
func (u *unrolling) check(c *Client, f *folder, h happened) error {
	again := len(h.added) > 0 && len(h.added) == len(u.added) && h.added[0] == u.added[0]
	u.added = h.added
	news := !again && len(h.added)+len(h.changed)+len(h.removed) > 0
	switch {
	case h.last:
	case u.circle(h.state):
		return c.endless("SyncFolderItems", "folder %s: the server leads back to a state that it has told before", f.Path)
	case u.idle.tooLong(news):
		return c.endless("SyncFolderItems", "folder %s: the server goes on from state to state without any change that is new", f.Path)
	}
	return nil
}
