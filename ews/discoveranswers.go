package ews

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// maxDiscovery bounds the answer of Autodiscover, in bytes.
const maxDiscovery = 1 << 20

const (
	poxRequestNamespace  = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
	poxResponseNamespace = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
	discoveryNamespace   = "http://schemas.microsoft.com/exchange/2010/Autodiscover"
)

// url returns where a host is asked.
func (d *discoverer) url(way DiscoveryWay, host string) string {
	u := url.URL{Scheme: "https", Host: host, Path: "/autodiscover/autodiscover.xml"}
	switch way {
	case ByJSON:
		u.Path = "/autodiscover/autodiscover.json/v1.0/" + d.address
		u.RawQuery = "Protocol=Ews"
	case BySOAP:
		u.Path = "/autodiscover/autodiscover.svc"
	case ByPOX, ByRedirect, BySRV, ByPath:
	}
	return u.String()
}

// request returns what is sent, nil for a question without a body.
func (d *discoverer) request(way DiscoveryWay, target string) []byte {
	var w writer
	w.WriteString(`<?xml version="1.0" encoding="utf-8"?>`)
	switch way {
	case ByPOX:
		w.element(el("Autodiscover", el("Request",
			leaf("EMailAddress", d.address), leaf("AcceptableResponseSchema", poxResponseNamespace),
		)).with("xmlns", poxRequestNamespace))
	case BySOAP:
		settings := []element{leaf("a:Setting", "ExternalEwsUrl"), leaf("a:Setting", "InternalEwsUrl"), leaf("a:Setting", "AutoDiscoverSMTPAddress")}
		w.element(el("s:Envelope",
			el("s:Header",
				leaf("a:RequestedServerVersion", "Exchange2010"),
				leaf("w:Action", discoveryNamespace+"/Autodiscover/GetUserSettings"),
				leaf("w:To", target)),
			el("s:Body", el("a:GetUserSettingsRequestMessage", el("a:Request",
				el("a:Users", el("a:User", leaf("a:Mailbox", d.address))),
				el("a:RequestedSettings", settings...)))),
		).with("xmlns:s", soapNamespace).with("xmlns:a", discoveryNamespace).with("xmlns:w", "http://www.w3.org/2005/08/addressing"))
	default:
		return nil
	}
	return w.Bytes()
}

// read reads an answer.
func (way DiscoveryWay) read(body []byte) (told, error) {
	switch way {
	case ByJSON:
		return readJSON(body)
	case BySOAP:
		return readUserSettings(body)
	default:
		return readPOX(body)
	}
}

// readJSON reads an answer of version 2.
func readJSON(body []byte) (told, error) {
	var said struct {
		Protocol, URL, ErrorCode, ErrorMessage string // whose case does not matter
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return told{}, errors.New("the answer is no JSON of Autodiscover")
	}
	switch {
	case said.ErrorCode != "":
		return told{}, fmt.Errorf("server answered %s: %s", oneLine(said.ErrorCode), oneLine(said.ErrorMessage))
	case said.URL == "" || !strings.EqualFold(said.Protocol, "Ews"):
		return told{}, errors.New("the answer names no EWS")
	}
	return told{service: said.URL}, nil
}

// document calls f at each child of the root of a document, whose name it wants.
func document(body []byte, root string, f func(x *scanner, name string) error) error {
	x := newScanner(bytes.NewReader(body))
	for {
		t, err := x.next(false)
		switch {
		case err != nil:
			return cutShort(err)
		case t == startTag && x.name != root:
			return fmt.Errorf("the answer is not %s but %s", root, oneLine(x.name))
		case t == startTag:
			return cutShort(x.children(func(name string) error { return f(x, name) }))
		case t == endOfInput:
			return errors.New("the answer is empty")
		}
	}
}

func cutShort(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the answer breaks off")
	}
	return err
}

// poxAnswer is what a document of "plain old XML" has of interest.
type poxAnswer struct {
	action, address, redirect string
	services                  map[string]string // by the type of the protocol
	code, message             string
}

