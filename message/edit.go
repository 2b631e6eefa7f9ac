package message

import (
	"bytes"
	"mime"
	"net/mail"
	"slices"
	"strings"
)

// DraftFrom returns a message that was stored as a draft, by this or another
// program, as a [Draft] to go on with: with all its fields, its text in each form,
// and its files. What a Draft wrote comes out such that it writes the same bytes
// again. Its Date and Message-ID stay: whoever wants new ones empties them.
//
// Left out are the fields of a message on its way, such as Received and signatures,
// and those that cannot be written. Where a draft has no author yet, or addresses
// that are not complete, [Draft.Source] will say so.
func DraftFrom(m *Message) *Draft {
	h := m.Header
	d := &Draft{
		ReplyTo: h.ReplyTo(), To: h.To(), Cc: h.Cc(), Bcc: h.Addresses("Bcc"), Subject: h.Subject(),
		Text: m.Text, HTML: m.HTML, AutoSubmitted: firstWord(h.Get("Auto-Submitted")),
		InReplyTo: writable(h.InReplyTo()), References: writable(h.References()),
	}
	d.From, d.Sender = firstAddress(h.From()), firstAddress(h.Addresses("Sender"))
	d.Date, _ = h.Date()
	if id := h.MessageID(); isID(id) {
		d.MessageID = id
	}
	e := editor{draft: d, header: h}
	e.wishes()
	e.extra()
	e.look(m.raw)
	for _, a := range m.Attachments {
		e.file(a)
	}
	return d
}

// An editor takes a message over into a Draft.
type editor struct {
	draft  *Draft
	header Header
	taken  []string        // optional fields that the Draft has a place for
	heads  []PartInfo      // of the parts
	notes  []string        // their descriptions
	ids    map[string]bool // identifiers of files
}

func firstAddress(list []mail.Address) mail.Address {
	if len(list) == 0 {
		return mail.Address{}
	}
	return list[0]
}

// writable returns the identifiers that can be written.
func writable(ids []string) []string {
	return slices.DeleteFunc(ids, func(id string) bool { return !isID(id) })
}

// wishes reads what the author wants readers and their programs to do.
func (e *editor) wishes() {
	d, h := e.draft, e.header
	switch strings.ToLower(strings.TrimSpace(h.Get("Importance"))) {
	case "high":
		d.Importance = ImportanceHigh
	case "low":
		d.Importance = ImportanceLow
	}
	if d.Importance != "" {
		e.taken = append(e.taken, "importance", "x-priority", "priority")
	}
	if d.ReceiptTo = h.Addresses("Disposition-Notification-To"); len(d.ReceiptTo) > 0 {
		e.taken = append(e.taken, "disposition-notification-to")
	}
	for _, id := range parseIDs(h.Get("List-Unsubscribe"), maxReportValues) {
		if isAddressOf(id, "https", "http", "mailto") {
			d.Unsubscribe = append(d.Unsubscribe, id)
		}
	}
	if len(d.Unsubscribe) == 0 {
		return
	}
	e.taken = append(e.taken, "list-unsubscribe", "list-unsubscribe-post")
	d.OneClick = strings.EqualFold(strings.TrimSpace(h.Get("List-Unsubscribe-Post")), "List-Unsubscribe=One-Click") &&
		slices.ContainsFunc(d.Unsubscribe, func(a string) bool { return isAddressOf(a, "https") })
}

// extra takes the fields that a Draft has no place for.
func (e *editor) extra() {
	for name, value := range e.header.Fields() {
		lower := strings.ToLower(name)
		if isReserved(name) || isTrace(lower) || slices.Contains(e.taken, lower) || len(name) > maxName {
			continue
		}
		if isOptional(name) {
			e.taken = append(e.taken, lower) // once
		}
		e.draft.Extra = append(e.draft.Extra, Field{Name: name, Value: decodeText(value)})
	}
}

// isTrace reports whether a field, in lower case, is of a message on its way: of
// servers that had it, or a signature of bytes that are going to be others.
func isTrace(name string) bool {
	switch name {
	case "received", "return-path", "delivered-to", "x-original-to", "dkim-signature", "authentication-results", "received-spf", "x-uid", "status",
		"x-status", "x-mozilla-status", "x-mozilla-status2":
		return true
	}
	return strings.HasPrefix(name, "arc-") || strings.HasPrefix(name, "resent-")
}

// look reads how the parts were written.
func (e *editor) look(raw []byte) {
	for p, err := range Walk(bytes.NewReader(raw), nil) {
		if err != nil {
			return // it was cut off, as Parse has told
		}
		e.heads, e.notes = append(e.heads, p.PartInfo), append(e.notes, p.Header.Text("Content-Description"))
		if !strings.HasPrefix(p.ContentType, "text/") || p.Disposition == "attachment" {
			continue
		}
		e.draft.EightBit = e.draft.EightBit || encodingOf(p.Header) == "8bit"
		if isFlowed(p.ContentType, p.Params) {
			e.draft.Flowed = true
		}
	}
}

// file takes a file over, or an invitation that is a form of the text.
func (e *editor) file(a Attachment) {
	if a.ContentType == "text/calendar" && a.Name == "" && a.Inline && e.draft.Calendar == "" {
		e.draft.Calendar = a.Text()
		return
	}
	f := DraftFile{Name: a.Name, ContentType: writableType(a), Inline: a.Inline, Content: Bytes(a.Content)}
	if len(f.Name) > maxDraftName {
		f.Name = a.FileName()
	}
	if i := slices.IndexFunc(e.heads, func(p PartInfo) bool { return p.Number == a.Part }); i >= 0 {
		f.Description = e.notes[i]
	}
	if isID(a.ContentID) && !e.ids[a.ContentID] {
		if e.ids == nil {
			e.ids = make(map[string]bool)
		}
		f.ContentID, e.ids[a.ContentID] = a.ContentID, true
	}
	e.draft.Files = append(e.draft.Files, f)
}

// writableType returns the media type of a file as it can be written again.
func writableType(a Attachment) string {
	params := make(map[string]string, len(a.Params))
	for name, value := range a.Params {
		if name != "name" && name != "boundary" {
			params[name] = value
		}
	}
	if strings.HasPrefix(a.ContentType, "multipart/") || strings.Count(a.ContentType, "/") != 1 || !validParams(params) {
		return octetStream
	}
	s := mime.FormatMediaType(a.ContentType, params)
	if mediaType, _, err := mime.ParseMediaType(s); err != nil || mediaType != a.ContentType {
		return octetStream
	}
	return s
}
