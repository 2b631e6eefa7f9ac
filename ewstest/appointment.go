package ewstest

import (
	"slices"
	"strings"
)

// What lies in a mailbox is not all mail: who deletes an appointment has it among the
// deleted items. Here a message is one whose type is text/calendar without a method, as
// Exchange writes an appointment in MIME.

// appointment reports whether an item is one.
func (it *item) appointment() bool {
	kind, params := it.head().contentType()
	return kind == "text/calendar" && params["method"] == ""
}

// element returns what an item is called in answers.
func (it *item) element() string {
	if it.appointment() {
		return "t:CalendarItem"
	}
	return "t:Message"
}

// has reports whether an item can have a property of messages.
func (it *item) has(name string) bool {
	return !it.appointment() || !slices.Contains(strings.Fields(messageNames), name)
}

// properties refuses, as Exchange 2007 does, what an item of its kind cannot have. Its
// successors leave it out.
func (c *call) properties(it *item, s itemShape) error {
	if c.version.atLeast("Exchange2010") {
		return nil
	}
	for _, name := range s.named {
		if !it.has(name) {
			return fail("ErrorInvalidPropertyRequest", "Property is not valid for this object type.")
		}
	}
	return nil
}

// invitations refuses a request about an appointment that does not say, by an attribute,
// what becomes of invitations.
func (c *call) invitations(it *item, attribute string) error {
	if it.appointment() && c.req.attr(attribute) == "" {
		return fail("Error"+attribute+"Required", "%s attribute is required for Calendar items.", attribute)
	}
	return nil
}
