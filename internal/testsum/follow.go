package main

import (
	"fmt"
	"io"
	"strings"
)

// follow prints a stream for people: packages in one line each, and of the
// tests only those that failed, with all they printed. All of it goes to found.
func follow(r io.Reader, w io.Writer, found *search) error {
	f := &follower{w: w, output: map[string]*strings.Builder{}, failed: map[string]bool{}}
	onEvent := func(e event) {
		f.event(e)
		found.add(e)
	}
	onText := func(line string) error {
		f.write(line)
		found.text(line)
		return nil
	}
	if err := events(r, onEvent, onText); err != nil {
		return err
	}
	found.flush()
	return f.err
}

// A follower holds back what tests print until it is known how they ended.
type follower struct {
	w      io.Writer
	err    error                       // the first failed write
	output map[string]*strings.Builder // by package and test
	failed map[string]bool             // packages with a failed test
}

func (f *follower) event(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "build-output":
		f.write(e.Output)
	case "output":
		if f.output[key] == nil {
			f.output[key] = &strings.Builder{}
		}
		f.output[key].WriteString(e.Output)
	case "pass", "skip", "fail":
		f.end(e, key)
	}
}

// end prints what is worth showing of a test or a package that ended.
func (f *follower) end(e event, key string) {
	said := f.output[key]
	delete(f.output, key)
	failed := e.Action == "fail"
	switch {
	case e.Test != "":
		f.failed[e.Package] = f.failed[e.Package] || failed
		if failed && said != nil {
			f.write(said.String())
		}
	case failed:
		// A package says why it failed itself where no test of it did: a
		// panic outside of tests, a time limit, a build.
		if said != nil {
			f.write(said.String())
		}
		f.write(fmt.Sprintf("FAIL  %s  %.1fs\n", e.Package, e.Elapsed))
	case e.Action == "skip":
		f.write(fmt.Sprintf("none  %s\n", e.Package))
	default:
		f.write(fmt.Sprintf("ok    %s  %.1fs\n", e.Package, e.Elapsed))
	}
}

func (f *follower) write(text string) {
	if f.err == nil {
		_, f.err = io.WriteString(f.w, text)
	}
}
