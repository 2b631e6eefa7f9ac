package pop3test

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// maildrop is what a session sees: the messages as they were when it began.
type maildrop struct {
	server  *Server
	account *mailtest.Account
	recent  bool // changes nothing about who sees what
	entries []entry
	highest int // the number that LAST tells
	closed  bool
}

// entry is one message of a maildrop. Its number is its place, from 1 on.
type entry struct {
	message            mailtest.Message
	size               int // as STAT and LIST tell it
	deleted, retrieved bool
}

// Why a maildrop is not opened.
var (
	errLocked = errors.New("pop3test: maildrop in use")
	errEarly  = errors.New("pop3test: too soon after the last sign-in")
)

// recentDays is how far back the sessions of recentMode look.
const recentDays = 30 * 24 * time.Hour

// open locks an account's maildrop and returns what is in it.
func (s *Server) open(account *mailtest.Account, recent bool) (*maildrop, error) {
	messages, err := account.Messages(s.options.Folder)
	if err != nil {
		return nil, err
	}
	if err := s.lock(account); err != nil {
		return nil, err
	}
	d := &maildrop{server: s, account: account, recent: recent}
	for _, m := range messages {
		if s.shows(account, m, recent) {
			d.entries = append(d.entries, entry{message: m, size: s.options.Size(m)})
		}
	}
	return d, nil
}

func (s *Server) lock(account *mailtest.Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	entered, before := s.entered[account]
	switch {
	case s.locked[account] > 0 && !s.options.Shared:
		return errLocked
	case before && time.Since(entered) < s.options.LoginDelay:
		return errEarly
	}
	s.locked[account]++
	s.entered[account] = time.Now()
	return nil
}

// shows reports whether a message is in the maildrop of a session.
func (s *Server) shows(account *mailtest.Account, m mailtest.Message, recent bool) bool {
	if recent {
		return time.Since(m.Received) < recentDays
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.shown[account][m.Email]
}

// hide shows a message to no further session.
func (s *Server) hide(account *mailtest.Account, m mailtest.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shown[account] == nil {
		s.shown[account] = make(map[uint64]bool)
	}
	s.shown[account][m.Email] = true
}

// close lets others in. It may be called more than once, and on nil.
func (d *maildrop) close() {
	if d != nil && !d.closed {
		d.closed = true
		d.server.release(d.account)
	}
}

// entry returns the message that a command means, unless it was deleted, and
// else what the client is told.
func (d *maildrop) entry(args string) (e *entry, number int, problem string) {
	number, ok := parseNumber(args)
	switch {
	case !ok:
		return nil, 0, "A message number is expected"
	case number < 1 || number > len(d.entries):
		return nil, 0, "No such message"
	case d.entries[number-1].deleted:
		return nil, 0, "Message is deleted"
	}
	return &d.entries[number-1], number, ""
}

// total returns how many messages are not deleted, and their size.
func (d *maildrop) total() (count, size int) {
	for i := range d.entries {
		if !d.entries[i].deleted {
			count++
			size += d.entries[i].size
		}
	}
	return count, size
}

// now returns a message as it is by now, under the UID that it has now, and
// whether it is still in the maildrop.
func (d *maildrop) now(e *entry) (mailtest.Message, bool) {
	m, err := d.account.Find(e.message.ID)
	return m, err == nil && m.Folder == e.message.Folder
}

// update does what the session asked for, and returns how many messages it did
// not manage to remove (RFC 1939, section 6). Those that somebody else removed
// are none of them.
func (d *maildrop) update() (stuck int) {
	o := &d.server.options
	var gone []mailtest.UID
	for i := range d.entries {
		e := &d.entries[i]
		m, there := d.now(e)
		switch {
		case !there:
		case e.deleted && !o.IgnoreDELE && o.Stuck(m):
			stuck++
		case e.deleted && !o.IgnoreDELE:
			gone = append(gone, m.UID)
		case !d.recent && (e.retrieved || e.deleted):
			d.file(m)
		}
	}
	// The folder is there, since messages are.
	_, _ = d.account.Expunge(o.Folder, gone...)
	return stuck
}

// file does with a retrieved message what the options say. A folder that is not
// there needs nothing.
func (d *maildrop) file(m mailtest.Message) {
	if d.server.options.Once {
		d.server.hide(d.account, m)
	}
	switch d.server.options.Retrieved {
	case MarkRead:
		_ = d.account.AddFlags(m.Folder, []string{mailtest.Seen}, m.UID)
	case Archive:
		d.move(m, mailtest.RoleArchive)
	case Trash:
		d.move(m, mailtest.RoleTrash)
	case Keep:
	}
}

func (d *maildrop) move(m mailtest.Message, role mailtest.Role) {
	for _, f := range d.account.Folders() {
		if f.Role == role {
			_, _ = d.account.Move(m.Folder, f.Name, m.UID)
			return
		}
	}
}

func stat(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "STAT has no argument")
	}
	count, size := c.drop.total()
	return c.ok(fmt.Sprintf("%d %d", count, c.AnnouncedSize(size)))
}

func list(_ context.Context, c *conn, args string) error {
	head := func() string {
		count, size := c.drop.total()
		return fmt.Sprintf("%d messages (%d octets)", count, size)
	}
	return c.listing(args, head, func(e *entry) string { return strconv.Itoa(c.AnnouncedSize(e.size)) })
}

func uidl(_ context.Context, c *conn, args string) error {
	head := func() string { return "Unique-ids follow" }
	return c.listing(args, head, func(e *entry) string { return c.server.options.UID(e.message) })
}

// listing tells something of one message, or of all.
func (c *conn) listing(args string, head func() string, tell func(e *entry) string) error {
	row := func(number int, e *entry) string {
		return strings.TrimSuffix(strconv.Itoa(number)+" "+tell(e), " ")
	}
	if args != "" {
		e, number, problem := c.drop.entry(args)
		if problem != "" {
			return c.fail("", problem)
		}
		return c.ok(row(number, e))
	}
	var rows []string
	for i := range c.drop.entries {
		if e := &c.drop.entries[i]; !e.deleted {
			rows = append(rows, row(i+1, e))
		}
	}
	return c.rows(head(), rows)
}

func dele(_ context.Context, c *conn, args string) error {
	e, number, problem := c.drop.entry(args)
	if problem != "" {
		return c.fail("", problem)
	}
	e.deleted = true
	c.drop.highest = max(c.drop.highest, number)
	return c.ok("Marked to be deleted")
}

func rset(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "RSET has no argument")
	}
	for i := range c.drop.entries {
		c.drop.entries[i].deleted = false
	}
	c.drop.highest = 0
	return c.ok("")
}

func noop(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "NOOP has no argument")
	}
	return c.ok("")
}

func last(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "LAST has no argument")
	}
	return c.ok(strconv.Itoa(c.drop.highest))
}

// quit ends the session. In the TRANSACTION state that is the moment at which
// messages are removed, and others can get in from the answer on.
func quit(_ context.Context, c *conn, args string) error {
	if args != "" {
		return c.fail("", "QUIT has no argument")
	}
	if c.refuse {
		c.drop.close()
		return c.hangUp("-ERR " + c.coded("SYS/TEMP", "No message was removed"))
	}
	stuck := 0
	if c.drop != nil {
		stuck = c.drop.update()
		c.drop.close()
	}
	if stuck > 0 {
		return c.hangUp("-ERR " + c.coded("SYS/TEMP", fmt.Sprintf("Some deleted messages were not removed: %d", stuck)))
	}
	return c.hangUp("+OK " + c.translate(c.server.options.Words.Bye))
}
