package ews_test

import (
	"errors"
	"fmt"
	"net/http"
	netmail "net/mail"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// letterWith returns a draft with files of so many bytes.
func letterWith(sizes ...int) *message.Draft {
	d := &message.Draft{From: netmail.Address{Address: ann}, Subject: "Figures", Text: "See the files.\r\n--not a boundary\r\n"}
	for i, size := range sizes {
		d.Files = append(d.Files, message.DraftFile{
			Name: fmt.Sprintf("file %d.bin", i), Content: message.Bytes([]byte(strings.Repeat(string(rune('a'+i)), size))),
		})
	}
	return d
}

// drafting returns a Session over a server that takes requests of up to a million
// bytes.
func drafting(t *testing.T, version ewstest.Version) (*session.Session, *bed) {
	t.Helper()
	b := newBed(t, settings{server: ewstest.Options{Version: version, MaxRequest: 1_000_000}, client: ews.Options{}})
	s, err := session.New(session.Credentials{User: ann, Password: password()}, func(session.Setup) (session.Incoming, error) { return b.Client, nil }, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, b
}

func (b *bed) drafts(t *testing.T) []mailtest.Message {
	t.Helper()
	all, err := b.account.Messages("Drafts")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestLargeDraft: a draft that is larger than a request may be is stored with all that
// is attached, and is a draft.
func TestLargeDraft(t *testing.T) {
	for _, version := range ewstest.Versions() {
		t.Run(string(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, b := drafting(t, version)
				id, err := s.SaveDraft(t.Context(), letterWith(600_000, 500_000, 10), nil)
				if err != nil {
					t.Fatalf("SaveDraft: %v", err)
				}
				m, err := s.Read(t.Context(), id)
				if err != nil {
					t.Fatalf("Read: %v", err)
				}
				var got []string
				for _, a := range m.Attachments {
					got = append(got, fmt.Sprintf("%s %d %q", a.Name, len(a.Content), a.Content[:1]))
				}
				if want := `file 0.bin 600000 "a", file 1.bin 500000 "b", file 2.bin 10 "c"`; strings.Join(got, ", ") != want {
					t.Errorf("the draft has %q attached, want %s", got, want)
				}
				if !strings.Contains(m.Text, "--not a boundary") || m.Header.Subject() != "Figures" {
					t.Errorf("the draft %q says %q", m.Header.Subject(), m.Text)
				}
				if all := b.drafts(t); len(all) != 1 || !all[0].Has(mailtest.Draft) || !all[0].Has(mailtest.Seen) {
					t.Errorf("the folder has %d drafts with the flags %v, want one draft that is read", len(all), all)
				}
			})
		})
	}
}

// TestDraftThatIsTooLarge: where one attachment alone is too large, the error says so
// and nothing is left, as where a message is not a draft or cannot be divided.
func TestDraftThatIsTooLarge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := drafting(t, ewstest.Exchange2016)
		wants := func(what string, err error) {
			t.Helper()
			e, ok := errors.AsType[*session.AppendError](err)
			if !ok || e.Outcome != session.NotDone || !strings.Contains(err.Error(), "413") {
				t.Errorf("%s: %v; want that the request is too large, and nothing done", what, err)
			}
			if n := len(b.drafts(t)); n != 0 {
				t.Errorf("%s: %d drafts are left", what, n)
			}
		}
		_, err := s.SaveDraft(t.Context(), letterWith(10, 900_000), nil)
		wants("one large attachment", err)
		_, err = s.SaveDraft(t.Context(), &message.Draft{From: netmail.Address{Address: ann}, Subject: "Much", Text: strings.Repeat("word ", 300_000)}, nil)
		wants("a long text", err)
		m, err := letterWith(600_000, 500_000).StoredSource()
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Append(t.Context(), session.Inbox, m, nil)
		wants("no draft", err)
	})
}

// TestDraftThatBreaksOff: where an attachment does not get through, and the half draft
// cannot be removed either, the error names it.
func TestDraftThatBreaksOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := drafting(t, ewstest.Exchange2016)
		b.server.Inject(ewstest.Failing("CreateAttachment", "ErrorQuotaExceeded"))
		_, err := s.SaveDraft(t.Context(), letterWith(600_000, 500_000), nil)
		if e, ok := errors.AsType[*session.AppendError](err); !ok || e.Outcome != session.NotDone || !errors.Is(err, session.ErrOverQuota) || len(b.drafts(t)) != 0 {
			t.Errorf("a full mailbox: %v, and %d drafts; want ErrOverQuota and none", err, len(b.drafts(t)))
		}
		b.server.Inject(ewstest.Failing("CreateAttachment", "ErrorQuotaExceeded"), ewstest.Failing("DeleteItem", "ErrorAccessDenied"))
		_, err = s.SaveDraft(t.Context(), letterWith(600_000, 500_000), nil)
		if e, ok := errors.AsType[*session.AppendError](err); !ok || e.Outcome != session.DoneUnknown || !strings.Contains(err.Error(), "is left as") {
			t.Errorf("where it cannot be removed: %v; want that it is left", err)
		}
	})
}

// TestAttachmentsAreValid: the request that attaches something is one of the schema.
func TestAttachmentsAreValid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, b := drafting(t, ewstest.Exchange2007SP1)
		if _, err := s.SaveDraft(t.Context(), letterWith(600_000, 500_000, 10), nil); err != nil {
			t.Fatal(err)
		}
		requests := map[string]string{}
		for _, r := range b.server.Requests() {
			if r.Body != "" && r.Status == http.StatusOK {
				requests[r.Operation] = r.Body
			}
		}
		if requests["CreateAttachment"] == "" {
			t.Fatal("there was no CreateAttachment")
		}
		validate(t, requests)
	})
}
