package message

import (
	"bytes"
	"io"
	"iter"
	"strings"
)

// The bounds of what is kept of a report.
const (
	maxReported     = 1000     // recipients
	maxReportBytes  = 1 << 20  // of all parts for programs together
	maxReportText   = 64 << 10 // of the texts for people together
	maxReportValues = 100      // of a field that may occur more than once
)

// A reportCollector goes through the parts of a message for what a report is made
// of.
type reportCollector struct {
	limits *WalkOptions
	top    Header
	report Report

	outer   bool       // a multipart/report is around, or all there is
	claimed ReportKind // by the report-type of that
	fields  int        // bytes of parts for programs that were read
	parsed  bool       // a part for programs had something to say
	text    strings.Builder
	html    strings.Builder
}

// walk looks at every part outside of the message that came back.
func (c *reportCollector) walk(parts iter.Seq2[*Part, error]) {
	for p, err := range parts {
		if err != nil {
			return // the message is cut off, or its reader failed
		}
		if c.top.Len() == 0 && c.top.Raw() == nil {
			c.top = p.Header
			if !p.Multipart && reportKind(p.ContentType) == "" && !c.system() {
				return // nothing that could be in there is a report
			}
		}
		switch {
		case p.Multipart:
			c.multipart(p)
		case reportKind(p.ContentType) != "":
			c.status(p)
		case p.ContentType == "message/rfc822", p.ContentType == "message/global":
			c.returned(p)
		case p.ContentType == "text/rfc822-headers", p.ContentType == "message/rfc822-headers", p.ContentType == "message/global-headers":
			c.original(ParseHeader(c.read(p, DefaultMaxHeaderBytes)))
		case p.ContentType == "text/plain":
			c.gather(&c.text, p)
		case p.ContentType == "text/html":
			c.gather(&c.html, p)
		}
	}
}

// multipart takes note of the multipart/report. What stands before its first part
// is text that some mail systems have nowhere else.
func (c *reportCollector) multipart(p *Part) {
	if p.ContentType == "multipart/report" {
		c.outer = true
		c.claimed = reportKind("message/" + strings.ToLower(p.Params["report-type"]))
	}
	if p.Number == "" {
		c.gather(&c.text, p)
	}
}

// gather adds a text for people.
func (c *reportCollector) gather(b *strings.Builder, p *Part) {
	left := maxReportText - c.text.Len() - c.html.Len()
	if left <= 0 {
		return
	}
	text, _ := io.ReadAll(io.LimitReader(p.Text(), int64(left))) // the walk tells of errors
	addText(b, toUTF8(text))
}

// read returns the beginning of a part.
func (*reportCollector) read(p *Part, limit int) []byte {
	raw, _ := io.ReadAll(io.LimitReader(p, int64(limit))) // the walk tells of errors
	return raw
}

// returned takes the header of the message that came back.
func (c *reportCollector) returned(p *Part) {
	for inner, err := range p.Walk(c.limits) {
		if err == nil {
			c.original(inner.Header)
		}
		return
	}
}

// original keeps the first header of a message that came back.
func (c *reportCollector) original(h Header) {
	if c.report.Original.Len() == 0 {
		c.report.Original = h
	}
}

// status reads a part for programs.
func (c *reportCollector) status(p *Part) {
	raw := c.read(p, maxReportBytes-c.fields)
	c.fields += len(raw)
	c.take(reportKind(p.ContentType), raw)
}

// take reads the fields of a report: groups with empty lines between them.
func (c *reportCollector) take(kind ReportKind, raw []byte) {
	f := fieldReader{report: &c.report, kind: kind}
	for len(raw) > 0 {
		group := ParseHeader(raw)
		n := len(group.Raw())
		if n == 0 {
			n = skipGroup(raw) // words, where fields should be
		}
		f.group(group)
		raw = raw[n:]
	}
	if f.found && !c.parsed {
		c.parsed, c.report.Kind = true, kind
	}
}

