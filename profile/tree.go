package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// What a file is bounded by.
const (
	// MaxSize is the size of the largest file that is read, in bytes.
	MaxSize = 16 << 20
	// maxDepth is how deep objects and lists may be nested.
	maxDepth = 16
)

// member is a name in an object with its value.
type member struct {
	name  string
	value any
}

// A tree is what JSON says, with everything that decoding into a map would lose:
// *object, []any, string, json.Number, bool or nil.
type object struct {
	members []member
}

// parseTree reads one JSON value and finds the names that stand twice in an
// object. An error says where the text is not JSON.
func parseTree(data []byte, m *mistakes) (any, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case len(data) > MaxSize:
		return nil, fmt.Errorf("it is larger than %d MiB", MaxSize>>20)
	case len(bytes.TrimSpace(data)) == 0:
		return nil, errors.New("it is empty")
	case !utf8.Valid(data):
		return nil, errors.New("it is not UTF-8")
	case !json.Valid(data):
		return nil, notJSON(data)
	}
	p := &treeParser{d: json.NewDecoder(bytes.NewReader(data)), m: m}
	p.d.UseNumber()
	return p.value("", 0)
}

// notJSON says where data stops being JSON, and quotes nothing of it.
func notJSON(data []byte) error {
	err := json.Unmarshal(data, &json.RawMessage{})
	e, ok := errors.AsType[*json.SyntaxError](err)
	if !ok {
		return errors.New("it is not JSON")
	}
	before := data[:min(max(int(e.Offset)-1, 0), len(data))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := 1 + utf8.RuneCount(before[bytes.LastIndexByte(before, '\n')+1:])
	return fmt.Errorf("it is not JSON: line %d, column %d%s", line, column, habit(before, data[len(before):]))
}

// habit says what was probably written that other formats have and JSON has not.
func habit(before, after []byte) string {
	before = bytes.TrimRight(before, " \t\r\n")
	switch {
	case bytes.HasPrefix(after, []byte("/")), bytes.HasPrefix(after, []byte("#")):
		return ": JSON has no comments; remove them, or write a description"
	case bytes.HasSuffix(before, []byte(",")) && (bytes.HasPrefix(after, []byte("}")) || bytes.HasPrefix(after, []byte("]"))):
		return ": there is a comma before the end; remove it"
	case bytes.HasPrefix(after, []byte("'")):
		return ": JSON has no single quotes; write double ones"
	}
	return ""
}

// treeParser reads JSON that is known to be valid.
type treeParser struct {
	d *json.Decoder
	m *mistakes
}

func (p *treeParser) value(path string, depth int) (any, error) {
	token, err := p.d.Token()
	if err != nil {
		return nil, ended(err)
	}
	if depth > maxDepth {
		return nil, fmt.Errorf("it is nested deeper than %d", maxDepth)
	}
	switch t := token.(type) {
	case json.Delim:
		if t == '{' {
			return p.object(path, depth)
		}
		return p.list(path, depth)
	case string:
		// Half a surrogate pair has no text of its own, and another one each time.
		if strings.ContainsRune(t, utf8.RuneError) {
			p.m.add(path, "the text is not Unicode", "write it anew")
		}
		return t, nil
	}
	return token, nil
}

func (p *treeParser) object(path string, depth int) (*object, error) {
	o, seen := &object{}, map[string]bool{}
	for p.d.More() {
		token, err := p.d.Token()
		if err != nil {
			return nil, ended(err)
		}
		name, _ := token.(string)
		at := below(path, name)
		value, err := p.value(at, depth+1)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			p.m.add(at, "the name stands twice in one object", "keep one of the two, or rename it")
			continue
		}
		seen[name] = true
		o.members = append(o.members, member{name, value})
	}
	_, err := p.d.Token()
	return o, ended(err)
}

func (p *treeParser) list(path string, depth int) ([]any, error) {
	list := []any{}
	for p.d.More() {
		value, err := p.value(fmt.Sprintf("%s/%d", path, len(list)), depth+1)
		if err != nil {
			return nil, err
		}
		list = append(list, value)
	}
	_, err := p.d.Token()
	return list, ended(err)
}

// ended gives an end that comes too early a name of its own.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// below returns the JSON Pointer (RFC 6901) of a name in what is at path.
func below(path, name string) string {
	if strings.ContainsAny(name, "~/") {
		name = strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
	}
	return path + "/" + name
}

// has reports whether there is a name.
func (o *object) has(name string) bool {
	return slices.ContainsFunc(o.members, func(m member) bool { return m.name == name })
}
