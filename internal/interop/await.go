package interop

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"
)

// errEnded says that a server ended where it should have greeted. Another
// program may have taken one of its ports, which Postfix's log does not tell,
// so it is worth another try with other ports.
var errEnded = errors.New("the server has ended; perhaps a port was taken by another program")

// pollEvery is how often a condition is looked at that nothing announces.
const pollEvery = 20 * time.Millisecond

// awaitGreeting waits until a listener sends its first line. It gives up when
// the server ends or the context does.
func awaitGreeting(ctx context.Context, p *process, address string, dial func(ctx context.Context, address string) (net.Conn, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.ended:
			cancel() // whoever else listens there need not be heard out
		case <-ctx.Done():
		}
	}()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		err := greeting(ctx, address, dial)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interop: no greeting from %s at %s: %w", p.name, address, errors.Join(ctx.Err(), p.failure(), err))
		case <-tick.C:
		}
	}
}

// greeting connects once and reads the first line.
func greeting(ctx context.Context, address string, dial func(ctx context.Context, address string) (net.Conn, error)) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, err := dial(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	if !slices.ContainsFunc([]string{"* OK ", "+OK ", "220 "}, func(good string) bool { return strings.HasPrefix(line, good) }) {
		return fmt.Errorf("the greeting is %q", line)
	}
	return nil
}

// dial connects to a listener, by TLS where that is how it begins.
func (s *Servers) dial(ctx context.Context, address string) (net.Conn, error) {
	if slices.Contains([]string{s.IMAPS, s.POP3S, s.Submissions}, address) {
		return (&tls.Dialer{Config: s.ClientTLS()}).DialContext(ctx, "tcp", address)
	}
	return dialPlain(ctx, address)
}

// dialPlain connects to a listener without TLS.
func dialPlain(ctx context.Context, address string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, "tcp", address)
}
