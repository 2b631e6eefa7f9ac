package imaptest

import (
	"context"
	"math"
	"slices"
	"strings"
)

// storeCommands are those that change flags.
func storeCommands() map[string]command {
	return map[string]command{
		"STORE":     {run: store, state: selected, whole: true},
		"UID STORE": {run: store, state: selected},
	}
}

// change is what STORE does with flags.
type change struct {
	sign   byte // '+', '-' or 0
	labels bool // whether it is about X-GM-LABELS
	silent bool
	flags  []string
	since  uint64 // refused where the message changed after that
}

// apply returns what becomes of a message's flags.
func (c *change) apply(flags []string) []string {
	named := func(f string) bool {
		return slices.ContainsFunc(c.flags, func(g string) bool { return strings.EqualFold(f, g) })
	}
	switch c.sign {
	case '+':
		return append(flags, c.flags...)
	case '-':
		return slices.DeleteFunc(flags, named)
	default:
		return c.flags
	}
}

// store is STORE and UID STORE.
func store(_ context.Context, s *session, p *parser) (reply, error) {
	_, picked, err := s.picked(p, s.byUID())
	if err != nil {
		return reply{}, err
	}
	since, err := s.unchangedSince(p)
	if err != nil {
		return reply{}, err
	}
	c, err := s.storeItem(p)
	if err != nil {
		return reply{}, err
	}
	c.since = since
	if s.view.readOnly {
		return readOnly(), nil
	}
	if since != math.MaxUint64 {
		if err := s.enableCondstore(); err != nil {
			return reply{}, err
		}
	}
	if c.labels {
		return s.storeLabels(picked, &c)
	}
	return s.storeAll(picked, &c)
}

// storeAll changes the messages at the indexes of the view, one by one.
func (s *session) storeAll(picked []int, c *change) (reply, error) {
	var missing bool
	var refused []int
	for _, i := range picked {
		if s.load(i) == nil {
			missing = true
			continue
		}
		changed, err := s.view.account.ChangeFlags(s.view.name, s.view.uids([]int{i}), c.since, c.apply)
		if err != nil {
			return folderProblem(err, false), nil
		}
		if len(changed) > 0 {
			refused = append(refused, i)
			continue
		}
		if err := s.tellStored(i, c); err != nil {
			return reply{}, err
		}
	}
	if missing {
		return no("EXPUNGEISSUED", "Some messages were expunged already"), nil
	}
	return okCode(s.modified(refused), s.name+" completed"), nil
}

// tellStored sends the flags after a change, or only remembers that the client
// knows them. The change counter is told to those who asked for it, even where
// they want no flags (RFC 7162, section 3.1.3).
func (s *session) tellStored(i int, c *change) error {
	l := s.load(i)
	if l == nil {
		return nil
	}
	if !c.silent {
		return s.tellFlags(&l.Message, s.byUID())
	}
	s.view.entries[i].modSeq = l.ModSeq
	if !s.tellsModSeq() {
		return nil
	}
	return s.untaggedf("%d FETCH (UID %d MODSEQ (%d))", i+1, l.UID, l.ModSeq)
}

// storeItem reads what to do with which flags.
func (s *session) storeItem(p *parser) (c change, err error) {
	if err := p.space(); err != nil {
		return c, err
	}
	if sign := p.peek(); sign == '+' || sign == '-' {
		c.sign = sign
		p.i++
	}
	word, err := p.word()
	if err != nil {
		return c, err
	}
	name, silent := strings.CutSuffix(word, ".SILENT")
	c.silent = silent
	c.labels = name == "X-GM-LABELS" && s.server.offers(gmail)
	if name != "FLAGS" && !c.labels {
		return c, syntaxError("unknown store item " + word)
	}
	if err := p.space(); err != nil {
		return c, err
	}
	switch {
	case c.labels:
		c.flags, err = p.labelList()
	case p.peek() == '(':
		c.flags, err = p.flags()
	default:
		c.flags, err = p.bareFlags()
	}
	if err != nil {
		return c, err
	}
	return c, p.end()
}

// bareFlags reads flags that stand without parentheses.
func (p *parser) bareFlags() ([]string, error) {
	var flags []string
	for {
		f, err := p.flag()
		if err != nil {
			return nil, err
		}
		flags = append(flags, f)
		if !p.accept(' ') {
			return flags, nil
		}
	}
}
