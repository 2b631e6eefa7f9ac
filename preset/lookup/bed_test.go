package lookup_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"

	"github.com/mailsession/mailsession/preset/lookup"
)

// world is the DNS and the web of a test.
type world struct {
	// mx and srv are the records, by domain and by "_imaps._tcp." and domain.
	mx  map[string][]string
	srv map[string][]*net.SRV
	// dns, where not nil, is what every question to DNS ends in.
	dns error
	// pages are what web servers have, by address; where is what is redirected.
	pages map[string]string
	where map[string]string

	requests []*http.Request
}

func (w *world) LookupMX(_ context.Context, name string) ([]*net.MX, error) {
	var records []*net.MX
	for _, host := range w.mx[name] {
		records = append(records, &net.MX{Host: host})
	}
	return records, w.lookedUp(name, len(records))
}

func (w *world) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	records := w.srv["_"+service+"._"+proto+"."+name]
	return name, records, w.lookedUp(name, len(records))
}

func (w *world) lookedUp(name string, records int) error {
	if w.dns == nil && records == 0 {
		return &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return w.dns
}

// RoundTrip makes the world an http.RoundTripper.
func (w *world) RoundTrip(req *http.Request) (*http.Response, error) {
	w.requests = append(w.requests, req)
	resp := &http.Response{StatusCode: http.StatusNotFound, Header: http.Header{}, Body: http.NoBody, Request: req}
	address, _, _ := strings.Cut(req.URL.String(), "?")
	if to := w.where[address]; to != "" {
		resp.StatusCode = http.StatusFound
		resp.Header.Set("Location", to)
		resp.Header.Set("Set-Cookie", "secret=horse; Domain=contoso.example; Path=/")
	}
	if page, ok := w.pages[address]; ok {
		resp.StatusCode, resp.Body = http.StatusOK, io.NopCloser(strings.NewReader(page))
	}
	return resp, nil
}

// asked returns the addresses that web servers were asked for.
func (w *world) asked() []string {
	var list []string
	for _, r := range w.requests {
		list = append(list, r.URL.String())
	}
	return list
}

// options point Find at the world.
func (w *world) options() *lookup.Options {
	return &lookup.Options{Resolver: w, HTTPClient: &http.Client{Transport: w}}
}

// contoso is a document of a company with servers of its own.
const contoso = `<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="contoso.example">
    <domain>contoso.example</domain>
    <displayName>Contoso &amp; Daughters</displayName>
    <incomingServer type="imap">
      <hostname>imap.%EMAILDOMAIN%</hostname>
      <port>143</port>
      <socketType>plain</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </incomingServer>
    <incomingServer type="imap">
      <hostname>imap.%EMAILDOMAIN%</hostname>
      <port>993</port>
      <socketType>SSL</socketType>
      <username>%EMAILLOCALPART%</username>
      <authentication>OAuth2</authentication>
      <authentication>password-cleartext</authentication>
    </incomingServer>
    <incomingServer type="pop3">
      <hostname>pop.contoso.example</hostname>
      <port>110</port>
      <socketType>STARTTLS</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-encrypted</authentication>
    </incomingServer>
    <incomingServer type="ews"><url>https://mail.contoso.example/EWS/Exchange.asmx</url><authentication>NTLM</authentication></incomingServer>
    <outgoingServer type="smtp">
      <hostname>smtp.contoso.example</hostname>
      <port>587</port>
      <socketType>STARTTLS</socketType>
      <username>%EMAILADDRESS%</username>
      <authentication>password-cleartext</authentication>
    </outgoingServer>
  </emailProvider>
  <oAuth2>
    <issuer>id.contoso.example</issuer>
    <scope>mail:read mail:send</scope>
    <authURL>https://id.contoso.example/authorize</authURL>
    <tokenURL>https://id.contoso.example/token</tokenURL>
  </oAuth2>
</clientConfig>
`

// hosted is a document that names a provider that is known.
const hosted = `<clientConfig version="1.1"><emailProvider id="x">
<incomingServer type="imap"><hostname>imap.fastmail.com</hostname><port>993</port><socketType>SSL</socketType>
<username>%EMAILADDRESS%</username><authentication>password-cleartext</authentication></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.fastmail.com</hostname><port>465</port><socketType>SSL</socketType>
<username>shared-%EMAILLOCALPART%</username><authentication>password-cleartext</authentication></outgoingServer>
</emailProvider></clientConfig>`
