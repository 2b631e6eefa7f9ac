package oauth

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

const (
	// maxAnswer is the largest answer of a token endpoint that is read.
	maxAnswer = 1 << 20
	// requestTimeout limits one request to a token endpoint.
	requestTimeout = 30 * time.Second
)

// errTooLarge is what becomes of an answer over maxAnswer.
var errTooLarge = errors.New("the answer is larger than 1 MiB")

// tokenRequest is a request to the token endpoint.
type tokenRequest struct {
	op      string        // for errors
	params  url.Values    // grant_type and what it needs
	scopes  []string      // sent where not empty
	secrets []secret.Text // those in params, to be taken out of error texts
	// prove returns further parameters that are good for one request alone, and
	// the secrets in them. It may be nil; its errors are of type *Error.
	prove func(ctx context.Context) (url.Values, []secret.Text, error)
	// repeatable tells that sending the request twice does no harm.
	repeatable bool
}

// request sends one token request. It returns an *Error where it fails.
//
// x/oauth2 adds the client's authentication and reads the answer. Its
// clientcredentials is the one of its flows that sends a scope with a refresh.
func (c *Config) request(ctx context.Context, r tokenRequest) (*answer, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if r.prove != nil {
		params, secrets, err := r.prove(ctx)
		if err != nil {
			return nil, err
		}
		r.params = maps.Clone(r.params)
		maps.Copy(r.params, params)
		r.secrets = slices.Concat(r.secrets, secrets)
	}
	x := &exchange{op: r.op, server: hostOf(c.Endpoint.TokenURL), base: c.transport()}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, strict(c.HTTPClient, x))
	cc := clientcredentials.Config{
		ClientID:       c.ClientID,
		ClientSecret:   c.ClientSecret.Reveal(),
		TokenURL:       c.Endpoint.TokenURL,
		Scopes:         r.scopes,
		EndpointParams: r.params,
		AuthStyle:      c.authStyle(),
	}
	tok, err := cc.Token(ctx)
	if err != nil {
		e := x.failure(err, append(r.secrets, c.ClientSecret))
		if e.Kind == KindReplyLost && r.repeatable {
			e.Kind = KindTemporary
		}
		if r.prove != nil {
			e.blameClock(x.header, time.Now())
		}
		return nil, e
	}
	return newAnswer(tok, r.scopes, time.Now()), nil
}

// authStyle returns how the secret is sent. A public client must not send an
// Authorization header, so its id goes into the body.
func (c *Config) authStyle() oauth2.AuthStyle {
	if c.Endpoint.AuthStyle == InHeader && !c.ClientSecret.IsZero() {
		return oauth2.AuthStyleInHeader
	}
	return oauth2.AuthStyleInParams
}

// transport returns what carries requests to the token endpoint.
func (c *Config) transport() http.RoundTripper {
	if c.Proxy != nil {
		return c.throughProxy()
	}
	return c.ownTransport()
}

// ownTransport is that of the HTTPClient.
func (c *Config) ownTransport() http.RoundTripper {
	if c.HTTPClient != nil && c.HTTPClient.Transport != nil {
		return c.HTTPClient.Transport
	}
	return http.DefaultTransport
}

// hostOf returns the host of a URL for messages.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Host
}

// exchange is the transport of one request. It limits and repairs the answer
// and remembers what is needed to understand a failure.
type exchange struct {
	op     string // for errors
	server string // for errors
	base   http.RoundTripper
	status int
	header http.Header
	html   bool // the answer is a page
	whole  bool // the answer is JSON from end to end

	// What httptrace tells, possibly from other goroutines.
	traced, connected, writeFailed atomic.Bool
}

// strict returns a client like another one, which may be nil, that uses a
// transport and follows no redirects: what a request carries is for its own
// server.
func strict(template *http.Client, transport http.RoundTripper) *http.Client {
	client := &http.Client{}
	if template != nil {
		*client = *template
	}
	client.Transport = transport
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return client
}

// readAnswer reads and closes the body of an answer, up to maxAnswer.
func readAnswer(resp *http.Response) ([]byte, error) {
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("the answer broke off: %w", err)
	case len(body) > maxAnswer:
		return nil, errTooLarge
	}
	return body, nil
}

// RoundTrip implements [http.RoundTripper].
func (x *exchange) RoundTrip(req *http.Request) (*http.Response, error) {
	trace := &httptrace.ClientTrace{
		GetConn: func(string) { x.traced.Store(true) },
		GotConn: func(httptrace.GotConnInfo) { x.connected.Store(true) },
		WroteRequest: func(info httptrace.WroteRequestInfo) {
			x.writeFailed.Store(info.Err != nil)
		},
	}
	resp, err := x.base.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if err != nil {
		return nil, err
	}
	body, err := readAnswer(resp)
	if err != nil {
		return nil, err
	}
	contentType := resp.Header.Get("Content-Type")
	x.status, x.header, x.html = resp.StatusCode, resp.Header, isHTML(contentType, body)
	contentType, body = repair(contentType, body)
	x.whole = json.Valid(body)
	out := *resp
	out.Header = resp.Header.Clone()
	out.Header.Set("Content-Type", contentType)
	out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return &out, nil
}

// sent reports whether the server may have received the request: a connection
// was there and writing to it did not fail. A transport that traces nothing
// is trusted only where it says that it could not connect.
func (x *exchange) sent(err error) bool {
	if x.traced.Load() {
		return x.connected.Load() && !x.writeFailed.Load()
	}
	op, ok := errors.AsType[*net.OpError](err)
	return !ok || op.Op != "dial"
}

// failure makes an Error of what x/oauth2 returned. The answer's body goes
// into none of its fields but through clean.
func (x *exchange) failure(err error, secrets []secret.Text) *Error {
	if retrieve, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return x.refusal(retrieve.ErrorCode, retrieve.ErrorDescription, retrieve.Body, secrets)
	}
	if x.status != 0 {
		return &Error{Kind: x.unreadable(), Op: x.op, Server: x.server, Status: x.status, Description: "the answer has no access token in it"}
	}
	return x.unanswered(err)
}

// refusal makes an Error of an error answer.
func (x *exchange) refusal(code, description string, body []byte, secrets []secret.Text) *Error {
	e := &Error{
		Op:          x.op,
		Server:      x.server,
		Status:      x.status,
		Code:        cleanCode(code, secrets...),
		Description: clean(description, secrets...),
		Wait:        retry.FromHeader(x.header, time.Now()),
	}
	e.setMore(body, secrets...)
	e.settle()
	if e.Code == "" && gateway(x.status) {
		e.Kind = KindReplyLost
	}
	return e
}

// unanswered makes an Error of a request without an answer.
func (x *exchange) unanswered(err error) *Error {
	e := &Error{Kind: KindTemporary, Op: x.op, Server: x.server, Err: err}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok || refusedByProxy(err) {
		e.Kind = KindClientConfig
	} else if x.sent(err) {
		e.Kind = KindReplyLost
	}
	return e
}

// unreadable says what a good status without a token means: a page is not of
// the token endpoint, a whole object is what the server wanted to say, and
// anything else is what is left of an answer.
func (x *exchange) unreadable() Kind {
	switch {
	case x.html:
		return KindTemporary
	case x.whole:
		return KindProtocol
	default:
		return KindReplyLost
	}
}
