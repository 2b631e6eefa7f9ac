package sessiontest

import (
	"context"
	"fmt"

	"github.com/mailsession/mailsession/session"
)

var _ session.Quotas = (*referenceClient)(nil)

// Quota implements [session.Quotas].
func (c *referenceClient) Quota(ctx context.Context, folder session.FolderRef) ([]session.Quota, error) {
	all, err := c.collect(ctx, question{Op: "quota", Folder: string(folder)})
	quotas := make([]session.Quota, 0, len(all))
	for _, a := range all {
		quotas = append(quotas, *a.Quota)
	}
	return quotas, err
}

// quota writes what the account holds and may hold, if there is a limit.
func (v visitor) quota() error {
	if !v.Facts.Quota {
		return v.write(refusalOf(lacking("quota")))
	}
	if _, err := v.find(session.FolderRef(v.q.Folder)); err != nil {
		return v.write(refusalOf(fmt.Errorf("quota: %w", err)))
	}
	used, limit := v.account.Quota()
	q := session.Quota{
		Bytes:    session.Usage{Used: used.Bytes, Limit: -1},
		Messages: session.Usage{Used: int64(used.Messages), Limit: -1},
	}
	if limit.Bytes > 0 {
		q.Bytes.Limit = limit.Bytes
	}
	if limit.Messages > 0 {
		q.Messages.Limit = int64(limit.Messages)
	}
	if q.Bytes.Limit >= 0 || q.Messages.Limit >= 0 {
		if err := v.write(answer{Quota: &q}); err != nil {
			return err
		}
	}
	return v.write(answer{End: true})
}
