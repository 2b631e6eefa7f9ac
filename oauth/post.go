package oauth

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/secret"
)

// post sends a form to an endpoint of the server other than the token endpoint,
// with the client's authentication, and returns the body of a good answer. It
// returns an *Error where it fails. What is in secrets, and the client's own, is
// in no error.
func (c *Config) post(ctx context.Context, op, endpoint string, params url.Values, secrets ...secret.Text) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	server := hostOf(endpoint)
	req, err := c.form(ctx, endpoint, params)
	if err != nil {
		return nil, &Error{Kind: KindClientConfig, Op: op, Server: server, Err: err}
	}
	secrets = append(secrets, c.ClientSecret)
	x := &exchange{op: op, server: server, base: c.transport()}
	body, err := x.fetch(req, c.HTTPClient)
	switch {
	case err != nil:
		return nil, x.unanswered(err)
	case x.status < http.StatusOK || x.status >= http.StatusMultipleChoices || hasError(body):
		code, description := errorIn(body)
		return nil, x.refusal(code, description, body, secrets)
	case x.html:
		return nil, &Error{Kind: KindTemporary, Op: op, Server: server, Status: x.status, Description: "the answer is a page"}
	}
	return body, nil
}

// form makes a request with the client's authentication in it.
func (c *Config) form(ctx context.Context, endpoint string, params url.Values) (*http.Request, error) {
	form := url.Values{}
	maps.Copy(form, params)
	header := c.authStyle() == oauth2.AuthStyleInHeader
	if !header {
		form.Set("client_id", c.ClientID)
		if !c.ClientSecret.IsZero() {
			form.Set("client_secret", c.ClientSecret.Reveal())
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if header {
		// RFC 6749 section 2.3.1: both are form-encoded first.
		req.SetBasicAuth(url.QueryEscape(c.ClientID), url.QueryEscape(c.ClientSecret.Reveal()))
	}
	return req, nil
}

// fetch sends a request and returns the body of the answer, whatever its status.
func (x *exchange) fetch(req *http.Request, template *http.Client) ([]byte, error) {
	resp, err := strict(template, x).Do(req)
	if err != nil {
		return nil, err
	}
	return readAnswer(resp)
}

// errorIn returns what an error answer says (RFC 6749 section 5.2), nothing
// where it is none.
func errorIn(body []byte) (code, description string) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil {
		return "", ""
	}
	_ = json.Unmarshal(fields["error"], &code) // of another kind: none
	_ = json.Unmarshal(fields["error_description"], &description)
	return code, description
}

// hasError reports whether an answer is an error whatever its status.
func hasError(body []byte) bool {
	code, _ := errorIn(body)
	return code != ""
}
