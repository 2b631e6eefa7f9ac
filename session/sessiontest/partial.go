package sessiontest

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// partRules are about parts and ranges of messages.
func partRules() []incomingRule {
	return []incomingRule{
		{"a part has the bytes that reading the whole message gives", eachMessagePart},
		{"a part that is not there is ErrNoPart", noPart},
		{"a range has the bytes of the message from there on", ranges},
		{"a part or a range ends in io.EOF only if it is whole", cutParts},
	}
}

// nested is a message with parts of every encoding, one in the other.
func nested() string {
	return mailtest.CRLF("From: bob@example.org\nMessage-ID: <sample-1@example.org>\nMIME-Version: 1.0\n" +
		"Content-Type: multipart/mixed; boundary=out\n\npreamble\n--out\nContent-Type: multipart/alternative; boundary=in\n\n" +
		"--in\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\nund mehr\n" +
		"--in\nContent-Type: text/html; charset=utf-8\n\n<p>Text</p>\n--in--\n" +
		"--out\nContent-Type: application/octet-stream; name=\"a.bin\"\nContent-Disposition: attachment; filename=a.bin\n" +
		"Content-Transfer-Encoding: base64\n\n" + strings.Repeat("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n", 2000) +
		"--out\nContent-Type: text/csv\nContent-Disposition: attachment; filename=b.csv\n\n1,2\n3,4\n--out--\n")
}

// single is a message that is one part.
func single() string {
	return mailtest.CRLF("From: bob@example.org\nMessage-ID: <sample-2@example.org>\nMIME-Version: 1.0\n" +
		"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n")
}

// leaf is a part as reading the whole message gives it.
type leaf struct{ number, contentType, name, content string }

func (r *reading) leaves(raw string) []leaf {
	r.Helper()
	var all []leaf
	for p, err := range message.Walk(strings.NewReader(raw), nil) {
		if err != nil {
			r.Fatal(err)
		}
		if p.Multipart {
			continue
		}
		content, err := io.ReadAll(p)
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, leaf{p.Number, p.ContentType, p.Name, string(content)})
	}
	return all
}

func eachMessagePart(ctx context.Context, r *reading) {
	s := r.session(session.ReadWrite)
	texts := []string{nested(), single(), sample(3)}
	for _, raw := range texts {
		r.put(inbox, Stored{Raw: raw})
	}
	for i, m := range r.oldest(ctx) {
		for _, want := range r.leaves(texts[i]) {
			p, err := s.OpenPart(ctx, m.ID, want.number)
			if err != nil {
				r.Errorf("OpenPart(%s) of message %d: %v", want.number, i+1, err)
				continue
			}
			content, err := io.ReadAll(p)
			got := leaf{p.Number, p.ContentType, p.Name, string(content)}
			closeIt(r, p)
			if at := difference(content, []byte(want.content)); err != nil || at >= 0 {
				r.Errorf("part %s of message %d: %d bytes, %v; want %d; they differ from byte %d on", want.number, i+1, len(content), err, len(want.content), at)
			}
			if got.content = want.content; got != want {
				r.Errorf("part %s of message %d is the part %q, %s, %q; want %s, %q", want.number, i+1, got.number, got.contentType, got.name, want.contentType, want.name)
			}
		}
	}
	if n := r.line.open(); n > 2 {
		r.Errorf("%d connections are open after parts that were closed, want one of each backend at most", n)
	}
	if got := r.snapshot(); strings.Contains(got, string(session.Seen)) {
		r.Errorf("reading parts changed flags: %s", got)
	}
}

func noPart(ctx context.Context, r *reading) {
	s := r.session(session.ReadWrite)
	r.put(inbox, Stored{Raw: nested()})
	id := r.first(ctx, session.Query{}).ID
	for _, number := range []string{"4", "2.7.1", "1.3", "99"} {
		p, err := s.OpenPart(ctx, id, number)
		if p != nil {
			closeIt(r, p)
		}
		if !errors.Is(err, session.ErrNoPart) {
			r.Errorf("OpenPart(%s): error %v, want ErrNoPart", number, err)
		}
	}
	for _, number := range []string{"", "0", "1.", "TEXT", "1]", "1\r\n", "-1"} {
		if p, err := s.OpenPart(ctx, id, number); err == nil {
			closeIt(r, p)
			r.Errorf("OpenPart(%q) gives a part, want an error", number)
		}
	}
	p, err := s.OpenPart(ctx, id, "3")
	if err != nil {
		r.Fatalf("afterwards, OpenPart(3): %v", err)
	}
	closeIt(r, p)
	if err := r.Mailbox.Remove(inbox, 1); err != nil {
		r.Fatal(err)
	}
	if p, err := s.OpenPart(ctx, id, "3"); !errors.Is(err, session.ErrNoMessage) {
		r.Errorf("OpenPart of a message that is gone = %v, %v; want ErrNoMessage", p, err)
	}
}

