package smtptest

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits on what a client may send in one line, in bytes without the line end.
const (
	maxCommand = 2048  // RFC 5321 section 4.5.3.1.4 with room for parameters
	maxAuth    = 12288 // RFC 4954 section 4
	maxPath    = 256   // RFC 5321 section 4.5.3.1.3
)

// parseCommand takes a command line apart. It reports false where the line has
// no verb or a character that no command has.
func parseCommand(line string) (verb, args string, ok bool) {
	verb, args, _ = strings.Cut(line, " ")
	verb = strings.ToUpper(verb)
	if verb == "" || !utf8.ValidString(line) {
		return "", "", false
	}
	for _, r := range line {
		if r < ' ' || r == 0x7f {
			return "", "", false
		}
	}
	for _, r := range verb {
		if r < 'A' || r > 'Z' {
			return "", "", false
		}
	}
	return verb, args, true
}

// parsePath reads the argument of MAIL or RCPT: the keyword with its colon, a
// path in angle brackets without a space before it, and parameters. Source
// routes are refused (RFC 5321 appendix C).
func parsePath(args, keyword string) (address, params string, ok bool) {
	if len(args) < len(keyword) || !strings.EqualFold(args[:len(keyword)], keyword) {
		return "", "", false
	}
	rest, ok := strings.CutPrefix(args[len(keyword):], "<")
	if !ok {
		return "", "", false
	}
	end := pathEnd(rest)
	if end < 0 || end > maxPath {
		return "", "", false
	}
	address, rest = rest[:end], rest[end+1:]
	if rest != "" {
		if params, ok = strings.CutPrefix(rest, " "); !ok {
			return "", "", false
		}
	}
	return address, params, address == "" || validAddress(address)
}

// pathEnd returns where the bracket that closes the path stands, -1 where it
// is missing. A bracket in a quoted local part closes nothing.
func pathEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case !quoted && s[i] == '>':
			return i
		}
	}
	return -1
}

// validAddress reports whether s is a Mailbox of RFC 5321 section 4.1.2, or
// the bare "postmaster". What RFC 6531 adds is taken here and judged later.
func validAddress(s string) bool {
	if strings.EqualFold(s, "postmaster") {
		return true
	}
	at := strings.LastIndexByte(s, '@')
	return at > 0 && validLocal(s[:at]) && validDomain(s[at+1:])
}

func validLocal(s string) bool {
	if inner, ok := strings.CutPrefix(s, `"`); ok {
		return validQuoted(inner)
	}
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.ContainsFunc(atom, func(r rune) bool { return !isAtext(r) }) {
			return false
		}
	}
	return true
}

// validQuoted judges what follows the opening quote.
func validQuoted(s string) bool {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i == len(s)-1
		}
	}
	return false
}

func isAtext(r rune) bool {
	return r >= 0x80 || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' ||
		strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

func validDomain(s string) bool {
	if inner, ok := strings.CutPrefix(s, "["); ok {
		inner, ok = strings.CutSuffix(inner, "]")
		return ok && inner != "" && !strings.ContainsAny(inner, `[]\ <>`)
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return false
		}
		for _, r := range label {
			if r < 0x80 && r != '-' && r != '_' && (!isAtext(r) || strings.ContainsRune("!#$%&'*+/=?^`{|}~", r)) {
				return false
			}
		}
	}
	return true
}

// param is one parameter of MAIL or RCPT.
type param struct {
	name, value string
	hasValue    bool
}

// parseParams reads parameters, parted by one space each.
func parseParams(s string) ([]param, bool) {
	if s == "" {
		return nil, true
	}
	var all []param
	for word := range strings.SplitSeq(s, " ") {
		var p param
		p.name, p.value, p.hasValue = strings.Cut(word, "=")
		p.name = strings.ToUpper(p.name)
		if !validKeyword(p.name) || p.hasValue && p.value == "" || strings.Contains(p.value, "=") {
			return nil, false
		}
		all = append(all, p)
	}
	return all, true
}

// repeated reports whether a parameter of that name is among those before.
func repeated(before []param, name string) bool {
	return slices.ContainsFunc(before, func(p param) bool { return p.name == name })
}

// parseBDAT reads the argument of BDAT (RFC 3030 section 2): the length of the
// chunk, and whether it is the last.
func parseBDAT(args string) (n int, last, ok bool) {
	size, rest, more := strings.Cut(args, " ")
	u, err := strconv.ParseUint(size, 10, 31)
	last = strings.EqualFold(rest, "LAST")
	if err != nil || more && !last {
		return 0, false, false
	}
	return int(u), last, true
}

// validXtext judges xtext (RFC 3461 section 4) of at most 500 bytes: "+" and two
// capital hexadecimal digits stand for what may not stand for itself.
func validXtext(s string) bool {
	if s == "" || len(s) > 500 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] <= ' ' || s[i] > '~' || s[i] == '=':
			return false
		case s[i] == '+':
			if len(s) < i+3 || strings.Trim(s[i+1:i+3], "0123456789ABCDEF") != "" {
				return false
			}
			i += 2
		}
	}
	return true
}

// validNotify judges the value of NOTIFY: NEVER, or a list of the occasions.
func validNotify(s string) bool {
	words := strings.Split(strings.ToUpper(s), ",")
	for i, w := range words {
		switch {
		case w == "NEVER" && len(words) == 1:
		case w != "SUCCESS" && w != "FAILURE" && w != "DELAY", slices.Contains(words[:i], w):
			return false
		}
	}
	return true
}

// validORCPT judges an address with its type (RFC 3461 section 4.2; RFC 6533
// lets utf-8 addresses stand for themselves).
func validORCPT(s string) bool {
	kind, address, ok := strings.Cut(s, ";")
	if !ok || !validKeyword(strings.ToUpper(kind)) {
		return false
	}
	return validXtext(address) || strings.EqualFold(kind, "utf-8") && address != ""
}

// validKeyword judges an esmtp-keyword.
func validKeyword(s string) bool {
	for i := range len(s) {
		letter := s[i] >= 'A' && s[i] <= 'Z' || s[i] >= '0' && s[i] <= '9'
		if !letter && (s[i] != '-' || i == 0) {
			return false
		}
	}
	return s != ""
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}
