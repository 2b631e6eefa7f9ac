package imaptest

import (
	"context"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// quotaCommands are those of QUOTA (RFC 9208, and RFC 2087 before it).
func quotaCommands() map[string]command {
	return map[string]command{
		"GETQUOTA":     {run: quota, state: authenticated, needs: "QUOTA"},
		"GETQUOTAROOT": {run: quotaRoot, state: authenticated, needs: "QUOTA"},
		"SETQUOTA":     {run: setQuota, state: authenticated, needs: "QUOTA"},
	}
}

// quota is GETQUOTA. The one root of an account has the empty name.
func quota(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	root, err := p.astring()
	if err != nil {
		return reply{}, err
	}
	if err := p.end(); err != nil {
		return reply{}, err
	}
	if _, limit := s.account.Quota(); root != "" || limit == (mailtest.Quota{}) {
		return no("NONEXISTENT", "No such quota root"), nil
	}
	return ok("GETQUOTA completed"), s.tellQuota(s.account)
}

// quotaRoot is GETQUOTAROOT.
func quotaRoot(_ context.Context, s *session, p *parser) (reply, error) {
	names, err := p.names(1)
	if err != nil {
		return reply{}, err
	}
	f, err := s.find(names[0])
	if err != nil {
		return folderProblem(err, false), nil
	}
	w := &encoder{c: s.c}
	w.raw("* QUOTAROOT ")
	w.mailbox(f.name)
	_, limit := f.account.Quota()
	if limit == (mailtest.Quota{}) {
		w.raw("\r\n")
		return ok("GETQUOTAROOT completed"), w.err
	}
	w.raw(" \"\"\r\n")
	if w.err != nil {
		return reply{}, w.err
	}
	return ok("GETQUOTAROOT completed"), s.tellQuota(f.account)
}

// tellQuota sends what an account holds and may hold, storage in units of 1,024
// bytes and rounded up.
func (s *session) tellQuota(a *mailtest.Account) error {
	used, limit := a.Quota()
	var resources []string
	if limit.Bytes > 0 {
		resources = append(resources, fmt.Sprintf("STORAGE %d %d", (used.Bytes+1023)/1024, (limit.Bytes+1023)/1024))
	}
	if limit.Messages > 0 {
		resources = append(resources, fmt.Sprintf("MESSAGE %d %d", used.Messages, limit.Messages))
	}
	return s.untaggedf(`QUOTA "" (%s)`, strings.Join(resources, " "))
}

// setQuota is SETQUOTA, which users may not.
func setQuota(_ context.Context, s *session, p *parser) (reply, error) {
	if err := p.space(); err != nil {
		return reply{}, err
	}
	if _, err := p.astring(); err != nil {
		return reply{}, err
	}
	if err := p.space(); err != nil {
		return reply{}, err
	}
	if _, err := p.words(); err != nil {
		return reply{}, err
	}
	return no("NOPERM", "Only the administrator sets quotas"), p.end()
}
