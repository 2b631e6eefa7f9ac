package message

import (
	"net/mail"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

const (
	// foldAt is the length that lines of a header have where they can be broken
	// (RFC 5322 section 2.1.1), and those with encoded words must not pass (RFC
	// 2047 section 2).
	foldAt = 76
	// maxWord is the length of what may stand between two places where a line
	// can be broken. With a name and brackets it stays below 998.
	maxWord = 900
	// maxLabel is the length of a name and its colon that leaves room enough.
	maxLabel = 40
	// maxName is the length of the name of a field.
	maxName = 70
)

// A headerWriter writes header fields. After the first error it only goes
// through the motions.
type headerWriter struct {
	buf  []byte
	line int // length of the current line
	err  error
}

func (w *headerWriter) fail(field, problem string) {
	if w.err == nil {
		w.err = &FieldError{Field: field, Problem: problem}
	}
}

// name begins a field.
func (w *headerWriter) name(name string) {
	w.buf = append(append(w.buf, name...), ':')
	w.line = len(name) + 1
}

// word adds a word behind a space, on a new line if this one is full. The
// first word stays next to the name, unless that is very long.
func (w *headerWriter) word(word string) {
	first := w.buf[len(w.buf)-1] == ':' && w.line <= maxLabel
	if w.line+1+len(word) > foldAt && !first {
		w.buf = append(w.buf, '\r', '\n')
		w.line = 0
	}
	w.buf = append(append(w.buf, ' '), word...)
	w.line += 1 + len(word)
}

// end ends a field.
func (w *headerWriter) end() { w.buf = append(w.buf, '\r', '\n') }

// plain writes a field whose value is known to be right.
func (w *headerWriter) plain(name, value string) {
	w.name(name)
	for word := range strings.SplitSeq(value, " ") {
		w.word(word)
	}
	w.end()
}

// text writes an unstructured field (RFC 5322 section 3.2.5). An empty one is
// left out.
func (w *headerWriter) text(name, value string) {
	if hasBreak(value) {
		w.fail(name, "contains a line break or a NUL")
	}
	if value == "" {
		return
	}
	if isPlain(value) {
		w.plain(name, value)
		return
	}
	w.name(name)
	w.encoded(value)
	w.end()
}

// mixed writes a field of which it is not known whether it has a structure: only
// the words from the first to the last that cannot stand as they are are encoded,
// so that the identifier of a List-Id stays one (RFC 2919 section 3).
func (w *headerWriter) mixed(name, value string) {
	if hasBreak(value) {
		w.fail(name, "contains a line break or a NUL")
	}
	if value == "" {
		return
	}
	words := strings.Split(value, " ")
	first, last := 0, len(words)-1
	for first <= last && isPlain(words[first]) && (first == last || words[first+1] != "") {
		first++
	}
	for last >= first && isPlain(words[last]) && (first == last || words[last-1] != "") {
		last--
	}
	w.name(name)
	for _, word := range words[:first] {
		w.word(word)
	}
	if first <= last {
		w.encoded(strings.Join(words[first:last+1], " "))
	}
	for _, word := range words[last+1:] {
		w.word(word)
	}
	w.end()
}

// encoded adds text as encoded words: one, if it fits on a line.
func (w *headerWriter) encoded(text string) {
	if words := encodeWords(text, foldAt-1, foldAt-1); len(words) == 1 && w.buf[len(w.buf)-1] != ':' {
		w.word(words[0])
		return
	}
	room := foldAt - w.line - 1
	if room < foldAt-maxLabel-1 {
		room = foldAt - 1 // on the next line
	}
	for _, word := range encodeWords(text, room, foldAt-1) {
		w.word(word)
	}
}

// token writes a field that is one word of ASCII, perhaps with parameters.
func (w *headerWriter) token(name, value string) {
	if !isPlain(value) {
		w.fail(name, "is not plain text")
	}
	w.plain(name, value)
}

// addresses writes an address list. An empty one is left out.
func (w *headerWriter) addresses(name string, list ...mail.Address) {
	if len(list) == 0 {
		return
	}
	w.name(name)
	for i, a := range list {
		w.check(name, a)
		comma := ","
		if i == len(list)-1 {
			comma = ""
		}
		w.address(a, comma)
	}
	w.end()
}

// address adds one address with what stands behind it.
func (w *headerWriter) address(a mail.Address, behind string) {
	spec := quoteAddress(a.Address)
	display := strings.Join(strings.Fields(a.Name), " ")
	switch {
	case display == "" && !strings.Contains(spec, `"`):
		w.word(spec + behind)
		return
	case display == "":
	case isPhrase(display):
		for word := range strings.SplitSeq(display, " ") {
			w.word(word)
		}
	case isPlain(display) && len(display) < foldAt-2:
		w.word(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display) + `"`)
	default:
		w.encoded(display)
	}
	w.word("<" + spec + ">" + behind)
}

// quoteAddress returns address as it is written: with its local part in quotes if
// it needs them, and with its domain in ASCII if it can be.
func quoteAddress(address string) string {
	if address == "" {
		return ""
	}
	if ascii, err := asciiDomain(address); err == nil {
		address = ascii
	}
	s := (&mail.Address{Address: address}).String()
	return s[1 : len(s)-1] // without angle brackets
}

