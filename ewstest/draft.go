package ewstest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// draft is a message while a client makes or changes it.
type draft struct {
	call      *call
	mime      string // the bytes that the client gave
	top       *part
	flags     []string
	received  time.Time
	bag       bag
	fresh     bool // it is being created
	stated    bool // whether it is a draft was said
	rewritten bool // its bytes change
	kept      bool // its bag changes

	answered   *item // gets answerFlag when this is sent
	answerFlag string
}

// newDraft begins a message without content.
func (c *call) newDraft() *draft {
	return &draft{call: c, top: &part{gap: "\r\n"}, fresh: true, flags: []string{mailtest.Draft}, bag: bag{props: map[string]value{}}}
}

// draftOf begins to change a message.
func (c *call) draftOf(it *item) *draft {
	d := &draft{call: c, top: it.tree(), flags: slices.Clone(it.m.Flags), received: it.m.Received, bag: it.bag()}
	props := make(map[string]value)
	maps.Copy(props, d.bag.props)
	d.bag.props = props
	return d
}

// flag sets or takes a flag.
func (d *draft) flag(name string, set bool) {
	d.flags = slices.DeleteFunc(d.flags, func(f string) bool { return strings.EqualFold(f, name) })
	if set {
		d.flags = append(d.flags, name)
	}
}

// field sets a field of the header.
func (d *draft) field(name, value string) {
	d.top.set(name, value)
	d.rewritten = true
}

// set gives the message a property, by its element.
func (d *draft) set(n *node) error {
	name := n.name.Local
	if header := singleField(name); header != "" {
		d.field(header, encodeWord(n.value()))
		return nil
	}
	if header := peopleField(name); header != "" {
		value, err := recipients(n)
		d.field(header, value)
		return err
	}
	switch name {
	case "Subject":
		d.field("Subject", encodeWord(n.value()))
	case "Body":
		d.setBody(n.raw(), n.attr("BodyType"))
	case "Importance":
		d.bag.importance, d.kept = n.value(), true
	case "IsRead":
		d.flag(mailtest.Seen, truth(n.value()))
	case "Categories":
		d.categories(n)
	case "Flag":
		d.status(n.child("FlagStatus").value())
	case "IsReadReceiptRequested":
		d.receipt("Disposition-Notification-To", truth(n.value()))
	case "IsDeliveryReceiptRequested":
		d.receipt("Return-Receipt-To", truth(n.value()))
	case "ExtendedProperty":
		return d.setExtended(n)
	case "Attachments":
		return d.attach(n)
	case "ItemClass", "Sensitivity", "Culture", "ReminderIsSet", "ReminderDueBy", "ReminderMinutesBeforeStart",
		"IsResponseRequested", "ItemId", "ParentFolderId", "MimeContent":
		// Without effect, or seen to elsewhere.
	default:
		return fail("ErrorInvalidPropertySet", "Set action is invalid for property %s.", name)
	}
	return nil
}

func (d *draft) receipt(field string, wanted bool) {
	address := ""
	if wanted {
		address = d.call.actor.Address()
	}
	d.field(field, address)
}

// status sets the state of the flag.
func (d *draft) status(text string) {
	d.flag(mailtest.Flagged, text == "Flagged")
	d.bag.completed, d.kept = text == "Complete", true
}

