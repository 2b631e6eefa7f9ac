package preset

import "time"

// checked is when the data was last compared with its sources.
func checked() time.Time { return day(2026, time.November, 21) }

// day returns midnight UTC.
func day(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// yandexIdle is how long an IDLE at Yandex goes on before it falls silent: six
// minutes were seen.
const yandexIdle = 5 * time.Minute
