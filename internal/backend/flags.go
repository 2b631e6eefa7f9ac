package backend

import (
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// IsAtom reports whether f can be a flag of IMAP: an atom, which may have a
// backslash in front (RFC 9051 section 9).
func IsAtom(f session.Flag) bool {
	word := strings.TrimPrefix(string(f), `\`)
	return word != "" && !strings.ContainsFunc(word, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`(){%*"\]`, r)
	})
}

// CheckKeywords returns what check says of the keywords that a filter asks for, of
// those in the filters within it too.
func CheckKeywords(f session.Filter, check func(session.Flag) error) error {
	if f.Keyword != "" {
		if err := check(f.Keyword); err != nil {
			return err
		}
	}
	within := slices.Concat(f.All, f.AnyOf)
	if f.Not != nil {
		within = append(within, *f.Not)
	}
	for _, g := range within {
		if err := CheckKeywords(g, check); err != nil {
			return err
		}
	}
	return nil
}
