//go:build interop

package interop_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/mail"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/interop"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtpx"
)

// serverAt says how to reach one of the real servers.
func serverAt(t *testing.T, servers *interop.Servers, address string, security session.Security) session.Server {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return session.Server{
		Host: host, Port: number, Security: security, TLS: servers.ClientTLS(),
		AllowPlainAuth: security == session.None,
		Transcript:     testlog.New(t),
	}
}

// pair returns the way in and the way out in one kind of encryption.
func pair(t *testing.T, servers *interop.Servers, security session.Security) (in, out session.Server) {
	t.Helper()
	switch security {
	case session.TLS:
		return serverAt(t, servers, servers.IMAPS, security), serverAt(t, servers, servers.Submissions, security)
	case session.STARTTLS:
		return serverAt(t, servers, servers.IMAP, security), serverAt(t, servers, servers.Submission, security)
	case session.None:
	}
	return serverAt(t, servers, servers.IMAP, security), serverAt(t, servers, servers.SMTP, security)
}

// TestStoryOnRealServers goes through the main job of a mail program on
// Dovecot and Postfix: in all three kinds of encryption, with a password and
// with tokens by both mechanisms, which our fake and a server of others issue.
func TestStoryOnRealServers(t *testing.T) {
	t.Parallel()
	for name, start := range authorizations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			everyWay(t, start(t))
		})
	}
}

