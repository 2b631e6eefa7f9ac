package ews_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/faulttable"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// column is a fault of testdata/faults.txt.
type column struct {
	name  string
	fault func(operation string) mailtest.Fault
}

const (
	boundOfCommand = 17 * time.Second
	boundOfSignIn  = 13 * time.Second
	faultPause     = 40 * time.Second
)

func columns() []column {
	reply := func(text string) func(string) mailtest.Fault {
		return func(op string) mailtest.Fault { return mailtest.Reply(op, text) }
	}
	page := "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Sign in here"
	half := "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<s:Envelope xmlns:s=\"u\"><s:Body><m:x"
	odd := "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n\r\n<s:Envelope xmlns:s=\"u\"><s:Body><a></b></s:Body></s:Envelope>"
	return []column{
		{"silence", mailtest.Silence},
		{"half", mailtest.Half},
		{"cut", func(op string) mailtest.Fault { return mailtest.Drop(op, 0) }},
		{"cut undone", func(op string) mailtest.Fault {
			f := mailtest.Drop(op, 0)
			f.Ignore = true
			return f
		}},
		{"cut within", func(op string) mailtest.Fault { return mailtest.Drop(op, 300) }},
		{"cut again", func(op string) mailtest.Fault { return mailtest.Drop(op, 2).Repeating(-1) }},
		{"late", func(op string) mailtest.Fault { return mailtest.Delay(op, 9*time.Second) }},
		{"busy", func(op string) mailtest.Fault { return ewstest.Busy(op, faultPause) }},
		{"busy items", func(op string) mailtest.Fault { return ewstest.BusyItems(op, faultPause) }},
		{"503", func(op string) mailtest.Fault { return ewstest.Unavailable(op, faultPause) }},
		{"error", func(op string) mailtest.Fault { return ewstest.Failing(op, "ErrorCorruptData") }},
		{"gone", func(op string) mailtest.Fault { return ewstest.Failing(op, "ErrorItemNotFound") }},
		{"fault", func(op string) mailtest.Fault { return ewstest.FailingWhole(op, "ErrorInternalServerError") }},
		{"403", ewstest.Forbidden},
		{"401", reply("401 Unauthorized")},
		{"page", reply(page)},
		{"half XML", reply(half)},
		{"odd XML", reply(odd)},
	}
}

// row is an operation of testdata/faults.txt, and how the client is made to ask for it.
type row struct {
	name      string
	operation string
	act       func(f *trial) error
	fresh     bool   // over a new connection, of a new client
	within    string // what the request has that is meant
}

func rows() []row {
	change := func(c session.Change) func(*trial) error { return func(f *trial) error { return f.apply(c) } }
	return []row{
		{"sign-in", "GetFolder", (*trial).listed, true, ""},
		{"FindFolder", "FindFolder", (*trial).folders, false, ""},
		{"FindItem", "FindItem", (*trial).listed, false, ""},
		{"GetItem of a list", "GetItem", (*trial).listed, false, ""},
		{"GetItem to compare", "GetItem", (*trial).compared, false, "IncludeMimeContent"},
		{"GetItem of a message", "GetItem", (*trial).opened, false, ""},
		{"GetAttachment", "GetAttachment", (*trial).attachment, false, ""},
		{"GetItem of many", "GetItem", (*trial).bodies, false, ""},
		{"UpdateItem of flags", "UpdateItem", change(session.Change{Set: session.Flags{session.Flagged}}), false, ""},
		{"UpdateItem of keywords", "UpdateItem", change(session.Change{Set: session.Flags{"$Work"}}), false, ""},
		{"CopyItem", "CopyItem", change(session.Change{CopyTo: session.Archive}), false, ""},
		{"MoveItem", "MoveItem", change(session.Change{MoveTo: session.Archive}), false, ""},
		{"MarkAsJunk", "MarkAsJunk", (*trial).junk, false, ""},
		{"ArchiveItem", "ArchiveItem", (*trial).archived, false, ""},
		{"DeleteItem", "DeleteItem", change(session.Change{Delete: true}), false, ""},
		{"CreateItem", "CreateItem", (*trial).appended, false, ""},
		{"CreateFolder", "CreateFolder", func(f *trial) error { return f.CreateFolder(f.ctx, "New") }, false, ""},
		{"SyncFolderItems", "SyncFolderItems", (*trial).synced, false, ""},
	}
}

// trial is one operation under one fault.
type trial struct {
	*bed

	t       *testing.T
	ctx     context.Context //nolint:containedctx // a trial is one test
	ids     []session.ID
	unknown bool
}