func ranges(ctx context.Context, r *reading) {
	s := r.session(session.ReadWrite)
	raw := big(50_000)
	r.put(inbox, Stored{Raw: raw})
	id := r.first(ctx, session.Query{}).ID
	size := int64(len(raw))
	for _, span := range []struct{ offset, limit int64 }{
		{0, 0}, {0, 1}, {0, size}, {0, size + 100}, {1, 10}, {100, 20_000}, {size - 10, 0}, {size - 10, 100}, {size - 1, 1}, {size, 0}, {size, 10}, {size + 1000, 10}, {4096, 4096},
	} {
		want := raw[min(span.offset, size):]
		if span.limit > 0 {
			want = want[:min(span.limit, int64(len(want)))]
		}
		body, err := s.OpenRange(ctx, id, span.offset, span.limit)
		if err != nil {
			r.Errorf("OpenRange(%d, %d) of %d bytes: %v", span.offset, span.limit, size, err)
			continue
		}
		got, err := io.ReadAll(body)
		closeIt(r, body)
		if err != nil || string(got) != want {
			r.Errorf("OpenRange(%d, %d) of %d bytes = %d bytes, %v; want %d; they differ from byte %d on",
				span.offset, span.limit, size, len(got), err, len(want), difference(got, []byte(want)))
		}
	}
	for _, span := range [][2]int64{{-1, 0}, {0, -1}} {
		if body, err := s.OpenRange(ctx, id, span[0], span[1]); err == nil {
			closeIt(r, body)
			r.Errorf("OpenRange(%d, %d) gives a body, want an error", span[0], span[1])
		}
	}
	if err := r.Mailbox.Remove(inbox, 1); err != nil {
		r.Fatal(err)
	}
	if body, err := s.OpenRange(ctx, id, 0, 10); !errors.Is(err, session.ErrNoMessage) {
		r.Errorf("OpenRange of a message that is gone = %v, %v; want ErrNoMessage", body, err)
	}
}

func cutParts(ctx context.Context, r *reading) {
	s := r.session(session.ReadWrite)
	raw := nested()
	r.put(inbox, Stored{Raw: raw})
	id := r.first(ctx, session.Query{}).ID
	for name, call := range map[string]struct {
		want string
		open func() (io.ReadCloser, error)
	}{
		"part":  {r.leaves(raw)[2].content, func() (io.ReadCloser, error) { return s.OpenPart(ctx, id, "2") }},
		"range": {raw[100:50_100], func() (io.ReadCloser, error) { return s.OpenRange(ctx, id, 100, 50_000) }},
	} {
		whole := func() (string, error) {
			body, err := call.open()
			if err != nil {
				return "", err
			}
			got, err := io.ReadAll(body)
			return string(got), errors.Join(err, body.Close())
		}
		if got, err := whole(); err != nil || got != call.want {
			r.Fatalf("a %s = %d bytes, %v; want %d", name, len(got), err, len(call.want))
		}
		r.line.arm(nil)
		if _, err := whole(); err != nil {
			r.Fatalf("a %s: %v", name, err)
		}
		_, total, _, _ := r.line.counts()
		for _, f := range places(receiving, total, cuts) {
			r.line.arm(&f)
			switch got, err := whole(); {
			case err == nil && got != call.want:
				r.Errorf("cut after %d of %d bytes: a %s of %d bytes, want %d, ends in io.EOF", f.after, total, name, len(got), len(call.want))
			case err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !session.Temporary(err):
				r.Errorf("cut after %d of %d bytes: error %v about a %s, want io.ErrUnexpectedEOF", f.after, total, err, name)
			}
			r.line.arm(nil)
			if got, err := whole(); err != nil || got != call.want {
				r.Errorf("after the line was cut, a %s = %d bytes, %v; want %d", name, len(got), err, len(call.want))
			}
		}
	}
}