// categories replaces the categories. Those that are no IMAP keywords are kept
// aside.
func (d *draft) categories(n *node) {
	d.flags = slices.DeleteFunc(d.flags, func(f string) bool {
		return !strings.HasPrefix(f, `\`) && f != forwarded
	})
	d.bag.categories, d.kept = nil, true
	for _, c := range n.all() {
		name := c.value()
		switch {
		case name == "":
		case keyword(name):
			d.flags = append(d.flags, name)
		default:
			d.bag.categories = append(d.bag.categories, name)
		}
	}
}

// keyword reports whether a category can be a keyword: an atom of IMAP that has no
// other word here.
func keyword(name string) bool {
	return name != forwarded && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
	})
}

// unset takes a property away.
func (d *draft) unset(name string) error {
	switch name {
	case "Categories":
		d.categories(nil)
	case "Flag":
		d.status("NotFlagged")
	case "Subject", "References":
		d.field(name, "")
	case "Body":
		d.setBody("", "Text")
	case "Importance":
		d.bag.importance, d.kept = "Normal", true
	case "ToRecipients", "CcRecipients", "BccRecipients", "ReplyTo":
		d.field(peopleField(name), "")
	case "InReplyTo":
		d.field("In-Reply-To", "")
	default:
		return fail("ErrorInvalidPropertyDelete", "Delete action is invalid for property %s.", name)
	}
	return nil
}

// recipients writes mailboxes as a field has them.
func recipients(n *node) (string, error) {
	var all []string
	for _, m := range n.all() {
		if !m.is("Mailbox") {
			continue
		}
		address := m.child("EmailAddress").value()
		if !strings.Contains(address, "@") || strings.ContainsAny(address, "<>\r\n, ") {
			return "", fail("ErrorInvalidRecipients", "At least one recipient is not valid.")
		}
		if name := m.child("Name").value(); name != "" && name != address {
			address = phrase(name) + " <" + address + ">"
		}
		all = append(all, address)
	}
	return strings.Join(all, ", "), nil
}

// phrase writes a name as it may stand ahead of an address.
func phrase(name string) string {
	encoded := encodeWord(name)
	if encoded != name {
		return encoded
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
}

// extendedValue reads the value of an ExtendedProperty, nothing where it is to be
// deleted.
func extendedValue(n *node, deleted bool) (*value, error) {
	if deleted {
		return nil, nil //nolint:nilnil // Nothing is what a deleted property has.
	}
	if n == nil {
		return nil, fail("ErrorUpdatePropertyMismatch", "The property path does not match the property that is set.")
	}
	if values := n.child("Values"); values != nil {
		var texts []string
		for _, v := range values.children {
			texts = append(texts, v.raw())
		}
		v := listValue(texts)
		return &v, nil
	}
	text := n.child("Value").raw()
	v := textValue(text)
	switch n.child("ExtendedFieldURI").attr("PropertyType") {
	case "Integer", "Long", "Short":
		number, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return nil, fail("ErrorInvalidExtendedPropertyValue", "The value of the extended property is invalid.")
		}
		v.kind, v.num = numberKind, number
	case "Boolean":
		v = boolValue(truth(strings.TrimSpace(text)))
	case "SystemTime":
		var ok bool
		if v, ok = (value{kind: timeKind}).constant(strings.TrimSpace(text)); !ok {
			return nil, fail("ErrorInvalidExtendedPropertyValue", "The value of the extended property is invalid.")
		}
	}
	return &v, nil
}

// put keeps a property of an item or a folder; nil takes it away.
func (s *Server) put(id uint64, e extended, v *value) {
	s.keep(id, func(b *bag) { b.put(e, v) })
}

func (b *bag) put(e extended, v *value) {
	if v == nil {
		delete(b.props, e.key())
		return
	}
	b.props[e.key()] = *v
}

// setExtended sets a property of MAPI.
func (d *draft) setExtended(n *node) error {
	e, err := parseExtended(n.child("ExtendedFieldURI"))
	if err != nil {
		return err
	}
	v, err := extendedValue(n, false)
	if err != nil {
		return err
	}
	return d.putExtended(e, v)
}

// putExtended sets a property, or deletes it where the value is nil.
func (d *draft) putExtended(e extended, v *value) error {
	var set value
	if v != nil {
		set = *v
	}
	switch {
	case e.set == "internetheaders":
		d.field(e.name, encodeWord(set.text))
	case e.isDeletedMark():
		d.flag(mailtest.Deleted, set.num == 1)
	case e.isKeywords():
		n := &node{}
		for _, text := range set.texts {
			n.children = append(n.children, &node{text: text})
		}
		d.categories(n)
	case e.tag == 0x0e06 && v != nil:
		d.received = time.Unix(set.num, 0).UTC()
	case d.putTag(e.tag, int(set.num)):
	case e.tag == 0x0e07, e.tag == 0x0e08, e.tag == 0x0e23, e.tag == 0x0fff:
		return fail("ErrorInvalidPropertySet", "Set action is invalid for property %s.", hexTag(e.tag))
	default:
		d.bag.put(e, v)
		d.kept = true
	}
	return nil
}

// putTag sets the flags that a property with a tag stands for, and reports whether
// it is such a one.
func (d *draft) putTag(tag, number int) bool {
	switch {
	case tag == 0x0e07 && d.fresh: // PR_MESSAGE_FLAGS
		d.stated = true
		d.flag(mailtest.Seen, number&1 != 0)
		d.flag(mailtest.Draft, number&8 != 0)
	case tag == 0x1090: // PR_FLAG_STATUS
		d.status(map[int]string{2: "Flagged", 1: "Complete"}[number])
	case tag == 0x1081: // PR_LAST_VERB_EXECUTED
		d.flag(mailtest.Answered, number == 102 || number == 103)
		d.flag(forwarded, number == 104)
	case tag == 0x1080: // PR_ICON_INDEX, which follows from what was last done
	default:
		return false
	}
	return true
}
