package message

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// An entity is a MIME part that is going to be written (RFC 2045 section 2.4):
// a multipart, a text in memory, or a file.
type entity struct {
	mediaType   string
	params      map[string]string
	disposition string
	fileName    string
	contentID   string
	description string
	encoding    string

	parts   []*entity // of a multipart
	text    []byte    // as it travels
	content Source
	size    int64 // of content as it travels, if the encoding is not base64
}

// A composer writes the MIME structure of a Draft.
type composer struct {
	w        headerWriter
	id       string // the Message-ID
	eightBit bool

	verbatim  []verbatim // what could hold a boundary
	openings  int        // multiparts so far
	boundary  string     // what all boundaries begin with
	segments  []segment
	readError error // of an attached message
}

// verbatim is content that travels as it is.
type verbatim struct {
	text    []byte
	content Source
}

// tree returns the parts of the message.
func (d *Draft) tree(c *composer) *entity {
	root := d.alternatives(c)
	shown := c.referred(d)
	var related, attached []*entity
	for i, f := range d.Files {
		id := bareID(f.ContentID)
		e := d.file(c, f, i+1, shown[id])
		if shown[id] {
			related = append(related, e)
		} else {
			attached = append(attached, e)
		}
	}
	if len(related) > 0 {
		// RFC 2387 section 3.1 wants the type of the first part told.
		root = &entity{
			mediaType: "multipart/related", params: map[string]string{"type": root.mediaType},
			parts: append([]*entity{root}, related...),
		}
	}
	if len(attached) > 0 {
		root = &entity{mediaType: "multipart/mixed", parts: append([]*entity{root}, attached...)}
	}
	return root
}

// alternatives returns the forms of the text, the plainest first (RFC 2046
// section 5.1.4).
func (d *Draft) alternatives(c *composer) *entity {
	var forms []*entity
	text := d.Text
	if text == "" && d.TextFromHTML {
		text = HTMLText(d.HTML)
	}
	if text != "" || d.HTML == "" && d.Calendar == "" {
		params := map[string]string{"charset": "utf-8"}
		if d.Flowed {
			params["format"] = "flowed"
			var joined bool
			if text, joined = flow(string(canonical(text))); joined {
				params["delsp"] = "yes"
			}
		}
		forms = append(forms, c.text("text/plain", text, params))
	}
	if d.HTML != "" {
		forms = append(forms, c.text("text/html", d.HTML, map[string]string{"charset": "utf-8"}))
	}
	if d.Calendar != "" {
		params := map[string]string{"charset": "utf-8"}
		if calendarLine([]byte(d.Calendar), "BEGIN") != "VCALENDAR" {
			c.w.fail("Calendar", "is not an iCalendar object: it does not begin with BEGIN:VCALENDAR")
		}
		if method := calendarLine([]byte(d.Calendar), "METHOD"); method != "" {
			params["method"] = method
		}
		forms = append(forms, c.text("text/calendar", d.Calendar, params))
	}
	if len(forms) == 1 {
		return forms[0]
	}
	return &entity{mediaType: "multipart/alternative", parts: forms}
}

// text returns the part of a text in memory.
func (c *composer) text(mediaType, text string, params map[string]string) *entity {
	encoding, body := encodeText(canonical(text), c.eightBit)
	if encoding == "7bit" || encoding == "8bit" {
		c.verbatim = append(c.verbatim, verbatim{text: body})
	}
	return &entity{mediaType: mediaType, params: params, encoding: encoding, text: body}
}

// referred returns the identifiers of the files that HTML shows. Each that it
// refers to has to be there, once.
func (c *composer) referred(d *Draft) map[string]bool {
	if d.HTML == "" {
		return nil
	}
	refs := contentRefs(d.HTML)
	found := make(map[string]int, len(d.Files))
	for _, f := range d.Files {
		if f.ContentID != "" {
			found[bareID(f.ContentID)]++
		}
	}
	shown := make(map[string]bool, len(refs))
	for _, id := range refs {
		shown[id] = true
		switch found[id] {
		case 1:
		case 0:
			c.w.fail("HTML", "refers to a cid: that is the ContentID of no file")
		default:
			c.w.fail("Content-ID", "is the same of several files that HTML refers to")
		}
	}
	return shown
}

