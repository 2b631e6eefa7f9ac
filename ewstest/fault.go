package ewstest

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
)

// faulty returns the answer that a fault's Reply describes, in the ways that the
// package's documentation lists.
func (x *exchange) faulty(reply string, run func() *answer) *answer {
	first, rest, _ := strings.Cut(reply, "\r\n")
	if strings.HasPrefix(first, "HTTP/") {
		return verbatim(first, rest)
	}
	number, _, _ := strings.Cut(first, " ")
	if status, err := strconv.Atoi(number); err == nil && status >= 100 && status <= 999 {
		return plain(status)
	}
	if code, is := strings.CutPrefix(first, "fault "); is {
		return x.server.soapFault(parseFailure(code))
	}
	x.failing = parseFailure(first)
	return run()
}

// verbatim reads an answer that is written out.
func verbatim(status, rest string) *answer {
	a := plain(http.StatusBadGateway)
	if fields := strings.Fields(status); len(fields) > 1 {
		if code, err := strconv.Atoi(fields[1]); err == nil {
			a.status = code
		}
	}
	head, body, _ := strings.Cut(rest, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			a.header = append(a.header, name, strings.TrimSpace(value))
		}
	}
	a.body = []byte(body)
	return a
}

// parseFailure reads "CODE NAME=VALUE ...: words".
func parseFailure(text string) *failure {
	head, words, _ := strings.Cut(text, ":")
	f := &failure{text: strings.TrimSpace(words)}
	for i, word := range strings.Fields(head) {
		if i == 0 {
			f.code = word
			continue
		}
		name, value, _ := strings.Cut(word, "=")
		f.values = append(f.values, name, value)
	}
	if f.text == "" {
		f.text = "The operation failed."
	}
	return f
}

// fail makes a failure.
func fail(code, format string, args ...any) *failure {
	return &failure{code: code, text: fmt.Sprintf(format, args...)}
}

const busyText = "The server cannot service this request right now. Try again later."

// Busy refuses an operation for a while with a SOAP fault ErrorServerBusy that
// says how long to wait, status 500: Exchange's usual way.
func Busy(operation string, wait time.Duration) mailtest.Fault {
	return mailtest.Reply(operation, fmt.Sprintf("fault ErrorServerBusy BackOffMilliseconds=%d: %s", wait.Milliseconds(), busyText))
}

// BusyItems answers an operation with status 200 and an ErrorServerBusy in each
// response message, as Exchange does where a policy such as that for concurrent
// syncs is exceeded.
func BusyItems(operation string, wait time.Duration) mailtest.Fault {
	return mailtest.Reply(operation, fmt.Sprintf("ErrorServerBusy BackOffMilliseconds=%d: %s", wait.Milliseconds(), busyText))
}

// Unavailable answers with status 503, as IIS does when its queue is full. A
// wait of more than 0 becomes the header Retry-After, in whole seconds.
func Unavailable(operation string, wait time.Duration) mailtest.Fault {
	if wait <= 0 {
		return mailtest.Reply(operation, "503 Service Unavailable")
	}
	return mailtest.Reply(operation, fmt.Sprintf("HTTP/1.1 503 Service Unavailable\r\nRetry-After: %d\r\n\r\n", int(wait.Seconds())))
}

// Forbidden answers with an empty 403, as Exchange Online does where EWS is
// switched off for the tenant, the mailbox or the application.
func Forbidden(operation string) mailtest.Fault {
	return mailtest.Reply(operation, "403 Forbidden")
}

// Failing makes each response message of an operation report an error, such as
// "ErrorInvalidSyncStateData" to a sync or "ErrorSubscriptionNotFound" to
// GetStreamingEvents, whose words are made up. The operation is carried out
// for none.
func Failing(operation, code string) mailtest.Fault { return mailtest.Reply(operation, code) }

// FailingWhole answers an operation with a SOAP fault, status 500.
func FailingWhole(operation, code string) mailtest.Fault {
	return mailtest.Reply(operation, "fault "+code)
}
