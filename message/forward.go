package message

import (
	"cmp"
	"mime"
	"net/mail"
	"strings"
)

// ForwardOptions say how a message is forwarded.
type ForwardOptions struct {
	// From is who forwards. It is required.
	From mail.Address
	// To are the recipients.
	To []mail.Address
	// Text is what is said about the message, and HTML the same as a page. Where
	// there is no Text, that is made of HTML. If the message has a page, so does
	// the one that forwards it, also if HTML is empty.
	Text, HTML string
	// AsAttachment forwards the message as it came, as a file with its header,
	// instead of its text below that of the forwarding one.
	AsAttachment bool
	// WithoutFiles leaves the attachments of the message behind. Those that its
	// page shows come with it all the same.
	WithoutFiles bool
	// Language is that of the lines above the message and of the prefix of the
	// subject; see [ReplyOptions].
	Language string
	// Prefix stands before the subject, without its colon. Empty means that of the
	// Language, "Fwd" in English. Those that are there already go.
	Prefix string
}

// Forward returns a message that forwards another, to be changed and sent.
// References are set, In-Reply-To is not: a forwarded message is shown in the
// thread of the original to those who have that, and is no answer to it.
//
// The error is a [*FieldError], if From is missing.
func Forward(orig *Message, o ForwardOptions) (*Draft, error) {
	if o.From.Address == "" {
		return nil, &FieldError{"From", "is missing; every message has an author"}
	}
	h := orig.Header
	p := phrasesOf(o.Language)
	d := &Draft{
		From: o.From, To: o.To, Subject: derivedSubject(cmp.Or(o.Prefix, p.forward), h.Subject()),
		Text: o.Text, HTML: o.HTML,
	}
	if d.Text == "" && o.HTML != "" {
		d.Text = HTMLText(o.HTML)
	}
	if id := h.MessageID(); isID(id) {
		d.References = references(h, id)
	}
	if o.AsAttachment {
		name := SafeFileName(BaseSubject(h.Subject()), "message/rfc822")
		d.Files = []DraftFile{{Name: strings.TrimSuffix(name, ".eml") + ".eml", ContentType: "message/rfc822", Content: orig.Source()}}
		return d, nil
	}
	c := carrier{orig: orig, draft: d}
	if o.HTML != "" || orig.HTML != "" {
		c.chooseShown()
		d.HTML = c.forwardHTML(o, p)
	}
	d.Text = forwardText(d.Text, orig, p)
	c.files(!o.WithoutFiles)
	return d, nil
}

// forwardText returns text with the forwarded message below it.
func forwardText(text string, orig *Message, p phrases) string {
	var b strings.Builder
	if text := strings.TrimRight(text, "\r\n"); text != "" {
		b.WriteString(text + "\n\n")
	}
	b.WriteString("---------- " + p.forwarded + " ----------\n")
	for _, f := range p.forwardedFields(orig.Header) {
		b.WriteString(f.name + ": " + f.value + "\n")
	}
	b.WriteString("\n" + orig.ReadableText())
	return b.String()
}

// forwardHTML returns a page with the forwarded message below it.
func (c *carrier) forwardHTML(o ForwardOptions, p phrases) string {
	page := o.HTML
	if page == "" && o.Text != "" {
		page = "<div>" + textHTML(o.Text) + "</div>\n"
	}
	var b strings.Builder
	b.WriteString("<br>\n<div>---------- " + textHTML(p.forwarded) + " ----------<br>\n")
	for _, f := range p.forwardedFields(c.orig.Header) {
		b.WriteString(textHTML(f.name) + ": " + textHTML(f.value) + "<br>\n")
	}
	b.WriteString("</div>\n<br>\n<div>" + c.quotedHTML() + "</div>\n")
	return belowHTML(page, b.String())
}

// A carrier takes what belongs to a message over into the Draft that answers or
// forwards it.
type carrier struct {
	orig  *Message
	draft *Draft
	shown map[string]bool // identifiers of pictures that the page shows
}

// chooseShown finds the pictures that the page of the message shows and that
// are there.
func (c *carrier) chooseShown() {
	there := make(map[string]bool)
	for _, a := range c.orig.Attachments {
		there[a.ContentID] = a.ContentID != "" && isID(a.ContentID)
	}
	c.shown = make(map[string]bool)
	for _, id := range contentRefs(c.orig.HTML) {
		if there[id] {
			c.shown[id] = true
		}
	}
}

// quotedHTML returns what the message shows as HTML that can be quoted.
func (c *carrier) quotedHTML() string {
	if c.orig.HTML == "" {
		return textHTML(c.orig.Text)
	}
	return quotableHTML(c.orig.HTML, c.shown)
}

// files takes over the pictures that a quoted page shows, and all other
// attachments if those are wanted.
func (c *carrier) files(all bool) {
	refs := make(map[string]bool)
	for _, id := range contentRefs(c.draft.HTML) {
		refs[id] = true
	}
	for _, a := range c.orig.Attachments {
		shown := c.shown[a.ContentID] && refs[a.ContentID]
		if !shown && !all {
			continue
		}
		f := DraftFile{
			Name: shorten(strings.Map(noControl, a.Name), maxDraftName), ContentType: carriedType(a),
			Inline: a.Inline && a.ContentID == "", Content: Bytes(a.Content),
		}
		if shown {
			f.ContentID = a.ContentID
			c.shown[a.ContentID] = false // another of the same identifier is not shown
		}
		c.draft.Files = append(c.draft.Files, f)
	}
}

func noControl(r rune) rune {
	if isControl(r) {
		return -1
	}
	return r
}

// carriedType returns the media type to send an attachment on with.
func carriedType(a Attachment) string {
	var params map[string]string
	if charset := a.Params["charset"]; charset != "" {
		params = map[string]string{"charset": charset}
	}
	if _, _, err := mime.ParseMediaType(a.ContentType); err != nil || strings.Count(a.ContentType, "/") != 1 || strings.HasPrefix(a.ContentType, "multipart/") {
		return octetStream
	}
	if s := mime.FormatMediaType(a.ContentType, params); s != "" && validParams(params) {
		return s
	}
	return a.ContentType
}