// source writes all parts.
func (c *composer) source(root *entity) (Source, error) {
	if c.readError != nil {
		return nil, c.readError
	}
	if err := c.chooseBoundary(); err != nil {
		return nil, fmt.Errorf("message: draft: read an attached message: %w", err)
	}
	c.w.buf = slices.Grow(c.w.buf, root.room())
	c.write(root)
	if c.w.err != nil {
		return nil, c.w.err
	}
	c.segments = append(c.segments, segment{literal: c.w.buf})
	if len(c.segments) == 1 {
		return Bytes(c.w.buf), nil
	}
	return newComposed(c.segments), nil
}

// room returns how much is about to be written of a part, files and long names
// excepted.
func (e *entity) room() int {
	const header = 384 // with a delimiter
	n := header + len(e.text)
	for _, part := range e.parts {
		n += part.room()
	}
	return n
}

// write writes a part with its header.
func (c *composer) write(e *entity) {
	w := &c.w
	boundary := ""
	params := e.params
	if e.parts != nil {
		c.openings++
		boundary = c.boundary + strconv.Itoa(c.openings)
		params = maps.Clone(params)
		if params == nil {
			params = make(map[string]string, 1)
		}
		params["boundary"] = boundary
	}
	w.contentType(e, params)
	if e.encoding != "" {
		w.plain("Content-Transfer-Encoding", e.encoding)
	}
	if e.disposition != "" {
		w.disposition(e)
	}
	if e.contentID != "" {
		w.ids("Content-ID", e.contentID)
	}
	w.text("Content-Description", e.description)
	w.end()
	switch {
	case e.parts != nil:
		c.writeParts(e.parts, boundary)
	case e.content != nil:
		c.segments = append(c.segments, segment{literal: slices.Clip(w.buf), content: e.content, encoding: e.encoding, size: e.travels()})
		w.buf = w.buf[len(w.buf):] // what is left of the room
	default:
		w.buf = append(w.buf, e.text...)
	}
}

// writeParts writes what is in a multipart (RFC 2046 section 5.1.1).
func (c *composer) writeParts(parts []*entity, boundary string) {
	w := &c.w
	for i, part := range parts {
		if i > 0 {
			w.end() // it belongs to the delimiter
		}
		w.buf = append(append(w.buf, "--"+boundary...), '\r', '\n')
		c.write(part)
	}
	w.buf = append(w.buf, "\r\n--"+boundary+"--\r\n"...)
}

// travels returns how many bytes the content of a file is as it travels, or -1.
func (e *entity) travels() int64 {
	if e.encoding != "base64" {
		return e.size
	}
	return base64Size(e.content.Size())
}

// chooseBoundary finds a boundary that is in none of the parts. It begins with
// what can be neither in base64 nor in quoted-printable, goes on with what only
// those know who have the message, and is looked for in everything else. It
// depends on the message alone, so that this has the same bytes each time.
func (c *composer) chooseBoundary() error {
	for attempt := 0; ; attempt++ {
		sum := sha256.Sum256([]byte("boundary " + strconv.Itoa(attempt) + " " + c.id))
		c.boundary = "=_" + hex.EncodeToString(sum[:12]) + "_"
		taken := false
		for _, v := range c.verbatim {
			found, err := v.contains(c.boundary)
			if err != nil {
				return err
			}
			taken = taken || found
		}
		if !taken {
			return nil
		}
	}
}

