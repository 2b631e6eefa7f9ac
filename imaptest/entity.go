package imaptest

import (
	"strings"
)

// Limits of taking a message apart; what goes beyond is left in one piece.
const (
	maxDepth = 50
	maxParts = 5000
)

// entity is a message or a body part (RFC 2045), as pieces of the whole
// message's bytes. Line ends may be CRLF or LF.
type entity struct {
	header   string // with the empty line that ends it
	body     string
	fields   []field
	kind     media
	parts    []*entity // of a multipart
	enclosed *entity   // the message within a message/rfc822 part
}

// field is one header field, or a line of the header that is none.
type field struct {
	name  string // "" where it is none
	value string // unfolded, without surrounding white space
	raw   string // as it stands, with its line ends
}

// media is a parsed Content-Type, Content-Disposition or the like.
type media struct {
	value  string // "TEXT/PLAIN", in upper case
	params []param
}

type param struct{ name, value string }

// get returns a parameter, "" where there is none.
func (m media) get(name string) string {
	for _, p := range m.params {
		if strings.EqualFold(p.name, name) {
			return p.value
		}
	}
	return ""
}

// split returns type and subtype.
func (m media) split() (kind, sub string) {
	kind, sub, _ = strings.Cut(m.value, "/")
	return kind, sub
}

// parseEntity takes a message apart. It never fails: what is not understood
// is a single part of plain text.
func parseEntity(raw string) *entity {
	parts := maxParts
	return parsePart(raw, "TEXT/PLAIN", maxDepth, &parts)
}

// parseTop reads the header of a message or part and nothing further.
func parseTop(raw string) *entity {
	e := &entity{}
	e.header, e.body = splitHeader(raw)
	e.fields = parseFields(e.header)
	return e
}

func parsePart(raw, kind string, depth int, left *int) *entity {
	e := parseTop(raw)
	e.kind = media{value: kind}
	if t := parseMedia(e.get("Content-Type")); strings.Count(t.value, "/") == 1 {
		e.kind = t
	}
	e.assumeCharset()
	*left--
	if depth == 0 || *left <= 0 {
		e.flatten()
		return e
	}
	switch {
	case strings.HasPrefix(e.kind.value, "MULTIPART/"):
		inner := "TEXT/PLAIN"
		if e.kind.value == "MULTIPART/DIGEST" {
			inner = "MESSAGE/RFC822"
		}
		for _, p := range splitParts(e.body, e.kind.get("boundary"), left) {
			e.parts = append(e.parts, parsePart(p, inner, depth-1, left))
		}
		if len(e.parts) == 0 {
			e.flatten()
		}
	case e.kind.value == "MESSAGE/RFC822":
		e.enclosed = parsePart(e.body, "TEXT/PLAIN", depth-1, left)
	}
	return e
}

// flatten makes a single part of what cannot be taken apart.
func (e *entity) flatten() {
	if strings.HasPrefix(e.kind.value, "MULTIPART/") || e.kind.value == "MESSAGE/RFC822" {
		e.kind = media{value: "TEXT/PLAIN"}
		e.assumeCharset()
	}
}

// assumeCharset names the charset that text has where it names none (RFC 2045,
// section 5.2).
func (e *entity) assumeCharset() {
	if strings.HasPrefix(e.kind.value, "TEXT/") && e.kind.get("charset") == "" {
		e.kind.params = append(e.kind.params, param{"CHARSET", "us-ascii"})
	}
}

// get returns the value of the first field of that name.
func (e *entity) get(name string) string {
	for _, f := range e.fields {
		if strings.EqualFold(f.name, name) {
			return f.value
		}
	}
	return ""
}

// splitHeader parts a header, together with the empty line behind it, from the
// body. Without an empty line all is header.
func splitHeader(raw string) (header, body string) {
	for i := 0; i < len(raw); {
		line := lineAt(raw, i)
		i += len(line)
		if line == "\r\n" || line == "\n" {
			return raw[:i], raw[i:]
		}
	}
	return raw, ""
}

// lineAt returns the line that starts at i, with its line end.
func lineAt(s string, i int) string {
	if j := strings.IndexByte(s[i:], '\n'); j >= 0 {
		return s[i : i+j+1]
	}
	return s[i:]
}

func parseFields(header string) []field {
	var fields []field
	for i := 0; i < len(header); {
		start := i
		i += len(lineAt(header, i))
		for i < len(header) && (header[i] == ' ' || header[i] == '\t') {
			i += len(lineAt(header, i))
		}
		raw := header[start:i]
		if name, value, found := strings.Cut(raw, ":"); found {
			fields = append(fields, field{name: strings.TrimRight(name, " \t"), value: unfold(value), raw: raw})
		} else if strings.Trim(raw, "\r\n") != "" {
			fields = append(fields, field{raw: raw})
		}
	}
	return fields
}

// addresses returns those of all fields of that name.
func (e *entity) addresses(name string) []address {
	var all []address
	for _, f := range e.fields {
		if strings.EqualFold(f.name, name) {
			all = append(all, parseAddresses(f.value)...)
		}
	}
	return all
}

func unfold(value string) string {
	value = strings.ReplaceAll(strings.ReplaceAll(value, "\r\n", ""), "\n", "")
	return strings.Trim(value, " \t\r")
}

// splitParts returns what stands between the boundary lines of a multipart
// body. A last part without a closing line is one, too.
func splitParts(body, boundary string, left *int) []string {
	if boundary == "" {
		return nil
	}
	var parts []string
	start := -1
	for i := 0; i < len(body) && len(parts) < *left; {
		line := lineAt(body, i)
		rest, marked := strings.CutPrefix(line, "--"+boundary)
		rest, closing := strings.CutPrefix(rest, "--")
		if marked && strings.Trim(rest, " \t\r\n") == "" {
			if start >= 0 {
				parts = append(parts, dropLineEnd(body[start:i]))
			}
			start = i + len(line)
			if closing {
				return parts
			}
		}
		i += len(line)
	}
	if start >= 0 && len(parts) < *left {
		parts = append(parts, body[start:])
	}
	return parts
}

// dropLineEnd removes the line end that belongs to the boundary line after it.
func dropLineEnd(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// parseMedia reads a value with parameters (RFC 2045, section 5.1). Names and
// values of parameters are left as they are, in RFC 2231's forms too.
func parseMedia(value string) media {
	t := &tokens{s: value}
	var m media
	m.value = strings.ToUpper(t.until(";"))
	for t.accept(';') {
		name := t.until("=;")
		if name == "" || !t.accept('=') {
			continue
		}
		t.skipSpace()
		if t.peek() == '"' {
			m.params = append(m.params, param{name, t.quoted()})
			t.until(";")
		} else {
			m.params = append(m.params, param{name, t.until(";")})
		}
	}
	return m
}

// find returns the part with the given numbers, nil where there is none (RFC
// 3501, section 6.4.5). Without numbers it is the message itself.
func (e *entity) find(path []uint32) *entity {
	// A message that is no multipart has one part, number 1, which is itself.
	whole := true
	for _, n := range path {
		if !whole && e.enclosed != nil {
			e, whole = e.enclosed, true
		}
		switch {
		case int64(n) <= int64(len(e.parts)):
			e, whole = e.parts[n-1], false
		case n == 1 && whole && len(e.parts) == 0:
			whole = false
		default:
			return nil
		}
	}
	return e
}
