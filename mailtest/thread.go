package mailtest

import (
	"net/mail"
	"strings"
)

// threadOf returns the thread of a message that comes to the account: that of a
// message which it names in In-Reply-To or References or which names it, else a
// new one with the given number. A thread never changes its number, so that two
// which turn out to be one stay two (RFC 8474, section 5.2).
func (a *Account) threadOf(raw string, number uint64) uint64 {
	names := messageIDs(raw)
	for _, name := range names {
		if known := a.threads[name]; known != 0 {
			number = known
			break
		}
	}
	for _, name := range names {
		if a.threads[name] == 0 {
			a.threads[name] = number
		}
	}
	return number
}

// messageIDs returns the message's own Message-ID and those that it names.
func messageIDs(raw string) []string {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	m, err := mail.ReadMessage(strings.NewReader(head + "\r\n\r\n"))
	if err != nil {
		return nil
	}
	var names []string
	for _, field := range []string{"Message-Id", "In-Reply-To", "References"} {
		for word := range strings.FieldsSeq(m.Header.Get(field)) {
			if strings.HasPrefix(word, "<") && strings.HasSuffix(word, ">") {
				names = append(names, word)
			}
		}
	}
	return names
}
