package message_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"io/fs"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/mailsession/mailsession/message"
)

// addMessages seeds f with the messages in testdata.
func addMessages(f *testing.F) {
	f.Helper()
	dir := os.DirFS("testdata")
	files, err := fs.Glob(dir, "*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := fs.ReadFile(dir, file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
}

// FuzzParseHeader finds that a header read again from its own bytes is the
// same.
func FuzzParseHeader(f *testing.F) {
	addMessages(f)
	f.Add([]byte("A: 1;\nb\n--\n"))
	f.Add([]byte("\xef\xbb\xbfFrom x\r\nA: \xff\r\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		h := message.ParseHeader(in)
		checkHeader(t, h)
		if !bytes.HasPrefix(in, h.Raw()) {
			t.Fatalf("Raw() = %q is not what %q begins with", h.Raw(), in)
		}
		again := message.ParseHeader(h.Raw())
		if !slices.Equal(fieldsOf(h), fieldsOf(again)) {
			t.Errorf("fields are %q, read again %q", fieldsOf(h), fieldsOf(again))
		}
	})
}

func fieldsOf(h message.Header) []string {
	var all []string
	for name, value := range h.Fields() {
		all = append(all, name+":"+value)
	}
	return all
}

// FuzzParse finds that every message is read, with all its bytes, unless it
// passes a limit.
func FuzzParse(f *testing.F) {
	addMessages(f)
	f.Add([]byte(nested(17)))
	f.Add([]byte(manyParts(3)))
	f.Add([]byte("Content-Type: multipart/x; boundary=0\nContent-Disposition: x\nContent-Transfer-Encoding: base64\n\n0"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=\"b \"\n\n--b \n\n--b --"))
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := message.Parse(bytes.NewReader(in), nil)
		if err != nil {
			t.Fatalf("Parse() = %v", err)
		}
		if !bytes.Equal(m.Raw(), in) {
			t.Error("Raw() is not what was read")
		}
		checkMessage(t, m)
		checkDerived(t, m)
	})
}

// checkDerived finds that any message can be answered and forwarded.
func checkDerived(t *testing.T, m *message.Message) {
	t.Helper()
	me := addr("", "me@example.com")
	for _, asAttachment := range []bool{false, true} {
		d, err := message.Forward(m, message.ForwardOptions{From: me, AsAttachment: asAttachment})
		if err != nil {
			t.Fatalf("Forward() = %v", err)
		}
		write(t, d)
	}
	for _, page := range []string{"", "<p>Yes."} {
		d, err := message.Reply(m, message.ReplyOptions{From: me, All: true, HTML: page, Quote: true, Files: true})
		if err != nil {
			if !errors.Is(err, message.ErrNoReplyAddress) {
				t.Errorf("Reply() = %v", err)
			}
			return
		}
		// An address of the message may be one that cannot be written to.
		var field *message.FieldError
		if _, err := d.Source(); err != nil && (!errors.As(err, &field) || field.Field != "To" && field.Field != "Cc") {
			t.Errorf("Source() of the answer = %v", err)
		}
		d.To, d.Cc = nil, nil
		write(t, d)
	}
}

// FuzzAddresses finds that what net/mail reads is the same here, and that what
// was read stays the same when it is written and read again.
func FuzzAddresses(f *testing.F) {
	for _, s := range []string{
		"a@b", "A B <a@b>, c@d", `"x \" y" <a@b>`, "g: a@b, <c@d>;", "a@b (c (d) e)", "<@x,@y:a@b>", "=?utf-8?q?=C3=A9?= <a@b>",
		`"a b"@c`, "Doe, J <a@b>", "\"(<,;:", "a@[1.2.3.4]", "é@ü", "x <a @ b . c>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if strings.ContainsAny(in, "\r\n") {
			return
		}
		h := message.ParseHeader([]byte("To: " + in + "\r\n\r\n"))
		checkHeader(t, h)
		got := h.To()
		if want, err := mail.ParseAddressList(h.Get("To")); err == nil && plain(in) {
			all := make([]mail.Address, 0, len(want))
			for _, a := range want {
				all = append(all, *a)
			}
			if got, want := specs(got), specs(all); got != want {
				t.Errorf("To() = %q for %q, want %q", got, in, want)
			}
		}
		for _, a := range got {
			if _, err := mail.ParseAddress(a.String()); err != nil {
				continue // not an address that can be written
			}
			again := message.ParseHeader([]byte("To: " + a.String() + "\r\n\r\n")).To()
			if len(again) != 1 || again[0].Address != a.Address {
				t.Errorf("%v from %q, written as %q, is read as %v", a, in, a.String(), again)
			}
		}
	})
}

// plain reports whether net/mail takes in for what it means: encoded
// words, control characters, white space and comments inside of an address are
// read differently here.
func plain(in string) bool {
	return !strings.Contains(in, "=?") && strings.IndexFunc(in, func(r rune) bool { return r < ' ' || r == 0x7f || r >= 0x80 }) < 0 &&
		!strings.ContainsAny(in, `\()`)
}

func specs(list []mail.Address) string {
	var b strings.Builder
	for _, a := range list {
		b.WriteString(a.Address + "\n")
	}
	return b.String()
}

