package imapx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// said returns the commands of a name that the client sent, from the n-th on.
func said(w *world, name string, n int) (lines []string) {
	for _, c := range w.server.Commands() {
		if strings.Contains(c.Line, name+" ") {
			lines = append(lines, c.Line)
		}
	}
	return lines[min(n, len(lines)):]
}

// inOrder returns the numbers of what a query finds, those of the newest first in
// ascending order all the same.
func inOrder(t *testing.T, c *imapx.Client, q session.Query) string {
	t.Helper()
	var keys []string
	for _, m := range list(t, c.Messages(t.Context(), q)) {
		keys = append(keys, keyOf(m.ID))
	}
	if !q.OldestFirst {
		slices.Reverse(keys)
	}
	return strings.Join(keys, " ")
}

func withoutPreview() *imaptest.Options {
	return &imaptest.Options{Capabilities: imaptest.Without("PREVIEW")}
}

// TestPreviewsComeInBatches: one command for the summaries of a page, and one for
// all texts that have the same number.
func TestPreviewsComeInBatches(t *testing.T) {
	w := newSearch(t, 1, withoutPreview())
	before := contents(t, w.account, "INBOX")
	all := list(t, w.client.Messages(t.Context(), session.Query{OldestFirst: true, Fields: session.FieldPreview}))
	var got []string
	for _, m := range all {
		got = append(got, m.Preview)
		if m.Structure != nil || m.Incomplete != nil {
			t.Errorf("message %v has a structure that was not asked for, or %v", m.ID, m.Incomplete)
		}
	}
	if want := "Shall we?|Schöne Grüße|the figures|with pleasure||"; !strings.HasPrefix(strings.Join(got, "|"), want) || !strings.HasPrefix(got[5], "a long line of text a long") {
		t.Errorf("the previews are %q, want %q and a long one", got, want)
	}
	fetches := said(w, "UID FETCH", 0)
	if len(fetches) != 2 || !strings.Contains(fetches[0], "1:6 (UID BODYSTRUCTURE)") || !strings.Contains(fetches[1], "1:4,6 (UID BODY.PEEK[1]<0.2048>)") {
		t.Errorf("the commands were %q, want two", fetches)
	}
	if got := contents(t, w.account, "INBOX"); got != before {
		t.Errorf("previews made of %s %s", before, got)
	}
}

// TestPreviewsOfTheServer are asked for lazily, and then in earnest for those that
// it had not at hand; the next time it has them.
func TestPreviewsOfTheServer(t *testing.T) {
	w := newSearch(t, 1, nil)
	for _, want := range [][]string{
		{"1:6 (UID PREVIEW (LAZY))", "1:6 (UID PREVIEW)"},
		{"1:6 (UID PREVIEW (LAZY))", "5 (UID PREVIEW)"}, // which has none
	} {
		before := len(said(w, "UID FETCH", 0))
		all := list(t, w.client.Messages(t.Context(), session.Query{OldestFirst: true, Fields: session.FieldPreview}))
		if got := all[1].Preview; got != "Schöne Grüße" {
			t.Errorf("the preview is %q, want Schöne Grüße", got)
		}
		got := said(w, "UID FETCH", before)
		for i := range want {
			if len(got) != len(want) || !strings.HasSuffix(got[i], "UID FETCH "+want[i]) {
				t.Errorf("the commands were %q, want %q", got, want)
			}
		}
	}
}

// TestPreviewsOfWhatIsKept: no text is fetched of messages that a query leaves
// out.
func TestPreviewsOfWhatIsKept(t *testing.T) {
	w := newSearch(t, 1, withoutPreview())
	all := list(t, w.client.Messages(t.Context(), session.Query{Fields: session.FieldPreview, Where: session.Filter{HasAttachment: session.Yes}, Limit: 2}))
	if len(all) != 2 || all[1].Preview != "the figures" {
		t.Errorf("%d messages, want 5 and 3", len(all))
	}
	if fetches := said(w, "UID FETCH", 0); len(fetches) != 2 || !strings.Contains(fetches[1], " 3 (UID BODY.PEEK[1]<0.2048>)") {
		t.Errorf("the commands were %q", fetches)
	}
}

