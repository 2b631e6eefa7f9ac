package ews_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// TestRequestsAreValid: every request that the client writes is one of the schema.
// The fake server refuses what is out of order; where MAILSESSION_EWS_SCHEMA names the
// folder of Microsoft's schema, xmllint decides as well.
func TestRequestsAreValid(t *testing.T) {
	requests := map[string]string{} // by what is in them, without ids
	for _, version := range ewstest.Versions() {
		b := newBed(t, settings{
			server: ewstest.Options{Version: version, Impersonate: func(string, string) bool { return true }},
			client: ews.Options{PageSize: 2, Impersonate: &ews.ConnectingID{PrimarySMTPAddress: ann}},
		})
		everything(t, b)
		notices(t, b)
		for _, r := range append(b.server.Requests(), sentInPieces(t, version)...) {
			if r.Operation == "" || r.Status == 500 {
				t.Errorf("%s: the server takes %s for no request: %s", version, r.Operation, r.Reply)
			}
			if r.Body != "" {
				requests[r.Version+" "+shapeOf(r.Body)] = r.Body
			}
		}
	}
	validate(t, requests)
}

// validate has the schema decide about requests.
func validate(t *testing.T, requests map[string]string) {
	t.Helper()
	schema := os.Getenv("MAILSESSION_EWS_SCHEMA")
	xmllint, err := exec.LookPath("xmllint")
	if schema == "" || err != nil {
		t.Logf("%d kinds of requests; the schema decides about none, since MAILSESSION_EWS_SCHEMA is not set, or there is no xmllint", len(requests))
		return
	}
	folder := t.TempDir()
	args := []string{"--noout", "--schema", filepath.Join(schema, "soap-ews.xsd")}
	for _, body := range requests {
		name := filepath.Join(folder, fmt.Sprintf("%d.xml", len(args)))
		if err := os.WriteFile(name, []byte(body), 0o600); err != nil { //nolint:gosec // G703: the name is a number
			t.Fatal(err)
		}
		args = append(args, name)
	}
	out, err := exec.CommandContext(t.Context(), xmllint, args...).CombinedOutput() //nolint:gosec // G204, G702: the folder is the tester's own
	if err != nil {
		t.Errorf("xmllint: %v\n%s", err, out)
	}
	t.Logf("%d kinds of requests are valid", strings.Count(string(out), " validates"))
}

// shapeOf returns what tells kinds of requests apart.
func shapeOf(body string) string {
	var b strings.Builder
	for tag := range strings.SplitSeq(body, "<") {
		name, _, _ := strings.Cut(tag, ">")
		name, _, _ = strings.Cut(name, " Id=")
		b.WriteString(name + " ")
	}
	return b.String()
}

// everything asks the client for all that it can do.
func everything(tb testing.TB, b *bed) {
	tb.Helper()
	ctx := tb.Context()
	must := func(what string, err error) {
		tb.Helper()
		if err != nil {
			tb.Errorf("%s: %v", what, err)
		}
	}
	b.put(tb, laden())
	b.fill(tb, 5)
	_, ids, err := b.list(ctx, session.Query{Fields: session.FieldsAll | session.FieldStructure | session.FieldVersion})
	must("list", err)
	_, _, err = b.list(ctx, session.Query{Fields: session.FieldFlags, After: ids[2]})
	must("go on", err)
	now := time.Now()
	for _, where := range []session.Filter{
		{Unread: session.Yes, Flagged: session.No, Answered: session.Yes, Deleted: session.No, Keyword: "$Work"},
		{Since: now.Add(-time.Hour), Before: now, Larger: 1, Smaller: 1 << 20},
		{AnyOf: []session.Filter{{Subject: "a<b & \"c\""}, {Not: &session.Filter{Header: session.HeaderMatch{Name: "Message-ID", Value: "x"}}}}},
		{From: "ann", Body: "zebra", HasAttachment: session.No},
		{IDs: ids[:2]},
		{IDs: ids},
		{Not: &session.Filter{AnyOf: []session.Filter{{Unread: session.Yes}, {All: []session.Filter{{Flagged: session.Yes}, {Subject: "x"}}}}}},
	} {
		_, _, err := b.list(ctx, session.Query{Where: where})
		must(fmt.Sprintf("list %v", where), err)
	}
	facts, err := b.Facts(ctx)
	must("facts", err)
	if facts.Native != "" {
		_, _, err := b.list(ctx, session.Query{Where: session.Filter{Native: "subject:sample"}})
		must("native", err)
		_, _, err = b.list(ctx, session.Query{Where: session.Filter{Native: "subject:sample", AnyOf: []session.Filter{{Native: "from:ann"}, {Unread: session.Yes}}}})
		must("native beside others", err)
	}
	_, _, err = b.list(ctx, session.Query{Fields: session.FieldPreview})
	must("previews", err)
	attached(ctx, b, ids[5], must)
	changes(ctx, b, ids, must)
	filings(ctx, b, ids[5], must)
	id, err := b.Append(ctx, session.Drafts, message.Bytes([]byte(mailtest.Sample(7))), &session.AppendOptions{
		Flags: session.Flags{session.Seen, session.Draft, session.Flagged, session.Answered, session.Deleted, "$Work"}, Received: now,
	})
	must("append", err)
	for _, err := range b.Bodies(ctx, id, ids[0]) {
		must("bodies", err)
	}
	must("create", b.CreateFolder(ctx, "Projects/2026 & later"))
	if err := b.CreateFolder(ctx, "projects"); !errors.Is(err, session.ErrFolderExists) {
		tb.Errorf("CreateFolder of one that is there in other letters: %v, want %v", err, session.ErrFolderExists)
	}
	must("rename", b.RenameFolder(ctx, session.FolderAt("Projects/2026 & later"), "2027"))
	must("delete", b.DeleteFolder(ctx, session.FolderAt("2027")))
	cursor, err := b.Cursor(ctx, session.Inbox)
	must("cursor", err)
	for _, err := range b.Changes(ctx, session.Inbox, cursor, session.SyncOptions{}) {
		must("changes", err)
	}
	_, err = b.PurgeMarked(ctx, session.Drafts)
	must("purge", err)
	must("check", b.Check(ctx, nil).Err())
}

