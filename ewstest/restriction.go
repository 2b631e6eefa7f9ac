package ewstest

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// lookup returns a property of what is looked at, and whether it has it.
type lookup func(p path) (value, bool)

// condition decides about one item or folder.
type condition func(get lookup) bool

// restriction reads the Restriction of a request; nil lets everything pass.
func restriction(n *node) (condition, error) {
	if n == nil {
		return func(lookup) bool { return true }, nil
	}
	return expression(n.first())
}

// expression reads one search expression.
func expression(n *node) (condition, error) {
	switch {
	case n == nil:
		return nil, fail("ErrorInvalidRequest", "The request is invalid: the restriction is empty.")
	case n.is("And"), n.is("Or"), n.is("Not"):
		return combined(n)
	case n.is("Contains"):
		return contains(n)
	case n.is("Exists"):
		p, err := parsePath(n.first())
		return func(get lookup) bool { _, there := get(p); return there }, err
	case n.is("Excludes"):
		return excludes(n)
	}
	return comparison(n)
}

func combined(n *node) (condition, error) {
	var parts []condition
	for _, c := range n.children {
		part, err := expression(c)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	switch {
	case len(parts) == 0 || n.is("Not") && len(parts) > 1:
		return nil, fail("ErrorInvalidRequest", "The request is invalid: %s has %d parts.", n.name.Local, len(parts))
	case n.is("Not"):
		return func(get lookup) bool { return !parts[0](get) }, nil
	case n.is("Or"):
		return func(get lookup) bool {
			return slices.ContainsFunc(parts, func(part condition) bool { return part(get) })
		}, nil
	}
	return func(get lookup) bool {
		return !slices.ContainsFunc(parts, func(part condition) bool { return !part(get) })
	}, nil
}

// contains reads a comparison of text.
func contains(n *node) (condition, error) {
	p, err := parsePath(n.first())
	if err != nil {
		return nil, err
	}
	want := n.child("Constant").attr("Value")
	mode := n.attr("ContainmentMode")
	fold := strings.Contains(n.attr("ContainmentComparison"), "IgnoreCase") || n.attr("ContainmentComparison") == "Loose"
	if fold {
		want = strings.ToLower(want)
	}
	return func(get lookup) bool {
		v, there := get(p)
		if !there {
			return false
		}
		texts := v.texts
		if texts == nil {
			texts = []string{v.text}
		}
		return slices.ContainsFunc(texts, func(text string) bool {
			if fold {
				text = strings.ToLower(text)
			}
			return holds(text, want, mode)
		})
	}, nil
}

// holds compares texts in one of the ways of ContainmentMode.
func holds(text, want, mode string) bool {
	switch mode {
	case "FullString":
		return text == want
	case "Prefixed":
		return strings.HasPrefix(text, want)
	case "PrefixOnWords":
		return slices.ContainsFunc(words(text), func(word string) bool { return strings.HasPrefix(word, want) })
	case "ExactPhrase":
		for at := 0; ; {
			i := strings.Index(text[at:], want)
			if i < 0 {
				return false
			}
			start, end := at+i, at+i+len(want)
			if edge(text[:start], true) && edge(text[end:], false) {
				return true
			}
			at = start + 1
			if at > len(text) {
				return false
			}
		}
	}
	return strings.Contains(text, want)
}

// edge reports whether a word may end at that side of a text.
func edge(s string, last bool) bool {
	var r rune
	for _, c := range s {
		r = c
		if !last {
			break
		}
	}
	return s == "" || !unicode.IsLetter(r) && !unicode.IsDigit(r)
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// excludes reads a test of bits: none of the mask may be set.
func excludes(n *node) (condition, error) {
	p, err := parsePath(n.first())
	if err != nil {
		return nil, err
	}
	mask, err := strconv.ParseInt(n.child("Bitmask").attr("Value"), 0, 64)
	if err != nil {
		return nil, fail("ErrorInvalidExcludesRestriction", "The bitmask of Excludes is invalid.")
	}
	return func(get lookup) bool {
		v, there := get(p)
		return there && v.num&mask == 0
	}, nil
}

// comparison reads IsEqualTo and its kin.
func comparison(n *node) (condition, error) {
	signs := map[string]func(int) bool{
		"IsEqualTo":              func(c int) bool { return c == 0 },
		"IsNotEqualTo":           func(c int) bool { return c != 0 },
		"IsGreaterThan":          func(c int) bool { return c > 0 },
		"IsGreaterThanOrEqualTo": func(c int) bool { return c >= 0 },
		"IsLessThan":             func(c int) bool { return c < 0 },
		"IsLessThanOrEqualTo":    func(c int) bool { return c <= 0 },
	}
	sign := signs[n.name.Local]
	if sign == nil {
		return nil, fail("ErrorInvalidRequest", "The request is invalid: there is no search expression %q.", n.name.Local)
	}
	p, err := parsePath(n.first())
	if err != nil {
		return nil, err
	}
	operand := n.child("FieldURIOrConstant").first()
	if operand.is("Constant") {
		text := operand.attr("Value")
		return func(get lookup) bool { return against(get, p, text, sign) }, nil
	}
	other, err := parsePath(operand)
	if err != nil {
		return nil, err
	}
	return func(get lookup) bool {
		a, there := get(p)
		b, too := get(other)
		return there && too && sign(a.compare(b))
	}, nil
}

// against compares a property with a constant. What is missing is equal to
// nothing, and therefore unequal to everything.
func against(get lookup, p path, text string, sign func(int) bool) bool {
	v, there := get(p)
	if !there {
		return sign(1) && sign(-1)
	}
	want, ok := v.constant(text)
	if !ok {
		return false
	}
	if v.texts == nil {
		return sign(v.compare(want))
	}
	if slices.ContainsFunc(v.texts, func(t string) bool { return textValue(t).compare(want) == 0 }) {
		return sign(0)
	}
	return sign(1) && sign(-1)
}
