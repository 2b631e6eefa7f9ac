package oauth

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/mailsession/mailsession/secret"
)

// leeway is how far the clocks of client and server may differ.
const leeway = 5 * time.Minute

// idTokenRules are what an id_token is held against.
type idTokenRules struct {
	clientID string
	issuer   string      // empty: not known
	nonce    secret.Text // zero: none was sent
	now      time.Time
	since    time.Time // the user must not have logged in before it; zero: any time
}

// claims are the parts of an id_token that are looked at.
type claims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  audience `json:"aud"`
	Party     string   `json:"azp"`
	Expires   float64  `json:"exp"`
	AuthTime  float64  `json:"auth_time"`
	Nonce     string   `json:"nonce"`
	TenantID  string   `json:"tid"`
	Email     string   `json:"email"`
	Preferred string   `json:"preferred_username"`
	UPN       string   `json:"upn"`
}

// audience is one string or a list of them (RFC 7519 section 4.1.3).
type audience []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// readIDToken checks an id_token and returns whom it names. The signature is
// not checked: the token came from the token endpoint over TLS, which OpenID
// Connect Core section 3.1.3.7 accepts in its place. Of a token that is of
// another issuer, and good otherwise, the tenant is returned with the error.
func readIDToken(raw secret.Text, rules idTokenRules) (identity, error) {
	parts := strings.Split(raw.Reveal(), ".")
	if len(parts) != 3 {
		return identity{}, errors.New("the id_token is not a signed JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return identity{}, errors.New("the id_token's payload is not base64")
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		// The cause would quote the payload.
		return identity{}, errors.New("the id_token's payload is not an object of claims")
	}
	if err := c.check(rules); err != nil {
		return identity{}, err
	}
	if rules.issuer != "" && !sameIssuer(rules.issuer, c.Issuer, c.TenantID) {
		return identity{tenant: c.TenantID}, fmt.Errorf("the id_token is of the issuer %q instead of %q", clean(c.Issuer), rules.issuer)
	}
	return identity{subject: c.Subject, address: c.address(), tenant: c.TenantID}, nil
}

// check holds the claims against the rules of OpenID Connect Core section
// 3.1.3.7, but for the issuer.
func (c *claims) check(rules idTokenRules) error {
	switch {
	case !slices.Contains(c.Audience, rules.clientID):
		return errors.New("the id_token is for another client")
	case len(c.Audience) > 1 && c.Party != rules.clientID:
		return errors.New("the id_token is for several clients and was not issued to this one")
	case c.Expires < float64(rules.now.Add(-leeway).Unix()):
		return errors.New("the id_token has expired: check this machine's clock")
	case !rules.nonce.IsZero() && !rules.nonce.Equal(secret.New(c.Nonce)):
		return errors.New("the id_token has another nonce: it belongs to another sign-in")
	case !rules.since.IsZero() && c.AuthTime != 0 && c.AuthTime < float64(rules.since.Add(-leeway).Unix()):
		return errors.New("the server let the user in by an older login, although a fresh one was asked for")
	}
	return nil
}

// tenantMark stands for a tenant in the issuer that Microsoft's metadata give.
const tenantMark = "{tenantid}"

// sameIssuer compares a configured issuer with a claimed one. A tenant mark in
// the configured one is replaced by the tenant that the id_token names.
// Google's id_tokens may leave out the scheme (OpenID Connect Core section
// 15.6.2).
func sameIssuer(configured, claimed, tenant string) bool {
	if strings.Contains(configured, tenantMark) {
		return segment(tenant) && claimed == strings.Replace(configured, tenantMark, tenant, 1)
	}
	return claimed == configured || (claimed != "" && claimed == strings.TrimPrefix(configured, "https://"))
}

// segment reports whether s can be one segment of a path.
func segment(s string) bool {
	return s != "" && !strings.ContainsAny(s, "/?#")
}

// address returns the user's mail address: the first of email,
// preferred_username and upn that looks like one, or "".
func (c *claims) address() string {
	for _, a := range []string{c.Email, c.Preferred, c.UPN} {
		if strings.Contains(a, "@") && !strings.ContainsFunc(a, unfit) {
			return a
		}
	}
	return ""
}

// unfit reports whether r has no place in an address.
func unfit(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

// issuerFits compares a configured issuer with that of a redirect, where no
// tenant is named.
func issuerFits(configured, claimed string) bool {
	before, after, marked := strings.Cut(configured, tenantMark)
	if !marked {
		return claimed == configured
	}
	tenant, ok := strings.CutPrefix(claimed, before)
	if !ok {
		return false
	}
	tenant, ok = strings.CutSuffix(tenant, after)
	return ok && segment(tenant)
}
