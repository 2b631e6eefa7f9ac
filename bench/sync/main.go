// Command sync measures what it takes to know what happened in a large folder: a
// first look at all messages, and another one after a hundred changes, by whole
// programs on the same Dovecot, each in turn; and what it takes to watch a
// thousand mailboxes. It prints a table for each piece of work, and one line for
// each figure with its bound.
//
// It starts its own servers, which takes root, and fills them with mail that is
// the same in every run. The script of the benchmark imap puts on a Debian
// machine what it needs.
package main

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"log"

	"github.com/mailsession/mailsession/bench/internal/compare"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("sync: ")
	b := &bench{Bench: &compare.Bench{Name: "sync"}}
	b.Peers, b.Fill, b.Work, b.Far = b.peers(), b.fill, b.scenarios, func() string { return b.Servers.IMAPS }
	flag.IntVar(&b.Count, "runs", 3, "how often each program looks again; the first look is done once")
	flag.IntVar(&b.mails, "messages", mails, "how many messages the folder has; with fewer than by default no bounds are looked at")
	flag.IntVar(&b.watched, "mailboxes", mailboxes, "how many mailboxes are watched, as for -messages")
	only := flag.String("only", "", "the pieces of work that are done, by the start of their names, between commas; all of them where it is empty")
	flag.Parse()
	if b.Count < 1 || b.mails < changed || b.watched < 1 || flag.NArg() > 0 {
		flag.Usage()
		log.Fatalf("numbers are to be 1 or more, messages %d or more, and there are no arguments", changed)
	}
	if b.mails < mails || b.watched < mailboxes {
		b.Unbound = fmt.Sprintf("they are for %d messages and %d mailboxes", mails, mailboxes)
	}
	if err := b.Run(context.Background(), *only); err != nil {
		log.Fatal(err)
	}
}

// What the bounds are for.
const (
	mails     = 100_000
	mailboxes = 1_000
)

// bench is what all pieces of work share.
type bench struct {
	*compare.Bench

	mails, watched int
	watch          watching // what the watching program told
}

// fill makes short messages: what is looked at is how many there are.
func (b *bench) fill() error {
	return b.Servers.Fill(b.User.Address, inbox, short(b.mails))
}

func short(count int) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for n := range count {
			if !yield(letter(n)) {
				return
			}
		}
	}
}

func letter(n int) []byte {
	return fmt.Appendf(nil, "From: Ann Example <ann@example.org>\r\nTo: Bob Example <bob@example.org>\r\nSubject: Report %d of the day\r\n"+
		"Date: Fri, 20 Nov 2026 09:%02d:%02d +0000\r\nMessage-ID: <%d.report@example.org>\r\n\r\nNothing to report.\r\n", n, n/60%60, n%60, n)
}
