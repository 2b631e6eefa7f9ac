package smtpx_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/faulttable"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// column is a fault of testdata/faults.txt, in its several forms; all come to the
// same.
type column struct {
	name   string
	faults func(r row) []mailtest.Fault
}

// lateBy is less than any bound on standing still.
const lateBy = 9 * time.Second

// behind is more than any answer is long: what happens behind so many bytes
// happens behind the answer.
const behind = 1000

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
		{"silence", func(r row) []mailtest.Fault {
			f := mailtest.Silence(r.command)
			f.StopAfter = r.behind
			return []mailtest.Fault{f}
		}},
		one("half", mailtest.Half),
		{"cut", cuts},
		{"cut again", func(r row) []mailtest.Fault {
			return []mailtest.Fault{mailtest.Drop(r.command, 2+r.behind).Repeating(-1)}
		}},
		{"closing", func(r row) []mailtest.Fault {
			if r.behind > 0 {
				return []mailtest.Fault{mailtest.After(r.command, "421 4.3.2 closing down\r\n")}
			}
			return []mailtest.Fault{mailtest.Bye(r.command, "421 4.3.2 closing down"), mailtest.Bye(r.command, "421 closing down")}
		}},
		one("drip", func(command string) mailtest.Fault { return mailtest.Drip(command, 1, lateBy) }),
		one("late", func(command string) mailtest.Fault { return mailtest.Delay(command, lateBy) }),

		several("4yz", mailtest.Reply, "450 4.2.0 later", "451 4.3.0 local trouble", "452 4.2.2 full", "454 later"),
		several("5yz", mailtest.Reply, "550 5.7.1 never", "554 5.6.0 never", "552 5.2.2 full", "553 never"),
		several("throttled", mailtest.Reply, "451 4.7.1 slow down", "450 4.7.28 slow down", "454 4.7.0 slow down"),
		several("421 4.7.z", mailtest.Reply, "421 4.7.0 slow down", "421 4.7.28 slow down"),
		one("refused", mailtest.Refuse),
		one("expired", mailtest.Expire),
		several("noise", mailtest.Before, "* BYE\r\n", "\r\n", "999 what\r\n"),
		several("two codes", mailtest.Reply, "250-two\r\n551 codes"),
		several("trailer", mailtest.After, "250 once more\r\n"),
	}
}

// cuts are a connection that is cut where the command was carried out, in
// different places of the answer, and one where it was not.
func cuts(r row) []mailtest.Fault {
	if r.behind > 0 {
		return []mailtest.Fault{mailtest.Drop(r.command, r.behind)}
	}
	undone := mailtest.Drop(r.command, 0)
	undone.Ignore = true
	return []mailtest.Fault{mailtest.Drop(r.command, 0), mailtest.Drop(r.command, 1), mailtest.Drop(r.command, 12), undone}
}

// row is a command of testdata/faults.txt and how the client is made to send it.
type row struct {
	name      string
	command   string // as the server calls it
	contains  string // in the command's line
	skip      int    // how many of them are answered properly
	stage     wire.Stage
	behind    int  // where the fault lies behind the answer
	kept      bool // a message was sent over the connection before
	refused   bool // MAIL is refused first
	quits     bool // the client is closed instead of sending a message
	helo      bool // the server knows neither EHLO nor signing in
	bulk      bool // the message is the third of three that are sent together
	second    bool // of two
	data      bool // by DATA, since the server has no CHUNKING
	security  mailtest.Security
	mechanism string
}

