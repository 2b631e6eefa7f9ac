package message

import (
	"io"

	"github.com/jhillyerd/enmime/v2"
)

// ParseCounting is Parse, and returns how often it has called enmime.
func ParseCounting(r io.Reader, opts *ParseOptions) (*Message, int, error) {
	calls := 0
	m, err := parse(r, opts.withDefaults(), &builder{readLeaf: func(part io.Reader) (*enmime.Part, error) {
		calls++
		return readLeaf(part)
	}})
	return m, calls, err
}

// SplitWork returns how many bytes are looked at to find the parts of raw.
func SplitWork(raw []byte) int64 {
	s := &splitter{in: wholeWindow(raw), limits: (*WalkOptions)(nil).limits(), report: func(*node, Defect, bool) {}}
	for {
		if _, err := s.next(); err != nil {
			return s.work
		}
	}
}

// Printable returns text in quoted-printable.
func Printable(text string) string { return string(appendPrintable(nil, canonical(text))) }
