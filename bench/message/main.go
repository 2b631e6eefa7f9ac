// Command message measures how the package message reads: what time and memory
// it takes, by itself and beside enmime and go-message in the same run. It
// prints one line for each figure with its bound, and reads the messages below
// the folder that MAILSESSION_CORPUS names.
package main

import (
	"io"
	"log"
	"os"

	"github.com/mailsession/mailsession/bench/internal/report"
)

func main() {
	log.SetFlags(0)
	log.SetPrefix("message: ")
	if len(os.Args) > 1 && os.Args[1] == walkCommand {
		if err := walkAttachment(os.Stdout); err != nil {
			log.Fatal(err)
		}
		return
	}
	if err := run(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

// run measures everything and prints the lines.
func run(w io.Writer) error {
	var r report.Report
	for _, measure := range []func(*report.Report) error{measureWalk, measureHostile, measureCorpus} {
		if err := measure(&r); err != nil {
			return err
		}
	}
	return r.Print(w)
}
