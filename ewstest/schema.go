package ewstest

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// checkEnvelope refuses what is not in the schema of the protocol, as Exchange
// does: elements that are unknown, missing, in a wrong order or namespace, and
// values that are none of those allowed. The rules are in schemarules.go.
func checkEnvelope(envelope *node) *failure {
	if envelope.name.Space != soapSpace {
		return violation("The element '%s' is invalid.", envelope.name.Local)
	}
	if sid := envelope.find("Header", "ExchangeImpersonation"); sid != nil {
		if f := checkElement(sid, typesSpace); f != nil {
			return f
		}
	}
	request := envelope.child("Body").first()
	if request.name.Space != messagesSpace {
		return violation("The element '%s' has an invalid namespace.", request.name.Local)
	}
	if f := checkAttributes(request); f != nil {
		return f
	}
	return checkChildren(request, messagesSpace)
}

func violation(format string, args ...any) *failure {
	f := fail("ErrorSchemaValidation", "The request failed schema validation: "+format, args...)
	f.violation = fmt.Sprintf(format, args...)
	return f
}

// step is one place in the order of the children of an element.
type step struct {
	names    []string
	required bool
	many     bool
}

// rules returns the steps of each element that has a rule.
var rules = sync.OnceValue(func() map[string][]step { //nolint:gochecknoglobals // Computed once, never changed.
	all := make(map[string][]step)
	for line := range strings.Lines(elementRules) {
		names, content, found := strings.Cut(strings.TrimSpace(line), ": ")
		if !found {
			continue
		}
		var steps []step
		for word := range strings.FieldsSeq(content) {
			bare := strings.TrimRight(word, "!*+")
			marks := word[len(bare):]
			steps = append(steps, step{
				names:    strings.Split(bare, "|"),
				required: strings.ContainsAny(marks, "!+"),
				many:     strings.ContainsAny(marks, "*+"),
			})
		}
		for name := range strings.FieldsSeq(names) {
			all[name] = steps
		}
	}
	return all
})

// checkElement checks an element whose parent allows it.
func checkElement(n *node, space string) *failure {
	if n.name.Space != space {
		return violation("The element '%s' in namespace '%s' is invalid.", n.name.Local, n.name.Space)
	}
	if f := checkAttributes(n); f != nil {
		return f
	}
	if f := checkText(n); f != nil {
		return f
	}
	return checkChildren(n, typesSpace)
}

// checkChildren checks the children of an element, which are of a namespace.
func checkChildren(n *node, space string) *failure {
	steps, known := rules()[n.name.Local]
	if !known {
		return nil // Nothing that this server looks into.
	}
	if strings.HasSuffix(n.name.Local, "OofSettingsRequest") {
		space = typesSpace
	}
	at, count := 0, 0
	for _, c := range n.children {
		for at < len(steps) && !slices.Contains(steps[at].names, c.name.Local) {
			if steps[at].required && count == 0 {
				return violation("The element '%s' has invalid child element '%s'. Expected is '%s'.",
					n.name.Local, c.name.Local, strings.Join(steps[at].names, "', '"))
			}
			at, count = at+1, 0
		}
		if at == len(steps) || count > 0 && !steps[at].many {
			return violation("The element '%s' has invalid child element '%s'.", n.name.Local, c.name.Local)
		}
		count++
		if f := checkElement(c, space); f != nil {
			return f
		}
	}
	for ; at < len(steps); at, count = at+1, 0 {
		if steps[at].required && count == 0 {
			return violation("The element '%s' has incomplete content. Expected is '%s'.",
				n.name.Local, strings.Join(steps[at].names, "', '"))
		}
	}
	return nil
}

// checkText checks the text of elements that allow certain values.
func checkText(n *node) *failure {
	allowed, limited := textRules()[n.name.Local]
	if !limited || len(n.children) > 0 {
		return nil
	}
	if text := n.value(); !fits(text, allowed) {
		return violation("The '%s' element is invalid - The value '%s' is invalid according to its datatype.", n.name.Local, text)
	}
	return nil
}

// fits reports whether a text is one of the words, or of the kind that a single
// word in angle brackets names.
func fits(text, allowed string) bool {
	switch allowed {
	case "<bool>":
		return slices.Contains([]string{"true", "false", "0", "1"}, text)
	case "<int>":
		_, err := strconv.ParseInt(text, 10, 32)
		return err == nil
	case "<any>":
		return true
	}
	return slices.Contains(strings.Fields(allowed), text)
}

// checkAttributes checks the attributes of an element.
func checkAttributes(n *node) *failure {
	for rule := range strings.FieldsSeq(attributeRules()[n.name.Local]) {
		name, required := strings.CutSuffix(rule, "!")
		value := n.attr(name)
		there := slices.ContainsFunc(n.attrs, func(a xml.Attr) bool { return a.Name.Local == name })
		if required && !there {
			return violation("The required attribute '%s' is missing.", name)
		}
		if allowed := valueRules(n.name.Local, name); there && !fits(value, allowed) {
			return violation("The '%s' attribute is invalid - The value '%s' is invalid according to its datatype.", name, value)
		}
	}
	if n.is("FieldURI") {
		return checkURI(n.attr("FieldURI"))
	}
	return nil
}

// checkURI checks the name of a property of items, messages and folders. Those
// of calendars, contacts and the like pass.
func checkURI(uri string) *failure {
	prefix, name, _ := strings.Cut(uri, ":")
	known := map[string]string{"item": itemNames, "message": messageNames, "folder": folderNames}
	if names, limited := known[prefix]; limited && !fits(name, names) {
		return violation("The 'FieldURI' attribute is invalid - The value '%s' is invalid according to its datatype.", uri)
	}
	return nil
}
