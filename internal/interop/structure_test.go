//go:build interop

package interop_test

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// leaves are parts of many kinds.
func leaves() []string {
	return []string{
		"Content-Type: text/plain; charset=utf-8\n\nGrüße aus Köln\n",
		"Content-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nSch=F6ne Gr=FC=DFe, und noch mehr=\n davon\n",
		"Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPGh0bWw+PGhlYWQ+PHN0eWxlPnB7fTwvc3R5bGU+PC9oZWFkPjxwPkZpc2ggJmFtcDsgY2hpcHM8L3A+PC9odG1sPgo=\n",
		"Content-Type: application/pdf; name=\"=?utf-8?b?4oKsLnBkZg==?=\"\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjQ=\n",
		"Content-Type: image/png\nContent-ID: <p1@x>\nContent-Disposition: inline; filename*0*=utf-8''%E2%82; filename*1*=%AC.png\nContent-Transfer-Encoding: base64\n\niVBORw==\n",
		"Content-Type: text/csv; charset=us-ascii; name=\"a \\\"quoted\\\" name.csv\"\nContent-Disposition: attachment; filename=\"a \\\"quoted\\\" name.csv\"\n\n1,2\n",
		"Content-Type: message/rfc822\n\nSubject: inner\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=inner\n\n--inner\nContent-Type: text/plain; charset=utf-8\n\nwithin\n--inner\nContent-Type: text/csv; charset=utf-8\nContent-Disposition: attachment; filename=t.csv\n\n1,2\n--inner--\n",
		"Content-Type: message/rfc822\nContent-Disposition: attachment\n\nSubject: plain inner\nContent-Type: text/plain; charset=utf-8\n\nas it is\n",
	}
}

// varied are messages of each part alone, and of two and three of them in each kind
// of multipart.
func varied() []string {
	var all []string
	add := func(content string) {
		head := fmt.Sprintf("From: bob@example.org\nMessage-ID: <v%d@x>\nSubject: Sample %d\nMIME-Version: 1.0\n", len(all)+1, len(all)+1)
		all = append(all, strings.ReplaceAll(head+content, "\n", "\r\n"))
	}
	parts := leaves()
	for _, p := range parts {
		add(p)
	}
	for i, kind := range []string{"mixed", "alternative", "related", "signed", "report"} {
		for j := range parts {
			var content strings.Builder
			fmt.Fprintf(&content, "Content-Type: multipart/%s; boundary=outer%d\n\n", kind, j)
			for k := range 2 + j%2 {
				fmt.Fprintf(&content, "--outer%d\n%s", j, parts[(i+j+k)%len(parts)])
			}
			if j%3 == 0 {
				fmt.Fprintf(&content, "--outer%d\nContent-Type: multipart/alternative; boundary=within\n\n--within\n%s--within\n%s--within--\n", j, parts[0], parts[2])
			}
			fmt.Fprintf(&content, "--outer%d--\n", j)
			add(content.String())
		}
	}
	return all
}

// plainly leaves out what servers and headers say in several ways.
func plainly(s message.Structure) string {
	var b strings.Builder
	for _, p := range s {
		if p.ContentType == "message/rfc822" {
			p.Size = 0 // Dovecot counts the line break before a boundary where that message ends in one
		}
		fmt.Fprintf(&b, "%q %s %s %d %q %s %q\n", p.Number, p.ContentType, p.Encoding, p.Size, p.Name, p.Disposition, p.ContentID)
	}
	for _, a := range s.Attachments() {
		fmt.Fprintf(&b, "attached: %s %s %t\n", a.Number, a.FileName(), a.Inline)
	}
	return b.String()
}

// hushed is a connection on which the server does not say that it has PREVIEW.
type hushed struct{ net.Conn }

func (h hushed) Read(p []byte) (int, error) {
	n, err := h.Conn.Read(p)
	if bytes.Contains(p[:n], []byte("CAPABILITY")) {
		copy(p, bytes.ReplaceAll(p[:n], []byte(" PREVIEW "), []byte(" XREVIEW ")))
	}
	return n, err
}

