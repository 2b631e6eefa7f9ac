package message

import (
	"net/mail"
	"slices"
	"strings"
)

// AnswerOptions say what is known besides the header of the message that
// [Header.MayAnswer] is asked about.
type AnswerOptions struct {
	// EnvelopeSender is the address that the message came from by its envelope
	// (MAIL FROM), without angle brackets, if that is known. An empty one is the
	// null sender of bounces. If it is nil, the Return-Path field counts.
	EnvelopeSender *string
	// Own are the addresses that the program answers from, with their aliases.
	Own []mail.Address
	// Personal says that the program answers for a person, as one that tells of
	// a vacation. Such a program answers only what is addressed to one of Own (RFC
	// 3834 section 2), and not what was sent to a list or as a blind copy.
	Personal bool
	// Answered reports whether the message with that identifier, without angle
	// brackets, is an answer that a program sent before. What refers to one of
	// them is not answered again: two programs that answer each other never end.
	Answered func(id string) bool
}

// A Signal is what tells that no program should answer a message. More of them
// may be added.
type Signal string

// The signals, and where they come from.
const (
	// SignalNullSender is an empty envelope sender, or a Return-Path of "<>": a
	// bounce, which must never be answered (RFC 5321 section 4.5.5, RFC 3834
	// section 2).
	SignalNullSender Signal = "null-sender"
	// SignalAutoSubmitted is an Auto-Submitted field that says anything but "no"
	// (RFC 3834 sections 2 and 5).
	SignalAutoSubmitted Signal = "auto-submitted"
	// SignalReport is a Content-Type of multipart/report, or of one of the parts
	// of a report: of delivery (RFC 3464), of reading (RFC 8098), of abuse (RFC
	// 5965). What it says is read by [ReadReport].
	SignalReport Signal = "report"
	// SignalList is one of the fields of mailing lists (RFC 2369, RFC 2919). RFC
	// 3834 section 2 and RFC 5230 section 4.6 name them.
	SignalList Signal = "list"
	// SignalPrecedence is a Precedence of bulk, list or junk, which no standard
	// defines and RFC 3834 section 2 lets programs look at. "auto_reply", which
	// some vacation programs write, counts too.
	SignalPrecedence Signal = "precedence"
	// SignalSuppressed is an X-Auto-Response-Suppress field with All, OOF or
	// AutoReply, by which Exchange asks for no answer ([MS-OXCMAIL] section
	// 2.1.3.2.20). Its values for receipts alone do not count.
	SignalSuppressed Signal = "suppressed"
	// SignalAutoReply is one of the fields by which programs marked their answers
	// before Auto-Submitted: X-Autoreply, X-Autorespond and the like.
	SignalAutoReply Signal = "auto-reply"
	// SignalLoop is an X-Loop field, or a reference to an answer that a program
	// sent ([AnswerOptions.Answered]).
	SignalLoop Signal = "loop"
	// SignalNoSender is a message without an address in From.
	SignalNoSender Signal = "no-sender"
	// SignalSystemSender is a sender that is a mail system: mailer-daemon,
	// postmaster, majordomo, listserv, owner-x, x-request and the like (RFC 5230
	// section 4.6).
	SignalSystemSender Signal = "system-sender"
	// SignalNoReply is an address to answer to, in Reply-To or else in From, that
	// says that nobody reads there: noreply, do-not-reply.
	SignalNoReply Signal = "no-reply"
	// SignalOwn is a message from oneself, or one to be answered to oneself.
	SignalOwn Signal = "own"
	// SignalNotAddressed is a message that is not addressed to oneself
	// ([AnswerOptions.Personal]).
	SignalNotAddressed Signal = "not-addressed"
)

// An AutomaticError tells why no program should answer a message.
type AutomaticError struct {
	// Signal is what says so.
	Signal Signal
	// Field is the name of the header field that has it, or "" for the envelope.
	Field string
}

// Error names the signal and the field.
func (e *AutomaticError) Error() string {
	where := "the envelope"
	if e.Field != "" {
		where = "its " + e.Field + " field"
	}
	return "message: no program should answer it: " + string(e.Signal) + " in " + where
}

