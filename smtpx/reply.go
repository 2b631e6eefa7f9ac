package smtpx

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/mailsession/mailsession/internal/backend"
)

// Bounds on what is taken from a server in one answer.
const (
	maxLine       = 8 << 10 // bytes; RFC 5321 section 4.5.3.1.5 allows 512
	maxReplyLines = 512
	maxText       = 1024 // bytes of an answer that an error shows
)

// errSyntax is wrapped by what is wrong with an answer that is not SMTP.
var errSyntax = errors.New("the answer is not SMTP")

// lineReader is what [wire.Conn] reads lines with.
type lineReader interface {
	ReadLine() ([]byte, error)
}

// reply is one answer of the server (RFC 5321 section 4.2).
type reply struct {
	code  int
	lines []string // without the code; at least one
}

// readReply reads one answer. An error that wraps errSyntax is about what the
// server sent, without the secrets that it repeats; every other one is about the
// connection.
func readReply(r lineReader, secrets backend.Secrets) (reply, error) {
	var rep reply
	for range maxReplyLines {
		line, err := r.ReadLine()
		if err != nil {
			return reply{}, err
		}
		code, text, last, ok := parseLine(string(line))
		if !ok {
			return reply{}, fmt.Errorf("%w: %q", errSyntax, clean(secrets.Mask(string(line))))
		}
		if rep.code != 0 && rep.code != code {
			return reply{}, fmt.Errorf("%w: its lines begin with %d and %d", errSyntax, rep.code, code)
		}
		rep.code = code
		rep.lines = append(rep.lines, text)
		if last {
			return rep, nil
		}
	}
	return reply{}, fmt.Errorf("%w: it has more than %d lines", errSyntax, maxReplyLines)
}

// parseLine takes a line of an answer apart, if it is one. "250" alone is taken
// for an empty text, as many servers send it.
func parseLine(line string) (code int, text string, last, ok bool) {
	if len(line) < 3 || line[0] < '2' || line[0] > '5' || !isDigit(line[1]) || !isDigit(line[2]) {
		return 0, "", false, false
	}
	code = int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
	if len(line) == 3 {
		return code, "", true, true
	}
	switch line[3] {
	case ' ':
		return code, line[4:], true, true
	case '-':
		return code, line[4:], false, true
	}
	return 0, "", false, false
}

func isDigit(b byte) bool { return b >= '0' && b <= '9' }

// positive reports whether the command was carried out.
func (r reply) positive() bool { return r.code/100 == 2 }

// verdict reports whether the answer can be one to a whole message: yes or no. That the
// server is there (220), or leaves (221), says neither.
func (r reply) verdict() bool { return r.code/100 != 3 && r.code != 220 && r.code != 221 }

// enhanced returns the enhanced status code (RFC 3463) that the text begins
// with, zero where there is none.
func (r reply) enhanced() smtp.EnhancedCode {
	code, _ := cutEnhanced(r.code, r.lines[0])
	return code
}

// text returns the words of all lines, without enhanced codes and without
// what could play tricks on a terminal or a log.
func (r reply) text() string {
	words := make([]string, len(r.lines))
	for i, line := range r.lines {
		_, words[i] = cutEnhanced(r.code, line)
	}
	return clean(strings.Join(words, " "))
}

// cutEnhanced takes the enhanced code off a line, if there is one and its
// class is the answer's.
func cutEnhanced(code int, line string) (smtp.EnhancedCode, string) {
	first, rest, _ := strings.Cut(line, " ")
	parts := strings.Split(first, ".")
	if len(parts) != 3 {
		return smtp.EnhancedCode{}, line
	}
	var e smtp.EnhancedCode
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || len(p) > 3 {
			return smtp.EnhancedCode{}, line
		}
		e[i] = int(n)
	}
	if e[0] != code/100 {
		return smtp.EnhancedCode{}, line
	}
	return e, strings.TrimLeft(rest, " ")
}

// clean makes a server's words fit to be shown.
func clean(s string) string { return backend.Words(s, maxText) }
