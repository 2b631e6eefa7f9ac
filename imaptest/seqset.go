package imaptest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// last stands for "*" in a numSet.
const last = 0

// span is a range of numbers; either end may be last.
type span struct{ from, to int64 }

// numSet is a set of message numbers or UIDs as the client wrote it.
type numSet []span

// set reads a sequence-set of RFC 3501, section 9.
func (p *parser) set() (numSet, error) {
	var set numSet
	for {
		from, err := p.setNumber()
		if err != nil {
			return nil, err
		}
		to := from
		if p.accept(':') {
			if to, err = p.setNumber(); err != nil {
				return nil, err
			}
		}
		set = append(set, span{from, to})
		if !p.accept(',') {
			return set, nil
		}
	}
}

func (p *parser) setNumber() (int64, error) {
	if p.accept('*') {
		return last, nil
	}
	n, err := p.number()
	if err == nil && n == 0 {
		err = syntaxError("0 is no message number")
	}
	return int64(n), err
}

// contains reports whether n is in the set, where "*" means highest.
func (s numSet) contains(n, highest int64) bool {
	return slices.ContainsFunc(s, func(r span) bool {
		low, high := r.ends(highest)
		return low <= n && n <= high
	})
}

// ends returns the span in order.
func (r span) ends(highest int64) (low, high int64) {
	if r.from == last {
		r.from = highest
	}
	if r.to == last {
		r.to = highest
	}
	return min(r.from, r.to), max(r.from, r.to)
}

// within reports whether every number of the set is between 1 and n.
func (s numSet) within(n int64) bool {
	return !slices.ContainsFunc(s, func(r span) bool {
		low, high := r.ends(n)
		return low < 1 || high > n
	})
}

// uidSet writes UIDs as the shortest set that keeps their order.
func uidSet(uids []mailtest.UID) string {
	var b strings.Builder
	for i := 0; i < len(uids); {
		j := i
		for j+1 < len(uids) && uids[j+1] == uids[j]+1 {
			j++
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, uids[i])
		if j > i {
			fmt.Fprintf(&b, ":%d", uids[j])
		}
		i = j + 1
	}
	return b.String()
}
