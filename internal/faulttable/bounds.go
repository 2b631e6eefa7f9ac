package faulttable

import (
	"time"

	"github.com/mailsession/mailsession/internal/wire"
	"github.com/mailsession/mailsession/session"
)

// Bounds are the bounds on standing still of the clients in the tables: each stage has
// one of its own, by which a test tells what was waited for. SMTP's answer to a whole
// message has that of commands.
func Bounds() session.Timeouts {
	return session.Timeouts{
		Greeting: 11 * time.Second, Auth: 13 * time.Second, Command: 17 * time.Second, Message: 17 * time.Second,
		Handshake: 19 * time.Second, Close: 12 * time.Second,
	}
}

// BoundOf returns the one of the Bounds that holds at a stage, zero where none does.
func BoundOf(s wire.Stage) time.Duration {
	b := Bounds()
	return map[wire.Stage]time.Duration{
		wire.StageGreeting: b.Greeting, wire.StageAuth: b.Auth, wire.StageCommand: b.Command,
		wire.StageHandshake: b.Handshake, wire.StageClose: b.Close,
	}[s]
}
