package imapx

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// place is a place in the history of a folder: what has been told of it.
//
// What a program knows, it knows span by span: of the messages in a span, it was
// told of all that happened until the server's change counter had the span's
// value. A page tells of one stretch of numbers, so that between two pages there
// are spans of two ages. A message with a higher number than the last span's has
// not been told of.
type place struct {
	keeps keeping
	last  uint32 // the messages up to this number were told of
	next  uint32 // UIDNEXT then; 0 where something may be left below it
	count uint32 // how many messages there were
	spans []span

	// passed are messages that the server may yet tell as gone, of which nothing
	// is to be told any more.
	passed uidRanges

	known []run      // the messages that there were, where the place keeps them
	flags dictionary // theirs, where it keeps those
}

// keeping says what a place keeps because the server does not.
type keeping byte

const (
	keepsNothing  keeping = 'v' // the server tells what vanished and what changed: QRESYNC
	keepsMessages keeping = 'm' // it tells what changed: CONDSTORE
	keepsFlags    keeping = 'f' // it tells neither
)

// span is the messages up to a number, from the end of the span before.
type span struct {
	last   uint32
	modSeq uint64 // 0 where the server counts no changes
}

// dictionary gives sets of flags their numbers.
type dictionary struct {
	keys  []string
	index map[string]int
}

// unreadable stands for flags that could not be read.
const unreadable = "\x00"

// number returns the number of a set of flags, in whatever order and case.
func (d *dictionary) number(flags session.Flags) int {
	words := make([]string, len(flags))
	for i, f := range flags {
		words[i] = strings.ToLower(string(f))
	}
	slices.Sort(words)
	return d.key(strings.Join(slices.Compact(words), " "))
}

func (d *dictionary) key(key string) int {
	if n, known := d.index[key]; known {
		return n
	}
	if d.index == nil {
		d.index = map[string]int{}
	}
	d.index[key] = len(d.keys)
	d.keys = append(d.keys, key)
	return len(d.keys) - 1
}

// String writes the place as text that stands for itself in a Cursor.
func (p *place) String() string {
	b := []byte{byte(p.keeps)}
	for _, n := range []uint32{p.last, p.next, p.count} {
		b = binary.AppendUvarint(b, uint64(n))
	}
	b = binary.AppendUvarint(b, uint64(len(p.spans)))
	from := uint32(0)
	for _, s := range p.spans {
		b = binary.AppendUvarint(b, uint64(s.last-from))
		b = binary.AppendUvarint(b, s.modSeq)
		from = s.last
	}
	passed := make([]run, len(p.passed))
	for i, r := range p.passed {
		passed[i].uidRange = r
	}
	b = appendRuns(b, passed, nil)
	switch p.keeps {
	case keepsMessages:
		b = appendRuns(b, p.known, nil)
	case keepsFlags:
		used := dictionary{}
		for _, x := range p.known {
			used.key(p.flags.keys[x.flags])
		}
		b = binary.AppendUvarint(b, uint64(len(used.keys)))
		for _, key := range used.keys {
			b = binary.AppendUvarint(b, uint64(len(key)))
			b = append(b, key...)
		}
		b = appendRuns(b, p.known, func(x run) int { return used.index[p.flags.keys[x.flags]] })
	case keepsNothing:
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// appendRuns writes how far each run is from the one before, and its length.
func appendRuns(b []byte, runs []run, flags func(run) int) []byte {
	b = binary.AppendUvarint(b, uint64(len(runs)))
	from := uint32(0)
	for _, x := range runs {
		b = binary.AppendUvarint(b, uint64(x.first-from))
		b = binary.AppendUvarint(b, uint64(x.last-x.first))
		if flags != nil {
			b = binary.AppendUvarint(b, uint64(flags(x))) //nolint:gosec // an index
		}
		from = x.last
	}
	return b
}

// errPlace says that a Cursor holds something else than a place.
var errPlace = errors.New("the cursor is damaged, or was made by a later version; begin with the zero Cursor")

// parsePlace undoes [place.String].
func parsePlace(text string) (*place, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(b) == 0 {
		return nil, errPlace
	}
	r := &placeReader{b: b[1:]}
	p := &place{keeps: keeping(b[0])}
	p.last, p.next, p.count = r.uint32(), r.uint32(), r.uint32()
	from := uint32(0)
	for range r.length() {
		s := span{last: r.further(from), modSeq: r.uvarint()}
		p.spans, from = append(p.spans, s), s.last
	}
	if from != p.last {
		r.bad = true
	}
	p.passed = rangesOfRuns(r.runs(0, p.last))
	switch p.keeps {
	case keepsNothing:
	case keepsMessages:
		p.known = r.runs(0, p.last)
	case keepsFlags:
		for range r.length() {
			p.flags.key(string(r.bytes(r.length())))
		}
		p.known = r.runs(len(p.flags.keys), p.last)
	default:
		r.bad = true
	}
	if r.bad || len(r.b) > 0 {
		return nil, errPlace
	}
	return p, nil
}

// placeReader reads numbers until one is wrong.
type placeReader struct {
	b   []byte
	bad bool
}

func (r *placeReader) uvarint() uint64 {
	n, size := binary.Uvarint(r.b)
	if r.bad || size <= 0 {
		r.bad = true
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *placeReader) uint32() uint32 { return r.further(0) }

// further reads how far a number is behind another.
func (r *placeReader) further(from uint32) uint32 {
	n := r.uvarint()
	if n > math.MaxUint32-uint64(from) {
		r.bad = true
		return 0
	}
	return from + uint32(n) //nolint:gosec // it was compared above
}

// length reads how many of something follow, each of which takes a byte at least.
func (r *placeReader) length() uint64 {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
	}
	if r.bad {
		return 0
	}
	return n
}

func (r *placeReader) bytes(n uint64) []byte {
	if r.bad {
		return nil
	}
	taken := r.b[:n]
	r.b = r.b[n:]
	return taken
}

// runs reads messages up to a number, with flags of which there are so many.
func (r *placeReader) runs(flags int, last uint32) []run {
	var runs []run
	from := uint32(0)
	for range r.length() {
		var x run
		x.first = r.further(from)
		x.last = r.further(x.first)
		if flags > 0 {
			n := r.uvarint()
			r.bad = r.bad || n >= uint64(flags)
			x.flags = int(n) //nolint:gosec // less than flags, or not used
		}
		if r.bad = r.bad || x.first <= from || x.last > last; r.bad {
			return nil
		}
		runs, from = append(runs, x), x.last
	}
	return runs
}
