package oauth

import (
	"net/http"
)

// kindOf says what an error code means, together with the suberror that some
// servers add. Numbers and words of the description play no part: servers
// change them without notice.
func kindOf(code, suberror string, status int) Kind {
	switch code {
	case "invalid_grant":
		return grantKind(suberror)
	case "consent_required":
		return KindConsent
	case "interaction_required", "login_required", "account_selection_required":
		if suberror == "consent_required" {
			return KindConsent
		}
		return KindInteraction
	case "invalid_client", "unauthorized_client", "invalid_request", "invalid_scope", "invalid_target",
		"invalid_resource", "unsupported_grant_type", "unsupported_response_type":
		return KindClientConfig
	case "expired_token", "bad_verification_code", "code_expired":
		return KindInteraction // a device code that nobody has used
	case "access_denied", "authorization_declined":
		return KindPolicy
	case "temporarily_unavailable", "server_error", "slow_down":
		return KindTemporary
	}
	return statusKind(status)
}

// grantKind says what invalid_grant means.
func grantKind(suberror string) Kind {
	switch suberror {
	case "token_expired":
		return KindExpired
	case "consent_required":
		return KindConsent
	case "basic_action", "additional_action", "message_only", "user_password_expired", "invalid_rapt":
		return KindInteraction
	case "client_mismatch":
		return KindClientConfig
	case "protection_policy_required":
		return KindPolicy
	default:
		return KindRevoked
	}
}

// statusKind says what a status means where the answer has no error code.
// 502 and 504 are not among them: behind a gateway that says so the server may
// have done the work, and its answer is lost.
func statusKind(status int) Kind {
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout:
		return KindTemporary
	case status >= http.StatusInternalServerError:
		return KindTemporary
	case status >= 300 && status < 400,
		status == http.StatusNotFound, status == http.StatusMethodNotAllowed, status == http.StatusGone:
		return KindClientConfig
	default:
		return KindUnknown
	}
}

// gateway reports whether a status without an error code leaves open whether
// the server did the work.
func gateway(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusGatewayTimeout
}
