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
	err = c.read(ctx, "status", func(cn *conn) error {
		items := []string{"MESSAGES", "UNSEEN"}
		if cn.caps.has("STATUS=SIZE") {
			items = append(items, "SIZE")
		}
		told, err := cn.folderStatus(name, items...)
		if err != nil {
			return noFolder(err)
		}
		for item, place := range map[string]*int64{"MESSAGES": &counts.Messages, "UNSEEN": &counts.Unread, "SIZE": &counts.Bytes} {
			n, known := told[item]
			if !known && item != "SIZE" {
				return fmt.Errorf("%s: status: the server does not tell %s", cn.address, item)
			}
			if known {
				*place = int64(min(n, math.MaxInt64))
			}
		}
		return nil
	}, slog.String("folder", name))
	return counts, err
}
