package oauth

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/mailsession/mailsession/secret"
)

// callback is what an authorization server sends to the redirect URI
// (RFC 6749 sections 4.1.2 and 4.1.2.1, RFC 9207).
type callback struct {
	code        secret.Text
	state       secret.Text
	issuer      string
	hasIssuer   bool
	err         string
	suberror    string
	description string
	uri         string
	claims      string
}

// Why a request to the redirect URI is no callback.
var (
	errNoCallback = errors.New("the request has no answer of an authorization server in it")
	errRepeated   = errors.New("a parameter is repeated")
	errBothOrNone = errors.New("the answer must have either a code or an error in it")
)

// parseCallback reads the parameters of a callback. It trusts none of them.
func parseCallback(values url.Values) (callback, error) {
	if !values.Has("state") && !values.Has("code") && !values.Has("error") {
		return callback{}, errNoCallback
	}
	for _, name := range []string{"code", "state", "iss", "error", "error_description", "error_subcode", "suberror", "error_uri", "claims"} {
		if len(values[name]) > 1 {
			return callback{}, fmt.Errorf("%w: %s", errRepeated, name)
		}
	}
	c := callback{
		code:        secret.New(values.Get("code")),
		state:       secret.New(values.Get("state")),
		issuer:      values.Get("iss"),
		hasIssuer:   values.Has("iss"),
		err:         values.Get("error"),
		suberror:    values.Get("error_subcode"),
		description: values.Get("error_description"),
		uri:         values.Get("error_uri"),
		claims:      values.Get("claims"),
	}
	if c.suberror == "" {
		c.suberror = values.Get("suberror")
	}
	if c.code.IsZero() == (c.err == "") {
		return callback{}, errBothOrNone
	}
	return c, nil
}

// check returns an error unless the callback of a sign-in in progress may be
// used: it comes from the issuer and holds a code.
func (c callback) check(e Endpoint) error {
	failure := func(kind Kind, err error) *Error {
		return &Error{Kind: kind, Op: "sign in", Server: hostOf(e.AuthURL), Err: err}
	}
	switch {
	case c.hasIssuer && e.Issuer != "" && !issuerFits(e.Issuer, c.issuer):
		return failure(KindProtocol, fmt.Errorf("the answer came from the issuer %q instead of %q", clean(c.issuer), e.Issuer))
	case !c.hasIssuer && e.IssuerInRedirect:
		return failure(KindProtocol, errors.New("the answer does not name its issuer, as this server's answers do"))
	case c.err != "":
		err := failure(KindUnknown, nil)
		err.Code, err.Suberror = cleanCode(c.err, c.state), cleanCode(c.suberror, c.state)
		err.Description, err.ErrorURI = clean(c.description, c.state), cleanPage(c.uri, c.state)
		err.VendorCode = vendorCode(nil, err.Description)
		if len(c.claims) <= maxClaims && json.Valid([]byte(c.claims)) {
			err.Claims = c.claims
		}
		err.settle()
		return err
	}
	return nil
}
