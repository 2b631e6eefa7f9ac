// Command imap measures how fast mail is read by IMAP: what processor time, time
// and memory whole programs take for the same work on the same Dovecot, each in
// turn, and how that compares with a program that asks for the same and drops
// the bytes. It prints a table for each piece of work, and one line for each
// figure with its bound.
//
// It starts its own servers, which takes root, and fills them with mail that is
// the same in every run. The script install puts on a Debian machine what it
// needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"time"

	"github.com/mailsession/mailsession/bench/internal/compare"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("imap: ")
	b := &bench{Bench: &compare.Bench{Name: "imap", Delay: 20 * time.Millisecond, Peers: peers()}}
	b.Fill, b.Work, b.Far = b.fill, b.scenarios, func() string { return b.Servers.IMAPS }
	flag.IntVar(&b.Count, "runs", 3, "how often each program does each piece of work, after once for the server's caches; 1 is once and no more")
	flag.IntVar(&b.mails, "messages", mails, "how many messages the folder has; with fewer than by default no bounds are looked at")
	flag.IntVar(&b.opened, "opens", opens, "how many messages are opened one by one, as for -messages")
	only := flag.String("only", "", "the pieces of work that are done, by the start of their names, between commas; all of them where it is empty")
	flag.Parse()
	if b.Count < 1 || b.mails < 1 || b.opened < 1 || flag.NArg() > 0 {
		flag.Usage()
		log.Fatal("numbers are to be 1 or more, and there are no arguments")
	}
	if b.mails < mails || b.opened < opens {
		b.Unbound = fmt.Sprintf("they are for %d messages and %d opens", mails, opens)
	}
	if err := b.Run(context.Background(), *only); err != nil {
		log.Fatal(err)
	}
}

// What the bounds are for.
const (
	mails = 10_000
	opens = 500
)

// bench is what all pieces of work share.
type bench struct {
	*compare.Bench

	mails, opened int
	size          int64 // of all messages in the inbox
	largest       int64 // of the message in the other folder
}

// fill makes the mail.
func (b *bench) fill() error {
	const about = 20_000
	for n := range compare.Messages(b.mails, about) {
		b.size += int64(len(n))
	}
	if err := b.Servers.Fill(b.User.Address, inbox, compare.Messages(b.mails, about)); err != nil {
		return err
	}
	for m := range compare.Messages(1, largeSize) {
		b.largest = int64(len(m))
	}
	return b.Servers.Fill(b.User.Address, large, compare.Messages(1, largeSize))
}
