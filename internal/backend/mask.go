package backend

import (
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"unicode"

	"github.com/mailsession/mailsession/internal/sasl"
	"github.com/mailsession/mailsession/secret"
)

// maxWords bounds what one field of a report repeats of a server's words.
const maxWords = 1000

// oneLine makes words fit to stand in a report.
func oneLine(s string) string { return Words(s, maxWords) }

// Words makes a server's words fit to be shown: on one line, without control
// characters, in valid UTF-8, of at most so many bytes and a sign that there were more.
func Words(s string, most int) string {
	s = s[:min(len(s), 4*most)] // the rest is not worth looking at
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.TrimSpace(s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}

// shown is an error whose words were made fit to be shown.
type shown struct {
	error

	text string
}

// Error returns the words that may be shown.
func (e *shown) Error() string { return e.text }

// Unwrap returns the error itself.
func (e *shown) Unwrap() error { return e.error }

// mask takes the secrets out of all that is reported: a server may repeat what
// it was sent, in whatever form.
func (s *Stages) mask() {
	m := s.masker()
	fit := func(text string) string { return oneLine(m.Replace(text)) }
	for i := range s.report.Stages {
		r := &s.report.Stages[i]
		for j := range r.Details {
			r.Details[j].Value = fit(r.Details[j].Value)
		}
		for j := range r.Warnings {
			r.Warnings[j] = fit(r.Warnings[j])
		}
		r.Remedy = fit(r.Remedy)
		if r.Err == nil {
			continue
		}
		if text := fit(r.Err.Error()); text != r.Err.Error() {
			r.Err = &shown{error: r.Err, text: text}
		}
	}
}

// minSecret is how long a secret is that is looked for. A shorter one would be
// found in words that have nothing to do with it, and give itself away by that.
const minSecret = 4

// Secrets are what a client sends to sign in, in the forms in which it goes over
// the line.
type Secrets []string

// Mask takes the secrets out of a server's words, which may repeat them. It has to
// see the words before they are cut: the rest of a secret that is cut off would not
// be found.
func (s Secrets) Mask(words string) string {
	for _, secretText := range s {
		if len(secretText) >= minSecret {
			words = strings.ReplaceAll(words, secretText, secret.Redacted)
		}
	}
	return words
}

// masker finds the credentials in the forms in which they went over the line:
// every password and every token, also one that was refused and replaced.
func (s *Stages) masker() *strings.Replacer {
	user, authUser, password := s.checked.Credentials.User, s.checked.Credentials.AuthUser, s.checked.Credentials.Password
	host, number, _ := net.SplitHostPort(s.checked.Address)
	port, _ := strconv.Atoi(number)
	mechanisms := []sasl.Mechanism{sasl.NewPLAIN(user, authUser, password)}
	for _, token := range s.shared { // or a password
		mechanisms = append(mechanisms, sasl.NewPLAIN(user, authUser, token), sasl.NewXOAUTH2(user, token), sasl.NewOAUTHBEARER(user, token, host, port))
	}
	var forms []string
	for _, m := range mechanisms {
		if _, initial, err := m.Start(); err == nil {
			forms = append(forms, string(sasl.EncodeInitial(initial)))
		}
	}
	for _, t := range append([]secret.Text{password}, s.shared...) {
		plain := t.Reveal()
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(plain)
		forms = append(forms, base64.StdEncoding.EncodeToString([]byte(plain)), quoted, plain)
	}
	var pairs []string
	for _, f := range forms {
		if len(f) >= minSecret {
			pairs = append(pairs, f, secret.Redacted)
		}
	}
	return strings.NewReplacer(pairs...)
}
