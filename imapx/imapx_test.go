package imapx_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/testlog"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const ann = "ann@example.com"

func password() secret.Text { return secret.New("correct horse battery") }

// world is a fake server with one account and a client for it.
type world struct {
	account *mailtest.Account
	server  *imaptest.Server
	client  *imapx.Client
}

// newWorld makes a server in memory. Its account has n messages in the inbox.
func newWorld(t *testing.T, n int, o *imaptest.Options, adjust ...func(*session.Server, *session.Credentials, *imapx.Options)) *world {
	t.Helper()
	box := mailtest.New()
	w := &world{account: box.Add(ann, password()), server: imaptest.New(box, o)}
	for i := range n {
		if _, err := w.account.Append("INBOX", mailtest.Sample(i+1), nil); err != nil {
			t.Fatal(err)
		}
	}
	server := session.Server{
		Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: w.server.Dial,
		TLS: w.server.ClientTLS(),
	}
	creds := session.Credentials{User: ann, Password: password()}
	opts := imapx.Options{PageSize: 10}
	log := testlog.New(t)
	opts.Logger, opts.Observer, server.Transcript = testlog.Logger(log), testlog.NewObserver(log), log
	for _, f := range adjust {
		f(&server, &creds, &opts)
	}
	var err error
	if w.client, err = imapx.New(server, creds, &opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.client.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		w.server.Close()
	})
	return w
}

// list collects what an iteration gives.
func list(t *testing.T, messages iter.Seq2[*session.Message, error]) []*session.Message {
	t.Helper()
	var all []*session.Message
	for m, err := range messages {
		if err != nil {
			t.Fatalf("Messages: %v", err)
		}
		all = append(all, m)
	}
	return all
}

func subjects(messages []*session.Message) string {
	var words []string
	for _, m := range messages {
		words = append(words, strings.TrimPrefix(m.Header.Subject(), "Sample "))
	}
	return strings.Join(words, " ")
}

