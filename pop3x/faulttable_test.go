package pop3x_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/faulttable"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

// column is a fault of testdata/faults.txt, in its several forms; all come to
// the same.
type column struct {
	name   string
	faults func(r row) []mailtest.Fault
}

// lateBy is less than any bound on standing still.
const lateBy = 9 * time.Second

func columns() []column {
	one := func(name string, fault func(command string) mailtest.Fault) column {
		return column{name, func(r row) []mailtest.Fault { return []mailtest.Fault{fault(r.command)} }}
	}
	several := func(name string, fault func(command, line string) mailtest.Fault, lines ...string) column {
		return column{name, func(r row) (all []mailtest.Fault) {
			for _, line := range lines {
				all = append(all, fault(r.command, line))
			}
			return all
		}}
	}
	return []column{
		one("silence", mailtest.Silence),
		one("half", mailtest.Half),
		{"cut", cuts},
		{"cut again", func(r row) []mailtest.Fault {
			return []mailtest.Fault{mailtest.Drop(r.command, 2).Repeating(-1)}
		}},
		one("drip", func(command string) mailtest.Fault {
			chunk := 8
			if command == "NOOP" || command == "RSET" {
				chunk = 1 // the whole answer has five bytes
			}
			return mailtest.Drip(command, chunk, lateBy)
		}),
		one("late", func(command string) mailtest.Fault { return mailtest.Delay(command, lateBy) }),
		several("leaving", mailtest.Bye, "-ERR [SYS/TEMP] going down"),
		several("err", mailtest.Reply, "-ERR", "-ERR never", "-err [NEVER] ever"),
		several("temp", mailtest.Reply, "-ERR [SYS/TEMP] later", "-ERR [IN-USE] another session", "-ERR [LOGIN-DELAY] too soon"),
		one("refused", mailtest.Refuse),
		one("expired", mailtest.Expire),
		several("noise", mailtest.Before, "* BYE\r\n", "\r\n", "OK\r\n"),
		several("trailer", mailtest.After, "+OK once more\r\n"),

		one("no dot", pop3test.NoFinalDot),
		{"cut in a line", func(r row) []mailtest.Fault { return []mailtest.Fault{mailtest.DropAfterLine(r.command, 2)} }},
		{"blank line", func(r row) []mailtest.Fault { return []mailtest.Fault{mailtest.ReplaceLine(r.command, 3, "")} }},
		{"odd line", func(r row) []mailtest.Fault {
			return []mailtest.Fault{mailtest.ReplaceLine(r.command, 3, "two words"), mailtest.ReplaceLine(r.command, 3, "2")}
		}},
		{"line missing", func(r row) []mailtest.Fault { return []mailtest.Fault{mailtest.WithoutLine(r.command, 3)} }},
		{"line twice", func(r row) []mailtest.Fault { return []mailtest.Fault{mailtest.RepeatLine(r.command, 3)} }},
	}
}

// cuts are a connection that is cut where the command was carried out, in
// different places of the answer, and one where it was not.
func cuts(r row) []mailtest.Fault {
	undone := mailtest.Drop(r.command, 0)
	undone.Ignore = true
	return []mailtest.Fault{mailtest.Drop(r.command, 0), mailtest.Drop(r.command, 1), mailtest.Drop(r.command, 4), undone}
}

// row is a command of testdata/faults.txt and how the client is made to send it.
type row struct {
	name      string
	command   string // as the server calls it
	contains  string // in the command's line
	skip      int    // how many of them are answered properly
	stage     wire.Stage
	act       func(c *trial) error
	security  mailtest.Security
	mechanism string
	apop      bool
	delay     bool // the server's capabilities differ from user to user
}

