package message

import (
	"slices"
	"strings"
)

// A notice is what a text for people tells of a delivery.
type notice struct {
	certainty  Certainty
	recipients []ReportedRecipient
	more       int
	host       string // that writes
	messageID  string
	fields     string // a part for programs that was flattened into the text
	original   Header // of the message that follows in the text
}

// A wording is how a mail system begins a list of recipients. It is the beginning
// of a line, or its end, in lower case.
type wording struct {
	begins, ends string
	action       Action
	certainty    Certainty
	indent       int // of recipients, or -1 where a paragraph begins with one
}

// wordings returns what mail systems write before recipients. None of it would
// begin a line of a person's that a mail system sends.
func wordings() []wording {
	return []wording{
		// qmail: https://cr.yp.to/proto/qsbmf.txt.
		{begins: "hi. this is the ", action: ActionFailed, certainty: CertaintyMarked},
		// Postfix.
		{begins: "this is the mail system at host ", action: ActionFailed},
		{begins: "this is the postfix program at host ", action: ActionFailed},
		{begins: "# this is a warning only. ", action: ActionDelayed},
		{begins: "your message was successfully delivered to the destination(s)", action: ActionDelivered},
		// Exim.
		{ends: "the following address(es) failed:", action: ActionFailed, indent: 2},
		{begins: "the address to which the message has not yet been delivered is:", action: ActionDelayed, indent: 2},
		{begins: "the addresses to which the message has not yet been delivered are:", action: ActionDelayed, indent: 2},
		// sendmail.
		{begins: "----- the following addresses had permanent fatal errors", action: ActionFailed},
		{begins: "----- the following addresses had transient non-fatal errors", action: ActionDelayed},
		{begins: "----- the following addresses had successful delivery notifications", action: ActionDelivered},
		// Gmail.
		{begins: "delivery to the following recipient failed permanently:", action: ActionFailed, indent: -1},
		{begins: "delivery to the following recipients failed permanently:", action: ActionFailed, indent: -1},
		{begins: "delivery to the following recipient has been delayed:", action: ActionDelayed, indent: -1},
		// Exchange and the SMTP service of Windows.
		{begins: "did not reach the following recipient(s):", action: ActionFailed, indent: -1},
		{begins: "the following recipient(s) cannot be reached:", action: ActionFailed, indent: -1},
		{begins: "the following recipient(s) could not be reached:", action: ActionFailed, indent: -1},
		{begins: "delivery has failed to these recipients or ", action: ActionFailed, indent: -1},
		{begins: "delivery is delayed to these recipients or ", action: ActionDelayed, indent: -1},
		{begins: "delivery to the following recipients failed.", action: ActionFailed, indent: -1},
		{begins: "delivery to the following recipients has been delayed.", action: ActionDelayed, indent: -1},
	}
}

// isReturned reports whether the message that came back follows behind a line.
func isReturned(line string) bool {
	return slices.ContainsFunc([]string{
		"--- below this line is ", "--- undelivered message follows", "------ this is a copy of ", "----- original message",
		"----- unsent message", "----- message header", "original message headers:", "--- enclosed is a copy of ",
	}, func(s string) bool { return strings.HasPrefix(line, s) })
}

// A noticeReader reads a notice line by line.
type noticeReader struct {
	notice

	wordings []wording
	current  wording // whose recipients are listed
	last     int     // recipient that the lines are about, or -1
	blank    bool    // the line before was, or said what is listed
}

// readNotice reads a text for people. The time is in proportion to its length.
func readNotice(text string) notice {
	r := noticeReader{wordings: wordings(), last: -1, blank: true}
	r.fields = flattened(text)
	for rest := text; rest != ""; {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		plain := strings.ToLower(strings.Join(strings.Fields(line), " "))
		if isReturned(plain) {
			r.original = ParseHeader([]byte(strings.TrimLeft(rest, "\r\n \t")))
			break
		}
		r.line(line, plain)
	}
	if len(r.recipients) > 0 && r.certainty == "" || r.fields != "" {
		r.certainty = CertaintyWorded
	}
	for i := range r.recipients {
		r.recipients[i].explain()
	}
	return r.notice
}

// flattened returns the text from where fields of a part for programs begin, or
// "" if there are none.
func flattened(text string) string {
	begin, recipient, fate := -1, false, false
	for pos := 0; pos < len(text); {
		end := len(text)
		if i := strings.IndexByte(text[pos:], '\n'); i >= 0 {
			end = pos + i + 1
		}
		name, _ := fieldName([]byte(text[pos:end]))
		switch strings.ToLower(text[pos : pos+name]) {
		case "final-recipient", "original-recipient":
			recipient = true
		case "action", "status":
			fate = true
		case "reporting-mta":
		default:
			name = 0
		}
		if name > 0 && begin < 0 {
			begin = pos
		}
		pos = end
	}
	if !recipient || !fate {
		return ""
	}
	return text[begin:]
}

