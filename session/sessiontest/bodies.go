package sessiontest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

func sample(n int) string { return mailtest.Sample(n) }

// bodyRules are about Open.
func bodyRules() []incomingRule {
	return []incomingRule{
		{"the bytes of a message are exact", exactBytes},
		{"reading sets no flag", readingSetsNoFlag},
		{"a body ends in io.EOF only if it is whole", cutBodies},
		{"a large message is streamed", streamed},
		{"a body that is closed early spoils nothing", closedEarly},
		{"a body may be closed while it is read", closedWhileRead},
	}
}

// nul is the character that some protocols cannot carry.
const nul = "\x00"

// oddMessages are messages that something on the way may be tempted to change.
func oddMessages() map[string]string {
	const head = "From: bob@example.org\r\nSubject: odd\r\nMessage-ID: <sample-1@example.org>\r\n\r\n"
	return map[string]string{
		"dots at the start of lines":     head + ".\r\n..\r\n.line\r\n.\r\n",
		"eight-bit text":                 head + "Gr\xc3\xbc\xc3\x9fe, caf\xe9 \xff\xfe\r\n",
		"no final line break":            head + "the end",
		"nothing but a header":           "From: bob@example.org\r\nMessage-ID: <sample-1@example.org>\r\n\r\n",
		"line ends only at the end":      head + "\r\n\r\n\r\n\r\n",
		"what looks like a protocol":     head + ")\r\na1 OK done\r\n{5}\r\n* BYE\r\n+OK\r\n-ERR\r\n250 ok\r\n",
		"a long line":                    head + strings.Repeat("long ", 5000) + "\r\n",
		"all of the 128 ASCII but three": head + ascii() + "\r\n",
		"a NUL":                          head + "nul " + nul + " within\r\n",
	}
}

// ascii returns all characters of ASCII but NUL, CR and LF.
func ascii() string {
	var b strings.Builder
	for c := byte(1); c < 0x80; c++ {
		if c != '\r' && c != '\n' {
			b.WriteByte(c)
		}
	}
	return b.String()
}

func exactBytes(ctx context.Context, r *reading) {
	odd := oddMessages()
	names := make([]string, 0, len(odd))
	for name, raw := range odd {
		names = append(names, name)
		r.put(inbox, Stored{Raw: raw})
	}
	messages := r.oldest(ctx)
	if len(messages) != len(names) {
		r.Fatalf("%d messages, want %d", len(messages), len(names))
	}
	for i, m := range messages {
		raw, err := read(ctx, r.in, m.ID)
		if at := strings.Index(odd[names[i]], nul); r.NoNUL && at >= 0 && at < len(raw) && raw[at] != 0 {
			raw[at] = 0
		}
		if want := r.sent(odd[names[i]]); err != nil || string(raw) != want {
			at := difference(raw, []byte(want))
			r.Errorf("%s: %d bytes, %v; want %d; they differ from byte %d on: %q, want %q", names[i],
				len(raw), err, len(want), at, excerpt(raw, max(at, 0)), excerpt([]byte(want), max(at, 0)))
		}
	}
}

func readingSetsNoFlag(ctx context.Context, r *reading) {
	r.seed(3)
	before := r.snapshot()
	for _, m := range r.oldest(ctx) {
		r.wantBytes(ctx, m.ID, sample(r.sampleOf(m)))
		body, err := r.in.Open(ctx, m.ID)
		if err != nil {
			r.Fatalf("Open: %v", err)
		}
		drop(r, body)
	}
	r.list(ctx, session.Query{Fields: session.FieldHeader})
	if after := r.snapshot(); after != before {
		r.Errorf("listing and reading changed %s to %s", before, after)
	}
}

// sampleOf returns the number of the sample that a message is.
func (r *reading) sampleOf(m *session.Message) int {
	r.Helper()
	for n := 1; n <= many; n++ {
		if number(m) == sequence(n, n) {
			return n
		}
	}
	r.Fatalf("%q is no sample", m.Header.MessageID())
	return 0
}

// big returns a message of about n bytes.
func big(n int) string {
	return sample(1) + strings.Repeat(strings.Repeat("x", 76)+"\r\n", n/78)
}

