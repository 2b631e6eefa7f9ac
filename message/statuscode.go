package message

import (
	"fmt"
	"strings"
)

// A StatusCode is what became of a message at a server, in three numbers: the
// enhanced mail system status code of RFC 3463, as in "5.1.1". The zero value is
// none.
type StatusCode struct {
	// Class is 2 for success, 4 for a trouble that may pass, and 5 for one that
	// will not.
	Class int
	// Subject is what it is about: 1 addresses, 2 mailboxes, 3 the mail system, 4
	// the network, 5 the protocol, 6 the content, 7 policy.
	Subject int
	// Detail is what about it.
	Detail int
}

// ParseStatusCode returns the status code that s begins with, and whether it
// begins with one. What follows, such as a comment, is not looked at.
func ParseStatusCode(s string) (StatusCode, bool) {
	var n [3]int
	s = strings.TrimLeft(s, " \t#")
	for i := range n {
		end := 0
		for end < len(s) && isDigit(s[end]) {
			end++
		}
		var ok bool
		if n[i], ok = number(s[:end]); !ok || end > 3 {
			return StatusCode{}, false
		}
		if s = s[end:]; i < 2 {
			if s == "" || s[0] != '.' {
				return StatusCode{}, false
			}
			s = s[1:]
		}
	}
	if n[0] != 2 && n[0] != 4 && n[0] != 5 || strings.HasPrefix(s, ".") && len(s) > 1 && isDigit(s[1]) {
		return StatusCode{}, false // 5.1.1.1 is an address of the network
	}
	return StatusCode{n[0], n[1], n[2]}, true
}

// findStatusCode returns the first status code in s that stands alone, as in
// "550 5.1.1 unknown" and "unknown (#5.1.1)".
func findStatusCode(s string) StatusCode {
	for i := range len(s) {
		if !isDigit(s[i]) || i > 0 && !strings.ContainsRune(" \t(#-[;:=", rune(s[i-1])) {
			continue
		}
		if c, ok := ParseStatusCode(s[i:]); ok {
			return c
		}
	}
	return StatusCode{}
}

// IsZero reports whether c is none.
func (c StatusCode) IsZero() bool { return c == StatusCode{} }

// Success reports whether the message got where it was to go.
func (c StatusCode) Success() bool { return c.Class == 2 }

// Temporary reports whether the trouble may pass, so that another try makes
// sense.
func (c StatusCode) Temporary() bool { return c.Class == 4 }

// Permanent reports whether the trouble will not pass by itself.
func (c StatusCode) Permanent() bool { return c.Class == 5 }

// String returns the code with points, as "5.1.1", and "" for none.
func (c StatusCode) String() string {
	if c.IsZero() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", c.Class, c.Subject, c.Detail)
}

// Meaning returns what the code means in plain English, as "the mailbox does not
// exist", by RFC 3463 and the registry of IANA. Of a detail that is not known it
// says what the subject is, and of no code "".
func (c StatusCode) Meaning() string {
	switch {
	case c.IsZero():
		return ""
	case c.Success() && (c.Subject == 0 || c.Subject == 1 && c.Detail == 5):
		return "it was delivered"
	}
	if s := detailMeaning(c.Subject, c.Detail); s != "" {
		return s
	}
	return subjectMeaning(c.Subject)
}

// subjectMeaning returns what a code is about.
func subjectMeaning(subject int) string {
	switch subject {
	case 1:
		return "something is wrong with the address"
	case 2:
		return "something is wrong with the mailbox"
	case 3:
		return "something is wrong with the recipient's mail system"
	case 4:
		return "something is wrong with the network or the way there"
	case 5:
		return "the mail systems did not understand each other"
	case 6:
		return "the content cannot be delivered as it is"
	case 7:
		return "the rules of the recipient's mail system forbid it"
	}
	return "no reason was given"
}