func TestMessagesInOrder(t *testing.T) {
	w := newWorld(t, 25, nil)
	if err := w.account.AddFlags("INBOX", []string{mailtest.Seen}, 1, 2, 24); err != nil {
		t.Fatal(err)
	}
	if err := w.account.AddFlags("INBOX", []string{mailtest.Answered, mailtest.Flagged}, 3); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name  string
		query session.Query
		want  string
	}{
		{"all, newest first", session.Query{}, "25 24 23 22 21 20 19 18 17 16 15 14 13 12 11 10 9 8 7 6 5 4 3 2 1"},
		{"limit", session.Query{Limit: 3}, "25 24 23"},
		{"oldest first", session.Query{OldestFirst: true, Limit: 12}, "1 2 3 4 5 6 7 8 9 10 11 12"},
		{"unread", session.Query{Where: session.Filter{Unread: session.Yes}, Limit: 3}, "25 23 22"},
		{"read", session.Query{Where: session.Filter{Unread: session.No}}, "24 2 1"},
		{"answered", session.Query{Where: session.Filter{Answered: session.Yes}}, "3"},
		{"flagged and read", session.Query{Where: session.Filter{Flagged: session.Yes, Unread: session.No}}, ""},
		{"another folder", session.Query{Folder: session.Sent}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := subjects(list(t, w.client.Messages(t.Context(), tt.query))); got != tt.want {
				t.Errorf("Messages(%+v) = %s, want %s", tt.query, got, tt.want)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	w := newWorld(t, 0, nil)
	raw := mailtest.CRLF("From: =?UTF-8?B?w4Ruw6k=?= <bob@example.com>\nTo: ann@example.com\nSubject: Hello\nMessage-ID: <1@x>\n" +
		"Date: Fri, 20 Nov 2026 09:30:00 +0100\nX-Long: not in listings\n\ntext\n")
	received := time.Date(2026, 11, 20, 8, 31, 0, 0, time.UTC)
	if _, err := w.account.Append("INBOX", raw, &mailtest.AppendOptions{Flags: []string{mailtest.Flagged, "$Work"}, Received: received}); err != nil {
		t.Fatal(err)
	}
	m := list(t, w.client.Messages(t.Context(), session.Query{}))[0]
	if from := m.Header.From(); len(from) != 1 || from[0].Name != "Äné" || from[0].Address != "bob@example.com" {
		t.Errorf("From() = %v", from)
	}
	if !m.Received.Equal(received) || m.Size != int64(len(raw)) || m.Header.MessageID() != "1@x" {
		t.Errorf("summary %+v", m)
	}
	if !m.Flags.Has(session.Flagged) || !m.Flags.Has("$work") || !m.Unread() {
		t.Errorf("Flags = %v", m.Flags)
	}
	m = list(t, w.client.Messages(t.Context(), session.Query{Fields: session.FieldSize}))[0]
	if m.Flags != nil || !m.Received.IsZero() || m.Header.MessageID() != "" || m.Size != int64(len(raw)) || m.ID.IsZero() {
		t.Errorf("summary with the size alone: %+v", m)
	}
}

func TestOpenGivesTheExactBytesAndMarksNothing(t *testing.T) {
	w := newWorld(t, 0, nil)
	for _, raw := range []string{"", "Subject: x\r\n\r\n", mailtest.Sample(1), "8bit \xff and\nbare\rends", strings.Repeat("0123456789abcdef", 1<<16)} {
		if _, err := w.account.Append("INBOX", raw, nil); err != nil {
			t.Fatal(err)
		}
		m := list(t, w.client.Messages(t.Context(), session.Query{Limit: 1}))[0]
		for _, read := range []func(io.Reader) ([]byte, error){io.ReadAll, copied} {
			body, err := w.client.Open(t.Context(), m.ID)
			if err != nil {
				t.Fatal(err)
			}
			got, err := read(body)
			if string(got) != raw || err != nil {
				t.Errorf("Open() = %.40q (%d bytes), %v, want %.40q (%d)", got, len(got), err, raw, len(raw))
			}
			if err := body.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
	}
	for _, m := range list(t, w.client.Messages(t.Context(), session.Query{Where: session.Filter{Unread: session.No}})) {
		t.Errorf("%v is marked as seen", m.ID)
	}
}

// TestAnyCallInsideTheLoop: the connection is free while messages are yielded,
// even where there is but one.
func TestAnyCallInsideTheLoop(t *testing.T) {
	w := newWorld(t, 12, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = 1 })
	seen := 0
	for m, err := range w.client.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		body, err := w.client.Open(t.Context(), m.ID)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			t.Fatal(err)
		}
		if _, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, m.ID); err != nil {
			t.Fatal(err)
		}
		if len(list(t, w.client.Messages(t.Context(), session.Query{Limit: 1}))) != 1 {
			t.Fatal("no message in a loop inside the loop")
		}
		if seen++; seen == 11 {
			break
		}
	}
	if left := len(list(t, w.client.Messages(t.Context(), session.Query{Where: session.Filter{Unread: session.Yes}}))); left != 1 {
		t.Errorf("%d messages unread after a break at the eleventh, want 1", left)
	}
	if made, _ := w.server.Connections(); made != 1 {
		t.Errorf("%d connections were made, want 1", made)
	}
}

func TestUnreadBodyDoesNotCostTheConnection(t *testing.T) {
	w := newWorld(t, 1, nil)
	id := list(t, w.client.Messages(t.Context(), session.Query{}))[0].ID
	for range 3 {
		body, err := w.client.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := body.Read(make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		if err := body.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if _, err := body.Read(make([]byte, 3)); !errors.Is(err, session.ErrClosed) {
			t.Errorf("Read after Close: %v, want ErrClosed", err)
		}
	}
	if made, _ := w.server.Connections(); made != 1 {
		t.Errorf("%d connections were made, want 1", made)
	}
}

func TestFolders(t *testing.T) {
	for name, o := range map[string]*imaptest.Options{
		"by SPECIAL-USE": nil,
		"by name":        {Capabilities: imaptest.Without("SPECIAL-USE", "LIST-EXTENDED")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 0, o)
			if err := w.account.CreateFolder("Projekte/Größe & Ähnliches", ""); err != nil {
				t.Fatal(err)
			}
			got := map[string]session.Role{}
			for f, err := range w.client.Folders(t.Context()) {
				if err != nil {
					t.Fatal(err)
				}
				got[f.Path] = f.Role
			}
			want := map[string]session.Role{
				"INBOX": session.RoleInbox, "Sent": session.RoleSent, "Drafts": session.RoleDrafts, "Trash": session.RoleTrash,
				"Junk": session.RoleJunk, "Archive": session.RoleArchive, "Projekte": "", "Projekte/Größe & Ähnliches": "",
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("Folders:\n got %v\nwant %v", got, want)
			}
			for m, err := range w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt("Projekte/Größe & Ähnliches")}) {
				t.Errorf("an empty folder gives %v, %v", m, err)
			}
			for _, err := range w.client.Messages(t.Context(), session.Query{Folder: session.FolderAt("Nowhere")}) {
				if !errors.Is(err, session.ErrNoFolder) {
					t.Errorf("Messages of a folder that is not there: %v, want ErrNoFolder", err)
				}
			}
		})
	}
}