func (f *trial) listed() error {
	_, _, err := f.list(f.ctx, session.Query{OldestFirst: true})
	return err
}

// compared searches for what the server cannot look for. All messages match, as far as
// they are still there.
func (f *trial) compared() (last error) {
	n := 0
	for _, err := range f.Messages(f.ctx, session.Query{Where: session.Filter{Body: "sample"}, Fields: session.FieldFlags}) {
		if n++; err != nil {
			last = err
		}
	}
	if n > len(f.ids) {
		f.t.Errorf("%d messages match, want %d", n, len(f.ids))
	}
	return last
}

func (f *trial) folders() error {
	for _, err := range f.Folders(f.ctx) {
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *trial) opened() error {
	body, err := f.Open(f.ctx, f.ids[1])
	if err != nil {
		return err
	}
	raw, err := io.ReadAll(body)
	if want := mailtest.Sample(2); !strings.HasPrefix(want, string(raw)) || err == nil && string(raw) != want {
		f.t.Errorf("the message has %d bytes, %v; want %d", len(raw), err, len(want))
	}
	return errors.Join(err, body.Close())
}

// attachment opens a file of one more message.
func (f *trial) attachment() error {
	f.put(f.t, laden())
	_, ids, err := f.list(f.ctx, session.Query{Limit: 1})
	if err != nil {
		return err
	}
	all, err := f.Attachments(f.ctx, ids[0])
	if err != nil || len(all) < 2 {
		f.t.Fatalf("Attachments: %d, %v; want more", len(all), err)
	}
	body, err := f.OpenAttachment(f.ctx, ids[0], all[1])
	if err != nil {
		return err
	}
	content, err := io.ReadAll(body)
	if want := "%PDF-1.7"; !strings.HasPrefix(want, string(content)) || err == nil && string(content) != want {
		f.t.Errorf("the attachment is %q, %v; want %q", content, err, want)
	}
	return errors.Join(err, body.Close())
}

// bodies reads all messages in one go, each once.
func (f *trial) bodies() (last error) {
	seen := map[session.ID]bool{}
	for body, err := range f.Bodies(f.ctx, f.ids...) {
		if err != nil {
			last = err
			continue
		}
		if seen[body.ID] {
			f.t.Errorf("a message came twice")
		}
		seen[body.ID] = true
		if _, err := io.Copy(io.Discard, body); err != nil {
			last = err
		}
	}
	if last == nil && len(seen) != len(f.ids) {
		f.t.Errorf("%d messages came, want %d", len(seen), len(f.ids))
	}
	return last
}

// apply changes the second message.
func (f *trial) apply(c session.Change) error {
	return f.changed(func() ([]session.Result, error) { return f.Apply(f.ctx, c, f.ids[1]) })
}

func (f *trial) junk() error {
	return f.changed(func() ([]session.Result, error) { return f.MarkAsJunk(f.ctx, true, f.ids[1]) })
}

func (f *trial) archived() error {
	return f.changed(func() ([]session.Result, error) { return f.ArchiveInPlace(f.ctx, f.ids[1]) })
}

// changed holds the result of a change of the second message against the mailbox.
func (f *trial) changed(change func() ([]session.Result, error)) error {
	before := f.state()
	results, err := change()
	if len(results) != 1 {
		f.t.Fatalf("%d results, %v", len(results), err)
	}
	r := results[0]
	changed := f.state() != before
	f.unknown = r.Outcome == session.DoneUnknown
	if r.Outcome == session.Done != (r.Err == nil) || r.Outcome == session.Done && !changed || r.Outcome == session.NotDone && changed {
		f.t.Errorf("the result is %v, %v; the mailbox was changed: %t", r.Outcome, r.Err, changed)
	}
	return errors.Join(r.Err, err)
}

// state writes what the mailbox holds.
func (f *trial) state() string {
	var b strings.Builder
	for _, folder := range []string{"INBOX", "Archive"} {
		all, err := f.account.Messages(folder)
		if err != nil {
			f.t.Fatal(err)
		}
		for _, m := range all {
			fmt.Fprintf(&b, "%s %d %v\n", folder, m.UID, m.Flags)
		}
	}
	return b.String()
}

func (f *trial) appended() error {
	before := f.state()
	id, err := f.Append(f.ctx, session.Archive, message.Bytes([]byte(mailtest.Sample(9))), nil)
	e, ok := errors.AsType[*session.AppendError](err)
	f.unknown = ok && e.Outcome == session.DoneUnknown
	changed := f.state() != before
	if err == nil != !id.IsZero() || err == nil && !changed || ok && e.Outcome == session.NotDone && changed {
		f.t.Errorf("Append = %v, %v; the mailbox was changed: %t", id, err, changed)
	}
	return err
}

func (f *trial) synced() error {
	added := 0
	for page, err := range f.Changes(f.ctx, session.Inbox, session.Cursor{}, session.SyncOptions{PageSize: 2}) {
		if err != nil {
			return err
		}
		added += len(page.Added)
	}
	if added != len(f.ids) {
		f.t.Errorf("%d messages were added, want %d", added, len(f.ids))
	}
	return nil
}

// word says in the table's words what it came to.
func (f *trial) word(err error, took time.Duration, made int) string {
	_, auth := errors.AsType[*session.AuthError](err)
	_, silent := errors.AsType[*wire.TimeoutError](err)
	_, lost := errors.AsType[*backend.LostError](err)
	_, item := errors.AsType[*session.ItemError](err)
	switch {
	case f.unknown:
		return "unknown"
	case err == nil && took >= faultPause:
		return "waits"
	case err == nil && made > 0:
		return "again"
	case err == nil:
		return "ok"
	case auth:
		return "auth"
	case item:
		return "item"
	case silent:
		return "timeout"
	case lost:
		return "lost"
	}
	return "refused"
}

// play runs one case and returns its word.
func play(t *testing.T, r row, c column) (word string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := &trial{t: t, ctx: t.Context()}
		o := settings{change: func(s *session.Server) {
			s.Timeouts = session.Timeouts{Auth: boundOfSignIn, Command: boundOfCommand}
		}}
		o.client.PageSize = 2
		f.bed = newBed(t, o)
		f.fill(t, 3)
		if !r.fresh {
			var err error
			if _, f.ids, err = f.list(t.Context(), session.Query{OldestFirst: true}); err != nil {
				t.Fatal(err)
			}
		}
		before, _ := f.server.Connections()
		f.server.Inject(c.fault(r.operation).Containing(r.within))
		began := time.Now()
		err := r.act(f)
		took := time.Since(began)
		made, _ := f.server.Connections()
		if r.fresh {
			before = 1
		}
		word = f.word(err, took, made-before)
		f.inspect(r, c, err, took, word)
		f.server.Heal()
		f.unknown = false
		if err := f.listed(); err != nil {
			t.Errorf("%s under %s: the client does not work afterwards: %v", r.name, c.name, err)
		}
		if err := f.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		synctest.Wait()
		if _, open := f.server.Connections(); open != 0 {
			t.Errorf("%s under %s: %d connections are open after Close", r.name, c.name, open)
		}
	})
	return word
}

