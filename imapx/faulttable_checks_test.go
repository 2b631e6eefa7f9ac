package imapx_test

import (
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/imapx"
	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/faulttable"
	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

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

// checkError: it says where and at what, and no secret.
func (c *trial) checkError(word string, err error) {
	faulttable.CheckError(c, err, "localhost:143", c.log.String(), password().Reveal(), "token-", "Sample", "Bob Example", "This is")
	if e, ok := errors.AsType[*session.AuthError](err); ok && e.Remedy == "" {
		c.Errorf("the error does not say what to do: %v", err)
	}
	if err != nil && !namesOperation(err) {
		c.Errorf("the error does not name the operation: %v", err)
	}
	if temporary := word == "timeout" || word == "lost" || word == "temp"; err != nil && word != "unknown" && word != "looked" && word != "marked" && session.Temporary(err) != temporary {
		c.Errorf("Temporary(%v) = %t", err, session.Temporary(err))
	}
	for told, part := range map[string]string{"marked": `keep the flag \Deleted`, "copied": "the copies are there"} {
		if word == told && !strings.Contains(err.Error(), part) {
			c.Errorf("the error does not tell what was left behind: %v", err)
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
	bound := faulttable.BoundOf(c.row.stage)
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
