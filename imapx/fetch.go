package imapx

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// maxHeader bounds the header of one message in a listing.
const maxHeader = 1 << 20

// headerFields are those that a summary has; servers keep them in a cache.
const headerFields = "BODY.PEEK[HEADER.FIELDS (FROM SENDER REPLY-TO TO CC BCC SUBJECT DATE MESSAGE-ID " +
	"IN-REPLY-TO REFERENCES CONTENT-TYPE AUTO-SUBMITTED PRECEDENCE LIST-ID)]"

// fetchItems returns what to ask for.
func (c capabilities) fetchItems(r session.Reads) string {
	items := []string{"UID"}
	header := headerFields
	if r.WholeHeader {
		header = "BODY.PEEK[HEADER]"
	}
	for _, i := range []struct {
		field session.Fields
		item  string
	}{
		{session.FieldFlags, "FLAGS"},
		{session.FieldReceived, "INTERNALDATE"},
		{session.FieldSize, "RFC822.SIZE"},
		{session.FieldHeader, header},
	} {
		if r.Fields&i.field != 0 {
			items = append(items, i.item)
		}
	}
	items = append(items, c.extraItems(r.Fields)...)
	return "(" + strings.Join(items, " ") + ")"
}

// fetched is what the server told of one message.
type fetched struct {
	uid       uint32
	message   *session.Message // without its ID
	previewed bool             // its Preview is what there is
	problem   error            // why there is no structure
	err       error            // what could not be read of it

	asked session.Fields
}

func newFetched(asked session.Fields) fetched {
	return fetched{message: &session.Message{}, asked: asked}
}

// fetchAll asks for summaries, a second time for those that do not come: the
// messages may be newer than what this connection was told of. What is missing
// then is gone. Where the server cannot answer for all, it is asked for fewer,
// so that one message does not hide the others.
//
// What cannot be read because of a message's structure is asked for without it.
func (c *conn) fetchAll(uids []uint32, fields session.Reads) (got []fetched, lost error, err error) {
	got, lost, err = c.fetchEach(uids, fields)
	if err != nil || !c.caps.asksStructure(fields.Fields) {
		return got, lost, err
	}
	broken := map[uint32]error{}
	good := make([]fetched, 0, len(got))
	for _, f := range got {
		if f.err != nil {
			broken[f.uid] = f.err
			continue
		}
		good = append(good, f)
	}
	if lost != nil {
		for _, uid := range without(uids, got) {
			broken[uid] = lost
		}
	}
	if len(broken) == 0 {
		return got, lost, nil
	}
	fields.Fields &^= session.FieldStructure | session.FieldPreview
	more, lost, err := c.fetchEach(slices.Sorted(maps.Keys(broken)), fields)
	for i := range more {
		more[i].problem = broken[more[i].uid]
	}
	return merge(append(good, more...)), lost, err
}

// fetchEach is fetchAll for one set of fields.
func (c *conn) fetchEach(uids []uint32, fields session.Reads) (got []fetched, lost error, err error) {
	got, lost, err = c.fetch(uids, fields)
	if e, ok := errors.AsType[*Error](err); ok && e.Type == "NO" && !e.Temporary() {
		return c.fetchApart(uids, fields, got, e)
	}
	missing := without(uids, got)
	if err != nil || len(missing) == 0 || lost != nil {
		return got, lost, err
	}
	if err := c.refresh(); err != nil {
		return nil, nil, err
	}
	more, lost, err := c.fetch(missing, fields)
	return merge(append(got, more...)), lost, err
}

// fetchApart goes on where the server refused: what it answered before is kept,
// the rest is asked for in halves.
func (c *conn) fetchApart(uids []uint32, fields session.Reads, got []fetched, refusal *Error) (all []fetched, lost error, err error) {
	missing := without(uids, got)
	if len(missing) == 0 {
		return got, nil, nil
	}
	if len(missing) == 1 && len(uids) == 1 {
		return []fetched{{uid: uids[0], err: refusal}}, nil, nil
	}
	half := (len(missing) + 1) / 2
	for _, part := range [][]uint32{missing[:half], missing[half:]} {
		if len(part) == 0 {
			continue
		}
		more, partLost, err := c.fetchEach(part, fields)
		if err != nil {
			return nil, nil, err
		}
		got, lost = append(got, more...), cmp.Or(lost, partLost)
	}
	return merge(got), lost, nil
}

// without returns the numbers for which there is no answer.
func without(uids []uint32, got []fetched) []uint32 {
	return slices.DeleteFunc(slices.Clone(uids), func(uid uint32) bool {
		_, found := find(got, uid)
		return found
	})
}

// find returns where the answer for a message is. It compares in place: an
// answer is a large value.
func find(got []fetched, uid uint32) (index int, found bool) {
	index = sort.Search(len(got), func(i int) bool { return got[i].uid >= uid })
	return index, index < len(got) && got[index].uid == uid
}

// fetch asks for summaries. A message whose answer is malformed comes with its
// error; where even its number cannot be read, it counts in lost.
func (c *conn) fetch(uids []uint32, fields session.Reads) (got []fetched, lost error, err error) {
	if c.selected != nil && c.selected.noVersions {
		fields.Fields &^= session.FieldVersion
	}
	words := "UID FETCH " + formatSet(uids) + " " + c.caps.fetchItems(fields)
	wanted := func(uid uint32) bool {
		_, found := slices.BinarySearch(uids, uid)
		return found
	}
	got = make([]fetched, 0, len(uids))
	err = c.run("fetch", words, func(name string, sc *scanner) error {
		if name != "FETCH" {
			return nil
		}
		f := newFetched(fields.Fields)
		if err := f.scan(sc); err != nil {
			if !itemError(err) {
				return err
			}
			f.err = fmt.Errorf("%s: fetch: %w", c.address, err)
		}
		switch {
		case wanted(f.uid):
			got = append(got, f)
		case f.uid == 0 && f.err != nil:
			lost = f.err
		}
		return nil
	})
	return merge(got), lost, err
}

