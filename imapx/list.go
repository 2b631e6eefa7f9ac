package imapx

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-imap/v2"
)

// maxName bounds the name of a folder.
const maxName = 16 << 10

// scanList reads a LIST response. The folder's name is as the server writes it.
// What stands in place of one for servers that break the grammar is taken as it
// stands: a name with spaces, tabs or quotes in it can be sent back.
func scanList(sc *scanner) (*imap.ListData, error) {
	attrs, err := scanAttributes(sc)
	if err != nil {
		return nil, err
	}
	delim, err := sc.text(maxName)
	if err != nil {
		return nil, err
	}
	if sc.peek() == atEnd {
		return nil, sc.malformed("a folder's name")
	}
	d := &imap.ListData{Attrs: attrs}
	if r, n := utf8.DecodeRune(delim); n == len(delim) && n > 0 {
		d.Delim = r
	}
	name, err := scanName(sc)
	d.Mailbox = string(name)
	return d, err
}

// scanAttributes reads the list of a folder's attributes, which may be missing.
func scanAttributes(sc *scanner) (attrs []imap.MailboxAttr, err error) {
	if sc.null() || !sc.accept('(') {
		return nil, nil
	}
	for !sc.accept(')') {
		word := sc.name()
		if len(word) == 0 {
			return nil, sc.malformed("a folder's attribute")
		}
		attrs = append(attrs, attribute(string(word)))
	}
	return attrs, nil
}

// attribute returns the registered spelling of an attribute. Servers that know
// XLIST alone have other words for some.
func attribute(word string) imap.MailboxAttr {
	for _, a := range []imap.MailboxAttr{
		imap.MailboxAttrNonExistent, imap.MailboxAttrNoInferiors, imap.MailboxAttrNoSelect, imap.MailboxAttrHasChildren,
		imap.MailboxAttrHasNoChildren, imap.MailboxAttrMarked, imap.MailboxAttrUnmarked, imap.MailboxAttrSubscribed,
		imap.MailboxAttrRemote, imap.MailboxAttrAll, imap.MailboxAttrArchive, imap.MailboxAttrDrafts, imap.MailboxAttrFlagged,
		imap.MailboxAttrJunk, imap.MailboxAttrSent, imap.MailboxAttrTrash, imap.MailboxAttrImportant,
	} {
		if strings.EqualFold(word, string(a)) {
			return a
		}
	}
	switch strings.ToLower(word) {
	case `\allmail`:
		return imap.MailboxAttrAll
	case `\starred`:
		return imap.MailboxAttrFlagged
	case `\spam`:
		return imap.MailboxAttrJunk
	}
	return imap.MailboxAttr(word)
}

// scanName reads a folder's name at the end of a response.
func scanName(sc *scanner) ([]byte, error) {
	if sc.peek() == atLiteral {
		return sc.text(maxName)
	}
	name := repairName(sc.line)
	sc.line = nil
	return bytes.Clone(name), nil
}

// repairName returns the name that stands at the beginning of line. It ends at
// its closing quote, or at the extended data behind it (RFC 9051 section 6.3.9),
// or at the end: where a quote stands elsewhere, or a space or parenthesis
// without quotes, it belongs to the name.
func repairName(line []byte) []byte {
	line = bytes.TrimRight(line, " ")
	if inner, quoted := bytes.CutPrefix(line, []byte{'"'}); quoted {
		s := &scanner{line: line}
		if name, err := s.quoted(); err == nil && (len(s.line) == 0 || bytes.HasPrefix(s.line, []byte(" ("))) {
			return name
		}
		return bytes.TrimSuffix(inner, []byte{'"'})
	}
	name, _, _ := bytes.Cut(line, []byte(` ("`))
	return name
}