// uids returns the UIDs of a folder and the flags of each message.
func contents(t *testing.T, a *mailtest.Account, folder string) string {
	t.Helper()
	messages, err := a.Messages(folder)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range messages {
		slices.Sort(m.Flags)
		words = append(words, fmt.Sprintf("%d%v", m.UID, m.Flags))
	}
	return strings.Join(words, " ")
}

// ids returns the ids of the inbox, the oldest first.
func ids(t *testing.T, w *world) []session.ID {
	t.Helper()
	var all []session.ID
	for _, m := range list(t, w.client.Messages(t.Context(), session.Query{OldestFirst: true})) {
		all = append(all, m.ID)
	}
	return all
}

func wantOutcomes(t *testing.T, results []session.Result, want ...session.ChangeOutcome) {
	t.Helper()
	var got []session.ChangeOutcome
	for _, r := range results {
		got = append(got, r.Outcome)
		if (r.Err == nil) != (r.Outcome == session.Done) {
			t.Errorf("%v: outcome %v with error %v", r.ID, r.Outcome, r.Err)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("outcomes %v, want %v: %+v", got, want, results)
	}
}

func TestFlagsChangeAndNothingElse(t *testing.T) {
	w := newWorld(t, 3, nil)
	if err := w.account.SetFlags("INBOX", []string{mailtest.Flagged}, 1, 2); err != nil {
		t.Fatal(err)
	}
	all := ids(t, w)
	results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen, "$Work"}, Clear: session.Flags{session.Flagged}}, all[0], all[2])
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.Done, session.Done)
	if got, want := contents(t, w.account, "INBOX"), `1[$Work \Seen] 2[\Flagged] 3[$Work \Seen]`; got != want {
		t.Errorf("inbox %s, want %s", got, want)
	}
}

func TestMoveAndCopyTellTheNewIDs(t *testing.T) {
	for name, o := range map[string]*imaptest.Options{
		"MOVE":    nil,
		"UIDPLUS": {Capabilities: imaptest.Without("MOVE")},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, 4, o)
			// Somebody else's mark must survive the fallback's expunge.
			if err := w.account.AddFlags("INBOX", []string{mailtest.Deleted}, 4); err != nil {
				t.Fatal(err)
			}
			all := ids(t, w)
			results, err := w.client.Apply(t.Context(), session.Change{MoveTo: session.Archive}, all[2], all[0])
			if err != nil {
				t.Fatal(err)
			}
			wantOutcomes(t, results, session.Done, session.Done)
			if got, want := contents(t, w.account, "INBOX"), `2[] 4[\Deleted]`; got != want {
				t.Errorf("inbox %s, want %s", got, want)
			}
			for i, want := range []string{"Subject: Sample 3", "Subject: Sample 1"} {
				if got := read(t, w.client, results[i].NewID); !strings.Contains(got, want) {
					t.Errorf("the new id of message %d reads %.60q, want %q", i, got, want)
				}
			}
			results, err = w.client.Apply(t.Context(), session.Change{CopyTo: session.FolderAt("Junk")}, all[1])
			if err != nil {
				t.Fatal(err)
			}
			wantOutcomes(t, results, session.Done)
			if got := read(t, w.client, results[0].NewID); !strings.Contains(got, "Subject: Sample 2") {
				t.Errorf("the copy reads %.60q", got)
			}
		})
	}
}

func read(t *testing.T, c *imapx.Client, id session.ID) string {
	t.Helper()
	body, err := c.Open(t.Context(), id)
	if err != nil {
		t.Fatalf("Open(%v): %v", id, err)
	}
	defer body.Close()
	raw, err := io.ReadAll(body)
	if err != nil {
		t.Fatalf("read %v: %v", id, err)
	}
	return string(raw)
}

