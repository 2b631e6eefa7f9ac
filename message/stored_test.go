package message_test

import (
	"bytes"
	"errors"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailsession/mailsession/message"
)

// stream is a Source of unknown size that is read in small pieces and ends in
// err, unless that is nil.
type stream struct {
	text string
	err  error
}

func (s stream) Size() int64 { return -1 }

func (s stream) Open() (io.ReadCloser, error) {
	r := iotest.OneByteReader(strings.NewReader(s.text))
	if s.err != nil {
		r = io.MultiReader(r, iotest.ErrReader(s.err))
	}
	return io.NopCloser(r), nil
}

func bytesOf(t *testing.T, s message.Source) string {
	t.Helper()
	r, err := s.Open()
	if err != nil {
		t.Fatalf("Open() = %v", err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading: %v", err)
	}
	return string(b)
}

// TestStoredDraftIsSubmitted finds that what is sent of a stored draft is what
// the draft itself would have been, to the same recipients.
func TestStoredDraftIsSubmitted(t *testing.T) {
	d := &message.Draft{
		From: addr("Ann Example", "ann@example.com"), Sender: addr("", "secretary@example.com"), Subject: "Grüße aus Köln",
		To: []mail.Address{addr("Bob, the builder", "bob@example.org")}, Cc: []mail.Address{addr("", "carol@example.net")},
		Bcc: []mail.Address{addr("Hidden", "hidden@example.com"), addr("", "two words@example.com")}, Text: "Hello\n.\nBcc: x\n",
	}
	plain, err := d.Source()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := d.StoredSource()
	if err != nil {
		t.Fatal(err)
	}
	text := bytesOf(t, stored)
	if got := message.ParseHeader([]byte(text)).Addresses("Bcc"); !slices.Equal(got, d.Bcc) {
		t.Errorf("Bcc of the stored draft is %v, want %v", got, d.Bcc)
	}
	if got, want := stored.Size(), int64(len(text)); got != want {
		t.Errorf("Size() = %d, want %d", got, want)
	}
	for _, source := range []message.Source{stored, stream{text: text}} {
		sub, err := message.Submit(source)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, want := bytesOf(t, sub.Source), bytesOf(t, plain); got != want {
				t.Errorf("what is sent is\n%s\nwant\n%s", got, want)
			}
		}
		if got, want := sub.Source.Size(), plain.Size(); source.Size() >= 0 && got != want || source.Size() < 0 && got != -1 {
			t.Errorf("Size() = %d, want %d", got, want)
		}
		if sub.From != d.ReturnPath() || !slices.Equal(sub.To, d.Recipients()) {
			t.Errorf("the envelope is of %s to %q, want %s to %q", sub.From, sub.To, d.ReturnPath(), d.Recipients())
		}
	}
	d.Bcc = []mail.Address{addr("", "nowhere")}
	if _, err := d.StoredSource(); err == nil {
		t.Error("StoredSource() of a Bcc that is no address has no error")
	}
}

func TestSubmit(t *testing.T) {
	tests := []struct{ stored, sent, from, to string }{
		{"From: a@x\nBcc: b@x\n\nBcc: body\n", "From: a@x\n\nBcc: body\n", "a@x", "b@x"},
		{"bcc: b@x,\n c@x\nFrom: a@x\nSubject: s\n\n", "From: a@x\nSubject: s\n\n", "a@x", "b@x c@x"},
		{"From: a@x\nTo: b@x\nCc: b@X, c@x\nBCC : b@x", "From: a@x\nTo: b@x\nCc: b@X, c@x\n", "a@x", "b@x c@x"},
		{"From: a@x\nSender: s@x\nTo: b@x\nResent-Bcc: z@x\n\nhi", "From: a@x\nSender: s@x\nTo: b@x\n\nhi", "s@x", "b@x"},
		{"From: a@x\nTo: b@x\nAuto-Submitted: auto-replied\n\n", "From: a@x\nTo: b@x\nAuto-Submitted: auto-replied\n\n", "", "b@x"},
		{"Bcc: one@x\nFrom: a@x\nBcc: two@x\n\n", "From: a@x\n\n", "a@x", "one@x two@x"},
	}
	for _, tt := range tests {
		for _, end := range []string{"\n", "\r\n"} {
			in := strings.ReplaceAll(tt.stored, "\n", end)
			sub, err := message.Submit(message.Bytes([]byte(in)))
			if err != nil {
				t.Errorf("Submit(%q) = %v", in, err)
				continue
			}
			if got, want := bytesOf(t, sub.Source), strings.ReplaceAll(tt.sent, "\n", end); got != want {
				t.Errorf("Submit(%q) sends %q, want %q", in, got, want)
			}
			if got := strings.Join(sub.To, " "); sub.From != tt.from || got != tt.to {
				t.Errorf("Submit(%q) is of %s to %s, want %s to %s", in, sub.From, got, tt.from, tt.to)
			}
		}
	}
}

func TestSubmitRefuses(t *testing.T) {
	broken := errors.New("the line is cut")
	tests := []struct {
		name   string
		source message.Source
		want   func(err error) bool
	}{
		{"nobody sends it", message.Bytes([]byte("To: b@x\n\n")), isField("From")},
		{"nobody gets it", message.Bytes([]byte("From: b@x\n\n")), isField("To")},
		{"nothing", message.Bytes(nil), isField("From")},
		{"a source that breaks", stream{"From: a@x\nTo: ", broken}, func(err error) bool { return errors.Is(err, broken) }},
		{"no file", message.File("testdata/missing.eml"), func(err error) bool { return err != nil }},
		{"an endless header", stream{text: strings.Repeat("X: y\n", 1<<18)}, func(err error) bool { return strings.Contains(err.Error(), "header of more than") }},
	}
	for _, tt := range tests {
		if sub, err := message.Submit(tt.source); sub != nil || err == nil || !tt.want(err) {
			t.Errorf("%s: Submit() = %v, %v", tt.name, sub, err)
		}
	}
}

func isField(name string) func(error) bool {
	return func(err error) bool {
		e, ok := errors.AsType[*message.FieldError](err)
		return ok && e.Field == name
	}
}

// FuzzSubmit finds that nothing of a message is sent in the fields that are for
// nobody's eyes, and all of the rest is.
func FuzzSubmit(f *testing.F) {
	f.Add([]byte("From: a@x\r\nBcc: b@x,\r\n c@x\r\nTo: d@x\r\n\r\nbody"))
	f.Add([]byte("Bcc: x\nFrom: a@x\n--b\nTo: b@x"))
	f.Add([]byte("\xef\xbb\xbfFrom x\nBcc: b@x\nFrom: a@x\n junk\nResent-Bcc: q@x"))
	f.Fuzz(func(t *testing.T, in []byte) {
		sub, err := message.Submit(message.Bytes(in))
		if err != nil {
			return
		}
		out := []byte(bytesOf(t, sub.Source))
		if h := message.ParseHeader(out); h.Has("Bcc") || h.Has("Resent-Bcc") {
			t.Errorf("%q is sent of %q", out, in)
		}
		if int64(len(out)) != sub.Source.Size() {
			t.Errorf("%d bytes are sent, Size() = %d", len(out), sub.Source.Size())
		}
		if h := message.ParseHeader(in); !bytes.HasSuffix(out, in[len(h.Raw()):]) {
			t.Errorf("the body of %q is not what %q ends in", in, out)
		}
	})
}
