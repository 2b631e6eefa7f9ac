//go:build interop

package interop_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// filled signs in a library session and another client, and puts n messages into
// the inbox.
func filled(t *testing.T, n int) (*session.Session, *rawIMAP) {
	t.Helper()
	servers := startServers(t, nil)
	user := userOf(t, servers, ann)
	raw := dialIMAPS(t, servers)
	raw.login(user)
	for i := range n {
		text := fmt.Sprintf("From: bob@example.org\r\nMessage-ID: <%d@x>\r\nSubject: Sample %d\r\n\r\ntext\r\n", i+1, i+1)
		raw.ok(fmt.Sprintf("APPEND INBOX {%d+}\r\n%s", len(text), text))
	}
	in, out := pair(t, servers, session.TLS)
	return newSession(t, session.Credentials{User: ann, Password: user.Password}, in, out), raw
}

// summaries returns what the inbox holds, the oldest first.
func summaries(t *testing.T, s *session.Session, fields session.Fields) []*session.Message {
	t.Helper()
	var all []*session.Message
	for m, err := range s.Messages(t.Context(), session.Query{OldestFirst: true, Fields: fields}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

func outcomes(results []session.Result) []session.ChangeOutcome {
	var all []session.ChangeOutcome
	for _, r := range results {
		all = append(all, r.Outcome)
	}
	return all
}

// TestConditionOnDovecot: what another changed since the listing stays as it is.
func TestConditionOnDovecot(t *testing.T) {
	t.Parallel()
	s, raw := filled(t, 3)
	all := summaries(t, s, session.FieldFlags|session.FieldVersion)
	raw.ok("SELECT INBOX")
	raw.ok(`UID STORE 2 +FLAGS (\Answered)`)
	results, err := s.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}, Clear: session.Flags{session.Seen}, IfUnchanged: session.Unchanged(all...)},
		all[0].ID, all[1].ID, all[2].ID)
	if want := []session.ChangeOutcome{session.Done, session.NotDone, session.Done}; err != nil || !slices.Equal(outcomes(results), want) {
		t.Fatalf("results %v (%v), want %v", results, err, want)
	}
	if !errors.Is(results[1].Err, session.ErrChanged) {
		t.Errorf("error %v, want ErrChanged", results[1].Err)
	}
	now := summaries(t, s, session.FieldFlags|session.FieldVersion)
	if !now[0].Flags.Has(session.Flagged) || now[1].Flags.Has(session.Flagged) || now[0].Version == all[0].Version {
		t.Errorf("messages %+v, %+v after", now[0], now[1])
	}
	results, err = s.Apply(t.Context(), session.Change{Delete: true, IfUnchanged: session.Unchanged(all[0], now[1])}, all[0].ID, all[1].ID)
	if want := []session.ChangeOutcome{session.NotDone, session.Done}; err != nil || !slices.Equal(outcomes(results), want) {
		t.Errorf("deletion: results %v (%v), want %v", results, err, want)
	}
}

// TestPurgeOnDovecot removes what is marked, in one folder alone.
func TestPurgeOnDovecot(t *testing.T) {
	t.Parallel()
	s, raw := filled(t, 4)
	raw.ok("SELECT INBOX")
	raw.ok(`UID STORE 2,4 +FLAGS (\Deleted)`)
	results, err := s.PurgeMarked(t.Context(), session.Inbox)
	if err != nil || !slices.Equal(outcomes(results), []session.ChangeOutcome{session.Done, session.Done}) {
		t.Fatalf("results %v (%v)", results, err)
	}
	if left := summaries(t, s, session.FieldsAll); len(left) != 2 || left[0].Header.Subject() != "Sample 1" || left[1].Header.Subject() != "Sample 3" {
		t.Errorf("%d messages are left", len(left))
	}
	if results, err := s.PurgeMarked(t.Context(), session.Inbox); err != nil || len(results) != 0 {
		t.Errorf("again: %v, %v", results, err)
	}
}

// TestAppendOnDovecot: bytes, flags, date and id, in a folder that is there and
// in one that is not, small and large.
func TestAppendOnDovecot(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, 1)
	received := time.Date(2025, 2, 3, 4, 5, 6, 0, time.FixedZone("", -7*3600))
	small := "Message-ID: <draft@x>\r\nSubject: draft\r\n\r\ntext\r\n"
	for _, text := range []string{small, small + strings.Repeat("0123456789\r\n", 200_000)} {
		id, err := s.Append(t.Context(), session.Drafts, message.Bytes([]byte(text)), &session.AppendOptions{
			Flags: session.Flags{session.Draft, session.Seen}, Received: received,
		})
		if err != nil {
			t.Fatal(err)
		}
		body, err := s.Open(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(body)
		if err != nil || string(got) != text {
			t.Errorf("%d bytes (%v), want %d", len(got), err, len(text))
		}
		_ = body.Close()
	}
	for m, err := range s.Messages(t.Context(), session.Query{Folder: session.Drafts}) {
		if err != nil {
			t.Fatal(err)
		}
		if !m.Flags.Has(session.Draft) || m.Unread() || !m.Received.Equal(received) {
			t.Errorf("kept as %+v", m)
		}
	}
	_, err := s.Append(t.Context(), session.FolderAt("Nowhere"), message.Bytes([]byte(small)), nil)
	if e, ok := errors.AsType[*session.AppendError](err); !ok || e.Outcome != session.NotDone || !errors.Is(err, session.ErrNoFolder) {
		t.Errorf("to a folder that is not there: %v", err)
	}
}