func rows() []row {
	listed, opened, deleted := (*trial).listAll, (*trial).openSecond, (*trial).deleteTwo
	command := wire.StageCommand
	return []row{
		{name: "TLS at once", command: mailtest.Handshake, stage: wire.StageHandshake, security: mailtest.TLS, act: listed},
		{name: "greeting", command: mailtest.Greeting, stage: wire.StageGreeting, act: listed},
		{name: "CAPA", command: "CAPA", stage: command, act: listed},
		{name: "STLS", command: "STLS", stage: command, security: mailtest.STARTTLS, act: listed},
		{name: "TLS behind STLS", command: mailtest.Handshake, stage: wire.StageHandshake, security: mailtest.STARTTLS, act: listed},
		{name: "CAPA under TLS", command: "CAPA", skip: 1, stage: command, security: mailtest.STARTTLS, act: listed},
		{name: "UTF8", command: "UTF8", stage: command, act: listed},
		{name: "AUTH PLAIN", command: "AUTH", stage: wire.StageAuth, act: listed},
		{name: "AUTH XOAUTH2", command: "AUTH", stage: wire.StageAuth, mechanism: "XOAUTH2", act: listed},
		{name: "AUTH OAUTHBEARER", command: "AUTH", stage: wire.StageAuth, mechanism: "OAUTHBEARER", act: listed},
		{name: "USER", command: "USER", stage: wire.StageAuth, mechanism: "USER", act: listed},
		{name: "PASS", command: "PASS", stage: wire.StageAuth, mechanism: "USER", act: listed},
		{name: "APOP", command: "APOP", stage: wire.StageAuth, mechanism: "APOP", apop: true, act: listed},
		{name: "CAPA behind the sign-in", command: "CAPA", skip: 1, stage: command, delay: true, act: listed},
		{name: "STAT", command: "STAT", stage: command, act: listed},
		{name: "UIDL", command: "UIDL", stage: command, act: listed},
		{name: "LIST", command: "LIST", stage: command, act: listed},
		{name: "TOP", command: "TOP", contains: " 2 0", stage: command, act: listed},
		{name: "RETR", command: "RETR", stage: command, act: opened},
		{name: "RETR of many", command: "RETR", contains: " 2", stage: command, act: (*trial).readAll},
		{name: "NOOP", command: "NOOP", stage: command, act: (*trial).folders},
		{name: "DELE, the first", command: "DELE", contains: " 2", stage: command, act: deleted},
		{name: "DELE, the last", command: "DELE", contains: " 3", stage: command, act: deleted},
		{name: "RSET", command: "RSET", stage: command, act: (*trial).takeBack},
		{name: "QUIT of a deletion", command: "QUIT", stage: command, act: deleted},
		{name: "QUIT before a new session", command: "QUIT", stage: wire.StageClose, act: (*trial).listAgain},
		{name: "QUIT at the end", command: "QUIT", stage: wire.StageClose, act: (*trial).close},
	}
}

// trial is one command under one fault.
type trial struct {
	*world

	row      row
	fault    string
	log      bytes.Buffer
	inject   func()
	ids      []session.ID
	listed   []string // what the caller learned of the messages
	outcomes string   // of a deletion
	closed   bool
}

