package message

import (
	"strings"
	"time"
)

// parseDate reads a date and time in the form of RFC 5322 section 3.3 and 4.3,
// and in the forms that programs write instead: without day of the week,
// seconds or zone, with the zone in words or as GMT+1, with the year last as C
// writes it, with a time of twelve hours, with dashes, and that of ISO 8601.
func parseDate(s string) (time.Time, bool) {
	p := dateParser{month: -1, day: -1, year: -1}
	s = stripSpace(stripComments(s))
	for s != "" {
		var w string
		w, s = dateWord(s)
		if w != "" && !p.word(w) {
			return time.Time{}, false
		}
	}
	return p.time()
}

// maxDate is how much of a date is looked at.
const maxDate = 200

// stripComments returns s without its comments, which are the zone once more or
// worse, and without what is too long to be a date.
func stripComments(s string) string {
	s = s[:min(len(s), maxDate)]
	for {
		i := strings.IndexByte(s, '(')
		if i < 0 {
			return s
		}
		n := commentLen(s[i:])
		if n == 0 {
			return s[:i]
		}
		s = s[:i] + " " + s[i+n:]
	}
}

// stripSpace returns s without white space around colons (RFC 5322 section 4.3).
func stripSpace(s string) string {
	if !strings.Contains(s, " :") && !strings.Contains(s, ": ") {
		return s
	}
	var b strings.Builder
	for more := true; more; {
		var part string
		part, s, more = strings.Cut(s, ":")
		if b.Len() > 0 {
			part = strings.TrimLeft(part, " \t")
		}
		if more {
			part = strings.TrimRight(part, " \t") + ":"
		}
		b.WriteString(part)
	}
	return b.String()
}

