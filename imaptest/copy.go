package imaptest

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// copyCommands are those that put messages into other folders.
func copyCommands() map[string]command {
	return map[string]command{
		"COPY":     {run: transfer, state: selected},
		"UID COPY": {run: transfer, state: selected},
		"MOVE":     {run: transfer, state: selected, needs: "MOVE"},
		"UID MOVE": {run: transfer, state: selected, needs: "MOVE"},
	}
}

// transfer is COPY and MOVE (RFC 6851), each also by UID.
func transfer(_ context.Context, s *session, p *parser) (reply, error) {
	_, picked, err := s.picked(p, s.byUID())
	if err != nil {
		return reply{}, err
	}
	names, err := p.names(1)
	if err != nil {
		return reply{}, err
	}
	to, err := s.find(names[0])
	if err != nil {
		return folderProblem(err, true), nil
	}
	move := strings.HasSuffix(s.name, "MOVE")
	do := s.view.account.CopyTo
	if move {
		do = s.view.account.MoveTo
	}
	if move && s.view.readOnly {
		return readOnly(), nil
	}
	done, err := do(s.view.name, to.account, to.folder.Name, s.view.uids(picked)...)
	if err != nil {
		return folderProblem(err, true), nil
	}
	return s.transferred(to.folder, done, move)
}

// transferred tells which UIDs the messages got (RFC 4315, section 3): with the
// tagged line for COPY, ahead of the expunges for MOVE.
func (s *session) transferred(target mailtest.Folder, done []mailtest.Transferred, move bool) (reply, error) {
	code := ""
	if len(done) > 0 && s.server.offers("UIDPLUS") {
		var from, to []mailtest.UID
		for _, t := range done {
			from, to = append(from, t.From), append(to, t.To)
		}
		code = fmt.Sprintf("COPYUID %d %s %s", target.UIDValidity, uidSet(from), uidSet(to))
	}
	if move && code != "" {
		return ok(s.name + " completed"), s.untagged(okCode(code, "Moved").String())
	}
	return okCode(code, s.name+" completed"), nil
}
