package oauth

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

// unknownLifetime is how long a token is used whose end nobody names. Whoever
// looks after it is asked again soon.
const unknownLifetime = time.Minute

// supplied is a token as programs and services outside of OAuth write it.
type supplied struct {
	AccessToken string          `json:"access_token"`
	CamelToken  string          `json:"accessToken"`
	Type        string          `json:"token_type"`
	ExpiresIn   json.RawMessage `json:"expires_in"`
	ExpiresOn   json.RawMessage `json:"expires_on"`
	Expiry      string          `json:"expiry"`
	Scope       string          `json:"scope"`
	Error       json.RawMessage `json:"error"`
	Description string          `json:"error_description"`
}

// errNoToken is what becomes of an answer without a token. It quotes nothing.
var errNoToken = errors.New("the answer is not a JSON object with an access_token")

// parseSupplied reads a token from JSON: access_token, and its end in expires_in
// (seconds from now), expires_on (seconds since 1970, or RFC 3339) or expiry
// (RFC 3339). Numbers may be strings. An end that makes no sense is none.
func parseSupplied(body []byte, now time.Time) (*Token, error) {
	var s supplied
	if json.Unmarshal(body, &s) != nil {
		return nil, errNoToken
	}
	if code, ok := text(s.Error); ok && code != "" {
		return nil, &Error{
			Kind: kindOf(code, "", 0), Op: "get a token",
			Code: cleanCode(code), Description: clean(s.Description),
		}
	}
	if s.AccessToken == "" {
		s.AccessToken = s.CamelToken
	}
	if !fitToken(s.AccessToken) {
		return nil, errNoToken
	}
	if s.Type == "" {
		s.Type = "Bearer"
	}
	return &Token{
		AccessToken: secret.New(s.AccessToken), Type: s.Type, Issued: now.Round(0),
		Expiry: s.expiry(now.Round(0)), Scopes: strings.Fields(s.Scope),
	}, nil
}

// parsePlain reads a token that stands alone.
func parsePlain(body []byte, now time.Time) (*Token, error) {
	token := strings.TrimSpace(string(body))
	if !fitToken(token) {
		return nil, errors.New("the answer is neither JSON nor a token alone on one line")
	}
	now = now.Round(0)
	return &Token{AccessToken: secret.New(token), Type: "Bearer", Issued: now, Expiry: now.Add(unknownLifetime)}, nil
}

// fitToken reports whether text can be an access token: printable ASCII without
// spaces (RFC 6750 section 2.1 allows less).
func fitToken(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' })
}

// expiry returns when the token ends.
func (s *supplied) expiry(now time.Time) time.Time {
	if in, ok := seconds(s.ExpiresIn); ok {
		return now.Add(time.Duration(min(in, math.MaxInt32)) * time.Second)
	}
	if on, ok := seconds(s.ExpiresOn); ok {
		return time.Unix(min(int64(on), math.MaxUint32), 0)
	}
	on, _ := text(s.ExpiresOn)
	for _, stamp := range []string{on, s.Expiry} {
		if at, err := time.Parse(time.RFC3339, stamp); err == nil && at.Year() > 1 {
			return at
		}
	}
	return now.Add(unknownLifetime)
}

// seconds reads a number of at least one second from a JSON number or string.
func seconds(raw json.RawMessage) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSpace(strings.Trim(string(raw), `"`)), 64)
	if err != nil || math.IsNaN(n) || n < 1 {
		return 0, false
	}
	return min(n, math.MaxInt64/2), true
}

// text reads a JSON string.
func text(raw json.RawMessage) (string, bool) {
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err == nil
}

// suppliedError makes an *Error of what went wrong outside of this package. Such
// an error keeps its chain; what it says is part of the message.
func suppliedError(op, server string, err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	kind := KindUnknown
	if retry.IsTemporary(err) {
		kind = KindTemporary
	}
	return &Error{Kind: kind, Op: op, Server: server, Wait: retry.After(err), Err: err}
}
