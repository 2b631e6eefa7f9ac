package imaptest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// state is how far a session has come (RFC 3501, section 3).
type state int

const (
	connected state = iota // not authenticated
	authenticated
	selected
)

// command is one command that the server knows.
type command struct {
	state state  // the least state that it is valid in
	needs string // the capability that it comes with, "" for IMAP4rev1
	early bool   // valid only before authentication
	// whole is whether message numbers keep their meaning until the command is
	// done, so that no EXPUNGE is sent with it (RFC 3501, section 7.4.1).
	whole bool
	run   func(ctx context.Context, s *session, p *parser) (reply, error)
}

// known returns the commands by name. Each family of commands is in a file of
// its own.
func (s *Server) known() map[string]command {
	all := make(map[string]command)
	for _, family := range []map[string]command{
		generalCommands(), authCommands(), listCommands(), folderCommands(), selectCommands(),
		fetchCommands(), searchCommands(), storeCommands(), copyCommands(), appendCommands(), idleCommands(),
		quotaCommands(), compressCommands(), notifyCommands(),
	} {
		for name, c := range family {
			if c.needs == "" || s.offers(c.needs) {
				all[name] = c
			}
		}
	}
	return all
}

// reply is the end of the answer to a command.
type reply struct {
	kind string // "OK", "NO" or "BAD"; "" where no tagged line is due yet
	code string // the response code without brackets, or ""
	text string
}

func ok(text string) reply { return reply{kind: "OK", text: text} }

func okCode(code, text string) reply { return reply{kind: "OK", code: code, text: text} }

func no(code, text string) reply { return reply{kind: "NO", code: code, text: text} }

func bad(text string) reply { return reply{kind: "BAD", text: text} }

// String returns the reply without a tag and a line end.
func (r reply) String() string {
	if r.code != "" {
		return r.kind + " [" + r.code + "] " + r.text
	}
	return r.kind + " " + r.text
}

// folderProblem turns an error of mailtest into a NO; create says that the
// command would work if the folder were made first.
func folderProblem(err error, create bool) reply {
	switch {
	case errors.Is(err, mailtest.ErrNoFolder) && create:
		return no("TRYCREATE", "Mailbox does not exist")
	case errors.Is(err, mailtest.ErrNoFolder):
		return no("", "Mailbox does not exist")
	case errors.Is(err, mailtest.ErrOverQuota):
		return no("OVERQUOTA", "Quota exceeded")
	case errors.Is(err, mailtest.ErrFolderExists):
		return no("", "Mailbox exists already")
	default:
		return no("", "Mailbox name not allowed")
	}
}

// execute carries out one command and answers it. Errors end the connection.
func (s *session) execute(ctx context.Context, in input) error {
	s.tag, s.name = in.tag, in.name
	return s.answer(in.name, in.line, func(refuse bool) (reply, error) {
		c, known := s.server.commands[in.name]
		switch {
		case !known:
			return bad("Unknown command"), nil
		case c.early && s.account != nil:
			return bad("Already authenticated"), nil
		case c.state > connected && s.account == nil:
			return bad("Not authenticated"), nil
		case c.state > authenticated && s.view == nil:
			return bad("No mailbox selected"), nil
		}
		s.refuse = refuse
		if refuse && !c.early {
			return no("", in.name+" refused"), nil
		}
		if c.state == selected {
			// What the client's numbers meant may be gone.
			if _, err := s.changes(); err != nil {
				return reply{}, err
			}
		}
		r, err := c.run(ctx, s, &parser{b: in.args})
		if syntax, is := errors.AsType[syntaxError](err); is {
			r, err = bad(syntax.Error()), nil
		}
		if name, is := errors.AsType[nameError](err); is {
			r, err = no("CANNOT", name.Error()), nil
		}
		if err == nil && s.view != nil && (in.name != "IDLE" || s.tellsSelected()) {
			err = s.sync(!c.whole, strings.HasPrefix(in.name, "UID "))
		}
		if err == nil {
			err = s.tellOthers(false)
		}
		return r, err
	})
}

// answer gives the answer to one command, or what its fault wants instead.
func (s *session) answer(name, line string, do func(refuse bool) (reply, error)) error {
	verdict, err := s.c.Begin(name, line)
	if err != nil {
		return err
	}
	switch {
	case verdict.Reply != "":
		_, err = s.c.WriteString(tagged(s.tag, verdict.Reply))
	case verdict.Ignore:
	case verdict.Expire:
		err = s.bye("Session invalidated - AccessTokenExpired")
	default:
		var r reply
		if r, err = do(verdict.Refuse); err == nil && r.kind != "" {
			_, err = s.c.WriteString(s.tag + " " + r.String() + "\r\n")
		} else if err == nil {
			return nil // the answer goes on
		}
	}
	if errors.Is(err, errBye) {
		_ = s.c.End()
		return err
	}
	if err != nil {
		return err
	}
	return s.c.End()
}

// tagged puts the tag before the last line of a fault's reply, unless that says
// itself what it is.
func tagged(tag, lines string) string {
	i := strings.LastIndex(lines, "\r\n") + 1
	if i > 0 {
		i++
	}
	if tail := lines[i:]; !strings.HasPrefix(tail, "* ") && !strings.HasPrefix(tail, "+ ") {
		lines = lines[:i] + tag + " " + tail
	}
	return lines + "\r\n"
}

// errBye ends a connection after an untagged BYE that has been written.
var errBye = errors.New("imaptest: said BYE")

// bye says BYE. It always fails.
func (s *session) bye(text string) error {
	if err := s.untagged(reply{kind: "BYE", text: text}.String()); err != nil {
		return err
	}
	return errBye
}

// untagged writes one untagged line.
func (s *session) untagged(text string) error {
	_, err := s.c.WriteString("* " + text + "\r\n")
	return err
}

func (s *session) untaggedf(format string, args ...any) error {
	return s.untagged(fmt.Sprintf(format, args...))
}
