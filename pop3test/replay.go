package pop3test

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/mailsession/mailsession/internal/fakenet"
)

// Exchange is one line that a client sent in a recorded session, and what the
// server sent upon it.
type Exchange struct {
	// Client is the line without its line end, such as "RETR 1". The case of
	// letters does not matter; a "*" at its end stands for anything. The empty line
	// stands for the time before the client says something: its answer is the
	// greeting.
	Client string
	// Server is the answer as it was sent, with the dots of the protocol and the
	// one that ends it. Line ends that are LF become CRLF. It is empty where a
	// client sent several lines at once and is answered behind the last.
	Server string
}

// Replay is a server that plays the server's side of a recorded session to each
// connection, whatever the client makes of it. It knows nothing of POP3.
type Replay struct{ net *fakenet.Replay }

// NewReplay returns a server that can be dialled in memory at once. It opens no
// socket before [Replay.Addr] is called. [Replay.Close] ends it.
func NewReplay(exchanges ...Exchange) *Replay {
	steps := make([]fakenet.Step, 0, len(exchanges))
	for _, e := range exchanges {
		steps = append(steps, fakenet.Step{Client: e.Client, Server: e.Server})
	}
	return &Replay{net: fakenet.NewReplay("", steps...)}
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
		return fmt.Errorf("pop3test: %w", err)
	}
	return nil
}

// ParseTranscript reads a session whose lines start with "C: " for the client's
// and "S: " for the server's, those of messages included; empty lines count for
// nothing, and an empty line of a message is "S: ". Nothing that a client says in
// a transcript is taken for a secret: use "PASS *" rather than a password.
func ParseTranscript(r io.Reader) ([]Exchange, error) {
	all := []Exchange{{}}
	err := fakenet.ReadTranscript(r,
		func(text string) { all = append(all, Exchange{Client: text}) },
		func(text string) { all[len(all)-1].Server += text + "\r\n" })
	if err != nil {
		return nil, fmt.Errorf("pop3test: %w", err)
	}
	return all, nil
}
