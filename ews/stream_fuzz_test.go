package ews

import (
	"errors"
	"net/http"
	"strings"
	"testing"
)

// envelopes is a stream of two documents, as Exchange writes them.
const envelopes = `<?xml version="1.0" encoding="utf-8"?><soap11:Envelope xmlns:soap11="http://schemas.xmlsoap.org/soap/envelope/">` +
	`<soap11:Header><ServerVersionInfo MajorVersion="15" MinorVersion="1"/></soap11:Header><soap11:Body><m:GetStreamingEventsResponse xmlns:m="m" xmlns:t="t">` +
	`<m:ResponseMessages><m:GetStreamingEventsResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode>` +
	`<m:ConnectionStatus>OK</m:ConnectionStatus></m:GetStreamingEventsResponseMessage></m:ResponseMessages></m:GetStreamingEventsResponse></soap11:Body></soap11:Envelope>` +
	"\r\n" + `<?xml version="1.0"?><Envelope><soap11:Header/><Body><m:GetStreamingEventsResponse><m:ResponseMessages>` +
	`<m:GetStreamingEventsResponseMessage ResponseClass="Success"><m:ResponseCode>NoError</m:ResponseCode><m:Notifications><m:Notification>` +
	`<t:SubscriptionId>S</t:SubscriptionId><t:MovedEvent><t:TimeStamp>2026-11-21T10:00:00Z</t:TimeStamp><t:ItemId Id="a"/><t:ParentFolderId Id="to"/>` +
	`<t:OldItemId Id="b"/><t:OldParentFolderId Id="from"/></t:MovedEvent></m:Notification></m:Notifications>` +
	`</m:GetStreamingEventsResponseMessage></m:ResponseMessages></m:GetStreamingEventsResponse></Body></Envelope>`

// readStream reads a stream as the client does.
func readStream(text string) (begun int, all []happening, err error) {
	a := &answer{
		scanner: newScanner(strings.NewReader(text)), conn: &conn{address: "host:443"},
		request: &request{op: "GetStreamingEvents"}, resp: &http.Response{StatusCode: http.StatusOK},
	}
	if err := a.envelope(); err != nil {
		return 0, nil, err
	}
	err = a.streamed(func() { begun++ }, func(news []happening) { all = append(all, news...) })
	return begun, all, err
}

func TestStreamIsRead(t *testing.T) {
	begun, all, err := readStream(envelopes)
	if begun != 1 || len(all) != 1 || strings.Join(all[0], " ") != "to from" || err == nil || errors.Is(err, errOver) {
		t.Errorf("a stream of two envelopes: begun %d times, %q, %v; want one event about two folders, and a lost line", begun, all, err)
	}
}

// FuzzStream: whatever comes in place of a stream, the reading of it ends, in an
// error, and tells no more events than there are.
func FuzzStream(f *testing.F) {
	f.Add(envelopes)
	f.Add(strings.Replace(envelopes, "OK", "Closed", 1))
	f.Add(strings.Replace(envelopes, "Success", "Error", 1))
	f.Add(envelopes[:700] + "<html>")
	f.Fuzz(func(t *testing.T, text string) {
		begun, all, err := readStream(text)
		if err == nil || begun > 1 || begun == 0 && len(all) > 0 {
			t.Errorf("begun %d times, %d events, error %v; want one beginning at most, and an error", begun, len(all), err)
		}
		if most := strings.Count(text, "Event"); len(all) > most {
			t.Errorf("%d events out of %d places that could be one", len(all), most)
		}
	})
}
