package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"

	"github.com/mailsession/mailsession/session"
)

// Count implements [session.Counter] by STATUS. The size comes from servers
// with STATUS=SIZE (RFC 8438).
func (c *Client) Count(ctx context.Context, folder session.FolderRef) (session.Counts, error) {
	folder = cmp.Or(folder, session.Inbox)
	counts, err := c.count(ctx, folder)
	if errors.Is(err, session.ErrNoFolder) && c.forget() {
		counts, err = c.count(ctx, folder) // the folder may have got another name
	}
	return counts, err
}

func (c *Client) count(ctx context.Context, folder session.FolderRef) (session.Counts, error) {
	counts := session.Counts{Bytes: -1}
	name, err := c.resolve(ctx, folder)
	if err != nil {
		return counts, err
	}
	err = c.read(ctx, "status", func(cn *conn) (err error) {
		counts, err = cn.statusCounts(name)
		return noFolder(err)
	}, slog.String("folder", name))
	return counts, err
}

// countItems are the items of STATUS that counting takes.
func (c *conn) countItems() []string {
	items := []string{"MESSAGES", "UNSEEN"}
	if c.caps.has("STATUS=SIZE") {
		items = append(items, "SIZE")
	}
	return items
}

// statusCounts asks how much a folder holds.
func (c *conn) statusCounts(name string) (session.Counts, error) {
	told, err := c.folderStatus(name, c.countItems()...)
	if err != nil {
		return session.Counts{Bytes: -1}, err
	}
	return c.countsOf(told)
}

// countsOf returns what STATUS told.
func (c *conn) countsOf(told map[string]uint64) (session.Counts, error) {
	counts := session.Counts{Bytes: -1}
	for item, place := range map[string]*int64{"MESSAGES": &counts.Messages, "UNSEEN": &counts.Unread, "SIZE": &counts.Bytes} {
		n, known := told[item]
		if !known && item != "SIZE" {
			return session.Counts{Bytes: -1}, fmt.Errorf("%s: status: the server does not tell %s", c.address, item)
		}
		if known {
			*place = int64(min(n, math.MaxInt64))
		}
	}
	return counts, nil
}
