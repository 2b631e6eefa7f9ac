package imapx_test

import (
	"bytes"
	"context"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/imaptest"
	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/faulttable"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

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
		{name: "IDLE", command: "IDLE", operation: "listen", stage: wire.StageIdle},
		{name: "DONE", command: "DONE", operation: "listen", stage: wire.StageIdle},
		{name: "NOTIFY", command: "NOTIFY", operation: "listen", stage: wire.StageCommand},
		{name: "LOGOUT", command: "LOGOUT", operation: "close", stage: wire.StageClose, again: true},
	}
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
		Host: "localhost", Port: 143, AllowPlainAuth: true, Dial: c.server.Dial, TLS: c.server.ClientTLS(), Timeouts: faulttable.Bounds(),
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

// run plays one form of one fault and returns the word for it.
func (c *trial) run(fault mailtest.Fault) string {
	if c.row.operation == "listen" {
		return c.hear(fault)
	}
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
