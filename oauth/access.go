package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// maxAccess is the largest access token that is read, in bytes.
const maxAccess = 64 << 10

// accessClaims are the parts of an access token that are looked at. None of
// them is verified.
type accessClaims struct {
	audience        []string
	scopes, roles   []string
	tenant, client  string
	users           []string
	expires, begins time.Time // zero where the token does not say
}

// readAccess reads an access token. It reports false for one that is not a JWT,
// and returns an error for one that looks like a JWT and is none.
func readAccess(token secret.Text) (c accessClaims, jwt bool, err error) {
	text := token.Reveal()
	parts := strings.Split(text, ".")
	if len(parts) != 3 || len(text) > maxAccess || !isHeader(parts[0]) {
		return accessClaims{}, false, nil
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return accessClaims{}, false, errors.New("the payload is not base64")
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return accessClaims{}, false, errors.New("the payload is not an object")
	}
	c = accessClaims{
		audience: texts(fields["aud"]),
		roles:    texts(fields["roles"]),
		tenant:   first(fields, "tid"),
		client:   first(fields, "appid", "azp", "client_id"),
		expires:  dateIn(fields["exp"]),
		begins:   dateIn(fields["nbf"]),
	}
	for _, name := range []string{"scp", "scope"} {
		for _, scopes := range texts(fields[name]) {
			c.scopes = append(c.scopes, strings.Fields(scopes)...)
		}
	}
	for _, name := range []string{"upn", "preferred_username", "unique_name", "email"} {
		if user := first(fields, name); strings.Contains(user, "@") && !strings.ContainsFunc(user, unfit) {
			c.users = append(c.users, user)
		}
	}
	return c, true, nil
}

// isHeader reports whether text is the header of a JWS (RFC 7515 section 4).
func isHeader(text string) bool {
	header, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	var fields map[string]json.RawMessage
	return err == nil && json.Unmarshal(header, &fields) == nil && fields["alg"] != nil
}

// texts returns a string or a list of strings.
func texts(raw json.RawMessage) []string {
	var list audience
	if json.Unmarshal(raw, &list) != nil {
		return nil
	}
	return list
}

// first returns the first claim that is a string.
func first(fields map[string]json.RawMessage, names ...string) string {
	for _, name := range names {
		var text string
		if json.Unmarshal(fields[name], &text) == nil && text != "" {
			return text
		}
	}
	return ""
}

// dateIn returns the date of a NumericDate (RFC 7519 section 2), zero where
// there is none that makes sense.
func dateIn(raw json.RawMessage) time.Time {
	var seconds float64
	if json.Unmarshal(raw, &seconds) != nil || seconds <= 0 || seconds > math.MaxUint32*64 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// wellKnown returns the resource that one of Microsoft's application ids or
// second names stands for, or the resource itself.
func wellKnown(resource string) string {
	resource = strings.ToLower(strings.TrimRight(resource, "/"))
	switch resource {
	case "00000002-0000-0ff1-ce00-000000000000", "https://outlook.office365.com", "https://ps.outlook.com":
		return "https://outlook.office.com"
	case "00000003-0000-0000-c000-000000000000":
		return "https://graph.microsoft.com"
	}
	return resource
}

// sameResource reports whether two names are of one resource.
func sameResource(a, b string) bool { return wellKnown(a) == wellKnown(b) }

// isExchangeOnline reports whether a name is one of Exchange Online's, whose tokens
// always say what they allow.
func isExchangeOnline(resource string) bool {
	return wellKnown(resource) == "https://outlook.office.com"
}

// resourceName returns a resource for a sentence.
func resourceName(resource string) string {
	switch name := wellKnown(resource); name {
	case "https://outlook.office.com":
		return "Exchange Online (" + clean(resource) + ")"
	case "https://graph.microsoft.com":
		return "Microsoft Graph (" + clean(resource) + ")"
	default:
		return clean(resource)
	}
}
