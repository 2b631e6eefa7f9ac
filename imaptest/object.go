package imaptest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// Names of OBJECTID (RFC 8474) and of Gmail's extensions, as capabilities.
const (
	objectID = "OBJECTID"
	gmail    = "X-GM-EXT-1"
)

// gmailBase makes Gmail's numbers as large as Gmail's own, which neither 32 bits
// nor a floating-point number holds.
const gmailBase = 1_700_000_000_000_000_001

// The ids of RFC 8474 and the numbers of Gmail for the same things.
func emailID(m *mailtest.Message) string      { return "M" + strconv.FormatUint(m.Email, 10) }
func threadID(m *mailtest.Message) string     { return "T" + strconv.FormatUint(m.Thread, 10) }
func mailboxID(f mailtest.Folder) string      { return "F" + strconv.FormatUint(f.ID, 10) }
func gmailMessage(m *mailtest.Message) string { return strconv.FormatUint(gmailBase+m.Email, 10) }
func gmailThread(m *mailtest.Message) string  { return strconv.FormatUint(gmailBase+m.Thread, 10) }

// objectItem returns the item of FETCH that names a message or its thread, with
// a nil put where the name is none of those.
func objectItem(name string) item {
	it := item{name: name, needs: objectID}
	switch name {
	case "EMAILID":
		it.put = func(w *encoder, l *loaded) { w.raw("(" + emailID(&l.Message) + ")") }
	case "THREADID":
		it.put = func(w *encoder, l *loaded) { w.raw("(" + threadID(&l.Message) + ")") }
	default:
		return gmailItem(name)
	}
	return it
}

func gmailItem(name string) item {
	it := item{name: name, needs: gmail}
	switch name {
	case "X-GM-MSGID":
		it.put = func(w *encoder, l *loaded) { w.raw(gmailMessage(&l.Message)) }
	case "X-GM-THRID":
		it.put = func(w *encoder, l *loaded) { w.raw(gmailThread(&l.Message)) }
	case "X-GM-LABELS":
		it.put = func(w *encoder, l *loaded) { w.raw("("); w.labels(l); w.raw(")") }
	}
	return it
}

// objectKey reads the argument of a search key about ids and labels, nil where
// the name is none of those.
func (k *keys) objectKey(name string) (test, error) {
	of, needs := map[string]func(l *loaded) string{
		"EMAILID":    func(l *loaded) string { return emailID(&l.Message) },
		"THREADID":   func(l *loaded) string { return threadID(&l.Message) },
		"X-GM-MSGID": func(l *loaded) string { return gmailMessage(&l.Message) },
		"X-GM-THRID": func(l *loaded) string { return gmailThread(&l.Message) },
	}[name], objectID
	if strings.HasPrefix(name, "X-GM-") {
		needs = gmail
	}
	special := name == "X-GM-LABELS" || name == "X-GM-RAW"
	if of == nil && !special || !k.offers(needs) {
		return nil, nil
	}
	if err := k.space(); err != nil {
		return nil, err
	}
	if name == "X-GM-LABELS" {
		label, err := k.label()
		return func(l *loaded) bool { return l.hasLabel(label) }, err
	}
	text, err := k.astring()
	if err != nil {
		return nil, err
	}
	if name == "X-GM-RAW" {
		return gmailQuery(text), nil
	}
	return func(l *loaded) bool { return of(l) == text }, nil
}

// mailboxIDCode returns the response code that names a folder, "" where the
// server has no such ids.
func (s *session) mailboxIDCode(f mailtest.Folder) string {
	if !s.server.offers(objectID) {
		return ""
	}
	return fmt.Sprintf("MAILBOXID (%s)", mailboxID(f))
}
