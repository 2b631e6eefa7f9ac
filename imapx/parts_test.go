package imapx_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// nested has parts in parts, one of them encoded.
const nested = "From: bob@example.com\nSubject: parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n" +
	"--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\nplain\n--c\nContent-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n<p>=C3=BC</p>\n--c--\n" +
	"--b\nContent-Type: application/pdf; name=q.pdf\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERi0x\nLjQ=\n--b--\n"

// TestOpenPart: only the part comes over the line, and without its encoding.
func TestOpenPart(t *testing.T) {
	w := newWorld(t, 0, nil)
	lone := mailtest.CRLF("Subject: lone\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nR3LDvMOfZQ==\n")
	for _, raw := range []string{mailtest.CRLF(nested), lone, "Subject: bare\r\n\r\nno MIME\r\n"} {
		if _, err := w.account.Append("INBOX", raw, nil); err != nil {
			t.Fatal(err)
		}
	}
	all := ids(t, w)
	for _, tt := range []struct {
		message             int
		number, kind, bytes string
	}{
		{0, "1.1", "text/plain", "plain"},
		{0, "1.2", "text/html", "<p>ü</p>"},
		{0, "2", "application/pdf", "%PDF-1.4"},
		{1, "1", "text/plain", "Grüße"},
		{2, "1", "text/plain", "no MIME\r\n"},
	} {
		t.Run(fmt.Sprintf("%d %s", tt.message, tt.number), func(t *testing.T) {
			p, err := w.client.OpenPart(t.Context(), all[tt.message], tt.number)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			got, err := io.ReadAll(p)
			if err != nil || string(got) != tt.bytes || p.ContentType != tt.kind || p.Number != tt.number {
				t.Errorf("part %s, %s, %q (%v), want %s, %q", p.Number, p.ContentType, got, err, tt.kind, tt.bytes)
			}
		})
	}
	for number, id := range map[string]session.ID{"3": all[0], "1.2.1": all[0], "7": all[2]} {
		if _, err := w.client.OpenPart(t.Context(), id, number); !errors.Is(err, session.ErrNoPart) {
			t.Errorf("part %s: %v, want ErrNoPart", number, err)
		}
	}
	for _, c := range w.server.Commands() {
		if strings.Contains(c.Line, "BODY.PEEK[]") {
			t.Errorf("a whole message was fetched: %q", c.Line)
		}
	}
	if got := contents(t, w.account, "INBOX"); strings.Contains(got, "Seen") {
		t.Errorf("inbox %s", got)
	}
	if _, err := w.account.Expunge("INBOX", 1); err != nil {
		t.Fatal(err)
	}
	if _, err := w.client.OpenPart(t.Context(), all[0], "2"); !errors.Is(err, session.ErrNoMessage) {
		t.Errorf("of a message that is gone: %v, want ErrNoMessage", err)
	}
}

// TestPartHeaders that servers leave out where part 1 is the whole message.
func TestPartHeaders(t *testing.T) {
	w := newWorld(t, 1, nil)
	all := ids(t, w)
	head := "Subject: x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
	w.server.Inject(
		mailtest.Reply("UID FETCH", fmt.Sprintf("* 1 FETCH (BODY[1.MIME] NIL BODY[HEADER] {%d}\r\n%s UID 1)\r\nOK done", len(head), head)),
		mailtest.Reply("UID FETCH", "* 1 FETCH (UID 1 BODY[1] {8}\r\naGVsbG8=)\r\nOK done"),
	)
	p, err := w.client.OpenPart(t.Context(), all[0], "1")
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if got, err := io.ReadAll(p); err != nil || string(got) != "hello" {
		t.Errorf("part %q (%v), want hello", got, err)
	}
}

// TestPartCut: a part that did not come whole does not end as if it had.
func TestPartCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 0, nil)
		id := largeMessage(t, w)
		cut := mailtest.Drop("UID FETCH", 5000)
		cut.Contains = "BODY.PEEK[1])"
		w.server.Inject(cut)
		p, err := w.client.OpenPart(t.Context(), id, "1")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		if n, err := io.Copy(io.Discard, p); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes and %v, want io.ErrUnexpectedEOF", n, err)
		}
	})
}

// TestOpenRange fetches no more than was asked for.
func TestOpenRange(t *testing.T) {
	w := newWorld(t, 1, nil)
	all := ids(t, w)
	whole := mailtest.Sample(1)
	size := int64(len(whole))
	for _, tt := range []struct {
		offset, limit int64
		want          string
		said          string
	}{
		{0, 10, whole[:10], "BODY.PEEK[]<0.10>"},
		{7, 20, whole[7:27], "BODY.PEEK[]<7.20>"},
		{size - 3, 10, whole[size-3:], fmt.Sprintf("<%d.10>", size-3)},
		{5, 0, whole[5:], "<5.4294967295>"},
		{size + 5, 10, "", fmt.Sprintf("<%d.10>", size+5)},
	} {
		body, err := w.client.OpenRange(t.Context(), all[0], tt.offset, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != tt.want {
			t.Errorf("%d bytes from %d: %q (%v), want %q", tt.limit, tt.offset, got, err, tt.want)
		}
		if err := body.Close(); err != nil {
			t.Error(err)
		}
		commands := w.server.Commands()
		if last := commands[len(commands)-1].Line; !strings.Contains(last, tt.said) {
			t.Errorf("the command was %q, want %s in it", last, tt.said)
		}
	}
	if _, err := w.client.OpenRange(t.Context(), all[0], 1<<32, 1); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("beyond 4 GiB: %v, want errors.ErrUnsupported", err)
	}
}