func TestDeleteRemovesOnlyWhatWasNamed(t *testing.T) {
	w := newWorld(t, 4, nil)
	if err := w.account.AddFlags("INBOX", []string{mailtest.Deleted}, 2); err != nil {
		t.Fatal(err)
	}
	all := ids(t, w)
	results, err := w.client.Apply(t.Context(), session.Change{Delete: true}, all[0], all[3])
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.Done, session.Done)
	if got, want := contents(t, w.account, "INBOX"), `2[\Deleted] 3[]`; got != want {
		t.Errorf("inbox %s, want %s", got, want)
	}
}

// TestWithoutUIDPLUS: what could remove more than it should is not done.
func TestWithoutUIDPLUS(t *testing.T) {
	w := newWorld(t, 2, &imaptest.Options{Capabilities: imaptest.Without("MOVE", "UIDPLUS")})
	all := ids(t, w)
	for _, change := range []session.Change{{Delete: true}, {MoveTo: session.Archive}} {
		results, err := w.client.Apply(t.Context(), change, all...)
		if err != nil {
			t.Fatal(err)
		}
		wantOutcomes(t, results, session.NotDone, session.NotDone)
		if !errors.Is(results[0].Err, errors.ErrUnsupported) || !strings.Contains(results[0].Err.Error(), "UIDPLUS") {
			t.Errorf("error %v, want errors.ErrUnsupported that names UIDPLUS", results[0].Err)
		}
	}
	if got, want := contents(t, w.account, "INBOX")+"|"+contents(t, w.account, "Archive"), "1[] 2[]|"; got != want {
		t.Errorf("inbox and archive %s, want %s", got, want)
	}
	facts, err := w.client.Facts(t.Context())
	if err != nil || facts.SafeMove || facts.NewIDs || facts.Backend != "imap" {
		t.Errorf("Facts() = %+v, %v, want neither SafeMove nor NewIDs", facts, err)
	}
}

func TestIDsOfOthersAndOfThePast(t *testing.T) {
	w := newWorld(t, 3, nil)
	other := newWorld(t, 3, nil, func(s *session.Server, _ *session.Credentials, _ *imapx.Options) { s.Host = "127.0.0.1" })
	all, foreign := ids(t, w), ids(t, other)
	if _, err := w.account.Expunge("INBOX", 2); err != nil {
		t.Fatal(err)
	}
	results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, foreign[0], all[1], all[2], session.ID{})
	if err != nil {
		t.Fatal(err)
	}
	wantOutcomes(t, results, session.NotDone, session.NotDone, session.Done, session.NotDone)
	if !errors.Is(results[0].Err, session.ErrOtherMailbox) || !errors.Is(results[1].Err, session.ErrNoMessage) {
		t.Errorf("errors %v and %v, want ErrOtherMailbox and ErrNoMessage", results[0].Err, results[1].Err)
	}
	for id, want := range map[session.ID]error{foreign[0]: session.ErrOtherMailbox, all[1]: session.ErrNoMessage} {
		if _, err := w.client.Open(t.Context(), id); !errors.Is(err, want) {
			t.Errorf("Open error %v, want %v", err, want)
		}
	}
	if err := w.account.BumpUIDValidity("INBOX"); err != nil {
		t.Fatal(err)
	}
	w.server.Disconnect() // a selected folder does not learn of it
	if _, err := w.client.Open(t.Context(), all[0]); !errors.Is(err, session.ErrStaleID) {
		t.Errorf("Open error %v after the folder was renumbered, want ErrStaleID", err)
	}
	results, err = w.client.Apply(t.Context(), session.Change{Delete: true}, all[0])
	if err != nil {
		t.Fatal(err)
	}
	if wantOutcomes(t, results, session.NotDone); !errors.Is(results[0].Err, session.ErrStaleID) {
		t.Errorf("error %v, want ErrStaleID", results[0].Err)
	}
}

func TestFlagsThatAreNone(t *testing.T) {
	w := newWorld(t, 1, nil)
	all := ids(t, w)
	for _, f := range []session.Flag{"", `\`, "two words", "a)\r\nA1 DELETE INBOX", "ümlaut", `quo"te`, "[x]", "50%"} {
		results, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{f}}, all...)
		if err == nil || len(results) != 1 || results[0].Outcome != session.NotDone {
			t.Errorf("Apply with the flag %q = %+v, %v, want a refusal", f, results, err)
		}
	}
	for _, c := range w.server.Commands() {
		if strings.Contains(c.Name, "STORE") {
			t.Errorf("the server was told %q", c.Line)
		}
	}
}

