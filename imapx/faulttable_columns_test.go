package imapx_test

import (
	"time"

	"github.com/mailsession/mailsession/mailtest"
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
		one("drip", func(command string) mailtest.Fault { return mailtest.Drip(command, 8, lateBy) }),
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
