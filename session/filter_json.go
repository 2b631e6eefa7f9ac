package session

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// MarshalJSON implements [json.Marshaler].
func (c Condition) MarshalJSON() ([]byte, error) {
	switch c {
	case Any:
		return []byte("null"), nil
	case Yes:
		return []byte("true"), nil
	case No:
		return []byte("false"), nil
	}
	return nil, fmt.Errorf("session: condition %d does not exist", int(c))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (c *Condition) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "null":
		*c = Any
	case "true":
		*c = Yes
	case "false":
		*c = No
	default:
		return errors.New("session: a condition is true, false or null")
	}
	return nil
}

// MarshalJSON implements [json.Marshaler]: the fields are a list of names.
func (f Fields) MarshalJSON() ([]byte, error) {
	if f&^fieldsKnown != 0 {
		return nil, errors.New("session: fields that do not exist")
	}
	return json.Marshal(append([]string{}, f.names()...))
}

// UnmarshalJSON implements [json.Unmarshaler].
func (f *Fields) UnmarshalJSON(b []byte) error {
	var names []string
	if err := json.Unmarshal(b, &names); err != nil {
		return fmt.Errorf("session: fields: %w", err)
	}
	var fields Fields
	for _, name := range names {
		i := slices.Index(fieldNames(), name)
		if i < 0 {
			return fmt.Errorf("session: fields: there is no %q; there are %q", name, fieldNames())
		}
		fields |= 1 << i
	}
	*f = fields
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. Unknown fields and what
// [Filter.Check] finds are errors.
func (f *Filter) UnmarshalJSON(b []byte) error {
	type plain Filter // without this method
	if jsonDepth(b) > 2*MaxFilterDepth+1 {
		return fmt.Errorf("session: filter: nested deeper than %d", MaxFilterDepth)
	}
	var p plain
	if err := strictly(b, &p); err != nil {
		return fmt.Errorf("session: filter: %w", err)
	}
	if err := Filter(p).Check(); err != nil {
		return err
	}
	*f = Filter(p)
	return nil
}

// UnmarshalJSON implements [json.Unmarshaler]. Unknown fields and what
// [Query.Check] finds are errors.
func (q *Query) UnmarshalJSON(b []byte) error {
	type plain Query // without this method
	var p plain
	if err := strictly(b, &p); err != nil {
		return fmt.Errorf("session: query: %w", err)
	}
	if err := Query(p).Check(); err != nil {
		return err
	}
	*q = Query(p)
	return nil
}

func strictly(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the value")
	}
	return nil
}

// jsonDepth returns how deep objects and lists are nested in b. Decoding a
// filter looks at the ones within it again, so that the time grows with the
// depth.
func jsonDepth(b []byte) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{', c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}', c == ']':
			depth--
		}
	}
	return deepest
}