// contentType writes the field.
func (w *headerWriter) contentType(e *entity, params map[string]string) {
	w.name("Content-Type")
	names := slices.Sorted(maps.Keys(params))
	names = slices.DeleteFunc(names, func(name string) bool { return name == "name" && e.fileName != "" })
	more := len(names)
	if e.fileName != "" {
		more++
	}
	w.word(e.mediaType + semicolon(more > 0))
	for i, name := range names {
		w.param(name, params[name], semicolon(i < more-1))
	}
	if e.fileName != "" {
		w.oldName(e.fileName)
	}
	w.end()
}

// disposition writes the field (RFC 2183).
func (w *headerWriter) disposition(e *entity) {
	w.name("Content-Disposition")
	w.word(e.disposition + semicolon(e.fileName != ""))
	if e.fileName != "" {
		w.param("filename", e.fileName, "")
	}
	w.end()
}

func semicolon(more bool) string {
	if more {
		return ";"
	}
	return ""
}

// maxQuoted is how long a value may be that is written between quotes. Nothing
// breaks a line within it.
const maxQuoted = 200

// isStrictToken reports whether s is a token (RFC 2045 section 5.1).
func isStrictToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// isQuotable reports whether s can stand between quotes without a backslash, and
// is not taken for an encoded word there.
func isQuotable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return len(s) <= maxQuoted && !strings.Contains(s, "=?")
}

// param adds a parameter: as a token, unless it is a name, which everybody writes
// between quotes; so, if it is ASCII; or encoded (RFC 2231), in several pieces if
// it does not fit on a line. There is no second, ASCII form of
// it beside the encoded one: RFC 2231 knows none, and readers take that for the
// same parameter twice.
func (w *headerWriter) param(name, value, behind string) {
	switch {
	case isStrictToken(value) && name != "filename" && name != "name":
		w.word(name + "=" + value + behind)
		return
	case isQuotable(value):
		w.word(name + `="` + value + `"` + behind)
		return
	}
	const charset = "utf-8''"
	value = strings.ToValidUTF8(value, "\ufffd")
	if n := len(name) + len("*=") + len(charset) + percentCost(value) + len(behind); n < foldAt {
		w.word(name + "*=" + charset + percentEncode(value) + behind)
		return
	}
	for i := 0; value != ""; i++ {
		piece := name + "*" + strconv.Itoa(i) + "*="
		if i == 0 {
			piece += charset
		}
		n := fittingBy(value, foldAt-2-len(piece), percentCost)
		piece += percentEncode(value[:n])
		if value = value[n:]; value != "" {
			piece += ";"
		} else {
			piece += behind
		}
		w.word(piece)
	}
}

// oldName adds a file name for programs that do not know RFC 2231, as all of
// them have read it for long: with encoded words in a quoted parameter, which no
// standard allows.
func (w *headerWriter) oldName(name string) {
	if isStrictToken(name) || isQuotable(name) {
		w.param("name", name, "")
		return
	}
	const before = `name="`
	words := encodeWords(name, foldAt-1-len(before), foldAt-2)
	words[0] = before + words[0]
	words[len(words)-1] += `"`
	for _, word := range words {
		w.word(word)
	}
}

// percentCost returns the length of s as [percentEncode] writes it.
func percentCost(s string) int {
	n := 0
	for i := range len(s) {
		if isAttributeChar(s[i]) {
			n++
		} else {
			n += 3
		}
	}
	return n
}

// percentEncode returns s as the value of an extended parameter (RFC 2231
// section 7).
func percentEncode(s string) string {
	const hexDigits = "0123456789ABCDEF"
	b := make([]byte, 0, 3*len(s))
	for i := range len(s) {
		if isAttributeChar(s[i]) {
			b = append(b, s[i])
		} else {
			b = append(b, '%', hexDigits[s[i]>>4], hexDigits[s[i]&15])
		}
	}
	return string(b)
}

// isAttributeChar reports whether c stands for itself in such a value.
func isAttributeChar(c byte) bool {
	return c > ' ' && c < 0x7f && strings.IndexByte(`()<>@,;:\"/[]?=*'%`, c) < 0
}
