package pop3test

import (
	"strconv"
	"strings"
)

// Limits on what a client says, in bytes without the line end.
const (
	maxCommand = 255 - len("\r\n")   // RFC 2449, section 4
	maxAnswer  = 12288 - len("\r\n") // a response within AUTH (RFC 5034, section 4)
)

// parseCommand takes the keyword, in upper case, from what follows one space
// behind it. There is none where the line is no command: keywords have three or
// four letters or digits, nothing but a space stands behind them, and no
// control character anywhere (RFC 1939, section 3).
func parseCommand(line string) (keyword, args string, ok bool) {
	keyword, args, parted := strings.Cut(line, " ")
	if len(keyword) < 3 || len(keyword) > 4 || parted && args == "" {
		return "", "", false
	}
	for i := range len(keyword) {
		if c := keyword[i] | 0x20; (c < 'a' || c > 'z') && (keyword[i] < '0' || keyword[i] > '9') {
			return "", "", false
		}
	}
	if strings.ContainsFunc(args, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return "", "", false
	}
	return strings.ToUpper(keyword), args, true
}

// parseNumber reads a decimal number without a sign, of at most nine digits.
func parseNumber(s string) (int, bool) {
	if len(s) > 9 || strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' }) {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
