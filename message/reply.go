package message

import (
	"cmp"
	"errors"
	"net/mail"
	"net/url"
	"slices"
	"strings"
)

// ErrNoReplyAddress tells that a message names nobody whom an answer could go
// to. Bounces and some automatic mail are like that.
var ErrNoReplyAddress = errors.New("message: there is no address to reply to")

// ReplyOptions say how a message is answered.
type ReplyOptions struct {
	// From is who answers. It is required.
	From mail.Address
	// Own are further addresses of whoever answers, such as aliases. The answer
	// is not sent to them, nor to From.
	Own []mail.Address
	// All has the answer go to all recipients of the message, not only to its
	// author.
	All bool
	// List has the answer go to the mailing list that the message came through,
	// alone, by its List-Post field (RFC 2369 section 3.4).
	List bool
	// Text is the text of the answer.
	Text string
	// HTML is the same as a page. Where there is no Text, that is made of it.
	HTML string
	// Quote puts the text of the message below the answer: each line behind a ">",
	// and in a blockquote if the answer has HTML. What of a page could get out of
	// the blockquote is left out. The pictures that a quoted page shows come with
	// it.
	Quote bool
	// Attribution is the line above the quoted text. Empty means one with the date
	// and the author, in the Language.
	Attribution string
	// Language is the tag of the language (BCP 47) of the attribution and of the
	// prefix of the subject, such as "de" or "pt-BR". The languages are da, de, en,
	// es, fi, fr, it, ja, nb, nl, pl, pt, sv, tr and zh; empty means English.
	Language string
	// Prefix stands before the subject, without its colon. Empty means that of the
	// Language, "Re" in English. Those that are there already go.
	Prefix string
	// Files keeps the attachments of the message.
	Files bool
	// Automatic says that a program answers, and what it knows of the message. A
	// message that [Header.MayAnswer] is against is then refused, and the answer is
	// marked as auto-replied (RFC 3834). From and Own of these options count as Own
	// of those.
	//
	// Such an answer goes to one address: from a program that answers for a person
	// to the envelope sender and nobody else, with "Auto" before the subject (RFC
	// 3834 sections 3.1.5 and 4); where that is not known, to From. From a service
	// it goes to Reply-To, which is how the forms of web pages name who wrote, but
	// to From if Reply-To are several; All and List are obeyed.
	Automatic *AnswerOptions
}

// Reply returns the answer to a message, to be changed and sent. It goes to the
// Reply-To addresses, however many, or else to those of From; if both are nobody
// but oneself, as for a message that oneself has sent, to its recipients; and if
// there are none, as for a note to oneself, to oneself. With All, the other
// recipients are in Cc. Nobody is named twice. In-Reply-To and References are set
// as RFC 5322 section 3.6.4 says, so that mail programs show both messages
// together.
//
// Mail-Followup-To is not looked at: it never became a standard, few programs
// know it, and with it a stranger would say whom an answer to all goes to beyond
// those that its header shows.
//
// The error is [ErrNoReplyAddress], an [*AutomaticError], or, if From is missing,
// a [*FieldError].
func Reply(orig *Message, o ReplyOptions) (*Draft, error) {
	if o.From.Address == "" {
		return nil, &FieldError{"From", "is missing; every message has an author"}
	}
	h := orig.Header
	p := phrasesOf(o.Language)
	prefix := cmp.Or(o.Prefix, p.reply)
	if o.Prefix == "" && o.Automatic != nil && o.Automatic.Personal {
		prefix = "Auto"
	}
	d := &Draft{From: o.From, Subject: derivedSubject(prefix, h.Subject())}
	if o.Automatic != nil {
		answer := *o.Automatic
		answer.Own = slices.Concat(answer.Own, o.Own, []mail.Address{o.From})
		if err := h.MayAnswer(&answer); err != nil {
			return nil, err
		}
		d.AutoSubmitted = "auto-replied"
	}
	if d.To, d.Cc = replyRecipients(h, o); len(d.To) == 0 {
		return nil, ErrNoReplyAddress
	}
	if id := h.MessageID(); isID(id) {
		d.InReplyTo = []string{id}
		d.References = references(h, id)
	}
	c := carrier{orig: orig, draft: d}
	if o.Quote && o.HTML != "" {
		c.chooseShown()
	}
	d.Text, d.HTML = replyText(orig, o, p), c.replyHTML(o, p)
	c.files(o.Files)
	return d, nil
}