// TestAttachmentsByStructure: comparing fetches no message, but one whose
// structure cannot be read.
func TestAttachmentsByStructure(t *testing.T) {
	w := newSearch(t, 1, nil)
	q := session.Query{Where: session.Filter{HasAttachment: session.Yes}}
	if got := keysOf(t, w.client.Messages(t.Context(), q)); got != "3 5" {
		t.Errorf("found %q, want 3 5", got)
	}
	if got := said(w, "UID FETCH", 0); len(got) != 1 || !strings.Contains(got[0], "BODYSTRUCTURE") {
		t.Errorf("the commands were %q, want one for structures", got)
	}
	for _, broken := range []string{`("text" "pl`, "NIL", "((("} {
		before := len(said(w, "UID FETCH", 0))
		w.server.Inject(mailtest.Reply("UID FETCH", "* 3 FETCH (UID 3 FLAGS () INTERNALDATE \" 2-Jan-2026 12:00:00 +0000\" RFC822.SIZE 5 BODY[HEADER] {2}\r\n\r\n BODYSTRUCTURE "+broken+")\r\nOK done"))
		got := list(t, w.client.Messages(t.Context(), session.Query{Where: q.Where, Fields: session.FieldStructure | session.FieldSize}))
		if len(got) != 2 || got[1].Size == 0 || got[1].Incomplete == nil || got[1].Structure != nil {
			t.Errorf("%s: found %d messages, want both, one without a structure", broken, len(got))
		}
		if bodies := strings.Join(said(w, "UID FETCH", before), " "); !strings.Contains(bodies, "UID FETCH 3 (UID BODY.PEEK[])") {
			t.Errorf("%s: the commands were %q, want one for message 3", broken, bodies)
		}
	}
}

// TestUnreadableStructureLeavesTheSummary of the message whole, and says why. The
// last but one has more text in it than the structure of any message.
func TestUnreadableStructureLeavesTheSummary(t *testing.T) {
	head := "BODY[HEADER.FIELDS (SUBJECT)] {16}\r\nSubject: two\r\n\r\n"
	for _, broken := range []string{
		"* 2 FETCH (BODYSTRUCTURE ((((\"a UID 2 FLAGS (\\Seen) " + head + ")\r\nOK done",
		"* 2 FETCH (UID 2 FLAGS (\\Seen) " + head + " BODYSTRUCTURE)\r\nOK done",
		"* 2 FETCH (UID 2 FLAGS (\\Seen) " + head + " BODYSTRUCTURE " + strings.Repeat("(", 200) + strings.Repeat(")", 200) + ")\r\nOK done",
		"* 2 FETCH (UID 2 FLAGS (\\Seen) " + head + " BODYSTRUCTURE NIL)\r\nOK done",
		"* 2 FETCH (UID 2 FLAGS (\\Seen) " + head + " BODYSTRUCTURE (" + strings.Repeat("{60000}\r\n"+strings.Repeat("x", 60_000), 20) + "))\r\nOK done",
		"NO this message is broken",
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, 3, withoutPreview())
			where := session.Filter{IDs: ids(t, w)[1:2]}
			w.server.Inject(mailtest.Fault{Command: "UID FETCH", Contains: "BODYSTRUCTURE", Reply: broken})
			all := list(t, w.client.Messages(t.Context(), session.Query{Where: where, Fields: session.FieldsAll | session.FieldStructure | session.FieldPreview}))
			if len(all) != 1 || all[0].Header.Subject() == "" || all[0].Structure != nil || all[0].Incomplete == nil ||
				!strings.Contains(all[0].Incomplete.Error(), "open the message instead") {
				t.Fatalf("%.60q: %d messages, %+v", broken, len(all), all)
			}
			if strings.HasPrefix(all[0].Header.Subject(), "Sample") && all[0].Preview == "" {
				t.Errorf("%.60q: no preview, want one of the message's beginning", broken)
			}
			if made, _ := w.server.Connections(); made != 1 {
				t.Errorf("%.60q: %d connections, want 1", broken, made)
			}
		})
	}
}

// TestPreviewsThatDoNotCome leave the summaries, and say why.
func TestPreviewsThatDoNotCome(t *testing.T) {
	for _, answer := range []string{"NO [CANNOT] not now", "* 1 FETCH (UID 1 BODY[1]<0> (\r\nOK done"} {
		w := newWorld(t, 2, withoutPreview())
		w.server.Inject(mailtest.Fault{Command: "UID FETCH", Contains: "BODY.PEEK[1]", Reply: answer})
		for _, m := range list(t, w.client.Messages(t.Context(), session.Query{Fields: session.FieldFlags | session.FieldPreview})) {
			if m.Preview != "" || m.Incomplete == nil || !strings.Contains(m.Incomplete.Error(), "preview") {
				t.Errorf("%s: preview %q, %v, want why there is none", answer, m.Preview, m.Incomplete)
			}
		}
		if all := list(t, w.client.Messages(t.Context(), session.Query{Fields: session.FieldPreview})); len(all) != 2 || all[0].Preview == "" || all[0].Incomplete != nil {
			t.Errorf("afterwards: %+v", all)
		}
	}
}