// dateWord cuts s behind its first word. White space and commas are between
// words.
func dateWord(s string) (w, rest string) {
	s = strings.TrimLeft(s, " \t,")
	if i := strings.IndexAny(s, " \t,"); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// A dateParser gathers what words mean.
type dateParser struct {
	day, month, year int // -1: not seen yet
	hour, min, sec   int
	clock            bool // the time of day was seen
	zoned            bool // the zone was seen, as a name
	numeric          bool // the zone was seen, as an offset
	offset           int  // seconds east of UTC
	half             byte // a or p of a clock of twelve hours
}

// word takes the next word, and reports whether it has a place in a date. A
// word that has none does no harm once there is a date and a time.
func (p *dateParser) word(w string) bool {
	return p.known(w) || p.clock && p.day >= 0 && p.month >= 0 && p.year >= 0
}

func (p *dateParser) known(w string) bool {
	switch {
	case isDigit(w[0]) && strings.Count(w, "-") == 2:
		return p.dashed(w)
	case len(w) > 4 && isDigit(w[0]) && w[4] == '/':
		return p.dashed(strings.ReplaceAll(w, "/", "-"))
	case isDigit(w[0]) && strings.ContainsAny(w, ":.") && !p.clock:
		return p.time24(w)
	case isDigit(w[0]):
		return p.number(w)
	case w[0] == '+' || w[0] == '-':
		return p.zone(w)
	}
	if m := monthNumber(w); m > 0 && p.month < 0 {
		p.month = m
		return true
	}
	return isWeekday(w) || p.halfDay(w) || p.namedZone(w)
}

// dashed takes 02-Jan-2006, 2006-01-02 and 2006-01-02T15:04:05Z, and 2006/01/02
// with dashes.
func (p *dateParser) dashed(w string) bool {
	w, clock, found := strings.Cut(strings.ToUpper(w), "T")
	if found && strings.Contains(w, "OC") {
		// The T of a month, as in 02-OCT-2006.
		w, clock, found = w+"T"+clock, "", false
	}
	first, rest, _ := strings.Cut(w, "-")
	middle, last, complete := strings.Cut(rest, "-")
	if !complete || p.month >= 0 {
		return false
	}
	if m := monthNumber(middle); m > 0 {
		p.month = m
		return p.number(first) && p.number(last)
	}
	month, ok := number(middle)
	if len(first) != 4 || !ok {
		return false
	}
	p.month = month
	return p.number(first) && p.number(last) && (!found || p.iso(clock))
}

// iso takes the time of ISO 8601 with its zone.
func (p *dateParser) iso(s string) bool {
	i := strings.IndexAny(s, "Z+-")
	if i < 0 {
		return p.time24(s)
	}
	return p.time24(s[:i]) && (p.zone(s[i:]) || p.namedZone(s[i:]))
}

// number takes the day or the year, whichever is missing.
func (p *dateParser) number(w string) bool {
	n, ok := number(w)
	switch {
	case !ok:
		return false
	case p.day < 0 && len(w) <= 2:
		p.day = n
	case p.year < 0:
		p.year = fullYear(n, len(w))
	default:
		return false
	}
	return true
}

// fullYear interprets years of two and three digits (RFC 5322 section 4.3).
func fullYear(n, digits int) int {
	switch {
	case digits <= 2 && n < 50:
		return n + 2000
	case digits <= 3:
		return n + 1900
	}
	return n
}

// time24 takes hh:mm, hh:mm:ss and both with points, and drops fractions of a
// second.
func (p *dateParser) time24(w string) bool {
	if n := len(w); n > 2 && (lower(w[n-1]) == 'm') && (lower(w[n-2]) == 'a' || lower(w[n-2]) == 'p') {
		p.half, w = lower(w[n-2]), w[:n-2]
	}
	var n [3]int
	parts := 0
	for w != "" && parts < len(n) {
		part := w
		if i := strings.IndexAny(w, ":."); i >= 0 {
			part, w = w[:i], w[i+1:]
		} else {
			w = ""
		}
		if part == "" {
			continue
		}
		var ok bool
		if n[parts], ok = number(part); !ok || len(part) > 2 {
			return false
		}
		parts++
	}
	if parts < 2 {
		return false
	}
	p.hour, p.min, p.sec, p.clock = n[0], n[1], n[2], true
	return true
}

// halfDay takes AM and PM.
func (p *dateParser) halfDay(w string) bool {
	if !strings.EqualFold(w, "am") && !strings.EqualFold(w, "pm") {
		return false
	}
	p.half = lower(w[0])
	return true
}

// zone takes +hhmm, +hh:mm, +hh and the same with a minus. It counts for more
// than a name. An offset that no zone has means UTC.
func (p *dateParser) zone(w string) bool {
	end := strings.IndexFunc(w[1:], func(r rune) bool { return (r < '0' || r > '9') && r != ':' })
	if end < 0 {
		end = len(w) - 1
	}
	digits := strings.Replace(w[1:1+end], ":", "", 1)
	digits = digits[:min(len(digits), 4)]
	if len(digits) <= 2 {
		digits += "00"
	}
	n, ok := number(digits)
	if !ok || p.numeric {
		return ok
	}
	p.numeric, p.offset = true, 0
	if h, m := n/100, n%100; h < 24 && m < 60 {
		p.offset = h*3600 + m*60
	}
	if w[0] == '-' {
		p.offset = -p.offset
	}
	return true
}

// namedZone takes the zones of RFC 5322 section 4.3 and a few more, also with
// an offset behind, as in GMT+0100. A name that is not known means UTC where no
// offset was given, which is what the section asks for.
func (p *dateParser) namedZone(w string) bool {
	name, offset := w, ""
	if i := strings.IndexAny(w, "+-"); i > 0 {
		name, offset = w[:i], w[i:]
	}
	for _, c := range []byte(name) {
		if c = lower(c); (c < 'a' || c > 'z') && c != '.' && c != '/' && c != '_' {
			return false
		}
	}
	switch {
	case !p.clock:
		return false
	case offset != "":
		return p.zone(offset)
	case !p.zoned && !p.numeric:
		p.zoned, p.offset = true, 3600*zoneHours(name)
	}
	return true // a second name only repeats the first
}

// zoneHours returns the offset of a named zone. Only the names that stand for
// one zone everywhere are known.
func zoneHours(name string) int {
	switch strings.ToUpper(name) {
	case "EDT":
		return -4
	case "EST", "CDT":
		return -5
	case "CST", "MDT":
		return -6
	case "MST", "PDT":
		return -7
	case "PST":
		return -8
	case "CET", "MEZ", "MET":
		return 1
	case "CEST", "MESZ", "MEST", "EET":
		return 2
	case "EEST", "MSK":
		return 3
	case "JST", "KST":
		return 9
	}
	return 0
}

// time returns what the words have told.
func (p *dateParser) time() (time.Time, bool) {
	switch p.half {
	case 'a', 'p':
		if p.hour < 1 || p.hour > 12 {
			break // written as PM of 24 hours
		}
		p.hour %= 12
		if p.half == 'p' {
			p.hour += 12
		}
	}
	if p.sec == 60 {
		p.sec = 59 // a leap second
	}
	switch {
	case p.day < 1 || p.day > 31, p.month < 1 || p.month > 12, p.year < 1900 || p.year > 9999,
		p.hour > 23, p.min > 59, p.sec > 59:
		return time.Time{}, false
	}
	zone := time.UTC
	if p.offset != 0 {
		zone = time.FixedZone("", p.offset)
	}
	t := time.Date(p.year, time.Month(p.month), p.day, p.hour, p.min, p.sec, 0, zone)
	if t.Day() != p.day {
		return time.Time{}, false // there is no such day in the month
	}
	return t, true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number reads a number of up to four digits.
func number(s string) (int, bool) {
	if s == "" || len(s) > 4 {
		return 0, false
	}
	n := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// monthNumber returns the number of a month in English, in full, by its first
// three letters or as Sept, with or without a point; or 0.
func monthNumber(w string) int {
	w = strings.TrimSuffix(w, ".")
	for m := time.January; m <= time.December; m++ {
		name := m.String()
		if len(w) >= 3 && len(w) <= len(name) && strings.EqualFold(w, name[:len(w)]) {
			return int(m)
		}
	}
	return 0
}

// isWeekday reports whether w is a day of the week in English.
func isWeekday(w string) bool {
	w = strings.TrimSuffix(w, ".")
	for d := time.Sunday; d <= time.Saturday; d++ {
		name := d.String()
		if len(w) >= 2 && len(w) <= len(name) && strings.EqualFold(w, name[:len(w)]) {
			return true
		}
	}
	return false
}
