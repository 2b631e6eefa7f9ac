package oauth

import (
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/mailsession/mailsession/secret"
)

// maxDescription is how much of a server's words is kept, in runes.
const maxDescription = 400

// tokenLike matches what may be a token or a piece of one. A UUID, as in the
// trace ids that support staff ask for, is shorter.
var tokenLike = regexp.MustCompile(`[A-Za-z0-9_~+=-]{40,}`)

// clean makes text that came from outside fit for an error message: on one
// line, of limited length, and without the given secrets or anything that
// looks like a token.
func clean(text string, secrets ...secret.Text) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		// Neither control characters, nor those that turn the direction of text.
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	text = strings.Join(strings.Fields(text), " ")
	for _, s := range secrets {
		if s.IsZero() {
			continue
		}
		text = strings.ReplaceAll(text, s.Reveal(), secret.Redacted)
		text = strings.ReplaceAll(text, url.QueryEscape(s.Reveal()), secret.Redacted)
	}
	text = tokenLike.ReplaceAllLiteralString(text, secret.Redacted)
	if runes := []rune(text); len(runes) > maxDescription {
		text = string(runes[:maxDescription]) + "…"
	}
	return text
}

// cleanCode makes an error code fit for a message. RFC 6749 allows printable
// ASCII; everything that a server really uses is shorter than 64 bytes.
func cleanCode(code string, secrets ...secret.Text) string {
	if len(code) > 64 {
		return "unreadable"
	}
	return clean(code, secrets...)
}

// cleanPage returns the address of a page, "" where it is not one of https
// that is fit to be shown.
func cleanPage(address string, secrets ...secret.Text) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || clean(address, secrets...) != address {
		return ""
	}
	return address
}
