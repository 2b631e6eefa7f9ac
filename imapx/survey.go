package imapx

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// errTooLate says that a folder was opened on a connection before the server was
// asked to resynchronize, which has to come first (RFC 5161 section 3.1). A new
// connection helps.
var errTooLate = errors.New("the connection has opened a folder before ENABLE")

// enable has the server tell what vanished, where it can (RFC 7162 section
// 3.2.3). It asks once for each connection; a refusal is as if it could not.
func (c *conn) enable() error {
	if c.enabling || !c.caps.has("QRESYNC") || !c.caps.has("ENABLE") {
		return nil
	}
	if c.opened {
		return errTooLate
	}
	c.enabling = true
	err := c.run("enable", "ENABLE QRESYNC", func(name string, sc *scanner) error {
		for name == "ENABLED" && sc.peek() != atEnd {
			word := sc.name()
			if len(word) == 0 {
				return nil
			}
			c.resyncs = c.resyncs || strings.EqualFold(string(word), "QRESYNC")
		}
		return nil
	})
	if e, refused := errors.AsType[*Error](err); refused && e.Type != "BYE" && !e.Temporary() {
		return nil
	}
	return err
}

// stand opens a folder to see where it stands, and from when on its changes are
// counted. A server that does not take the parameter is asked without.
func (c *conn) stand(name string, readOnly bool) (*selected, error) {
	if c.caps.versions() {
		s, err := c.reopen(name, readOnly, " (CONDSTORE)")
		if e, refused := errors.AsType[*Error](err); !refused || e.Type != "BAD" {
			return s, noFolder(err)
		}
	}
	s, err := c.reopen(name, readOnly, "")
	return s, noFolder(err)
}

// changed is a message whose flags the server told.
type changed struct {
	uid    uint32
	modSeq uint64
	flags  session.Flags
	labels []string
}

// told is what a server tells of what happened in a part of a folder.
type told struct {
	changed []changed // ascending
	gone    uidRanges
	odd     bool // an answer could not be told apart
}

// since asks what happened to messages since the folder's change counter had a
// value, and what vanished where the server keeps that. There are servers that
// tell of every message then, whatever they are asked; what they count shows which
// did not change.
func (c *conn) since(r uidRange, modSeq uint64, flags sharedFlags) (told, error) {
	modifiers := " (CHANGEDSINCE " + strconv.FormatUint(modSeq, 10)
	if c.resyncs {
		modifiers += " VANISHED"
	}
	t, err := c.flagsOf(r, modifiers+")", flags)
	t.gone = t.gone.within(r)
	t.changed = slices.DeleteFunc(t.changed, func(x changed) bool { return x.modSeq > 0 && x.modSeq <= modSeq })
	return t, err
}

// flagsOf asks for the flags of messages.
func (c *conn) flagsOf(r uidRange, modifiers string, flags sharedFlags) (told, error) {
	items := "(UID FLAGS"
	if modifiers != "" {
		items += " MODSEQ"
		if c.caps.has(gmail) {
			items += " X-GM-LABELS"
		}
	}
	var t told
	var gone [][2]uint32
	var f fetched
	var m session.Message
	err := c.run("changes", "UID FETCH "+r.String()+" "+items+")"+modifiers, func(name string, sc *scanner) error {
		switch name {
		case "VANISHED":
			sets, err := scanVanished(sc)
			gone = append(gone, sets...)
			return err
		case "FETCH":
			m = session.Message{}
			f = fetched{message: &m}
			err := f.scan(sc)
			if err != nil && !itemError(err) {
				return err
			}
			if f.uid < r.first || f.uid > r.last {
				t.odd = t.odd || err != nil && f.uid == 0
				return nil
			}
			x := changed{uid: f.uid, labels: m.Labels}
			if err == nil && m.Flags != nil {
				x.flags = flags.share(m.Flags)
			}
			x.modSeq, _ = strconv.ParseUint(string(m.Version), 10, 64)
			t.changed = append(t.changed, x)
		}
		return nil
	})
	t.gone = rangesOf(gone...)
	t.changed = lastOfEach(t.changed)
	return t, err
}

// lastOfEach sorts what was told and keeps what was told last of each message.
func lastOfEach(all []changed) []changed {
	slices.SortStableFunc(all, func(a, b changed) int { return compareUIDs(a.uid, b.uid) })
	kept := all[:0]
	for _, x := range all {
		if n := len(kept); n > 0 && kept[n-1].uid == x.uid {
			if x.flags != nil {
				kept[n-1] = x
			}
			continue
		}
		kept = append(kept, x)
	}
	return kept
}

func compareUIDs(a, b uint32) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// scanVanished reads what follows VANISHED: EARLIER in parentheses and a set of
// UIDs (RFC 7162 section 3.2.10). Without EARLIER it is what happens meanwhile,
// which is told another time.
func scanVanished(sc *scanner) ([][2]uint32, error) {
	if sc.peek() != '(' {
		return nil, nil
	}
	if err := sc.skip(); err != nil {
		return nil, err
	}
	sc.peek()
	sets, ok := parseRanges(string(sc.name()))
	if !ok {
		return nil, sc.malformed("a set of numbers")
	}
	return sets, nil
}

// there returns the messages of a folder with numbers in the range, ascending.
func (c *conn) there(r uidRange) ([]uint32, error) {
	words := "UID SEARCH "
	if c.caps.has("ESEARCH") {
		words += "RETURN (ALL) "
	}
	key := "ALL"
	if r.first > 1 {
		key = "UID " + strconv.FormatUint(uint64(r.first), 10) + ":*"
	}
	uids, err := c.searchUIDs(words + key)
	if err != nil {
		return nil, err
	}
	// A set with an asterisk names the last message whatever its number is.
	return slices.DeleteFunc(uids, func(uid uint32) bool { return uid < r.first || uid > r.last }), nil
}

// sharedFlags keep one copy of flags that many messages have.
type sharedFlags map[string]session.Flags

// maxShared bounds how many sets of flags are shared.
const maxShared = 10_000

// share returns flags as they are kept for others. They are not to be changed.
func (s sharedFlags) share(flags session.Flags) session.Flags {
	var key strings.Builder
	for _, f := range flags {
		key.WriteString(string(f))
		key.WriteByte(' ')
	}
	if same, known := s[key.String()]; known {
		return same
	}
	if len(s) < maxShared {
		s[key.String()] = flags
	}
	return flags
}

// expired says why the changes since a place cannot be told.
func (c *conn) expired(folder, why string) error {
	return fmt.Errorf("%s: folder %s: %s: %w", c.address, shownName(folder), why, session.ErrCursorExpired)
}
