//go:build interop

package interop_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/mail"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/session/sessiontest"
)

// davmail is DavMail in front of a fake Exchange with the mailboxes of ann and bob.
type davmail struct {
	*interop.DavMail

	exchange *exchange
	users    map[string]interop.User
}

// startDavMail starts both. The fake is as strict as Exchange.
func startDavMail(t *testing.T, o ewstest.Options) *davmail {
	t.Helper()
	o.Strict = true
	d := &davmail{exchange: startExchange(t, o), users: map[string]interop.User{}}
	for _, address := range []string{ann, bob} {
		user := interop.User{Address: address, Password: secret.New("horse-of-" + address[:3])}
		d.exchange.box.Add(address, user.Password)
		d.users[address] = user
	}
	fingerprint := ""
	if o.Security == mailtest.TLS {
		fingerprint = d.exchange.sha1
	}
	started, err := interop.StartDavMail(t.Context(), d.exchange.server.URL(), fingerprint)
	must(t, err)
	d.DavMail = started
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(d.Logs())
		}
		if err := d.Stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// at says how to reach one of DavMail's ways in.
func (d *davmail) at(tb testing.TB, address string) session.Server {
	tb.Helper()
	host, port := hostPort(tb, address)
	return session.Server{Host: host, Port: port, Security: session.None, AllowPlainAuth: true, Transcript: testlog.New(tb)}
}

// credentials are those of a user.
func (d *davmail) credentials(address string) session.Credentials {
	return session.Credentials{User: address, Password: d.users[address].Password}
}

// session returns a session of ours over DavMail's IMAP and SMTP.
func (d *davmail) session(t *testing.T, address string) *session.Session {
	t.Helper()
	return newSession(t, d.credentials(address), d.at(t, d.IMAP), d.at(t, d.SMTP))
}

// inbox returns the messages of an inbox as the fake Exchange has them.
func (d *davmail) inbox(t *testing.T, address string) []mailtest.Message {
	t.Helper()
	account, _ := d.exchange.box.Account(address)
	all, err := account.Messages("INBOX")
	must(t, err)
	return all
}

// TestSameOnDavMail: a program that knows nothing of Exchange sees the same by
// DavMail's IMAP, in front of the fake Exchange, as at the fake IMAP server. What was
// said between the two is checked against the schema.
func TestSameOnDavMail(t *testing.T) {
	t.Parallel()
	d := startDavMail(t, ewstest.Options{Schemes: []string{ewstest.Basic}})
	box := mailtest.New()
	user := d.users[ann]
	box.Add(user.Address, user.Password)
	fake := imaptest.New(box, nil)
	t.Cleanup(func() { _ = fake.Close() })
	const (
		literals = "it does not read literals in SEARCH, and agrees before they are sent (RFC 9051 section 4.3)"
		uidplus  = "it has no UIDPLUS, so that nothing can be removed, and no new number is told"
		keywords = "it makes $label5 of the keyword Later"
	)
	compare(t, map[string]*sessiontest.Incoming{
		"imaptest": conformingAt(t, fake.Addr(), user),
		"DavMail":  conformingAt(t, d.IMAP, user),
	}, behaviours(), map[string]string{
		"DavMail: body:grüße":          literals,
		"DavMail: body:KÖLN":           literals,
		"DavMail: text:köln":           literals,
		"DavMail: -from:ann":           "it loses its way behind NOT",
		"DavMail: set and clear flags": keywords,
		"DavMail: copy":                uidplus,
		"DavMail: move":                uidplus,
		"DavMail: parts":               "its BODY[1.MIME] is the part itself, not the header of it (RFC 9051 section 6.4.5.1)",
		"DavMail: delete":              uidplus,
		"DavMail: purge":               uidplus,
		"DavMail: folders":             "it makes no folder whose parent is not there",
	})
	checkEWSSchema(t, d.exchange.server.Requests())
}

// TestDavMailTellsItsStory: mail goes by DavMail through the fake Exchange, on each
// release and with each way of signing in that DavMail knows: sent by our SMTP client
// and by Python's, read by those of others and ours, and told at once to who waits.
// What was said to the fake and by it is checked against the schema.
func TestDavMailTellsItsStory(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]ewstest.Options{
		"basic":               {Schemes: []string{ewstest.Basic}},
		"NTLM over TLS":       {Schemes: []string{ewstest.NTLM}, Security: mailtest.TLS, Version: ewstest.Exchange2010SP2},
		"basic Exchange 2007": {Schemes: []string{ewstest.Basic}, Version: ewstest.Exchange2007SP1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDavMail(t, o)
			d.pythonReadsAndFiles(t)
			d.curlListsAndFetches(t)
			d.whoWaitsIsTold(t)
			d.popFetches(t)
			checkEWSSchema(t, d.exchange.server.Requests())
		})
	}
}

