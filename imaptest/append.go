package imaptest

import (
	"context"
	"fmt"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// appendCommands are those that bring messages.
func appendCommands() map[string]command {
	return map[string]command{"APPEND": {run: appendMessage, state: authenticated}}
}

func appendMessage(_ context.Context, s *session, p *parser) (reply, error) {
	name, o, err := p.appendArguments()
	if err != nil {
		return reply{}, err
	}
	if p.peek() != '{' {
		return reply{}, p.wants("a literal")
	}
	raw, err := p.literal()
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	to, err := s.find(name)
	if err != nil {
		return folderProblem(err, true), nil
	}
	if raw == "" {
		return no("", "Message is empty"), nil
	}
	uid, err := to.account.Append(to.folder.Name, raw, &o)
	if err != nil {
		return folderProblem(err, true), nil
	}
	if !s.server.offers("UIDPLUS") {
		return ok("APPEND completed"), nil
	}
	return okCode(fmt.Sprintf("APPENDUID %d %d", to.folder.UIDValidity, uid), "APPEND completed"), nil
}

// appendArguments reads what stands before the message.
func (p *parser) appendArguments() (name string, o mailtest.AppendOptions, err error) {
	if err := p.space(); err != nil {
		return "", o, err
	}
	if name, err = p.mailbox(); err != nil {
		return "", o, err
	}
	if err := p.space(); err != nil {
		return "", o, err
	}
	if p.peek() == '(' {
		if o.Flags, err = p.flags(); err != nil {
			return "", o, err
		}
		if err := p.space(); err != nil {
			return "", o, err
		}
	}
	if p.peek() == '"' {
		text, err := p.quoted()
		if err != nil {
			return "", o, err
		}
		if o.Received, err = time.Parse(internalDate, text); err != nil || len(text) != len(internalDate) {
			return "", o, syntaxError(`a date-time looks like " 1-Feb-2024 10:20:30 +0000"`)
		}
		if err := p.space(); err != nil {
			return "", o, err
		}
	}
	return name, o, nil
}
