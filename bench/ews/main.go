// Command ews measures how fast mail is read from Exchange by EWS: what processor
// time, time and memory whole programs take for the same work on the same fake
// server, each in turn, and how that compares with a program that makes the same
// requests and drops the bytes of the answers. It prints a table for each piece of
// work, and one line for each figure with its bound.
//
// The servers are processes of their own, with mail that is the same in every run.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"log"
	"strconv"

	"github.com/mailsession/mailsession/bench/internal/compare"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("ews: ")
	ctx := context.Background()
	b := &bench{
		Bench:    &compare.Bench{Name: "ews", Alone: true},
		password: "horse-" + rand.Text(), recorded: map[string]bool{},
	}
	b.Peers, b.Work = b.peers(ctx), b.scenarios
	b.Fill = func() error { return b.start(ctx) }
	flag.IntVar(&b.Count, "runs", 3, "how often each program does each piece of work, after once for nothing; 1 is once and no more")
	messages := flag.Int("messages", many, "how many messages the inbox has; with fewer than by default no bounds are looked at")
	size := flag.Int("large", large, "how large the large message is, in bytes, as for -messages")
	only := flag.String("only", "", "the pieces of work that are done, by the start of their names, between commas; all of them where it is empty")
	flag.Parse()
	if b.Count < 1 || *messages < 1 || *size < 1 || flag.NArg() > 0 {
		flag.Usage()
		log.Fatal("numbers are to be 1 or more, and there are no arguments")
	}
	if *messages < many || *size < large {
		b.Unbound = fmt.Sprintf("they are for %d messages, and one of %d bytes", many, large)
	}
	b.inbox = mailbox{user: "many@example.test", messages: *messages, size: 20_000}
	b.large = mailbox{user: "large@example.test", messages: 1, size: *size}
	if err := b.Run(ctx, *only); err != nil {
		log.Fatal(err)
	}
}

// What the bounds are for.
const (
	many  = 2_000
	large = 50 << 20
)

// bench is what all pieces of work share.
type bench struct {
	*compare.Bench

	inbox, large  mailbox
	password      string
	plain, secure string // the addresses of the servers
	ca            string // a file with the authority of the second one

	recorded map[string]bool // the files with requests that there are
}

// mailbox is one user's inbox.
type mailbox struct {
	user           string
	messages, size int
	bytes          int64 // in all
}

// start starts a server without TLS and one with it.
func (b *bench) start(ctx context.Context) (err error) {
	args := []string{"-password", b.password}
	var mailboxes []string
	for _, m := range []*mailbox{&b.inbox, &b.large} {
		for raw := range compare.Messages(m.messages, m.size) {
			m.bytes += int64(len(raw))
		}
		mailboxes = append(mailboxes, m.user, strconv.Itoa(m.messages), strconv.Itoa(m.size))
	}
	if b.plain, err = b.Serve(ctx, "server", append(args, mailboxes...)...); err != nil {
		return err
	}
	b.ca = b.File("server.pem")
	b.secure, err = b.Serve(ctx, "server", append(append(args, "-tls", b.ca), mailboxes...)...)
	return err
}
