package ewstest

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// The namespaces of Autodiscover.
const (
	poxSpace        = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
	poxOutlookSpace = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
	poxRequestSpace = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
	soapDiscovery   = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
)

// discover answers the requests of Autodiscover by their path.
func (x *exchange) discover(ctx context.Context, path string) (*answer, error) {
	rest := strings.TrimPrefix(path, "/autodiscover/")
	way := Discovery("")
	switch {
	case strings.HasPrefix(rest, "autodiscover.json"):
		way = DiscoverJSON
	case rest == "autodiscover.xml" && x.req.Method == http.MethodGet:
		way = DiscoverRedirect
	case rest == "autodiscover.xml":
		way = DiscoverPOX
	case rest == "autodiscover.svc" && x.req.Method == http.MethodPost:
		way = DiscoverSOAP
	}
	if way == "" || slices.Contains(x.server.options.NoAutodiscover, way) {
		return x.perform(Autodiscover, string(way), func() *answer { return plain(http.StatusNotFound) })
	}
	if way == DiscoverPOX || way == DiscoverSOAP {
		if refused, err := x.admit(ctx); refused != nil || err != nil {
			return refused, err
		}
	}
	return x.perform(Autodiscover, string(way), func() *answer {
		switch way {
		case DiscoverJSON:
			return x.discoverJSON()
		case DiscoverPOX:
			return x.discoverPOX()
		case DiscoverSOAP:
			return x.discoverSOAP()
		case DiscoverRedirect:
		}
		if x.server.options.RedirectTo == "" {
			return x.server.unauthorized()
		}
		return plain(http.StatusFound, "Location", x.server.options.RedirectTo)
	})
}

// serviceURL returns what discovery names as the address of the service.
func (x *exchange) serviceURL() string {
	return cmp.Or(x.server.options.ExternalURL, x.server.scheme()+"://"+x.req.Host+Path)
}

// discoverJSON answers version 2 of Autodiscover, which nobody signs in to.
func (x *exchange) discoverJSON() *answer {
	protocol := x.req.URL.Query().Get("Protocol")
	address := x.req.URL.Query().Get("Email")
	if i := strings.LastIndexByte(x.req.URL.Path, '/'); address == "" && strings.Contains(x.req.URL.Path[i:], "@") {
		address = x.req.URL.Path[i+1:]
	}
	status, said := http.StatusOK, map[string]string{"Protocol": protocol, "Url": x.serviceURL()}
	switch _, there := x.server.box.Account(address); {
	case protocol == "":
		status, said = http.StatusBadRequest, map[string]string{
			"ErrorCode": "MandatoryParameterMissing", "ErrorMessage": "A valid value must be provided for the query parameter 'Protocol'",
		}
	case strings.EqualFold(protocol, "AutodiscoverV1"):
		u := url.URL{Scheme: x.server.scheme(), Host: x.req.Host, Path: "/autodiscover/autodiscover.xml"}
		said["Url"] = u.String()
	case !strings.EqualFold(protocol, "Ews"):
		status, said = http.StatusBadRequest, map[string]string{
			"ErrorCode": "ProtocolNotSupported", "ErrorMessage": "The given protocol value is not supported.",
		}
	case !there:
		status, said = http.StatusNotFound, map[string]string{
			"ErrorCode": "UserNotFound", "ErrorMessage": "The given user is not found.",
		}
	}
	body, _ := json.Marshal(said) //nolint:errchkjson // A map of strings.
	return &answer{status: status, header: []string{"Content-Type", "application/json; charset=utf-8"}, body: body}
}

// discoverPOX answers with "plain old XML".
func (x *exchange) discoverPOX() *answer {
	request, err := parseXML(x.body)
	if err != nil || !request.is("Autodiscover") {
		return plain(http.StatusBadRequest)
	}
	address := request.find("Request", "EMailAddress").value()
	_, there := x.server.box.Account(address)
	w := &writer{}
	w.b = append(w.b, `<?xml version="1.0" encoding="utf-8"?>`...)
	w.start("Autodiscover", "xmlns", poxSpace)
	if x.server.options.Strict && request.child("Request").name.Space != poxRequestSpace {
		writePOXError(w, "600", "Invalid Request")
		return &answer{status: http.StatusOK, header: xmlHeader(), body: w.b}
	}
	switch to := x.server.options.RedirectAddress; {
	case to != "" && !strings.EqualFold(to, address):
		w.start("Response", "xmlns", poxOutlookSpace)
		w.start("Account")
		w.elem("Action", "redirectAddr")
		w.elem("RedirectAddr", to)
	case !there:
		writePOXError(w, "500", "The email address can't be found.")
	default:
		x.writePOXSettings(w, address)
	}
	closeEnvelope(w)
	return &answer{status: http.StatusOK, header: xmlHeader(), body: w.b}
}

