package imapx_test

import (
	"context"
	"errors"
	"io"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// postman is a way out that notes what it is given.
type postman struct {
	receipt  session.Receipt
	err      error
	envelope session.Envelope
	text     string
	sent     int
}

func (p *postman) Close() error { return nil }

func (p *postman) Send(_ context.Context, e session.Envelope, m message.Source) (session.Receipt, error) {
	r, err := m.Open()
	if err != nil {
		return session.Receipt{Outcome: session.NotSent}, err
	}
	defer r.Close()
	text, err := io.ReadAll(r)
	if err != nil {
		return session.Receipt{Outcome: session.NotSent}, err
	}
	p.sent++
	p.envelope, p.text = e, string(text)
	return p.receipt, p.err
}

// desk is a Session over a world and a postman.
func desk(t *testing.T, w *world, p *postman) *session.Session {
	t.Helper()
	s, err := session.New(session.Credentials{User: ann, Password: password()},
		func(session.Setup) (session.Incoming, error) { return w.client, nil },
		func(session.Setup) (session.Outgoing, error) { return p, nil }, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// note is a draft.
func note(text string) *message.Draft {
	return &message.Draft{
		From: mail.Address{Name: "Ann", Address: ann}, To: []mail.Address{{Address: "bob@example.org"}},
		Bcc: []mail.Address{{Name: "Cä", Address: "carol@example.org"}}, Subject: "Lunch", Text: text,
		MessageID: "lunch@example.com", Date: time.Date(2026, 11, 3, 10, 0, 0, 0, time.UTC),
	}
}

// texts returns the texts of the drafts there are, from the oldest.
func texts(t *testing.T, w *world) string {
	t.Helper()
	all, err := w.account.Messages("Drafts")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, m := range all {
		_, body, _ := strings.Cut(m.Raw, "\r\n\r\n")
		words = append(words, strings.TrimSpace(body))
	}
	return strings.Join(words, ",")
}

func saved(t *testing.T, s *session.Session) session.ID {
	t.Helper()
	id, err := s.SaveDraft(t.Context(), note("one"), nil)
	if err != nil {
		t.Fatalf("SaveDraft() = %v", err)
	}
	return id
}

// TestDraftIsKeptAndChanged: a draft lies among the drafts, marked as one and with
// its Bcc; the next version takes its place.
func TestDraftIsKeptAndChanged(t *testing.T) {
	w := newWorld(t, 0, nil)
	s := desk(t, w, &postman{})
	old := saved(t, s)
	if got, want := contents(t, w.account, "Drafts"), `1[\Draft \Seen]`; got != want {
		t.Errorf("the drafts are %s, want %s", got, want)
	}
	if got := opened(t, w, old); !strings.HasPrefix(got, "Bcc: =?utf-8?b?Q8Ok?= <carol@example.org>\r\n") {
		t.Errorf("the draft is\n%s\nwant one with its Bcc", got)
	}
	next, err := s.UpdateDraft(t.Context(), old, note("two"), nil)
	if err != nil {
		t.Fatalf("UpdateDraft() = %v", err)
	}
	if got := texts(t, w); got != "two" {
		t.Errorf("the drafts are %q, want the second", got)
	}
	if got := opened(t, w, next); !strings.HasSuffix(got, "two\r\n") || !strings.Contains(got, "Message-ID: <lunch@example.com>") {
		t.Errorf("the new id opens\n%s", got)
	}
}

// TestUpdateDraftThroughFaults: whatever breaks, and wherever, there is a draft,
// and the error tells which.
func TestUpdateDraftThroughFaults(t *testing.T) {
	lost := func(command string) mailtest.Fault { return mailtest.Drop(command, 0).Repeating(-1) }
	ignored := func(f mailtest.Fault) mailtest.Fault { f.Ignore = true; return f }
	for _, tt := range []struct {
		name   string
		fault  mailtest.Fault
		stored bool
		want   string
	}{
		{"the server does not answer what is there", lost("UID FETCH"), false, "one"},
		{"the new one is refused", mailtest.Reply("APPEND", "NO [OVERQUOTA] full"), false, "one"},
		{"the new one is lost on its way", ignored(lost("APPEND")), false, "one"},
		{"the answer about the new one is lost", mailtest.Drop("APPEND", 0), true, "two"},
		{"the new one cannot be seen", lost("UID FETCH").Skipping(1), true, "one,two"},
		{"a crash before the old one is marked", ignored(lost("UID STORE")), true, "one,two"},
		{"the old one cannot be marked", mailtest.Reply("UID STORE", "NO not now"), true, "one,two"},
		{"a crash before the old one goes", ignored(lost("UID EXPUNGE")), true, "one,two"},
		{"the old one cannot be removed", mailtest.Reply("UID EXPUNGE", "NO not now"), true, "one,two"},
		{"the answer about the old one is lost", lost("UID EXPUNGE"), true, "two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 0, nil)
				s := desk(t, w, &postman{})
				old := saved(t, s)
				w.server.Inject(tt.fault)
				id, err := s.UpdateDraft(t.Context(), old, note("two"), nil)
				synctest.Wait()
				if got := texts(t, w); got != tt.want {
					t.Errorf("the drafts are %q, want %q", got, tt.want)
				}
				if err != nil {
					wantDraftError(t, err, old, id)
				}
				if tt.stored != !id.IsZero() || tt.want == "one,two" && err == nil {
					t.Errorf("UpdateDraft() = %v, %v, want an id: %t", id, err, tt.stored)
				}
			})
		})
	}
}

