package pop3x

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// How many messages of a maildrop are read of a listing, and how many bytes of
// names or sizes.
const (
	maxMessages = 5_000_000
	maxListing  = 512 << 20
)

// entry is one message of a maildrop.
type entry struct {
	number int
	key    string // what it is known by here; empty where the server gives it no name
	shared bool   // another message has the same name
	size   int64  // as LIST has it
	sized  bool   // LIST has it
}

// maildrop is what a session of the protocol shows.
type maildrop struct {
	entries  []entry        // by number, ascending
	place    map[string]int // of a key in entries
	byHeader bool           // the server has no UIDL, and messages are known by their headers
	bytes    int64          // as STAT has it
}

// firstOfSeveral is behind the name in the id of the first of the messages that
// share it, as a number is in those of the others. When only one of them is
// left, nobody can tell which: its id is another one.
const firstOfSeveral = "\n1"

// idKey returns what is the message's own in an id.
func (e entry) idKey() string {
	if e.shared && e.key != "" && !strings.Contains(e.key, "\n") {
		return e.key + firstOfSeveral
	}
	return e.key
}

// find returns the message of a key, or of what its id has.
func (m *maildrop) find(key string) (entry, bool) {
	key, first := strings.CutSuffix(key, firstOfSeveral)
	i, there := m.place[key]
	if !there || first && !m.entries[i].shared {
		return entry{}, false
	}
	return m.entries[i], true
}

// validity is what ids of this maildrop carry beside the key.
func (m *maildrop) validity() string {
	if m.byHeader {
		return byHeader
	}
	return ""
}

// byHeader marks ids that are made of a message's header.
const byHeader = "header"

// survey finds out what the maildrop holds, once a session: it does not change.
func (c *conn) survey() (*maildrop, error) {
	if c.drop != nil {
		return c.drop, nil
	}
	count, size, err := c.stat()
	if err != nil {
		return nil, err
	}
	var names, sizes roll
	noUIDL, err := c.lists(&names, &sizes)
	if err != nil {
		return nil, err
	}
	drop := &maildrop{bytes: size, byHeader: noUIDL}
	if drop.entries, err = merge(count, &names, &sizes); err != nil {
		return nil, c.senseless(opUIDL, err.Error())
	}
	if noUIDL {
		if err := c.hashHeaders(drop.entries); err != nil {
			return nil, err
		}
	}
	drop.index()
	c.drop = drop
	return drop, nil
}

// lists asks for the names and sizes of all messages, in one go where the
// server takes it. Not every server has UIDL; one that offers it and refuses it
// has a trouble, and its messages do not get other names for that.
func (c *conn) lists(names, sizes *roll) (noUIDL bool, err error) {
	if err := c.send(opUIDL); err != nil {
		return false, err
	}
	if c.pipelines() {
		if err := c.send(opList); err != nil {
			return false, err
		}
	}
	if err := c.flush(opUIDL); err != nil {
		return false, err
	}
	err = c.lines(opUIDL, names.add)
	if answered(err) && !c.caps.has(opUIDL) {
		noUIDL, err = true, nil
	}
	if err != nil {
		return false, err
	}
	if c.pipelines() {
		return noUIDL, c.lines(opList, sizes.add)
	}
	return noUIDL, c.listing(opList, sizes.add)
}

// roll is the answer to UIDL or LIST: what it has of each number.
type roll struct {
	lines []rollLine
	bytes int // of them all
	odd   int // lines that tell of no number
}

type rollLine struct {
	number int
	text   string
}

// add takes one line. What cannot be read is counted: the message that it is
// about is found missing later.
func (r *roll) add(line []byte) error {
	number, text, _ := strings.Cut(string(bytes.TrimSpace(line)), " ")
	n, err := strconv.Atoi(number)
	r.bytes += len(line)
	switch {
	case r.bytes > maxListing:
		return fmt.Errorf("the server's list has more than %d bytes", maxListing)
	case len(r.lines)+r.odd >= maxMessages:
		return fmt.Errorf("the server lists more than %d messages", maxMessages)
	case err != nil || n < 1 || n > maxMessages || number[0] == '+':
		r.odd++
	default:
		r.lines = append(r.lines, rollLine{number: n, text: strings.TrimSpace(text)})
	}
	return nil
}

// tolerated is how many messages a listing may fail to name before it is taken
// for none.
const tolerated = 1000