// readPOX reads an answer of "plain old XML".
func readPOX(body []byte) (told, error) {
	p := poxAnswer{services: map[string]string{}}
	err := document(body, "Autodiscover", func(x *scanner, name string) error {
		if name != "Response" {
			return nil
		}
		return x.children(func(name string) error { return p.response(x, name) })
	})
	if err != nil {
		return told{}, err
	}
	if p.code != "" {
		return told{}, fmt.Errorf("server answered %s: %s", oneLine(p.code), oneLine(p.message))
	}
	switch {
	case strings.EqualFold(p.action, "redirectAddr") && p.address != "":
		return told{mailbox: p.address}, nil
	case strings.EqualFold(p.action, "redirectUrl") && p.redirect != "":
		return told{next: p.redirect}, nil
	}
	for _, kind := range []string{"EXPR", "EXCH", "EXHTTP", "WEB", ""} {
		if service := p.services[kind]; service != "" {
			return told{service: service}, nil
		}
	}
	return told{}, errors.New("the answer names no EWS")
}

// response reads a child of the Response.
func (p *poxAnswer) response(x *scanner, name string) error {
	switch name {
	case "Error":
		return x.children(func(name string) (err error) {
			switch name {
			case "ErrorCode":
				p.code, err = x.word()
			case "Message":
				p.message, err = x.word()
			}
			return err
		})
	case "Account":
		return x.children(func(name string) (err error) {
			switch name {
			case "Action":
				p.action, err = x.word()
			case "RedirectAddr":
				p.address, err = x.word()
			case "RedirectUrl":
				p.redirect, err = x.word()
			case "Protocol":
				err = p.protocol(x)
			}
			return err
		})
	}
	return nil
}

// protocol reads a Protocol. Its type is an element, or an attribute.
func (p *poxAnswer) protocol(x *scanner) error {
	kind := strings.ToUpper(x.attr("Type"))
	var ews, as string
	err := x.children(func(name string) (err error) {
		switch name {
		case "Type":
			kind, err = x.word()
		case "EwsUrl":
			ews, err = x.word()
		case "ASUrl":
			as, err = x.word()
		}
		return err
	})
	if ews == "" {
		ews = as
	}
	switch kind = strings.ToUpper(kind); kind {
	case "EXPR", "EXCH", "EXHTTP", "WEB":
	default:
		kind = ""
	}
	if p.services[kind] == "" {
		p.services[kind] = ews
	}
	return err
}

// userSettings is what GetUserSettings tells of one user.
type userSettings struct {
	code, message, target string
	settings              map[string]string
}

// readUserSettings reads an answer of GetUserSettings.
func readUserSettings(body []byte) (told, error) {
	var u userSettings
	u.settings = map[string]string{}
	var at func(x *scanner, name string) error
	at = func(x *scanner, name string) error {
		switch name {
		case "Body", "GetUserSettingsResponseMessage", "Response", "UserResponses", "UserResponse", "Fault":
			return x.children(func(name string) error { return at(x, name) })
		case "UserSettings":
			return x.children(func(string) error { return u.setting(x) })
		}
		return u.field(x, name)
	}
	if err := document(body, "Envelope", at); err != nil {
		return told{}, err
	}
	switch u.code {
	case "RedirectAddress":
		return told{mailbox: u.target}, noTarget(u.target)
	case "RedirectUrl":
		return told{next: u.target}, noTarget(u.target)
	case "", "NoError":
	default:
		return told{}, fmt.Errorf("server answered %s: %s", oneLine(u.code), oneLine(u.message))
	}
	for _, name := range []string{"ExternalEwsUrl", "InternalEwsUrl"} {
		if service := u.settings[name]; service != "" {
			return told{service: service}, nil
		}
	}
	return told{}, errors.New("the answer names no EWS")
}

func noTarget(target string) error {
	if target == "" {
		return errors.New("the answer leads nowhere")
	}
	return nil
}

// field reads what the server says of a user, or of the whole request.
func (u *userSettings) field(x *scanner, name string) (err error) {
	switch name {
	case "ErrorCode", "faultcode":
		var code string
		if code, err = x.word(); code != "NoError" || u.code == "" {
			u.code = code
		}
	case "ErrorMessage", "faultstring":
		u.message, err = x.word()
	case "RedirectTarget":
		u.target, err = x.word()
	}
	return err
}

// setting reads one setting.
func (u *userSettings) setting(x *scanner) error {
	var key, value string
	err := x.children(func(name string) (err error) {
		switch name {
		case "Name":
			key, err = x.word()
		case "Value":
			value, err = x.word()
		}
		return err
	})
	if len(u.settings) < 100 {
		u.settings[key] = value
	}
	return err
}
