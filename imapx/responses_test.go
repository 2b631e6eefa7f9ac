package imapx_test

import (
	"context"
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// occasion is a command that the client is made to send, and what a program sees
// of the answer to it.
type occasion struct {
	name     string
	command  string
	contains string
	signIn   bool // there is no connection yet that could live on
	do       func(ctx context.Context, c *imapx.Client, id session.ID) (seen string, err error)
}

func occasions() []occasion {
	flag := changing(session.Change{Set: session.Flags{session.Flagged}})
	return []occasion{
		{name: "greeting", command: mailtest.Greeting, signIn: true, do: seeMessages},
		{name: "capabilities", command: "CAPABILITY", signIn: true, do: seeMessages},
		{name: "sign-in", command: "AUTHENTICATE", signIn: true, do: seeMessages},
		{name: "namespaces", command: "NAMESPACE", do: seeFolders},
		{name: "folders", command: "LIST", do: seeFolders},
		{name: "select", command: "SELECT", do: seeMessages},
		{name: "news", command: "NOOP", do: flag},
		{name: "search", command: "UID SEARCH", do: seeMessages},
		{name: "summaries", command: "UID FETCH", do: seeMessages},
		{name: "summary", command: "UID FETCH", do: seeMessage},
		{name: "structure", command: "UID FETCH", do: seeContent},
		{name: "preview", command: "UID FETCH", contains: "PREVIEW)", do: seeContent},
		{name: "body", command: "UID FETCH", contains: "BODY.PEEK[]", do: seeBody},
		{name: "flags", command: "UID STORE", do: flag},
		{name: "copy", command: "UID COPY", do: changing(session.Change{CopyTo: session.FolderAt("Archive")})},
		{name: "move", command: "UID MOVE", do: changing(session.Change{MoveTo: session.FolderAt("Archive")})},
		{name: "removal", command: "UID EXPUNGE", do: changing(session.Change{Delete: true})},
	}
}

// seeMessages tells of the messages of the inbox: the number, the subject or what
// is wrong, and what else was asked for.
func seeMessages(ctx context.Context, c *imapx.Client, _ session.ID) (seen string, err error) {
	return see(ctx, c, session.Filter{})
}

func seeMessage(ctx context.Context, c *imapx.Client, id session.ID) (seen string, err error) {
	return see(ctx, c, session.Filter{IDs: []session.ID{id}})
}

// seeContent tells of the parts of a message and its preview.
func seeContent(ctx context.Context, c *imapx.Client, id session.ID) (seen string, err error) {
	var words []string
	for m, err := range c.Messages(ctx, session.Query{Where: session.Filter{IDs: []session.ID{id}}, Fields: session.FieldFlags | session.FieldStructure | session.FieldPreview}) {
		if item, ok := errors.AsType[*session.ItemError](err); ok {
			words = append(words, keyOf(item.ID)+" error")
			continue
		}
		if err != nil {
			return "", err
		}
		words = append(words, keyOf(m.ID))
		for _, p := range m.Structure {
			words = append(words, strings.TrimSpace(p.Number+" "+p.ContentType+" "+p.Name))
		}
		if m.Incomplete != nil {
			words = append(words, "incomplete")
		}
		words = append(words, strconv.Quote(m.Preview))
	}
	return strings.Join(words, " "), nil
}

func see(ctx context.Context, c *imapx.Client, where session.Filter) (seen string, err error) {
	var all []string
	for m, err := range c.Messages(ctx, session.Query{Where: where}) {
		if item, ok := errors.AsType[*session.ItemError](err); ok {
			all = append(all, keyOf(item.ID)+" error")
			continue
		}
		if err != nil {
			return "", err
		}
		words := []string{keyOf(m.ID), m.Header.Subject()}
		for _, f := range m.Flags {
			words = append(words, string(f))
		}
		if m.Size > 0 {
			words = append(words, strconv.FormatInt(m.Size, 10))
		}
		if !m.Received.IsZero() {
			words = append(words, m.Received.UTC().Format("2006-01-02"))
		}
		all = append(all, strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), " "))
	}
	return strings.Join(all, ", "), nil
}

func keyOf(id session.ID) string {
	parts, err := id.Parts()
	if err != nil {
		return "?"
	}
	return parts.Key
}

func seeFolders(ctx context.Context, c *imapx.Client, _ session.ID) (seen string, err error) {
	var all []string
	for f, err := range c.Folders(ctx) {
		if err != nil {
			return "", err
		}
		if f.Role != session.RoleNone {
			f.Path += " (" + string(f.Role) + ")"
		}
		all = append(all, f.Path)
	}
	return strings.Join(all, ", "), nil
}

func seeBody(ctx context.Context, c *imapx.Client, id session.ID) (seen string, err error) {
	body, err := c.Open(ctx, id)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(body)
	return string(text), errors.Join(err, body.Close())
}

func changing(change session.Change) func(context.Context, *imapx.Client, session.ID) (string, error) {
	return func(ctx context.Context, c *imapx.Client, id session.ID) (string, error) {
		results, err := c.Apply(ctx, change, id)
		if err != nil {
			return "", err
		}
		seen := results[0].Outcome.String()
		if !results[0].NewID.IsZero() {
			seen += " as " + keyOf(results[0].NewID)
		}
		return seen, results[0].Err
	}
}

// played is what came of an answer.
type played struct {
	seen  string
	err   error
	alive bool // the connection lived on
}

