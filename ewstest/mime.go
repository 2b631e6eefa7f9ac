package ewstest

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/quotedprintable"
	"strings"
	"unicode/utf8"
)

// part is a message or a part of one, in a form that is written as it was read.
type part struct {
	fields   []field
	gap      string // the empty line behind the fields
	body     string // as it stands, of a part that has no parts
	boundary string
	preamble string // up to the first boundary
	epilogue string // behind the last boundary
	parts    []*part
}

// field is one field of a header.
type field struct {
	name  string
	value string // unfolded
	raw   string // with its line end
}

// maxParts bounds how deep multiparts are looked into.
const maxParts = 20

// parsePart reads a message or a part. What is odd is kept as it is.
func parsePart(raw string, depth int) *part {
	p := &part{}
	rest := p.readFields(raw)
	kind, params := p.contentType()
	if !strings.HasPrefix(kind, "multipart/") || params["boundary"] == "" || depth >= maxParts {
		p.body = rest
		return p
	}
	p.boundary = params["boundary"]
	p.split(rest, depth)
	if p.parts == nil {
		p.body, p.boundary, p.preamble = rest, "", ""
	}
	return p
}

// parseHeader reads the fields alone.
func parseHeader(raw string) *part {
	p := &part{}
	p.readFields(raw)
	return p
}

// readFields reads the header and returns what is behind it.
func (p *part) readFields(raw string) string {
	for raw != "" {
		end := strings.IndexByte(raw, '\n') + 1
		if end == 0 {
			end = len(raw)
		}
		line := raw[:end]
		if strings.TrimRight(line, "\r\n") == "" {
			p.gap = line
			return raw[end:]
		}
		raw = raw[end:]
		if n := len(p.fields); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			p.fields[n-1].raw += line
			p.fields[n-1].value += strings.TrimRight(line, "\r\n")
			continue
		}
		name, value, found := strings.Cut(line, ":")
		if !found {
			name, value = "", line
		}
		p.fields = append(p.fields, field{
			name: strings.TrimRight(name, " \t"), raw: line, value: strings.TrimRight(strings.TrimLeft(value, " \t"), "\r\n"),
		})
	}
	return ""
}

// split divides the body of a multipart.
func (p *part) split(body string, depth int) {
	delimiter := "--" + p.boundary
	start, last := -1, false
	for at := 0; at < len(body) && !last; {
		end := strings.IndexByte(body[at:], '\n') + 1
		if end == 0 {
			end = len(body) - at
		}
		line := strings.TrimRight(body[at:at+end], " \t\r\n")
		if line == delimiter || line == delimiter+"--" {
			if start < 0 {
				p.preamble = body[:at]
			} else {
				p.parts = append(p.parts, parsePart(trimBreak(body[start:at]), depth+1))
			}
			start = at + end
			if last = line != delimiter; last {
				p.epilogue = body[start:]
			}
		}
		at += end
	}
	if start >= 0 && !last {
		p.parts = append(p.parts, parsePart(body[start:], depth+1))
	}
}

// trimBreak takes off the line end that belongs to the boundary behind it.
func trimBreak(s string) string {
	return strings.TrimSuffix(strings.TrimSuffix(s, "\n"), "\r")
}

// String writes the part.
func (p *part) String() string {
	var b strings.Builder
	p.write(&b)
	return b.String()
}

func (p *part) write(b *strings.Builder) {
	for _, f := range p.fields {
		b.WriteString(f.raw)
		if !strings.HasSuffix(f.raw, "\n") {
			b.WriteString("\r\n")
		}
	}
	if p.gap == "" {
		p.gap = "\r\n"
	}
	b.WriteString(p.gap)
	if p.parts == nil {
		b.WriteString(p.body)
		return
	}
	b.WriteString(p.preamble)
	for _, child := range p.parts {
		b.WriteString("--" + p.boundary + "\r\n")
		child.write(b)
		b.WriteString("\r\n")
	}
	b.WriteString("--" + p.boundary + "--\r\n" + p.epilogue)
}

// get returns the first field of that name, decoded, "" where there is none.
func (p *part) get(name string) string { return decodeWords(p.rawGet(name)) }

func (p *part) rawGet(name string) string {
	for _, f := range p.fields {
		if strings.EqualFold(f.name, name) {
			return strings.TrimSpace(f.value)
		}
	}
	return ""
}

// set replaces the fields of that name by one, or takes them out where the
// value is empty.
func (p *part) set(name, value string) {
	at := -1
	kept := p.fields[:0:0]
	for _, f := range p.fields {
		if strings.EqualFold(f.name, name) {
			if at < 0 {
				at = len(kept)
			}
			continue
		}
		kept = append(kept, f)
	}
	if at < 0 {
		at = len(kept)
	}
	p.fields = kept
	if value == "" {
		return
	}
	f := field{name: name, value: value, raw: name + ": " + value + "\r\n"}
	p.fields = append(p.fields[:at:at], append([]field{f}, p.fields[at:]...)...)
}

// contentType returns the media type in lower case, text/plain where none is
// said.
func (p *part) contentType() (kind string, params map[string]string) {
	value := p.rawGet("Content-Type")
	if value == "" {
		return "text/plain", nil
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil && kind == "" {
		kind, _, _ = strings.Cut(value, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
	}
	return kind, params
}

// content returns the decoded bytes.
func (p *part) content() string {
	var decoded []byte
	var err error
	switch strings.ToLower(p.rawGet("Content-Transfer-Encoding")) {
	case "base64":
		clean := strings.Map(func(r rune) rune {
			if r == '\r' || r == '\n' || r == ' ' || r == '\t' {
				return -1
			}
			return r
		}, p.body)
		decoded, err = base64.StdEncoding.DecodeString(clean)
		if err != nil {
			decoded, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(clean, "="))
		}
	case "quoted-printable":
		decoded, err = io.ReadAll(quotedprintable.NewReader(strings.NewReader(p.body)))
	default:
		return p.body
	}
	if err != nil && len(decoded) == 0 {
		return p.body
	}
	return string(decoded)
}

// text returns the content as UTF-8. Of charsets, those of Unicode and of
// western Europe are known.
func (p *part) text() string {
	_, params := p.contentType()
	s := p.content()
	switch strings.ToLower(params["charset"]) {
	case "iso-8859-1", "windows-1252", "iso-8859-15":
		return latin(s)
	}
	if !utf8.ValidString(s) {
		return latin(s)
	}
	return s
}

func latin(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		b.WriteRune(rune(c))
	}
	return b.String()
}

// decodeWords decodes the encoded words of a field (RFC 2047).
func decodeWords(s string) string {
	d := mime.WordDecoder{CharsetReader: func(_ string, input io.Reader) (io.Reader, error) {
		b, err := io.ReadAll(input)
		return strings.NewReader(latin(string(b))), err
	}}
	decoded, err := d.DecodeHeader(s)
	if err != nil {
		return s
	}
	return decoded
}

// encodeWord writes text as it may stand in a field.
func encodeWord(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == '\r' || r == '\n' {
			return ' '
		}
		return r
	}, s)
	return mime.QEncoding.Encode("utf-8", s)
}