// itemError tells what is wrong with one answer from what is wrong with the
// connection.
func itemError(err error) bool {
	_, malformed := errors.AsType[*syntaxError](err)
	return malformed || errors.Is(err, errTooLarge)
}

// merge makes one of the several answers that some servers give for a message,
// in ascending order of UIDs.
func merge(got []fetched) []fetched {
	if ascending(got) {
		return got
	}
	slices.SortStableFunc(got, func(a, b fetched) int { return cmp.Compare(a.uid, b.uid) })
	merged := got[:0]
	for _, f := range got {
		if n := len(merged); n > 0 && merged[n-1].uid == f.uid {
			merged[n-1].join(f)
			continue
		}
		merged = append(merged, f)
	}
	return merged
}

// ascending reports whether there is one answer for each message, in order, as
// servers mostly give them.
func ascending(got []fetched) bool {
	for i := 1; i < len(got); i++ {
		if got[i-1].uid >= got[i].uid {
			return false
		}
	}
	return true
}

func (f *fetched) join(g fetched) {
	m, n := f.message, g.message
	if n.Flags != nil {
		m.Flags = n.Flags
	}
	if !n.Received.IsZero() {
		m.Received = n.Received
	}
	if n.Header.Raw() != nil {
		m.Header = n.Header
	}
	if n.Labels != nil {
		m.Labels = n.Labels
	}
	if n.Structure != nil {
		m.Structure = n.Structure
	}
	if g.previewed {
		m.Preview, f.previewed = n.Preview, true
	}
	m.Size = cmp.Or(n.Size, m.Size)
	m.Version = cmp.Or(n.Version, m.Version)
	m.EmailID, m.ThreadID = cmp.Or(n.EmailID, m.EmailID), cmp.Or(n.ThreadID, m.ThreadID)
	f.problem = cmp.Or(g.problem, f.problem)
	f.err = cmp.Or(f.err, g.err)
}

// scan reads the list of a FETCH response.
func (f *fetched) scan(sc *scanner) error {
	if !sc.open() {
		return sc.malformed("a list")
	}
	for sc.more() {
		name := sc.name()
		if len(name) == 0 {
			return sc.malformed("an item's name")
		}
		if err := f.item(itemName(name), sc); err != nil {
			return err
		}
	}
	return nil
}

// itemName returns the name of an item in capitals. Those of every summary share
// their text; of the section with the header only its beginning is told, which
// is what servers answer alike.
func itemName(word []byte) string {
	for _, name := range []string{"UID", "FLAGS", "INTERNALDATE", "RFC822.SIZE", "MODSEQ"} {
		if len(word) == len(name) && strings.EqualFold(name, string(word)) {
			return name
		}
	}
	if len(word) >= len(headerSection) && strings.EqualFold(headerSection, string(word[:len(headerSection)])) {
		return headerSection
	}
	return strings.ToUpper(string(word))
}

// headerSection begins the names of a header and of fields of it.
const headerSection = "BODY[HEADER"

func (f *fetched) item(name string, sc *scanner) (err error) {
	switch {
	case name == "UID":
		var n uint64
		n, err = sc.number()
		f.uid = uint32(n) //nolint:gosec // a number that does not fit names no message that was asked for
	case name == "FLAGS":
		f.message.Flags, err = scanFlags(sc)
	case name == "RFC822.SIZE":
		f.message.Size, err = sc.octets()
	case name == "INTERNALDATE":
		var text []byte
		if text, err = sc.text(64); err == nil {
			f.message.Received = parseInternalDate(text)
		}
	case name == headerSection:
		var text []byte
		text, err = sc.text(maxHeader)
		f.message.Header = message.ParseHeader(text)
	case name == "BODYSTRUCTURE" && f.asked&(session.FieldStructure|session.FieldPreview) != 0:
		err = f.scanStructure(sc)
	case name == "PREVIEW" && f.asked&session.FieldPreview != 0:
		err = f.scanPreview(sc)
	default:
		err = scanExtra(f.message, name, sc)
	}
	return err
}

// scanFlags reads a list of flags. The common ones share their text.
func scanFlags(sc *scanner) (session.Flags, error) {
	flags := session.Flags{}
	if sc.null() {
		return flags, nil
	}
	if !sc.accept('(') {
		return nil, sc.malformed("a list of flags")
	}
	for !sc.accept(')') {
		word := sc.name()
		if len(word) == 0 {
			return nil, sc.malformed("a flag")
		}
		if f := flagOf(word); f != recent {
			flags = append(flags, f)
		}
	}
	return flags, nil
}

// recent is about the connection and not about the message; IMAP4rev2 has
// dropped it.
const recent session.Flag = `\Recent`

func flagOf(word []byte) session.Flag {
	for _, f := range []session.Flag{session.Seen, session.Answered, session.Flagged, session.Deleted, session.Draft, recent} {
		if strings.EqualFold(string(f), string(word)) {
			return f
		}
	}
	return session.Flag(word)
}

// parseInternalDate reads a date such as " 2-Jan-2026 15:04:05 +0100". What is
// not one is the zero time: the message is there all the same.
func parseInternalDate(text []byte) time.Time {
	t, err := time.Parse("_2-Jan-2006 15:04:05 -0700", string(bytes.TrimSpace(text)))
	if err != nil {
		return time.Time{}
	}
	return t
}
