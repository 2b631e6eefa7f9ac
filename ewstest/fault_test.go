package ewstest_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
)

func TestThreeKindsOfBusy(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1))
	list := findItem("IdOnly", "", "", known("inbox"))
	b.server.Inject(ewstest.Busy("FindItem", 5*time.Second), ewstest.BusyItems("FindItem", 7*time.Second), ewstest.Unavailable("FindItem", 9*time.Second))
	b.ask(list).want(500, "a:ErrorServerBusy", `<t:Value Name="BackOffMilliseconds">5000<`)
	b.ask(list).want(200, `ResponseClass="Error"`, "<m:ResponseCode>ErrorServerBusy<", `<t:Value Name="BackOffMilliseconds">7000<`)
	if r := b.ask(list).want(503); r.header.Get("Retry-After") != "9" {
		t.Errorf("Retry-After = %q, want 9", r.header.Get("Retry-After"))
	}
	b.ask(list).want(200, "NoError")
	if n := b.server.Pending(); n != 0 {
		t.Errorf("Pending() = %d, want 0", n)
	}
}

func TestAnswersInPlaceOfWork(t *testing.T) {
	b := newBed(t, nil)
	send := createItem("SendOnly", "", message(mime(letter)))
	for _, fault := range []struct {
		fault  mailtest.Fault
		status int
		text   string
	}{
		{ewstest.Forbidden("CreateItem"), 403, ""},
		{mailtest.Refuse("CreateItem"), 401, ""},
		{ewstest.Unavailable("CreateItem", 0), 503, ""},
		{mailtest.Reply("CreateItem", "HTTP/1.1 302 Found\r\nLocation: /owa/auth/errorfe.aspx\r\n\r\nmoved"), 302, "moved"},
		{ewstest.Failing("CreateItem", "ErrorQuotaExceeded: Full."), 200, "<m:MessageText>Full.</m:MessageText><m:ResponseCode>ErrorQuotaExceeded<"},
		{ewstest.FailingWhole("CreateItem", "ErrorInternalServerTransientError"), 500, "a:ErrorInternalServerTransientError"},
	} {
		b.server.Inject(fault.fault)
		b.ask(send).want(fault.status, fault.text)
	}
	if sent := b.server.Sent(); len(sent) != 0 {
		t.Errorf("Sent() = %v, want nothing", sent)
	}
	b.ask(send).want(200, "NoError")
}

func TestAFailedStreamNamesItsSubscriptions(t *testing.T) {
	b := newBed(t, nil)
	id := b.ask(subscribe("Streaming", known("inbox"), "")).one(subscriptionID)
	b.server.Inject(ewstest.Failing("GetStreamingEvents", "ErrorSubscriptionNotFound"))
	b.ask(`<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>`+id+`</t:SubscriptionId></m:SubscriptionIds><m:ConnectionTimeout>1</m:ConnectionTimeout></m:GetStreamingEvents>`).
		want(200, "ErrorSubscriptionNotFound", "<t:SubscriptionId>"+id)
}

// answerTo sends a request and returns what came of the answer.
func (b *bed) answerTo(element string) (body string, err error) {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, "http://mail.example.com"+ewstest.Path, strings.NewReader(
		`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"`+
			` xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body>`+element+`</s:Body></s:Envelope>`))
	if err != nil {
		b.t.Fatal(err)
	}
	b.authorize(req)
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	return string(data), err
}

func TestAnAnswerIsCutAnywhere(t *testing.T) {
	b := newBed(t, nil)
	send := createItem("SendOnly", "", message(mime(letter)))
	b.server.Inject(mailtest.Drop("CreateItem", 0))
	if _, err := b.answerTo(send); err == nil {
		t.Error("an answer came, want none")
	}
	if sent := b.server.Sent(); len(sent) != 1 {
		t.Errorf("Sent() = %v, want the message, whose answer was lost", sent)
	}
	for range 2 {
		b.append("INBOX", "Subject: large\r\n\r\n"+strings.Repeat("x", 100_000))
	}
	ids := b.ask(findItem("IdOnly", "", "", known("inbox"))).all(itemID)
	b.server.Inject(mailtest.Drop("GetItem", 90_000))
	body, err := b.answerTo(getItem(`<t:BaseShape>IdOnly</t:BaseShape><t:IncludeMimeContent>true</t:IncludeMimeContent>`, ids...))
	if err == nil || len(body) < 80_000 || len(body) > 90_000 {
		t.Errorf("%d bytes came, %v, want not quite 90,000 and an error", len(body), err)
	}
}

func TestASilentServerCostsNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBed(t, nil)
		b.client.Timeout = time.Hour
		b.server.Inject(mailtest.Silence("GetFolder"), mailtest.Delay("GetFolder", time.Minute))
		began := time.Now()
		if _, err := b.answerTo(getFolder("IdOnly", known("inbox"))); err == nil || time.Since(began) != time.Hour {
			t.Errorf("%v after %v, want an error after an hour", err, time.Since(began))
		}
		began = time.Now()
		if _, err := b.answerTo(getFolder("IdOnly", known("inbox"))); err != nil || time.Since(began) != time.Minute {
			t.Errorf("%v after %v, want an answer after a minute", err, time.Since(began))
		}
	})
}

func TestCharactersThatXMLForbids(t *testing.T) {
	for _, raw := range []bool{false, true} {
		b := newBed(t, &ewstest.Options{RawText: raw})
		b.append("INBOX", "Subject: =?utf-8?q?a=0B=1Fb?=\r\n\r\n")
		body, err := b.answerTo(findItem("Default", "", "", known("inbox")))
		want := map[bool]string{false: "<t:Subject>a&#xB;&#x1F;b<", true: "<t:Subject>a\x0b\x1fb<"}[raw]
		if err != nil || !strings.Contains(body, want) {
			t.Errorf("raw %v: %v, %q, want %q in it", raw, err, body, want)
		}
		b.garbled = true
	}
}
