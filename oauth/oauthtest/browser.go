package oauthtest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// maxSteps limits the pages that Browser goes through.
const maxSteps = 5

// newClient returns a client that connects with dial.
func newClient(dial func(ctx context.Context, network, address string) (net.Conn, error), roots *x509.CertPool) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         dial,
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 10,
	}}
}

// Browser plays the user's browser: it asks for address, an authorization URL
// of this server or the page for a device code, chooses the first account where
// it is asked who signs in, submits the form of response_mode form_post, and
// follows redirects until a page is there to be read. It fails where a
// login_hint names nobody, where a page has an error status, and where anything
// cannot be reached. Its signature is that of the function with which a program
// opens a browser.
func (s *Server) Browser(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err == nil {
		err = s.checkHint(req.URL.Query().Get("login_hint"))
	}
	for range maxSteps {
		if err != nil {
			return fmt.Errorf("oauthtest: browser: %w", err)
		}
		var at *url.URL
		var page string
		if at, page, err = s.visit(req); err != nil {
			return err
		}
		if "http://"+at.Host != s.base && "https://"+at.Host != s.base {
			return nil
		}
		req, err = nextStep(ctx, at, page)
		if req == nil && err == nil {
			return nil
		}
	}
	return fmt.Errorf("oauthtest: browser: more than %d pages", maxSteps)
}

// Landing plays a browser that cannot reach the program, and returns the
// address that it ends on: the redirect URI with the answer in it, as the user
// would copy it. The address it is given is an authorization URL of this
// server, whose login_hint names who signs in.
func (s *Server) Landing(ctx context.Context, address string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err == nil {
		err = s.checkHint(req.URL.Query().Get("login_hint"))
	}
	if err != nil {
		return "", fmt.Errorf("oauthtest: browser: %w", err)
	}
	client := *s.client
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	if err != nil {
		return "", fmt.Errorf("oauthtest: browser: %w", hideQuery(err))
	}
	defer resp.Body.Close()
	landed := resp.Header.Get("Location")
	if landed == "" {
		return "", fmt.Errorf("oauthtest: browser: %s answered %s and leads nowhere", req.URL.Path, resp.Status)
	}
	return landed, nil
}

// checkHint fails where the program expects somebody to sign in whom the server
// does not know: the person at the browser would not sign in as somebody else.
func (s *Server) checkHint(hint string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.account(hint); known || hint == "" {
		return nil
	}
	return fmt.Errorf("no account has the address %q of the login_hint", hint)
}

// visit sends a request and returns where it ended and the page.
func (s *Server) visit(req *http.Request) (*url.URL, string, error) {
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, "", fmt.Errorf("oauthtest: browser: %w", hideQuery(err))
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxForm))
	if err != nil {
		return nil, "", fmt.Errorf("oauthtest: browser: %w", err)
	}
	at := resp.Request.URL
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, "", fmt.Errorf("oauthtest: browser: %s%s answered %s", at.Host, at.Path, resp.Status)
	}
	return at, string(page), nil
}

// hideQuery cuts the query, which may hold a code, out of the URL of an error.
func hideQuery(err error) error {
	if u, ok := err.(*url.Error); ok { //nolint:errorlint // http.Client.Do documents this very type, unwrapped.
		u.URL, _, _ = strings.Cut(u.URL, "?")
	}
	return err
}

var (
	accountLink = regexp.MustCompile(`<a class="account" href="([^"]*)"`)
	formAction  = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	formField   = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// nextStep returns the request that a user's browser makes from a page of
// this server, nil where there is none.
func nextStep(ctx context.Context, at *url.URL, page string) (*http.Request, error) {
	if m := accountLink.FindStringSubmatch(page); m != nil {
		target, err := at.Parse(html.UnescapeString(m[1]))
		if err != nil {
			return nil, err
		}
		return http.NewRequestWithContext(ctx, http.MethodGet, target.String(), http.NoBody)
	}
	m := formAction.FindStringSubmatch(page)
	if m == nil {
		return nil, nil
	}
	fields := url.Values{}
	for _, field := range formField.FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, html.UnescapeString(m[1]), strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return req, nil
}
