package interop

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Browser plays the browser of a user who approves of everything: it asks for
// an authorization URL of this server, keeps its cookies, follows redirects,
// and submits the form of response_mode form_post, until it is back at the
// program that wants the sign-in. Whom login_hint names signs in; without one
// the sign-in is refused. It fails where a page has an error status. Its
// signature is that of the function with which a program opens a browser.
func (o *OIDC) Browser(ctx context.Context, address string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return fmt.Errorf("interop: browser: %w", err)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	browser := &http.Client{Transport: transport, Jar: jar}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return fmt.Errorf("interop: browser: %w", err)
	}
	at, page, err := visit(browser, req)
	if err != nil || at.Scheme+"://"+at.Host != o.Issuer {
		return err
	}
	target, fields, ok := postForm(page)
	if !ok {
		return fmt.Errorf("interop: browser: %s has no form to submit", at.Path)
	}
	req, err = http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(fields.Encode()))
	if err != nil {
		return fmt.Errorf("interop: browser: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	_, _, err = visit(browser, req)
	return err
}

// visit sends a request and returns where it ended, and the page there. Errors
// are without the URL's query, which may hold a code.
func visit(browser *http.Client, req *http.Request) (*url.URL, string, error) {
	resp, err := browser.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return nil, "", fmt.Errorf("interop: browser: %s: %w", req.URL.Host, err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, "", fmt.Errorf("interop: browser: %w", err)
	}
	at := resp.Request.URL
	if resp.StatusCode >= http.StatusBadRequest {
		return nil, "", fmt.Errorf("interop: browser: %s%s answered %s", at.Host, at.Path, resp.Status)
	}
	return at, string(page), nil
}

// postForm returns where a page's form is to be posted to, and its fields.
func postForm(page string) (target string, fields url.Values, ok bool) {
	action := regexp.MustCompile(`<form method="post" action="([^"]*)"`).FindStringSubmatch(page)
	if action == nil {
		return "", nil, false
	}
	fields = url.Values{}
	for _, field := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		fields.Add(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return html.UnescapeString(action[1]), fields, true
}
