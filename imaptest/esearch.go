package imaptest

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// result is what a search is to tell: everything found, or what RETURN asks for
// (RFC 4731, and RFC 9394 for PARTIAL).
type result struct {
	extended             bool
	min, max, all, count bool
	partial              span   // the places in the list of results, from 1 or from the end
	partialText          string // the places as they are told, "" for none
	modSeq               bool   // whether the change counter is to be told
	found                []found
	tag                  string
	byUID                bool
}

// found is one message that a search found.
type found struct {
	number mailtest.UID // the UID, or the message number
	modSeq uint64
}

// searchReturn reads RETURN and its options, if they are there.
func (s *session) searchReturn(p *parser) (result, error) {
	r := result{tag: s.tag, byUID: s.byUID()}
	const key = "RETURN "
	rest := p.b[p.i:]
	if !s.server.offers("ESEARCH") || len(rest) < len(key) || !strings.EqualFold(string(rest[:len(key)]), key) {
		return r, nil
	}
	p.i += len(key)
	r.extended = true
	if err := p.list(func() error { return s.returnOption(p, &r) }); err != nil {
		return r, err
	}
	if !r.min && !r.max && !r.count && r.partialText == "" {
		r.all = true
	}
	return r, p.space()
}

func (s *session) returnOption(p *parser, r *result) error {
	word, err := p.word()
	if err != nil {
		return err
	}
	switch {
	case word == "MIN":
		r.min = true
	case word == "MAX":
		r.max = true
	case word == "ALL":
		r.all = true
	case word == "COUNT":
		r.count = true
	case word == "PARTIAL" && (s.server.offers("PARTIAL") || s.server.offers("CONTEXT=SEARCH")):
		return r.parsePartial(p)
	default:
		return syntaxError("unknown search return option " + word)
	}
	return nil
}

// parsePartial reads two places in the list of results. Negative ones count from
// its end.
func (r *result) parsePartial(p *parser) error {
	if err := p.space(); err != nil {
		return err
	}
	start := p.i
	var ends [2]int64
	for i := range ends {
		if i > 0 {
			if err := p.expect(':'); err != nil {
				return err
			}
		}
		sign := int64(1)
		if p.accept('-') {
			sign = -1
		}
		n, err := p.number()
		if err != nil {
			return err
		}
		ends[i] = sign * int64(n)
	}
	if ends[0] == 0 || ends[1] == 0 || ends[0] < 0 != (ends[1] < 0) {
		return syntaxError("a partial range has two ends of one sign")
	}
	r.partial = span{min(ends[0], ends[1]), max(ends[0], ends[1])}
	r.partialText = string(p.b[start:p.i])
	if ends[0] > 0 {
		r.partialText = fmt.Sprintf("%d:%d", r.partial.from, r.partial.to)
	}
	return nil
}

// String returns the untagged response without its star. The change counter is
// the highest of the messages that are told of (RFC 7162, section 3.1.10).
func (r *result) String() string {
	if !r.extended {
		return r.plain()
	}
	told := r.found
	if !r.all && !r.count && r.partialText == "" {
		told = r.ends()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "ESEARCH (TAG %q)", r.tag)
	if r.byUID {
		b.WriteString(" UID")
	}
	if n := len(r.found); n > 0 {
		if r.min {
			fmt.Fprintf(&b, " MIN %d", r.found[0].number)
		}
		if r.max {
			fmt.Fprintf(&b, " MAX %d", r.found[n-1].number)
		}
		if r.all {
			b.WriteString(" ALL " + numberSet(r.found))
		}
	}
	if r.count {
		fmt.Fprintf(&b, " COUNT %d", len(r.found))
	}
	if r.partialText != "" {
		fmt.Fprintf(&b, " PARTIAL (%s %s)", r.partialText, r.page())
	}
	if r.modSeq && len(told) > 0 {
		fmt.Fprintf(&b, " MODSEQ %d", highestOf(told))
	}
	return b.String()
}

// plain returns the response of a SEARCH without RETURN.
func (r *result) plain() string {
	var b strings.Builder
	b.WriteString("SEARCH")
	for _, f := range r.found {
		b.WriteString(" " + strconv.FormatUint(uint64(f.number), 10))
	}
	if r.modSeq && len(r.found) > 0 {
		fmt.Fprintf(&b, " (MODSEQ %d)", highestOf(r.found))
	}
	return b.String()
}

// ends returns the results that MIN and MAX tell.
func (r *result) ends() []found {
	var told []found
	if n := len(r.found); n > 0 {
		if r.min {
			told = append(told, r.found[0])
		}
		if r.max {
			told = append(told, r.found[n-1])
		}
	}
	return told
}

// page returns the part of the results that PARTIAL asks for, NIL for none.
func (r *result) page() string {
	n := int64(len(r.found))
	from, to := r.partial.from, r.partial.to
	if from < 0 {
		from, to = n+1+from, n+1+to
	}
	from, to = max(from, 1), min(to, n)
	if from > to {
		return "NIL"
	}
	return numberSet(r.found[from-1 : to])
}

func numberSet(list []found) string {
	numbers := make([]mailtest.UID, 0, len(list))
	for _, f := range list {
		numbers = append(numbers, f.number)
	}
	return uidSet(numbers)
}

func highestOf(list []found) uint64 {
	return slices.MaxFunc(list, func(x, y found) int { return cmp.Compare(x.modSeq, y.modSeq) }).modSeq
}

// changed reads the key MODSEQ (RFC 7162, section 3.1.5). The server keeps one
// counter a message, so the name of a flag makes no difference.
func (k *keys) changed() (test, error) {
	if k.view.noModSeq {
		return nil, errNoModSeq
	}
	if err := k.space(); err != nil {
		return nil, err
	}
	if k.peek() == '"' {
		if _, err := k.quoted(); err != nil {
			return nil, err
		}
		if err := k.space(); err != nil {
			return nil, err
		}
		if kind, err := k.word(); err != nil || kind != "ALL" && kind != "PRIV" && kind != "SHARED" {
			return nil, k.wants("all, priv or shared")
		}
		if err := k.space(); err != nil {
			return nil, err
		}
	}
	since, err := k.number64()
	k.modSeq = true
	return func(l *loaded) bool { return l.ModSeq >= since }, err
}
