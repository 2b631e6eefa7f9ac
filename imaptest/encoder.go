package imaptest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/fakenet"
)

// maxQuoted is the longest text that is written as a quoted string.
const maxQuoted = 512

// encoder writes the pieces of a response; after an error it does nothing more.
type encoder struct {
	c   *fakenet.Conn
	err error
}

func (w *encoder) raw(s string) {
	if w.err == nil {
		_, w.err = w.c.WriteString(s)
	}
}

func (w *encoder) number(n int) { w.raw(strconv.Itoa(n)) }

// text writes a string: quoted where that is allowed, else as a literal.
func (w *encoder) text(s string) {
	if len(s) > maxQuoted || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		w.literal(s)
		return
	}
	if strings.ContainsAny(s, `\"`) {
		s = strings.ReplaceAll(strings.ReplaceAll(s, `\`, `\\`), `"`, `\"`)
	}
	w.raw(`"` + s + `"`)
}

// nilText writes NIL for the empty string.
func (w *encoder) nilText(s string) {
	if s == "" {
		w.raw("NIL")
		return
	}
	w.text(s)
}

func (w *encoder) literal(s string) {
	w.raw(fmt.Sprintf("{%d}\r\n", w.c.AnnouncedSize(len(s))))
	w.raw(strings.ReplaceAll(s, "\x00", "\x80"))
}

// mailbox writes a folder name, as an atom where it is one.
func (w *encoder) mailbox(name string) {
	name = encodeUTF7(name)
	p := &parser{b: []byte(name)}
	if atom, err := p.span("", isAstring); err == nil && atom == name && !strings.EqualFold(name, "NIL") {
		w.raw(name)
		return
	}
	w.text(name)
}
