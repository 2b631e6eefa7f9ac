// Command smtp measures how fast mail is sent by SMTP: what processor time, time and
// memory whole programs take for the same messages, each in turn, and how that
// compares with a program that does the least that the protocol asks for. It prints
// a table for each piece of work, and one line for each figure with its bound.
//
// Mail goes to a sink of its own, which takes it as fast as it can and forgets it,
// with CHUNKING and without, and to Postfix, which it starts; that takes root.
package main

import (
	"context"
	"flag"
	"log"
	"os"
	"time"

	"github.com/mailsession/mailsession/bench/internal/compare"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("smtp: ")
	ctx := context.Background()
	b := &bench{Bench: &compare.Bench{Name: "smtp", Delay: 20 * time.Millisecond, Peers: peers()}}
	b.Work, b.Far = b.scenarios, func() string { return b.chunking }
	b.Fill = func() error { return b.start(ctx) }
	flag.IntVar(&b.Count, "runs", 3, "how often the programs that bounds are about do each piece of work, after once for nothing; 1 is once and no more")
	flag.IntVar(&b.messages, "messages", 20_000, "how many messages are sent to the sink")
	flag.IntVar(&b.kept, "kept", 500, "how many messages are sent to Postfix, which keeps them")
	flag.IntVar(&b.far, "far", 100, "how many messages are sent to a sink that is far away")
	only := flag.String("only", "", "the pieces of work that are done, by the start of their names, between commas; all of them where it is empty")
	smoke := flag.Bool("smoke", false, "do everything once with few messages, and print no target: to see whether it works")
	flag.Parse()
	if *smoke {
		b.Unbound = "so few messages say nothing"
		b.Count, b.messages, b.kept, b.far = 1, 100, 10, 4
	}
	if b.Count < 1 || b.messages < 1 || b.kept < 1 || b.far < 1 || flag.NArg() > 0 {
		flag.Usage()
		log.Fatal("numbers are to be 1 or more, and there are no arguments")
	}
	if err := b.Run(ctx, *only); err != nil {
		log.Fatal(err)
	}
}

// bench is what all pieces of work share.
type bench struct {
	*compare.Bench

	messages, kept, far int

	chunking, plain, secure string // addresses of sinks: with CHUNKING, without, and with STARTTLS too
	plainFar                string // the address of the relay before the one without
	ca                      string // the authority of the sink with STARTTLS
	small                   file
}

// file is a message in a file.
type file struct {
	name string
	size int64
}

// start starts the sinks and writes the message that most of the work is about.
func (b *bench) start(ctx context.Context) (err error) {
	b.ca = b.File("sink.pem")
	if b.chunking, err = b.Serve(ctx, "sink", "-chunking"); err != nil {
		return err
	}
	if b.plain, err = b.Serve(ctx, "sink"); err != nil {
		return err
	}
	if b.secure, err = b.Serve(ctx, "sink", "-chunking", "-starttls", b.ca); err != nil {
		return err
	}
	if b.plainFar, err = b.Serve(ctx, "relay", "-to", b.plain, "-delay", b.Delay.String()); err != nil {
		return err
	}
	b.small, err = b.write("small.eml", 10_000)
	return err
}

// write writes a message of that size.
func (b *bench) write(name string, size int) (file, error) {
	f := file{name: b.File(name)}
	for m := range compare.Messages(1, size) {
		f.size = int64(len(m))
		if err := os.WriteFile(f.name, m, 0o600); err != nil {
			return file{}, err
		}
	}
	return f, nil
}