func newTrial(t *testing.T, r row, fault string, capabilities []string) *trial {
	t.Helper()
	c := &trial{row: r, fault: fault}
	logger := slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if r.delay {
		capabilities = append(slices.Clone(capabilities), "LOGIN-DELAY 0 USER")
	}
	c.world = newWorld(t, 3, &pop3test.Options{
		Capabilities: capabilities, Security: r.security, APOP: r.apop, Shared: true,
	}, nil)
	c.account.AcceptTokens(func(context.Context, secret.Text) error { return nil })
	s := c.settings()
	s.Host, s.Port, s.Timeouts = "localhost", 110, faulttable.Bounds()
	s.Security = map[mailtest.Security]session.Security{
		mailtest.None: session.None, mailtest.TLS: session.TLS, mailtest.STARTTLS: session.STARTTLS,
	}[r.security]
	if r.mechanism != "" {
		s.Mechanisms = []string{r.mechanism}
	}
	creds := withPassword()
	if strings.Contains(r.mechanism, "OAUTH") || r.mechanism == "" && fault == "expired" {
		creds = withTokens()
	}
	// The ids are those of the server's own address.
	before := c.open(s, creds, nil)
	all, err := collect(t.Context(), before, session.Query{OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range all {
		c.ids = append(c.ids, m.ID)
	}
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	c.client = c.open(s, creds, &pop3x.Options{Logger: logger, LockWait: -1})
	return c
}

// listAll lists the maildrop. An item that cannot be read ends nothing.
func (c *trial) listAll() error {
	c.inject()
	return c.list()
}

func (c *trial) list() (last error) {
	for m, err := range c.client.Messages(c.Context(), session.Query{OldestFirst: true}) {
		if err != nil {
			last = err
			c.listed = append(c.listed, "?")
			continue
		}
		c.listed = append(c.listed, strings.TrimPrefix(m.Header.Subject(), "Sample "))
	}
	return last
}

func (c *trial) listAgain() error {
	if err := c.folders(); err != nil {
		return err
	}
	c.inject()
	return c.list()
}

func (c *trial) openSecond() error {
	c.inject()
	raw, err := read(c.Context(), c.client, c.ids[1])
	if want := mailtest.Sample(2); !strings.HasPrefix(want, raw) || err == nil && raw != want {
		c.Errorf("the body has %d bytes, %v; want %d", len(raw), err, len(want))
	}
	return err
}

// readAll reads all messages in one go.
func (c *trial) readAll() (last error) {
	c.inject()
	for body, err := range c.client.Bodies(c.Context(), c.ids...) {
		if err != nil {
			last = err
			continue
		}
		var raw bytes.Buffer
		_, err := raw.ReadFrom(body)
		want := mailtest.Sample(1 + slices.Index(c.ids, body.ID))
		if !strings.HasPrefix(want, raw.String()) || err == nil && raw.String() != want {
			c.Errorf("the body has %d bytes, %v; want %d", raw.Len(), err, len(want))
		}
		if err != nil {
			last = err
		}
	}
	return last
}

func (c *trial) folders() error {
	if c.row.command == "NOOP" {
		c.inject()
	}
	for _, err := range c.client.Folders(c.Context()) {
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteTwo deletes the second and the third message.
func (c *trial) deleteTwo() error {
	c.inject()
	results, err := c.client.Apply(c.Context(), session.Change{Delete: true}, c.ids[1], c.ids[2])
	c.outcomes = outcomes(results)
	for _, r := range results {
		if err == nil {
			err = r.Err
		}
	}
	return err
}

// takeBack deletes messages of which the server refuses to mark the last for a
// reason of its own.
func (c *trial) takeBack() error {
	c.server.Inject(mailtest.Reply("DELE", "-ERR [SYS/TEMP] disk trouble").Containing(" 3"))
	return c.deleteTwo()
}

func (c *trial) close() error {
	if err := c.folders(); err != nil {
		return err
	}
	c.inject()
	c.closed = true
	return c.client.Close()
}

// word says in the table's words what it came to.
func (c *trial) word(err error, redialled bool) string {
	_, auth := errors.AsType[*session.AuthError](err)
	_, silent := errors.AsType[*wire.TimeoutError](err)
	_, lost := errors.AsType[*backend.LostError](err)
	_, item := errors.AsType[*session.ItemError](err)
	switch {
	case strings.Contains(c.outcomes, "unknown"):
		return "unknown"
	case c.outcomes == "done, not done" || c.outcomes == "not done, done":
		return "partly"
	case err == nil && redialled:
		return "again"
	case err == nil:
		return "ok"
	case auth:
		return "auth"
	case silent:
		return "timeout"
	case lost:
		return "lost"
	case item:
		return "item"
	case session.Temporary(err):
		return "temp"
	}
	return "refused"
}

// run plays one form of one fault and returns the word for it.
func (c *trial) run(fault mailtest.Fault) string {
	fault.Contains, fault.Skip = c.row.contains, c.row.skip
	synctest.Wait()
	before, _ := c.server.Connections()
	c.inject = func() { c.server.Inject(fault) }
	start := time.Now()
	err := c.row.act(c)
	took := time.Since(start)
	if fault.Times >= 0 && c.server.Pending() != 0 {
		c.Errorf("the fault was not met")
	}
	made, _ := c.server.Connections()
	expected := 1
	if c.row.name == "QUIT before a new session" {
		expected = 2
	}
	word := c.word(err, made-before > expected)
	c.checkError(word, err)
	c.checkTime(word, took)
	c.checkListed(word)
	synctest.Wait()
	c.checkMaildrop(word)
	c.server.Heal()
	c.checkAfterwards()
	return word
}

// checkError: it says where and whether it passes, and no secret.
func (c *trial) checkError(word string, err error) {
	faulttable.CheckError(c, err, "localhost:110", c.log.String(), password().Reveal(), "horse-", "This is sample")
	if e, ok := errors.AsType[*session.AuthError](err); ok && e.Remedy == "" {
		c.Errorf("the error does not say what to do: %v", err)
	}
	temporary := word == "timeout" || word == "lost" || word == "temp"
	if err != nil && word != "unknown" && word != "partly" && word != "item" && session.Temporary(err) != temporary {
		c.Errorf("Temporary(%v) = %t", err, session.Temporary(err))
	}
}

// checkTime: no longer than the stage's bound on standing still, and all of that
// where the client gave up.
func (c *trial) checkTime(word string, took time.Duration) {
	bound := faulttable.BoundOf(c.row.stage)
	waits := c.fault == "silence" || c.fault == "half" || c.fault == "no dot"
	switch {
	case c.fault == "drip":
		if took <= bound && c.row.stage != wire.StageClose {
			c.Errorf("took %v, want longer than the bound of %v on standing still", took, bound)
		}
	case c.fault == "late":
		if took != lateBy {
			c.Errorf("took %v, want %v", took, lateBy)
		}
	case word == "timeout" && took != bound, took > bound:
		c.Errorf("took %v, want %v", took, bound)
	case !waits && took != 0:
		c.Errorf("took %v, want no time at all", took)
	}
}

// checkListed: a list has every message once, or ends in an error.
func (c *trial) checkListed(word string) {
	got := strings.Join(c.listed, " ")
	switch {
	case c.listed == nil:
	case word == "ok" || word == "again":
		if got != "1 2 3" {
			c.Errorf("the list has %q", got)
		}
	case word == "item" && (len(c.listed) != 3 || !strings.Contains(got, "?")):
		c.Errorf("the list has %q, want three items", got)
	}
}

// checkMaildrop: what is there is what the results say.
func (c *trial) checkMaildrop(word string) {
	left := c.left()
	want := map[string]string{
		"done, done": "1", "done, not done": "1 3", "not done, done": "1 2", "not done, not done": "1 2 3", "": "1 2 3",
	}[c.outcomes]
	if word == "unknown" && (left == "1" || left == "1 2 3") {
		return
	}
	if left != want {
		c.Errorf("the maildrop has %q after %q (%s), want %q", left, word, c.outcomes, want)
	}
}

// checkAfterwards: the client works, and leaves nothing behind.
func (c *trial) checkAfterwards() {
	if !c.closed {
		c.listed = nil
		if err := c.list(); err != nil || strings.Join(c.listed, " ") != c.left() {
			c.Errorf("afterwards the list has %q, %v", c.listed, err)
		}
	}
	if err := c.client.Close(); err != nil {
		c.Error(err)
	}
	pass(time.Minute) // a server that is slow notices late
	synctest.Wait()
	if _, open := c.server.Connections(); open != 0 {
		c.Errorf("%d connections are open after Close, want none", open)
	}
	if err := c.server.Close(); err != nil {
		c.Error(err)
	}
}

// TestFaultTable holds the client to testdata/faults.txt: each command under each
// fault, with and without PIPELINING.
func TestFaultTable(t *testing.T) {
	rows, columns := rows(), columns()
	play := faulttable.Play{
		// A session sees nothing of what others do to the maildrop; sizes are what a
		// server estimates, see TestSizesAreEstimates; Lines is what others are made of.
		Unused: []string{"Call", "CallAfter", "Lines", "WrongSize"},
	}
	for _, r := range rows {
		play.Rows = append(play.Rows, faulttable.Row{Name: r.name, Command: r.command})
	}
	for _, col := range columns {
		play.Faults = append(play.Faults, col.name)
	}
	play.Cases = func(row, column int) (cases []faulttable.Case) {
		r, col := rows[row], columns[column]
		for i, fault := range col.faults(r) {
			for _, without := range []string{"", "PIPELINING"} {
				cases = append(cases, faulttable.Case{
					Name: fmt.Sprintf("%d, without %s", i, without),
					Play: func(t *testing.T) (string, []mailtest.Command) {
						t.Helper()
						c := newTrial(t, r, col.name, pop3test.Without(without))
						return c.run(fault), c.server.Commands()
					},
				})
			}
		}
		return cases
	}
	play.Run(t)
}
