package retry

import (
	"math"
	"net/http"
	"strings"
	"time"
)

// ParseAfter reads the value of a Retry-After header (RFC 9110 section
// 10.2.3): a number of seconds or an HTTP date, which is taken relative to
// now. A date in the past gives 0. It reports false for anything else, a
// negative number included. Numbers too large for a Duration give the longest
// one.
func ParseAfter(value string, now time.Time) (time.Duration, bool) {
	value = strings.TrimSpace(value)
	if value == "" {
		return 0, false
	}
	if strings.Trim(value, "0123456789") == "" {
		return seconds(value), true
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return max(at.Sub(now), 0), true
}

// seconds converts a string of digits.
func seconds(digits string) time.Duration {
	const most = math.MaxInt64 / int64(time.Second)
	var n int64
	for _, d := range digits {
		n = n*10 + int64(d-'0')
		if n > most {
			return math.MaxInt64
		}
	}
	return time.Duration(n) * time.Second
}

// FromHeader returns the pause that the header of an HTTP answer asks for, or
// 0. A date is taken relative to the answer's own Date where it has one, so
// that a wrong clock on either side does not matter, and to now otherwise.
func FromHeader(h http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	d, _ := ParseAfter(h.Get("Retry-After"), now)
	return d
}
