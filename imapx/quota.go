package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// maxQuotas bounds how many quotas of a folder are kept.
const maxQuotas = 1000

// Quota implements [session.Quotas] by GETQUOTAROOT (RFC 9208, and RFC 2087
// before it). A limit of 0, which servers tell where they have set none, is none.
func (c *Client) Quota(ctx context.Context, folder session.FolderRef) ([]session.Quota, error) {
	folder = cmp.Or(folder, session.Inbox)
	quotas, err := c.quota(ctx, folder)
	if errors.Is(err, session.ErrNoFolder) && c.forget() {
		quotas, err = c.quota(ctx, folder) // the folder may have got another name
	}
	return quotas, err
}

func (c *Client) quota(ctx context.Context, folder session.FolderRef) ([]session.Quota, error) {
	name, err := c.resolve(ctx, folder)
	if err != nil {
		return nil, err
	}
	var quotas []session.Quota
	err = c.read(ctx, "quota", func(cn *conn) error {
		if !cn.caps.has("QUOTA") {
			return fmt.Errorf("%s: quota: the server offers no QUOTA, and tells no limits: %w", cn.address, errors.ErrUnsupported)
		}
		quotas, err = cn.quotas(name)
		return noFolder(err)
	}, slog.String("folder", name))
	if err != nil {
		return nil, err
	}
	return quotas, nil
}

// quotas asks for the quotas of a folder. They come in the order of the roots
// that the server names for it; those of no root that it names are left out.
func (c *conn) quotas(name string) ([]session.Quota, error) {
	var roots []string
	told := map[string]session.Quota{}
	err := c.run("quota", "GETQUOTAROOT "+c.mailboxName(name), func(response string, sc *scanner) (err error) {
		switch response {
		case "QUOTAROOT":
			roots, err = scanRoots(sc)
		case "QUOTA":
			var q session.Quota
			if q, err = scanQuota(sc); err == nil && len(told) < maxQuotas {
				told[q.Root] = q
			}
		}
		return err
	})
	if itemError(err) {
		err = fmt.Errorf("%s: quota: %w", c.address, err)
	}
	quotas := make([]session.Quota, 0, len(told))
	for _, root := range roots {
		q, known := told[root]
		if known && (q.Bytes.Limit >= 0 || q.Messages.Limit >= 0) {
			quotas = append(quotas, q)
		}
		delete(told, root)
	}
	return quotas, err
}

// scanRoots reads a QUOTAROOT response: the folder's name and those of its roots.
func scanRoots(sc *scanner) (roots []string, err error) {
	if _, err := sc.text(maxName); err != nil {
		return nil, err
	}
	for sc.peek() != atEnd {
		root, err := sc.text(maxName)
		if err != nil {
			return nil, err
		}
		if len(roots) < maxQuotas {
			roots = append(roots, printableName(root))
		}
	}
	return roots, nil
}

// printableName returns a name that may hold any bytes as text.
func printableName(name []byte) string { return strings.ToValidUTF8(string(name), "\uFFFD") }

// scanQuota reads a QUOTA response: the name of a root, and what is used and
// allowed of each resource. Resources other than these two are passed over.
func scanQuota(sc *scanner) (session.Quota, error) {
	q := session.Quota{Bytes: session.Usage{Used: -1, Limit: -1}, Messages: session.Usage{Used: -1, Limit: -1}}
	root, err := sc.text(maxName)
	if err != nil {
		return q, err
	}
	q.Root = printableName(root)
	if !sc.accept('(') {
		return q, sc.malformed("a list of resources")
	}
	for !sc.accept(')') {
		resource := strings.ToUpper(string(sc.name()))
		if resource == "" {
			return q, sc.malformed("a resource's name")
		}
		var numbers [2]int64
		for i := range numbers {
			if numbers[i], err = sc.octets(); err != nil {
				return q, err
			}
		}
		switch used, limit := numbers[0], numbers[1]; resource {
		case "STORAGE":
			q.Bytes = usage(used, limit, 1024)
		case "MESSAGE":
			q.Messages = usage(used, limit, 1)
		}
	}
	return q, nil
}

// usage returns what is used and allowed, counted in units.
func usage(used, limit, unit int64) session.Usage {
	most := math.MaxInt64 / unit
	u := session.Usage{Used: min(used, most) * unit, Limit: -1}
	if limit > 0 {
		u.Limit = min(limit, most) * unit
	}
	return u
}
