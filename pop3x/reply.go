package pop3x

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
)

// maxText is how many bytes of a server's words an error shows.
const maxText = 1024

// errSyntax is wrapped by what is wrong with a line that is not POP3.
var errSyntax = errors.New("the answer is not POP3")

// status is how the first line of an answer begins.
type status int

const (
	failed    status = iota // -ERR
	ok                      // +OK
	continued               // "+ ", which asks for more of a sign-in
)

// reply is the first line of an answer (RFC 1939 section 3).
type reply struct {
	status status
	code   string // the response code in upper case, such as "IN-USE" (RFC 2449 section 8)
	text   string // what is behind status and code, as it came
}

// parseReply reads the first line of an answer. Letters' case does not count,
// as some servers have it.
func parseReply(line []byte) (reply, error) {
	word, rest, _ := bytes.Cut(line, []byte(" "))
	switch {
	case bytes.EqualFold(word, []byte("+OK")):
		return withCode(ok, rest), nil
	case bytes.EqualFold(word, []byte("-ERR")):
		return withCode(failed, rest), nil
	case string(word) == "+":
		return reply{status: continued, text: string(rest)}, nil
	}
	return reply{}, fmt.Errorf("%w: %q", errSyntax, clean(string(line)))
}

// withCode takes the response code off the text, where there is one.
func withCode(s status, text []byte) reply {
	r := reply{status: s, text: string(bytes.TrimLeft(text, " "))}
	inner, behind, closed := strings.Cut(strings.TrimPrefix(r.text, "["), "]")
	if !closed || !strings.HasPrefix(r.text, "[") || inner == "" {
		return r
	}
	for _, c := range []byte(inner) {
		if c <= ' ' || c >= 0x7f {
			return r
		}
	}
	r.code, r.text = strings.ToUpper(inner), strings.TrimLeft(behind, " ")
	return r
}

// clean makes a server's words fit to be shown.
func clean(s string) string { return backend.Words(s, maxText) }
