package imapx_test

import (
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// TestDraftIsGoneOnWith: a draft comes back from the server with its page, its
// files and its blind copies, is changed, and is sent with all that is left.
func TestDraftIsGoneOnWith(t *testing.T) {
	w := newWorld(t, 0, nil)
	p := &postman{receipt: session.Receipt{Outcome: session.Accepted}}
	s := desk(t, w, p)
	first := note("one")
	first.HTML = `<p>one <img src="cid:logo@example.com">`
	first.Files = []message.DraftFile{
		{Name: "logo.png", ContentID: "logo@example.com", Content: message.Bytes([]byte("pixels"))},
		{Name: "Übersicht.csv", Content: message.Bytes([]byte("a,b\r\n"))},
	}
	id, err := s.SaveDraft(t.Context(), first, nil)
	if err != nil {
		t.Fatalf("SaveDraft() = %v", err)
	}
	d, err := s.ReadDraft(t.Context(), id)
	if err != nil {
		t.Fatalf("ReadDraft() = %v", err)
	}
	if len(d.Bcc) != 1 || d.Bcc[0] != first.Bcc[0] || len(d.Files) != 2 || d.HTML == "" {
		t.Errorf("the draft came back as %+v", d)
	}
	d.Text, d.Files = "two", d.Files[:1]
	if id, err = s.UpdateDraft(t.Context(), id, d, nil); err != nil {
		t.Fatalf("UpdateDraft() = %v", err)
	}
	if _, err := s.SendSavedDraft(t.Context(), id, nil); err != nil {
		t.Fatalf("SendSavedDraft() = %v", err)
	}
	first.Text, first.Files = "two", first.Files[:1]
	source, err := first.Source()
	if err != nil {
		t.Fatal(err)
	}
	if want := textOf(t, source); p.text != want {
		t.Errorf("what was sent is\n%s\nwant\n%s", p.text, want)
	}
}
