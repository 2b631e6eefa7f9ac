package ewstest

import (
	"slices"
	"strings"
	"sync"
)

// itemShape is which properties of items a request wants.
type itemShape struct {
	wanted   map[string]bool
	named    []string // those of them that were asked for one by one
	headers  []string // single fields of the header, by name
	ext      []path
	bodyType string
	maxBody  int // 0 for no limit
	find     bool
}

// messageOrder returns the elements of a message in the order of the schema, as
// far as this server has them.
var messageOrder = sync.OnceValue(func() []string { //nolint:gochecknoglobals // Computed once, never changed.
	return []string{
		"MimeContent", "ItemId", "ParentFolderId", "ItemClass", "Subject", "Sensitivity", "Body", "Attachments",
		"DateTimeReceived", "Size", "Categories", "Importance", "InReplyTo", "IsSubmitted", "IsDraft", "IsFromMe", "IsResend",
		"IsUnmodified", "InternetMessageHeaders", "DateTimeSent", "DateTimeCreated", "ResponseObjects", "ReminderIsSet",
		"ReminderMinutesBeforeStart", "DisplayCc", "DisplayTo", "DisplayBcc", "HasAttachments", "ExtendedProperty", "Culture",
		"EffectiveRights", "LastModifiedName", "LastModifiedTime", "IsAssociated", "ConversationId", "UniqueBody", "Flag",
		"InstanceKey", "NormalizedBody", "Preview", "TextBody", "Sender", "ToRecipients", "CcRecipients", "BccRecipients",
		"IsReadReceiptRequested", "IsDeliveryReceiptRequested", "ConversationIndex", "ConversationTopic", "From",
		"InternetMessageId", "IsRead", "IsResponseRequested", "References", "ReplyTo",
	}
})

// neverFound lists what FindItem cannot return.
func neverFound() []string {
	return []string{
		"MimeContent", "Body", "Attachments", "InternetMessageHeaders", "ResponseObjects", "UniqueBody", "NormalizedBody", "TextBody",
		"ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo",
	}
}

// asked lists what comes only where it is asked for by name.
func asked() []string {
	return []string{"MimeContent", "UniqueBody", "NormalizedBody", "TextBody"}
}

// defaultShape lists the properties of the base shape Default.
func defaultShape() []string {
	return []string{
		"Subject", "Sensitivity", "Body", "Attachments", "Size", "DateTimeSent", "DateTimeCreated", "ResponseObjects",
		"HasAttachments", "IsAssociated", "ToRecipients", "CcRecipients", "From", "IsReadReceiptRequested",
		"IsDeliveryReceiptRequested", "IsRead", "Importance", "InternetMessageId",
	}
}

// younger tells since which version a property is there.
var younger = sync.OnceValue(func() map[string]Version { //nolint:gochecknoglobals // Computed once, never changed.
	return map[string]Version{
		"item:ConversationId": "Exchange2010", "item:UniqueBody": "Exchange2010", "item:IsAssociated": "Exchange2010",
		"item:EffectiveRights": Exchange2007SP1, "item:StoreEntryId": Exchange2010SP2,
		"item:Flag": "Exchange2013", "item:Preview": "Exchange2013", "item:TextBody": "Exchange2013",
		"item:NormalizedBody": "Exchange2013", "item:InstanceKey": "Exchange2013", "item:IconIndex": Exchange2013SP1,
		"folder:DistinguishedFolderId": "Exchange2013", "folder:PolicyTag": "Exchange2013", "item:PolicyTag": "Exchange2013",
	}
})

// inVersion refuses a property that is younger than the request.
func (c *call) inVersion(uri string) error {
	since := younger()[uri]
	switch {
	case c.version.atLeast(since):
		return nil
	case c.server.options.Version.atLeast(since):
		return fail("ErrorInvalidPropertyForExchange2007", "The property %s cannot be used with this version of the request.", uri)
	}
	return fail("ErrorSchemaValidation", "The request failed schema validation: The 'FieldURI' attribute is invalid - The value '%s' is invalid.", uri)
}

// itemShape reads the ItemShape of a request.
func (c *call) itemShape(find bool) (itemShape, error) {
	n := c.req.child("ItemShape")
	s := itemShape{wanted: map[string]bool{"ItemId": true}, find: find, bodyType: n.child("BodyType").value()}
	s.maxBody, _ = positive(n.child("MaximumBodySize").value())
	switch n.child("BaseShape").value() {
	case "Default":
		for _, name := range defaultShape() {
			s.wanted[name] = true
		}
	case "AllProperties":
		for _, name := range messageOrder() {
			s.wanted[name] = !slices.Contains(asked(), name)
		}
	}
	for uri, since := range younger() {
		if !c.version.atLeast(since) {
			delete(s.wanted, local(uri))
		}
	}
	if find {
		for _, name := range neverFound() {
			delete(s.wanted, name)
		}
	}
	if truth(n.child("IncludeMimeContent").value()) && !find {
		s.wanted["MimeContent"] = true
	}
	return s, c.further(&s, n.child("AdditionalProperties"))
}