func cutBodies(ctx context.Context, r *reading) {
	want := big(100_000)
	r.put(inbox, Stored{Raw: want})
	id := r.first(ctx, session.Query{}).ID
	r.line.arm(nil)
	r.wantBytes(ctx, id, want)
	_, total, _, _ := r.line.counts()
	cutShort := 0
	for _, f := range places(receiving, total, 8) {
		r.line.arm(&f)
		raw, err := read(ctx, r.in, id)
		switch {
		case err == nil && string(raw) == want:
		case err == nil:
			r.Errorf("cut after %d of %d bytes: a body of %d bytes, want %d, ends in io.EOF", f.after, total, len(raw), len(want))
		case !errors.Is(err, io.ErrUnexpectedEOF):
			r.Errorf("cut after %d of %d bytes: error %v, want io.ErrUnexpectedEOF", f.after, total, err)
		case !bytes.HasPrefix([]byte(want), raw):
			r.Errorf("cut after %d of %d bytes: what came is not the beginning of the message", f.after, total)
		default:
			cutShort++
		}
		r.line.arm(nil)
		r.wantBytes(ctx, id, want)
	}
	if cutShort == 0 {
		r.Log("the backend takes up a body where it was cut")
	}
}

// sent returns a message as the protocol carries it.
func (r *reading) sent(raw string) string {
	if r.FinalBreak && !strings.HasSuffix(raw, "\r\n") {
		return raw + "\r\n"
	}
	return raw
}

// largeSize is the size of the suite's large message, and ahead how much of it
// a backend may take off the line before anybody reads it.
const (
	largeSize = 4 << 20
	ahead     = 1 << 20
)

func streamed(ctx context.Context, r *reading) {
	want := big(largeSize)
	r.put(inbox, Stored{Raw: want})
	id := r.first(ctx, session.Query{}).ID
	r.line.arm(nil)
	body, err := r.in.Open(ctx, id)
	if err != nil {
		r.Fatalf("Open: %v", err)
	}
	defer drop(r, body)
	read, buf := 0, make([]byte, 64<<10)
	for {
		n, err := body.Read(buf)
		if read+n > len(want) || string(buf[:n]) != want[read:read+n] {
			r.Fatalf("the body differs within %d bytes from byte %d on", n, read)
		}
		read += n
		onLine := int64(read)
		if r.Base64 {
			onLine += onLine / 3
		}
		if _, received, _, _ := r.line.counts(); received > onLine+ahead {
			r.Fatalf("%d bytes were taken off the line when %d were read; want a stream", received, read)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.Fatalf("Read after %d bytes: %v", read, err)
		}
	}
	if read != len(want) {
		r.Errorf("read %d bytes, want %d", read, len(want))
	}
}

func closedEarly(ctx context.Context, r *reading) {
	r.put(inbox, Stored{Raw: big(ahead)})
	r.put(inbox, Stored{Raw: sample(2)})
	messages := r.oldest(ctx)
	for range 6 {
		body, err := r.in.Open(ctx, messages[0].ID)
		if err != nil {
			r.Fatalf("Open: %v", err)
		}
		if _, err := io.ReadFull(body, make([]byte, 1000)); err != nil {
			r.Errorf("Read: %v", err)
		}
		drop(r, body)
		if n, err := body.Read(make([]byte, 1)); n != 0 || err == nil || errors.Is(err, io.EOF) {
			r.Errorf("Read after Close = %d, %v; want an error that is not io.EOF", n, err)
		}
		r.wantBytes(ctx, messages[1].ID, sample(2))
	}
	if n := r.line.open(); n > 1 {
		r.Errorf("%d connections are open after bodies that were closed early, want one at most", n)
	}
}

// closedWhileRead has one goroutine close a body while another reads it, to whom nothing
// comes any more.
func closedWhileRead(ctx context.Context, r *reading) {
	r.put(inbox, Stored{Raw: big(largeSize)})
	r.put(inbox, Stored{Raw: sample(2)})
	messages := r.oldest(ctx)
	body, err := r.in.Open(ctx, messages[0].ID)
	if err != nil {
		r.Fatalf("Open: %v", err)
	}
	silent := r.line.arm(&fault{dir: receiving, after: largeSize / 4, stall: true})
	read := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, body)
		read <- err
	}()
	<-silent
	closed, start := make(chan error, 1), time.Now()
	go func() { closed <- body.Close() }()
	if err := await(r, r.line, closed, r.realTime); err != nil {
		r.Errorf("Close: %v", err)
	}
	if err := await(r, r.line, read, r.realTime); !errors.Is(err, session.ErrClosed) {
		r.Errorf("reading ends in %v, want ErrClosed", err)
	}
	if took := time.Since(start); !r.realTime && took != 0 {
		r.Errorf("Close took %v while another goroutine read, want it to end that", took)
	}
	r.line.arm(nil)
	r.wantBytes(ctx, messages[1].ID, sample(2))
}
