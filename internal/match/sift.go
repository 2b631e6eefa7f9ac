package match

import (
	"cmp"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// ScanLimit returns how many messages may be compared in vain for a query; a
// negative number means that there is no limit.
func ScanLimit(q session.Query) int { return cmp.Or(q.ScanLimit, session.DefaultScanLimit) }

// Trim takes away from a summary what was fetched for comparing alone. A nil
// summary is left as it is.
func Trim(summary *session.Message, asked session.Fields) {
	if summary == nil {
		return
	}
	if asked&session.FieldFlags == 0 {
		summary.Flags = nil
	}
	if asked&session.FieldReceived == 0 {
		summary.Received = time.Time{}
	}
	if asked&session.FieldSize == 0 {
		summary.Size = 0
	}
	if asked&session.FieldHeader == 0 {
		summary.Header = message.Header{}
	}
	if asked&session.FieldStructure == 0 {
		summary.Structure = nil
	}
	if asked&(session.FieldStructure|session.FieldPreview) == 0 {
		summary.Incomplete = nil
	}
}
