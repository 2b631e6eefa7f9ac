package oauth

import (
	"slices"
	"strconv"
	"strings"
)

// Reason is what a vendor's own number or words say beyond the error code. It
// explains a failure to people and decides nothing: vendors add and change both
// without notice. The Kind decides.
type Reason int

const (
	// ReasonUnknown means that the vendor says nothing more, or nothing that
	// is known here.
	ReasonUnknown Reason = iota
	// ReasonExpired means that the grant's time is over.
	ReasonExpired
	// ReasonRevoked means that somebody or something ended the grant before its
	// time, such as a new password.
	ReasonRevoked
	// ReasonInteraction means that the user has to do something: a second
	// factor, a choice of account.
	ReasonInteraction
	// ReasonConsent means that the user has not consented.
	ReasonConsent
	// ReasonAdminConsent means that an administrator has to consent.
	ReasonAdminConsent
	// ReasonPolicy means that a rule of the organisation stands against it.
	ReasonPolicy
	// ReasonAccount means that the account is locked, disabled, in another
	// tenant, or has no valid password.
	ReasonAccount
	// ReasonClient means that the client's registration or configuration is
	// wrong.
	ReasonClient
	// ReasonCode means that the authorization code cannot be redeemed.
	ReasonCode
	// ReasonDevice means that a device code is not good, or not yet.
	ReasonDevice
	// ReasonBusy means that the server is busy or in trouble.
	ReasonBusy
	// ReasonLoop means that the server takes the program's requests for a loop
	// or cannot read them: a fault of the program.
	ReasonLoop
)

// String returns the reason as one or two words.
func (r Reason) String() string {
	names := []string{
		"unknown", "expired", "revoked", "interaction", "consent", "administrator's consent", "policy", "account",
		"client configuration", "authorization code", "device code", "busy", "loop",
	}
	if r < 0 || int(r) >= len(names) {
		return names[0]
	}
	return names[r]
}

// personal reports whether what is to be done about it is a person's to do, in a
// sign-in.
func (r Reason) personal() bool {
	return slices.Contains([]Reason{ReasonExpired, ReasonRevoked, ReasonInteraction, ReasonConsent, ReasonCode, ReasonDevice}, r)
}

// The pages that vendors keep about their errors.
const (
	entraPage  = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
	googlePage = "https://developers.google.com/identity/protocols/oauth2#expiration"
)

// entraPrefix begins the numbers of Microsoft Entra.
const entraPrefix = "AADSTS"

// vendorCode returns Microsoft's number from the numbers of an answer, or from
// its description, where redirects have it alone.
func vendorCode(numbers []int, description string) string {
	if len(numbers) > 0 && numbers[0] > 0 {
		return entraPrefix + strconv.Itoa(numbers[0])
	}
	rest, ok := strings.CutPrefix(description, entraPrefix)
	if !ok {
		return ""
	}
	digits := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
	if digits == "" || len(digits) > 9 {
		return ""
	}
	return entraPrefix + digits
}

// explain returns what the vendor's number or words mean, and what to do about
// it; the remedy may be empty.
func (e *Error) explain() (Reason, string) {
	if digits, ok := strings.CutPrefix(e.VendorCode, entraPrefix); ok {
		number, err := strconv.Atoi(digits)
		if err != nil {
			return ReasonUnknown, ""
		}
		for _, explain := range []func(int) (Reason, string){entraUser, entraClient, entraRequest} {
			if reason, remedy := explain(number); reason != ReasonUnknown {
				return reason, remedy
			}
		}
		return ReasonUnknown, ""
	}
	if e.fromGoogle() {
		return e.googleReason()
	}
	return ReasonUnknown, ""
}

// entraUser explains the numbers that concern the user or the organisation.
// Microsoft's table of them is at entraPage.
func entraUser(number int) (Reason, string) {
	switch number {
	case 700082:
		return ReasonExpired, "the grant was not used for 90 days: sign in again, and keep it alive with Grant.KeepAlive"
	case 700084:
		return ReasonExpired, "the redirect is registered as a single-page app, whose grants end after 24 hours: register it as mobile and desktop, then sign in again"
	case 70043:
		return ReasonExpired, "the organisation's sign-in frequency has passed: sign in again"
	case 70008, 50089:
		return ReasonExpired, "the grant has expired: sign in again"
	case 50173, 50132, 50133:
		return ReasonRevoked, "the password was changed or reset, or an administrator ended the sessions: sign in again"
	case 70000, 50085:
		return ReasonRevoked, "the grant was revoked: sign in again"
	case 50072, 50074, 50076, 50078, 50079, 50158:
		return ReasonInteraction, "a second factor is asked for: sign in again"
	case 700020, 16000, 50058:
		return ReasonInteraction, "the server asks for the user: sign in again"
	case 65001, 65004, 90008, 65005, 650057:
		return ReasonConsent, "consent to what the program asks for is missing: sign in again and accept, and compare the scopes with those of the registration"
	case 90094, 90095:
		return ReasonAdminConsent, "an administrator has to consent for the organisation before anybody can sign in"
	case 53000, 53001, 53002, 53003, 530032, 530035, 50105, 50131, 50005:
		return ReasonPolicy, "a rule of the organisation (conditional access, or who may use the app) refuses it: ask the administrator"
	case 50034:
		return ReasonAccount, "there is no such user in this tenant: check the address and the tenant"
	case 50020, 51004:
		return ReasonAccount, "the user is of another tenant: sign in to the user's own tenant"
	case 50053:
		return ReasonAccount, "the account is locked after failed attempts: wait, or have the administrator unlock it"
	case 50055, 50144:
		return ReasonAccount, "the password has expired: the user has to change it, then sign in again"
	case 50057:
		return ReasonAccount, "the account is disabled: ask the administrator"
	}
	return ReasonUnknown, ""
}