func rows() []row {
	return []row{
		{name: "TLS at once", command: mailtest.Handshake, stage: wire.StageHandshake, security: mailtest.TLS},
		{name: "greeting", command: mailtest.Greeting, stage: wire.StageGreeting, security: mailtest.None},
		{name: "EHLO", command: "EHLO", stage: wire.StageCommand, security: mailtest.None},
		{name: "HELO", command: "HELO", stage: wire.StageCommand, helo: true},
		{name: "STARTTLS", command: "STARTTLS", stage: wire.StageCommand, security: mailtest.STARTTLS},
		{name: "TLS behind STARTTLS", command: mailtest.Handshake, stage: wire.StageHandshake, security: mailtest.STARTTLS},
		{name: "EHLO under TLS", command: "EHLO", skip: 1, stage: wire.StageCommand, security: mailtest.STARTTLS},
		{name: "AUTH PLAIN", command: "AUTH", stage: wire.StageAuth, mechanism: "PLAIN"},
		{name: "AUTH LOGIN", command: "AUTH", stage: wire.StageAuth, mechanism: "LOGIN"},
		{name: "AUTH XOAUTH2", command: "AUTH", stage: wire.StageAuth, mechanism: "XOAUTH2"},
		{name: "AUTH OAUTHBEARER", command: "AUTH", stage: wire.StageAuth, mechanism: "OAUTHBEARER"},
		{name: "MAIL", command: "MAIL", stage: wire.StageCommand},
		{name: "MAIL on a kept line", command: "MAIL", stage: wire.StageCommand, kept: true},
		{name: "RCPT, the first", command: "RCPT", contains: bob, stage: wire.StageCommand},
		{name: "RCPT, the second", command: "RCPT", contains: carol, stage: wire.StageCommand},
		{name: "DATA", command: "DATA", stage: wire.StageCommand},
		{name: "the message", command: "DATA", stage: wire.StageCommand, behind: behind},
		{name: "final dot", command: smtptest.EndOfData, stage: wire.StageCommand},
		{name: "RSET", command: "RSET", stage: wire.StageCommand, refused: true},
		{name: "RSET in a window", command: "RSET", stage: wire.StageCommand, bulk: true},
		{name: "MAIL in a window", command: "MAIL", skip: 2, stage: wire.StageCommand, bulk: true},
		{name: "RCPT in a window", command: "RCPT", contains: carol, skip: 2, stage: wire.StageCommand, bulk: true},
		{name: "BDAT, the first", command: "BDAT", stage: wire.StageCommand, bulk: true, second: true},
		{name: "BDAT, not the last", command: "BDAT", skip: 2, stage: wire.StageCommand, bulk: true},
		{name: "BDAT LAST", command: "BDAT", contains: "LAST", skip: 1, stage: wire.StageCommand, bulk: true},
		{name: "RSET behind a message", command: "RSET", stage: wire.StageCommand, bulk: true, data: true},
		{name: "MAIL behind a message", command: "MAIL", skip: 2, stage: wire.StageCommand, bulk: true, data: true},
		{name: "RCPT behind a message", command: "RCPT", contains: carol, skip: 2, stage: wire.StageCommand, bulk: true, data: true},
		{name: "DATA behind a message", command: "DATA", skip: 2, stage: wire.StageCommand, bulk: true, data: true},
		{name: "the dot behind it", command: smtptest.EndOfData, skip: 2, stage: wire.StageCommand, bulk: true, data: true},
		{name: "QUIT", command: "QUIT", stage: wire.StageClose, kept: true, quits: true},
	}
}

// extensions are those of the servers that the row is played on.
func (r row) extensions() [][]string {
	switch {
	case r.data:
		return [][]string{smtptest.Without("CHUNKING")}
	case r.bulk:
		return [][]string{nil}
	}
	return [][]string{nil, smtptest.Without("PIPELINING")}
}

// trial is one command under one fault.
type trial struct {
	*testing.T

	row    row
	fault  string
	server *smtptest.Server
	client *smtpx.Client
	log    bytes.Buffer
}

func newTrial(t *testing.T, r row, fault string, extensions []string) *trial {
	t.Helper()
	box := newBox()
	account, _ := box.Account(ann)
	account.AcceptTokens(func(context.Context, secret.Text) error { return nil })
	c := &trial{T: t, row: r, fault: fault, server: smtptest.New(box, &smtptest.Options{
		Extensions: extensions, Security: r.security, NoEHLO: r.helo, Anonymous: r.helo,
	})}
	server := inMemory(c.server)
	server.Host, server.Port, server.TLS, server.Timeouts = "localhost", 587, c.server.ClientTLS(), faulttable.Bounds()
	server.Security = map[mailtest.Security]session.Security{
		mailtest.None: session.None, mailtest.TLS: session.TLS, mailtest.STARTTLS: session.STARTTLS,
	}[r.security]
	if r.mechanism != "" {
		server.Mechanisms = []string{r.mechanism}
	}
	creds := withPassword()
	if r.mechanism == "XOAUTH2" || r.mechanism == "OAUTHBEARER" || r.mechanism == "" && fault == "expired" {
		creds = withTokens(&renewable{})
	}
	if r.helo {
		creds = session.Credentials{}
	}
	logger := slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o := &smtpx.Options{Logger: logger}
	if r.bulk {
		o.MaxConnections, o.Retry.Count = 1, -1
	}
	c.client = newClient(t, server, creds, o)
	return c
}

