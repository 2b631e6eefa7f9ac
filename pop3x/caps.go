package pop3x

import (
	"strconv"
	"strings"
	"time"
)

// capabilities is the answer to CAPA (RFC 2449): keywords in upper case, with
// their arguments. It is nil where the server does not know CAPA.
type capabilities map[string][]string

func (c capabilities) has(keyword string) bool {
	_, has := c[keyword]
	return has
}

// may reports whether a command that was in use before there was CAPA is worth
// a try.
func (c capabilities) may(keyword string) bool { return c == nil || c.has(keyword) }

// add takes one line of the answer. What is not a keyword is passed over: it
// offers nothing.
func (c capabilities) add(line []byte) {
	words := strings.Fields(clean(string(line)))
	if len(words) == 0 {
		return
	}
	keyword := strings.ToUpper(words[0])
	c[keyword] = append(c[keyword], words[1:]...)
}

// loginDelay returns how long the server wants there to be between two
// sign-ins (RFC 2449 section 6.5).
func (c capabilities) loginDelay() time.Duration {
	args := c["LOGIN-DELAY"]
	if len(args) == 0 {
		return 0
	}
	n, err := strconv.ParseUint(args[0], 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// perUser reports whether a capability may differ from user to user, so that
// the server has to be asked again behind the sign-in.
func (c capabilities) perUser() bool {
	for _, keyword := range []string{"LOGIN-DELAY", "EXPIRE"} {
		for _, arg := range c[keyword] {
			if strings.EqualFold(arg, "USER") {
				return true
			}
		}
	}
	return c != nil && (!c.has("UIDL") || !c.has("TOP"))
}