// TestBodiesOnDovecot: each message once, with calls inside the loop.
func TestBodiesOnDovecot(t *testing.T) {
	t.Parallel()
	s, raw := filled(t, 30)
	var all []session.ID
	for _, m := range summaries(t, s, session.FieldSize) {
		all = append(all, m.ID)
	}
	raw.ok("SELECT INBOX")
	raw.ok(`UID STORE 7 +FLAGS (\Deleted)`)
	raw.ok("UID EXPUNGE 7")
	n, gone := 0, 0
	for b, err := range s.Bodies(t.Context(), all...) {
		if errors.Is(err, session.ErrNoMessage) {
			gone++
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(b)
		if n++; err != nil || !strings.Contains(string(text), fmt.Sprintf("\r\nSubject: Sample %d\r\n", slices.Index(all, b.ID)+1)) {
			t.Errorf("%v: %q, %v", b.ID, text, err)
		}
		if _, err := s.Apply(t.Context(), session.Change{Set: session.Flags{session.Flagged}}, b.ID); err != nil {
			t.Error(err)
		}
	}
	if n != 29 || gone != 1 {
		t.Errorf("%d bodies and %d that are gone, want 29 and 1", n, gone)
	}
}

// TestPartsOnDovecot: single parts without their encoding, and ranges.
func TestPartsOnDovecot(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, 0)
	text := strings.ReplaceAll("Message-ID: <parts@x>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nplain\n"+
		"--b\nContent-Type: application/pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0x\nLjQ=\n--b--\n", "\n", "\r\n")
	lone := "Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n"
	var all []session.ID
	for _, raw := range []string{text, lone} {
		id, err := s.Append(t.Context(), session.Inbox, message.Bytes([]byte(raw)), nil)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, id)
	}
	for _, tt := range []struct {
		id           session.ID
		number, want string
	}{{all[0], "1", "plain"}, {all[0], "2", "%PDF-1.4"}, {all[1], "1", "hello"}} {
		p, err := s.OpenPart(t.Context(), tt.id, tt.number)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(p); err != nil || string(got) != tt.want {
			t.Errorf("part %s: %q (%v), want %q", tt.number, got, err, tt.want)
		}
		_ = p.Close()
	}
	if _, err := s.OpenPart(t.Context(), all[0], "3"); !errors.Is(err, session.ErrNoPart) {
		t.Errorf("part 3: %v, want ErrNoPart", err)
	}
	for _, r := range [][2]int64{{5, 20}, {40, 0}, {100_000, 5}} {
		body, err := s.OpenRange(t.Context(), all[0], r[0], r[1])
		if err != nil {
			t.Fatal(err)
		}
		from := min(r[0], int64(len(text)))
		want := text[from:]
		if r[1] > 0 {
			want = want[:min(r[1], int64(len(want)))]
		}
		if got, err := io.ReadAll(body); err != nil || string(got) != want {
			t.Errorf("%d bytes from %d: %q (%v), want %q", r[1], r[0], got, err, want)
		}
		_ = body.Close()
	}
}

// TestFoldersOnDovecot are made, filled, renamed and removed.
func TestFoldersOnDovecot(t *testing.T) {
	t.Parallel()
	s, _ := filled(t, 1)
	ctx := t.Context()
	inbox := summaries(t, s, session.FieldSize)[0].ID
	if err := s.CreateFolder(ctx, "Büro/2026 & mehr"); err != nil {
		t.Fatal(err)
	}
	results, err := s.Apply(ctx, session.Change{MoveTo: session.FolderAt("Büro/2026 & mehr")}, inbox)
	if err != nil || results[0].Outcome != session.Done {
		t.Fatalf("results %v, %v", results, err)
	}
	if err := s.RenameFolder(ctx, session.FolderAt("Büro/2026 & mehr"), "Büro/2027"); err != nil {
		t.Fatal(err)
	}
	if err := s.Subscribe(ctx, session.FolderAt("Büro/2027"), true); err != nil {
		t.Error(err)
	}
	n := 0
	for _, err := range s.Messages(ctx, session.Query{Folder: session.FolderAt("Büro/2027")}) {
		if n++; err != nil {
			t.Fatal(err)
		}
	}
	counts, err := s.Count(ctx, session.FolderAt("Büro/2027"))
	if n != 1 || err != nil || counts.Messages != 1 || counts.Unread != 1 || counts.Bytes <= 0 {
		t.Errorf("%d messages in the renamed folder, counted %+v (%v), want 1", n, counts, err)
	}
	if err := s.CreateFolder(ctx, "Büro/2027"); err == nil {
		t.Error("a folder was made twice")
	}
	if err := s.DeleteFolder(ctx, session.FolderAt("Büro/2027")); err != nil {
		t.Error(err)
	}
	if err := s.DeleteFolder(ctx, session.FolderAt("Büro/2027")); !errors.Is(err, session.ErrNoFolder) {
		t.Errorf("once more: %v, want ErrNoFolder", err)
	}
}