// third is the last of three letters. Where it has more than one chunk, the last
// one comes when everybody else has done what there was to do.
func (c *trial) third() message.Source {
	if c.row.command == "BDAT" && c.row.contains == "" && !c.row.second {
		return brokenSource{text: letter + strings.Repeat("x\r\n", 22_000), size: -1, hook: synctest.Wait}
	}
	return source(letter)
}

// sendTogether sends three letters together, or two, and returns what became of the
// last, and how many others there are. The first is read to its end when all of them
// were taken from the input, so that none of them finds the connection at rest.
func (c *trial) sendTogether() (rec session.Receipt, others int, err error) {
	taken := make(chan struct{})
	first := brokenSource{text: letter, size: int64(len(letter)), hook: func() { <-taken }}
	letters := []message.Source{first, source(letter), c.third()}
	if c.row.second {
		letters = letters[:2]
	}
	others = len(letters) - 1
	all := func(yield func(session.Mail) bool) {
		defer close(taken)
		e := session.Envelope{From: ann, To: []string{bob, carol}}
		for i, m := range letters {
			if !yield(session.Mail{Key: strconv.Itoa(i), Envelope: e, Message: m}) {
				return
			}
		}
	}
	for r, e := range c.client.SendAll(c.Context(), all, nil) {
		switch {
		case r.Key == strconv.Itoa(others):
			rec, err = r.Receipt, e
		case e != nil:
			c.Errorf("message %s: %v", r.Key, e)
		}
	}
	return rec, others, err
}

// send sends the letter to bob and carol. Its last byte comes when everybody else
// has done what there was to do.
func (c *trial) send() (session.Receipt, error) {
	e := session.Envelope{From: ann, To: []string{bob, carol}}
	return c.client.Send(c.Context(), e, brokenSource{text: letter, size: -1, hook: synctest.Wait})
}

// word says in the table's words what sending came to.
func (c *trial) word(outcome session.SendOutcome, err error, redialled bool) string {
	_, auth := errors.AsType[*session.AuthError](err)
	_, silent := errors.AsType[*wire.TimeoutError](err)
	_, lost := errors.AsType[*backend.LostError](err)
	switch {
	case outcome == session.SentUnknown:
		return "unknown"
	case outcome == session.Partial:
		return "partial"
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
	case session.Temporary(err):
		return "temp"
	}
	return "refused"
}

// run plays one form of one fault and returns the word for it.
func (c *trial) run(fault mailtest.Fault) string {
	if c.row.kept {
		mustSend(c.T, c.client)
	}
	if c.row.refused {
		c.server.Inject(mailtest.Reply("MAIL", "550 5.7.1 not you"))
	}
	fault.Contains, fault.Skip = c.row.contains, c.row.skip
	c.server.Inject(fault)
	before := len(c.server.Messages())
	start := time.Now()
	var rec session.Receipt
	var err error
	switch {
	case c.row.quits:
		err, rec.Outcome = c.client.Close(), session.Accepted // of the message before
	case c.row.bulk:
		var others int
		rec, others, err = c.sendTogether()
		before += others
	default:
		rec, err = c.send()
	}
	took := time.Since(start)
	if fault.Times >= 0 && c.server.Pending() != 0 {
		c.Errorf("the fault was not met")
	}
	made, _ := c.server.Connections()
	word := c.word(rec.Outcome, err, made > 1)
	c.checkError(word, err)
	c.checkTime(word, took)
	synctest.Wait()
	c.checkDelivered(word, rec, len(c.server.Messages())-before)
	c.server.Heal()
	c.checkAfterwards()
	return word
}

