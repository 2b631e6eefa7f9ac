package pop3x

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// why POP3 decides nothing.
const whyLocal = "POP3 cannot search"

// plan is how a query is carried out.
type plan struct {
	match.Division
	local *match.Matcher // nil where every message matches
	reads session.Reads
}

// whole reports whether messages have to be read as a whole to be compared.
func (p *plan) whole() bool { return p.reads.Body || p.reads.Fields&session.FieldStructure != 0 }

// read reads what a message has to be compared by. It is nil where that is in
// the summary.
func (p *plan) read(m *session.Message, r io.Reader) (body *message.Message, err error) {
	if p.reads.Body {
		return message.Parse(r, nil)
	}
	m.Structure, err = message.ReadStructure(r)
	return nil, err
}

// plan divides a query, of which the server can decide nothing.
func (c *Client) plan(q session.Query) (*plan, error) {
	var flag string
	p := &plan{}
	p.Division = match.Divide(q.Where, func(f session.Filter) (session.Filter, match.Ability, string) {
		if word := flagOf(f, c.opts.Store != nil); word != "" {
			flag = word
		}
		return f, match.Nothing, whyLocal
	})
	if flag != "" {
		return nil, fmt.Errorf("pop3: search: %s: POP3 keeps no flag: %w", flag, errors.ErrUnsupported)
	}
	var err error
	if p.local, err = p.Matcher(); err != nil {
		return nil, fmt.Errorf("pop3: search: %w", err)
	}
	p.reads = p.local.Reads()
	return p, nil
}

// flagOf returns the word of a condition about a flag that is nowhere kept.
func flagOf(f session.Filter, seen bool) string {
	if f.Not != nil {
		f = *f.Not
	}
	switch {
	case f.Unread != session.Any && !seen:
		return "unread"
	case f.Flagged != session.Any:
		return "flagged"
	case f.Answered != session.Any:
		return "answered"
	case f.Draft != session.Any:
		return "draft"
	case f.Deleted != session.Any:
		return "deleted"
	case f.Keyword != "" && (!seen || !strings.EqualFold(string(f.Keyword), string(session.Seen))):
		return "keyword"
	}
	return ""
}

// checkQuery refuses what cannot be carried out here.
func (c *Client) checkQuery(q session.Query) (*plan, error) {
	if err := cmp.Or(q.Check(), checkFolder(q.Folder)); err != nil {
		return nil, err
	}
	return c.plan(q)
}

// Explain implements [session.Explainer]. It does no I/O.
func (c *Client) Explain(_ context.Context, q session.Query) (session.Plan, error) {
	p, err := c.checkQuery(q)
	if err != nil {
		return session.Plan{}, err
	}
	told := session.Plan{
		Backend: backendName, Server: p.Server, Local: p.Local, Reads: p.reads, Why: p.Why,
		Commands: []string{opStat, opUIDL, opList},
	}
	if needsHeader(cmp.Or(q.Fields, session.FieldsAll), p.reads) {
		told.Commands = append(told.Commands, "TOP n 0")
	}
	if q.Fields&session.FieldPreview != 0 {
		told.Commands = append(told.Commands, "TOP n "+previewLines)
	}
	if p.whole() || q.Fields&session.FieldStructure != 0 {
		told.Commands = append(told.Commands, "RETR n")
	}
	if p.local != nil {
		told.ScanLimit = max(match.ScanLimit(q), 0)
	}
	return told, nil
}

// needsHeader reports whether a header has to be fetched for the fields of a
// summary, and for what it is compared with.
func needsHeader(fields session.Fields, reads session.Reads) bool {
	return (fields|reads.Fields)&(session.FieldHeader|session.FieldReceived) != 0 || reads.WholeHeader
}
