package ews

import (
	"cmp"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/Azure/go-ntlmssp"

	"github.com/mailsession/mailsession/internal/backend"
)

// negotiate is the scheme that has NTLM where it is not offered under its own name.
const negotiate = "Negotiate"

// route is what a handshake goes over: connections to one server, one at a time.
type route interface {
	http.RoundTripper
	// line tells the present connection from those before it.
	line() int
	// leave has the next request go over a new connection.
	leave()
}

// customs is what is known of how a server wants NTLM.
type customs struct {
	negotiate atomic.Bool // under the name of Negotiate
}

// forgetful is after how many refusals, without a request that passed between them, a
// server is taken for one that wants every request to be signed in. One refusal comes
// now and then for other reasons.
const forgetful = 2

// handshake signs in by NTLM, which is good for a connection: where the server
// remembers, nothing is sent but the request. The proof of the password goes over the
// connection on which the server asked for it, and goes once.
type handshake struct {
	user, password string
	base           route
	known          *customs
	unbound        bool              // the proof is good on any connection
	learn          func(sent string) // takes note of what nobody else may see; may be nil

	signed    bool // on the line
	on        int
	forgotten int                  // how many requests were refused since one passed without a proof
	proven    *tls.ConnectionState // of the line where the last proof went
}

// RoundTrip implements [http.RoundTripper].
func (h *handshake) RoundTrip(req *http.Request) (*http.Response, error) {
	if !h.signed || h.on != h.base.line() || h.forgotten >= forgetful {
		return h.signIn(req)
	}
	resp, err := h.base.RoundTrip(req)
	if err != nil {
		return nil, err //nolint:wrapcheck // the next one's error is this one's
	}
	if resp.StatusCode != http.StatusUnauthorized {
		h.forgotten = 0
		return resp, nil
	}
	h.forgotten++
	again, err := rewound(req)
	if err != nil {
		return resp, nil //nolint:nilerr // the server's refusal says it
	}
	drain(resp)
	return h.signIn(again)
}

// rewound returns a request that may be sent once more.
func rewound(req *http.Request) (*http.Request, error) {
	body := req.Body
	switch s, seeks := body.(io.Seeker); {
	case body == nil:
	case req.GetBody != nil:
		again, err := req.GetBody()
		if err != nil {
			return nil, fmt.Errorf("read the request once more: %w", err)
		}
		body = again
	case !seeks:
		return nil, errors.New("the request cannot be read once more")
	default:
		if _, err := s.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("read the request once more: %w", err)
		}
	}
	req = req.Clone(req.Context())
	req.Body = body
	return req, nil
}

// drain reads an answer that nobody wants to its end.
func drain(resp *http.Response) {
	_, _ = io.CopyN(io.Discard, resp.Body, drainLimit)
	_ = resp.Body.Close()
}

// maxHandshakes is how often a handshake is begun for a request: under the other name
// of NTLM, and over another connection where the first one ends meanwhile.
const maxHandshakes = 3

// signIn makes a request by a handshake. Its first step has no body, as browsers have
// it: what is sent there is not looked at.
func (h *handshake) signIn(req *http.Request) (*http.Response, error) {
	h.signed = false
	broken := false
	for try := 1; ; try++ {
		resp, err := h.ask(req)
		switch {
		case err != nil && !broken && req.Context().Err() == nil && backend.IsLost(&backend.LostError{Err: err}):
			broken = true
			h.base.leave()
			continue
		case err != nil:
			return nil, err
		case resp.StatusCode > http.StatusInternalServerError || resp.StatusCode == http.StatusTooManyRequests:
			return resp, nil // it is not about the step, and the request may be tried again
		case resp.StatusCode != http.StatusUnauthorized:
			drain(resp)
			return h.base.RoundTrip(req) //nolint:wrapcheck // the next one's error is this one's
		}
		asked, renamed := h.read(resp)
		switch {
		case asked != nil && !resp.Close:
			drain(resp)
			return h.prove(req, asked, resp.TLS)
		case asked != nil && broken:
			return nil, &deadEndError{errors.New(brokenHandshake)}
		case asked != nil:
			broken = true // the next request goes over a new connection
		case !renamed || try == maxHandshakes:
			return resp, nil
		}
		drain(resp)
	}
}

// What to do where NTLM does not get through.
const (
	brokenHandshake = "the connection was closed twice in the midst of the handshake of NTLM, which has to go over one: " +
		"something between, or a setting of the server, ends connections there; " + keepConnections
	keepConnections = "have the load balancer or proxy keep a client's connection open and to itself (no pooling of connections, no \"Connection: close\" at 401), " +
		"or have the server take Basic by https for EWS, or tokens"
)