// checkError: it says where and whether it passes, and no secret.
func (c *trial) checkError(word string, err error) {
	faulttable.CheckError(c, err, "localhost:587", c.log.String(), password, "token-", ".dots", "Subject: hello")
	if e, ok := errors.AsType[*session.AuthError](err); ok && e.Remedy == "" {
		c.Errorf("the error does not say what to do: %v", err)
	}
	if err != nil && !namesOperation(err) {
		c.Errorf("the error does not name the operation: %v", err)
	}
	temporary := word == "timeout" || word == "lost" || word == "temp"
	if err != nil && word != "unknown" && word != "partial" && session.Temporary(err) != temporary {
		c.Errorf("Temporary(%v) = %t", err, session.Temporary(err))
	}
}

// namesOperation reports whether the error says what was being done.
func namesOperation(err error) bool {
	if e, ok := errors.AsType[*session.SendError](err); ok {
		err = e.Err // which does not speak of a message in general
	}
	return slices.ContainsFunc([]string{
		"TLS with", "greeting", "EHLO", "HELO", "STARTTLS", "AUTH", "refused PLAIN", "refused LOGIN", "RSET", "MAIL", "RCPT", "DATA", "message",
	}, func(op string) bool { return strings.Contains(err.Error(), op) })
}

// checkTime: no longer than the stage's bound on standing still, and all of that
// where the client gave up.
func (c *trial) checkTime(word string, took time.Duration) {
	bound := faulttable.BoundOf(c.row.stage)
	waits := c.fault == "silence" || c.fault == "half"
	waited := word == "timeout" || word == "unknown" && waits
	switch {
	case c.fault == "drip":
		if took <= bound && !c.row.quits {
			c.Errorf("took %v, want longer than the bound of %v on standing still", took, bound)
		}
	case c.fault == "late":
		if took != lateBy {
			c.Errorf("took %v, want %v", took, lateBy)
		}
	case waited && took != bound, took > bound:
		c.Errorf("took %v, want %v", took, bound)
	case !waits && took != 0:
		c.Errorf("took %v, want no time at all", took)
	}
}

// checkDelivered: what the server has is what the receipt says.
func (c *trial) checkDelivered(word string, rec session.Receipt, messages int) {
	least, most := 0, 0
	switch {
	case c.row.quits:
	case word == "unknown":
		most = 1
	case word == "ok", word == "again", word == "partial":
		least, most = 1, 1
	}
	if messages < least || messages > most {
		c.Errorf("the server has %d messages after %q, want %d to %d", messages, word, least, most)
	}
	for _, r := range rec.Recipients {
		if want := messages > 0 && r.Err == nil && word != "unknown"; r.Accepted != want {
			c.Errorf("%s is accepted: %t, %v, want %t", r.Address, r.Accepted, r.Err, want)
		}
	}
}

// checkAfterwards: the client works, and leaves nothing behind.
func (c *trial) checkAfterwards() {
	if !c.row.quits {
		mustSend(c.T, c.client)
		made, open := c.server.Connections()
		if c.fault == "421 4.7.z" && made < 2 {
			c.Error("the client went on over a connection that the server wants to end")
		}
		if open > smtpx.DefaultMaxConnections {
			c.Errorf("%d connections are open, want at most %d", open, smtpx.DefaultMaxConnections)
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
		// SMTP has no sizes ahead of data, no state of a mailbox that could change
		// under the client's hands, and no answer whose lines are worth more than its
		// code, but for EHLO's, which may be any.
		Unused: []string{"Call", "CallAfter", "DropAfterLine", "Lines", "RepeatLine", "ReplaceLine", "WithoutLine", "WrongSize"},
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
			for _, extensions := range r.extensions() {
				cases = append(cases, faulttable.Case{
					Name: fmt.Sprintf("%d, PIPELINING %t", i, extensions == nil),
					Play: func(t *testing.T) (string, []mailtest.Command) {
						t.Helper()
						c := newTrial(t, r, col.name, extensions)
						return c.run(fault), c.server.Commands()
					},
				})
			}
		}
		return cases
	}
	play.Run(t)
}