// TestPagesAskForTheirRange: a page of a large folder does not begin with the
// numbers of all of it.
func TestPagesAskForTheirRange(t *testing.T) {
	w := newWorld(t, 5, nil)
	all := ids(t, w)
	for _, tt := range []struct {
		after  session.ID
		oldest bool
		want   string
		said   string
	}{
		{all[2], false, "1 2", "UID SEARCH UID 1:2 UNDELETED"},
		{all[2], true, "4 5", "UID SEARCH UID 4:* UNDELETED"},
		{all[4], true, "", "UID SEARCH UID 6:* UNDELETED"}, // which names message 5
		{all[0], false, "", "UID SEARCH NOT ALL UNDELETED"},
	} {
		q := session.Query{After: tt.after, OldestFirst: tt.oldest, Where: session.Filter{Deleted: session.No}}
		if got := inOrder(t, w.client, q); got != tt.want {
			t.Errorf("%v finds %q, want %q", q, got, tt.want)
		}
		searches := said(w, "UID SEARCH", 0)
		if last := searches[len(searches)-1]; !strings.HasSuffix(last, tt.said) {
			t.Errorf("%v says %q, want %q", q, last, tt.said)
		}
		if plan, err := w.client.Explain(t.Context(), q); err != nil || plan.Commands[0] != tt.said {
			t.Errorf("Explain(%v) = %v, %v, want %q", q, plan, err, tt.said)
		}
	}
}

// TestPageOfAFolderThatIsNotOpen names both folders.
func TestPageOfAFolderThatIsNotOpen(t *testing.T) {
	w := newWorld(t, 1, nil)
	for _, err := range w.client.Messages(t.Context(), session.Query{Folder: session.Archive, After: ids(t, w)[0]}) {
		if !errors.Is(err, session.ErrOtherFolder) || !strings.Contains(err.Error(), "Archive") || !strings.Contains(err.Error(), "INBOX") {
			t.Errorf("error %v, want ErrOtherFolder with both names", err)
		}
	}
}

