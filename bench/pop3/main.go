// Command pop3 measures how fast mail is read by POP3: what processor time, time
// and memory whole programs take for the same work on the same Dovecot, each in
// turn, and how that compares with a program that asks for the same, without
// waiting for answers, and drops the bytes. It prints a table for each piece of
// work, and one line for each figure with its bound.
//
// It starts its own servers, which takes root, and fills them with mail that is
// the same in every run.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/internal/interop"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("pop3: ")
	b := &bench{Bench: &compare.Bench{Name: "pop3", Delay: 20 * time.Millisecond, Peers: peers()}}
	b.Fill, b.Work, b.Far = b.fill, b.scenarios, func() string { return b.Servers.POP3S }
	flag.IntVar(&b.Count, "runs", 3, "how often each program does each piece of work, after once for the server's caches; 1 is once and no more")
	fewer := flag.Int("few", few, "how many messages the smaller maildrop has; with fewer than by default no bounds are looked at")
	more := flag.Int("many", many, "how many messages the larger maildrop has, as for -few")
	only := flag.String("only", "", "the pieces of work that are done, by the start of their names, between commas; all of them where it is empty")
	flag.Parse()
	if b.Count < 1 || *fewer < 1 || *more < 1 || flag.NArg() > 0 {
		flag.Usage()
		log.Fatal("numbers are to be 1 or more, and there are no arguments")
	}
	if *fewer < few || *more < many {
		b.Unbound = fmt.Sprintf("they are for %d and %d messages", few, many)
	}
	b.drops = []*maildrop{
		{user: "few@example.test", messages: *fewer, size: 20_000},
		{user: "many@example.test", messages: *more, size: 20_000},
		{user: "large@example.test", messages: 1, size: 20 << 20},
	}
	for _, d := range b.drops {
		b.Users = append(b.Users, interop.User{Address: d.user})
	}
	if err := b.Run(context.Background(), *only); err != nil {
		log.Fatal(err)
	}
}

// What the bounds are for.
const (
	few  = 1_000
	many = 10_000
)

// bench is what all pieces of work share.
type bench struct {
	*compare.Bench

	drops []*maildrop // few, many, large
}

// maildrop is the mail of one user.
type maildrop struct {
	user           string
	messages, size int
	bytes          int64 // in all
}

// fill makes the mail.
func (b *bench) fill() error {
	for _, d := range b.drops {
		for m := range compare.Messages(d.messages, d.size) {
			d.bytes += int64(len(m))
		}
		if err := b.Servers.Fill(d.user, "INBOX", compare.Messages(d.messages, d.size)); err != nil {
			return err
		}
	}
	return nil
}
