package imapx_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/faulttable"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// column is a fault of testdata/faults.txt, in its several forms; all come to the
// same.
type column struct {
	name   string
	faults func(c *trial) []mailtest.Fault
}

// lateBy is less than any bound on standing still.
const lateBy = 9 * time.Second

func columns() []column {
	one := func(name string, fault func(command string) mailtest.Fault) column {
		return column{name, func(c *trial) []mailtest.Fault { return []mailtest.Fault{fault(c.row.command)} }}
	}
	several := func(name string, fault func(command, line string) mailtest.Fault, lines ...string) column {
		return column{name, func(c *trial) (all []mailtest.Fault) {
			for _, line := range lines {
				all = append(all, fault(c.row.command, line))
			}
			return all
		}}
	}
	return []column{
		one("silence", mailtest.Silence),
		one("half", mailtest.Half),
		{"cut", cuts},
		one("cut again", func(command string) mailtest.Fault { return mailtest.Drop(command, 12).Repeating(-1) }),
		one("bye", func(command string) mailtest.Fault { return mailtest.Bye(command, "* BYE closing down") }),
		one("drip", func(command string) mailtest.Fault { return mailtest.Drip(command, 1, lateBy) }),
		one("late", func(command string) mailtest.Fault { return mailtest.Delay(command, lateBy) }),

		several("no", mailtest.Reply, "NO [CANNOT] not that"),
		several("bad", mailtest.Reply, "BAD what?"),
		several("throttled", throttled, "[THROTTLED] slow down", "[INUSE] try later", "[LIMIT] too many", "[UNAVAILABLE] wait"),
		one("refused", mailtest.Refuse),
		one("expired", mailtest.Expire),
		several("noise", mailtest.Before,
			"* X-UNHEARD-OF (1 {3}\r\nabc)\r\n", "* 99 EXISTS\r\n* VANISHED 1:9\r\n* 7 FETCH (FLAGS (\\Seen))\r\n"),
		several("garbage", mailtest.Before, "not a response\r\n", "\r\n"),
		several("trailer", mailtest.After, "* X-UNHEARD-OF {3}\r\nabc\r\n", "* OK [UNHEARD-OF (1 2] still here\r\n"),

		one("longer", func(command string) mailtest.Fault { return mailtest.WrongSize(command, 7) }),
		one("far longer", func(command string) mailtest.Fault { return mailtest.WrongSize(command, 1000) }),
		one("shorter", func(command string) mailtest.Fault { return mailtest.WrongSize(command, -10) }),
		{"expunged", func(c *trial) []mailtest.Fault { return []mailtest.Fault{mailtest.Call(c.row.command, c.expunge)} }},
		{"expunged amid", func(c *trial) []mailtest.Fault {
			return []mailtest.Fault{mailtest.CallAfter(c.row.command, 10, c.expunge)}
		}},
		{"renumbered", func(c *trial) []mailtest.Fault { return []mailtest.Fault{mailtest.Call(c.row.command, c.renumber)} }},
	}
}

// cuts are a connection that is cut where the command was carried out, in
// different places of the answer, and one where it was not.
func cuts(c *trial) []mailtest.Fault {
	command := c.row.command
	undone := mailtest.Drop(command, 0)
	undone.Ignore = true
	return []mailtest.Fault{mailtest.Drop(command, 0), mailtest.Drop(command, 1), mailtest.Drop(command, 12), undone}
}

// throttled refuses for now, in the words that the occasion has for it.
func throttled(command, words string) mailtest.Fault {
	if command == mailtest.Greeting {
		return mailtest.Bye(command, "* BYE "+words)
	}
	return mailtest.Reply(command, "NO "+words)
}

// row is a command of testdata/faults.txt and how the client is made to send it.
type row struct {
	name      string
	command   string // as the server calls it
	contains  string // in the command's line
	operation string
	stage     wire.Stage
	again     bool // the operation was done once before
	after     time.Duration
	options   imaptest.Options
	mechanism string
	client    *imapx.Options
	readOnly  bool
}

