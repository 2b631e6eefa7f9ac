package smtpx

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

type replyLines struct{ *bytes.Buffer }

func (r replyLines) ReadLine() ([]byte, error) {
	line, err := r.ReadBytes('\n')
	return bytes.TrimRight(line, "\r\n"), err
}

func refusalOf(t *testing.T, op, answer string) *Error {
	t.Helper()
	r, err := readReply(replyLines{bytes.NewBufferString(answer + "\r\n")}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return (&conn{server: "mail.example.com:587"}).refusal(op, r)
}

// Refusals as servers word them, and what helps.
func TestRemedies(t *testing.T) {
	for _, tt := range []struct{ op, answer, want string }{
		{opMail, "530 5.7.57 Client not authenticated to send mail. [AM0.PROD.OUTLOOK.COM]", `"Authenticated SMTP"`},
		{opMail, "530 5.7.0 Must issue a STARTTLS command first. - gsmtp", "STARTTLS"},
		{opMail, "530-5.7.0 Authentication Required. For more information, go to\r\n530 5.7.0  https://support.google.com/ - gsmtp", "give credentials"},
		{opData, "550 5.7.60 SMTP; Client does not have permissions to send as this sender", `"Send As"`},
		{opMessage, "554 5.2.252 SendAsDenied; ann@example.com not allowed to send as bob@example.com; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied", `"Send As"`},
		{opMessage, "554 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; Failed to process message", `"Send As"`},
		{opMail, "550 5.1.8 Access denied, bad outbound sender. For more information please go to aka.ms/AccessDenied", "Restricted entities"},
		{opRcpt, "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP.", "reputation"},
		{opMail, "421 4.7.66 TLS 1.0 and 1.1 are not supported. Please upgrade/update your client to support TLS 1.2.", "TLS 1.2"},
		{opMessage, "432 4.3.2 Concurrent connections limit exceeded; STOREDRV.ClientSubmit; sender thread limit exceeded", "MaxConnections"},
		{opMessage, "421 4.4.2 Message submission rate for this client has exceeded the configured limit", "Options.Rate"},
		{opMessage, "554 5.2.2 mailbox full; STOREDRV.ClientSubmit; submission quota exceeded", "a day"},
		{opData, "550-5.4.5 Daily user sending limit exceeded. For more information on Gmail\r\n550 5.4.5 sending limits go to https://support.google.com/a/answer/166852 - gsmtp", "a day"},
		{opMessage, "421-4.7.28 Gmail has detected an unusual rate of mail originating from your IP\r\n421 4.7.28 address - gsmtp", "Options.Rate"},
		{opGreeting, "421 4.7.0 Try again later, closing connection. - gsmtp", "left alone"},
		{opMessage, "550-5.7.26 This mail has been blocked because the sender is unauthenticated.\r\n550 5.7.26 - gsmtp", "SPF"},
		{opMessage, "552-5.7.0 This message was blocked because its content presents a potential\r\n552 5.7.0 security issue. - gsmtp", "attachment"},
		{opMessage, "552 5.3.4 Message size exceeds fixed maximum message size", "link"},
		{opRcpt, "452 4.5.3 Too many recipients", "Retry.Recipients"},
		{opRcpt, "550 5.1.1 The email account that you tried to reach does not exist.", ""},
		{opMessage, "451 4.3.0 Mail server temporarily rejected message", ""},
	} {
		e := refusalOf(t, tt.op, tt.answer)
		if tt.want == "" && e.Remedy != "" || !strings.Contains(e.Remedy, tt.want) {
			t.Errorf("%s: the remedy is %q, want one with %q", tt.answer, e.Remedy, tt.want)
		}
	}
	for _, tt := range []struct{ answer, want string }{
		{"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox. Visit https://aka.ms/smtp_auth_disabled", `"Authenticated SMTP"`},
		{"535-5.7.8 Username and Password not accepted. For more information, go to\r\n535 5.7.8  https://support.google.com/mail/?p=BadCredentials - gsmtp", "app password"},
		{"534-5.7.14 <https://accounts.google.com/signin/continue> Please log in via your web browser\r\n534 5.7.14 - gsmtp", "web browser"},
		{"534-5.7.9 Application-specific password required.\r\n534 5.7.9 - gsmtp", "app password"},
	} {
		if got := signInRemedy(refusalOf(t, opAuth, tt.answer)); !strings.Contains(got, tt.want) {
			t.Errorf("%s: the remedy is %q, want one with %q", tt.answer, got, tt.want)
		}
	}
}

// What servers say of when to come back.
func TestRetryAfter(t *testing.T) {
	for _, tt := range []struct {
		answer    string
		want      time.Duration
		throttled bool
	}{
		{"450 4.2.0 <bob@example.com>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.com.html", 5 * time.Minute, false},
		{"451 4.7.1 Greylisting in action, please come back in 00:04:30", 4*time.Minute + 30*time.Second, false},
		{"451 4.7.1 Graylisted - please try again in 120 seconds", 2 * time.Minute, false},
		{"450 4.7.1 greylisted, try again after 10 minutes.", 10 * time.Minute, false},
		{"421 4.7.28 slow down", time.Minute, true},
		{"451 4.7.500 Server busy. Please try again later from [192.0.2.1].", time.Minute, true},
		{"421 4.7.0 [THROTTLED] retry after 90s", 90 * time.Second, true},
		{"432 4.3.2 Concurrent connections limit exceeded", time.Minute, true},
		{"421 4.4.2 Message submission rate for this client has exceeded the configured limit", time.Minute, true},
		{"450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents delivery", time.Minute, true},
		{"421 4.4.2 idle timeout, closing", 0, false},
		{"421 4.7.0 The access token has expired", 0, false},
		{"452 4.5.3 Too many recipients", 0, false},
		{"450 4.3.2 wait at least 3 hours", 3 * time.Hour, false},
		{"450 4.3.2 try again in 999999999 hours", 24 * time.Hour, false},
		{"450 4.3.2 try again in the morning", 0, false},
		{"450 4.3.2 try again in 5", 0, false},
		{"550 5.7.1 greylisted for ever, try again in 5 minutes", 0, false},
	} {
		e := refusalOf(t, opMail, tt.answer)
		if got := e.RetryAfter(); got != tt.want || e.throttled() != tt.throttled {
			t.Errorf("%s: RetryAfter = %v, throttled %t, want %v, %t", tt.answer, got, e.throttled(), tt.want, tt.throttled)
		}
	}
}

// Whatever a server writes, the pause is not negative and not longer than a day.
func FuzzStatedPause(f *testing.F) {
	for _, s := range []string{"try again in 5 minutes", "come back in 00:05:00", "retry after 99999999999s", "wait ", "wait 1:2:3"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := &Error{Code: 450, Text: s}
		if d := e.RetryAfter(); d < 0 || d > longestPause {
			t.Errorf("%q: RetryAfter = %v", s, d)
		}
	})
}

// TestRecipientsBeyondTheLimitAreNoPause: a server that takes so many recipients at a
// time does not find that too much is sent.
func TestRecipientsBeyondTheLimitAreNoPause(t *testing.T) {
	t.Parallel()
	e := refusalOf(t, opRcpt, "452 4.5.3 Recipient limit exceeded")
	if pause := e.RetryAfter(); pause != 0 || e.throttled() || !e.Temporary() {
		t.Errorf("pause %v, throttled %t, temporary %t; want none, false, true", pause, e.throttled(), e.Temporary())
	}
}
