package ews

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/session"
)

// both writes restrictions of which all have to hold as one.
func both(all []element) element {
	if len(all) == 1 {
		return all[0]
	}
	return el("t:And", all...)
}

// compare writes a comparison of a property with a constant.
func compare(how string, property element, value string) element {
	return el("t:"+how, property, el("t:FieldURIOrConstant", el("t:Constant").with("Value", value)))
}

// contains looks for a piece of text, whatever the letters' case.
func contains(property element, text string) element {
	return el("t:Contains", property, el("t:Constant").with("Value", text)).
		with("ContainmentMode", "Substring").with("ContainmentComparison", "IgnoreCase")
}

func not(e element) element { return el("t:Not", e) }

// ask tells what an Exchange server can do about one condition. What it keeps as
// numbers and marks it decides; of text it knows subjects and Message-IDs as such, and
// addresses only in forms of its own.
func ask(f session.Filter) (session.Filter, match.Ability, string) {
	g := f
	if f.Not != nil {
		g = *f.Not
	}
	switch {
	case g.Subject != "", g.Unread != session.Any, g.Flagged != session.Any, g.Answered != session.Any, g.Deleted != session.Any,
		g.HasAttachment != session.Any, !g.Since.IsZero(), !g.Before.IsZero(), g.Larger > 0, g.Smaller > 0:
		return f, match.Decides, ""
	case strings.EqualFold(g.Header.Name, "Message-ID") && g.Header.Value != "":
		return f, match.Decides, ""
	case g.Keyword != "" && !strings.HasPrefix(string(g.Keyword), `\`):
		return f, match.Decides, ""
	case len(g.IDs) > 0:
		return f, match.Nothing, "id: Exchange cannot search for it"
	case g.Draft != session.Any, g.Keyword != "":
		return f, match.Nothing, "draft: and keyword: Exchange cannot search for this flag"
	case g.Label != "":
		return f, match.Nothing, "label: Exchange has no labels"
	case g.Body != "", g.Text != "":
		return f, match.Nothing, "body: and text: Exchange looks into one form of the text alone; what it finds by its index is native:"
	}
	return f, match.Nothing, "Exchange cannot search for header fields as they came"
}

// restrictions writes a filter, of which all parts have to hold.
func restrictions(f session.Filter) []element {
	all := slices.Concat(markRestrictions(f), valueRestrictions(f))
	for _, g := range f.All {
		all = append(all, both(orEverything(restrictions(g))))
	}
	if len(f.AnyOf) > 0 {
		var some []element
		for _, g := range f.AnyOf {
			some = append(some, both(orEverything(restrictions(g))))
		}
		if len(some) == 1 {
			all = append(all, some[0])
		} else {
			all = append(all, el("t:Or", some...))
		}
	}
	if f.Not != nil {
		all = append(all, not(both(orEverything(restrictions(*f.Not)))))
	}
	return all
}

// orEverything says what holds for every message, where there is no other condition.
func orEverything(all []element) []element {
	if len(all) == 0 {
		return []element{el("t:Exists", field("item:ItemClass"))}
	}
	return all
}

func markRestrictions(f session.Filter) []element {
	var all []element
	answered := el("t:Or", compare("IsEqualTo", tagVerb.uri(), strconv.Itoa(repliedTo)), compare("IsEqualTo", tagVerb.uri(), strconv.Itoa(repliedToAll)))
	for _, m := range []struct {
		condition session.Condition
		yes       element
	}{
		{f.Unread, compare("IsEqualTo", field("message:IsRead"), boolean(false))},
		{f.Flagged, compare("IsEqualTo", tagFlagged.uri(), strconv.Itoa(flagged))},
		{f.Answered, answered},
		{f.Deleted, compare("IsEqualTo", tagDeleted.uri(), strconv.Itoa(markedDeleted))},
		{f.HasAttachment, compare("IsEqualTo", field("item:HasAttachments"), boolean(true))},
	} {
		switch m.condition {
		case session.Yes:
			all = append(all, m.yes)
		case session.No:
			all = append(all, not(m.yes))
		case session.Any:
		}
	}
	if f.Keyword != "" {
		all = append(all, compare("IsEqualTo", field("item:Categories"), string(f.Keyword)))
	}
	return all
}

func valueRestrictions(f session.Filter) []element {
	var all []element
	if f.Subject != "" {
		all = append(all, contains(field("item:Subject"), f.Subject))
	}
	if f.Header.Value != "" {
		all = append(all, contains(field("message:InternetMessageId"), f.Header.Value))
	}
	if !f.Since.IsZero() {
		all = append(all, compare("IsGreaterThanOrEqualTo", field("item:DateTimeReceived"), instant(f.Since)))
	}
	if !f.Before.IsZero() {
		all = append(all, compare("IsLessThan", field("item:DateTimeReceived"), instant(f.Before)))
	}
	return append(all, sizeRestrictions(f)...)
}

// sizeRestrictions writes conditions on the size, which Exchange keeps as a number of
// 32 bits, and does not compare with a greater one.
func sizeRestrictions(f session.Filter) []element {
	var all []element
	if f.Larger > 0 {
		all = append(all, compare("IsGreaterThan", field("item:Size"), strconv.FormatInt(min(f.Larger, math.MaxInt32), 10)))
	}
	switch {
	case f.Smaller > math.MaxInt32:
		all = append(all, compare("IsLessThanOrEqualTo", field("item:Size"), strconv.Itoa(math.MaxInt32)))
	case f.Smaller > 0:
		all = append(all, compare("IsLessThan", field("item:Size"), strconv.FormatInt(f.Smaller, 10)))
	}
	return all
}

// behind asks for what comes behind a message in the order.
func behind(number int64, oldest bool) element {
	if oldest {
		return compare("IsGreaterThan", tagNumber.uri(), strconv.FormatInt(number, 10))
	}
	return compare("IsLessThan", tagNumber.uri(), strconv.FormatInt(number, 10))
}

// shown writes restrictions for people.
func shown(e element) string {
	if value, ok := strings.CutPrefix(e.name, "t:FieldURIOrConstant"); ok && value == "" && len(e.children) == 1 {
		return shown(e.children[0])
	}
	if len(e.attrs) > 0 && len(e.children) == 0 {
		return fmt.Sprintf("%q", strings.Join(attrValues(e), " "))
	}
	parts := make([]string, len(e.children))
	for i, c := range e.children {
		parts[i] = shown(c)
	}
	return strings.TrimPrefix(e.name, "t:") + "(" + strings.Join(parts, ", ") + ")"
}

func attrValues(e element) []string {
	var values []string
	for i := 1; i < len(e.attrs); i += 2 {
		values = append(values, e.attrs[i])
	}
	return values
}