// writePOXSettings writes what is known of one user.
func (x *exchange) writePOXSettings(w *writer, address string) {
	w.start("Response", "xmlns", poxOutlookSpace)
	w.start("User")
	w.elem("DisplayName", address)
	w.elem("AutoDiscoverSMTPAddress", address)
	w.end()
	w.start("Account")
	w.elem("AccountType", "email")
	w.elem("Action", "settings")
	for _, kind := range []string{"EXCH", "EXPR"} {
		w.start("Protocol")
		w.elem("Type", kind)
		w.elem("Server", x.req.Host)
		w.elem("ASUrl", x.serviceURL())
		w.elem("EwsUrl", x.serviceURL())
		w.end()
	}
}

// writePOXError writes what went wrong, and the end.
func writePOXError(w *writer, code, message string) {
	w.start("Response")
	w.start("Error", "Time", "12:00:00.0000000", "Id", "1")
	w.elem("ErrorCode", code)
	w.elem("Message", message)
	w.empty("DebugData")
	closeEnvelope(w)
}

// discoverSOAP answers GetUserSettings.
func (x *exchange) discoverSOAP() *answer {
	envelope, err := parseXML(x.body)
	request := envelope.find("Body", "GetUserSettingsRequestMessage", "Request")
	if err != nil || request == nil {
		return x.server.soapFault(fail("ErrorInvalidRequest", "The request is invalid."))
	}
	w := &writer{}
	w.b = append(w.b, `<?xml version="1.0" encoding="utf-8"?>`...)
	w.start("s:Envelope", "xmlns:s", soapSpace, "xmlns:a", "http://www.w3.org/2005/08/addressing")
	w.start("s:Header")
	w.elem("a:Action", soapDiscovery+"/Autodiscover/GetUserSettingsResponse", "s:mustUnderstand", "1")
	w.start("h:ServerVersionInfo", "xmlns:h", soapDiscovery)
	build := x.server.options.Version.build()
	for i := 0; i+1 < len(build); i += 2 {
		w.given("h:"+build[i], build[i+1])
	}
	w.end()
	w.end()
	w.start("s:Body")
	w.start("GetUserSettingsResponseMessage", "xmlns", soapDiscovery)
	w.start("Response", "xmlns:i", "http://www.w3.org/2001/XMLSchema-instance")
	w.elem("ErrorCode", "NoError")
	w.empty("ErrorMessage")
	w.start("UserResponses")
	for _, user := range request.child("Users").all() {
		x.writeUserSettings(w, user.child("Mailbox").value(), request.child("RequestedSettings"))
	}
	closeEnvelope(w)
	return &answer{status: http.StatusOK, header: xmlHeader(), body: w.b}
}

// writeUserSettings writes what is known of one user.
func (x *exchange) writeUserSettings(w *writer, address string, wanted *node) {
	_, there := x.server.box.Account(address)
	w.start("UserResponse")
	defer w.end()
	to := x.server.options.RedirectAddress
	switch {
	case to != "" && !strings.EqualFold(to, address):
		w.elem("ErrorCode", "RedirectAddress")
		w.elem("ErrorMessage", "Redirection address.")
		w.elem("RedirectTarget", to)
		w.empty("UserSettingErrors")
		w.empty("UserSettings")
		return
	case !there:
		w.elem("ErrorCode", "InvalidUser")
		w.elem("ErrorMessage", "Invalid user: '"+address+"'")
		w.empty("RedirectTarget")
		w.empty("UserSettingErrors")
		w.empty("UserSettings")
		return
	}
	known := map[string]string{
		"ExternalEwsUrl": x.serviceURL(), "InternalEwsUrl": x.serviceURL(), "AutoDiscoverSMTPAddress": address,
		"UserDisplayName": address, "GroupingInformation": "Default-First-Site-Name",
		"ExternalEwsVersion": x.server.options.Version.number(), "EwsSupportedSchemas": string(x.server.options.Version),
	}
	w.elem("ErrorCode", "NoError")
	w.elem("ErrorMessage", "No error.")
	w.empty("RedirectTarget")
	w.empty("UserSettingErrors")
	w.start("UserSettings")
	for _, setting := range wanted.all() {
		if value := known[setting.value()]; value != "" {
			w.start("UserSetting", "i:type", "StringSetting")
			w.elem("Name", setting.value())
			w.elem("Value", value)
			w.end()
		}
	}
	w.end()
}
