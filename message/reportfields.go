package message

import (
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A fieldReader reads the fields of a report, group by group. Which group is
// about a recipient is told by its fields: where there are too many empty lines,
// or none, the place does not tell.
type fieldReader struct {
	report *Report
	kind   ReportKind
	found  bool // something that a report says
}

// group reads the fields up to an empty line.
func (f *fieldReader) group(h Header) {
	f.message(h)
	switch f.kind {
	case ReportDelivery:
		f.recipients(h)
	case ReportDisposition:
		f.disposition(h)
	case ReportFeedback:
		f.complaint(h)
	}
}

// message reads what is said of the message as a whole.
func (f *fieldReader) message(h Header) {
	r := f.report
	set(&r.EnvelopeID, plainValue(h.Get("Original-Envelope-Id")))
	set(&r.ReportingMTA, typed(h.Get("Reporting-MTA")))
	set(&r.ReceivedFrom, typed(h.Get("Received-From-MTA")))
	set(&r.UserAgent, oneLine(h.Text("Reporting-UA")))
	set(&r.UserAgent, oneLine(h.Text("User-Agent")))
	if ids := parseIDs(h.Get("Original-Message-Id"), 1); len(ids) > 0 {
		set(&r.MessageID, ids[0])
	}
	for _, name := range []string{"Arrival-Date", "Received-Date"} {
		if t, ok := parseDate(h.Get(name)); ok && r.Arrived.IsZero() {
			r.Arrived = t
		}
	}
	f.found = f.found || r.ReportingMTA != "" && f.kind == ReportDelivery
}

// set fills in what is not known yet.
func set(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// recipients reads a group of a report of delivery. Some mail systems put no
// empty line between recipients: a field that comes again is of the next.
func (f *fieldReader) recipients(h Header) {
	var rcpt ReportedRecipient
	var seen string
	flush := func() {
		if seen != "" {
			f.deliver(rcpt)
		}
		rcpt, seen = ReportedRecipient{}, ""
	}
	for name, value := range h.Fields() {
		name = strings.ToLower(name)
		if !recipientField(name) {
			continue
		}
		if mark := "\n" + name + "\n"; strings.Contains(seen, mark) {
			flush()
			seen = mark
		} else {
			seen += mark
		}
		rcpt.field(name, value)
	}
	flush()
}

// recipientField reports whether a field is about one recipient (RFC 3464 section
// 2.3).
func recipientField(name string) bool {
	switch name {
	case "original-recipient", "final-recipient", "action", "status", "remote-mta", "diagnostic-code", "last-attempt-date",
		"final-log-id", "will-retry-until":
		return true
	}
	return false
}

// field reads one field about a recipient.
func (r *ReportedRecipient) field(name, value string) {
	switch name {
	case "original-recipient":
		r.Original = reportedAddress(value)
	case "final-recipient":
		r.Final = reportedAddress(value)
	case "action":
		r.Action = parseAction(value)
	case "status":
		r.Status, _ = ParseStatusCode(value)
	case "remote-mta":
		r.RemoteMTA = typed(value)
	case "diagnostic-code":
		r.DiagnosticType, r.Diagnostic = diagnostic(value)
	case "last-attempt-date":
		r.LastAttempt, _ = parseDate(value)
	case "will-retry-until":
		r.RetryUntil, _ = parseDate(value)
	case "final-log-id":
		r.LogID = plainValue(value)
	}
}

// deliver keeps a recipient of a report of delivery. A group without an address
// goes on with the one before, if that has neither action nor status.
func (f *fieldReader) deliver(rcpt ReportedRecipient) {
	list := f.report.Recipients
	if n := len(list); rcpt.Address() == "" && n > 0 && list[n-1].Action == "" && list[n-1].Status.IsZero() {
		last := list[n-1]
		rcpt.Original, rcpt.Final = last.Original, last.Final
		f.report.Recipients = list[:n-1]
	}
	if rcpt.Address() == "" && rcpt.Action == "" && rcpt.Status.IsZero() {
		return
	}
	rcpt.complete()
	f.report.add(rcpt)
	f.found = true
}

// complete fills in a status and an action that are missing from what is there.
func (r *ReportedRecipient) complete() {
	if r.Status.IsZero() {
		r.Status = findStatusCode(r.Diagnostic)
	}
	if r.Status.IsZero() && r.DiagnosticType == "smtp" {
		if code, ok := replyCode(r.Diagnostic); ok {
			r.Status = StatusCode{Class: code / 100}
		}
	}
	if r.Action != "" {
		return
	}
	switch r.Status.Class {
	case 2:
		r.Action = ActionDelivered
	case 4:
		r.Action = ActionDelayed
	case 5:
		r.Action = ActionFailed
	}
}

// replyCode returns the code of an SMTP reply that tells success or failure.
func replyCode(s string) (int, bool) {
	if len(s) < 3 || len(s) > 3 && isDigit(s[3]) {
		return 0, false
	}
	code, ok := number(s[:3])
	return code, ok && (code/100 == 2 || code/100 == 4 || code/100 == 5)
}

// parseAction reads an Action (RFC 3464 section 2.3.3).
func parseAction(value string) Action {
	switch a := Action(strings.Trim(firstWord(value), ".,")); a {
	case ActionFailed, ActionDelayed, ActionDelivered, ActionRelayed, ActionExpanded:
		return a
	case "failure", "fail", "bounced", "undeliverable":
		return ActionFailed
	case "delay", "deferred":
		return ActionDelayed
	}
	return ""
}

// disposition reads a read receipt (RFC 8098 section 3.2).
func (f *fieldReader) disposition(h Header) {
	if !h.Has("Disposition") && !h.Has("Final-Recipient") && !h.Has("Original-Recipient") {
		return
	}
	rcpt := ReportedRecipient{
		Original: reportedAddress(h.Get("Original-Recipient")), Final: reportedAddress(h.Get("Final-Recipient")),
		Disposition: parseDisposed(h.Get("Disposition")),
	}
	for _, name := range []string{"Error", "Failure", "Warning"} {
		set(&rcpt.Diagnostic, oneLine(h.Text(name)))
	}
	f.report.add(rcpt)
	f.found = true
}

// parseDisposed reads "manual-action/MDN-sent-manually; displayed/error".
func parseDisposed(value string) Disposition {
	mode, what, ok := strings.Cut(strings.ToLower(value), ";")
	if !ok {
		mode, what = "", mode
	}
	kind, modifiers, _ := strings.Cut(what, "/")
	d := Disposition{
		Type: firstWord(kind), Automatic: strings.Contains(mode, "automatic-action"),
		SentAutomatically: strings.Contains(mode, "mdn-sent-automatically"),
	}
	for m := range strings.SplitSeq(modifiers, ",") {
		if m = oneLine(strings.TrimSpace(m)); m != "" && len(d.Modifiers) < maxReportValues {
			d.Modifiers = append(d.Modifiers, m)
		}
	}
	return d
}

// complaint reads a report of abuse (RFC 5965 section 3).
func (f *fieldReader) complaint(h Header) {
	c := &f.report.Complaint
	set(&c.Type, firstWord(h.Get("Feedback-Type")))
	set(&c.MailFrom, strings.Trim(plainValue(h.Get("Original-Mail-From")), "<> "))
	if a, err := netip.ParseAddr(strings.Trim(plainValue(h.Get("Source-IP")), "[] ")); err == nil && !c.SourceIP.IsValid() {
		c.SourceIP = a
	}
	c.Domains = appendValues(c.Domains, h, "Reported-Domain")
	c.URIs = appendValues(c.URIs, h, "Reported-URI")
	if c.Incidents == 0 {
		c.Incidents = 1
	}
	if n, err := strconv.Atoi(plainValue(h.Get("Incidents"))); err == nil && n > 1 {
		c.Incidents = n
	}
	for value := range h.Values("Original-Rcpt-To") {
		if a := reportedAddress(value); a != "" {
			f.report.add(ReportedRecipient{Original: a})
		}
	}
	f.found = f.found || c.Type != "" || c.SourceIP.IsValid() || len(f.report.Recipients) > 0
}

func appendValues(list []string, h Header, name string) []string {
	for value := range h.Values(name) {
		if v := plainValue(value); v != "" && len(list) < maxReportValues {
			list = append(list, v)
		}
	}
	return list
}

// plainValue returns a value without comments.
func plainValue(value string) string {
	if i := strings.IndexByte(value, '('); i >= 0 && commentLen(value[i:]) == len(value)-i {
		value = value[:i]
	}
	return strings.TrimSpace(oneLine(value))
}

// typed returns what stands behind the type, as the host in "dns; mx.example.com".
func typed(value string) string {
	kind, rest, ok := strings.Cut(value, ";")
	if !ok || strings.ContainsAny(strings.TrimSpace(kind), " \t<@\"") {
		rest = value
	}
	return strings.TrimSuffix(plainValue(rest), ";")
}

// diagnostic returns the type of a diagnostic in lower case, and what it says.
func diagnostic(value string) (kind, text string) {
	kind, text, ok := strings.Cut(oneLine(value), ";")
	kind = strings.ToLower(strings.TrimSpace(kind))
	if !ok || kind == "" || strings.ContainsAny(kind, " \t<@") {
		kind, text = "", value
		if _, isReply := replyCode(strings.TrimSpace(value)); isReply {
			kind = "smtp"
		}
	}
	return kind, strings.Join(strings.Fields(decodeText(text)), " ")
}

// reportedAddress returns the address in a field such as "rfc822; bob@example.com".
// Those of the type utf-8 may have their characters as \x{e9} (RFC 6533 section 3).
func reportedAddress(value string) string {
	kind, _, ok := strings.Cut(value, ";")
	rest := typed(value)
	if ok && strings.EqualFold(strings.TrimSpace(kind), "utf-8") {
		rest = unescapeUnicode(rest)
	}
	if strings.ContainsAny(rest, "@<") {
		if a := cleanAddress(rest); a != "" {
			return a
		}
	}
	return strings.TrimSpace(strings.Trim(oneLine(rest), "<>"))
}

// unescapeUnicode reads \x{e9} as the character that it stands for.
func unescapeUnicode(s string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, `\x{`)
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		digits, after, ok := strings.Cut(rest, "}")
		n, err := strconv.ParseUint(digits, 16, 32)
		if r := rune(n); !ok || err != nil || n > utf8.MaxRune || !utf8.ValidRune(r) || isControl(r) { //nolint:gosec // G115: ParseUint was given 32 bits, and n is compared
			b.WriteString(`\x{`)
			s = rest
			continue
		}
		b.WriteRune(rune(n))
		s = after
	}
}