func rows() []row {
	secured := imaptest.Options{Security: mailtest.STARTTLS}
	withoutSASL := imaptest.Options{Capabilities: imaptest.Without("AUTH=PLAIN", "AUTH=LOGIN")}
	withoutUnasked := imaptest.Options{Capabilities: imaptest.Without("LITERAL+")}
	withoutUIDPlus := imaptest.Options{Capabilities: imaptest.Without("UIDPLUS")}
	withoutPreviews := imaptest.Options{Capabilities: imaptest.Without("PREVIEW")}
	withoutExtended := imaptest.Options{Capabilities: imaptest.Without("LIST-EXTENDED")}
	withoutCounters := imaptest.Options{Capabilities: imaptest.Without("CONDSTORE", "QRESYNC")}
	withoutMove := imaptest.Options{Capabilities: imaptest.Without("MOVE")}
	return []row{
		{name: "TLS at once", command: mailtest.Handshake, operation: "list", stage: wire.StageHandshake, options: imaptest.Options{Security: mailtest.TLS}},
		{name: "greeting", command: mailtest.Greeting, operation: "list", stage: wire.StageGreeting},
		{name: "CAPABILITY", command: "CAPABILITY", operation: "list", stage: wire.StageCommand, options: imaptest.Options{QuietCapabilities: true}},
		{name: "STARTTLS", command: "STARTTLS", operation: "list", stage: wire.StageCommand, options: secured},
		{name: "TLS behind STARTTLS", command: mailtest.Handshake, operation: "list", stage: wire.StageHandshake, options: secured},
		{name: "CAPABILITY under TLS", command: "CAPABILITY", operation: "list", stage: wire.StageCommand, options: secured},
		{name: "AUTHENTICATE PLAIN", command: "AUTHENTICATE", operation: "list", stage: wire.StageAuth, mechanism: "PLAIN"},
		{name: "AUTHENTICATE LOGIN", command: "AUTHENTICATE", operation: "list", stage: wire.StageAuth, mechanism: "LOGIN"},
		{name: "AUTHENTICATE XOAUTH2", command: "AUTHENTICATE", operation: "list", stage: wire.StageAuth, mechanism: "XOAUTH2"},
		{name: "AUTHENTICATE OAUTHBEARER", command: "AUTHENTICATE", operation: "list", stage: wire.StageAuth, mechanism: "OAUTHBEARER"},
		{name: "LOGIN", command: "LOGIN", operation: "list", stage: wire.StageAuth, options: withoutSASL},
		{name: "ID", command: "ID", operation: "list", stage: wire.StageCommand, client: &imapx.Options{ID: map[string]string{"name": "table"}}},
		{name: "NAMESPACE", command: "NAMESPACE", operation: "folders", stage: wire.StageCommand},
		{name: "LIST", command: "LIST", operation: "folders", stage: wire.StageCommand},
		{name: "SELECT", command: "SELECT", operation: "list", stage: wire.StageCommand},
		{name: "EXAMINE", command: "EXAMINE", operation: "list", stage: wire.StageCommand, readOnly: true},
		{name: "NOOP", command: "NOOP", operation: "list", stage: wire.StageCommand, again: true},
		{name: "NOOP on a kept line", command: "NOOP", operation: "folders", stage: wire.StageCommand, again: true, after: time.Minute},
		{name: "UID SEARCH", command: "UID SEARCH", operation: "list", stage: wire.StageCommand},
		{name: "UID FETCH of headers", command: "UID FETCH", operation: "list", stage: wire.StageCommand},
		{name: "UID FETCH of structures", command: "UID FETCH", operation: "structures", stage: wire.StageCommand, options: withoutPreviews},
		{name: "UID FETCH of texts", command: "UID FETCH", contains: "BODY.PEEK[1]", operation: "structures", stage: wire.StageCommand, options: withoutPreviews},
		{name: "UID FETCH of previews", command: "UID FETCH", contains: "PREVIEW)", operation: "structures", stage: wire.StageCommand},
		{name: "UID FETCH of a body", command: "UID FETCH", contains: "BODY.PEEK[]", operation: "open", stage: wire.StageCommand},
		{name: "UID SEARCH of a change", command: "UID SEARCH", operation: "flag", stage: wire.StageCommand},
		{name: "UID STORE", command: "UID STORE", operation: "flag", stage: wire.StageCommand},
		{name: "UID COPY", command: "UID COPY", operation: "copy", stage: wire.StageCommand},
		{name: "UID MOVE", command: "UID MOVE", operation: "move", stage: wire.StageCommand},
		{name: "UID STORE of a deletion", command: "UID STORE", operation: "delete", stage: wire.StageCommand},
		{name: "UID EXPUNGE", command: "UID EXPUNGE", operation: "delete", stage: wire.StageCommand},
		{name: "UID COPY in place of MOVE", command: "UID COPY", operation: "move", stage: wire.StageCommand, options: withoutMove},
		{name: "UID STORE in place of MOVE", command: "UID STORE", operation: "move", stage: wire.StageCommand, options: withoutMove},
		{name: "UID EXPUNGE in place of MOVE", command: "UID EXPUNGE", operation: "move", stage: wire.StageCommand, options: withoutMove},
		{name: "STATUS of an append", command: "STATUS", operation: "append", stage: wire.StageCommand},
		{name: "APPEND", command: "APPEND", operation: "append", stage: wire.StageCommand},
		{name: "APPEND announced first", command: "APPEND", operation: "append", stage: wire.StageCommand, options: withoutUnasked},
		{name: "UID SEARCH for UIDPLUS", command: "UID SEARCH", operation: "append", stage: wire.StageCommand, options: withoutUIDPlus},
		{name: "LSUB", command: "LSUB", operation: "subscribed", stage: wire.StageCommand, options: withoutExtended},
		{name: "STATUS of a listing", command: "STATUS", operation: "counts", stage: wire.StageCommand, options: withoutExtended},
		{name: "STATUS of a count", command: "STATUS", operation: "count", stage: wire.StageCommand},
		{name: "CREATE", command: "CREATE", operation: "create", stage: wire.StageCommand},
		{name: "RENAME", command: "RENAME", operation: "rename", stage: wire.StageCommand},
		{name: "DELETE", command: "DELETE", operation: "remove", stage: wire.StageCommand},
		{name: "SUBSCRIBE", command: "SUBSCRIBE", operation: "subscribe", stage: wire.StageCommand},
		{name: "UNSUBSCRIBE", command: "UNSUBSCRIBE", operation: "unsubscribe", stage: wire.StageCommand},
		{name: "GETQUOTAROOT", command: "GETQUOTAROOT", operation: "quota", stage: wire.StageCommand},
		{name: "ENABLE", command: "ENABLE", operation: "changes", stage: wire.StageCommand},
		{name: "SELECT for changes", command: "SELECT", operation: "changes", stage: wire.StageCommand},
		{name: "UID SEARCH for changes", command: "UID SEARCH", operation: "changes", stage: wire.StageCommand},
		{name: "UID FETCH of changes", command: "UID FETCH", contains: "VANISHED)", operation: "changed", stage: wire.StageCommand},
		{name: "UID FETCH of all flags", command: "UID FETCH", contains: "1:* (UID FLAGS)", operation: "changed", stage: wire.StageCommand, options: withoutCounters},
		{name: "LOGOUT", command: "LOGOUT", operation: "close", stage: wire.StageClose, again: true},
	}
}

