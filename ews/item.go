package ews

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// itemInfo is what a server tells of an item.
type itemInfo struct {
	id, change         string
	received           time.Time
	size               int64
	read, draft        bool
	categories         []string
	numbered           bool
	number             int64 // which the folder has given it, where numbered is set
	verb, flag, marked int64 // the values of tagVerb, tagFlagged and tagDeleted
	state              int64 // that of tagFlags
	header             []byte
	fields             *headerFields // where it has no header of its own
	attachments        []Attachment
	preview            *string // the beginning of its text, where the server keeps it
}

// item reads an item of whatever kind, whose start tag was read last.
func (x *scanner) item() (*itemInfo, error) {
	it := &itemInfo{size: -1}
	err := x.children(func(name string) error { return x.property(it, name) })
	return it, err
}

// property reads a child of an item.
func (x *scanner) property(it *itemInfo, name string) error {
	if known, err := x.itemProperty(it, name); known || err != nil {
		return err
	}
	if it.fields == nil {
		it.fields = &headerFields{}
	}
	return x.headerField(it.fields, name)
}

// itemProperty reads one property of an item; known is false where it is none of
// these.
func (x *scanner) itemProperty(it *itemInfo, name string) (known bool, err error) {
	switch name {
	case "ItemId":
		it.id, it.change = x.attr("Id"), x.attr("ChangeKey")
	case "DateTimeReceived":
		it.received, err = x.time()
	case "Size":
		it.size, err = x.number()
	case "IsRead":
		it.read, err = x.boolean()
	case "IsDraft":
		it.draft, err = x.boolean()
	case "Categories":
		err = x.children(func(string) error {
			s, err := x.string()
			it.categories = append(it.categories, s)
			return err
		})
	case "ExtendedProperty":
		var p extended
		p, err = x.extended()
		it.extended(p)
	case "Attachments":
		it.attachments, err = x.attachments()
	case "Preview":
		var text string
		text, err = x.string()
		it.preview = &text
	case "InternetMessageHeaders":
		it.header, err = x.internetHeaders()
	default:
		return false, nil
	}
	return true, err
}

// extended takes note of a property that is a number.
func (it *itemInfo) extended(p extended) {
	switch {
	case !p.number:
	case p.tag == tagNumber:
		it.number, it.numbered = p.value, true
	case p.tag == tagVerb:
		it.verb = p.value
	case p.tag == tagFlagged:
		it.flag = p.value
	case p.tag == tagDeleted:
		it.marked = p.value
	case p.tag == tagFlags:
		it.state = p.value
	}
}

// boolean reads the element whose start tag was read last.
func (x *scanner) boolean() (bool, error) {
	text, err := x.trimmed()
	value, _ := truth(text)
	return value, err
}

// truthOf reads an attribute, and tells whether it is a boolean.
func (x *scanner) truthOf(attr string) (value, told bool) {
	return truth(bytes.TrimSpace(x.attribute(attr)))
}

