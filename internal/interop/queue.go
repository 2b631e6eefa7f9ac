package interop

import (
	"context"
	"fmt"
	"os"
	"time"
)

// Drain waits until Postfix has delivered what it took, so that it is at rest. It
// gives up after a minute, or when the context ends.
func (s *Servers) Drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		busy, err := s.queued()
		if err != nil || !busy {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("interop: Postfix still has messages in its queue: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// queued reports whether Postfix has messages that it has not delivered. Messages
// go from incoming to active, so that none is missed that moves meanwhile.
func (s *Servers) queued() (bool, error) {
	for _, folder := range []string{"incoming", "active"} {
		files, err := os.ReadDir(s.file("queue/" + folder))
		if err != nil {
			return false, fmt.Errorf("interop: look into the queue: %w", err)
		}
		if len(files) > 0 {
			return true, nil
		}
	}
	return false, nil
}