// skipGroup returns the length of raw up to behind its first empty line.
func skipGroup(raw []byte) int {
	for n := 0; n < len(raw); {
		end := bytes.IndexByte(raw[n:], '\n') + 1
		if end == 0 {
			break
		}
		line := trimLineEnd(raw[n : n+end])
		if n += end; len(line) == 0 {
			return n
		}
	}
	return len(raw)
}

// result decides whether what was found is a report.
func (c *reportCollector) result() (*Report, error) {
	r := &c.report
	if c.text.Len() == 0 {
		addText(&c.text, HTMLText(c.html.String()))
	}
	words := readNotice(c.text.String())
	switch {
	case c.parsed && (c.outer || c.system() || reportKind(firstWord(c.top.Get("Content-Type"))) != ""):
		r.Certainty = CertaintyStated
	case c.parsed:
		return nil, ErrNotReport // what a person passes on
	case !c.outer && !c.system() || c.outer && c.claimed != ReportDelivery && c.claimed != "":
		if !c.outer || c.identify(words) == "" {
			return nil, ErrNotReport
		}
		r.Kind, r.Certainty = c.claimed, CertaintyMarked
	default:
		if !c.worded(words) {
			return nil, ErrNotReport
		}
	}
	r.MessageID = c.identify(words)
	return r, nil
}

// system reports whether the message is marked as one of a mail system: it has the
// null sender, or one who is such a system. People write none of that; programs
// that answer for them do, but not what mail systems write.
func (c *reportCollector) system() bool {
	if c.top.Has("X-Failed-Recipients") {
		return true
	}
	if c.top.Has("Return-Path") && strings.Trim(c.top.Get("Return-Path"), "<> \t") == "" {
		return true
	}
	for _, a := range c.top.From() {
		if isDaemon(localPart(a.Address)) {
			return true
		}
	}
	name := strings.ReplaceAll(firstWords(c.top.Get("From")), " ", "-")
	return isDaemon(name) // without an address, as "MAILER DAEMON <>"
}

// firstWords returns what stands before an address that is in angle brackets, in
// lower case.
func firstWords(from string) string {
	from, _, _ = strings.Cut(from, "<")
	return strings.ToLower(strings.Trim(from, " \t\""))
}

// worded reads a bounce without a part for programs.
func (c *reportCollector) worded(n notice) bool {
	r := &c.report
	r.Kind, r.Certainty = ReportDelivery, n.certainty
	if n.fields != "" {
		c.take(ReportDelivery, []byte(n.fields))
	}
	if len(r.Recipients) == 0 {
		r.Recipients, r.More, r.ReportingMTA = n.recipients, n.more, n.host
	}
	for value := range c.top.Values("X-Failed-Recipients") {
		r.Certainty = CertaintyMarked
		for _, a := range appendAddresses(nil, value) {
			if _, ok := r.Recipient(a.Address); !ok {
				r.add(ReportedRecipient{Final: a.Address, Action: ActionFailed})
			}
		}
	}
	if r.Original.Len() == 0 && n.original.Has("From") {
		r.Original = n.original
	}
	if r.Certainty == "" || c.outer && c.claimed == ReportDelivery {
		r.Certainty = CertaintyMarked
	}
	return len(r.Recipients) > 0 || c.outer && c.claimed == ReportDelivery && c.identify(n) != ""
}

// identify returns the Message-ID of the message that is reported on.
func (c *reportCollector) identify(n notice) string {
	if c.report.MessageID != "" {
		return c.report.MessageID
	}
	if id := c.report.Original.MessageID(); id != "" {
		return id
	}
	if n.messageID != "" {
		return n.messageID
	}
	if ids := c.top.InReplyTo(); len(ids) > 0 {
		return ids[0]
	}
	if ids := c.top.References(); len(ids) > 0 {
		return ids[len(ids)-1]
	}
	return ""
}

// add keeps a recipient, unless there are very many already.
func (r *Report) add(rcpt ReportedRecipient) {
	if len(r.Recipients) == maxReported {
		r.More++
		return
	}
	r.Recipients = append(r.Recipients, rcpt)
}