// pythonReadsAndFiles: ann reads two letters with Python's imaplib, files one, and
// answers with smtplib; bob has the answer.
func (d *davmail) pythonReadsAndFiles(t *testing.T) {
	t.Helper()
	account, _ := d.exchange.box.Account(ann)
	must(t, account.CreateFolder("Work/Deep/Down", ""))
	questions := deliverQuestions(t, func(raw []byte) error { return d.exchange.box.Deliver(string(raw), ann) })
	login := pythonLogin{address: d.IMAP, security: "none", auth: "password", user: ann, secret: d.users[ann].Password}
	steps := pythonStory(t, "imap_story.py", login, "folders", "unread=INBOX",
		"answered=INBOX,"+questions[0].MessageID, "move=INBOX,"+questions[0].MessageID+",Archive")
	var folders []string
	for _, f := range steps[1].Folders {
		folders = append(folders, f.Name)
	}
	for _, want := range []string{"INBOX", "Sent", "Drafts", "Trash", "Junk", "Archive", "Work/Deep/Down"} {
		if !slices.Contains(folders, want) {
			t.Errorf("the folders are %q, want %s among them", folders, want)
		}
	}
	for i, want := range questions {
		wantMessage(t, "unread", steps[2].Messages[i], want)
	}
	if got, want := steps[4].Message.Flags, []string{`\Answered`, `\Seen`}; !slices.Equal(got, want) || len(steps[4].Left) != 1 {
		t.Errorf("flags of what was moved = %q, left are %v; want %q and one", got, steps[4].Left, want)
	}
	login.address = d.SMTP
	sent := pythonStory(t, "smtp_story.py", login, "--from", ann, "--to", bob, "--subject", "Re: Lunch?", "--text", "Yes.\n.\n",
		"--message-id", "<yes@example.test>", "--in-reply-to", questions[0].MessageID)
	if got := sent[len(sent)-1].Accepted; !slices.Equal(got, []string{bob}) {
		t.Errorf("smtplib had %q accepted, want %q", got, bob)
	}
	if got := d.inbox(t, bob); len(got) != 1 || !strings.HasSuffix(got[0].Raw, "\r\n\r\nYes.\r\n.") {
		t.Errorf("bob has %+v, want the answer with its lone dot, without the last line end, which DavMail takes away", got)
	}
}

// curlListsAndFetches: curl sees a message's bytes and marks it.
func (d *davmail) curlListsAndFetches(t *testing.T) {
	t.Helper()
	curl := func(folder string, args ...string) string {
		t.Helper()
		all := append([]string{"--silent", "--show-error", "--noproxy", "*", "--user", bob + ":" + d.users[bob].Password.Reveal()}, args...)
		cmd := exec.CommandContext(t.Context(), "curl", append(all, "imap://"+d.IMAP+"/"+folder)...) //nolint:gosec // G204: the command is ours.
		var said strings.Builder
		cmd.Stderr = &said
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("curl %s: %v\n%s", folder, err, said.String())
		}
		return string(out)
	}
	want := d.inbox(t, bob)[0].Raw
	if got := curl("INBOX;UID=1"); got != want {
		t.Errorf("curl fetches %q, want %q", got, want)
	}
	curl("INBOX", "--request", `UID STORE 1 +FLAGS (\Flagged)`)
	if m := d.inbox(t, bob)[0]; !m.Has(mailtest.Flagged) {
		t.Errorf("curl flagged the message to %q", m.Flags)
	}
	if got := curl("INBOX?FLAGGED"); got != "* SEARCH 1\r\n" {
		t.Errorf("curl searches and gets %q, want message 1", got)
	}
}

// whoWaitsIsTold: a watch of ours, which DavMail keeps in IDLE, tells of a letter
// that a session of ours sends.
func (d *davmail) whoWaitsIsTold(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	s := d.session(t, ann)
	note := &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: ann}}, Subject: "Grüße", Text: "Hello\n"}
	for e, err := range s.Watch(ctx, []session.FolderRef{session.Inbox}, &session.WatchOptions{Interval: time.Hour}) {
		switch {
		case err != nil:
			t.Fatalf("Watch: %v", err)
		case e.Kind == session.EventListening:
			if receipt, err := s.SendDraft(ctx, note, nil); err != nil || receipt.Outcome != session.Accepted {
				t.Fatalf("SendDraft = %+v, %v", receipt, err)
			}
		case e.Kind == session.EventNew:
			if e.Message == nil || e.Message.Header.Subject() != note.Subject || !e.Message.Unread() {
				t.Errorf("told of %+v, want the letter", e.Message)
			}
			return
		}
	}
}

// popFetches: our POP3 client and Python's find the same messages in the inbox.
func (d *davmail) popFetches(t *testing.T) {
	t.Helper()
	var want, got []string
	for _, m := range d.inbox(t, ann) {
		want = append(want, strings.TrimSuffix(m.Raw, "\r\n")+"\r\n") // the protocol sends whole lines
	}
	c := newPOP(t, d.at(t, d.POP3), d.credentials(ann))
	for m, err := range c.Messages(t.Context(), session.Query{OldestFirst: true}) {
		must(t, err)
		body, err := c.Open(t.Context(), m.ID)
		must(t, err)
		raw, err := io.ReadAll(body)
		must(t, errors.Join(err, body.Close()))
		got = append(got, string(raw))
	}
	if !slices.Equal(got, want) {
		t.Errorf("pop3x fetches %q, want %q", got, want)
	}
	must(t, c.Close())
	login := pythonLogin{address: d.POP3, security: "none", auth: "password", user: ann, secret: d.users[ann].Password}
	steps := pythonStory(t, "pop3_story.py", login)
	got = nil
	for _, s := range steps {
		if s.Step == "message" {
			raw, err := base64.StdEncoding.DecodeString(s.Raw)
			must(t, err)
			got = append(got, string(raw))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("poplib fetches %q, want %q", got, want)
	}
	if left := d.inbox(t, ann); len(left) != 0 {
		t.Errorf("%d messages are left, want none: DavMail's RSET takes no mark back", len(left))
	}
}
