package ewstest_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
)

func TestIDsAreConverted(t *testing.T) {
	b := newBed(t, nil)
	b.append("INBOX", mailtest.Sample(1))
	id := b.ask(findItem("IdOnly", "", "", known("inbox"))).one(itemID)
	convert := func(from, to, id string) *reply {
		return b.ask(`<m:ConvertId DestinationFormat="` + to + `"><m:SourceIds><t:AlternateId Format="` + from + `" Id="` + id + `" Mailbox="` + ann + `"/></m:SourceIds></m:ConvertId>`).want(200)
	}
	was := id
	formats := []string{"EwsId", "HexEntryId", "OwaId", "StoreId", "EntryId", "EwsLegacyId", "EwsId"}
	for i, to := range formats[1:] {
		was = convert(formats[i], to, was).want(200, "NoError", `Mailbox="`+ann+`"`).one(` Id="([^"]*)" Mailbox`)
	}
	if was != id {
		t.Errorf("%s became %s, want itself", id, was)
	}
	convert("EwsId", "EntryId", "DUMMY").want(200, "ErrorInvalidIdMalformed")
	convert("HexEntryId", "EwsId", "zz").want(200, "ErrorInvalidIdMalformed")
}

func TestNamesAreResolved(t *testing.T) {
	b := newBed(t, nil)
	b.box.Add(bob, secret.New(password))
	resolve := func(text string) *reply {
		return b.ask(`<m:ResolveNames ReturnFullContactData="false"><m:UnresolvedEntry>` + text + `</m:UnresolvedEntry></m:ResolveNames>`).want(200)
	}
	if got := resolve("smtp:BOB@").want(200, "NoError").all(`<t:EmailAddress>([^<]*)<`); !slices.Equal(got, []string{bob}) {
		t.Errorf("found %q, want Bob", got)
	}
	resolve("example.com").want(200, `ResponseClass="Warning"`, "ErrorNameResolutionMultipleResults", ann, bob)
	resolve("eve").want(200, "ErrorNameResolutionNoResults")
	b.ask(`<m:ExpandDL><m:Mailbox><t:EmailAddress>all@example.com</t:EmailAddress></m:Mailbox></m:ExpandDL>`).want(200, "ErrorNameResolutionNoResults")
}

func TestOutOfOfficeSettingsAreKept(t *testing.T) {
	b := newBed(t, &ewstest.Options{Strict: true})
	mailbox := func(address string) string { return `<t:Mailbox><t:Address>` + address + `</t:Address></t:Mailbox>` }
	get := `<m:GetUserOofSettingsRequest>` + mailbox(ann) + `</m:GetUserOofSettingsRequest>`
	b.ask(get).want(200, "<t:OofState>Disabled<")
	b.ask(`<m:SetUserOofSettingsRequest>`+mailbox(ann)+`<t:UserOofSettings><t:OofState>Enabled</t:OofState><t:ExternalAudience>None</t:ExternalAudience>`+
		`<t:InternalReply><t:Message>Away &amp; out</t:Message></t:InternalReply></t:UserOofSettings></m:SetUserOofSettingsRequest>`).want(200, "NoError")
	b.ask(get).want(200, "<t:OofState>Enabled<", "<t:Message>Away &amp; out<")
	b.ask(`<m:GetUserOofSettingsRequest>`+mailbox(bob)+`</m:GetUserOofSettingsRequest>`).want(200, "ErrorAccessDenied")
}

func TestWhatClientsAskForBesides(t *testing.T) {
	b := newBed(t, nil)
	b.ask(`<m:GetUserConfiguration><m:UserConfigurationName Name="CategoryList">`+known("calendar")+
		`</m:UserConfigurationName><m:UserConfigurationProperties>All</m:UserConfigurationProperties></m:GetUserConfiguration>`).want(200, "ErrorItemNotFound")
	b.ask(`<m:GetServerTimeZones ReturnFullTimeZoneData="false"/>`).want(200, `Id="UTC"`).without("Period")
	b.ask(`<m:GetServerTimeZones/>`).want(200, `Id="UTC"`, `<t:Period Bias="P0D" Name="Standard"`, `<t:To Kind="Group">0<`)
	b.ask(`<m:GetServerTimeZones><m:Ids><t:Id>Romance Standard Time</t:Id></m:Ids></m:GetServerTimeZones>`).want(200, "NoError").without("UTC")
	b.unsound = true
	b.ask(`<m:NoSuchOperation/>`).want(500, "ErrorSchemaValidation")
	b.post("no XML").want(400)
	b.post("<a/>").want(400)
}

func TestAServerTiesAClientToItself(t *testing.T) {
	b := newBed(t, nil)
	credentials := b.authorize
	b.authorize = func(r *http.Request) {
		credentials(r)
		r.Header.Set("X-PreferServerAffinity", "true")
		r.Header.Set("client-request-id", "one")
		r.Header.Set("return-client-request-id", "true")
	}
	r := b.ask(getFolder("IdOnly", known("inbox")))
	cookies := (&http.Response{Header: r.header}).Cookies()
	if len(cookies) != 1 || cookies[0].Name != "X-BackEndOverrideCookie" || r.header.Get("Client-Request-Id") != "one" {
		t.Fatalf("header: %v, want the cookie and the request's id", r.header)
	}
	wanted := b.authorize
	b.authorize = func(r *http.Request) {
		wanted(r)
		r.AddCookie(cookies[0])
	}
	if r := b.ask(getFolder("IdOnly", known("inbox"))); r.header.Get("Set-Cookie") != "" {
		t.Errorf("a client that has the cookie gets another one: %v", r.header)
	}
}

func TestALargeMessageGoesBothWays(t *testing.T) {
	b := newBed(t, &ewstest.Options{MaxMessage: 6 << 20})
	raw := "From: ann@example.com\r\nTo: ann@example.com\r\nMessage-ID: <1@example.com>\r\nDate: Mon, 1 Jan 2024 10:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n" +
		string(make([]byte, 5<<20))
	b.ask(createItem("SendOnly", "", message(mime(raw)))).want(200, "NoError")
	b.ask(createItem("SendOnly", "", message(mime(raw+string(make([]byte, 1<<20)))))).want(200, "ErrorMessageSizeExceeded")
	if all := b.in("INBOX"); len(all) != 1 || all[0].Raw != raw {
		t.Fatalf("INBOX has %d messages, want the large one as it was", len(all))
	}
	if last := b.server.Requests()[0]; last.Body != "" || last.Status != 200 {
		t.Errorf("the request is kept with %d bytes and status %d, want its status alone", len(last.Body), last.Status)
	}
}
