package oauth

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/mailsession/mailsession/secret"
)

// answer is a good answer of the token endpoint.
type answer struct {
	token         *Token
	refresh       secret.Text
	refreshExpiry time.Time // zero where the server does not say
	idToken       secret.Text
}

// newAnswer makes an answer of what x/oauth2 understood.
func newAnswer(tok *oauth2.Token, asked []string, now time.Time) *answer {
	now = now.Round(0) // Expiry follows the wall clock, also across a suspend.
	a := &answer{
		token: &Token{
			AccessToken: secret.New(tok.AccessToken),
			Type:        tok.Type(),
			Issued:      now,
			Expiry:      tok.Expiry.Round(0),
			Scopes:      asked,
		},
		refresh: secret.New(tok.RefreshToken),
	}
	if tok.Expiry.IsZero() {
		a.token.Expiry = now.Add(defaultLifetime)
	}
	if scope, ok := tok.Extra("scope").(string); ok && strings.TrimSpace(scope) != "" {
		a.token.Scopes = strings.Fields(scope)
	}
	if seconds, ok := tok.Extra("refresh_token_expires_in").(float64); ok && seconds > 0 {
		a.refreshExpiry = now.Add(time.Duration(min(seconds, math.MaxInt32)) * time.Second)
	}
	if idToken, ok := tok.Extra("id_token").(string); ok {
		a.idToken = secret.New(idToken)
	}
	return a
}

// moreOfError is what vendors add to an error answer.
type moreOfError struct {
	Suberror      string `json:"suberror"`
	Subtype       string `json:"error_subtype"`
	Numbers       []int  `json:"error_codes"`
	CorrelationID string `json:"correlation_id"`
	ErrorURI      string `json:"error_uri"`
	Claims        string `json:"claims"`
}

// UnmarshalJSON implements [json.Unmarshaler]. A field of another kind than
// expected is passed over, and the others are read.
func (m *moreOfError) UnmarshalJSON(body []byte) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return err
	}
	for name, target := range map[string]any{
		"suberror": &m.Suberror, "error_subtype": &m.Subtype, "error_codes": &m.Numbers,
		"correlation_id": &m.CorrelationID, "error_uri": &m.ErrorURI, "claims": &m.Claims,
	} {
		_ = json.Unmarshal(fields[name], target)
	}
	return nil
}

// maxClaims is the longest claims challenge that is kept, in bytes.
const maxClaims = 4096

// setMore puts into e what the body of an error answer says beyond RFC 6749.
// The Code and the Description are set already.
func (e *Error) setMore(body []byte, secrets ...secret.Text) {
	var more moreOfError
	// A body that is not JSON has nothing of it.
	_ = json.Unmarshal(body, &more)
	e.Suberror = cleanCode(cmp.Or(more.Suberror, more.Subtype), secrets...)
	e.VendorCode = vendorCode(more.Numbers, e.Description)
	e.CorrelationID = cleanCode(more.CorrelationID, secrets...)
	e.ErrorURI = cleanPage(more.ErrorURI, secrets...)
	if len(more.Claims) <= maxClaims && json.Valid([]byte(more.Claims)) {
		e.Claims = more.Claims
	}
}

// settle sets the Kind of an answer with an error code. A vendor's number or
// words decide one thing alone: by what name an invalid_grant goes that says no
// more. All the names are acted on alike, by a new sign-in, which is where the
// user learns of rules and of what is wrong with the account.
func (e *Error) settle() {
	e.Kind = kindOf(e.Code, e.Suberror, e.Status)
	if e.Kind != KindRevoked {
		return
	}
	switch e.Reason() {
	case ReasonUnknown, ReasonRevoked:
	case ReasonExpired:
		e.Kind = KindExpired
	case ReasonConsent, ReasonAdminConsent:
		e.Kind = KindConsent
	default:
		e.Kind = KindInteraction
	}
}

// ofCode returns the refusal of a code as it reads: no grant is there yet that
// could be over.
func (e *Error) ofCode() *Error {
	if e.Kind != KindRevoked && e.Kind != KindExpired {
		return e
	}
	told := *e
	told.Kind = KindInteraction
	return &told
}

// repair makes an answer such that x/oauth2 reads it: a JSON object is called
// so whatever its Content-Type says, and its lifetimes become whole positive
// numbers or go away. Everything else stays as it is. It returns the body and
// its type.
func repair(contentType string, body []byte) (string, []byte) {
	trimmed := bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff"))
	if len(trimmed) == 0 || trimmed[0] != '{' {
		return contentType, body
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(trimmed, &object) != nil {
		return "application/json", trimmed
	}
	for name, value := range object {
		switch name {
		case "expires_in", "refresh_token_expires_in":
			object[name] = lifetime(value)
		case "access_token", "refresh_token", "token_type", "error", "error_description", "error_uri":
			if !bytes.HasPrefix(value, []byte(`"`)) {
				delete(object, name)
			}
		}
		if object[name] == nil {
			delete(object, name)
		}
	}
	repaired, err := json.Marshal(object)
	if err != nil {
		return "application/json", trimmed
	}
	return "application/json", repaired
}

// lifetime returns a number of seconds as a JSON integer, or nil where value
// holds none that makes sense. Servers send "3600", 3599.5 and "" as well.
func lifetime(value json.RawMessage) json.RawMessage {
	text := strings.TrimSpace(strings.Trim(string(value), `"`))
	seconds, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(seconds) || seconds < 1 {
		return nil
	}
	return strconv.AppendInt(nil, int64(min(seconds, math.MaxInt32)), 10)
}

// isHTML reports whether an answer is a page: of a proxy, a captive portal or
// a server in maintenance.
func isHTML(contentType string, body []byte) bool {
	return strings.HasPrefix(strings.ToLower(contentType), "text/html") ||
		bytes.HasPrefix(bytes.TrimSpace(body), []byte("<"))
}