// line reads a line; plain is the same in lower case without white space around
// words.
func (r *noticeReader) line(line, plain string) {
	blank := r.blank
	if r.blank = plain == ""; r.blank {
		// Gmail has an empty line before the reason too.
		if r.last >= 0 && (r.current.indent >= 0 || r.recipients[r.last].Diagnostic != "") {
			r.last = -1
		}
		return
	}
	if id, ok := strings.CutPrefix(plain, "message-id:"); ok && r.messageID == "" && id != "" {
		if ids := parseIDs(line[strings.IndexByte(line, ':')+1:], 1); len(ids) > 0 {
			r.messageID = ids[0]
		}
		return
	}
	if host, ok := strings.CutPrefix(plain, "generating server:"); ok {
		set(&r.host, strings.TrimSpace(host))
		return
	}
	for _, p := range r.wordings {
		if p.begins != "" && strings.HasPrefix(plain, p.begins) || p.ends != "" && strings.HasSuffix(plain, p.ends) {
			r.begin(p, plain)
			return
		}
	}
	if strings.HasPrefix(plain, "----- ") {
		r.current, r.last = wording{}, -1 // another section
		return
	}
	if r.current.action == "" {
		return
	}
	if address, reason, ok := r.current.recipient(line, blank); ok {
		r.recipient(address, reason)
		return
	}
	if r.last >= 0 {
		r.reason(strings.TrimSpace(line))
	}
}

// begin goes on to the recipients that a wording announces.
func (r *noticeReader) begin(p wording, plain string) {
	r.current, r.last, r.blank = p, -1, true
	if host, ok := strings.CutPrefix(plain, p.begins); ok && strings.HasSuffix(p.begins, " host ") {
		set(&r.host, strings.TrimRight(host, "."))
	}
	if p.certainty != "" {
		r.certainty = p.certainty
	}
}

// recipient takes the line of a recipient. One that is listed again is the same.
func (r *noticeReader) recipient(address, reason string) {
	r.blank = r.current.indent < 0
	r.last = slices.IndexFunc(r.recipients, func(have ReportedRecipient) bool { return strings.EqualFold(have.Final, address) })
	switch {
	case r.last >= 0:
	case len(r.recipients) == maxReported:
		r.more++
		return
	default:
		r.last = len(r.recipients)
		r.recipients = append(r.recipients, ReportedRecipient{Final: address, Action: r.current.action})
	}
	r.reason(reason)
}

// maxReason is how much of a reason is kept.
const maxReason = 1000

// reason adds a line of what is said of a recipient.
func (r *noticeReader) reason(s string) {
	if rcpt := &r.recipients[r.last]; s != "" && len(rcpt.Diagnostic)+len(s) < maxReason {
		rcpt.Diagnostic = strings.TrimSpace(rcpt.Diagnostic + " " + oneLine(s))
	}
}

// recipient reads a line that begins with an address where a list of p has it.
func (p wording) recipient(line string, blank bool) (address, reason string, ok bool) {
	text := strings.TrimLeft(line, " \t")
	if p.indent >= 0 && len(line)-len(text) != p.indent || p.indent < 0 && !blank {
		return "", "", false
	}
	text = strings.TrimRight(text, " \t\r")
	if inside, rest, found := strings.Cut(text, ">"); found && strings.HasPrefix(inside, "<") {
		reason = strings.TrimPrefix(rest, ":")
		return inside[1:], strings.TrimSpace(reason), looksAddress(inside[1:]) && (rest == "" || rest[0] == ':' || strings.HasPrefix(rest, " ("))
	}
	word, rest, _ := strings.Cut(text, " ")
	if cut := strings.IndexByte(word, '<'); cut > 0 && strings.Contains(word, "<mailto:") {
		word = word[:cut]
	}
	switch address = strings.TrimSuffix(word, ":"); {
	case looksAddress(address):
		return address, "", rest == "" || strings.HasPrefix(rest, "on ") || strings.HasPrefix(rest, "(generated from ")
	case p.indent < 0:
		return named(text)
	}
	return "", "", false
}

// named reads "Bob Example (bob@example.com)", with a link behind it or not.
func named(text string) (address, reason string, ok bool) {
	text, _, _ = strings.Cut(text, "<mailto:")
	open := strings.LastIndexByte(text, '(')
	if open < 0 || !strings.HasSuffix(text, ")") {
		return "", "", false
	}
	address = text[open+1 : len(text)-1]
	return address, "", looksAddress(address)
}

// looksAddress reports whether s has the form of an address, without what only a
// sentence has.
func looksAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at+1 < len(s) && len(s) <= 320 && !strings.ContainsFunc(s, func(r rune) bool {
		return isControl(r) || strings.ContainsRune(" <>,;:()", r)
	})
}

// explain reads what the reason tells.
func (r *ReportedRecipient) explain() {
	r.Status = findStatusCode(r.Diagnostic)
	if _, rest, ok := strings.Cut(r.Diagnostic, "host "); ok {
		host, behind, found := strings.Cut(rest, "[")
		if found && strings.Contains(behind, "]") && !strings.Contains(host, " ") {
			r.RemoteMTA = host
		}
	}
	text := strings.TrimPrefix(r.Diagnostic, "(reason: ")
	if _, said, ok := strings.Cut(text, " said: "); ok {
		text = said
	}
	if code, ok := replyCode(text); ok {
		r.DiagnosticType = "smtp"
		if r.Status.IsZero() {
			r.Status = StatusCode{Class: code / 100}
		}
	}
}