// entraClient explains the numbers that concern the client and how it proves who
// it is.
func entraClient(number int) (Reason, string) {
	switch number {
	case 7000215:
		return ReasonClient, "the client secret is wrong (its value is needed, not its id): correct it"
	case 7000222:
		return ReasonClient, "the client secret has expired: make a new one in the app registration"
	case 7000218:
		return ReasonClient, "the server wants a client secret: allow public client flows in the app registration, or configure the secret"
	case 700025:
		return ReasonClient, "the client is public and must not send a secret: remove the ClientSecret"
	case 70002:
		return ReasonClient, "the client's secret is wrong, or its registration does not allow this flow: check the secret, and whether public client flows are allowed"
	case 700027, 50012:
		return ReasonClient, "the client's assertion is refused: check that its certificate is registered and has not expired, and this machine's clock"
	case 700021:
		return ReasonClient, "the client's assertion names another client: make it for this ClientID"
	case 700024:
		return ReasonClient, "the client's assertion is not valid at this time: check this machine's clock, and that the assertion is made anew for each request"
	case 50027, 50013:
		return ReasonClient, "the assertion is malformed, was used before or is of an issuer that is not trusted: make a new one for each request, and check who issues it"
	case 70021, 700211, 700212, 700213:
		return ReasonClient, "no federated credential of the app registration fits the token: its issuer, subject and audience have to be entered there exactly as the token has them"
	case 700016, 70001, 7000112:
		return ReasonClient, "the client id is not known in this tenant, or disabled: check it and the tenant"
	case 50194:
		return ReasonClient, "the app is for one tenant: use that tenant's endpoints instead of common"
	case 90002, 90038, 900382:
		return ReasonClient, "the tenant is not in this cloud: check the tenant and the host of the endpoints"
	}
	return ReasonUnknown, ""
}

// entraRequest explains the numbers that concern one request, and the server.
func entraRequest(number int) (Reason, string) {
	switch number {
	case 50011, 70004:
		return ReasonClient, "the redirect is not registered as it was sent: register Config.RedirectURL, path and all, as mobile and desktop"
	case 500011:
		return ReasonClient, "the resource of the scopes is not known in this tenant: check the scopes"
	case 70011, 700022:
		return ReasonClient, "the scopes are not valid together: one request is for one resource"
	case 700023:
		return ReasonClient, "the scopes name no resource, or the assertion's audience is not this issuer: one request is for one resource, and an assertion for one tenant's token endpoint"
	case 1002012:
		return ReasonClient, "a program asks for all that was granted to it: its one scope is the resource with /.default"
	case 700005:
		return ReasonClient, "the code is of another tenant: use one tenant for both endpoints"
	case 9002332, 90130, 9001023:
		return ReasonClient, "the app or the endpoint does not allow this flow: check the app registration, and use a tenant instead of common or consumers"
	case 54005, 501481:
		return ReasonCode, "the code was used before, or is another sign-in's: start the sign-in again"
	case 70016:
		return ReasonDevice, "the user has not finished yet"
	case 70018, 70019, 50134:
		return ReasonDevice, "the device code is wrong or has expired: start again"
	case 50033, 50087, 90006, 90012, 90024, 90033, 90055, 90090, 70012, 80002:
		return ReasonBusy, "the server is busy or in trouble: try again later"
	case 50196:
		return ReasonLoop, "the server takes the requests for a loop: stop, wait some minutes, and find out why the program asks so often"
	case 900144, 9002313:
		return ReasonLoop, "the server cannot read the request: check the Config's parameters"
	}
	return ReasonUnknown, ""
}

// fromGoogle reports whether the error is of Google's server.
func (e *Error) fromGoogle() bool { return isGoogle(e.Server) }

// isGoogle reports whether a host is a sign-in server of Google.
func isGoogle(host string) bool {
	return strings.HasSuffix(host, ".googleapis.com") || host == "accounts.google.com"
}

// googleReason explains Google's words.
func (e *Error) googleReason() (Reason, string) {
	code, said := e.Code, strings.ToLower(e.Description)
	says := func(words string) bool { return strings.Contains(said, words) }
	switch {
	case e.Suberror == "invalid_rapt" || says("invalid_rapt"):
		return ReasonInteraction, "the session length that the Workspace administrator set is over: sign in again; " +
			"the administrator can exempt the app (https://support.google.com/a/answer/9368756)"
	case code == "invalid_grant" && says("expired or revoked"):
		return ReasonUnknown, "the user or an administrator took the access away, the password was changed, nothing was asked for six months, " +
			"newer grants displaced it, or the consent screen is in Testing, which ends grants after 7 days: sign in again"
	case says("invalid jwt signature"):
		return ReasonClient, "the service account's key is wrong or was deleted: make a new key"
	case says("invalid jwt"):
		return ReasonClient, "the assertion is refused: check this machine's clock"
	case says("invalid email or user id"):
		return ReasonAccount, "there is no such user in the Workspace: check the address"
	case code == "unauthorized_client" && says("not authorized for any of the scopes"):
		return ReasonClient, "domain-wide delegation for this client and these scopes is not granted (it may take 24 hours), or the user is not of the Workspace"
	case code == "invalid_grant" && says("bad request") && e.Op == opRefresh:
		return ReasonUnknown, "the grant is over, or its refresh token is another client's: check the ClientID, and sign in again"
	case code == "invalid_grant" && (says("bad request") || says("malformed auth code")):
		return ReasonCode, "the code was used before, or its redirect is another: start the sign-in again"
	}
	return ReasonUnknown, ""
}
