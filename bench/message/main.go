// Command message measures how the package message reads: what time and memory
// it takes, by itself and beside enmime and go-message in the same run. It
// prints one line for each figure with its bound, and reads the messages below
// the folder that MAILSESSION_CORPUS names.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
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
	var r report
	for _, measure := range []func(*report) error{measureWalk, measureHostile, measureCorpus} {
		if err := measure(&r); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, r.notes.String()+r.targets.String())
	return err
}

// A report gathers lines: targets, and before them what they are made of.
type report struct{ notes, targets strings.Builder }

func (r *report) note(format string, args ...any) { fmt.Fprintf(&r.notes, format+"\n", args...) }

// atMost adds a target that is met if value is bound or less.
func (r *report) atMost(name string, value, bound float64) {
	verdict := "met"
	if value > bound {
		verdict = "missed"
	}
	fmt.Fprintf(&r.targets, "target %s %.2f <= %g %s\n", name, value, bound, verdict)
}