// stageBounds are the bounds on standing still of the clients in the table.
func stageBounds() session.Timeouts {
	return session.Timeouts{
		Greeting: 11 * time.Second, Auth: 13 * time.Second, Command: 17 * time.Second, Handshake: 19 * time.Second, Close: 12 * time.Second,
	}
}

func boundOf(s wire.Stage) time.Duration {
	b := stageBounds()
	return map[wire.Stage]time.Duration{
		wire.StageGreeting: b.Greeting, wire.StageAuth: b.Auth, wire.StageCommand: b.Command,
		wire.StageHandshake: b.Handshake, wire.StageClose: b.Close,
	}[s]
}

// trial is one command under one fault.
type trial struct {
	*testing.T

	row     row
	fault   string
	account *mailtest.Account
	server  *imaptest.Server
	client  session.Incoming
	log     bytes.Buffer
	id      session.ID // of the message that is opened or changed
	uid     mailtest.UID
	before  string // the state of the mailbox

	incomplete bool // summaries lacked what was asked for

	cursor session.Cursor // behind what there was before the third message was flagged
}

// The messages of the inbox have the subjects "Sample 1" to "Sample 3". Since one
// before them was removed, renumbering gives the number of each to another.
func newTrial(t *testing.T, r row, fault string) *trial {
	t.Helper()
	box := mailtest.New()
	c := &trial{T: t, row: r, fault: fault, account: box.Add(ann, password()), server: imaptest.New(box, &r.options), uid: 3}
	c.account.AcceptTokens(func(context.Context, secret.Text) error { return nil })
	for n := range 4 {
		if _, err := c.account.Append("INBOX", mailtest.Sample(n), nil); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.account.Expunge("INBOX", 1); err != nil {
		t.Fatal(err)
	}
	c.before = c.state()
	server := session.Server{
		Host: "localhost", Port: 143, AllowPlainAuth: true, Dial: c.server.Dial, TLS: c.server.ClientTLS(), Timeouts: stageBounds(),
		Security: map[mailtest.Security]session.Security{
			mailtest.None: session.None, mailtest.TLS: session.TLS, mailtest.STARTTLS: session.STARTTLS,
		}[r.options.Security],
	}
	setup := session.Setup{
		Credentials: session.Credentials{User: ann, Password: password()}, ReadOnly: r.readOnly,
		Logger: slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if r.mechanism != "" {
		server.Mechanisms = []string{r.mechanism}
	}
	if r.mechanism == "XOAUTH2" || r.mechanism == "OAUTHBEARER" || fault == "expired" {
		setup.Credentials = session.Credentials{User: ann, Tokens: oauth.AnyResource(&renewing{})}
	}
	var err error
	if c.client, err = imapx.Backend(server, r.client)(setup); err != nil {
		t.Fatal(err)
	}
	f, err := c.account.Folder("INBOX")
	if err != nil {
		t.Fatal(err)
	}
	c.id = session.NewID(session.IDParts{
		Backend: "imap", Mailbox: session.Fingerprint("localhost:143", ann), Folder: "INBOX",
		Validity: strconv.FormatUint(uint64(f.UIDValidity), 10), Key: strconv.FormatUint(uint64(c.uid), 10),
	})
	return c
}

// expunge and renumber are what others do to the mailbox meanwhile.
func (c *trial) expunge() {
	if _, err := c.account.Expunge("INBOX", c.uid); err != nil {
		c.Error(err)
	}
}

func (c *trial) renumber() {
	if err := c.account.BumpUIDValidity("INBOX"); err != nil {
		c.Error(err)
	}
}

// expunges reports whether the fault is that another removes the message.
func (c *trial) expunges() bool { return strings.HasPrefix(c.fault, "expunged") }

// transfers reports whether the operation puts the message into another folder.
func (c *trial) transfers() bool { return c.row.operation == "copy" || c.row.operation == "move" }

// state returns the subjects' numbers and the flags of all messages, by folder.
func (c *trial) state() string {
	var folders []string
	for _, name := range []string{"INBOX", "Archive"} {
		messages, err := c.account.Messages(name)
		if err != nil {
			c.Fatal(err)
		}
		var words []string
		for _, m := range messages {
			_, subject, _ := strings.Cut(m.Raw, "Subject: Sample ")
			number, _, _ := strings.Cut(subject, "\r\n")
			words = append(words, number+strings.Join(m.Flags, ""))
		}
		folders = append(folders, name+" "+strings.Join(words, " "))
	}
	return strings.Join(folders, ", ")
}

// list reads the summaries of the inbox.
func (c *trial) list(ctx context.Context, fields session.Fields) error {
	var numbers []string
	var item error
	for m, err := range c.client.Messages(ctx, session.Query{Fields: fields}) {
		if bad, ok := errors.AsType[*session.ItemError](err); ok {
			item = bad
			continue
		}
		if err != nil {
			return err
		}
		if m.Incomplete != nil && item == nil {
			item, c.incomplete = m.Incomplete, true
		}
		if whole := m.Structure != nil && m.Preview != ""; m.Incomplete == nil && whole != (fields&session.FieldPreview != 0) {
			c.Errorf("message %v has the structure %v, the preview %q and no reason", m.ID, m.Structure, m.Preview)
		}
		numbers = append(numbers, strings.TrimPrefix(m.Header.Subject(), "Sample "))
	}
	got := strings.Join(numbers, " ")
	if want := "3 2 1"; item == nil && got != want && (!c.expunges() || got != "3 1") {
		c.Errorf("messages %s, want %s", got, want)
	}
	return item
}

func (c *trial) open(ctx context.Context) error {
	body, err := c.client.Open(ctx, c.id)
	if err != nil {
		return err
	}
	defer body.Close()
	text, err := io.ReadAll(body)
	if err == nil && string(text) != mailtest.Sample(2) {
		c.Errorf("a body of %d bytes and no error, want the message's %d", len(text), len(mailtest.Sample(2)))
	}
	return err
}

func (c *trial) folders(ctx context.Context, opts session.FolderOptions) error {
	lister, ok := session.As[session.FolderLister](c.client)
	if !ok {
		c.Fatal("the client cannot list folders")
	}
	n, counted := 0, 0
	for f, err := range lister.ListFolders(ctx, opts) {
		if err != nil {
			return err
		}
		if n++; opts.Subscribed && !f.Subscribed {
			c.Errorf("%s is not subscribed to", f.Path)
		}
		if f.Counts != nil {
			counted++
		}
	}
	want := len(c.account.Folders())
	if n != want {
		c.Errorf("%d folders, want %d", n, want)
	}
	if opts.Counts && counted < want-1 {
		c.Errorf("%d folders were counted, want all but the one that the fault is about", counted)
	}
	return nil
}

func (c *trial) quota(ctx context.Context) error {
	c.account.SetQuota(mailtest.Quota{Messages: 10})
	q, ok := session.As[session.Quotas](c.client)
	if !ok {
		c.Fatal("the client tells no quota")
	}
	quotas, err := q.Quota(ctx, session.Inbox)
	if err == nil && (len(quotas) != 1 || quotas[0].Messages.Limit != 10) {
		c.Errorf("the quota is %+v, want 10 messages", quotas)
	}
	return err
}

// flagThird has the third message flagged, once a program knows of all.
func (c *trial) flagThird() {
	other, err := imapx.New(session.Server{Host: "localhost", Port: 143, Security: session.None, AllowPlainAuth: true, Dial: c.server.Dial},
		session.Credentials{User: ann, Password: password()}, nil)
	if err != nil {
		c.Fatal(err)
	}
	defer other.Close()
	if c.cursor, err = other.Cursor(c.Context(), session.Inbox); err != nil {
		c.Fatal(err)
	}
	if err := c.account.AddFlags("INBOX", []string{mailtest.Flagged}, 4); err != nil {
		c.Fatal(err)
	}
	c.before = c.state()
}

// changes reads what happened in the inbox: all messages from the beginning, or
// that the third one was flagged, and what another does meanwhile, which may be
// told the next time as well.
func (c *trial) changes(ctx context.Context) error {
	syncer, ok := session.As[session.Syncer](c.client)
	if !ok {
		c.Fatal("the client tells no changes")
	}
	known := map[string]bool{}
	if c.row.operation == "changed" {
		known = map[string]bool{"2": true, "3": true, "4": true}
	}
	flagged := false
	for page, err := range syncer.Changes(ctx, session.Inbox, c.cursor, session.SyncOptions{}) {
		if errors.Is(err, session.ErrCursorExpired) && c.fault == "renumbered" {
			return fmt.Errorf("%w: %w", err, session.ErrStaleID) // it is the same in the words of the table
		}
		if err != nil {
			return err
		}
		for _, m := range page.Added {
			known[keyOf(m.ID)] = true
		}
		for _, id := range page.Removed {
			delete(known, keyOf(id))
		}
		for _, m := range page.Changed {
			flagged = flagged || keyOf(m.ID) == "4" && m.Flags.Has(session.Flagged)
		}
	}
	got := strings.Join(slices.Sorted(maps.Keys(known)), " ")
	renumbered := c.fault == "renumbered" && len(known) == 3
	if got != "2 3 4" && (!c.expunges() || got != "2 4") && !renumbered {
		c.Errorf("messages %s, want 2 3 4", got)
	}
	if c.row.operation == "changed" && !flagged {
		c.Error("nobody tells that the third message was flagged")
	}
	return nil
}

// changes are the operations that change the message, with what the mailbox is
// like then.
func changes() map[string]struct {
	change session.Change
	state  string
} {
	type done = struct {
		change session.Change
		state  string
	}
	return map[string]done{
		"flag":   {session.Change{Set: session.Flags{session.Flagged}}, `INBOX 1 2\Flagged 3, Archive `},
		"copy":   {session.Change{CopyTo: session.FolderAt("Archive")}, "INBOX 1 2 3, Archive 2"},
		"move":   {session.Change{MoveTo: session.FolderAt("Archive")}, "INBOX 1 3, Archive 2"},
		"delete": {session.Change{Delete: true}, "INBOX 1 3, Archive "},
		"append": {session.Change{}, "INBOX 1 2 3, Archive 4"},
	}
}

// operate does what makes the client send the row's command. Of a change it
// returns the message's own error, and whether nobody knows what became of it.
func (c *trial) operate(ctx context.Context) (unknown bool, err error) {
	switch c.row.operation {
	case "list":
		return false, c.list(ctx, session.FieldsAll)
	case "structures":
		return false, c.list(ctx, session.FieldHeader|session.FieldStructure|session.FieldPreview)
	case "open":
		return false, c.open(ctx)
	case "folders":
		return false, c.folders(ctx, session.FolderOptions{})
	case "subscribed":
		return false, c.folders(ctx, session.FolderOptions{Subscribed: true})
	case "counts":
		return false, c.folders(ctx, session.FolderOptions{Counts: true})
	case "quota":
		return false, c.quota(ctx)
	case "close":
		return false, c.client.Close()
	case "append":
		return c.append(ctx)
	case "count":
		return false, c.count(ctx)
	case "changes", "changed":
		return false, c.changes(ctx)
	case "create", "rename", "remove", "subscribe", "unsubscribe":
		return c.edit(ctx)
	}
	results, err := c.client.Apply(ctx, changes()[c.row.operation].change, c.id)
	if len(results) != 1 {
		c.Fatalf("%d results for one message: %v", len(results), err)
	}
	r := results[0]
	if err == nil && r.Outcome == session.DoneUnknown {
		c.Error("nobody knows the outcome, and Apply returns no error")
	}
	if (r.Err == nil) != (r.Outcome == session.Done) {
		c.Errorf("outcome %v with the error %v", r.Outcome, r.Err)
	}
	return r.Outcome == session.DoneUnknown, r.Err
}

// append puts a message into another folder.
func (c *trial) append(ctx context.Context) (unknown bool, err error) {
	appender, ok := session.As[session.Appender](c.client)
	if !ok {
		c.Fatal("the client cannot append")
	}
	id, err := appender.Append(ctx, session.FolderAt("Archive"), message.Bytes([]byte(mailtest.Sample(4))), nil)
	e, failed := errors.AsType[*session.AppendError](err)
	if failed != (err != nil) || failed != id.IsZero() && c.row.name != "UID SEARCH for UIDPLUS" {
		c.Errorf("id %v with the error %v", id, err)
	}
	return failed && e.Outcome == session.DoneUnknown, err
}

// between are the states that a change in several steps passes, and the words
// for a change that was refused there.
func between() map[string]map[string]string {
	return map[string]map[string]string{
		"delete": {`INBOX 1 2\Deleted 3, Archive `: "marked"},
		"move":   {"INBOX 1 2 3, Archive 2": "copied", `INBOX 1 2\Deleted 3, Archive 2`: "copied"},
	}
}

// word says in the table's words what the operation came to.
func (c *trial) word(err error, unknown bool, redialled bool) string {
	_, auth := errors.AsType[*session.AuthError](err)
	_, item := errors.AsType[*session.ItemError](err)
	_, silent := errors.AsType[*wire.TimeoutError](err)
	_, lost := errors.AsType[*backend.LostError](err)
	switch {
	case c.row.command == "APPEND" && (unknown && c.state() == c.before || err == nil && redialled):
		return "looked"
	case unknown:
		return "unknown"
	case c.row.operation == "structures" && c.incomplete:
		return "less"
	case err == nil && c.expunges() && c.transfers() && strings.HasSuffix(c.state(), "Archive "):
		return "taken"
	case err == nil && redialled:
		return "again"
	case err == nil:
		return "ok"
	case auth:
		return "auth"
	case between()[c.row.operation][c.state()] != "":
		return between()[c.row.operation][c.state()]
	case errors.Is(err, session.ErrNoFolder):
		return "folder"
	case errors.Is(err, session.ErrStaleID):
		return "stale"
	case errors.Is(err, session.ErrNoMessage):
		return "gone"
	case silent:
		return "timeout"
	case (lost || errors.Is(err, io.ErrUnexpectedEOF)) && session.Temporary(err):
		return "lost"
	case session.Temporary(err):
		return "temp"
	case item:
		return "item"
	}
	return "refused"
}

// run plays one form of one fault and returns the word for it.
func (c *trial) run(fault mailtest.Fault) string {
	ctx := c.Context()
	if c.row.again {
		first := func(ctx context.Context) error { return c.list(ctx, session.FieldsAll) }
		if c.row.operation == "folders" {
			first = func(ctx context.Context) error { return c.folders(ctx, session.FolderOptions{}) }
		}
		if err := first(ctx); err != nil {
			c.Fatal(err)
		}
		<-time.After(c.row.after)
	}
	if c.row.operation == "changed" {
		c.flagThird()
	}
	fault.Contains = c.row.contains
	c.server.Inject(fault)
	made, _ := c.server.Connections()
	if c.row.operation == "changed" {
		made++ // that of the client which knew of all
	}
	start := time.Now()
	unknown, err := c.operate(ctx)
	took := time.Since(start)
	now, _ := c.server.Connections()
	if fault.Times >= 0 && c.server.Pending() != 0 {
		c.Errorf("the fault was not met")
	}
	word := c.word(err, unknown, now > max(made, 1))
	c.checkError(word, err)
	c.checkTime(word, took)
	c.checkMailbox(word)
	c.server.Heal()
	c.checkAfterwards()
	return word
}

// checkError: it says where and at what, and no secret.
func (c *trial) checkError(word string, err error) {
	said := c.log.String()
	if err != nil {
		said += err.Error()
		if !strings.Contains(err.Error(), "localhost:143") {
			c.Errorf("the error does not name the server: %v", err)
		}
		if !namesOperation(err) {
			c.Errorf("the error does not name the operation: %v", err)
		}
		if e, ok := errors.AsType[*session.AuthError](err); ok && e.Remedy == "" {
			c.Errorf("the error does not say what to do: %v", err)
		}
	}
	if temporary := word == "timeout" || word == "lost" || word == "temp"; err != nil && word != "unknown" && word != "looked" && word != "marked" && session.Temporary(err) != temporary {
		c.Errorf("Temporary(%v) = %t", err, session.Temporary(err))
	}
	for told, part := range map[string]string{"marked": `keep the flag \Deleted`, "copied": "the copies are there"} {
		if word == told && !strings.Contains(err.Error(), part) {
			c.Errorf("the error does not tell what was left behind: %v", err)
		}
	}
	for _, hidden := range []string{password().Reveal(), "token-", "Sample", "Bob Example", "This is"} {
		for _, form := range []string{hidden, base64.StdEncoding.EncodeToString([]byte(hidden))} {
			if strings.Contains(said, form) {
				c.Errorf("%q shows in the error or in the log: %v\n%s", hidden, err, said)
			}
		}
	}
}

// namesOperation reports whether the error says what was being done.
func namesOperation(err error) bool {
	return slices.ContainsFunc([]string{
		"connect", "TLS with", "greeting", "sign in", "capability", "starttls", "authenticate", "login", "list", "select INBOX",
		"noop", "enable", "changes", "namespace", "quota", "search", "status", "append", "fetch", "preview", "open", "apply", "store", "copy", "move", "expunge", "create", "rename", "delete", "subscribe", "id", "the greeting", "folder INBOX",
	}, func(op string) bool {
		return strings.Contains(err.Error(), ": "+op) || strings.HasPrefix(err.Error(), op)
	})
}

// checkTime: no longer than the stage's bound on standing still, and no time at
// all where the server does not wait.
func (c *trial) checkTime(word string, took time.Duration) {
	bound := boundOf(c.row.stage)
	waited := word == "timeout" || (word == "unknown" || word == "looked") && c.waits()
	switch {
	case c.fault == "drip":
		if took < bound {
			c.Errorf("took %v, want longer than the bound of %v on standing still", took, bound)
		}
	case c.fault == "late":
		if took != lateBy {
			c.Errorf("took %v, want %v", took, lateBy)
		}
	case waited && took != bound, took > bound:
		c.Errorf("took %v, want %v", took, bound)
	case !c.waits() && took != 0:
		c.Errorf("took %v, want no time at all", took)
	}
}

// waits reports whether the fault makes the client wait for what does not come.
func (c *trial) waits() bool {
	return slices.Contains([]string{"silence", "half", "longer", "far longer", "shorter"}, c.fault)
}

// checkMailbox: what was done is what the caller was told.
func (c *trial) checkMailbox(word string) {
	got := c.state()
	changed, change := changes()[c.row.operation]
	allowed := []string{c.before}
	switch {
	case change && (word == "ok" || word == "again"):
		allowed = []string{changed.state}
	case change && (word == "unknown" || word == "looked"):
		allowed = append(slices.Collect(maps.Keys(between()[c.row.operation])), c.before, changed.state)
	case change && (word == "marked" || word == "copied"):
		allowed = slices.Collect(maps.Keys(between()[c.row.operation]))
	}
	if c.expunges() {
		for i := range allowed {
			allowed[i] = strings.NewReplacer("INBOX 1 2 3", "INBOX 1 3", `INBOX 1 2\Flagged 3`, "INBOX 1 3").Replace(allowed[i])
		}
	}
	if !slices.Contains(allowed, got) {
		c.Errorf("the mailbox is %q after %q, want %q", got, word, allowed)
	}
}

// checkAfterwards: the client works, and leaves nothing behind.
func (c *trial) checkAfterwards() {
	if c.row.operation != "close" {
		for m, err := range c.client.Messages(c.Context(), session.Query{}) {
			if err != nil {
				c.Errorf("afterwards the client does not work: %v", err)
			} else if m.Header.Subject() == "" {
				c.Errorf("afterwards a message has no subject")
			}
		}
		if _, open := c.server.Connections(); open > imapx.DefaultMaxConnections {
			c.Errorf("%d connections are open, want at most %d", open, imapx.DefaultMaxConnections)
		}
		if err := c.client.Close(); err != nil {
			c.Error(err)
		}
	}
	<-time.After(time.Minute) // a server that is slow notices late
	synctest.Wait()
	if _, open := c.server.Connections(); open != 0 {
		c.Errorf("%d connections are open after Close, want none", open)
	}
	if err := c.server.Close(); err != nil {
		c.Error(err)
	}
}

// TestFaultTable holds the client to testdata/faults.txt: each command under each
// fault.
func TestFaultTable(t *testing.T) {
	rows, columns := rows(), columns()
	play := faulttable.Play{
		// A line of an answer that is missing, doubled or another is an odd answer, of
		// which testdata/responses.txt has the kinds.
		Unused: []string{"DropAfterLine", "Lines", "RepeatLine", "ReplaceLine", "WithoutLine"},
	}
	for _, r := range rows {
		play.Rows = append(play.Rows, faulttable.Row{Name: r.name, Command: r.command})
	}
	for _, col := range columns {
		play.Faults = append(play.Faults, col.name)
	}
	play.Cases = func(row, column int) (cases []faulttable.Case) {
		r, col := rows[row], columns[column]
		for i := range col.faults(&trial{row: r}) {
			cases = append(cases, faulttable.Case{
				Name: strconv.Itoa(i),
				Play: func(t *testing.T) (string, []mailtest.Command) {
					t.Helper()
					c := newTrial(t, r, col.name)
					return c.run(col.faults(c)[i]), c.server.Commands()
				},
			})
		}
		return cases
	}
	play.Run(t)
}
