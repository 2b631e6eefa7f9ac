package ewstest

import (
	"encoding/base64"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/mailtest"
)

// extended returns a MAPI property of a message.
func (it *item) extended(e extended) (value, bool) {
	if v, there := it.live(e); there {
		return v, true
	}
	if e.set == "internetheaders" {
		text := it.head().get(e.name)
		return textValue(text), text != ""
	}
	if v, there := it.server.bagged(it.m.ID, e); there {
		return v, true
	}
	return value{}, false
}

// simpleTags names the properties of messages that some tags are.
var simpleTags = sync.OnceValue(func() map[int]string { //nolint:gochecknoglobals // Computed once, never changed.
	return map[int]string{
		0x001a: "ItemClass", 0x0037: "Subject", 0x0e1d: "ConversationTopic", 0x0070: "ConversationTopic",
		0x0e04: "DisplayTo", 0x0e03: "DisplayCc", 0x0e02: "DisplayBcc", 0x0e1b: "HasAttachments", 0x0e08: "Size",
		0x1035: "InternetMessageId", 0x1039: "References", 0x1042: "InReplyTo", 0x1000: "Body",
		0x0e06: "DateTimeReceived", 0x0039: "DateTimeSent", 0x3007: "DateTimeCreated", 0x3008: "LastModifiedTime",
		0x0e69: "IsRead",
	}
})

// live returns a property that follows from the message and its flags.
func (it *item) live(e extended) (value, bool) {
	if name := simpleTags()[e.tag]; name != "" {
		return it.value(name)
	}
	if e.isDeletedMark() {
		return numberValue(1), it.m.Has(mailtest.Deleted)
	}
	if e.isKeywords() {
		return it.value("Categories")
	}
	switch e.tag {
	case 0x007d: // PR_TRANSPORT_MESSAGE_HEADERS
		return textValue(it.headerText()), true
	case 0x0e07: // PR_MESSAGE_FLAGS
		return numberValue(it.messageFlags()), true
	case 0x0e23: // PR_INTERNET_ARTICLE_NUMBER
		return numberValue(it.number()), !it.server.options.Unnumbered
	case 0x1090: // PR_FLAG_STATUS
		status := map[string]int{"Flagged": 2, "Complete": 1}[it.flagStatus()]
		return numberValue(status), status != 0
	case 0x1081: // PR_LAST_VERB_EXECUTED
		verb := it.verb()
		return numberValue(verb), verb != 0
	case 0x1080: // PR_ICON_INDEX
		icon := map[int]int{102: 261, 104: 262}[it.verb()]
		return numberValue(icon), icon != 0
	case 0x0017: // PR_IMPORTANCE
		return numberValue(map[string]int{"Low": 0, "Normal": 1, "High": 2}[it.importance()]), true
	case 0x0c1f, 0x0065: // PR_SENDER_EMAIL_ADDRESS, PR_SENT_REPRESENTING_EMAIL_ADDRESS
		if from := addresses(it.head().rawGet("From")); len(from) > 0 {
			return textValue(from[0].Address), true
		}
	case 0x0fff, 0x300b, 0x65e0: // PR_ENTRYID, PR_SEARCH_KEY, PR_SOURCE_KEY
		return textValue(base64.StdEncoding.EncodeToString([]byte(it.key()[:40]))), true
	}
	return value{}, false
}

// number returns the number of a message in its folder.
func (it *item) number() int {
	if it.server.options.Renumbered {
		return int(it.m.ModSeq) //nolint:gosec // G115: it counts changes, of which no two have the same
	}
	return int(it.m.UID)
}

// isKeywords reports whether a property is the categories under the name that
// MAPI has for them.
func (e extended) isKeywords() bool {
	return e.set == "publicstrings" && strings.EqualFold(e.name, "Keywords")
}

// verb is what was last done with the message: 102 is an answer, 104 a forward.
func (it *item) verb() int {
	switch {
	case it.m.Has(mailtest.Answered):
		return 102
	case it.m.Has(forwarded):
		return 104
	}
	return 0
}

// headerText returns the header as it stands.
func (it *item) headerText() string {
	var b strings.Builder
	for _, f := range it.head().fields {
		b.WriteString(f.raw)
	}
	return b.String()
}

// writeExtended writes a MAPI property under the path that it was asked for by.
func writeExtended(w *writer, p path, v value) {
	w.start("t:ExtendedProperty")
	var attrs []string
	for _, a := range p.source.attrs {
		if a.Name.Space == "" && a.Name.Local != "xmlns" {
			attrs = append(attrs, a.Name.Local, a.Value)
		}
	}
	if p.ext.tag != 0 {
		for i := 0; i+1 < len(attrs); i += 2 {
			if attrs[i] == "PropertyTag" {
				attrs[i+1] = hexTag(p.ext.tag)
			}
		}
	}
	w.empty("t:ExtendedFieldURI", attrs...)
	if strings.HasSuffix(p.ext.kind, "Array") {
		w.start("t:Values")
		for _, text := range v.texts {
			w.elem("t:Value", text)
		}
		w.end()
	} else {
		w.elem("t:Value", v.text)
	}
	w.end()
}
