package ews_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// written is the answer to an operation, written out.
func written(op, inside string) mailtest.Fault {
	return mailtest.Reply(op, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n\r\n"+
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages" `+
		`xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body><m:%[1]sResponse><m:ResponseMessages>`+
		`<m:%[1]sResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>%[2]s</m:%[1]sResponseMessage>`+
		`</m:ResponseMessages></m:%[1]sResponse></s:Body></s:Envelope>`, op, inside))
}

// TestUnreadableMessagesAtTheEndOfAPage: of messages that cannot be read, the server
// tells no number to go on behind. The listing goes on behind them all the same, and
// tells of each of them once.
func TestUnreadableMessagesAtTheEndOfAPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, settings{client: ews.Options{PageSize: 1}})
		b.fill(t, 2)
		b.server.Inject(written("FindItem", `<m:RootFolder IncludesLastItemInRange="false"><t:Items>`+
			`<t:Message><t:ItemId Id="first"/><t:DateTimeReceived>yesterday</t:DateTimeReceived></t:Message></t:Items></m:RootFolder>`))
		bad, good := 0, 0
		for m, err := range b.Messages(t.Context(), session.Query{OldestFirst: true, Fields: session.FieldReceived}) {
			switch _, item := errors.AsType[*session.ItemError](err); {
			case item:
				bad++
			case err != nil:
				t.Fatal(err)
			default:
				good++
				if m.Received.IsZero() {
					t.Error("a message has no time")
				}
			}
		}
		if bad != 1 || good != 1 {
			t.Errorf("%d messages could not be read and %d could, want the first one and the one behind it", bad, good)
		}
	})
}

// TestBooleansHaveFourSpellings: a page that is the last one is, and one that is not is
// not, however XML Schema lets that be written, and where nobody says it.
func TestBooleansHaveFourSpellings(t *testing.T) {
	for spelling, last := range map[string]bool{"true": true, "1": true, " true ": true, "false": false, "0": false, " 0 ": false} {
		b := newBed(t, settings{})
		b.fill(t, 1)
		if _, ids, err := b.list(t.Context(), session.Query{}); err != nil || len(ids) != 1 {
			t.Fatalf("Messages: %d, %v; want 1", len(ids), err)
		}
		b.server.Inject(written("FindItem", fmt.Sprintf(`<m:RootFolder IncludesLastItemInRange="%s"><t:Items><t:Message><t:ItemId Id="x"/>`+
			`<t:ExtendedProperty><t:ExtendedFieldURI PropertyTag="0x0e23" PropertyType="Integer"/><t:Value>99</t:Value></t:ExtendedProperty>`+
			`</t:Message></t:Items></m:RootFolder>`, spelling)))
		before := len(b.made("FindItem"))
		if _, _, err := b.list(t.Context(), session.Query{}); err != nil {
			t.Errorf("%q: Messages: %v", spelling, err)
		}
		if got := len(b.made("FindItem"))-before == 1; got != last {
			t.Errorf("FindItem: %q is the end: %t, want %t", spelling, got, last)
		}
		b.server.Inject(written("FindFolder", fmt.Sprintf(`<m:RootFolder IncludesLastItemInRange="%s"><t:Folders>`+
			`<t:Folder><t:FolderId Id="AAA="/><t:DisplayName>A</t:DisplayName></t:Folder></t:Folders></m:RootFolder>`, spelling)))
		before = len(b.made("FindFolder"))
		for _, err := range b.Folders(t.Context()) {
			if err != nil {
				t.Errorf("%q: Folders: %v", spelling, err)
			}
		}
		if got := len(b.made("FindFolder"))-before == 1; got != last {
			t.Errorf("FindFolder: %q is the end: %t, want %t", spelling, got, last)
		}
	}
}
