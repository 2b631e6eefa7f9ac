package smtpx

import "strings"

// queueID finds the server's name of a message in its last answer. Each server
// words that in its own way; what is not known gives "".
func queueID(text string) string {
	lower := strings.ToLower(text)
	for _, marker := range []string{
		"queued as ",  // Postfix, and most that imitate it
		"internalid=", // Exchange
		"queued mail as ",
		" id=", // Exim
		" qp ", // qmail
	} {
		if i := strings.Index(lower, marker); i >= 0 {
			return identifier(text[i+len(marker):])
		}
	}
	switch fields := strings.Fields(text); {
	case len(fields) < 2:
		return ""
	case strings.HasSuffix(lower, "message accepted for delivery"): // Sendmail, OpenSMTPD
		return identifier(fields[0])
	case strings.EqualFold(fields[0], "ok") && strings.HasSuffix(lower, "gsmtp"): // Google
		return google(fields[1:])
	case strings.EqualFold(fields[0], "ok") && len(fields) == 2: // Amazon
		if id := identifier(fields[1]); len(id) >= 16 {
			return id
		}
	}
	return ""
}

// google reads "OK 1700000000 abc-20020a05 - gsmtp". Google's answers to other
// commands have no time in them: "OK abc-20020a05 - gsmtp".
func google(fields []string) string {
	if len(fields) < 4 {
		return ""
	}
	return identifier(fields[1])
}

// identifier returns what s begins with, up to a space or punctuation that
// does not belong to it.
func identifier(s string) string {
	if i := strings.IndexAny(s, " ,;)]>"); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimRight(s, ".")
	if len(s) > 128 {
		return ""
	}
	return s
}