// everyWay tells the story in every kind of encryption with all credentials.
func everyWay(t *testing.T, issuer *authorization) {
	t.Helper()
	servers := startServers(t, &interop.Options{Tokens: issuer.tokens})
	grant := issuer.signIn(t, ann)
	if grant.Address() != ann {
		t.Fatalf("the sign-in is of %q, want %q", grant.Address(), ann)
	}
	password := session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}
	tokens := session.Credentials{User: ann, Tokens: grant}
	for _, security := range []session.Security{session.TLS, session.STARTTLS, session.None} {
		for _, way := range []struct {
			name       string
			creds      session.Credentials
			mechanisms []string
		}{
			{"password", password, nil},
			{"XOAUTH2", tokens, []string{"XOAUTH2"}},
			{"OAUTHBEARER", tokens, []string{"OAUTHBEARER"}},
		} {
			t.Run(security.String()+" "+way.name, func(t *testing.T) {
				in, out := pair(t, servers, security)
				in.Mechanisms, out.Mechanisms = way.mechanisms, way.mechanisms
				s := newSession(t, way.creds, in, out)
				tellStory(t, s)
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
		}
	}
}

// newSession returns a session over IMAP and SMTP that the test closes at its
// end.
func newSession(t *testing.T, creds session.Credentials, in, out session.Server) *session.Session {
	t.Helper()
	log := testlog.New(t)
	s, err := session.New(creds, imapx.Backend(in, nil), smtpx.Backend(out, nil),
		&session.Options{Logger: testlog.Logger(log), Observer: testlog.NewObserver(log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// tellStory sends a note to oneself, reads it, answers it, marks and moves it,
// sees the answer arrive, and cleans up.
func tellStory(t *testing.T, s *session.Session) {
	t.Helper()
	ctx := t.Context()
	roles := map[session.Role]bool{}
	for f, err := range s.Folders(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		roles[f.Role] = true
	}
	for _, r := range []session.Role{session.RoleInbox, session.RoleSent, session.RoleTrash, session.RoleArchive} {
		if !roles[r] {
			t.Errorf("no folder has the role %s", r)
		}
	}

	me := mail.Address{Name: "Änn", Address: ann}
	text := "Grüße,\n.\n..und From a line with dots\n" + strings.Repeat("long ", 300) + "\n"
	note := &message.Draft{From: me, To: []mail.Address{me}, Subject: "Notiz für mich – 注意", Text: text}
	receipt, err := s.SendDraft(ctx, note, nil)
	if err != nil || receipt.Outcome != session.Accepted || receipt.QueueID == "" {
		t.Fatalf("SendDraft = %+v, %v", receipt, err)
	}
	arrived := awaitMail(t, s, receipt.MessageID)
	if !arrived.Unread() || arrived.Header.Subject() != note.Subject {
		t.Errorf("arrived: flags %v, subject %q, want unread and %q", arrived.Flags, arrived.Header.Subject(), note.Subject)
	}
	read, err := s.Read(ctx, arrived.ID)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.ReplaceAll(read.Text, "\r\n", "\n"); strings.TrimSpace(got) != strings.TrimSpace(text) {
		t.Errorf("the text that arrived is\n%q, want\n%q", got, text)
	}
	if !awaitMail(t, s, receipt.MessageID).Unread() {
		t.Error("reading marked the message as seen")
	}

	answer, err := message.Reply(read, message.ReplyOptions{From: me, Text: "Danke.\n", Quote: true})
	if err != nil {
		t.Fatal(err)
	}
	if receipt, err = s.SendDraft(ctx, answer, nil); err != nil {
		t.Fatal(err)
	}
	answered := awaitMail(t, s, receipt.MessageID)
	if refs := answered.Header.References(); len(refs) != 1 || refs[0] != arrived.Header.MessageID() {
		t.Errorf("the answer refers to %q, want %q", refs, arrived.Header.MessageID())
	}

	apply(t, s, session.Change{Set: session.Flags{session.Answered, session.Seen, "$Work"}}, arrived.ID)
	if flags := awaitMail(t, s, arrived.Header.MessageID()).Flags; !flags.Has(session.Answered) || !flags.Has(session.Seen) || !flags.Has("$Work") {
		t.Errorf("flags %v after setting them", flags)
	}
	moved := apply(t, s, session.Change{MoveTo: session.Archive}, arrived.ID).NewID
	if moved.IsZero() {
		t.Fatal("no new id after the move")
	}
	if _, err := s.Read(ctx, moved); err != nil {
		t.Errorf("read the moved message: %v", err)
	}
	if _, err := s.Open(ctx, arrived.ID); !errors.Is(err, session.ErrNoMessage) {
		t.Errorf("open the message where it was: %v, want ErrNoMessage", err)
	}
	apply(t, s, session.Change{Delete: true}, moved)
	apply(t, s, session.Change{Delete: true}, answered.ID)
	results, err := s.Apply(ctx, session.Change{Set: session.Flags{session.Seen}}, moved)
	if err != nil || results[0].Outcome != session.NotDone || !errors.Is(results[0].Err, session.ErrNoMessage) {
		t.Errorf("change a deleted message: %+v, %v, want NotDone", results, err)
	}
}

func apply(t *testing.T, s *session.Session, c session.Change, id session.ID) session.Result {
	t.Helper()
	results, err := s.Apply(t.Context(), c, id)
	if err != nil || len(results) != 1 || results[0].Outcome != session.Done {
		t.Fatalf("Apply(%+v) = %+v, %v", c, results, err)
	}
	return results[0]
}

// awaitMail waits for a message in the inbox; delivery takes a moment.
func awaitMail(t *testing.T, s *session.Session, messageID string) *session.Message {
	t.Helper()
	return awaitMessage(t, s, messageID, func(h message.Header) bool { return h.MessageID() == messageID })
}

// awaitMessage waits until there is a message with such a header in the INBOX.
func awaitMessage(t *testing.T, s *session.Session, what string, is func(message.Header) bool) *session.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		for m, err := range s.Messages(ctx, session.Query{}) {
			if err != nil {
				t.Fatalf("wait for %s: %v", what, err)
			}
			if is(m.Header) {
				return m
			}
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("%s did not arrive", what)
		}
	}
}

// TestRefusedTokensOnRealServers: the server's explanation is in the error, a
// token that can be replaced is replaced once, a sign-in that is over asks for
// another, and the connection ends in order.
func TestRefusedTokensOnRealServers(t *testing.T) {
	t.Parallel()
	for name, start := range authorizations() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refusals(t, start(t))
		})
	}
}

// refusals has tokens refused in every kind of encryption.
func refusals(t *testing.T, issuer *authorization) {
	t.Helper()
	servers := startServers(t, &interop.Options{Tokens: issuer.tokens})
	for _, security := range []session.Security{session.TLS, session.STARTTLS, session.None} {
		for _, mechanism := range []string{"XOAUTH2", "OAUTHBEARER"} {
			t.Run(security.String()+" "+mechanism, func(t *testing.T) {
				in, out := pair(t, servers, security)
				in.Mechanisms, out.Mechanisms = []string{mechanism}, []string{mechanism}
				bad := session.Credentials{User: ann, Tokens: oauth.AnyResource(oauth.StaticToken(secret.New("a-horse-nobody-issued")))}
				wantRefusal(t, bad, in, out, mechanism)
				grant := issuer.signIn(t, ann)
				same := func(*testing.T) *oauth.Grant { return grant }
				wantReplaced(t, issuer, same, in, out)
				wantOver(t, issuer, same, in, out)
			})
		}
	}
}