// truth reads a boolean of XML Schema, which has four spellings.
func truth(text []byte) (value, told bool) {
	switch string(text) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

// internetHeaders reads the fields of a header as it came.
func (x *scanner) internetHeaders() ([]byte, error) {
	b := x.fields[:0]
	err := x.children(func(string) error {
		name := x.attr("HeaderName")
		value, err := x.bytes()
		if err == nil && len(b) <= message.DefaultMaxHeaderBytes {
			b = appendField(b, name, value)
		}
		return err
	})
	x.fields = b
	return bytes.Clone(b), err
}

// appendField appends a field of a header. A value of several lines stays one field.
func appendField(b []byte, name string, value []byte) []byte {
	if !isFieldName(name) {
		return b
	}
	b = append(append(b, name...), ": "...)
	value = bytes.TrimRight(value, "\r\n")
	for {
		line, rest, more := bytes.Cut(value, []byte("\n"))
		b = append(append(b, bytes.TrimRight(line, "\r")...), "\r\n"...)
		if !more {
			return b
		}
		if !bytes.HasPrefix(rest, []byte(" ")) && !bytes.HasPrefix(rest, []byte("\t")) {
			b = append(b, ' ')
		}
		value = rest
	}
}

// isFieldName reports whether a field may have that name (RFC 5322 section 2.2).
func isFieldName(name string) bool {
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return name != ""
}

// headerFields are what Exchange keeps of a header that it did not receive.
type headerFields struct {
	subject, id, inReplyTo, references, sent string
	people                                   [6][]string // by the order of peopleFields
}

// peopleFields are the properties with people, and the fields they stand for.
func peopleFields() [6][2]string {
	return [6][2]string{{"From", "From"}, {"Sender", "Sender"}, {"ReplyTo", "Reply-To"}, {"ToRecipients", "To"}, {"CcRecipients", "Cc"}, {"BccRecipients", "Bcc"}}
}

// headerField reads one of them.
func (x *scanner) headerField(f *headerFields, name string) (err error) {
	switch name {
	case "Subject":
		f.subject, err = x.string()
	case "InternetMessageId":
		f.id, err = x.word()
	case "InReplyTo":
		f.inReplyTo, err = x.word()
	case "References":
		f.references, err = x.word()
	case "DateTimeSent":
		var at time.Time
		at, err = x.time()
		f.sent = at.Format(time.RFC1123Z)
	default:
		for i, p := range peopleFields() {
			if p[0] == name {
				return x.people(&f.people[i])
			}
		}
	}
	return err
}

// people reads mailboxes.
func (x *scanner) people(list *[]string) error {
	return x.children(func(string) error {
		var a mail.Address
		err := x.children(func(name string) (err error) {
			switch name {
			case "Name":
				a.Name, err = x.word()
			case "EmailAddress":
				a.Address, err = x.word()
			}
			return err
		})
		if a.Address != "" && !strings.ContainsAny(a.Address, "\r\n") {
			*list = append(*list, a.String())
		}
		return err
	})
}

// header makes a header of what there is.
func (f *headerFields) header() []byte {
	if f == nil {
		return nil
	}
	var b []byte
	for i, p := range peopleFields() {
		if len(f.people[i]) > 0 {
			b = appendField(b, p[1], []byte(strings.Join(f.people[i], ",\n ")))
		}
	}
	for _, field := range [][2]string{
		{"Subject", mime.QEncoding.Encode("utf-8", f.subject)},
		{"Date", f.sent},
		{"Message-ID", f.id},
		{"In-Reply-To", f.inReplyTo},
		{"References", f.references},
	} {
		if field[1] != "" {
			b = appendField(b, field[0], []byte(field[1]))
		}
	}
	return b
}

// headerProperties are what headerField reads.
func headerProperties() []element {
	return append(itemHeaderProperties(),
		field("message:Sender"), field("message:ToRecipients"), field("message:CcRecipients"), field("message:BccRecipients"),
		field("message:From"), field("message:InternetMessageId"), field("message:References"), field("message:ReplyTo"),
	)
}

// itemHeaderProperties are those of them that every item has.
func itemHeaderProperties() []element {
	return []element{field("item:Subject"), field("item:InReplyTo"), field("item:DateTimeSent")}
}

// properties returns what to ask for to fill in the fields of a summary.
//
// Exchange 2007 refuses to tell of an item that cannot have a property which is asked
// for, as an appointment cannot be read: so it is asked for what every item has.
func (c *Client) properties(fields session.Fields) []element {
	all := []element{tagNumber.uri()}
	if fields&session.FieldFlags != 0 {
		read := field("message:IsRead")
		if v := c.version.Load(); v != nil && !v.atLeast(exchange2010()) {
			read = tagFlags.uri()
		}
		all = append(all, read, field("item:IsDraft"), field("item:Categories"), tagFlagged.uri(), tagVerb.uri(), tagDeleted.uri())
	}
	if fields&session.FieldReceived != 0 {
		all = append(all, field("item:DateTimeReceived"))
	}
	if fields&session.FieldSize != 0 {
		all = append(all, field("item:Size"))
	}
	if fields&session.FieldHeader != 0 {
		all = append(all, field("item:InternetMessageHeaders"))
	}
	return all
}

// flags returns the flags of an item.
func (it *itemInfo) flags() session.Flags {
	var all session.Flags
	for _, f := range []struct {
		flag session.Flag
		set  bool
	}{
		{session.Seen, it.read || it.state&messageRead != 0},
		{session.Answered, it.verb == repliedTo || it.verb == repliedToAll},
		{session.Flagged, it.flag == flagged},
		{session.Deleted, it.marked == markedDeleted},
		{session.Draft, it.draft},
	} {
		if f.set {
			all = append(all, f.flag)
		}
	}
	for _, c := range it.categories {
		all = append(all, session.Flag(c))
	}
	return all
}

// summary makes a message of an item, with the fields that were asked for.
func (it *itemInfo) summary(id session.ID, fields session.Fields) *session.Message {
	m := &session.Message{ID: id}
	if fields&session.FieldFlags != 0 {
		m.Flags = it.flags()
	}
	if fields&session.FieldReceived != 0 {
		m.Received = it.received
	}
	if fields&session.FieldSize != 0 {
		m.Size = max(it.size, 0)
	}
	if fields&session.FieldHeader != 0 {
		m.Header = message.ParseHeader(it.header)
	}
	if fields&session.FieldVersion != 0 {
		m.Version = session.Version(it.change)
	}
	return m
}
