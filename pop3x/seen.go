package pop3x

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/mailsession/mailsession/state"
)

// seen is the keys of the messages that were marked as seen.
type seen map[string]bool

func (s seen) has(key string) bool { return s[key] }

// seenRecord is what the Store keeps.
type seenRecord struct {
	Version int      `json:"version"`
	Seen    []string `json:"seen"`
}

// seenKey is where a mailbox' record is.
func (c *Client) seenKey() string { return "pop3/" + c.mailbox + "/seen" }

// loadSeen returns what was seen; nothing where no Store is given.
func (c *Client) loadSeen(ctx context.Context) (seen, error) {
	if c.opts.Store == nil {
		return nil, nil
	}
	s, _, err := c.readSeen(ctx)
	return s, err
}

func (c *Client) readSeen(ctx context.Context) (seen, state.Version, error) {
	record, err := c.opts.Store.Load(ctx, c.seenKey())
	if err != nil {
		return nil, "", fmt.Errorf("pop3: load what was seen: %w", err)
	}
	s := seen{}
	if record.Version == "" {
		return s, "", nil
	}
	var kept seenRecord
	if err := json.Unmarshal(record.Value, &kept); err != nil {
		return nil, "", fmt.Errorf("pop3: the record %s of what was seen cannot be read; delete it to begin anew: %w", c.seenKey(), err)
	}
	if kept.Version != 1 {
		return nil, "", fmt.Errorf("pop3: the record %s of what was seen has version %d, known is 1; use a newer release", c.seenKey(), kept.Version)
	}
	for _, key := range kept.Seen {
		s[key] = true
	}
	return s, record.Version, nil
}

// updateSeen marks messages, or takes their marks away, and forgets those that
// the maildrop does not have any more.
func (c *Client) updateSeen(ctx context.Context, keys []string, set bool, drop *maildrop) error {
	for {
		s, version, err := c.readSeen(ctx)
		if err != nil {
			return err
		}
		for _, key := range keys {
			s[key] = set
		}
		maps.DeleteFunc(s, func(key string, is bool) bool {
			_, there := drop.place[key]
			return !is || !there
		})
		value, err := json.Marshal(seenRecord{Version: 1, Seen: slices.Sorted(maps.Keys(s))})
		if err != nil {
			return fmt.Errorf("pop3: keep what was seen: %w", err)
		}
		_, err = c.opts.Store.CompareAndSwap(ctx, c.seenKey(), version, value)
		if err == nil {
			return nil
		}
		if !errors.Is(err, state.ErrConflict) {
			return fmt.Errorf("pop3: keep what was seen: %w", err)
		}
	}
}
