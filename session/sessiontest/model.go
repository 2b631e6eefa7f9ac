package sessiontest

import (
	"context"
	"fmt"

	"github.com/mailsession/mailsession/session"
)

// model is what a program knows of a folder that it follows: the flags of each
// message.
type model struct {
	known  map[session.ID]string
	failed map[session.ID]bool
	cursor session.Cursor
	wrong  []string // what it was told that cannot be
}

func newModel() *model {
	return &model{known: map[session.ID]string{}, failed: map[session.ID]bool{}}
}

func (m *model) complain(format string, args ...any) {
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
}

func (m *model) reset() {
	clear(m.known)
	clear(m.failed)
}

func (m *model) add(n *session.Message) {
	if _, twice := m.known[n.ID]; twice {
		m.complain("%v is added twice", n.ID)
	}
	m.known[n.ID] = fmt.Sprint(sorted(n.Flags))
}

func (m *model) fail(id session.ID) {
	if m.failed[id] {
		m.complain("%v failed twice", id)
	}
	m.failed[id] = true
}

func (m *model) change(n *session.Message) {
	if _, known := m.known[n.ID]; !known && !m.failed[n.ID] {
		m.complain("%v is changed and was never added", n.ID)
	}
	if !m.failed[n.ID] {
		m.known[n.ID] = fmt.Sprint(sorted(n.Flags))
	}
}

func (m *model) remove(id session.ID) {
	if _, known := m.known[id]; !known && !m.failed[id] {
		m.complain("%v is removed and was never added, or is removed twice", id)
	}
	delete(m.known, id)
	delete(m.failed, id)
}

// take learns from a page of changes.
func (m *model) take(page session.Changes) {
	if page.Reset {
		m.reset()
	}
	for _, id := range page.Removed {
		m.remove(id)
	}
	for _, n := range page.Changed {
		m.change(n)
	}
	for _, bad := range page.Failed {
		m.fail(bad.ID)
	}
	for _, n := range page.Added {
		m.add(n)
	}
	if m.cursor = page.Cursor; page.Cursor.IsZero() {
		m.complain("a page has no cursor")
	}
}

// follow takes all pages of what happened since the model's cursor.
func (m *model) follow(ctx context.Context, in session.Incoming) error {
	for page, err := range changesOf(ctx, in, "", m.cursor, session.SyncOptions{}) {
		if err != nil {
			return err
		}
		m.take(page)
	}
	return nil
}