// wantDraftError finds that an error names both drafts.
func wantDraftError(t *testing.T, err error, old, id session.ID) {
	t.Helper()
	e, ok := errors.AsType[*session.DraftError](err)
	if !ok || e.Left != old || e.Stored != id {
		t.Errorf("UpdateDraft() = %v, want an error that leaves %v and stored %v", err, old, id)
	}
}

// TestDraftOfTwoPrograms: what another program did to a draft is not lost.
func TestDraftOfTwoPrograms(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before func(w *world)
		fault  func(w *world) mailtest.Fault
		cause  error
		want   string
	}{
		{"it was sent or changed before", func(w *world) { expungeDraft(w) }, nil, session.ErrNoMessage, ""},
		{"it has another flag", func(w *world) { _ = w.account.AddFlags("Drafts", []string{`\Flagged`}, 1) }, nil, session.ErrChanged, "one,two"},
		{"it goes meanwhile", nil, func(w *world) mailtest.Fault { return mailtest.Call("APPEND", func() { expungeDraft(w) }) }, session.ErrNoMessage, "two"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 0, with("CONDSTORE"))
			s := desk(t, w, &postman{})
			old := saved(t, s)
			summary := list(t, s.Messages(t.Context(), session.Query{Folder: session.Drafts, Fields: session.FieldVersion}))
			if tt.before != nil {
				tt.before(w)
			}
			if tt.fault != nil {
				w.server.Inject(tt.fault(w))
			}
			_, err := s.UpdateDraft(t.Context(), old, note("two"), &session.DraftOptions{IfUnchanged: summary[0].Version})
			if _, ok := errors.AsType[*session.DraftError](err); !ok || !errors.Is(err, tt.cause) {
				t.Errorf("UpdateDraft() = %v, want a DraftError that wraps %v", err, tt.cause)
			}
			if got := texts(t, w); got != tt.want {
				t.Errorf("the drafts are %q, want %q", got, tt.want)
			}
		})
	}
}

func expungeDraft(w *world) { _, _ = w.account.Expunge("Drafts", 1) }

// TestDraftRefused: what the server cannot do is refused before anything is
// stored.
func TestDraftRefused(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options *imaptest.Options
		opts    *session.DraftOptions
		want    func(error) bool
	}{
		{"no safe way to delete", &imaptest.Options{Capabilities: imaptest.Without("UIDPLUS")}, nil, is(errors.ErrUnsupported)},
		{"no versions", &imaptest.Options{Capabilities: imaptest.Without("CONDSTORE", "QRESYNC")}, &session.DraftOptions{IfUnchanged: "7"}, is(errors.ErrUnsupported)},
		{"no such folder", nil, &session.DraftOptions{Folder: session.FolderAt("Nowhere")}, is(session.ErrNoFolder)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, 0, tt.options)
			s := desk(t, w, &postman{})
			old := saved(t, s)
			if _, err := s.UpdateDraft(t.Context(), old, note("two"), tt.opts); !tt.want(err) {
				t.Errorf("UpdateDraft() = %v", err)
			}
			if got := texts(t, w); got != "one" {
				t.Errorf("the drafts are %q, want the first alone", got)
			}
		})
	}
	t.Run("no folder for drafts", func(t *testing.T) {
		w := newWorld(t, 0, nil)
		if err := w.account.DeleteFolder("Drafts"); err != nil {
			t.Fatal(err)
		}
		_, err := desk(t, w, &postman{}).SaveDraft(t.Context(), note("one"), nil)
		if !errors.Is(err, session.ErrNoFolder) || !says("CreateFolder", "DraftOptions.Folder")(err) {
			t.Errorf("SaveDraft() = %v, want ErrNoFolder and what to do", err)
		}
	})
}