// replyRecipients returns whom an answer goes to.
func replyRecipients(h Header, o ReplyOptions) (to, cc []mail.Address) {
	seen := map[string]bool{personKey(o.From.Address): true}
	for _, a := range o.Own {
		seen[personKey(a.Address)] = true
	}
	// others returns the addresses of list that are not taken yet.
	others := func(list []mail.Address) []mail.Address {
		var out []mail.Address
		for _, a := range list {
			if key := personKey(a.Address); !seen[key] && strings.Contains(key, "@") {
				seen[key] = true
				out = append(out, a)
			}
		}
		return out
	}
	switch {
	case o.Automatic != nil && (o.Automatic.Personal || !o.All && !o.List):
		return others(automaticRecipient(h, o.Automatic)), nil
	case o.List:
		return others(listPost(h)), nil
	}
	for _, list := range [][]mail.Address{h.ReplyTo(), h.From(), h.To()} {
		if to = others(list); len(to) > 0 {
			break
		}
	}
	if o.All {
		cc = others(slices.Concat(h.To(), h.Cc()))
	}
	if len(to) == 0 {
		to, cc = cc, nil
	}
	if len(to) == 0 {
		clear(seen) // nobody else takes part: it is a note to oneself
		to = others(slices.Concat(h.ReplyTo(), h.From()))
		to = to[:min(len(to), 1)]
	}
	return to, cc
}

// automaticRecipient returns the one address that a program answers to. A
// service may not know more of Reply-To than that it is one address: several
// can be whom its author has other people answer to.
func automaticRecipient(h Header, o *AnswerOptions) []mail.Address {
	list := h.ReplyTo()
	if o.Personal {
		if list = h.Addresses("Return-Path"); o.EnvelopeSender != nil {
			list = appendAddresses(nil, "<"+strings.Trim(*o.EnvelopeSender, "<> ")+">")
		}
	}
	if len(list) != 1 {
		list = h.From()
	}
	return list[:min(len(list), 1)]
}

// maxReferences is how many identifiers an answer refers to, and
// maxReferencesSize their length together. Of longer threads the first message
// and the last ones are kept.
const (
	maxReferences     = 50
	maxReferencesSize = 8 << 10
)

// references returns the References of an answer to the message that has the
// header h and that identifier.
func references(h Header, id string) []string {
	refs := h.References()
	if len(refs) == 0 {
		if refs = h.InReplyTo(); len(refs) > 1 {
			refs = nil // it is not known which of them began the thread
		}
	}
	refs = slices.DeleteFunc(refs, func(r string) bool { return !isID(r) || r == id })
	refs = append(refs, id)
	from, size := len(refs)-1, len(refs[0])+len(id)
	for from > 1 && len(refs)-from+1 < maxReferences && size+len(refs[from-1]) <= maxReferencesSize {
		from--
		size += len(refs[from])
	}
	if from > 1 {
		refs = slices.Delete(refs, 1, from)
	}
	return refs
}

// listPost returns the address of the mailing list that a message came through.
func listPost(h Header) []mail.Address {
	var list []mail.Address
	for value := range h.Values("List-Post") {
		for _, part := range strings.Split(value, "<")[1:] {
			target, _, _ := strings.Cut(part, ">")
			address, ok := cutFolded(strings.TrimSpace(target), "mailto:")
			address, _, _ = strings.Cut(address, "?")
			if decoded, err := url.PathUnescape(address); ok && err == nil {
				list = append(list, mail.Address{Address: decoded})
				return list // the first that can be used (RFC 2369 section 2)
			}
		}
	}
	return list
}

// derivedSubject returns the subject of an answer or of a forwarded message:
// prefix, and the subject without what such subjects begin with.
func derivedSubject(prefix, s string) string {
	for {
		rest, ok := cutPrefix(s, replyPrefixes)
		if !ok {
			rest, ok = cutPrefix(s, forwardPrefixes)
		}
		if !ok {
			return strings.TrimRight(prefix+": "+s, " ")
		}
		s = rest
	}
}

// replyText returns the text of an answer with the quoted text below it.
func replyText(orig *Message, o ReplyOptions, p phrases) string {
	text := o.Text
	if text == "" && o.HTML != "" {
		text = HTMLText(o.HTML)
	}
	quoted := strings.TrimRight(orig.ReadableText(), "\n\t ")
	if !o.Quote || quoted == "" {
		return text
	}
	var b strings.Builder
	if text := strings.TrimRight(text, "\r\n"); text != "" {
		b.WriteString(text + "\n\n")
	}
	b.WriteString(cmp.Or(o.Attribution, p.attributionOf(orig.Header)) + "\n")
	for line := range strings.SplitSeq(quoted, "\n") {
		b.WriteByte('>')
		if line != "" && line[0] != '>' {
			b.WriteByte(' ')
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// replyHTML returns the page of an answer with the quoted one below it.
func (c *carrier) replyHTML(o ReplyOptions, p phrases) string {
	if o.HTML == "" || !o.Quote {
		return o.HTML
	}
	quoted := c.quotedHTML()
	if quoted == "" {
		return o.HTML
	}
	attribution := cmp.Or(o.Attribution, p.attributionOf(c.orig.Header))
	return belowHTML(o.HTML, "<br>\n<div class=\"moz-cite-prefix\">"+textHTML(attribution)+
		"</div>\n<blockquote type=\"cite\">"+quoted+"</blockquote>\n")
}
