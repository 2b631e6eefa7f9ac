package ewstest_test

import (
	"net/http"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
)

const (
	discovery = "http://example.com/autodiscover/"
	service   = "http://example.com" + ewstest.Path
)

func poxRequest(address string) string {
	return `<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request><EMailAddress>` + address +
		`</EMailAddress><AcceptableResponseSchema>http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>`
}

func settingsRequest(address string) string {
	return `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:a="http://schemas.microsoft.com/exchange/2010/Autodiscover"><s:Body>` +
		`<a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User><a:Mailbox>` + address + `</a:Mailbox></a:User></a:Users>` +
		`<a:RequestedSettings><a:Setting>ExternalEwsUrl</a:Setting><a:Setting>Unknown</a:Setting></a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage></s:Body></s:Envelope>`
}

func TestTheServiceIsDiscovered(t *testing.T) {
	b := newBed(t, nil)
	b.do(http.MethodPost, discovery+"Autodiscover.xml", poxRequest(ann)).want(200, "<EwsUrl>"+service+"<", "<Type>EXCH<", "<Type>EXPR<")
	b.do(http.MethodPost, discovery+"autodiscover.xml", poxRequest("eve@example.com")).want(200, "<ErrorCode>500<")
	b.do(http.MethodPost, discovery+"autodiscover.svc", settingsRequest(ann)).want(200, `<Response xmlns:i="http://www.w3.org/2001/XMLSchema-instance">`, `<UserSetting i:type="StringSetting">`, "<Name>ExternalEwsUrl</Name><Value>"+service+"<").without("Unknown")
	b.do(http.MethodPost, discovery+"autodiscover.svc", settingsRequest("eve@example.com")).want(200, "InvalidUser")
	b.authorize = func(*http.Request) {}
	b.do(http.MethodPost, discovery+"autodiscover.xml", poxRequest(ann)).want(401)
	b.do(http.MethodGet, discovery+"autodiscover.xml", "").want(401)
	b.do(http.MethodGet, discovery+"autodiscover.json/v1.0/"+ann+"?Protocol=Ews", "").want(200, `{"Protocol":"Ews","Url":"`+service+`"}`)
	b.do(http.MethodGet, discovery+"autodiscover.json?Email="+ann+"&Protocol=Rest", "").want(400, "ProtocolNotSupported")
	b.do(http.MethodGet, discovery+"autodiscover.json/v1.0/eve@example.com?Protocol=Ews", "").want(404, "UserNotFound")
}

func TestDiscoveryRedirects(t *testing.T) {
	b := newBed(t, &ewstest.Options{
		RedirectTo: "https://mail.example.com/autodiscover/autodiscover.xml", RedirectAddress: "ann@mail.example.com",
		NoAutodiscover: []ewstest.Discovery{ewstest.DiscoverJSON},
	})
	b.do(http.MethodPost, discovery+"autodiscover.xml", poxRequest(ann)).want(200, "<Action>redirectAddr<", "<RedirectAddr>ann@mail.example.com<")
	b.do(http.MethodPost, discovery+"autodiscover.svc", settingsRequest(ann)).want(200, "RedirectAddress", "<RedirectTarget>ann@mail.example.com<")
	if r := b.do(http.MethodGet, discovery+"autodiscover.xml", "").want(302); r.header.Get("Location") != "https://mail.example.com/autodiscover/autodiscover.xml" {
		t.Errorf("redirected to %q", r.header.Get("Location"))
	}
	b.do(http.MethodGet, discovery+"autodiscover.json/v1.0/"+ann+"?Protocol=Ews", "").want(404)
}
