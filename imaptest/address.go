package imaptest

import (
	"cmp"
	"strings"
)

// address is one entry of an address list of ENVELOPE (RFC 3501, section
// 7.4.2). The start of a group has a mailbox and no host, its end neither.
type address struct {
	name, route, mailbox, host string
}

// What stands for the missing halves of an address, since leaving the host
// empty would make it the start of a group.
const (
	noMailbox = "MISSING_MAILBOX"
	noHost    = "MISSING_DOMAIN"
)

// parseAddresses reads the addresses of a field (RFC 5322, section 3.4). It
// keeps encoded words.
func parseAddresses(value string) []address {
	t := &tokens{s: value}
	var all []address
	inGroup := false
	for t.i < len(t.s) {
		phrase, stop, comment := t.phrase()
		switch {
		case stop == ':' && !strings.Contains(phrase, "@"):
			inGroup = true
			all = append(all, address{mailbox: phrase})
			continue
		case stop == ':': // an address with something behind it
			all = append(all, bareAddress(phrase, ""))
			t.until(",")
			t.accept(',')
			continue
		case stop == '<':
			a := splitAddress(t.until(">"))
			t.accept('>')
			a.name = phrase
			all = append(all, a)
			_, stop, _ = t.phrase()
		default:
			if phrase != "" {
				all = append(all, bareAddress(phrase, comment))
			}
		}
		if stop == ';' && inGroup {
			inGroup = false
			all = append(all, address{})
		}
	}
	if inGroup {
		all = append(all, address{})
	}
	return all
}

// phrase reads words up to one of ":", "<", "," and ";", which it consumes and
// returns, or up to the end.
func (t *tokens) phrase() (text string, stop byte, comment string) {
	var words strings.Builder
	for {
		at := t.i
		if c := t.skipSpace(); c != "" {
			comment = c
		}
		spaced := t.i > at
		if t.i == len(t.s) {
			return words.String(), 0, comment
		}
		c := t.s[t.i]
		if strings.IndexByte(":<,;", c) >= 0 {
			t.i++
			return words.String(), c, comment
		}
		if spaced && words.Len() > 0 {
			words.WriteByte(' ')
		}
		if c == '"' {
			words.WriteString(t.quoted())
		} else {
			words.WriteByte(c)
			t.i++
		}
	}
}

// bareAddress reads an address that is not in angle brackets. Several words
// without an "@" are a name, and what stands behind an address is dropped.
func bareAddress(phrase, comment string) address {
	at := strings.IndexByte(phrase, '@')
	switch {
	case at < 0 && strings.Contains(phrase, " "):
		return address{name: phrase, mailbox: noMailbox, host: noHost}
	case at >= 0:
		behind, _, _ := strings.Cut(phrase[at:], " ")
		phrase = phrase[:at] + behind
	}
	a := splitAddress(phrase)
	a.name = comment
	return a
}

// splitAddress parts mailbox and host at the last "@".
func splitAddress(spec string) address {
	a := address{host: noHost}
	if route, rest, found := strings.Cut(spec, ":"); found && strings.HasPrefix(route, "@") {
		a.route, spec = route, rest
	}
	a.mailbox = strings.TrimSpace(spec)
	if i := strings.LastIndexByte(a.mailbox, '@'); i >= 0 {
		a.mailbox, a.host = a.mailbox[:i], cmp.Or(a.mailbox[i+1:], noHost)
	}
	a.mailbox = cmp.Or(a.mailbox, noMailbox)
	return a
}