// detailMeaning returns what a subject and a detail mean, or "".
func detailMeaning(subject, detail int) string {
	for _, m := range [...]struct {
		subject, detail int
		text            string
	}{
		{1, 1, "the mailbox does not exist"},
		{1, 2, "the domain does not exist or takes no mail"},
		{1, 3, "the address is not well-formed"},
		{1, 4, "the address stands for several mailboxes"},
		{1, 5, "the address is valid"},
		{1, 6, "the mailbox has moved, and nobody knows where to"},
		{1, 7, "the sender's address is not well-formed"},
		{1, 8, "the sender's domain does not exist or takes no mail"},
		{1, 9, "the message was passed on to a mail system that sends no reports"},
		{1, 10, "the address or its domain takes no mail"}, // RFC 7505, and Exchange for unknown recipients
		{2, 1, "the mailbox is disabled"},
		{2, 2, "the mailbox is full"},
		{2, 3, "the message is larger than the mailbox takes"},
		{2, 4, "a mailing list could not be expanded"},
		{3, 1, "the mail system has no space left"},
		{3, 2, "the mail system takes no messages now"},
		{3, 3, "the mail system lacks what the message needs"},
		{3, 4, "the message is larger than the mail system takes"},
		{3, 5, "the mail system is not configured for that"},
		{3, 6, "the requested priority was changed"},
		{4, 1, "the host did not answer"},
		{4, 2, "the connection broke"},
		{4, 3, "a directory, such as the DNS, did not answer"},
		{4, 4, "there is no way to the host"},
		{4, 5, "the mail system has too much to do"},
		{4, 6, "the message went round in a loop"},
		{4, 7, "it took too long"},
		{5, 1, "a command was not understood"},
		{5, 2, "a command was malformed"},
		{5, 3, "there are too many recipients"},
		{5, 4, "a parameter of a command was wrong"},
		{5, 5, "the versions of the protocol differ"},
		{5, 6, "the line of an authentication was too long"},
		{6, 1, "the type of the content is not taken"},
		{6, 2, "the content would have to be converted, which is forbidden"},
		{6, 3, "the content would have to be converted, which is not possible"},
		{6, 4, "the content was converted, and something was lost"},
		{6, 5, "the content could not be converted"},
		{6, 6, "the content is not available any more"},
		{6, 7, "the address has characters that the mail system cannot take"},
		{6, 8, "the answer would have characters that cannot be sent"},
		{6, 9, "the header has characters that the mail system cannot take"},
		{7, 1, "the recipient's mail system does not take it from this sender"},
		{7, 2, "the sender may not write to that mailing list"},
		{7, 3, "a conversion for security would be needed, and is not possible"},
		{7, 4, "the mail system does not offer the security that is asked for"},
		{7, 5, "encryption failed"},
		{7, 6, "the encryption is not supported"},
		{7, 7, "the message was changed on its way"},
		{7, 8, "the user or the password was wrong"},
		{7, 9, "the way of signing in is too weak"},
		{7, 10, "encryption is needed"},
		{7, 11, "that way of signing in needs encryption"},
		{7, 13, "the user's account is disabled"},
		{7, 14, "trust between the mail systems is needed"},
		{7, 15, "the priority is too low for now"},
		{7, 16, "the message is too large for its priority"},
		{7, 17, "the mailbox has changed its owner"},
		{7, 18, "the domain has changed its owner"},
		{7, 19, "the check of the owner could not be made"},
		{7, 20, "no DKIM signature is valid"},
		{7, 21, "no DKIM signature is acceptable"},
		{7, 22, "no DKIM signature is of the author's domain"},
		{7, 23, "SPF does not let the host send for the domain"},
		{7, 24, "SPF could not be checked"},
		{7, 25, "the host's address has no name in the DNS"},
		{7, 26, "several checks of who sends failed"},
		{7, 27, "the sender's domain says that it takes no mail"},
		{7, 28, "too many messages came from there in a short time"},
		{7, 29, "ARC could not be verified"},
		{7, 30, "the recipient's mail system needs TLS on the whole way"},
	} {
		if m.subject == subject && m.detail == detail {
			return m.text
		}
	}
	return ""
}
