package profile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/mailsession/mailsession/secret"
)

// String is a text, or a reference to one such as "env:MAIL_HOST".
type String string

// Number is a number in the digits of JSON, or a reference to one. Digits are
// kept as they are written.
type Number string

// MarshalJSON implements [json.Marshaler]: digits are a number, all else is a
// string.
func (n Number) MarshalJSON() ([]byte, error) {
	if isNumber(string(n)) {
		return []byte(n), nil
	}
	return json.Marshal(string(n))
}

// isNumber reports whether s is a number as JSON writes it.
func isNumber(s string) bool {
	return s != "" && (s[0] == '-' || '0' <= s[0] && s[0] <= '9') && json.Valid([]byte(s))
}

// Flag is "true" or "false", or a reference to one of them.
type Flag string

// The values of a Flag.
const (
	Yes Flag = "true"
	No  Flag = "false"
)

// MarshalJSON implements [json.Marshaler]: Yes and No are JSON's own words, all
// else is a string.
func (f Flag) MarshalJSON() ([]byte, error) {
	if f == Yes || f == No {
		return []byte(f), nil
	}
	return json.Marshal(string(f))
}

// Duration is a time such as "1m30s", as [time.ParseDuration] reads it, or a
// reference to one.
type Duration string

// List is a list of texts, each of which may be a reference to one or several.
// In a file, and in what a reference gives, it may also be one string with
// spaces, commas or "~" between them.
type List []String

// split divides what stands between spaces, commas and "~".
func split(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool {
		return r == ' ' || r == ',' || r == '~' || r == '\t' || r == '\r' || r == '\n'
	})
}

// Params are parameters by their names. A value may be a reference.
type Params map[string]String

// Secrets are secrets by the names that they are sent under.
type Secrets map[string]Secret

// Secret is a reference to a secret, or the secret itself; see [Ref] and
// [Literal]. It prints without it.
type Secret struct {
	reference string
	literal   secret.Text
}

// Ref returns a reference to a secret, such as "systemd:mail-token".
func Ref(reference string) Secret { return Secret{reference: reference} }

// Literal returns a Secret that is in the parameters themselves. Programs have
// to allow it ([Options.AllowLiteralSecrets]), and it is never written: a file
// with literal secrets is exported with [ExportOptions.Seal], or not at all.
func Literal(value secret.Text) Secret { return Secret{literal: value} }

// IsZero reports whether there is neither a reference nor a secret.
func (s Secret) IsZero() bool { return s.reference == "" && s.literal.IsZero() }

// Reference returns the reference, "" for a literal secret.
func (s Secret) Reference() string { return s.reference }

// String returns the reference, or "[redacted]".
func (s Secret) String() string {
	if s.reference != "" {
		return shown(s.reference)
	}
	return s.literal.String()
}

// shown returns a reference as it may be printed. What is sealed is for nobody
// to read, and long.
func shown(reference string) string {
	if strings.HasPrefix(reference, SchemeSealed+":") {
		return SchemeSealed + ":…"
	}
	return reference
}

// Format implements [fmt.Formatter]: every verb prints String.
func (s Secret) Format(state fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(state, s.String())
}

// LogValue implements [slog.LogValuer].
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// ErrLiteralSecret says that parameters hold a secret itself, where only a
// reference may be.
var ErrLiteralSecret = errors.New("a literal secret is not written: make it a reference, or export it sealed")

// MarshalJSON implements [json.Marshaler]. It writes a reference, and refuses a
// secret itself with [ErrLiteralSecret].
func (s Secret) MarshalJSON() ([]byte, error) {
	if !s.literal.IsZero() {
		return nil, ErrLiteralSecret
	}
	return plainJSON(s.reference)
}

// plainJSON returns v as JSON in which <, > and & stand for themselves.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Flow is a way of signing in, or a reference to one.
type Flow string

