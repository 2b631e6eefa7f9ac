package ews_test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// TestPreviewsAreTheServers: from 2013 on messages are not read for their previews,
// but those of which the server keeps none.
func TestPreviewsAreTheServers(t *testing.T) {
	for _, version := range ewstest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			b := newBed(t, settings{server: ewstest.Options{Version: version}})
			b.put(t, mailtest.CRLF("From: bob@example.org\nSubject: s\n\nDo come\nto   tea.\n"))
			preview := func(fields session.Fields) string {
				for m, err := range b.Messages(t.Context(), session.Query{Fields: fields}) {
					if err != nil || m.Incomplete != nil {
						t.Fatalf("Messages: %v, %v", err, m)
					}
					return m.Preview
				}
				return "no message"
			}
			old := version == ewstest.Exchange2007SP1 || version == ewstest.Exchange2010SP2
			for _, tt := range []struct {
				fields session.Fields
				read   bool
			}{{session.FieldPreview | session.FieldFlags, old}, {session.FieldPreview | session.FieldStructure, true}} {
				before := b.mimeRead()
				if got := preview(tt.fields); got != "Do come to tea." || (b.mimeRead() > before) != tt.read {
					t.Errorf("the preview by fields %b is %q, and the message was read: %t; want it so: %t", tt.fields, got, b.mimeRead() > before, tt.read)
				}
			}
			all := b.server.Requests()
			_, after, _ := strings.Cut(all[len(all)-1].Body, `<t:ItemId Id="`)
			item, _, _ := strings.Cut(after, `"`)
			b.server.Inject(mailtest.Reply("GetItem", "HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\n\r\n"+
				`<s:Envelope xmlns:s="s"><s:Body><m:GetItemResponse xmlns:m="m" xmlns:t="t"><m:ResponseMessages><m:GetItemResponseMessage ResponseClass="Success">`+
				`<m:ResponseCode>NoError</m:ResponseCode><m:Items><t:Message><t:ItemId Id="`+item+`"/></t:Message></m:Items></m:GetItemResponseMessage></m:ResponseMessages></m:GetItemResponse></s:Body></s:Envelope>`))
			if got := preview(session.FieldPreview); got != "Do come to tea." {
				t.Errorf("the preview that the server does not keep is %q", got)
			}
		})
	}
}

// mimeRead returns how often messages were read.
func (b *bed) mimeRead() int {
	n := 0
	for _, r := range b.server.Requests() {
		if r.Operation == "GetItem" && strings.Contains(r.Body, "IncludeMimeContent") {
			n++
		}
	}
	return n
}