// inspect checks what holds in every case.
func (f *trial) inspect(r row, c column, err error, took time.Duration, word string) {
	f.t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	if !strings.Contains(text, "localhost:80") || strings.Contains(text, password().Reveal()) || strings.Contains(text, "Body of") {
		f.t.Errorf("%s under %s: the error is %q; want the server in it, and no secret", r.name, c.name, text)
	}
	if temporary := session.Temporary(err); word != "unknown" && temporary != (word == "timeout" || word == "lost") {
		f.t.Errorf("%s under %s: %v; temporary: %t", r.name, c.name, err, temporary)
	}
	if word == "timeout" && took != boundOfCommand && took != boundOfSignIn {
		f.t.Errorf("%s under %s: standing still ended after %v", r.name, c.name, took)
	}
}

// TestFaultTable holds the client to testdata/faults.txt.
func TestFaultTable(t *testing.T) {
	text, err := os.ReadFile("testdata/faults.txt")
	if err != nil {
		t.Fatal(err)
	}
	table, err := faulttable.Parse(string(text))
	if err != nil {
		t.Fatalf("testdata/faults.txt: %v", err)
	}
	var commands, faults []string
	for _, r := range rows() {
		commands = append(commands, r.name)
	}
	for _, c := range columns() {
		faults = append(faults, c.name)
	}
	if err := table.Is(commands, faults); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows() {
		t.Run(r.name, func(t *testing.T) {
			var line strings.Builder
			for _, c := range columns() {
				got := play(t, r, c)
				fmt.Fprintf(&line, "  %s", got)
				if want, can := table.Cell(r.name, c.name); can && got != want {
					t.Errorf("%s under %s comes to %q, the table says %q", r.name, c.name, got, want)
				}
			}
			if t.Failed() {
				t.Logf("the line is\n%s%s", r.name, line.String())
			}
		})
	}
}
