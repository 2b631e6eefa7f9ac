//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/match"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// searchSpecimens are messages to look for: flags, the time they came, and
// bytes.
func searchSpecimens() [][3]string {
	return [][3]string{
		{`\Seen`, " 1-Jan-2026 12:00:00 +0000", "From: Ann <ann@example.com>\nTo: bob@example.org\nSubject: Lunch on Friday\n\nShall we?\n"},
		{`\Flagged $Work`, " 2-Jan-2026 12:00:00 -1100", "From: =?utf-8?q?J=C3=B6rg?= <joerg@example.org>\nCc: Ann <ann@example.com>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nSch=F6ne Gr=FC=DFe\n"},
		{`\Answered \Seen`, " 2-Jan-2026 12:00:00 +1400", "From: bob@example.org\nTo: ann@example.com\nSubject: report\nList-Id: <reports.example.org>\nX-Foo: one\nX-Foo: bar\nContent-Type: multipart/mixed; boundary=zz\n\n--zz\nContent-Type: text/plain\n\nthe figures\n--zz\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=q1.pdf\n\n%PDF\n--zz--\n"},
		{`\Draft`, " 3-Jan-2026 00:30:00 +0100", "From: carol@example.net\nBcc: dave@example.net\nSubject: RE: lunch\nContent-Type: multipart/alternative; boundary=yy\n\n--yy\nContent-Type: text/plain\n\nwith pleasure\n--yy\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPGI+w4TDlsOcPC9iPg==\n--yy--\n"},
		{`\Deleted \Seen`, " 3-Jan-2026 12:00:00 +0100", "From: ann@example.com\nSubject: FW: figures\nContent-Type: multipart/mixed; boundary=xx\n\n--xx\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\nFrom: eve@example.net\nSubject: inner\n\nhidden figures\n--xx--\n"},
		{``, " 4-Jan-2026 12:00:00 +0000", "From: bob@example.org\nSubject: long\n\n" + strings.Repeat("a long line of text\n", 500)},
	}
}

// TestSearchOnDovecot: for each part of a filter, and for parts together, Dovecot
// and the rest that is compared here find what comparing every message here
// finds.
func TestSearchOnDovecot(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	raw := dialIMAPS(t, servers)
	raw.login(user)
	for _, s := range searchSpecimens() {
		text := strings.ReplaceAll(s[2], "\n", "\r\n")
		raw.ok(fmt.Sprintf("APPEND INBOX (%s) %q {%d+}\r\n%s", s[0], s[1], len(text), text))
	}
	in, out := pair(t, servers, session.TLS)
	s := newSession(t, session.Credentials{User: ann, Password: user.Password}, in, out)
	all := compared(t, s)
	for _, text := range []string{
		"", "from:ANN", "from:jörg", "from:JÖRG", "to:bob", "cc:ann", "bcc:dave", "subject:lunch", "subject:grü", "subject:GRÜẞE",
		"body:schöne", "body:figures", "body:äöü", "body:inner", "text:reports", "text:lunch", "text:eve", "header:X-Foo", "header:x-foo=BAR",
		"header:List-Id=reports", "is:unread", "is:read", "is:flagged", "-is:flagged", "is:answered", "is:draft", "is:deleted",
		"keyword:$work", "-keyword:$work", `keyword:\Seen`, "since:2026-01-02T00:00:00Z", "since:2026-01-02T23:00:00Z", "since:2026-01-02T23:00:01Z",
		"before:2026-01-01T22:00:01Z", "before:2026-01-01T22:00:00Z", "before:2026-01-02T23:30:00Z", "-since:2026-01-02", "larger:5K", "smaller:5K", "-larger:200",
		"has:attachment", "-has:attachment", "from:ann OR subject:grü OR is:draft", "-(from:ann OR is:draft)", "{from:ann has:attachment} -is:deleted",
		"(since:2026-01-03 is:unread) OR from:carol", "from:nobody OR body:schöne OR subject:lunch from:example", "-(-(subject:figures)) is:read",
	} {
		f, err := session.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		checkFound(t, s, all, f)
	}
	checkFound(t, s, all, session.Filter{IDs: []session.ID{all[1].summary.ID, all[4].summary.ID}})
	checkFound(t, s, all, session.Filter{Not: &session.Filter{IDs: []session.ID{all[1].summary.ID, all[4].summary.ID}}})
	for _, err := range s.Messages(t.Context(), session.Query{Where: session.Filter{Native: "x"}}) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("Native on Dovecot: %v, want errors.ErrUnsupported", err)
		}
	}
}

// whole is a message with its summary.
type whole struct {
	summary *session.Message
	body    *message.Message
}

// compared reads every message, the newest first.
func compared(t *testing.T, s *session.Session) []whole {
	t.Helper()
	var all []whole
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Read(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		m.Header = body.Header
		all = append(all, whole{m, body})
	}
	return all
}

func checkFound(t *testing.T, s *session.Session, all []whole, f session.Filter) {
	t.Helper()
	var got, want []string
	for m, err := range s.Messages(t.Context(), session.Query{Where: f}) {
		if err != nil {
			t.Errorf("%v: %v", f, err)
			return
		}
		got = append(got, m.ID.String())
	}
	here := match.New(f)
	for _, w := range all {
		if here.Match(w.summary, w.body) == match.Yes {
			want = append(want, w.summary.ID.String())
		}
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("%v finds %q, want %q", f, got, want)
	}
}
