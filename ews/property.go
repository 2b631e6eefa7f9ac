package ews

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// tag is a property of MAPI, which EWS knows as an extended one: its number, or, with
// common in it, the id of a named one of the set Common.
type tag uint32

const common tag = 1 << 24

// The properties that carry what EWS has no words for, or not in all versions
// (MS-OXPROPS).
const (
	tagFlags    tag = 0x0E07          // PidTagMessageFlags: 1 read, 8 draft
	tagReceived tag = 0x0E06          // PidTagMessageDeliveryTime
	tagSize     tag = 0x0E08          // PidTagMessageSizeExtended, of a folder
	tagNumber   tag = 0x0E23          // PidTagInternetArticleNumber: the UID of IMAP
	tagIcon     tag = 0x1080          // PidTagIconIndex
	tagVerb     tag = 0x1081          // PidTagLastVerbExecuted
	tagFlagged  tag = 0x1090          // PidTagFlagStatus
	tagDeleted  tag = common | 0x8570 // PidLidImapDeleted
)

// What they are set to.
const (
	messageRead      = 1
	messageSubmitted = 4
	messageDraft     = 8
	flagged          = 2
	repliedTo        = 102
	repliedToAll     = 103
	iconReplied      = 261
	markedDeleted    = 1
	typeInteger      = "Integer"
	typeLong         = "Long"
	typeSystemTime   = "SystemTime"
)

// uri returns the element that names the property.
func (t tag) uri() element {
	kind := t.kind()
	if t&common != 0 {
		return el("t:ExtendedFieldURI").with("DistinguishedPropertySetId", "Common").
			with("PropertyId", strconv.Itoa(int(t&^common))).with("PropertyType", kind)
	}
	return el("t:ExtendedFieldURI").with("PropertyTag", fmt.Sprintf("0x%04x", uint32(t))).with("PropertyType", kind)
}

// kind returns the type of the property, as the schema calls it.
func (t tag) kind() string {
	if t == tagSize {
		return typeLong
	}
	if t == tagReceived {
		return typeSystemTime
	}
	return typeInteger
}

// set returns the element that gives the property a value.
func (t tag) set(value string) element {
	return el("t:ExtendedProperty", t.uri(), leaf("t:Value", value))
}

// setTo is set with a number.
func (t tag) setTo(n int) element { return t.set(strconv.Itoa(n)) }

// extended is a property that a server tells.
type extended struct {
	tag    tag
	value  int64
	number bool // the value is one
}

// extended reads an ExtendedProperty, whose start tag was read last.
func (x *scanner) extended() (extended, error) {
	var e extended
	err := x.children(func(name string) error {
		switch name {
		case "ExtendedFieldURI":
			e.tag = x.propertyTag()
		case "Value":
			text, err := x.trimmed()
			n, bad := strconv.ParseInt(string(text), 10, 64)
			e.value, e.number = n, bad == nil
			return err
		}
		return nil
	})
	return e, err
}

// propertyTag reads what an ExtendedFieldURI names, zero where that is nothing that is
// asked for.
func (x *scanner) propertyTag() tag {
	if n, err := strconv.ParseUint(x.attr("PropertyTag"), 0, 16); err == nil {
		return tag(n)
	}
	if strings.EqualFold(x.attr("DistinguishedPropertySetId"), "Common") {
		if n, err := strconv.ParseUint(x.attr("PropertyId"), 10, 16); err == nil {
			return common | tag(n)
		}
	}
	return 0
}

// instant writes a time as the schema has it.
func instant(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.999Z") }

// time reads the element whose start tag was read last as a time.
func (x *scanner) time() (time.Time, error) {
	text, err := x.trimmed()
	if err != nil {
		return time.Time{}, err
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, string(text)); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, &itemFaultError{oneLine(string(text)) + " is not a time"}
}
