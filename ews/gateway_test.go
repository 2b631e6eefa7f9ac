package ews_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// unclearAnswers are what machines before Exchange, or Exchange itself, say where nobody
// knows whether a request was carried out.
func unclearAnswers() map[string]string {
	answer := func(status, kind, body string) string {
		return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", status, kind, len(body), body)
	}
	return map[string]string{
		"502":  answer("502 Bad Gateway", "text/html", "oops"),
		"504":  answer("504 Gateway Timeout", "text/html", "oops"),
		"500":  answer("500 Internal Server Error", "text/html", "oops"),
		"page": answer("200 OK", "text/html", "oops"),
		"fault": answer("500 Internal Server Error", "text/xml", `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><s:Fault>`+
			`<faultcode>a:ErrorTimeoutExpired</faultcode><faultstring>It takes too long.</faultstring></s:Fault></s:Body></s:Envelope>`),
	}
}

// unclear is a bed before which a machine answers so to an operation that Exchange has
// carried out.
func unclear(t *testing.T, operation, answer string) *bed {
	t.Helper()
	mid := &between{answer: func(text, request string) string {
		if strings.Contains(request, "<m:"+operation) {
			return answer
		}
		return text
	}}
	return newBed(t, settings{change: mid.stand})
}

// TestAppendBehindAGateway: a message that was stored is found, whatever a machine in
// between makes of the answer, and one that nobody can look for is not said to be absent:
// who appends it again would have it twice.
func TestAppendBehindAGateway(t *testing.T) {
	for name, answer := range unclearAnswers() {
		t.Run(name, func(t *testing.T) {
			b := unclear(t, "CreateItem", answer)
			id, err := b.Append(t.Context(), session.Inbox, message.Bytes([]byte(mailtest.Sample(1))), nil)
			if err != nil || id.IsZero() {
				t.Errorf("a message that can be found: %v, %v; want its id", id, err)
			}
			nameless := message.Bytes([]byte("From: bob@example.org\r\nSubject: no id\r\n\r\n.\r\n"))
			_, err = b.Append(t.Context(), session.Inbox, nameless, nil)
			if e, ok := errors.AsType[*session.AppendError](err); !ok || e.Outcome != session.DoneUnknown {
				t.Errorf("a message without a Message-ID: %v; want that nobody knows", err)
			}
			if all, err := b.account.Messages("INBOX"); err != nil || len(all) != 2 {
				t.Errorf("the folder has %d messages, %v; want both", len(all), err)
			}
		})
	}
}

// TestChangeBehindAGateway: nobody says of a change that was made that it was not.
func TestChangeBehindAGateway(t *testing.T) {
	for name, answer := range unclearAnswers() {
		for operation, change := range map[string]session.Change{
			"CopyItem": {CopyTo: session.Archive}, "MoveItem": {MoveTo: session.Archive}, "DeleteItem": {Delete: true},
			"UpdateItem": {Set: session.Flags{"handled"}},
		} {
			t.Run(name+" "+operation, func(t *testing.T) {
				b := unclear(t, operation, answer)
				b.fill(t, 1)
				_, ids, err := b.list(t.Context(), session.Query{})
				if err != nil {
					t.Fatal(err)
				}
				results, err := b.Apply(t.Context(), change, ids...)
				if len(results) != 1 || results[0].Outcome != session.DoneUnknown || results[0].Err == nil {
					t.Errorf("Apply = %v, %v; want that nobody knows", results, err)
				}
			})
		}
	}
}

// TestFolderBehindAGateway: the error says that a folder may be there.
func TestFolderBehindAGateway(t *testing.T) {
	for name, answer := range unclearAnswers() {
		t.Run(name, func(t *testing.T) {
			b := unclear(t, "CreateFolder", answer)
			if err := b.CreateFolder(t.Context(), "Projects"); err == nil || !strings.Contains(err.Error(), "list the folders") {
				t.Errorf("CreateFolder: %v; want what to do where nobody knows", err)
			}
		})
	}
}
