// Package secret holds values that must not be shown: passwords, access
// tokens, refresh tokens and client secrets.
//
//	creds := session.Credentials{User: "ann@example.com", Password: secret.New(os.Getenv("PASSWORD"))}
//	fmt.Printf("%+v\n", creds) // shows no password
//
// A [Text] prints as "[redacted]" through fmt with every verb, through
// log/slog, encoding/json and encoding.TextMarshaler, wherever it is nested.
// [Text.Reveal] is the one way to its content, so that a search for that word
// finds every place where a secret leaves its wrapping.
//
// The type guards against accidents. It is not a vault: the content stays in
// the memory of the process as an ordinary string.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

// Redacted is what a Text that holds something prints as.
const Redacted = "[redacted]"

// Text is a secret string. The zero value holds nothing and prints as the
// empty string. A Text may be copied; copies share the content.
type Text struct {
	// The pointer keeps the content out of %+v even where fmt cannot call
	// methods because the Text sits in an unexported field.
	v *string
}

// New returns a Text that holds s. New("") is the zero value.
func New(s string) Text {
	if s == "" {
		return Text{}
	}
	return Text{v: &s}
}

// Reveal returns the content.
func (t Text) Reveal() string {
	if t.v == nil {
		return ""
	}
	return *t.v
}

// IsZero reports whether t holds nothing.
func (t Text) IsZero() bool { return t.v == nil }

// Equal reports whether both hold the same content. It takes the same time
// wherever contents of one length differ.
func (t Text) Equal(u Text) bool {
	return subtle.ConstantTimeCompare([]byte(t.Reveal()), []byte(u.Reveal())) == 1
}

// String returns "[redacted]", or "" where t holds nothing.
func (t Text) String() string {
	if t.IsZero() {
		return ""
	}
	return Redacted
}

// Format implements [fmt.Formatter], so that no verb and no flag shows the
// content.
func (t Text) Format(s fmt.State, _ rune) {
	// A fmt.State has nowhere to report a failed write to.
	_, _ = io.WriteString(s, t.String())
}

// LogValue implements [slog.LogValuer].
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }

// MarshalText implements [encoding.TextMarshaler]; encoding/json uses it too.
// There is no UnmarshalText on purpose: a marshalled secret is gone.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }
