package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// at returns a copy of the Config whose token endpoint is another address, for
// what else gives tokens.
func (c *Config) at(address string) *Config {
	d := *c
	d.Endpoint.TokenURL = address
	return &d
}

// reply is an answer to a request that is not one of RFC 6749.
type reply struct {
	status int
	header http.Header
	body   []byte
}

// call sends a request to c.Endpoint.TokenURL by a transport. It follows no
// redirects, and returns an *Error only where there is no whole answer.
func (c *Config) call(transport http.RoundTripper, req *http.Request, secrets ...secret.Text) (*reply, error) {
	ctx, cancel := context.WithTimeout(req.Context(), requestTimeout)
	defer cancel()
	resp, err := strict(c.HTTPClient, transport).Do(req.WithContext(ctx))
	if err != nil {
		return nil, c.unreached(err, secrets...)
	}
	body, err := readAnswer(resp)
	switch {
	case errors.Is(err, errTooLarge):
		return nil, c.failed(KindProtocol, err)
	case err != nil:
		return nil, c.unreached(err, secrets...)
	}
	return &reply{resp.StatusCode, resp.Header, body}, nil
}

// unreached says that no answer came.
func (c *Config) unreached(err error, secrets ...secret.Text) *Error {
	// The URL in it may hold what nobody should read.
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	for _, s := range secrets {
		if !s.IsZero() && strings.Contains(err.Error(), s.Reveal()) {
			err = errors.New(clean(err.Error(), secrets...))
		}
	}
	kind := KindTemporary
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || refusedByProxy(err) {
		kind = KindClientConfig
	}
	return c.failed(kind, err)
}

// failed says why no token came from c.Endpoint.TokenURL.
func (c *Config) failed(kind Kind, err error) *Error {
	return &Error{Kind: kind, Op: "get a token", Server: hostOf(c.Endpoint.TokenURL), Err: err}
}

// refused makes an error of an answer that is one: an OAuth error, one of
// Google's APIs, or a status alone.
func (c *Config) refused(r *reply, secrets ...secret.Text) *Error {
	e := c.failed(KindUnknown, nil)
	e.Status, e.Wait = r.status, retry.FromHeader(r.header, time.Now())
	var answer struct {
		Error       json.RawMessage `json:"error"`
		Description string          `json:"error_description"`
		Message     string          `json:"message"`
	}
	// A page or an empty body has none of it.
	_ = json.Unmarshal(r.body, &answer)
	var api struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	var code string
	if json.Unmarshal(answer.Error, &code) != nil && json.Unmarshal(answer.Error, &api) == nil {
		code, answer.Description = api.Status, api.Message
	}
	if answer.Description == "" {
		answer.Description = answer.Message
	}
	e.Code = cleanCode(code, secrets...)
	e.Description = clean(answer.Description, secrets...)
	e.Kind = kindOf(code, "", r.status)
	if e.Kind == KindUnknown && (r.status == http.StatusUnauthorized || r.status == http.StatusForbidden) {
		e.Kind = KindClientConfig
	}
	return e
}

// getRequest returns a GET request with a header.
func getRequest(ctx context.Context, address string, header http.Header) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, configError(errors.New("the address to ask for a token cannot be parsed"))
	}
	req.Header.Set("Accept", "application/json")
	for name, values := range header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// postJSON returns a POST request with a JSON body.
func postJSON(ctx context.Context, address string, v any) (*http.Request, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, configError(errors.New("a request cannot be written as JSON"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, configError(errors.New("the address to ask for a token cannot be parsed"))
	}
	req.Header.Set("Content-Type", "application/json")
	return req, nil
}
