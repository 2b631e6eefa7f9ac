package ews

import (
	"bytes"
	"errors"
	"io"
	"net/http"

	"github.com/mailsession/mailsession/internal/backend"
)

// turnedAwayFrom is from which size on a request may be too large for a web server.
// Administrators allow at least a mail of ordinary size; Exchange allows some ten
// million bytes.
const turnedAwayFrom = 64 << 10

// oversized reports whether a web server turned a request away for its size, ahead of
// Exchange, so that nothing of it was done. Few say so in a word:
//
//   - 413 is what the web services of Exchange answer from 2013 on, and what most
//     machines before them do;
//   - 400 is what those of 2010 answer, without a word;
//   - 404 is how a browser sees 404.13, by which the request filter of IIS refuses:
//     other requests find the path, since the connection is signed in;
//   - 507 is the front end of Exchange 2013 and 2016, ahead of its own limit;
//   - the rest says it in words.
//
// What else has these numbers is refused before anything is done as well.
func (e *Error) oversized() bool {
	if e.Code != "" {
		return false
	}
	switch e.Status {
	case http.StatusRequestEntityTooLarge, http.StatusInsufficientStorage:
		return true
	case http.StatusBadRequest, http.StatusNotFound:
		return e.turnedAway || e.size >= turnedAwayFrom
	}
	return e.turnedAway
}

// tellingWords are how much is read of a page that is no answer of Exchange.
const tellingWords = 16 << 10

// judge reads what a machine before Exchange says. The words are those that these
// machines have in every language they speak, as far as that is known.
func (e *Error) judge(page io.Reader) {
	words, _ := io.ReadAll(io.LimitReader(page, tellingWords)) // what does not come, or is damaged, says nothing
	e.turnedAway = saysTooLong(string(words))
	e.passedOn = e.Status == http.StatusServiceUnavailable && bytes.Contains(words, []byte("reset before headers"))
}

// saysTooLong reports whether a server says that a request is too large: ASP.NET, WCF,
// and the request filter of IIS, whose long page has the number.
func saysTooLong(words string) bool {
	for _, sign := range []string{
		"Maximum request length exceeded", "maximum message size quota", "exceeds the request content length", "404.13",
	} {
		if bytes.Contains([]byte(words), []byte(sign)) {
			return true
		}
	}
	return false
}

// atFault reports whether a request failed for what it holds in one piece, and may get
// through in several: it was too large for a web server, the line broke again and again
// while it was on its way, or Exchange could not take so much apart. Nothing of it was
// done then.
func atFault(r *request, size int64, err error) bool {
	e, answer := errors.AsType[*Error](err)
	switch {
	case answer && e.oversized():
		return true
	case size < turnedAwayFrom:
		return false
	case answer:
		return e.Code == "ErrorContentConversionFailed" || e.Code == "ErrorMimeContentConversionFailed"
	}
	return backend.IsLost(err) && !r.sent
}
