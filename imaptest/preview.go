package imaptest

import (
	"html"
	"regexp"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
)

// preview is the capability and the item of RFC 8970.
const preview = "PREVIEW"

// maxPreview is how many characters a preview has at most (RFC 8970 section 3.1).
const maxPreview = 256

// previewKey names a message whose preview was made.
type previewKey struct {
	validity uint32
	uid      mailtest.UID
}

// previewItem reads the modifier of PREVIEW. With LAZY there is only what was made
// before.
func (p *parser) previewItem() (item, error) {
	it := item{name: preview, needs: preview, put: func(w *encoder, l *loaded) { w.nilText(l.preview(false)) }}
	if !strings.HasPrefix(string(p.b[p.i:]), " (") {
		return it, nil
	}
	p.i++
	err := p.list(func() error {
		word, err := p.atom()
		if err == nil && !strings.EqualFold(word, "LAZY") {
			err = syntaxError("unknown modifier of PREVIEW " + word)
		}
		return err
	})
	it.put = func(w *encoder, l *loaded) { w.nilText(l.preview(true)) }
	return it, err
}

// preview returns the beginning of the message's text, "" where it has none.
func (l *loaded) preview(lazy bool) string {
	s, key := l.session.server, previewKey{l.UIDValidity, l.UID}
	s.mu.Lock()
	made := s.previews[key]
	s.previews[key] = made || !lazy
	s.mu.Unlock()
	if lazy && !made {
		return ""
	}
	text, _ := l.entity().beginning()
	runes := []rune(strings.Join(strings.Fields(text), " "))
	return string(runes[:min(len(runes), maxPreview)])
}

// beginning returns the first plain text that is not attached, or else the text
// of the first HTML.
func (e *entity) beginning() (text string, plain bool) {
	for _, p := range e.parts {
		inner, isPlain := p.beginning()
		if isPlain {
			return inner, true
		}
		if text == "" {
			text = inner
		}
	}
	if len(e.parts) > 0 || parseMedia(e.get("Content-Disposition")).value == "ATTACHMENT" {
		return text, false
	}
	switch e.kind.value {
	case "TEXT/PLAIN":
		return e.decoded(), true
	case "TEXT/HTML":
		unseen := regexp.MustCompile(`(?is)<(style|script|title)\b.*?</(style|script|title)>|<[^>]*>`)
		return html.UnescapeString(unseen.ReplaceAllString(e.decoded(), " ")), false
	}
	return "", false
}