// play has the client meet an answer in place of the right one, and then do
// everything once more, undisturbed.
func play(t *testing.T, o occasion, answer string) (p played) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, &imaptest.Options{QuietCapabilities: true})
		id := session.NewID(session.IDParts{
			Backend: "imap", Mailbox: session.Fingerprint("localhost:143", ann), Folder: "INBOX",
			Validity: w.validity(t), Key: "2",
		})
		if o.name == "news" {
			ids(t, w) // the folder is open then
		}
		fault := mailtest.Reply(o.command, answer)
		fault.Contains = o.contains
		w.server.Inject(fault)
		p.seen, p.err = o.do(t.Context(), w.client, id)
		if n := w.server.Pending(); n != 0 {
			t.Errorf("%s: %d answers were not asked for", o.name, n)
		}
		if o.signIn {
			w.server.Disconnect() // the server knows nothing of what it is made to say
		}
		checkHealthy(t, w)
		made, _ := w.server.Connections()
		p.alive = made == 1
	})
	return p
}

// validity returns the UIDVALIDITY of the inbox.
func (w *world) validity(t *testing.T) string {
	t.Helper()
	f, err := w.account.Folder("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	return strconv.FormatUint(uint64(f.UIDValidity), 10)
}

// checkHealthy: the next commands work.
func checkHealthy(t *testing.T, w *world) {
	t.Helper()
	there, err := w.account.Messages("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for m, err := range w.client.Messages(t.Context(), session.Query{}) {
		if err != nil || m.Header.Subject() == "" {
			t.Errorf("afterwards there is the message %+v, %v", m, err)
			return
		}
		n++
	}
	if n != len(there) {
		t.Errorf("afterwards there are %d messages, want %d", n, len(there))
	}
	folders := 0
	for _, err := range w.client.Folders(t.Context()) {
		if err != nil {
			t.Errorf("afterwards the folders cannot be listed: %v", err)
		}
		folders++
	}
	if want := len(w.account.Folders()); folders != want {
		t.Errorf("afterwards there are %d folders, want %d", folders, want)
	}
}

// oddity is an answer of testdata/responses.txt.
type oddity struct {
	occasion string
	title    string
	answer   string
	want     string
}

// oddities reads testdata/responses.txt.
func oddities(t *testing.T) (all []oddity) {
	t.Helper()
	text, err := os.ReadFile("testdata/responses.txt")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n== ") // behind what the file says of itself
	for block := range strings.SplitSeq(rest, "\n== ") {
		head, body, _ := strings.Cut(block, "\n")
		name, title, _ := strings.Cut(head, ": ")
		answer, want, ok := strings.Cut(body, "\n=> ")
		want, _, _ = strings.Cut(want, "\n")
		if !ok || title == "" {
			t.Fatalf("the oddity %q has no title or no result", head)
		}
		all = append(all, oddity{name, title, mailtest.CRLF(answer), want})
	}
	return all
}

// TestResponses plays what servers say that they should not, and holds the
// client to what testdata/responses.txt says of it.
func TestResponses(t *testing.T) {
	byName := map[string]occasion{}
	for _, o := range occasions() {
		byName[o.name] = o
	}
	all := oddities(t)
	for _, s := range all {
		t.Run(s.occasion+"/"+s.title, func(t *testing.T) {
			o, ok := byName[s.occasion]
			if !ok {
				t.Fatalf("there is no occasion %q", s.occasion)
			}
			p := play(t, o, s.answer)
			got := p.seen
			if p.err != nil {
				got = strings.TrimSpace(got + " error: " + p.err.Error())
			}
			if !fits(got, s.want) {
				t.Errorf("it comes to\n%s\nwant\n%s", got, s.want)
			}
			if !p.alive && !o.signIn {
				t.Errorf("the connection was given up")
			}
		})
	}
	t.Logf("%d answers, each in its place", len(all))
}

// fits reports whether got is want, in which "..." stands for any text without a
// comma.
func fits(got, want string) bool {
	parts := strings.Split(want, "...")
	for i, part := range parts {
		parts[i] = regexp.QuoteMeta(part)
	}
	return regexp.MustCompile(`^` + strings.Join(parts, `[^,]*`) + `$`).MatchString(got)
}

// lost reports whether an error is about the connection and not about one
// answer on it.
func lost(err error) bool {
	_, is := errors.AsType[*backend.LostError](err)
	return is
}

// TestQuirksAreShown: each row of the table in quirks.go names an answer that is
// played, or a test.
func TestQuirksAreShown(t *testing.T) {
	played := map[string]bool{}
	for _, s := range oddities(t) {
		played[s.occasion+": "+s.title] = true
	}
	tests := testNames(t)
	text, err := os.ReadFile("quirks.go")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "--------\n")
	if !ok {
		t.Fatal("there is no table in quirks.go")
	}
	column := regexp.MustCompile(`  +`)
	rows := 0
	for line := range strings.Lines(table) {
		cells := column.Split(strings.TrimSpace(strings.TrimPrefix(line, "//\t")), -1)
		if len(cells) != 5 {
			t.Fatalf("%d cells, want 5: %q", len(cells), cells)
		}
		if shown := cells[4]; !played[shown] && !tests[shown] {
			t.Errorf("%q neither is an answer in testdata/responses.txt nor a test", shown)
		}
		rows++
	}
	t.Logf("%d rows", rows)
}

// testNames returns the names of the tests in this folder.
func testNames(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files(t, ".", ".", func(name, text string) {
		if !strings.HasSuffix(name, "_test.go") {
			return
		}
		for _, found := range regexp.MustCompile(`(?m)^func (Test\w+)\(`).FindAllStringSubmatch(text, -1) {
			names[found[1]] = true
		}
	})
	return names
}
