package imapx

import (
	"strconv"

	"github.com/mailsession/mailsession/session"
)

// gmail is the capability of Gmail's extensions
// (https://developers.google.com/workspace/gmail/imap/imap-extensions).
const gmail = "X-GM-EXT-1"

// maxLabel bounds one name in an answer: a label, an id.
const maxLabel = 64 << 10

// versions reports whether the server counts changes (RFC 7162). QRESYNC
// contains CONDSTORE.
func (c capabilities) versions() bool { return c.has("CONDSTORE") || c.has("QRESYNC") }

// extraItems returns what to ask for of the fields that only some servers have.
func (c capabilities) extraItems(fields session.Fields) []string {
	var items []string
	if fields&session.FieldVersion != 0 && c.versions() {
		items = append(items, "MODSEQ")
	}
	if fields&session.FieldIDs != 0 {
		switch {
		case c.has("OBJECTID"):
			items = append(items, "EMAILID", "THREADID")
		case c.has(gmail):
			items = append(items, "X-GM-MSGID", "X-GM-THRID")
		}
	}
	if fields&session.FieldLabels != 0 && c.has(gmail) {
		items = append(items, "X-GM-LABELS")
	}
	if fields&session.FieldPreview != 0 && c.has("PREVIEW") {
		items = append(items, "PREVIEW (LAZY)")
	}
	if c.asksStructure(fields) {
		items = append(items, "BODYSTRUCTURE") // the last: what is behind it may be lost
	}
	return items
}

// asksStructure reports whether the structure is asked for: also for previews,
// where the server makes none.
func (c capabilities) asksStructure(fields session.Fields) bool {
	return fields&session.FieldStructure != 0 || fields&session.FieldPreview != 0 && !c.has("PREVIEW")
}

// scanExtra reads the value of an item that only some servers tell of a message,
// and passes over any other.
func scanExtra(m *session.Message, name string, sc *scanner) (err error) {
	var words []string
	switch name {
	case "MODSEQ":
		if words, err = scanWords(sc, 1); err != nil {
			return err
		}
		if n, bad := strconv.ParseUint(first(words), 10, 64); bad == nil && n > 0 {
			m.Version = session.Version(strconv.FormatUint(n, 10))
		}
	case "EMAILID", "X-GM-MSGID":
		words, err = scanWords(sc, 1)
		m.EmailID = first(words)
	case "THREADID", "X-GM-THRID":
		words, err = scanWords(sc, 1)
		m.ThreadID = first(words)
	case "X-GM-LABELS":
		words, err = scanWords(sc, maxLabels)
		m.Labels = make([]string, 0, len(words))
		for _, w := range words {
			m.Labels = append(m.Labels, labelOf(w))
		}
	default:
		err = sc.skip()
	}
	return err
}

// maxLabels is how many labels of a message are kept. Gmail allows 10,000 in a
// mailbox.
const maxLabels = 10_000

func first(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[0]
}

// labelOf decodes a label's name, which is written as a folder's. One that is
// not in that encoding is taken as it stands.
func labelOf(word string) string {
	if name := decodeUTF7(word); encodeUTF7(name) == word {
		return name
	}
	return word
}

// scanWords reads a list of strings, or one without parentheses; NIL is none.
// Those beyond limit are dropped.
func scanWords(sc *scanner, limit int) ([]string, error) {
	list := sc.accept('(')
	var words []string
	for {
		if list && sc.accept(')') {
			return words, nil
		}
		text, err := sc.text(maxLabel)
		if err != nil {
			return nil, err
		}
		if text != nil && len(words) < limit {
			words = append(words, string(text))
		}
		if !list {
			return words, nil
		}
	}
}