// further adds the additional properties to a shape.
func (c *call) further(s *itemShape, n *node) error {
	more, err := paths(n)
	if err != nil {
		return err
	}
	for _, p := range more {
		switch {
		case p.isExt:
			s.ext = append(s.ext, p)
			continue
		case p.index != "":
			if p.uri == "item:InternetMessageHeader" {
				s.headers = append(s.headers, p.index)
			}
			continue
		}
		if err := c.inVersion(p.uri); err != nil {
			return err
		}
		name := local(p.uri)
		if s.find && slices.Contains(neverFound(), name) {
			if c.server.options.Strict {
				return fail("ErrorInvalidPropertyRequest", "Property %s is not valid for this operation.", p.uri)
			}
			continue
		}
		s.wanted[name] = true
		s.named = append(s.named, name)
	}
	return nil
}

// writeItem writes a message with the wanted properties, in the order of the
// schema.
func (c *call) writeItem(it *item, s itemShape) {
	c.w.start(it.element())
	for _, name := range messageOrder() {
		switch {
		case name == "ExtendedProperty":
			for _, p := range s.ext {
				if v, there := it.extended(p.ext); there {
					writeExtended(c.w, p, v)
				}
			}
		case name == "InternetMessageHeaders" && (s.wanted[name] || len(s.headers) > 0):
			c.writeHeaders(it, s)
		case s.wanted[name] && it.has(name):
			c.writeProperty(it, s, name)
		}
	}
	c.w.end()
}

// writeProperty writes one property, if the message has it.
func (c *call) writeProperty(it *item, s itemShape, name string) {
	w := c.w
	switch name {
	case "MimeContent":
		writeMIME(w, it.m.Raw)
	case "ItemId":
		w.empty("t:ItemId", "Id", it.key(), "ChangeKey", it.changeKey())
	case "ParentFolderId":
		w.empty("t:ParentFolderId", "Id", it.folder.key(), "ChangeKey", it.folder.changeKey())
	case "Body", "UniqueBody", "NormalizedBody", "TextBody":
		c.writeBody(it, s, name)
	case "Attachments":
		c.writeAttachmentList(it)
	case "Categories":
		writeCategories(w, it.categories())
	case "ResponseObjects":
		w.start("t:ResponseObjects")
		for _, object := range []string{"ReplyToItem", "ReplyAllToItem", "ForwardItem"} {
			w.empty("t:" + object)
		}
		w.end()
	case "EffectiveRights":
		c.writeRights()
	case "ConversationId":
		w.empty("t:ConversationId", "Id", it.conversation())
	case "Flag":
		w.start("t:Flag")
		w.elem("t:FlagStatus", it.flagStatus())
		w.end()
	case "InstanceKey":
		w.elem("t:InstanceKey", it.key()[:32])
	case "ConversationIndex":
		w.elem("t:ConversationIndex", it.conversation()[:32])
	case "Sender", "From", "ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo":
		writePeople(w, it, name)
	default:
		if v, there := it.value(name); there {
			w.elem("t:"+name, v.text)
		}
	}
}

func writeCategories(w *writer, all []string) {
	if len(all) == 0 {
		return
	}
	w.start("t:Categories")
	for _, category := range all {
		w.elem("t:String", category)
	}
	w.end()
}

// writePeople writes who a message is from and to.
func writePeople(w *writer, it *item, name string) {
	all := addresses(it.head().rawGet(listField(name)))
	if name == "Sender" && len(all) == 0 {
		all = addresses(it.head().rawGet("From"))
	}
	if len(all) == 0 {
		return
	}
	if name == "From" || name == "Sender" {
		all = all[:1]
	}
	w.start("t:" + name)
	for _, a := range all {
		writeMailbox(w, a.Name, a.Address)
	}
	w.end()
}

func writeMailbox(w *writer, name, address string) {
	w.start("t:Mailbox")
	if name == "" {
		name = address
	}
	w.elem("t:Name", name)
	w.given("t:EmailAddress", address)
	w.elem("t:RoutingType", "SMTP")
	w.elem("t:MailboxType", "Mailbox")
	w.end()
}

// writeBody writes the text in the form that was asked for.
func (c *call) writeBody(it *item, s itemShape, name string) {
	want := s.bodyType
	if name == "TextBody" {
		want = "Text"
	}
	text, form := it.content().body(want)
	attrs := []string{"BodyType", form}
	if runes := []rune(text); s.maxBody > 0 && len(runes) > s.maxBody && c.version.atLeast("Exchange2013") {
		text = string(runes[:s.maxBody])
		attrs = append(attrs, "IsTruncated", "true")
	} else if c.version.atLeast("Exchange2013") {
		attrs = append(attrs, "IsTruncated", "false")
	}
	c.w.elem("t:"+name, strings.ReplaceAll(text, "\x00", ""), attrs...)
}

// writeHeaders writes the fields of the header, or those that were asked for.
func (c *call) writeHeaders(it *item, s itemShape) {
	open := false
	for _, f := range it.head().fields {
		chosen := s.wanted["InternetMessageHeaders"] ||
			slices.ContainsFunc(s.headers, func(name string) bool { return strings.EqualFold(name, f.name) })
		if f.name == "" || !chosen {
			continue
		}
		if !open {
			c.w.start("t:InternetMessageHeaders")
			open = true
		}
		c.w.elem("t:InternetMessageHeader", strings.TrimSpace(f.value), "HeaderName", f.name)
	}
	if open {
		c.w.end()
	}
}