// TestEveryWordOfAQuery: what each word finds, and what Explain says is done about
// it.
func TestEveryWordOfAQuery(t *testing.T) {
	plain, gm := newSearch(t, 1, nil), newSearch(t, 1, &imaptest.Options{Capabilities: imaptest.GmailCapabilities()})
	gm.account.UseLabels()
	if _, err := gm.account.Append("INBOX", mailtest.CRLF("Subject: labelled\n\nx\n"), nil); err != nil {
		t.Fatal(err)
	}
	if err := gm.account.ChangeLabels("INBOX", []mailtest.UID{7}, func(labels []string) []string { return append(labels, "work") }); err != nil {
		t.Fatal(err)
	}
	first := ids(t, plain)[0]
	for _, tt := range []struct {
		w           *world
		text        string
		want        string
		server      string
		here, reads string
	}{
		{plain, "from:ann", "1 5", `FROM "ann"`, "", ""},
		{plain, "to:bob", "1", `TO "bob"`, "", ""},
		{plain, "cc:ann", "2", `CC "ann"`, "", ""},
		{plain, "bcc:dave", "4", `BCC "dave"`, "", ""},
		{plain, "subject:lunch", "1 4", `SUBJECT "lunch"`, "", ""},
		{plain, "subject:grüße", "2", `CHARSET UTF-8 SUBJECT "grüße"`, "", ""},
		{plain, "body:pleasure", "4", `BODY "pleasure"`, "", ""},
		{plain, "text:figures", "3 5", `TEXT "figures"`, "", ""},
		{plain, "header:x-foo=bar", "3", `HEADER "x-foo" "bar"`, "", ""},
		{plain, "since:2026-01-03T12:00:00Z", "4 6", "SINCE 2-Jan-2026", "since:2026-01-03T12:00:00Z", "received"},
		{plain, "before:2026-01-02T00:00:00+02:00", "1", "BEFORE 3-Jan-2026", "before:2026-01-01T22:00:00Z", "received"},
		{plain, "is:unread", "2 4 6", "UNSEEN", "", ""},
		{plain, "is:read", "1 3 5", "SEEN", "", ""},
		{plain, "is:flagged", "2", "FLAGGED", "", ""},
		{plain, "is:answered", "3", "ANSWERED", "", ""},
		{plain, "is:draft", "4", "DRAFT", "", ""},
		{plain, "is:deleted", "5", "DELETED", "", ""},
		{plain, "keyword:$Work", "2", "KEYWORD $Work", "", ""},
		{plain, "larger:5K", "6", "LARGER 5120", "", ""},
		{plain, "smaller:100", "1", "SMALLER 100", "", ""},
		{plain, "has:attachment", "3 5", "ALL", "has:attachment", "structure"},
		{plain, "id:" + first.String(), "1", "UID <1 ids>", "", ""},
		{plain, "from:ann OR is:draft", "1 4 5", `OR FROM "ann" DRAFT`, "", ""},
		{plain, "-from:ann is:unread", "2 4 6", `UNSEEN NOT FROM "ann"`, "", ""},
		{plain, "is:read after:" + first.String(), "", "NOT ALL SEEN", "", ""},
		{plain, "is:read order:oldest after:" + first.String(), "3 5", "UID 2:* SEEN", "", ""},
		{plain, "in:inbox is:unread limit:2", "4 6", "UNSEEN", "", ""},
		{plain, "is:unread order:oldest limit:2", "2 4", "UNSEEN", "", ""},
		{plain, "fields:size,structure,preview is:draft", "4", "DRAFT", "", ""},
		{gm, "label:work", "7", `X-GM-LABELS "work"`, "", ""},
		{gm, "native:subject:labelled", "7", `X-GM-RAW "subject:labelled"`, "", ""},
	} {
		q, err := session.ParseQuery(tt.text)
		if err != nil {
			t.Errorf("%s: %v", tt.text, err)
			continue
		}
		if got := inOrder(t, tt.w.client, q); got != tt.want {
			t.Errorf("%s finds %q, want %q", q, got, tt.want)
		}
		plan, err := tt.w.client.Explain(t.Context(), q)
		if err != nil || plan.Commands[0] != "UID SEARCH "+tt.server || plan.Local.String() != tt.here || tt.reads != "" && plan.Reads.String() != tt.reads {
			t.Errorf("%s is carried out as\n%v%v, want %s, and here %q by %s", q, plan, err, tt.server, tt.here, tt.reads)
		}
		if fields := tt.text == "fields:size,structure,preview is:draft"; fields && plan.Commands[1] != "UID FETCH <page> (UID RFC822.SIZE PREVIEW (LAZY) BODYSTRUCTURE)" {
			t.Errorf("%s fetches %s", q, plan.Commands[1])
		}
	}
}

// ExampleClient_structure lists the files of messages without fetching them, and
// opens one.
func ExampleClient_structure() {
	box := mailtest.New()
	account := box.Add(ann, password())
	server := imaptest.New(box, nil)
	defer server.Close()
	raw := "Subject: The contract\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee below.\n" +
		"--b\nContent-Type: text/csv; name=figures.csv\nContent-Disposition: attachment\n\n1,2\n--b--\n"
	if _, err := account.Append("INBOX", mailtest.CRLF(raw), nil); err != nil {
		fmt.Println(err)
		return
	}
	way := session.Server{Host: "imap.example.com", Security: session.None, AllowPlainAuth: true, Dial: server.Dial}
	s, err := session.New(session.Credentials{User: ann, Password: password()}, imapx.Backend(way, nil), nil, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	q, err := session.ParseQuery("has:attachment limit:50 fields:header,structure,preview")
	if err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range s.Messages(context.Background(), q) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s\n", m.Header.Subject(), m.Preview)
		for _, a := range m.Structure.Attachments() {
			fmt.Printf("%s, %s, %d bytes\n", a.FileName(), a.ContentType, a.Size)
			file, err := s.OpenPart(context.Background(), m.ID, a.Number)
			if err != nil {
				fmt.Println(err)
				return
			}
			content, err := io.ReadAll(file)
			fmt.Println(string(content), errors.Join(err, file.Close()))
		}
	}
	// Output:
	// The contract: See below.
	// figures.csv, text/csv, 3 bytes
	// 1,2 <nil>
}
