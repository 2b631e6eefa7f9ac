package ews

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/session"
)

// Error is a refusal of an Exchange server, of a whole request or of what concerns
// one item in it.
type Error struct {
	// Server is "host:port".
	Server string
	// Op is what was asked for, such as "GetItem".
	Op string
	// Status is the status of HTTP: 200 where one item of several is concerned.
	Status int
	// Code is the response code of the schema, such as "ErrorItemNotFound", empty
	// where the server's words are not SOAP.
	Code string
	// Text is what the server says to people, in one line.
	Text string
	// Diagnostics is the header x-ms-diagnostics, with which Exchange Online says
	// why a token does not do.
	Diagnostics string
	// Remedy says what to do, where that is known.
	Remedy string

	wait    time.Duration
	schemes []string // by which it would let in
	hint    string   // what to do, which the error around this one says
	size    int64    // of the request
	// turnedAway says that the request was refused for its size, passedOn that a
	// machine in between does not know what became of it.
	turnedAway, passedOn bool
}

// Error returns where, at what and with which words the server refused.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s: server answered ", e.Server, e.Op)
	switch {
	case e.Code != "":
		b.WriteString(e.Code)
	default:
		b.WriteString(strings.TrimSpace(fmt.Sprintf("HTTP %d %s", e.Status, http.StatusText(e.Status))))
	}
	for _, words := range []string{e.Text, e.Diagnostics} {
		if words != "" {
			b.WriteString(": " + words)
		}
	}
	if e.Remedy != "" {
		b.WriteString("; " + e.Remedy)
	}
	return b.String()
}

// class returns what the answer means.
func (e *Error) class() class {
	if e.Code != "" {
		return classOf(e.Code)
	}
	switch {
	case e.oversized():
		return tooLarge
	case e.passedOn:
		return transient
	}
	switch e.Status {
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return throttled
	case http.StatusBadGateway, http.StatusGatewayTimeout, http.StatusRequestTimeout:
		return transient
	case http.StatusUnauthorized:
		return refusal
	case http.StatusForbidden:
		return forbidden
	}
	return other
}

// Temporary reports whether the server says of itself that the trouble will pass.
func (e *Error) Temporary() bool {
	c := e.class()
	return c == throttled || c == transient
}

// ConcernsAll reports whether the answer would be the same with another message, as that
// of a machine before Exchange is, or what Exchange says of the mailbox and of who signs
// in: package outbox gives no message up for it, and has the others wait. A request that
// is too large concerns its own message.
func (e *Error) ConcernsAll() bool {
	if e.Code == "" {
		return !e.oversized()
	}
	return ofMailbox(e.Code)
}

// StatusCode returns the status by which [Options.Retry] judges e: Status, and 503
// where the server says in SOAP that it is too busy, or of one item that the trouble
// will pass, since HTTP knows nothing of that then.
func (e *Error) StatusCode() int {
	c := e.class()
	if e.Code != "" && (c == throttled || c == transient && e.Status == http.StatusOK) {
		return http.StatusServiceUnavailable
	}
	return e.Status
}

// RetryAfter returns how long the server wants to be left alone: BackOffMilliseconds,
// or Retry-After; zero where it does not tell.
func (e *Error) RetryAfter() time.Duration { return e.wait }

// Is makes the codes match what the other backends say in the same way.
func (e *Error) Is(target error) bool {
	c := e.class()
	switch target {
	case session.ErrNoMessage:
		return c == noMessage
	case session.ErrNoFolder:
		return c == noFolder || e.Code == "ErrorSyncFolderNotFound"
	case session.ErrFolderExists:
		return e.Code == "ErrorFolderExists"
	case session.ErrOverQuota:
		return c == full
	case session.ErrChanged:
		return c == conflict
	case session.ErrCursorExpired:
		return c == expired
	}
	return false
}

// notCarriedOut reports whether the server turned the whole request away before it
// did anything: it may be sent again, whatever it asks for.
func notCarriedOut(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.class() == throttled || e.Status == http.StatusUnauthorized || e.oversized())
}

// refused reports whether err is the refusal of credentials.
func refused(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.class() == refusal
}

// answered reports whether err is the server's word about one request, so that the
// connection serves further ones.
func answered(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && !e.Temporary() && e.class() != refusal
}

// switchedOff is what a 403 of Exchange Online mostly means.
const switchedOff = "EWS is switched off for this tenant, mailbox or application: Microsoft blocks it in Exchange Online tenant by tenant from 1 October 2026 on, " +
	"but for applications that the tenant lists (EwsAllowedAppIDs), and removes it for good on 1 April 2027; use IMAP and SMTP, packages imapx and smtpx, or Microsoft Graph"

// remedy says what to do about a refusal, "" where nothing better is known than what
// is said for all protocols.
func remedy(err error) string {
	if _, plain := errors.AsType[tls.RecordHeaderError](err); plain {
		return "the server does not speak TLS on this port: check host and port (443 mostly)"
	}
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return ""
	}
	if known := cmp.Or(e.Remedy, e.hint); known != "" {
		return known
	}
	switch e.Code {
	case "ErrorPasswordExpired", "ErrorPasswordChangeRequired":
		return "the user has to change the password first"
	case "ErrorAccountDisabled":
		return "the account is disabled; its administrator has to enable it"
	case "ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorImpersonationFailed":
		return "who signs in may not impersonate this mailbox: an administrator has to grant the role ApplicationImpersonation for it, or, to an application, full_access_as_app"
	case "ErrorNonExistentMailbox", "ErrorNonPrimarySmtpAddress":
		return "check the mailbox's address; it has to be the primary one"
	case "ErrorAccessDenied":
		return "who signs in has no right to do that; its owner or an administrator has to grant it"
	case "ErrorQuotaExceeded":
		return "remove messages, or have an administrator grant more room"
	}
	return cmp.Or(itemRemedy(e.Code), sendingRemedy(e.Code))
}

