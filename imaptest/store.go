package imaptest

import (
	"context"
	"strings"
)

// storeCommands are those that change flags.
func storeCommands() map[string]command {
	return map[string]command{
		"STORE":     {run: store, state: selected, whole: true},
		"UID STORE": {run: store, state: selected},
	}
}

// store is STORE and UID STORE.
func store(_ context.Context, s *session, p *parser) (reply, error) {
	byUID := s.byUID()
	picked, err := s.picked(p, byUID)
	if err != nil {
		return reply{}, err
	}
	change, silent, flags, err := p.storeItem()
	if err != nil {
		return reply{}, err
	}
	if s.view.readOnly {
		return readOnly(), nil
	}
	missing := false
	for _, i := range picked {
		if s.load(i) == nil {
			missing = true
			continue
		}
		uid := s.view.entries[i].uid
		switch change {
		case '+':
			err = s.account.AddFlags(s.view.name, flags, uid)
		case '-':
			err = s.account.RemoveFlags(s.view.name, flags, uid)
		default:
			err = s.account.SetFlags(s.view.name, flags, uid)
		}
		if err != nil {
			return folderProblem(err, false), nil
		}
		if err := s.tellStored(i, silent, byUID); err != nil {
			return reply{}, err
		}
	}
	if missing {
		return no("EXPUNGEISSUED", "Some messages were expunged already"), nil
	}
	return ok(s.name + " completed"), nil
}

// tellStored sends the flags after a change, or only remembers that the client
// knows them.
func (s *session) tellStored(i int, silent, byUID bool) error {
	l := s.load(i)
	if l == nil {
		return nil
	}
	if silent {
		s.view.entries[i].modSeq = l.ModSeq
		return nil
	}
	return s.tellFlags(&l.Message, byUID)
}

// storeItem reads what to do with which flags; change is '+', '-' or 0.
func (p *parser) storeItem() (change byte, silent bool, flags []string, err error) {
	if err := p.space(); err != nil {
		return 0, false, nil, err
	}
	if c := p.peek(); c == '+' || c == '-' {
		change = c
		p.i++
	}
	word, err := p.word()
	if err != nil {
		return 0, false, nil, err
	}
	name, silent := strings.CutSuffix(word, ".SILENT")
	if name != "FLAGS" {
		return 0, false, nil, syntaxError("unknown store item " + word)
	}
	if err := p.space(); err != nil {
		return 0, false, nil, err
	}
	if p.peek() == '(' {
		flags, err = p.flags()
	} else {
		flags, err = p.bareFlags()
	}
	if err != nil {
		return 0, false, nil, err
	}
	return change, silent, flags, p.end()
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