// scheme is the name under which the server wants NTLM.
func (h *handshake) scheme() string {
	if h.known.negotiate.Load() {
		return negotiate
	}
	return NTLM
}

// ask begins a handshake.
func (h *handshake) ask(req *http.Request) (*http.Response, error) {
	first, err := ntlmssp.NewNegotiateMessage("", "")
	if err != nil {
		return nil, &deadEndError{fmt.Errorf("NTLM: %w", err)}
	}
	ask := req.Clone(req.Context())
	ask.Body, ask.GetBody, ask.ContentLength = http.NoBody, nil, 0
	ask.Header.Set("Authorization", h.scheme()+" "+base64.StdEncoding.EncodeToString(first))
	return h.base.RoundTrip(ask) //nolint:wrapcheck // the next one's error is this one's
}

// read returns what the server asks for, nil where it does not ask. Renamed says that
// it wants to be asked under the other name.
func (h *handshake) read(resp *http.Response) (asked []byte, renamed bool) {
	offered := challengesOf(resp.Header)
	offers := func(scheme string) bool {
		return slices.ContainsFunc(offered, func(c challenge) bool { return c.is(scheme) })
	}
	for _, c := range offered {
		if data := c.data(); data != nil && c.is(h.scheme()) {
			return data, false
		}
	}
	others := NTLM
	if h.scheme() == NTLM {
		others = negotiate
	}
	renamed = offers(others) && !offers(h.scheme())
	if renamed {
		h.known.negotiate.Store(others == negotiate)
	}
	return nil, renamed
}

// data returns what the token stands for, nil where it is none.
func (c challenge) data() []byte {
	data, err := base64.StdEncoding.DecodeString(c.token)
	if err != nil || len(data) == 0 {
		return nil
	}
	return data
}

// prove makes the request with the proof of the password, bound to the connection and
// to the server. A proof without that has neither: Windows takes a client that names
// the server alone for one that leaves out the rest on purpose, and refuses it.
func (h *handshake) prove(req *http.Request, asked []byte, line *tls.ConnectionState) (*http.Response, error) {
	h.proven = line
	var to []pair
	if !h.unbound {
		to = bindings(req.URL.Hostname(), line)
	}
	challenge, err := bound(asked, to...)
	var last []byte
	if err == nil {
		last, err = ntlmssp.NewAuthenticateMessage(challenge, h.user, h.password, nil)
	}
	if err != nil {
		return nil, &deadEndError{fmt.Errorf("NTLM: what the server asks for cannot be answered: %w", err)}
	}
	proof := base64.StdEncoding.EncodeToString(last)
	if h.learn != nil {
		h.learn(proof)
	}
	req = req.Clone(req.Context())
	req.Header.Set("Authorization", h.scheme()+" "+proof)
	resp, err := h.base.RoundTrip(req)
	if err != nil {
		return nil, &midHandshakeError{err}
	}
	h.signed, h.on = resp.StatusCode != http.StatusUnauthorized, h.base.line()
	return resp, nil
}

// doubts says why a server may refuse a password by NTLM that is right.
func doubts(trip http.RoundTripper, encrypted bool) string {
	const others = "NTLM may be restricted by policy, or a load balancer may share connections among clients; Basic by https goes without all that"
	h, ok := trip.(*handshake)
	switch {
	case !ok || h.proven == nil && encrypted:
		return others
	case h.unbound:
		return "Extended Protection may be set to Require for EWS, which NoChannelBinding does not meet, or " + others
	case h.proven == nil:
		return "Extended Protection may be set to Require for EWS, and not know this name of the server, or " + others
	case len(h.proven.PeerCertificates) == 0:
		return others
	}
	c := h.proven.PeerCertificates[0]
	return fmt.Sprintf("Extended Protection may have found that TLS does not end at the server, but at the certificate of %q by %q: where that is not the server's, "+
		"have the load balancer, or the inspection of TLS, pass it through or use the server's own certificate, "+
		"or set NoChannelBinding, which Extended Protection lets in where it is set to Allow; or %s", nameOf(c.Subject), nameOf(c.Issuer), others)
}

// nameOf returns what people know the owner of a certificate by.
func nameOf(n pkix.Name) string {
	return oneLine(cmp.Or(n.CommonName, strings.Join(n.Organization, " "), n.String()))
}

// midHandshakeError says that a connection broke when the proof of the password was
// sent, which is not sent again unasked.
type midHandshakeError struct{ error }

// Unwrap returns the cause.
func (e *midHandshakeError) Unwrap() error { return e.error }

// deadEndError says that there is no way to sign in, whatever the connection has to say.
type deadEndError struct{ error }

// Unwrap returns the cause.
func (e *deadEndError) Unwrap() error { return e.error }
