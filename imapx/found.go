package imapx

import (
	"fmt"
	"slices"
	"strings"
)

// maxFound bounds how many messages a search may name: sets are short however
// many they name.
const maxFound = 10_000_000

// searchUIDs carries out a search command and returns the numbers of the
// messages that match, ascending.
func (c *conn) searchUIDs(words string) ([]uint32, error) {
	var uids []uint32
	err := c.run("search", words, func(name string, sc *scanner) error {
		more, err := scanFound(name, sc, maxFound-len(uids))
		if err != nil {
			return fmt.Errorf("%s: search: %w", c.address, err)
		}
		uids = append(uids, more...)
		return nil
	})
	slices.Sort(uids)
	return slices.Compact(uids), err
}

// scanFound reads the answer to a search, of either kind: the numbers one by
// one, or as a set (RFC 9051 section 7.3.4).
func scanFound(name string, sc *scanner, limit int) ([]uint32, error) {
	switch name {
	case "SEARCH":
		return scanSearch(sc, limit)
	case "ESEARCH":
		return scanESearch(sc, limit)
	}
	return nil, nil
}

func scanSearch(sc *scanner, limit int) (uids []uint32, err error) {
	for sc.peek() != atEnd && sc.peek() != '(' { // a list of MODSEQ may follow
		n, err := sc.number()
		if err != nil {
			return nil, err
		}
		if len(uids) == limit {
			return nil, fmt.Errorf("%w: %d messages", errTooLarge, maxFound)
		}
		if n > 0 && n <= 1<<32-1 {
			uids = append(uids, uint32(n))
		}
	}
	return uids, nil
}

// scanESearch takes a set of UIDs alone: as numbers of the other kind they would
// be those of other messages.
func scanESearch(sc *scanner, limit int) (uids []uint32, err error) {
	if sc.peek() == '(' { // the tag; one command is under way at a time
		if err := sc.skip(); err != nil {
			return nil, err
		}
	}
	byUID := false
	for sc.peek() != atEnd {
		switch name := strings.ToUpper(string(sc.name())); name {
		case "":
			return nil, sc.malformed("an item's name")
		case "UID":
			byUID = true
		case "ALL":
			if !byUID {
				return nil, sc.malformed("UID ahead of a set of UIDs")
			}
			sc.peek()
			set, ok := parseSet(string(sc.name()), limit)
			if !ok {
				return nil, sc.malformed(fmt.Sprintf("a set of at most %d numbers", limit))
			}
			uids = set
		default:
			if err := sc.skip(); err != nil {
				return nil, err
			}
		}
	}
	return uids, nil
}
