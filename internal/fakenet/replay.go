package fakenet

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// Step is one line that a client said in a recorded session, and what the
// server sent upon it.
type Step struct {
	// Client is the line without its line end, and without the tag where it is
	// Tagged. The case of letters does not matter; a "*" at its end stands for
	// anything. The empty line stands for the time before the client says
	// something: its answer is the greeting.
	Client string
	// Tagged says that the client's line begins with a tag of its own.
	Tagged bool
	// Server is the answer, with [Replay.Tag] in the place of the last tag. Line
	// ends that are LF become CRLF.
	Server string
}

// Replay plays the server's side of a recorded session to each connection,
// whatever the client makes of it.
type Replay struct {
	*Server

	// Tag stands for the client's tag in what the steps say, if it is not empty.
	Tag string

	steps []Step
	mu    sync.Mutex
	err   error
}

// NewReplay returns a server that plays the steps.
func NewReplay(tag string, steps ...Step) *Replay {
	r := &Replay{Tag: tag, steps: steps}
	r.Server = New(r.play, nil)
	return r
}

// Err returns in what a client first departed from the recording, nil if none
// did. What a client did not come to say is no departure.
func (r *Replay) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// play plays the recording once and closes the connection behind it.
func (r *Replay) play(_ context.Context, c *Conn) {
	tag := ""
	for i, s := range r.steps {
		if s.Client != "" {
			line, err := c.ReadLine()
			if err != nil {
				return
			}
			said := string(line)
			if s.Tagged {
				tag, said, _ = strings.Cut(said, " ")
			}
			if !s.fits(said) {
				r.depart(fmt.Errorf("replay: line %d is %.200q, recorded was %q", i, said, s.Client))
				return
			}
		}
		answer := strings.ReplaceAll(strings.ReplaceAll(s.Server, "\r\n", "\n"), "\n", "\r\n")
		if r.Tag != "" {
			answer = strings.ReplaceAll(answer, r.Tag, tag)
		}
		if _, err := c.WriteString(answer); err != nil || c.Flush() != nil {
			return
		}
	}
}

func (s *Step) fits(said string) bool {
	if start, open := strings.CutSuffix(s.Client, "*"); open {
		return len(said) >= len(start) && strings.EqualFold(said[:len(start)], start)
	}
	return strings.EqualFold(said, s.Client)
}

func (r *Replay) depart(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

// errTranscript says that a text is no transcript.
var errTranscript = errors.New("a line of a transcript starts with \"C: \" or \"S: \"")

// ReadTranscript reads a session whose lines start with "C: " for the client's
// and "S: " for the server's, and calls one of the functions for each. Empty
// lines count for nothing.
func ReadTranscript(r io.Reader, client, server func(text string)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			continue
		}
		side, text := line[:min(3, len(line))], line[min(3, len(line)):]
		switch side {
		case "C: ", "C:":
			client(text)
		case "S: ", "S:":
			server(text)
		default:
			return fmt.Errorf("transcript, line %d: %w", n, errTranscript)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("transcript: %w", err)
	}
	return nil
}