func wantRefusal(t *testing.T, creds session.Credentials, in, out session.Server, mechanism string) {
	t.Helper()
	s, err := session.New(creds, imapx.Backend(in, nil), smtpx.Backend(out, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, incoming := s.Facts(t.Context())
	_, outgoing := s.SendDraft(t.Context(), &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: ann}}, Text: "x"}, nil)
	for name, err := range map[string]error{"IMAP": incoming, "SMTP": outgoing} {
		e, ok := errors.AsType[*session.AuthError](err)
		if !ok || e.Mechanism != mechanism || !strings.Contains(e.Challenge, `"status"`) || e.Status == "" || e.Remedy == "" || !session.NeedsSignIn(err) {
			t.Errorf("%s: error %v (%+v), want an AuthError with the challenge's JSON", name, err, e)
		}
		if err != nil && strings.Contains(err.Error(), "a-horse-nobody-issued") {
			t.Errorf("%s: the error shows the token: %v", name, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

// wantReplaced: a token that was revoked behind the program's back costs one
// refresh and nothing else. Start returns the grant as the program has it when
// it starts, which it does again after the revocation.
func wantReplaced(t *testing.T, issuer *authorization, start func(*testing.T) *oauth.Grant, in, out session.Server) {
	t.Helper()
	tokenOf(t, start(t))
	issuer.revokeAccess(t, ann)
	before := issuer.refreshes(t)
	s := newSession(t, session.Credentials{User: ann, Tokens: start(t)}, in, out)
	if _, err := s.Facts(t.Context()); err != nil {
		t.Errorf("IMAP with a revoked access token and a good grant: %v", err)
	}
	note := &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: ann}}, Subject: "on with it", Text: "x"}
	if receipt, err := s.SendDraft(t.Context(), note, nil); err != nil || receipt.Outcome != session.Accepted {
		t.Errorf("SMTP with a revoked access token and a good grant: %+v, %v", receipt, err)
	}
	if got := issuer.refreshes(t) - before; got != 1 {
		t.Errorf("%d refreshes, want 1", got)
	}
}

// wantOver: where the sign-in itself was revoked, the error says so, and that
// the user has to sign in again. Start is that of wantReplaced.
func wantOver(t *testing.T, issuer *authorization, start func(*testing.T) *oauth.Grant, in, out session.Server) {
	t.Helper()
	issuer.revokeGrants(t, ann)
	before := issuer.refreshes(t)
	s := newSession(t, session.Credentials{User: ann, Tokens: start(t)}, in, out)
	_, incoming := s.Facts(t.Context())
	_, outgoing := s.SendDraft(t.Context(), &message.Draft{From: mail.Address{Address: ann}, To: []mail.Address{{Address: ann}}, Text: "x"}, nil)
	for name, err := range map[string]error{"IMAP": incoming, "SMTP": outgoing} {
		e, ok := errors.AsType[*oauth.Error](err)
		if !ok || e.Kind != oauth.KindRevoked || !session.NeedsSignIn(err) || session.Temporary(err) || !strings.Contains(err.Error(), "sign in again") {
			t.Errorf("%s: error %v, want one of kind %q that says to sign in again", name, err, oauth.KindRevoked)
		}
	}
	if got := issuer.refreshes(t) - before; got != 1 {
		t.Errorf("%d refreshes, want 1: what was refused is remembered", got)
	}
}

// TestWrongPasswordOnRealServers tells what to do.
func TestWrongPasswordOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	in, out := pair(t, servers, session.TLS)
	s, err := session.New(session.Credentials{User: ann, Password: secret.New("not this horse")}, imapx.Backend(in, nil), smtpx.Backend(out, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Facts(t.Context())
	if e, ok := errors.AsType[*session.AuthError](err); !ok || !strings.Contains(e.Error(), "check user name and password") {
		t.Errorf("error %v, want an AuthError with its remedy", err)
	}
	if err != nil && strings.Contains(err.Error(), "not this horse") {
		t.Errorf("the error shows the password: %v", err)
	}
}

// TestLargeMessageOnRealServers sends and reads 20 MB without holding them.
func TestLargeMessageOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	in, out := pair(t, servers, session.TLS)
	s, err := session.New(session.Credentials{User: ann, Password: userOf(t, servers, ann).Password},
		imapx.Backend(in, nil), smtpx.Backend(out, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	header := "From: ann@example.test\r\nTo: ann@example.test\r\nMessage-ID: <large@example.test>\r\nSubject: large\r\n\r\n"
	content := header + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 20<<20/78)
	if _, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{ann}}, message.Bytes([]byte(content))); err != nil {
		t.Fatal(err)
	}
	m := awaitMail(t, s, "large@example.test")
	body, err := s.Open(t.Context(), m.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	got, err := io.ReadAll(body)
	if err != nil || !strings.HasSuffix(string(got), content[len(header):]) {
		t.Errorf("read %d bytes, %v, want those that were sent", len(got), err)
	}
}
