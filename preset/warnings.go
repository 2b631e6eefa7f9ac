package preset

import (
	"fmt"
	"slices"
	"time"
)

// Retirement is a way to mail that ends.
type Retirement struct {
	// Protocols and Flows are those that it is about, nil for all.
	Protocols []Protocol
	Flows     []Flow
	// Announced is when the date was last announced, Date when it ends, both
	// at midnight UTC.
	Announced, Date time.Time
	// What happens on the Date, in a full sentence, and what to do about it.
	What, Fix string
	// Source is where this is from.
	Source string
}

// Warning is a Retirement that concerns a program.
type Warning struct {
	// Date is when it happens.
	Date time.Time
	// Due tells that the Date has come.
	Due bool
	// What happens, and what to do about it, in full sentences.
	What, Fix string
	// Source is where this is from.
	Source string
}

// String returns the date, what happens and what to do about it.
func (w Warning) String() string {
	tense := "on"
	if w.Due {
		tense = "since"
	}
	return fmt.Sprintf("%s %s: %s %s", tense, w.Date.Format(time.DateOnly), w.What, w.Fix)
}

// Warnings returns what is known at a time of the end of a flow by a protocol,
// the earliest date first. A date that has not been announced yet is not
// among them, and one that has passed is: what is gone is worth a warning too.
func (p Provider) Warnings(proto Protocol, flow Flow, at time.Time) []Warning {
	var warnings []Warning
	for _, r := range p.Retirements {
		about := (r.Protocols == nil || slices.Contains(r.Protocols, proto)) && (r.Flows == nil || slices.Contains(r.Flows, flow))
		if about && !at.Before(r.Announced) {
			warnings = append(warnings, Warning{Date: r.Date, Due: !at.Before(r.Date), What: r.What, Fix: r.Fix, Source: r.Source})
		}
	}
	slices.SortStableFunc(warnings, func(a, b Warning) int { return a.Date.Compare(b.Date) })
	return warnings
}
