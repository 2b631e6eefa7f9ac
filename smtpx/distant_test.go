package smtpx_test

import (
	"context"
	"net"
	"time"

	"github.com/mailsession/mailsession/internal/pipe"
)

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// distant puts a server so far away that what is said and its answer take delay
// together. A line has no bounds in what is on its way.
func distant(dial dialFunc, delay time.Duration) dialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		server, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		client, near := pipe.New()
		go carry(server, near, delay/2)
		go carry(near, server, delay/2)
		return client, nil
	}
}

// carry copies what it reads, each part after a while.
func carry(to, from net.Conn, after time.Duration) {
	type part struct {
		p  []byte
		at time.Time
	}
	parts := make(chan part, 10_000)
	go func() {
		defer close(parts)
		buf := make([]byte, 32<<10)
		for {
			n, err := from.Read(buf)
			if n > 0 {
				parts <- part{append([]byte(nil), buf[:n]...), time.Now().Add(after)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parts {
		<-time.After(time.Until(p.at))
		if _, err := to.Write(p.p); err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
	for range parts { // until the reader has noticed
	}
}
