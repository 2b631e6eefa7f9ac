package message

import (
	"errors"
	"net/mail"
	"slices"
	"strings"
	"time"
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
	// Text is the text of the answer.
	Text string
	// Quote puts the text of the message below the answer, each line behind a
	// ">". A message without plain text is not quoted.
	Quote bool
	// Attribution is the line above the quoted text. Empty means one in English,
	// with the date and the author.
	Attribution string
}

// Reply returns the answer to a message, to be changed and sent. It goes to the
// Reply-To addresses, or else to those of From; if that is nobody but oneself,
// as for a message that oneself has sent, to its recipients; and if there are
// none, as for a note to oneself, to oneself. In-Reply-To and References are
// set as RFC 5322 section 3.6.4 says, so that mail programs show both messages
// together.
//
// The error is [ErrNoReplyAddress] or, if From is missing, a [*FieldError].
func Reply(orig *Message, o ReplyOptions) (*Draft, error) {
	if o.From.Address == "" {
		return nil, &FieldError{"From", "is missing; every message has an author"}
	}
	h := orig.Header
	d := &Draft{From: o.From, Subject: replySubject(h.Subject()), Text: replyText(orig, o)}
	d.To, d.Cc = replyRecipients(h, o)
	if len(d.To) == 0 {
		return nil, ErrNoReplyAddress
	}
	if id := h.MessageID(); isID(id) {
		d.InReplyTo = []string{id}
		d.References = references(h, id)
	}
	return d, nil
}

// replyRecipients returns whom an answer goes to.
func replyRecipients(h Header, o ReplyOptions) (to, cc []mail.Address) {
	seen := map[string]bool{strings.ToLower(o.From.Address): true}
	for _, a := range o.Own {
		seen[strings.ToLower(a.Address)] = true
	}
	// others returns the addresses of list that are not taken yet.
	others := func(list []mail.Address) []mail.Address {
		var out []mail.Address
		for _, a := range list {
			if key := strings.ToLower(a.Address); !seen[key] && strings.Contains(key, "@") {
				seen[key] = true
				out = append(out, a)
			}
		}
		return out
	}
	author := h.ReplyTo()
	if len(author) == 0 {
		author = h.From()
	}
	if to = others(author); len(to) == 0 {
		to = others(h.To())
	}
	if o.All {
		cc = others(slices.Concat(h.To(), h.Cc()))
	}
	if len(to) == 0 {
		to, cc = cc, nil
	}
	if len(to) == 0 {
		clear(seen) // nobody else takes part: it is a note to oneself
		to = others(author)
	}
	return to, cc
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

// replySubject returns the subject of an answer: "Re: " and the subject without
// what answers begin with.
func replySubject(s string) string {
	for {
		rest, ok := cutPrefix(s, replyPrefixes)
		if !ok {
			return strings.TrimRight("Re: "+s, " ")
		}
		s = rest
	}
}

// replyText returns the text of an answer with the quoted text below it.
func replyText(orig *Message, o ReplyOptions) string {
	quoted := strings.TrimRight(orig.Text, "\n\t ")
	if !o.Quote || quoted == "" {
		return o.Text
	}
	var b strings.Builder
	if text := strings.TrimRight(o.Text, "\r\n"); text != "" {
		b.WriteString(text + "\n\n")
	}
	attribution := o.Attribution
	if attribution == "" {
		attribution = attributionLine(orig.Header)
	}
	b.WriteString(attribution + "\n")
	for line := range strings.SplitSeq(quoted, "\n") {
		b.WriteByte('>')
		if line != "" && line[0] != '>' {
			b.WriteByte(' ')
		}
		b.WriteString(line + "\n")
	}
	return b.String()
}

// attributionLine returns who wrote a message, and when.
func attributionLine(h Header) string {
	who := "Someone"
	if from := h.From(); len(from) > 0 {
		who = from[0].Address
		if from[0].Name != "" {
			who = from[0].Name + " <" + who + ">"
		}
	}
	if date, ok := h.Date(); ok {
		return "On " + date.Format("Mon, 2 Jan 2006 at 15:04") + zoneName(date) + ", " + who + " wrote:"
	}
	return who + " wrote:"
}

// zoneName returns the zone of an instant as a mail program shows it.
func zoneName(t time.Time) string { return t.Format(" -0700") }