// The flows.
const (
	// FlowPKCE is a person in the browser: oauth.SignIn.
	FlowPKCE Flow = "pkce"
	// FlowDevice is a person with a code on another device: oauth.SignInDevice.
	FlowDevice Flow = "device"
	// FlowClientCredentials is a program in its own name, with a secret.
	FlowClientCredentials Flow = "client-credentials"
	// FlowCertificate is a program in its own name, with a certificate.
	FlowCertificate Flow = "certificate"
	// FlowServiceAccount is Google's for programs, with a key.
	FlowServiceAccount Flow = "service-account"
	// FlowManagedIdentity is Azure's for machines.
	FlowManagedIdentity Flow = "managed-identity"
	// FlowPinned is a refresh token that somebody else looks after.
	FlowPinned Flow = "pinned"
	// FlowExternal is access tokens that somebody else looks after.
	FlowExternal Flow = "external"
	// FlowPassword is a password, also one made for a program.
	FlowPassword Flow = "password"
)

func (Flow) values() []string {
	return words(FlowPKCE, FlowDevice, FlowClientCredentials, FlowCertificate, FlowServiceAccount,
		FlowManagedIdentity, FlowPinned, FlowExternal, FlowPassword)
}

// Protocol is a way in or out, or a reference to one.
type Protocol string

// The protocols. IMAP and POP3 read, SMTP sends, EWS and Graph do both.
const (
	IMAP  Protocol = "IMAP"
	POP3  Protocol = "POP3"
	SMTP  Protocol = "SMTP"
	EWS   Protocol = "EWS"
	Graph Protocol = "Graph"
)

// Security is how the connection to a mail server is encrypted, or a reference
// to that.
type Security string

// The kinds of Security. An empty one is the provider's, or else TLS.
const (
	TLS      Security = "TLS"
	STARTTLS Security = "STARTTLS"
	None     Security = "None"
)

func (Security) values() []string { return words(TLS, STARTTLS, None) }

// Mode is what a session may do, or a reference to that.
type Mode string

// The modes. An empty one is ReadWrite.
const (
	ReadWrite Mode = "read-write"
	ReadOnly  Mode = "read-only"
	SendOnly  Mode = "send-only"
)

func (Mode) values() []string { return words(ReadWrite, ReadOnly, SendOnly) }

// RetryOn is after which failures a request is sent again, or a reference to
// that.
type RetryOn string

// The failures. An empty one is RetryAny.
const (
	RetryNone   RetryOn = "none"
	RetryAny    RetryOn = "any"
	RetryStatus RetryOn = "status"
)

func (RetryOn) values() []string { return words(RetryNone, RetryAny, RetryStatus) }

// AuthStyle is how a client's secret is sent, or a reference to that.
type AuthStyle string

// The styles. An empty one is the provider's, or else InParams.
const (
	InParams AuthStyle = "params"
	InHeader AuthStyle = "header"
)

func (AuthStyle) values() []string { return words(InParams, InHeader) }

// Algorithm is how a certificate signs, or a reference to that.
type Algorithm string

// The algorithms. An empty one is PS256.
const (
	PS256 Algorithm = "PS256"
	RS256 Algorithm = "RS256"
)

func (Algorithm) values() []string { return words(PS256, RS256) }

// TLSVersion is a version of TLS, or a reference to one.
type TLSVersion string

// The versions. An empty one is TLS12.
const (
	TLS12 TLSVersion = "1.2"
	TLS13 TLSVersion = "1.3"
)

func (TLSVersion) values() []string { return words(TLS12, TLS13) }

// SaveSent says whether a copy of what is sent is kept, or is a reference to
// that.
type SaveSent string

// The policies; see [session.SentPolicy]. An empty one is SaveNever.
const (
	SaveNever  SaveSent = "never"
	SaveAlways SaveSent = "always"
	SaveAuto   SaveSent = "auto"
)

func (SaveSent) values() []string { return words(SaveNever, SaveAlways, SaveAuto) }

// words returns values as strings.
func words[S ~string](values ...S) []string {
	list := make([]string, len(values))
	for i, v := range values {
		list[i] = string(v)
	}
	return list
}
