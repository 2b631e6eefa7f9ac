package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// An event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of build output, which belongs to no test
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// events reads a stream line by line, of any length, and hands each event to
// one function and each line that is no event to the other.
func events(r io.Reader, onEvent func(event), onText func(string) error) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			if e, ok := parseEvent(line); ok {
				onEvent(e)
			} else if err := onText(string(line)); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// parseEvent reports whether a line is an event; anything else is the text of
// the programs around go test.
func parseEvent(line []byte) (event, bool) {
	var e event
	if !bytes.HasPrefix(line, []byte("{")) || json.Unmarshal(line, &e) != nil || e.Action == "" {
		return event{}, false
	}
	return e, true
}
