package ews

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/secret"
)

// maxNoted is how many of the credentials that were sent last are looked for in what a
// server says.
const maxNoted = 8

// note takes note of what signs in a request, in whatever way: a server may repeat it.
func (c *conn) note(authorization string) {
	_, credentials, _ := strings.Cut(authorization, " ")
	if credentials == "" || slices.Contains(c.sent, credentials) {
		return
	}
	c.sent = append(c.sent, credentials)
	c.sent = c.sent[max(0, len(c.sent)-maxNoted):]
}

// mask takes out of words what signs in, and the cookies.
func (c *conn) mask(words string) string {
	if words == "" {
		return ""
	}
	return masked(words, slices.Concat(c.secrets, c.sent, c.cookies.secrets()))
}

// said makes a server's words fit to stand in an error.
func (c *conn) said(words string) string { return oneLine(c.mask(words)) }

// each is said for several words.
func (c *conn) each(words []string) []string {
	for i := range words {
		words[i] = c.said(words[i])
	}
	return words
}

// code makes a code of a server fit to stand in an error. One that means something is
// in the schema, and nobody's secret.
func (c *conn) code(code string) string {
	if code == "" || code == "NoError" || classOf(code) != other {
		return code
	}
	return c.said(code)
}

// censored takes the secrets out of what is told of an answer that cannot be
// understood.
func (c *conn) censored(err error) error {
	if e, ok := errors.AsType[*syntaxError](err); ok {
		e.what = c.mask(e.what)
	}
	if e, ok := errors.AsType[*itemFaultError](err); ok {
		e.what = c.mask(e.what)
	}
	return err
}

// minHalf is how much of a secret is looked for at the end of words that were cut.
const minHalf = 4

// masked takes secrets out of words, also one that is cut off at their end. A long one
// goes before those that are part of it.
func masked(words string, secrets []string) string {
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	words = backend.Secrets(secrets).Mask(words)
	cut, end := strings.CutSuffix(words, "…")
	if !end {
		return words
	}
	for _, s := range secrets {
		for n := len(s) - 1; n >= minHalf; n-- {
			if rest, found := strings.CutSuffix(cut, s[:n]); found {
				return rest + secret.Redacted + "…"
			}
		}
	}
	return words
}
