package imaptest

import (
	"cmp"
	"strings"
)

// envelope writes an ENVELOPE (RFC 3501, section 7.4.2). Text stands as in the
// header, encoded words included.
func (w *encoder) envelope(e *entity) {
	from := e.addresses("From")
	sender, replyTo := e.addresses("Sender"), e.addresses("Reply-To")
	if len(sender) == 0 {
		sender = from
	}
	if len(replyTo) == 0 {
		replyTo = from
	}
	w.raw("(")
	w.nilText(e.get("Date"))
	w.raw(" ")
	w.nilText(e.get("Subject"))
	for _, list := range [][]address{
		from, sender, replyTo,
		e.addresses("To"), e.addresses("Cc"), e.addresses("Bcc"),
	} {
		w.raw(" ")
		w.addresses(list)
	}
	w.raw(" ")
	w.nilText(e.get("In-Reply-To"))
	w.raw(" ")
	w.nilText(e.get("Message-ID"))
	w.raw(")")
}

func (w *encoder) addresses(list []address) {
	if len(list) == 0 {
		w.raw("NIL")
		return
	}
	w.raw("(")
	for _, a := range list {
		w.raw("(")
		w.nilText(a.name)
		w.raw(" ")
		w.nilText(a.route)
		w.raw(" ")
		w.nilText(a.mailbox)
		w.raw(" ")
		w.nilText(a.host)
		w.raw(")")
	}
	w.raw(")")
}

// structure writes BODYSTRUCTURE, or BODY where the extension data is left out
// (RFC 3501, section 7.4.2).
func (w *encoder) structure(e *entity, extended bool) {
	w.raw("(")
	if len(e.parts) > 0 {
		_, sub := e.kind.split()
		for _, p := range e.parts {
			w.structure(p, extended)
		}
		w.raw(" ")
		w.text(sub)
		if extended {
			w.raw(" ")
			w.params(e.kind.params)
			w.extension(e)
		}
	} else {
		w.single(e, extended)
		if extended {
			w.raw(" ")
			w.nilText(e.get("Content-MD5"))
			w.extension(e)
		}
	}
	w.raw(")")
}

// single writes the fields of a part that is no multipart.
func (w *encoder) single(e *entity, extended bool) {
	kind, sub := e.kind.split()
	w.text(kind)
	w.raw(" ")
	w.text(sub)
	w.raw(" ")
	w.params(e.kind.params)
	w.raw(" ")
	w.nilText(e.get("Content-ID"))
	w.raw(" ")
	w.nilText(e.get("Content-Description"))
	w.raw(" ")
	w.text(strings.ToUpper(cmp.Or((&tokens{s: e.get("Content-Transfer-Encoding")}).until(";"), "7BIT")))
	w.raw(" ")
	w.number(len(e.body))
	if e.enclosed != nil {
		w.raw(" ")
		w.envelope(e.enclosed)
		w.raw(" ")
		w.structure(e.enclosed, extended)
	}
	if kind == "TEXT" || e.enclosed != nil {
		w.raw(" ")
		w.number(strings.Count(e.body, "\n"))
	}
}

// extension writes disposition, language and location.
func (w *encoder) extension(e *entity) {
	w.raw(" ")
	if d := parseMedia(e.get("Content-Disposition")); d.value != "" {
		w.raw("(")
		w.text(d.value)
		w.raw(" ")
		w.params(d.params)
		w.raw(")")
	} else {
		w.raw("NIL")
	}
	w.raw(" ")
	w.languages(e.get("Content-Language"))
	w.raw(" ")
	w.nilText(e.get("Content-Location"))
}

func (w *encoder) languages(value string) {
	if value == "" {
		w.raw("NIL")
		return
	}
	w.raw("(")
	for i, language := range strings.Split(value, ",") {
		if i > 0 {
			w.raw(" ")
		}
		w.text(strings.TrimSpace(language))
	}
	w.raw(")")
}

func (w *encoder) params(list []param) {
	if len(list) == 0 {
		w.raw("NIL")
		return
	}
	w.raw("(")
	for i, p := range list {
		if i > 0 {
			w.raw(" ")
		}
		w.text(strings.ToUpper(p.name))
		w.raw(" ")
		w.text(p.value)
	}
	w.raw(")")
}