// asciiDomain returns address with its domain as the domain name system has it
// (RFC 5890 section 2.3.2.1), if its local part is ASCII. All servers take that.
// One with another local part needs SMTPUTF8, which its domain has no part in.
func asciiDomain(address string) (string, error) {
	i := strings.LastIndexByte(address, '@') + 1
	if i == 0 || isASCII(address[i:]) || !isASCII(address[:i]) {
		return address, nil
	}
	domain, err := idna.Lookup.ToASCII(address[i:])
	return address[:i] + domain, err
}

// personKey returns what the ways to write the address of one person have in
// common. That its local part may be in either case is not for servers to rely on
// (RFC 5321 section 2.4), but all of them have it so.
func personKey(address string) string {
	if ascii, err := asciiDomain(address); err == nil {
		address = ascii
	}
	return strings.ToLower(address)
}

// check finds whether a can be written into the field of that name.
func (w *headerWriter) check(name string, a mail.Address) {
	if hasBreak(a.Name) || hasBreak(a.Address) {
		w.fail(name, "contains a line break or a NUL")
		return
	}
	parsed, err := mail.ParseAddress("<" + quoteAddress(a.Address) + ">")
	ascii, noDomain := asciiDomain(a.Address)
	switch {
	case a.Address == "":
		w.fail(name, "has an entry without an address")
	case a.Address[0] == '"':
		w.fail(name, "has an address in quotes, which are written where they are needed; give it without them")
	case noDomain != nil:
		w.fail(name, "has an address with a domain that no international name can be")
	case err != nil || parsed.Address != ascii || strings.ContainsFunc(a.Address, isControl):
		w.fail(name, "has an entry that is not an address of the form local@domain")
	case len(a.Address) > maxWord:
		w.fail(name, "has an address that is too long")
	}
}

// ids writes message identifiers (RFC 5322 section 3.6.4). An empty list is
// left out.
func (w *headerWriter) ids(name string, list ...string) {
	if len(list) == 0 {
		return
	}
	w.name(name)
	for _, id := range list {
		id = bareID(id)
		if !isID(id) {
			w.fail(name, "has an identifier that is empty, too long, or not printable ASCII without spaces and angle brackets")
		}
		w.word("<" + id + ">")
	}
	w.end()
}

// extra writes a field that a Draft has no place for.
func (w *headerWriter) extra(f Field) {
	n, _ := fieldName([]byte(f.Name + ":"))
	switch {
	case n == 0 || n != len(f.Name) || n > maxName:
		w.fail("Extra", "has a name that is no field name")
		return
	case isReserved(f.Name):
		w.fail(f.Name, "has a place of its own in a Draft, or is for Source to write")
		return
	case isOptional(f.Name) && ParseHeader(w.buf).Has(f.Name):
		w.fail(f.Name, "is written for another field of the Draft already")
		return
	}
	w.mixed(f.Name, strings.Trim(f.Value, " \t"))
}

// isReserved reports whether a field of that name is not for Extra.
func isReserved(name string) bool {
	switch name = strings.ToLower(name); name {
	case "date", "from", "sender", "reply-to", "to", "cc", "bcc", "resent-bcc", "subject",
		"message-id", "in-reply-to", "references", "auto-submitted", "mime-version":
		return true
	}
	return strings.HasPrefix(name, "content-")
}

// isOptional reports whether a field of that name may be in Extra where the
// Draft has nothing for it.
func isOptional(name string) bool {
	switch strings.ToLower(name) {
	case "importance", "x-priority", "priority", "disposition-notification-to", "list-unsubscribe", "list-unsubscribe-post":
		return true
	}
	return false
}

// importance writes the three fields that tell it.
func (w *headerWriter) importance(i Importance) {
	switch i {
	case "":
	case ImportanceHigh:
		w.plain("Importance", "high")
		w.plain("X-Priority", "1")
		w.plain("Priority", "urgent")
	case ImportanceLow:
		w.plain("Importance", "low")
		w.plain("X-Priority", "5")
		w.plain("Priority", "non-urgent")
	default:
		w.fail("Importance", "is none of the values that it may have")
	}
}

// unsubscribe writes how to get no more messages.
func (w *headerWriter) unsubscribe(addresses []string, oneClick bool) {
	const name = "List-Unsubscribe"
	https := false
	for i, a := range addresses {
		if !isAddressOf(a, "https", "mailto") {
			w.fail(name, "has an address that is not https or mailto, too long, or not printable ASCII without spaces and angle brackets")
			return
		}
		https = https || isAddressOf(a, "https")
		if i == 0 {
			w.name(name)
		}
		comma := ","
		if i == len(addresses)-1 {
			comma = ""
		}
		w.word("<" + a + ">" + comma)
	}
	if len(addresses) > 0 {
		w.end()
	}
	switch {
	case !oneClick:
	case !https:
		w.fail("List-Unsubscribe-Post", "needs an https address in Unsubscribe")
	default:
		w.plain("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")
	}
}

// isAddressOf reports whether a is a URI of one of the schemes that can stand
// between angle brackets.
func isAddressOf(a string, schemes ...string) bool {
	scheme, rest, ok := strings.Cut(a, ":")
	return ok && rest != "" && isID(a) &&
		slices.ContainsFunc(schemes, func(s string) bool { return strings.EqualFold(s, scheme) })
}
