package oauth

import (
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The grant types of Endpoint.GrantTypes.
const (
	// GrantAuthorizationCode is a sign-in in the browser: SignIn.
	GrantAuthorizationCode = "authorization_code"
	// GrantRefreshToken is what a Grant does afterwards.
	GrantRefreshToken = "refresh_token"
	// GrantDeviceCode is a sign-in on another device (RFC 8628).
	GrantDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"
	// GrantClientCredentials is a program in its own name: ClientCredentials.
	GrantClientCredentials = "client_credentials"
	// GrantJWTBearer is an assertion in place of a person (RFC 7523):
	// ServiceAccount.
	GrantJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer" //nolint:gosec // G101: a name that everybody may know
)

// offers reports whether the server has a grant type, or neither says so nor is
// known.
func (e *Endpoint) offers(grantType string) bool {
	switch {
	case e.GrantTypes != nil:
		return slices.Contains(e.GrantTypes, grantType)
	case grantType != GrantClientCredentials && grantType != GrantJWTBearer:
		return true
	}
	switch host := hostOf(e.TokenURL); {
	case isGoogle(host):
		return grantType == GrantJWTBearer
	case host == "api.login.yahoo.com", host == "api.login.aol.com":
		return false
	}
	return true
}

// MicrosoftHost is where Microsoft's worldwide cloud signs people in.
const MicrosoftHost = "https://login.microsoftonline.com"

// MicrosoftEndpoint returns the endpoints of Microsoft Entra ID, or of a server
// of the same shape, from its base URL, the "OAuth host": the authorization,
// the token and the device authorization endpoint. An empty base is
// MicrosoftHost; a host alone means https. The tenant is its id or a domain of
// it, or "common", "organizations" or "consumers", which stand for many.
//
// The tenant "adfs" is AD FS, as in https://adfs.contoso.example/adfs, whose
// addresses have no version in them; it may be part of the base instead. An
// empty tenant stands for a server that has none: the addresses follow the
// base.
//
// The Issuer is known for Microsoft's own clouds and for AD FS, the IdleLimit for
// the former; elsewhere they are zero, and worth setting.
func MicrosoftEndpoint(base, tenant string) Endpoint {
	base = strings.TrimRight(strings.TrimSpace(base), "/")
	switch {
	case base == "":
		base = MicrosoftHost
	case !strings.Contains(base, "://"):
		base = "https://" + base
	}
	root := base
	if tenant != "" {
		root += "/" + url.PathEscape(tenant)
	}
	e := Endpoint{ResponseMode: "form_post", RefreshTokensReusable: true}
	prefix := root + "/oauth2/v2.0"
	if strings.HasSuffix(root, "/adfs") {
		prefix, e.Issuer = root+"/oauth2", root
	} else if issuer := microsoftIssuer(base); issuer != "" {
		e.Issuer, e.IdleLimit = issuer+"/{tenantid}/v2.0", 90*24*time.Hour
	}
	e.AuthURL, e.TokenURL, e.DeviceURL = prefix+"/authorize", prefix+"/token", prefix+"/devicecode"
	e.GrantTypes = []string{GrantAuthorizationCode, GrantRefreshToken, GrantDeviceCode}
	if !manyTenants(tenant) {
		e.GrantTypes = append(e.GrantTypes, GrantClientCredentials)
	}
	return e
}

// microsoftIssuer returns how the issuers of one of Microsoft's clouds begin,
// or "" for a base that is none of them.
func microsoftIssuer(base string) string {
	switch base {
	case MicrosoftHost, "https://login.microsoftonline.us", "https://login.partner.microsoftonline.cn",
		"https://login.sovcloud-identity.fr", "https://login.sovcloud-identity.de", "https://login.sovcloud-identity.sg":
		return base
	case "https://login.chinacloudapi.cn":
		return "https://login.partner.microsoftonline.cn"
	}
	return ""
}

// manyTenants reports whether a tenant of Microsoft's stands for more than one.
func manyTenants(tenant string) bool {
	switch strings.ToLower(tenant) {
	case "common", "organizations", "consumers":
		return true
	}
	return false
}

// tenant returns the id of the one tenant that the Endpoint is of, as its Issuer
// or else its TokenURL has it. It is "" where the Endpoint stands for many
// tenants, names one by a domain, or is of a server that has none.
func (e *Endpoint) tenant() string {
	issuer, _ := strings.CutSuffix(e.Issuer, "/v2.0")
	for _, name := range []string{issuer[strings.LastIndex(issuer, "/")+1:], microsoftTenant(e.TokenURL)} {
		if isTenantID(name) {
			return name
		}
	}
	return ""
}

// isTenantID reports whether a name is a tenant's id, a UUID.
func isTenantID(name string) bool {
	parts := strings.Split(name, "-")
	if len(name) != 36 || len(parts) != 5 {
		return false
	}
	for i, digits := range []int{8, 4, 4, 4, 12} {
		if _, err := hex.DecodeString(parts[i]); err != nil || len(parts[i]) != digits {
			return false
		}
	}
	return true
}

// microsoftTenant returns the tenant in the address of a token endpoint of
// MicrosoftEndpoint's shape, or "".
func microsoftTenant(tokenURL string) string {
	u, err := url.Parse(tokenURL)
	if err != nil {
		return ""
	}
	path, ok := strings.CutSuffix(u.Path, "/oauth2/v2.0/token")
	if !ok {
		return ""
	}
	return path[strings.LastIndex(path, "/")+1:]
}