// TestKeywordsThatAreNone: what Exchange alone takes for a keyword is not searched for,
// and nobody is asked.
func TestKeywordsThatAreNone(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, f := range []session.Flag{`\`, "Red category", "Größe", "a)", "50%", `a\b`} {
		for _, where := range []session.Filter{
			{Keyword: f}, {Not: &session.Filter{Keyword: f}}, {From: "ann", AnyOf: []session.Filter{{Subject: "a"}, {All: []session.Filter{{Keyword: f}}}}},
		} {
			q := session.Query{Where: where}
			_, explained := w.client.Explain(t.Context(), q)
			for m, err := range w.client.Messages(t.Context(), q) {
				if m != nil || err == nil || explained == nil || err.Error() != explained.Error() || !strings.Contains(err.Error(), fmt.Sprintf("%q cannot be a flag; use letters of ASCII", f)) {
					t.Errorf("Messages(%v) = %v, %v, and Explain = %v; want a refusal of the flag", where, m, err, explained)
				}
			}
		}
	}
	if all := w.server.Commands(); len(all) != 0 {
		t.Errorf("the server was told %v, want nothing", all)
	}
}

func TestReadOnlyOpensByEXAMINE(t *testing.T) {
	w := newWorld(t, 2, nil)
	s, err := session.New(session.Credentials{User: ann, Password: password()},
		imapx.Backend(session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: w.server.Dial}, nil), nil,
		&session.Options{Mode: session.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range w.server.Commands() {
		if c.Name == "SELECT" {
			t.Errorf("a read-only session says %q", c.Line)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	w := newWorld(t, 30, nil, func(_ *session.Server, _ *session.Credentials, o *imapx.Options) { o.MaxConnections = 3 })
	all := ids(t, w)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 10 {
				id := all[(i*10+j)%len(all)]
				if _, err := w.client.Apply(t.Context(), session.Change{Set: session.Flags{session.Seen}}, id); err != nil {
					t.Errorf("Apply: %v", err)
				}
				body, err := w.client.Open(t.Context(), id)
				if err != nil {
					t.Errorf("Open: %v", err)
					return
				}
				if _, err := io.Copy(io.Discard, body); err != nil {
					t.Errorf("read: %v", err)
				}
				for _, err := range w.client.Messages(t.Context(), session.Query{Limit: 5}) {
					if err != nil {
						t.Errorf("Messages: %v", err)
					}
				}
			}
		})
	}
	group.Wait()
	if made, _ := w.server.Connections(); made > 3 {
		t.Errorf("%d connections were made, want at most 3", made)
	}
}

func TestNothingShowsThePassword(t *testing.T) {
	var out strings.Builder
	var transcript lockedBuilder
	w := newWorld(t, 2, &imaptest.Options{Security: mailtest.TLS}, func(s *session.Server, _ *session.Credentials, _ *imapx.Options) {
		s.Security, s.Transcript = session.TLS, &transcript
	})
	s, err := session.New(session.Credentials{User: ann, Password: password()},
		imapx.Backend(session.Server{Host: "localhost", TLS: w.server.ClientTLS(), Dial: w.server.Dial, Transcript: &transcript}, nil), nil,
		&session.Options{Logger: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for m, err := range s.Messages(t.Context(), session.Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Read(t.Context(), m.ID); err != nil {
			t.Fatal(err)
		}
	}
	all := out.String() + transcript.String() + fmt.Sprintf("%+v", s) + fmt.Sprintf("%+v", w.server.Commands())
	if !strings.Contains(transcript.String(), "AUTHENTICATE PLAIN [redacted]") {
		t.Errorf("the transcript lacks the masked sign-in:\n%s", transcript.String())
	}
	for _, s := range []string{password().Reveal(), "AGFubkBleGFtcGxlLmNvbQ"} { // base64 of \0ann@example.com
		if strings.Contains(all, s) {
			t.Errorf("%q shows in:\n%s", s, all)
		}
	}
}

type lockedBuilder struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedBuilder) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuilder) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
