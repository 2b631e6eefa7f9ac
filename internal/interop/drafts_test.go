//go:build interop

package interop_test

import (
	"errors"
	"net/mail"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// inDrafts returns how many drafts there are.
func inDrafts(t *testing.T, s *session.Session) int {
	t.Helper()
	n := 0
	for m, err := range s.Messages(t.Context(), session.Query{Folder: session.Drafts}) {
		if err != nil {
			t.Fatal(err)
		}
		if !m.Flags.Has(session.Draft) || !m.Flags.Has(session.Seen) {
			t.Errorf("a draft has the flags %v, want that of drafts and that of what was seen", m.Flags)
		}
		n++
	}
	return n
}

// TestDraftsOnRealServers keeps a draft at Dovecot, changes it, meets another
// program that changed it too, and sends it by Postfix: with a blind copy that
// those who get it do not see.
func TestDraftsOnRealServers(t *testing.T) {
	t.Parallel()
	servers := startServers(t, nil)
	in, out := pair(t, servers, session.STARTTLS)
	s := newSession(t, session.Credentials{User: ann, Password: userOf(t, servers, ann).Password}, in, out)
	ctx := t.Context()
	draft := &message.Draft{
		From: mail.Address{Name: "Änn", Address: ann}, Bcc: []mail.Address{{Name: "Änn", Address: ann}},
		Subject: "Entwurf – 注意", Text: "one\n",
	}
	first, err := s.SaveDraft(ctx, draft, nil)
	if err != nil {
		t.Fatal(err)
	}
	draft.Text = "two\n.\nwith dots\n"
	second, err := s.UpdateDraft(ctx, first, draft, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n := inDrafts(t, s); n != 1 {
		t.Errorf("%d drafts after a change, want one", n)
	}
	var version session.Version
	for m, err := range s.Messages(ctx, session.Query{Folder: session.Drafts, Fields: session.FieldVersion}) {
		if err != nil {
			t.Fatal(err)
		}
		version = m.Version
	}
	apply(t, s, session.Change{Set: session.Flags{session.Flagged}}, second)
	third, err := s.UpdateDraft(ctx, second, draft, &session.DraftOptions{IfUnchanged: version})
	if e, ok := errors.AsType[*session.DraftError](err); !ok || !errors.Is(err, session.ErrChanged) || e.Stored != third || e.Left != second {
		t.Errorf("UpdateDraft() of a draft that was changed = %v, %v, want ErrChanged", third, err)
	}
	if n := inDrafts(t, s); n != 2 {
		t.Errorf("%d drafts after two programs changed one, want both", n)
	}
	apply(t, s, session.Change{Delete: true}, second)
	if _, err := s.UpdateDraft(ctx, second, draft, nil); !errors.Is(err, session.ErrNoMessage) {
		t.Errorf("UpdateDraft() of a draft that is gone = %v, want ErrNoMessage", err)
	}

	receipt, err := s.SendSavedDraft(ctx, third, &session.SendSavedDraftOptions{MoveTo: session.Sent})
	if err != nil || receipt.Outcome != session.Accepted || receipt.MessageID != draft.MessageID {
		t.Fatalf("SendSavedDraft() = %+v, %v", receipt, err)
	}
	if n := inDrafts(t, s); n != 0 {
		t.Errorf("%d drafts are left of one that was sent", n)
	}
	arrived, err := s.Read(ctx, awaitMail(t, s, draft.MessageID).ID)
	if err != nil {
		t.Fatal(err)
	}
	if arrived.Header.Has("Bcc") || strings.TrimSpace(arrived.Text) != strings.TrimSpace(draft.Text) || arrived.Header.Subject() != draft.Subject {
		t.Errorf("what arrived is\n%s", arrived.Raw())
	}
	for m, err := range s.Messages(ctx, session.Query{Folder: session.Sent}) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Flags.Has(session.Draft) || len(m.Header.Addresses("Bcc")) != 1 {
			t.Errorf("the sent mail has flags %v and Bcc %v, want it to be no draft, with its Bcc", m.Flags, m.Header.Addresses("Bcc"))
		}
	}
}
