package main

import (
	"fmt"
	"io"
	"time"
)

// report prints each step with the time it took.
type report struct {
	out  io.Writer
	last time.Time
}

func newReport(out io.Writer) *report { return &report{out: out, last: time.Now()} }

// step prints what was done since the step before.
func (r *report) step(what, format string, args ...any) {
	took := time.Since(r.last)
	fmt.Fprintf(r.out, "%8.1f ms  %-9s %s\n", float64(took.Microseconds())/1000, what, fmt.Sprintf(format, args...))
	r.last = time.Now()
}

// detail prints a line that belongs to the step before.
func (r *report) detail(format string, args ...any) {
	fmt.Fprintf(r.out, "%21s  %s\n", "", fmt.Sprintf(format, args...))
}
