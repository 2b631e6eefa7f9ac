package sasl

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mailsession/mailsession/secret"
)

// Bounds on what is kept of a server's explanation.
const (
	maxRaw   = 2048 // bytes of Challenge.Raw
	maxField = 256  // bytes of the other fields
)

// Challenge is a server's explanation of why it refused a token. All of it
// comes from the server, bounded in length and free of control characters.
type Challenge struct {
	// Status says what is wrong: "invalid_token", "insufficient_scope" or
	// "invalid_request" with OAUTHBEARER (RFC 7628 section 3.2.2), an HTTP
	// status such as "401" with XOAUTH2.
	Status string

	// Schemes lists the token types that the server takes.
	Schemes string

	// Scope is what a token has to have been issued for.
	Scope string

	// OpenIDConfiguration is the address of the metadata of the authorization
	// server whose tokens are taken.
	OpenIDConfiguration string

	// Raw is what the server sent, also where it could not be understood.
	Raw string
}

// String returns the fields that are set, or Raw where none is.
func (c *Challenge) String() string {
	var parts []string
	for _, f := range []struct{ name, value string }{
		{"status", c.Status},
		{"scope", c.Scope},
		{"schemes", c.Schemes},
		{"openid-configuration", c.OpenIDConfiguration},
	} {
		if f.value != "" {
			parts = append(parts, f.name+" "+f.value)
		}
	}
	if len(parts) == 0 {
		return c.Raw
	}
	return strings.Join(parts, ", ")
}

// ParseChallenge reads the explanation p. It takes numbers for strings and
// ignores what it does not know; where p is not a JSON object, only Raw is
// set. A secret that the server repeats is masked. It never returns nil.
func ParseChallenge(p []byte, secrets ...secret.Text) *Challenge {
	if len(p) > 16*maxRaw {
		p = p[:16*maxRaw]
	}
	c := &Challenge{Raw: clean(string(p), maxRaw, secrets)}
	fields := map[string]json.RawMessage{}
	if json.NewDecoder(bytes.NewReader(p)).Decode(&fields) != nil {
		return c
	}
	for name, raw := range fields {
		value := clean(scalar(raw), maxField, secrets)
		switch strings.ToLower(name) {
		case "status":
			c.Status = value
		case "schemes":
			c.Schemes = value
		case "scope":
			c.Scope = value
		case "openid-configuration":
			c.OpenIDConfiguration = value
		}
	}
	return c
}

// scalar returns a JSON string's content, and anything else as it is written.
func scalar(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

// clean drops control characters and broken UTF-8, masks secrets, and cuts s
// to limit bytes.
func clean(s string, limit int, secrets []secret.Text) string {
	s = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	for _, t := range secrets {
		if !t.IsZero() {
			s = strings.ReplaceAll(s, t.Reveal(), secret.Redacted)
		}
	}
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