func changes(ctx context.Context, b *bed, ids []session.ID, must func(string, error)) {
	must("flags", b.one(ctx, session.Change{Set: session.Flags{session.Seen, session.Flagged, session.Answered, session.Deleted, "$Work"}}, ids[0]))
	must("no flags", b.one(ctx, session.Change{Clear: session.Flags{session.Seen, session.Flagged, session.Answered, session.Deleted, "$Work"}}, ids[0]))
	must("copy", b.one(ctx, session.Change{CopyTo: session.Archive}, ids[0]))
	must("move", b.one(ctx, session.Change{MoveTo: session.Trash}, ids[1]))
	must("delete", b.one(ctx, session.Change{Delete: true}, ids[2]))
}

// sentInPieces sends what is larger than a request may be, with and without a copy, and
// returns the requests that the server took.
func sentInPieces(t *testing.T, version ewstest.Version) []ewstest.Request {
	t.Helper()
	b, s := newLargeSender(t, version)
	for _, policy := range []session.SentPolicy{session.SentAuto, session.SentNever} {
		e, m := large(t, 600_000, 500_000)
		e.SaveSent = policy
		if _, err := s.Send(t.Context(), e, m); err != nil {
			t.Errorf("Send: %v", err)
		}
	}
	if len(b.made("SendItem")) != 2 {
		t.Error("there was no SendItem")
	}
	b.server.Inject(mailtest.Drop("CreateItem", 0)) // has it looked for
	report := head + "Content-Type: multipart/report; report-type=disposition-notification; boundary=b\r\n\r\n--b\r\n\r\nRead.\r\n--b--\r\n"
	if r, err := s.Send(t.Context(), session.Envelope{From: ann, To: []string{bob, carol}, SaveSent: session.SentNever}, message.Bytes([]byte(report))); err == nil {
		t.Errorf("Send: %v, want it unknown", r.Outcome)
	}
	return slices.DeleteFunc(b.server.Requests(), func(r ewstest.Request) bool { return r.Status == http.StatusRequestEntityTooLarge })
}

// notices listens to a folder after the other, more of them than subscriptions are
// kept of.
func notices(t *testing.T, b *bed) {
	t.Helper()
	for _, f := range []session.FolderRef{session.Inbox, session.Sent, session.Drafts, session.Trash, session.Junk} {
		for _, err := range b.Notify(t.Context(), []session.FolderRef{f}, session.NotifyOptions{}) {
			if err != nil {
				t.Fatalf("Notify: %v", err)
			}
			break
		}
	}
	for _, r := range b.server.Requests() {
		if r.Operation == "Unsubscribe" {
			return
		}
	}
	t.Error("there was no Unsubscribe")
}

// filings asks for what Exchange 2013 came with.
func filings(ctx context.Context, b *bed, id session.ID, must func(string, error)) {
	results, err := b.MarkAsJunk(ctx, true, id)
	if errors.Is(err, errors.ErrUnsupported) {
		return
	}
	must("junk", err)
	results, err = b.MarkAsJunk(ctx, false, results[0].NewID)
	must("no junk", err)
	_, err = b.ArchiveInPlace(ctx, results[0].NewID)
	must("archive", err)
}

// attached asks for what is attached to a message.
func attached(ctx context.Context, b *bed, id session.ID, must func(string, error)) {
	all, err := b.Attachments(ctx, id)
	must("attachments", err)
	for _, a := range all {
		r, err := b.OpenAttachment(ctx, id, a)
		must("attachment", err)
		if err == nil {
			must("close an attachment", r.Close())
		}
	}
}