// MayAnswer returns nil if a program may answer the message, and else an
// [*AutomaticError] with the first [Signal] against it. It asks what RFC 3834
// asks before an automatic answer is sent, and what is in use besides: without
// that, two programs answer each other until a disk is full, and whole lists read
// of a vacation.
//
// What has to be remembered is not asked: a program should also answer the same
// sender only once in some days, and its answers should have an Auto-Submitted
// field with "auto-replied" and the null sender in their envelope (RFC 3834
// sections 3 and 5).
//
// Feedback-ID is no signal: services add it to all that is sent through them,
// also to what people write. List-Unsubscribe alone is one: it is in what goes to
// many.
func (h Header) MayAnswer(opts *AnswerOptions) error {
	var o AnswerOptions
	if opts != nil {
		o = *opts
	}
	for _, check := range []func(*AnswerOptions) (Signal, string){
		h.envelopeSignal, h.markSignal, h.listSignal, h.senderSignal, h.loopSignal, h.ownSignal,
	} {
		if signal, field := check(&o); signal != "" {
			return &AutomaticError{signal, field}
		}
	}
	return nil
}

// envelopeSignal looks at the sender of the envelope.
func (h Header) envelopeSignal(o *AnswerOptions) (Signal, string) {
	if sender := o.EnvelopeSender; sender != nil {
		switch address := strings.Trim(*sender, "<> "); {
		case address == "":
			return SignalNullSender, ""
		case isSystem(address):
			return SignalSystemSender, ""
		}
		return "", ""
	}
	if !h.Has("Return-Path") {
		return "", ""
	}
	// The first is of the delivery here; others are of those before.
	switch address := strings.Trim(h.Get("Return-Path"), "<> \t"); {
	case address == "":
		return SignalNullSender, "Return-Path"
	case isSystem(address):
		return SignalSystemSender, "Return-Path"
	}
	return "", ""
}

// markSignal looks for the marks of automatic mail.
func (h Header) markSignal(*AnswerOptions) (Signal, string) {
	for value := range h.Values("Auto-Submitted") {
		if word := firstWord(value); word != "" && word != "no" {
			return SignalAutoSubmitted, "Auto-Submitted"
		}
	}
	if mediaType := firstWord(h.Get("Content-Type")); mediaType == "multipart/report" || reportKind(mediaType) != "" {
		return SignalReport, "Content-Type"
	}
	for value := range h.Values("X-Auto-Response-Suppress") {
		for word := range strings.FieldsFuncSeq(strings.ToLower(value), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			if word == "all" || word == "oof" || word == "autoreply" {
				return SignalSuppressed, "X-Auto-Response-Suppress"
			}
		}
	}
	for _, field := range []string{
		"X-Autoreply", "X-Auto-Reply", "X-Autoreply-From", "X-Autorespond", "X-Autoresponder", "X-Autoresponse",
		"X-Mail-Autoreply", "X-Mail-Autoresponder", "X-Auto-Respond", "X-FC-MachineGenerated",
	} {
		if word := firstWord(h.Get(field)); h.Has(field) && word != "no" && word != "false" {
			return SignalAutoReply, field
		}
	}
	for _, field := range []string{"Precedence", "X-Precedence"} {
		for value := range h.Values(field) {
			switch firstWord(value) {
			case "bulk", "list", "junk", "auto_reply":
				return SignalPrecedence, field
			}
		}
	}
	return "", ""
}

// firstWord returns what a value begins with, up to a parameter or a comment, in
// lower case.
func firstWord(value string) string {
	value = strings.TrimSpace(value)
	if i := strings.IndexAny(value, "; \t("); i >= 0 {
		value = value[:i]
	}
	return strings.ToLower(value)
}