// TestStructuresOnDovecot: what the server tells of the parts is what Walk finds,
// each part can be opened, and previews are the same whoever makes them.
func TestStructuresOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	raw := dialIMAP(t, servers.IMAP)
	raw.login(user)
	texts := varied()
	samples := os.DirFS("../../message/testdata")
	names, err := fs.Glob(samples, "*.eml")
	if err != nil || len(names) == 0 {
		t.Fatalf("no messages: %v", err)
	}
	generated := len(texts)
	for _, name := range names {
		text, err := fs.ReadFile(samples, name)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, strings.ReplaceAll(strings.ReplaceAll(string(text), "\r\n", "\n"), "\n", "\r\n"))
	}
	for _, text := range texts {
		raw.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text))
	}
	host, port := hostPort(t, servers.IMAP)
	log := testlog.New(t)
	open := func(dial func(ctx context.Context, network, address string) (net.Conn, error)) *session.Session {
		server := session.Server{Host: host, Port: port, Security: session.None, AllowPlainAuth: true, Dial: dial, Transcript: log}
		s, err := session.New(session.Credentials{User: ann, Password: user.Password}, imapx.Backend(server, nil), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	told := open(nil)
	read := open(func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		return hushed{c}, err
	})
	fields := session.FieldStructure | session.FieldPreview
	served, own := summaries(t, told, fields), summaries(t, read, fields)
	if len(served) != len(texts) || len(own) != len(texts) {
		t.Fatalf("%d and %d messages, want %d", len(served), len(own), len(texts))
	}
	structures, previews, parts := 0, 0, 0
	for i, text := range texts {
		want, cut := message.ReadStructure(strings.NewReader(text))
		whole, err := message.Parse(strings.NewReader(text), nil)
		sound := cut == nil && err == nil && len(whole.Defects) == 0
		switch same := plainly(served[i].Structure) == plainly(want); {
		case same:
			structures++
			parts += openAll(t, told, served[i])
		case sound || i < generated:
			t.Errorf("message %d:\n%s\nthe structure is\n%swant\n%s", i+1, text, plainly(served[i].Structure), plainly(want))
		default:
			t.Logf("message %d, which has %v, is told of in another way", i+1, whole.Defects)
		}
		if plainly(own[i].Structure) != plainly(served[i].Structure) || served[i].Incomplete != nil || own[i].Incomplete != nil {
			t.Errorf("message %d: told in two ways, %v, %v", i+1, served[i].Incomplete, own[i].Incomplete)
		}
		switch a, b := served[i].Preview, own[i].Preview; {
		case strings.HasPrefix(a, b) || strings.HasPrefix(b, a) && b != "" && a != "":
			previews++
		default:
			t.Logf("message %d: the server's preview is %q, ours is %q", i+1, a, b)
		}
	}
	t.Logf("%d of %d structures are those of Walk, %d parts opened, %d previews are the same", structures, len(texts), parts, previews)
	if previews < len(texts)*8/10 {
		t.Errorf("%d of %d previews are the same, want most", previews, len(texts))
	}
}

// openAll opens every part that is listed and returns how many these are.
func openAll(t *testing.T, s *session.Session, m *session.Message) (n int) {
	t.Helper()
	for _, p := range m.Structure {
		if p.Multipart {
			continue
		}
		part, err := s.OpenPart(t.Context(), m.ID, p.Number)
		if err != nil {
			t.Errorf("OpenPart(%v, %q), %s: %v", m.ID, p.Number, p.ContentType, err)
			continue
		}
		// A part of a multipart/digest need not say by itself that it is a message.
		if part.ContentType != p.ContentType && part.Header.Has("Content-Type") {
			t.Errorf("part %q of %v is %s, listed as %s", p.Number, m.ID, part.ContentType, p.ContentType)
		}
		_ = part.Close()
		n++
	}
	return n
}
