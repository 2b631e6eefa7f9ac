package imapx

import (
	"math"
	"slices"
	"strconv"
)

// uidRange is the numbers from first to last, both included.
type uidRange struct{ first, last uint32 }

// String writes the range as a set of a command.
func (r uidRange) String() string {
	first := strconv.FormatUint(uint64(r.first), 10)
	switch r.last {
	case r.first:
		return first
	case math.MaxUint32:
		return first + ":*"
	}
	return first + ":" + strconv.FormatUint(uint64(r.last), 10)
}

// size returns how many numbers the range has.
func (r uidRange) size() uint64 { return uint64(r.last) - uint64(r.first) + 1 }

// uidRanges are ranges in ascending order that do not touch.
type uidRanges []uidRange

// rangesOf makes ranges of sets as servers write them: in any order, one over the
// other.
func rangesOf(sets ...[2]uint32) uidRanges {
	slices.SortFunc(sets, func(a, b [2]uint32) int { return slices.Compare(a[:], b[:]) })
	var rs uidRanges
	for _, s := range sets {
		rs = rs.with(uidRange{s[0], s[1]})
	}
	return rs
}

// with adds a range that begins behind the beginnings of the others.
func (rs uidRanges) with(r uidRange) uidRanges {
	if n := len(rs); n > 0 && uint64(rs[n-1].last)+1 >= uint64(r.first) {
		rs[n-1].last = max(rs[n-1].last, r.last)
		return rs
	}
	return append(rs, r)
}

// count returns how many numbers the ranges have.
func (rs uidRanges) count() uint64 {
	var n uint64
	for _, r := range rs {
		n += r.size()
	}
	return n
}

// within returns the numbers that are in r as well.
func (rs uidRanges) within(r uidRange) uidRanges {
	var inside uidRanges
	for _, s := range rs {
		if first, last := max(s.first, r.first), min(s.last, r.last); first <= last {
			inside = append(inside, uidRange{first, last})
		}
	}
	return inside
}

// without returns the numbers that are not in other.
func (rs uidRanges) without(other uidRanges) uidRanges {
	var left uidRanges
	i := 0
	for _, r := range rs {
		first, over := r.first, false
		for ; i < len(other) && other[i].first <= r.last; i++ {
			o := other[i]
			if o.last < first {
				continue
			}
			if o.first > first {
				left = append(left, uidRange{first, o.first - 1})
			}
			if o.last >= r.last {
				over = true
				break // it may go on into the next range
			}
			first = o.last + 1
		}
		if !over {
			left = append(left, uidRange{first, r.last})
		}
	}
	return left
}

// union returns the numbers that are in either.
func (rs uidRanges) union(other uidRanges) uidRanges {
	all := slices.Concat(rs, other)
	slices.SortFunc(all, func(a, b uidRange) int { return slices.Compare([]uint32{a.first}, []uint32{b.first}) })
	var merged uidRanges
	for _, r := range all {
		merged = merged.with(r)
	}
	return merged
}

// has reports whether the number is among them.
func (rs uidRanges) has(uid uint32) bool {
	_, found := slices.BinarySearchFunc(rs, uid, func(r uidRange, uid uint32) int {
		switch {
		case r.last < uid:
			return -1
		case r.first > uid:
			return 1
		}
		return 0
	})
	return found
}

// run is numbers in a row of messages that have the same flags; which, says a
// [dictionary].
type run struct {
	uidRange

	flags int
}

// addRun adds one message behind the others.
func addRun(runs []run, uid uint32, flags int) []run {
	if n := len(runs); n > 0 && runs[n-1].flags == flags && uint64(runs[n-1].last)+1 == uint64(uid) {
		runs[n-1].last = uid
		return runs
	}
	return append(runs, run{uidRange{uid, uid}, flags})
}

// clipRuns returns the messages of the runs within r.
func clipRuns(runs []run, r uidRange) []run {
	from, _ := slices.BinarySearchFunc(runs, r.first, func(x run, uid uint32) int {
		if x.last < uid {
			return -1
		}
		return 1
	})
	var inside []run
	for _, x := range runs[from:] {
		if x.first > r.last {
			break
		}
		x.first, x.last = max(x.first, r.first), min(x.last, r.last)
		inside = append(inside, x)
	}
	return inside
}

// joinRuns puts runs one behind the other.
func joinRuns(parts ...[]run) []run {
	var all []run
	for _, part := range parts {
		for _, x := range part {
			if n := len(all); n > 0 && all[n-1].flags == x.flags && uint64(all[n-1].last)+1 == uint64(x.first) {
				all[n-1].last = x.last
				continue
			}
			all = append(all, x)
		}
	}
	return all
}

// rangesOfRuns forgets the flags.
func rangesOfRuns(runs []run) uidRanges {
	var rs uidRanges
	for _, x := range runs {
		rs = rs.with(x.uidRange)
	}
	return rs
}

// flagsAt returns the flags of a message, -1 where it is not in the runs.
func flagsAt(runs []run, uid uint32) int {
	i, _ := slices.BinarySearchFunc(runs, uid, func(x run, uid uint32) int {
		if x.last < uid {
			return -1
		}
		return 1
	})
	if i == len(runs) || runs[i].first > uid {
		return -1
	}
	return runs[i].flags
}

// behind returns the numbers after uid; ok is false where there can be none.
func behind(uid uint32) (r uidRange, ok bool) {
	if uid == math.MaxUint32 {
		return r, false
	}
	return uidRange{uid + 1, math.MaxUint32}, true
}