// listSignal looks for the fields of mailing lists.
func (h Header) listSignal(*AnswerOptions) (Signal, string) {
	for _, field := range []string{
		"List-Id", "List-Post", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Owner", "List-Archive",
		"Mailing-List", "X-Mailing-List",
	} {
		// "List-Post: NO" is of a list as well (RFC 2369 section 3.4).
		if h.Has(field) {
			return SignalList, field
		}
	}
	return "", ""
}

// senderSignal looks at those whom an answer would go to.
func (h Header) senderSignal(*AnswerOptions) (Signal, string) {
	from := h.From()
	if !reachable(from) {
		return SignalNoSender, "From"
	}
	answerTo, field := h.ReplyTo(), "Reply-To"
	if !reachable(answerTo) {
		answerTo, field = from, "From"
	}
	for _, a := range answerTo {
		if isNoReply(a.Address) {
			return SignalNoReply, field
		}
	}
	for _, field := range []string{"From", "Sender", "Reply-To"} {
		for _, a := range h.Addresses(field) {
			if isSystem(a.Address) {
				return SignalSystemSender, field
			}
		}
	}
	return "", ""
}

// reachable reports whether list has an address that mail can go to.
func reachable(list []mail.Address) bool {
	for _, a := range list {
		if i := strings.LastIndexByte(a.Address, '@'); i > 0 && i+1 < len(a.Address) {
			return true
		}
	}
	return false
}

// loopSignal looks for signs that the message has been answered by a program.
func (h Header) loopSignal(o *AnswerOptions) (Signal, string) {
	if h.Has("X-Loop") {
		return SignalLoop, "X-Loop"
	}
	if o.Answered == nil {
		return "", ""
	}
	if slices.ContainsFunc(h.InReplyTo(), o.Answered) {
		return SignalLoop, "In-Reply-To"
	}
	if slices.ContainsFunc(h.References(), o.Answered) {
		return SignalLoop, "References"
	}
	return "", ""
}

// ownSignal looks for the addresses of the program itself.
func (h Header) ownSignal(o *AnswerOptions) (Signal, string) {
	own := make(map[string]bool, len(o.Own))
	for _, a := range o.Own {
		own[personKey(a.Address)] = true
	}
	for _, field := range []string{"From", "Sender", "Reply-To"} {
		for _, a := range h.Addresses(field) {
			if own[personKey(a.Address)] {
				return SignalOwn, field
			}
		}
	}
	if !o.Personal {
		return "", ""
	}
	for _, field := range []string{"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"} {
		for _, a := range h.Addresses(field) {
			if own[personKey(a.Address)] {
				return "", ""
			}
		}
	}
	return SignalNotAddressed, "To"
}

// isSystem reports whether an address is that of a mail system.
func isSystem(address string) bool {
	local := localPart(address)
	switch local {
	case "majordomo", "listserv", "listproc", "mailman", "devnull", "nobody":
		return true
	}
	return isDaemon(local) || strings.HasPrefix(local, "owner-") || strings.HasSuffix(local, "-request") || strings.HasSuffix(local, "-owner")
}

// isDaemon reports whether a local part is that of what delivers mail.
func isDaemon(local string) bool {
	switch local {
	case "mailer-daemon", "mailerdaemon", "mail-daemon", "maildaemon", "mdaemon", "postmaster", "double-bounce":
		return true
	}
	return false
}

// isNoReply reports whether an address says that nobody reads there.
func isNoReply(address string) bool {
	words := strings.FieldsFunc(localPart(address), func(r rune) bool { return strings.ContainsRune("-_.+", r) })
	for i, first := range words {
		phrase := strings.Join(words[i:min(i+3, len(words))], "") // "do-not-reply"
		for _, word := range []string{"noreply", "donotreply", "dontreply", "neverreply", "nichtantworten", "keineantwort", "nepasrepondre", "noresponder", "naoresponda", "nonrispondere"} {
			// Bruno.Reply is a person.
			if strings.Contains(first, word) || strings.HasPrefix(phrase, word) {
				return true
			}
		}
	}
	return false
}

// localPart returns an address before its "@", in lower case.
func localPart(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		address = address[:i]
	}
	return strings.ToLower(address)
}
