package imaptest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"

	"github.com/mailsession/mailsession/internal/fakenet"
)

// ReplayTag stands for the tag of the command that is answered, in what an
// [Exchange] says.
const ReplayTag = "A########"

// Exchange is one line that a client sent in a recorded session, and what the
// server sent upon it.
type Exchange struct {
	// Client is the line without tag and line end, such as "NOOP". The case of
	// letters does not matter; a "*" at its end stands for anything. The empty line
	// stands for the time before the client says something: its answer is the
	// greeting.
	Client string
	// Bare says that the line has no tag, as what follows a "+" of the server.
	Bare bool
	// Server is the answer as it was sent, with [ReplayTag] in the place of the
	// command's tag. Line ends that are LF become CRLF.
	Server string
}

// Replay is a server that plays the server's side of a recorded session to each
// connection, whatever the client makes of it. It knows nothing of IMAP but the
// tags.
type Replay struct {
	exchanges []Exchange
	net       *fakenet.Server

	mu  sync.Mutex
	err error
}

// NewReplay returns a server that can be dialled in memory at once. It opens no
// socket before [Replay.Addr] is called. [Replay.Close] ends it.
func NewReplay(exchanges ...Exchange) *Replay {
	r := &Replay{exchanges: exchanges}
	r.net = fakenet.New(r.serve, nil)
	return r
}

// Dial connects in memory, as [Server.Dial] does.
func (r *Replay) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return r.net.Dial(ctx, network, address)
}

// Addr returns the TCP address as host:port, on which it listens from the first
// call on, and "" where it cannot.
func (r *Replay) Addr() string { return r.net.Addr() }

// Close ends all connections and waits for their goroutines. It returns nil.
func (r *Replay) Close() error { return r.net.Close() }

// Err returns in what a client first departed from the recording, nil if none
// did. What a client did not come to say is no departure.
func (r *Replay) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// serve plays the recording once and closes the connection behind it.
func (r *Replay) serve(_ context.Context, c *fakenet.Conn) {
	tag := ""
	for i, e := range r.exchanges {
		if e.Client != "" {
			line, err := c.ReadLine()
			if err != nil {
				return
			}
			said := string(line)
			if !e.Bare {
				tag, said, _ = strings.Cut(said, " ")
			}
			if !e.fits(said) {
				r.depart(fmt.Errorf("imaptest: replay: line %d is %.200q, recorded was %q", i, said, e.Client))
				return
			}
		}
		if _, err := c.WriteString(strings.ReplaceAll(crlf(e.Server), ReplayTag, tag)); err != nil {
			return
		}
		if c.Flush() != nil {
			return
		}
	}
}

func (e *Exchange) fits(said string) bool {
	if start, open := strings.CutSuffix(e.Client, "*"); open {
		return len(said) >= len(start) && strings.EqualFold(said[:len(start)], start)
	}
	return strings.EqualFold(said, e.Client)
}

func (r *Replay) depart(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
}

func crlf(text string) string {
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n")
}

// errTranscript says that a text is no transcript.
var errTranscript = errors.New("a line of a transcript starts with \"C: \" or \"S: \"")

// ParseTranscript reads a session whose lines start with "C: " for the client's
// and "S: " for the server's, the data of literals included; empty lines count
// for nothing. A client's line has a tag unless it answers a "+" of the server or
// belongs to a literal that was sent without waiting.
func ParseTranscript(r io.Reader) ([]Exchange, error) {
	all := []Exchange{{}}
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	tag, invited := "", false
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSuffix(lines.Text(), "\r")
		if line == "" {
			continue
		}
		side, text := line[:min(3, len(line))], line[min(3, len(line)):]
		switch side {
		case "C: ", "C:":
			e := Exchange{Client: text, Bare: invited}
			if !invited {
				tag, e.Client, _ = strings.Cut(text, " ")
			}
			_, eager, literal := literalAt([]byte(text))
			invited = literal && eager
			all = append(all, e)
		case "S: ", "S:":
			if rest, tagged := strings.CutPrefix(text, tag+" "); tagged && tag != "" {
				text, invited = ReplayTag+" "+rest, false
			}
			invited = invited || strings.HasPrefix(text, "+")
			all[len(all)-1].Server += text + "\r\n"
		default:
			return nil, fmt.Errorf("imaptest: transcript, line %d: %w", n, errTranscript)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("imaptest: transcript: %w", err)
	}
	return all, nil
}
