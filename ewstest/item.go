package ewstest

import (
	"maps"
	"net/mail"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// bag is what a message has beside what the mailbox knows.
type bag struct {
	props      map[string]value // by extended.key
	categories []string         // those that cannot be keywords
	importance string
	completed  bool // the flag is done
	modified   time.Time
	version    int // counts changes
}

// item is a message in a folder.
type item struct {
	server *Server
	folder *folder
	m      mailtest.Message
	header *part // read when needed
	whole  *part
	parts  *content
}

func (s *Server) item(f *folder, m mailtest.Message) *item {
	return &item{server: s, folder: f, m: m}
}

func (it *item) key() string {
	return id{kind: itemKind, mailbox: mailboxKey(it.folder.owner), folder: it.folder.id, message: it.m.ID}.String()
}

func (it *item) changeKey() string {
	return changeKey(2, it.m.ModSeq<<20|uint64(it.m.UID))
}

func (it *item) head() *part {
	if it.header == nil {
		it.header = parseHeader(it.m.Raw)
	}
	return it.header
}

func (it *item) tree() *part {
	if it.whole == nil {
		it.whole = parsePart(it.m.Raw, 0)
	}
	return it.whole
}

func (it *item) content() *content {
	if it.parts == nil {
		it.parts = contentOf(it.tree())
	}
	return it.parts
}

// bag returns what is kept of the message beside the mailbox; it is a copy.
func (it *item) bag() bag { return it.server.bagOf(it.m.ID) }

func (s *Server) bagOf(id uint64) bag {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b := s.bags[id]; b != nil {
		return *b
	}
	return bag{}
}

// keep changes what is kept of a message or a folder.
func (s *Server) keep(id uint64, change func(b *bag)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &bag{props: make(map[string]value)}
	if old := s.bags[id]; old != nil {
		maps.Copy(b.props, old.props)
		b.categories, b.importance, b.completed = old.categories, old.importance, old.completed
		b.modified, b.version = old.modified, old.version
	}
	change(b)
	b.version++
	s.bags[id] = b // readers have the old one
}

// bagged returns a property that a client stored.
func (s *Server) bagged(id uint64, e extended) (value, bool) {
	b := s.bagOf(id)
	v, there := b.props[e.key()]
	return v, there
}

// categories returns the keywords of a message that are no system flags, in the
// words of the protocol.
func (it *item) categories() []string {
	var all []string
	for _, f := range it.m.Flags {
		if !strings.HasPrefix(f, `\`) && f != forwarded {
			all = append(all, f)
		}
	}
	return append(all, it.bag().categories...)
}

// flagStatus returns the state of the flag.
func (it *item) flagStatus() string {
	switch {
	case it.m.Has(mailtest.Flagged):
		return "Flagged"
	case it.bag().completed:
		return "Complete"
	}
	return "NotFlagged"
}

const forwarded = "$Forwarded"

// messageFlags is PR_MESSAGE_FLAGS.
func (it *item) messageFlags() int {
	flags := 2 // not modified since it came
	if it.m.Has(mailtest.Seen) {
		flags |= 1
	}
	if it.m.Has(mailtest.Draft) {
		flags |= 8
	}
	if it.hasAttachments() {
		flags |= 16
	}
	if it.fromMe() {
		flags |= 32
	}
	return flags
}

func (it *item) hasAttachments() bool {
	kind, _ := it.head().contentType()
	if strings.HasPrefix(kind, "text/") && it.head().rawGet("Content-Disposition") == "" {
		return false
	}
	for _, a := range it.content().files {
		if !a.inline {
			return true
		}
	}
	return false
}

func (it *item) fromMe() bool {
	from := addresses(it.head().rawGet("From"))
	return len(from) > 0 && strings.EqualFold(from[0].Address, it.folder.owner.Address())
}

// sent returns the time of the Date field, or that of the arrival.
func (it *item) sent() time.Time {
	if t, err := mail.ParseDate(it.head().rawGet("Date")); err == nil {
		return t
	}
	return it.m.Received
}

func (it *item) modified() time.Time {
	if t := it.bag().modified; !t.IsZero() {
		return t
	}
	return it.m.Received
}

func (it *item) importance() string {
	if chosen := it.bag().importance; chosen != "" {
		return chosen
	}
	priority := strings.ToLower(it.head().rawGet("Importance") + " " + it.head().rawGet("X-Priority"))
	switch {
	case strings.Contains(priority, "high"), strings.HasPrefix(priority, " 1"), strings.HasPrefix(priority, " 2"):
		return "High"
	case strings.Contains(priority, "low"), strings.HasPrefix(priority, " 4"), strings.HasPrefix(priority, " 5"):
		return "Low"
	}
	return "Normal"
}

// addresses reads the mailboxes of a field, as far as they can be read.
func addresses(value string) []*mail.Address {
	if value == "" {
		return nil
	}
	p := mail.AddressParser{}
	if all, err := p.ParseList(value); err == nil {
		for _, a := range all {
			a.Name = decodeWords(a.Name)
		}
		return all
	}
	var all []*mail.Address
	for word := range strings.FieldsFuncSeq(value, func(r rune) bool { return r == ',' || r == ';' }) {
		if at := strings.IndexByte(word, '@'); at > 0 {
			all = append(all, &mail.Address{Address: strings.Trim(word, " <>\t")})
		}
	}
	return all
}

// names returns how a list of recipients is displayed.
func names(all []*mail.Address) string {
	var out []string
	for _, a := range all {
		if a.Name != "" {
			out = append(out, a.Name)
		} else {
			out = append(out, a.Address)
		}
	}
	return strings.Join(out, "; ")
}

// subject returns the subject, decoded.
func (it *item) subject() string { return it.head().get("Subject") }

// value returns a property that has one simple value.
func (it *item) value(name string) (value, bool) {
	if v, there, is := it.flagValue(name); is {
		return v, there
	}
	return it.headerValue(name)
}

// flagValue returns those that are not in the message itself.
func (it *item) flagValue(name string) (v value, there, is bool) {
	switch name {
	case "ItemClass":
		if it.appointment() {
			return textValue("IPM.Appointment"), true, true
		}
		return textValue("IPM.Note"), true, true
	case "Sensitivity":
		return textValue("Normal"), true, true
	case "Culture":
		return textValue("en-US"), true, true
	case "LastModifiedName":
		return textValue(it.folder.owner.Address()), true, true
	case "DateTimeReceived", "DateTimeCreated":
		return timeValue(it.m.Received), true, true
	case "LastModifiedTime":
		return timeValue(it.modified()), true, true
	case "DateTimeSent":
		return timeValue(it.sent()), true, true
	case "Size":
		return numberValue(len(it.m.Raw)), true, true
	case "Importance":
		return textValue(it.importance()), true, true
	case "IsSubmitted", "IsResend", "IsUnmodified", "IsAssociated", "ReminderIsSet", "IsResponseRequested":
		return boolValue(false), true, true
	case "IsDraft":
		return boolValue(it.m.Has(mailtest.Draft)), true, true
	case "IsRead":
		return boolValue(it.m.Has(mailtest.Seen)), true, true
	case "IsFromMe":
		return boolValue(it.fromMe()), true, true
	case "HasAttachments":
		return boolValue(it.hasAttachments()), true, true
	case "FlagStatus":
		return textValue(it.flagStatus()), true, true
	case "Categories":
		all := it.categories()
		return listValue(all), len(all) > 0, true
	case "ReminderMinutesBeforeStart":
		return numberValue(0), true, true
	}
	return value{}, false, false
}

// headerValue returns those that are in the header or the body.
func (it *item) headerValue(name string) (value, bool) {
	h := it.head()
	if header := singleField(name); header != "" {
		text := h.rawGet(header)
		return textValue(text), text != ""
	}
	if header := listField(name); header != "" {
		all := addresses(h.rawGet(header))
		if strings.HasPrefix(name, "Display") {
			return textValue(names(all)), true
		}
		var texts []string
		for _, a := range all {
			texts = append(texts, a.Name+" <"+a.Address+">")
		}
		return listValue(texts), len(texts) > 0
	}
	switch name {
	case "Subject":
		return textValue(it.subject()), h.rawGet("Subject") != ""
	case "ConversationTopic":
		return textValue(topic(it.subject())), true
	case "IsReadReceiptRequested":
		return boolValue(h.rawGet("Disposition-Notification-To") != ""), true
	case "IsDeliveryReceiptRequested":
		return boolValue(h.rawGet("Return-Receipt-To") != ""), true
	case "Body", "TextBody", "UniqueBody", "NormalizedBody":
		text, _ := it.content().body("Text")
		return textValue(text), true
	case "Preview":
		text, _ := it.content().body("Text")
		preview := []rune(tidy(text))
		return textValue(string(preview[:min(len(preview), 255)])), true
	}
	return value{}, false
}

// singleField returns the field of the header that a property is.
func singleField(name string) string {
	switch name {
	case "InReplyTo":
		return "In-Reply-To"
	case "InternetMessageId":
		return "Message-ID"
	case "References":
		return name
	}
	return ""
}

// listField returns the field of the header with the mailboxes of a property,
// which may be how a list of recipients is displayed.
func listField(name string) string {
	if list, displayed := strings.CutPrefix(name, "Display"); displayed {
		name = list + "Recipients"
	}
	return peopleField(name)
}

// peopleField returns the field of the header that a property with mailboxes is.
func peopleField(name string) string {
	switch name {
	case "ToRecipients":
		return "To"
	case "CcRecipients":
		return "Cc"
	case "BccRecipients":
		return "Bcc"
	case "From", "Sender":
		return name
	case "ReplyTo":
		return "Reply-To"
	}
	return ""
}

// topic returns a subject without what answers and forwards put ahead.
func topic(subject string) string {
	for {
		prefix, rest, found := strings.Cut(subject, ":")
		switch strings.ToLower(strings.TrimSpace(prefix)) {
		case "re", "fw", "fwd", "aw", "wg":
			if found {
				subject = strings.TrimSpace(rest)
				continue
			}
		}
		return subject
	}
}

// local returns the part of a FieldURI behind the colon.
func local(uri string) string {
	_, name, found := strings.Cut(uri, ":")
	if !found {
		return uri
	}
	return name
}

// lookup gives conditions the properties of the message.
func (it *item) lookup() lookup {
	return func(p path) (value, bool) {
		switch {
		case p.isExt:
			return it.extended(p.ext)
		case p.uri == "item:InternetMessageHeader":
			text := it.head().get(p.index)
			return textValue(text), text != ""
		case p.uri == "item:Flag":
			return it.value("FlagStatus")
		}
		return it.value(local(p.uri))
	}
}

// conversation returns the id of the conversation.
func (it *item) conversation() string {
	return id{kind: 'C', mailbox: mailboxKey(it.folder.owner), message: it.m.Thread}.String()
}

// hexTag names a tag for people.
func hexTag(tag int) string { return "0x" + strconv.FormatInt(int64(tag), 16) }