// itemRemedy says what to do about an item that is more than a message.
func itemRemedy(code string) string {
	switch code {
	case "ErrorObjectTypeChanged":
		return "Exchange makes an item of another kind of these bytes, as of an invitation, and does not store it as a message: " +
			"leave its part text/calendar out, or send it to the mailbox"
	case "ErrorSentMeetingRequestUpdate":
		return "an invitation that was sent cannot be changed, its flags neither: change the appointment in the calendar"
	case "ErrorSentTaskRequestUpdate":
		return "a task that was sent to somebody cannot be changed, its flags neither: change the task itself"
	}
	return ""
}

// sendingRemedy says what to do about a message that was not sent.
func sendingRemedy(code string) string {
	switch code {
	case "ErrorSendAsDenied":
		return "who signs in may not send as the address in From: an administrator has to grant Send As for it, or Send on Behalf"
	case "ErrorSubmissionQuotaExceeded":
		return "the mailbox has sent as much as it may for now; send the rest later"
	case "ErrorMessageSizeExceeded":
		return "the message is larger than the mailbox or the organization allows (MaxSendSize): send less, or have an administrator allow more"
	case "ErrorExceededMaxRecipientLimit", "ErrorExceededMaxRecipientLimitBlock", "ErrorExceededMaxRecipientLimitShowTierUpgrade":
		return "the message has more recipients than the mailbox may write to at a time, or in a day: write to fewer, or to a group"
	case "ErrorInvalidRecipients", "ErrorMissingRecipients":
		return "check the recipients: Exchange cannot take one of them for an address"
	case "ErrorContentConversionFailed", "ErrorMimeContentConversionFailed", "ErrorMimeContentInvalid":
		return "Exchange cannot make a message of these bytes: check its parts and their encodings"
	}
	return ""
}

// ofAnswer returns what to do about an answer that is not SOAP.
func (e *Error) ofAnswer(c *Client, cn *conn, h http.Header) string {
	location := h.Get("Location")
	switch {
	case e.Status == http.StatusForbidden:
		return e.ofForbidden(c)
	case e.oversized():
		return e.ofSize()
	case e.Status == http.StatusNotFound:
		return "there is no EWS at this path: check host and Options.Path"
	case e.Status == http.StatusMethodNotAllowed:
		return "what is at this path takes no requests of EWS: check host and Options.Path"
	case e.Status == http.StatusProxyAuthRequired:
		return "a proxy on the way wants to be signed in to: give its address, User and Password as Server.Proxy"
	case e.Status == loginTimeout, e.Status/100 == 3 && signsIn(location):
		return fmt.Sprintf("it sends to %q: %s", cn.said(location), preAuthentication)
	case e.Status/100 == 3:
		return fmt.Sprintf("it sends to %q, where no credentials are sent unasked: where that is the right place, set it as the server", cn.said(location))
	case cn.mechanism == Custom && (e.Status == http.StatusBadRequest || e.Status == http.StatusRequestHeaderFieldsTooLarge):
		return "a Kerberos ticket of a user in many groups is too large for some servers: see MaxFieldLength and MaxRequestBytes there"
	case e.Status/100 == 2 && strings.Contains(h.Get("Content-Type"), "html"):
		return "this is a page for people and not EWS: check host and Options.Path; where they are right, something on the way answers in its place, or " + preAuthentication
	case e.Status/100 == 2:
		return "this is not EWS: check host and Options.Path, and whether something on the way answers in its place"
	}
	return ""
}

// ofSize returns what to do about a request that is too large, "" about any other.
func (e *Error) ofSize() string {
	if !e.oversized() {
		return ""
	}
	return fmt.Sprintf("a request of %d bytes is larger than the web server, or a machine before it, allows; "+
		"its administrator sets that limit (maxAllowedContentLength, maxReceivedMessageSize)", e.size)
}

// loginTimeout is the status by which the web pages of Exchange want to be signed in to.
const loginTimeout = 440

// preAuthentication is what keeps programs from signing in where people can.
const preAuthentication = "a page to sign in (Outlook on the web, AD FS, or the pre-authentication of a reverse proxy) stands before EWS, " +
	"where no program gets past it: have the administrator publish the path of EWS without pre-authentication, so that EWS itself asks to sign in"

// signsIn reports whether an address is that of a page to sign in.
func signsIn(location string) bool {
	location = strings.ToLower(location)
	return slices.ContainsFunc([]string{
		"/owa", "/adfs/", "logon", "login", "signin", "cookieauth.dll", "my.policy", "samlrequest=", "/vpn/",
	}, func(part string) bool { return strings.Contains(location, part) })
}

// ofForbidden returns what to do about a 403.
func (e *Error) ofForbidden(c *Client) string {
	switch {
	case strings.Contains(e.Diagnostics, "scope"):
		return "the access token lacks the permission for EWS: EWS.AccessAsUser.All, or full_access_as_app for a program"
	case c.online():
		return switchedOff
	case c.server.Security == session.None:
		return "the server may want https: leave Server.Security at its zero value; " + forbiddenRemedy
	}
	return forbiddenRemedy
}

const forbiddenRemedy = "EWS is switched off for the mailbox or the program, a firewall stands before it, or the web server wants a client certificate (Server.TLS): " +
	"ask an administrator to look at EwsEnabled, EwsApplicationAccessPolicy and the settings of the path in IIS"

// oneLine makes a server's words fit to stand in an error.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(repaired([]byte(s))), " ")
	const most = 500
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
