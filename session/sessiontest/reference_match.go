package sessiontest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// matches is how the reference server compares a message with a filter.
func (v visitor) matches(f session.Filter, m mailtest.Message) (bool, error) {
	flags := []session.Condition{f.Unread, f.Flagged, f.Answered, f.Draft, f.Deleted}
	if v.Facts.NoFlags && (f.Keyword != "" || slices.ContainsFunc(flags, func(c session.Condition) bool { return c != session.Any })) {
		return false, lacking("flag to search for")
	}
	if f.Keyword != "" && !isFlag(string(f.Keyword), v.Facts.FreeKeywords) {
		return false, fmt.Errorf("%s: %q cannot be a flag", referenceName, f.Keyword)
	}
	if f.Label != "" && !v.Facts.Labels || f.Native != "" && v.Facts.Native == "" {
		return false, lacking("label, and no native search")
	}
	var client referenceClient
	client.mailbox = session.Fingerprint(referenceName, v.q.User)
	here := fits(f.Unread, !m.Has(mailtest.Seen)) && fits(f.Flagged, m.Has(mailtest.Flagged)) &&
		fits(f.Answered, m.Has(mailtest.Answered)) && fits(f.Draft, m.Has(mailtest.Draft)) &&
		fits(f.Deleted, m.Has(mailtest.Deleted)) && (f.Keyword == "" || m.Has(string(f.Keyword))) &&
		(f.Since.IsZero() || !m.Received.Before(f.Since)) && (f.Before.IsZero() || m.Received.Before(f.Before)) &&
		(f.Larger == 0 || int64(len(m.Raw)) > f.Larger) && (f.Smaller == 0 || int64(len(m.Raw)) < f.Smaller) &&
		(f.Label == "" || v.hasLabel(m, f.Label)) && (f.Native == "" || has(m.Raw, f.Native)) &&
		(len(f.IDs) == 0 || slices.Contains(f.IDs, client.id(answer{place: placeOf(m)})))
	if here {
		text, err := matchesText(f, m.Raw)
		if err != nil {
			return false, err
		}
		here = text
	}
	return v.combine(f, m, here)
}

// combine goes through the filters within a filter.
func (v visitor) combine(f session.Filter, m mailtest.Message, here bool) (bool, error) {
	for _, g := range f.All {
		ok, err := v.matches(g, m)
		if err != nil {
			return false, err
		}
		here = here && ok
	}
	if len(f.AnyOf) > 0 {
		one := false
		for _, g := range f.AnyOf {
			ok, err := v.matches(g, m)
			if err != nil {
				return false, err
			}
			one = one || ok
		}
		here = here && one
	}
	if f.Not != nil {
		ok, err := v.matches(*f.Not, m)
		if err != nil {
			return false, err
		}
		here = here && !ok
	}
	return here, nil
}

// matchesText compares what is written in a message.
func matchesText(f session.Filter, raw string) (bool, error) {
	if !asksForText(f) {
		return true, nil
	}
	m, err := message.Parse(strings.NewReader(raw), nil)
	if err != nil {
		return false, fmt.Errorf("parse: %w", err)
	}
	h := m.Header
	body := m.Text + "\n" + m.HTML
	var fields strings.Builder
	for name := range h.Fields() {
		fields.WriteString(name + ": " + h.Text(name) + "\n")
	}
	return has(h.Text("From"), f.From) && has(h.Text("To"), f.To) && has(h.Text("Cc"), f.Cc) && has(h.Text("Bcc"), f.Bcc) &&
		has(h.Subject(), f.Subject) && has(body, f.Body) && has(body+"\n"+fields.String(), f.Text) &&
		fits(f.HasAttachment, len(m.Attachments) > 0) &&
		(f.Header.Name == "" || h.Has(f.Header.Name) && has(h.Text(f.Header.Name), f.Header.Value)), nil
}

// asksForText reports whether a message has to be read for a filter.
func asksForText(f session.Filter) bool {
	return f.From+f.To+f.Cc+f.Bcc+f.Subject+f.Body+f.Text+f.Header.Name != "" || f.HasAttachment != session.Any
}

func has(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