// TestSendSavedDraft: the draft goes to all whom it names, without its Bcc, and
// stays wherever somebody might not have got it.
func TestSendSavedDraft(t *testing.T) {
	refused := errors.New("550 no such user")
	for _, tt := range []struct {
		outcome session.SendOutcome
		err     error
		moveTo  session.FolderRef
		fault   mailtest.Fault
		drafts  string
		sent    string
		says    string
	}{
		{outcome: session.Accepted},
		{outcome: session.Accepted, moveTo: session.Sent, sent: `1[\Seen]`},
		{outcome: session.Accepted, fault: mailtest.Reply("UID STORE", "NO not now"), drafts: `1[\Draft \Seen]`, says: "it was sent"},
		{outcome: session.Accepted, moveTo: session.FolderAt("Nowhere"), drafts: `1[\Draft \Seen]`, says: "it was sent"},
		{outcome: session.Partial, err: refused, moveTo: session.Sent, drafts: `1[\Draft \Seen]`, says: "some got it"},
		{outcome: session.Partial, drafts: `1[\Draft \Seen]`, says: "some got it"}, // told by the receipt alone
		{outcome: session.NotSent, err: refused, drafts: `1[\Draft \Seen]`, says: "nobody got it"},
		{outcome: session.SentUnknown, err: refused, drafts: `1[\Draft \Seen]`, says: "it may have been sent"},
	} {
		t.Run(tt.outcome.String()+" "+tt.says+string(tt.moveTo), func(t *testing.T) {
			w := newWorld(t, 0, nil)
			p := &postman{receipt: session.Receipt{Outcome: tt.outcome}, err: tt.err}
			s := desk(t, w, p)
			id, reports := saved(t, s), &session.DeliveryReports{Failure: true}
			if tt.fault.Command != "" {
				w.server.Inject(tt.fault)
			}
			receipt, err := s.SendSavedDraft(t.Context(), id, &session.SendSavedDraftOptions{
				MoveTo: tt.moveTo, SendOptions: session.SendOptions{Reports: reports},
			})
			e, failed := errors.AsType[*session.DraftError](err)
			if failed != (tt.says != "") || failed && (!says(tt.says)(err) || e.Outcome != tt.outcome || e.Left != id) || tt.err != nil && !errors.Is(err, tt.err) {
				t.Errorf("SendSavedDraft() = %v", err)
			}
			if receipt.Outcome != tt.outcome || p.sent != 1 {
				t.Errorf("the message was sent %d times with the outcome %v, want once and %v", p.sent, receipt.Outcome, tt.outcome)
			}
			if got := contents(t, w.account, "Drafts"); got != tt.drafts {
				t.Errorf("the drafts are %q, want %q", got, tt.drafts)
			}
			if got := contents(t, w.account, "Sent"); got != tt.sent {
				t.Errorf("sent mail is %q, want %q", got, tt.sent)
			}
			if want := []string{"bob@example.org", "carol@example.org"}; p.envelope.From != ann || p.envelope.Reports != reports || !slices.Equal(p.envelope.To, want) {
				t.Errorf("the envelope is %+v, want one of %s to %q", p.envelope, ann, want)
			}
			source, err := note("one").Source()
			if err != nil {
				t.Fatal(err)
			}
			if want := textOf(t, source); p.text != want {
				t.Errorf("what was sent is\n%s\nwant\n%s", p.text, want)
			}
		})
	}
}

// TestSendDraftOfNobody: a draft that cannot be sent is not, and stays.
func TestSendDraftOfNobody(t *testing.T) {
	for _, raw := range []string{"From: ann@example.com\n\nto whom?\n", "To: bob@example.org\n\nby whom?\n", "no header\n"} {
		w := newWorld(t, 0, nil)
		p := &postman{}
		s := desk(t, w, p)
		id, err := s.Append(t.Context(), session.Drafts, message.Bytes([]byte(mailtest.CRLF(raw))), nil)
		if err != nil {
			t.Fatal(err)
		}
		receipt, err := s.SendSavedDraft(t.Context(), id, nil)
		if _, ok := errors.AsType[*message.FieldError](err); !ok || receipt.Outcome != session.NotSent || p.sent != 0 {
			t.Errorf("SendSavedDraft() of %q = %v, %v, sent %d times, want a FieldError", raw, receipt, err, p.sent)
		}
		if contents(t, w.account, "Drafts") == "" {
			t.Errorf("the draft %q is gone", raw)
		}
	}
}

// TestDraftsNeedTheRight: a session that only reads keeps and sends none.
func TestDraftsNeedTheRight(t *testing.T) {
	w := newWorld(t, 0, nil)
	id := saved(t, desk(t, w, &postman{}))
	s, err := session.New(session.Credentials{User: ann, Password: password()},
		func(session.Setup) (session.Incoming, error) { return w.client, nil }, nil, &session.Options{Mode: session.ReadOnly})
	if err != nil {
		t.Fatal(err)
	}
	_, errSave := s.SaveDraft(t.Context(), note("two"), nil)
	_, errUpdate := s.UpdateDraft(t.Context(), id, note("two"), nil)
	_, errSend := s.SendSavedDraft(t.Context(), id, nil)
	for _, err := range []error{errSave, errUpdate, errSend} {
		if _, ok := errors.AsType[*session.ModeError](err); !ok {
			t.Errorf("a draft in a session that only reads: %v, want a ModeError", err)
		}
	}
}