// FuzzDate finds that what net/mail reads is the same instant here.
func FuzzDate(f *testing.F) {
	for _, s := range []string{
		"Fri, 21 Nov 1997 09:55:06 -0600", "21 Nov 97 09:55:06 GMT", "Fri Nov 21 09:55:06 1997", "1997-11-21T09:55:06Z",
		"02-Oct-97 9:55 PM (x)", "1 Jan 0000 1.1.1 GMT+01:00",
	} {
		f.Add(s)
	}
	noZone := regexp.MustCompile(`[+-]\d\d[6-9]\d`) // net/mail counts such minutes
	f.Fuzz(func(t *testing.T, in string) {
		if strings.ContainsAny(in, "\r\n") || noZone.MatchString(in) {
			return
		}
		h := message.ParseHeader([]byte("Date: " + in + "\r\n\r\n"))
		checkHeader(t, h)
		want, err := mail.ParseDate(h.Get("Date"))
		if err != nil || want.Year() < 1900 || want.Year() > 9998 {
			return
		}
		if name, offset := want.Zone(); name != "" || offset/3600 > 23 || offset/3600 < -23 || offset%3600 != 0 {
			return
		}
		if got, ok := h.Date(); !ok || !got.Equal(want) {
			t.Errorf("Date() = %v, %v for %q, want %v", got, ok, in, want)
		}
	})
}

// FuzzDraft finds that what is written as encoded words is read as it was.
func FuzzDraft(f *testing.F) {
	f.Add("Grüße", "Jürgen", "text\nof lines", "a@example.com", "x")
	f.Add("=?utf-8?q?x?=", "Doe, John", "\x00", "two words@x", "é")
	f.Add(" a  b ", "\"", ".", "a@b@c", "x\r\ny")
	f.Add(strings.Repeat("long ", 300), strings.Repeat("é", 300), strings.Repeat("x", 1000), "é@é", strings.Repeat("x", 990))
	f.Fuzz(func(t *testing.T, subject, name, text, address, extra string) {
		d := &message.Draft{
			From:       addr(name, "from@example.com"),
			To:         []mail.Address{addr(name, address), addr("", "b@example.com")},
			Bcc:        []mail.Address{addr("", "hidden@example.com")},
			Subject:    subject,
			Text:       text,
			MessageID:  "id@example.com",
			Date:       time.Unix(1e9, 0).UTC(),
			References: []string{"a@b"},
			Extra:      []message.Field{{Name: "X-Extra", Value: extra}},
		}
		if _, err := d.Source(); err != nil {
			if _, ok := errors.AsType[*message.FieldError](err); !ok {
				t.Errorf("Source() = %v, want a FieldError", err)
			}
			return
		}
		same(t, d)
		h := message.ParseHeader([]byte(write(t, d)))
		if want := 10; h.Len() != want && strings.Trim(extra, " \t") != "" && subject != "" {
			t.Errorf("%d fields, want %d", h.Len(), want)
		}
	})
}

// FuzzWalk finds that parts are the same however the stream is cut into reads,
// and that each part's text is UTF-8 with line feeds.
func FuzzWalk(f *testing.F) {
	addMessages(f)
	f.Add([]byte(nested(3)))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\r\n--b\r\n\r\n-\r\n-\r\n--b-"))
	f.Fuzz(func(t *testing.T, in []byte) {
		opts := &message.WalkOptions{MaxHeaderBytes: 200, MaxNesting: 3}
		want := walked(bytes.NewReader(in), opts)
		if got := walked(iotest.OneByteReader(bytes.NewReader(in)), opts); !slices.Equal(got, want) {
			t.Errorf("byte by byte a walk gives\n%s\nat once\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		for p, err := range message.Walk(bytes.NewReader(in), nil) {
			if err != nil {
				break
			}
			text, err := io.ReadAll(p.Text())
			if !utf8.Valid(text) || bytes.Contains(text, []byte("\r\n")) || err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("Text() of part %s reads %q, %v, want UTF-8 with line feeds", p.Number, text, err)
			}
		}
	})
}

// FuzzTransfer finds that what Go's own encoders write is decoded to what went
// in, and that what they would not write decodes to no more than came.
func FuzzTransfer(f *testing.F) {
	for _, s := range []string{"", "a = b \r\n c\t\r\n", "=3D", "=\r\n", "= \n=4", "QUJD\r\nQQ==QUI", "\x00\xff"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		var printable bytes.Buffer
		w := quotedprintable.NewWriter(&printable)
		w.Binary = true
		if _, err := w.Write(in); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for encoding, encoded := range map[string]string{
			"quoted-printable": printable.String(),
			"base64":           base64.StdEncoding.EncodeToString(in),
		} {
			if got := content(t, encoding, encoded); !bytes.Equal(got, in) {
				t.Errorf("%q in %s is decoded as %q, want %q", encoded, encoding, got, in)
			}
			if got := content(t, encoding, string(in)); len(got) > len(in) {
				t.Errorf("%d bytes in %s become %d", len(in), encoding, len(got))
			}
		}
	})
}

// content decodes the body of a message of one attachment.
func content(t *testing.T, encoding, body string) []byte {
	t.Helper()
	m := parse(t, "Content-Type: image/png\r\nContent-Transfer-Encoding: "+encoding+"\r\n\r\n"+body)
	checkWalk(t, m)
	return m.Attachments[0].Content
}
