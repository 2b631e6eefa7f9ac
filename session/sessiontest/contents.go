package sessiontest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// contentRules are about what a summary tells of what is in a message.
func contentRules() []incomingRule {
	return []incomingRule{
		{"the structure tells the parts, which can be opened", structures},
		{"a preview is the beginning of the text", previews},
	}
}

// contents are messages, and the previews of them.
func contents() []struct{ raw, preview string } {
	return []struct{ raw, preview string }{
		{"\nGood morning,\n\nthe  sun is up.\n", "Good morning, the sun is up."},
		{"Content-Type: text/html; charset=iso-8859-1\n\n<html><head><style>p { color: red }</style></head><p>Gr\xfc\xdfe</p></html>\n", "Grüße"},
		{"Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nU2Now7ZuZSBHcsO8w59lCg==\n", "Schöne Grüße"},
		{
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=b\n\n" +
				"--b\nContent-Type: text/plain; charset=utf-8\n\nas text\n--b\nContent-Type: text/html\n\n<b>as HTML</b>\n--b--\n" +
				"--a\nContent-Type: application/pdf; name*=utf-8''%E2%82%AC.pdf\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERi0x\nLjQ=\n" +
				"--a\nContent-Type: image/png; name=\"=?utf-8?q?gr=C3=BCn=2Epng?=\"\nContent-ID: <p1@x>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\niVBORw==\n--a--\n", "as text",
		},
		{
			"Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/html\n\n<p>see below\n--a\nContent-Type: message/rfc822\n\n" +
				"Subject: inner\nContent-Type: multipart/mixed; boundary=c\n\n--c\nContent-Type: text/plain\n\nwithin\n--c\nContent-Type: text/csv; name=t.csv\n\n1,2\n--c--\n\n" +
				"--a\nContent-Type: message/rfc822\n\nSubject: another\nContent-Type: text/plain\nContent-Transfer-Encoding: base64\n\nd2l0aGlu\n--a--\n", "see below",
		},
		{"Content-Type: image/png\nContent-Transfer-Encoding: base64\n\niVBORw==\n", ""},
		{"\n" + strings.Repeat("0123456789 ", 500) + "\n", strings.TrimSpace(strings.Repeat("0123456789 ", 18))},
	}
}

func (r *reading) seedContents() (raws []string) {
	r.Helper()
	for i, c := range contents() {
		raw := mailtest.CRLF(fmt.Sprintf("From: ann@example.com\nSubject: Sample %d\nMessage-ID: <sample-%d@example.org>\nMIME-Version: 1.0\n%s", i+1, i+1, c.raw))
		r.put(inbox, Stored{Raw: raw, Received: arrival(i + 1)})
		raws = append(raws, raw)
	}
	return raws
}

// described writes what a structure says that servers do not say in several
// ways.
func described(s message.Structure) string {
	var b strings.Builder
	for _, p := range s {
		fmt.Fprintf(&b, "%q %s %s %d %q %s %q\n", p.Number, p.ContentType, p.Encoding, p.Size, p.Name, p.Disposition, p.ContentID)
	}
	for _, a := range s.Attachments() {
		fmt.Fprintf(&b, "attached: %s %t\n", a.Number, a.Inline)
	}
	return b.String()
}

func structures(ctx context.Context, r *reading) {
	raws := r.seedContents()
	s := r.session(session.ReadOnly)
	var messages []*session.Message
	for m, err := range s.Messages(ctx, session.Query{OldestFirst: true, Fields: session.FieldHeader | session.FieldStructure}) {
		if err != nil {
			r.Fatalf("Messages: %v", err)
		}
		messages = append(messages, m)
	}
	if len(messages) != len(raws) {
		r.Fatalf("Messages = %s, want %d", numbers(messages), len(raws))
	}
	for i, m := range messages {
		want, err := message.ReadStructure(strings.NewReader(raws[i]))
		if err != nil {
			r.Fatal(err)
		}
		if described(m.Structure) != described(want) || m.Incomplete != nil {
			r.Errorf("the structure of message %d (%v) is\n%swant\n%s", i+1, m.Incomplete, described(m.Structure), described(want))
			continue
		}
		r.wantParts(ctx, s, m, message.Walk(strings.NewReader(raws[i]), nil))
	}
}

// wantParts opens every part by itself and compares it with what the message has.
func (r *reading) wantParts(ctx context.Context, s *session.Session, m *session.Message, parts iter.Seq2[*message.Part, error]) {
	r.Helper()
	for p, err := range parts {
		if err != nil {
			r.Fatal(err)
		}
		if p.Multipart {
			continue
		}
		want, err := io.ReadAll(p)
		if err != nil {
			r.Fatal(err)
		}
		r.wantPart(ctx, s, m.ID, p, want)
		if p.ContentType == "message/rfc822" {
			r.wantParts(ctx, s, m, numbered(p.Number, message.Walk(bytes.NewReader(want), nil)))
		}
	}
}

// numbered has the parts of a message that is a part itself, with the numbers
// that they have in the message around it.
func numbered(outer string, parts iter.Seq2[*message.Part, error]) iter.Seq2[*message.Part, error] {
	return func(yield func(*message.Part, error) bool) {
		for p, err := range parts {
			if err == nil {
				p.Number = strings.TrimSuffix(outer+"."+p.Number, ".")
			}
			if !yield(p, err) {
				return
			}
		}
	}
}

func (r *reading) wantPart(ctx context.Context, s *session.Session, id session.ID, p *message.Part, want []byte) {
	r.Helper()
	part, err := s.OpenPart(ctx, id, p.Number)
	if err != nil {
		r.Errorf("OpenPart(%v, %q): %v", id, p.Number, err)
		return
	}
	got, err := io.ReadAll(part)
	drop(r, part)
	if err != nil || !bytes.Equal(got, want) || part.ContentType != p.ContentType || part.Name != p.Name {
		r.Errorf("OpenPart(%v, %q) = %s %q with %q, %v; want %s %q with %q", id, p.Number, part.ContentType, part.Name, got, err, p.ContentType, p.Name, want)
	}
}

func previews(ctx context.Context, r *reading) {
	r.seedContents()
	messages := r.list(ctx, session.Query{OldestFirst: true, Fields: session.FieldPreview})
	for i, c := range contents() {
		if i >= len(messages) {
			r.Fatalf("%d messages, want %d", len(messages), len(contents()))
		}
		m := messages[i]
		// Where a long text is cut is the server's business.
		long := len(c.preview) > message.PreviewLength/2 && strings.HasPrefix(m.Preview, c.preview) && utf8.RuneCountInString(m.Preview) <= message.PreviewLength
		if m.Preview != c.preview && !long || m.Incomplete != nil {
			r.Errorf("the preview of message %d is %q, %v; want %q", i+1, m.Preview, m.Incomplete, c.preview)
		}
	}
}