// merge makes one list of what STAT, UIDL and LIST say. It has every number up
// to the count of STAT, and those beyond that a listing has: a listing that was
// cut short, or that has lines which cannot be read, hides no message.
func merge(count int, names, sizes *roll) ([]entry, error) {
	last := count
	for _, r := range []*roll{names, sizes} {
		for _, l := range r.lines {
			last = max(last, l.number)
		}
	}
	if most := 2*(len(names.lines)+len(sizes.lines)) + tolerated; last > most {
		return nil, fmt.Errorf("the server counts %d messages and lists %d of them", last, max(len(names.lines), len(sizes.lines)))
	}
	entries := make([]entry, last)
	for i := range entries {
		entries[i].number = i + 1
	}
	for _, l := range names.lines {
		if e := &entries[l.number-1]; e.key == "" {
			e.key = l.text
		} else {
			e.shared = true // two names are none to rely on
		}
	}
	for _, l := range sizes.lines {
		if n, err := strconv.ParseInt(strings.SplitN(l.text, " ", 2)[0], 10, 64); err == nil && n >= 0 {
			entries[l.number-1].size, entries[l.number-1].sized = n, true
		}
	}
	return entries, nil
}

// index gives every message its place by a key of its own. Messages that share
// a name get different keys, but only as long as none of them goes; see
// [entry.idKey].
func (m *maildrop) index() {
	m.place = make(map[string]int, len(m.entries))
	for i := range m.entries {
		e := &m.entries[i]
		if e.key == "" {
			continue
		}
		name := e.key
		for n := 2; ; n++ {
			first, taken := m.place[e.key]
			if !taken {
				break
			}
			m.entries[first].shared, e.shared = true, true
			e.key = name + "\n" + strconv.Itoa(n)
		}
		m.place[e.key] = i
	}
}

// hashHeaders names messages by their headers.
func (c *conn) hashHeaders(entries []entry) error {
	numbers := make([]int, len(entries))
	for i, e := range entries {
		numbers[i] = e.number
	}
	return c.tops(numbers, func(i int, head io.Reader) error {
		sum, err := sumHeader(head)
		if err != nil {
			return err
		}
		entries[i].key = strings.ToLower(base32.StdEncoding.EncodeToString(sum[:20]))
		return nil
	}, func(int, error) {}) // what cannot be read stays without a name
}

// sumHeader hashes a header, but for the fields that servers which keep a
// maildrop as a mailbox file write anew when it was read.
func sumHeader(head io.Reader) ([]byte, error) {
	sum := sha256.New()
	r := bufio.NewReader(head)
	passed := false // the field that the line belongs to
	for begins := true; ; {
		piece, err := r.ReadSlice('\n')
		if begins && len(piece) > 0 && piece[0] != ' ' && piece[0] != '\t' {
			name, _, _ := bytes.Cut(piece, []byte{':'})
			passed = slices.ContainsFunc(mailboxFields(), func(f string) bool { return strings.EqualFold(f, string(name)) })
		}
		if !passed {
			sum.Write(piece)
		}
		begins = err == nil
		switch {
		case errors.Is(err, io.EOF):
			return sum.Sum(nil), nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
}

// mailboxFields are what c-client, Qpopper and their like keep in a mailbox file.
func mailboxFields() []string {
	return []string{"Status", "X-Status", "X-Keywords", "X-UID", "X-UIDL", "X-IMAP", "X-IMAPbase", "Content-Length", "Lines"}
}

// errNameless says that the server gives a message no name.
var errNameless = errors.New("the server lists the message without a name by which it can be known again")

// checkKey refuses what cannot be a key.
func checkKey(key string) error {
	if key == "" || strings.TrimSpace(key) != key || strings.ContainsAny(key, "\r\x00") {
		return fmt.Errorf("pop3: %q is not the key of a message", clean(key))
	}
	return nil
}

// own returns the key of a message of this mailbox.
func (c *Client) own(id session.ID) (session.IDParts, error) {
	parts, err := id.Parts()
	if err != nil {
		return parts, err
	}
	if parts.Backend != backendName || parts.Mailbox != c.mailbox {
		return parts, fmt.Errorf("pop3: %w", session.ErrOtherMailbox)
	}
	if parts.Folder != inboxPath {
		return parts, fmt.Errorf("pop3: %w", session.ErrNoFolder)
	}
	return parts, checkKey(parts.Key)
}

// look returns the message of an id as the session shows it.
func (c *conn) look(parts session.IDParts) (entry, error) {
	drop, err := c.survey()
	if err != nil {
		return entry{}, err
	}
	if parts.Validity != drop.validity() {
		return entry{}, fmt.Errorf("%s: %w", c.server, session.ErrStaleID)
	}
	e, there := drop.find(parts.Key)
	if !there {
		return entry{}, c.gone()
	}
	return e, nil
}

func (c *conn) gone() error { return fmt.Errorf("%s: %w", c.server, session.ErrNoMessage) }
