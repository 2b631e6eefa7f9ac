package message

import (
	"bytes"
	"strings"
)

// An AttachmentKind tells attachments apart that a program treats in ways of
// their own.
type AttachmentKind string

// The kinds of attachments.
const (
	// KindFile is any other attachment.
	KindFile AttachmentKind = "file"
	// KindCalendar is an iCalendar object (RFC 5545), such as an invitation; see
	// [Attachment.CalendarMethod]. It is given whole, as the sender wrote it, for
	// a calendar library of the program's choice.
	KindCalendar AttachmentKind = "calendar"
	// KindTNEF is a winmail.dat: what Outlook sends in Microsoft's TNEF
	// ([MS-OXTNEF]) to those of whom it believes that they use Outlook. All
	// attachments of the message may be in there, and its text. It is given whole
	// and not unpacked: no Go library for the format is kept up, and one that
	// panics on bytes from strangers is worse than none.
	KindTNEF AttachmentKind = "tnef"
	// KindMessage is a message: forwarded as an attachment, or returned in a
	// bounce. [Parse] reads its content.
	KindMessage AttachmentKind = "message"
)

// tnefSignature is what a TNEF stream begins with ([MS-OXTNEF] section 2.1).
const tnefSignature = "\x78\x9f\x3e\x22"

// Kind returns what kind of attachment it is, by its media type; where that is
// application/octet-stream, or there is none, by its name and by what it begins
// with.
func (a Attachment) Kind() AttachmentKind {
	switch a.ContentType {
	case "text/calendar", "application/ics", "text/x-vcalendar", "text/ics":
		return KindCalendar
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return KindTNEF
	case "message/rfc822", "message/global":
		return KindMessage
	case "application/octet-stream", "":
	default:
		return KindFile
	}
	name := strings.ToLower(a.Name)
	switch {
	case bytes.HasPrefix(a.Content, []byte(tnefSignature)):
		return KindTNEF
	case strings.HasSuffix(name, ".ics") && calendarLine(a.Content, "BEGIN") == "VCALENDAR":
		return KindCalendar
	case strings.HasSuffix(name, ".eml") && ParseHeader(a.Content).Has("From"):
		return KindMessage
	}
	return KindFile
}

// CalendarMethod returns what an iCalendar object asks for, in upper case (RFC
// 5546 section 1.4): REQUEST is an invitation, REPLY the answer to one, CANCEL
// its end, PUBLISH for information. It is "" where the object asks for nothing,
// and for other attachments. It is read from the object: the method parameter
// of the Content-Type has to say the same (RFC 6047 section 2.4), and is often
// lost on the way.
func (a Attachment) CalendarMethod() string {
	if a.Kind() != KindCalendar {
		return ""
	}
	return calendarLine(a.Content, "METHOD")
}

// maxCalendarHead is how much of an object is looked at for the properties that
// stand before its components.
const maxCalendarHead = 16 << 10

// calendarLine returns the value of a property of the calendar itself, if it is
// one word, in upper case. Lines are unfolded (RFC 5545 section 3.1).
func calendarLine(content []byte, name string) string {
	head := bytes.TrimPrefix(content[:min(len(content), maxCalendarHead)], []byte(byteOrderMark))
	head = bytes.ReplaceAll(head, []byte("\r\n"), []byte("\n"))
	head = bytes.ReplaceAll(bytes.ReplaceAll(head, []byte("\n "), nil), []byte("\n\t"), nil)
	first := true
	for line := range bytes.SplitSeq(head, []byte("\n")) {
		key, value, ok := strings.Cut(oneLine(toUTF8(bytes.TrimSpace(line))), ":")
		key, _, _ = strings.Cut(key, ";")
		value = strings.ToUpper(strings.TrimSpace(value))
		switch {
		case !ok:
			continue
		case strings.EqualFold(key, name):
			if strings.ContainsFunc(value, func(r rune) bool { return (r < 'A' || r > 'Z') && r != '-' }) {
				return ""
			}
			return value
		case !first && strings.EqualFold(key, "BEGIN"):
			return "" // of a component
		}
		first = false
	}
	return ""
}
