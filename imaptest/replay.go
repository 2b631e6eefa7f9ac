package imaptest

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

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
type Replay struct{ net *fakenet.Replay }

// NewReplay returns a server that can be dialled in memory at once. It opens no
// socket before [Replay.Addr] is called. [Replay.Close] ends it.
func NewReplay(exchanges ...Exchange) *Replay {
	steps := make([]fakenet.Step, 0, len(exchanges))
	for _, e := range exchanges {
		steps = append(steps, fakenet.Step{Client: e.Client, Tagged: !e.Bare, Server: e.Server})
	}
	return &Replay{net: fakenet.NewReplay(ReplayTag, steps...)}
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
	if err := r.net.Err(); err != nil {
		return fmt.Errorf("imaptest: %w", err)
	}
	return nil
}

// ParseTranscript reads a session whose lines start with "C: " for the client's
// and "S: " for the server's, the data of literals included; empty lines count
// for nothing. A client's line has a tag unless it answers a "+" of the server or
// belongs to a literal that was sent without waiting.
func ParseTranscript(r io.Reader) ([]Exchange, error) {
	all := []Exchange{{}}
	tag, invited := "", false
	err := fakenet.ReadTranscript(r, func(text string) {
		e := Exchange{Client: text, Bare: invited}
		if !invited {
			tag, e.Client, _ = strings.Cut(text, " ")
		}
		_, eager, literal := literalAt([]byte(text))
		invited = literal && eager
		all = append(all, e)
	}, func(text string) {
		if rest, tagged := strings.CutPrefix(text, tag+" "); tagged && tag != "" {
			text, invited = ReplayTag+" "+rest, false
		}
		invited = invited || strings.HasPrefix(text, "+")
		all[len(all)-1].Server += text + "\r\n"
	})
	if err != nil {
		return nil, fmt.Errorf("imaptest: %w", err)
	}
	return all, nil
}
