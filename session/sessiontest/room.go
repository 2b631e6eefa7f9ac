package sessiontest

import (
	"context"
	"errors"

	"github.com/mailsession/mailsession/session"
)

const (
	ruleListedCounts = "a listing counts what the folders hold"
	ruleQuota        = "the quota is told where Facts say so"
)

// roomRules are about what folders hold, and may hold.
func roomRules() []incomingRule {
	return []incomingRule{
		{ruleListedCounts, countedListing},
		{ruleQuota, quota},
	}
}

// countedListing lists the folders with their counts, which a Session makes of
// Folders and Count where the backend has no such listing.
func countedListing(ctx context.Context, r *reading) {
	r.seed(3)
	s := r.session(session.ReadWrite)
	plain := map[string]bool{}
	for _, f := range r.folders(ctx) {
		plain[f.Path] = true
	}
	listed := 0
	for f, err := range s.ListFolders(ctx, &session.FolderOptions{Counts: true}) {
		if errors.Is(err, errors.ErrUnsupported) {
			if _, can := session.As[session.Counter](r.in); can {
				r.Errorf("ListFolders with counts: %v, by a backend that counts", err)
			}
			wantUnsupported(r, "ListFolders with counts", err, "count")
			return
		}
		if err != nil {
			r.Fatalf("ListFolders after %d folders: %v", listed, err)
		}
		if listed++; !plain[f.Path] {
			r.Errorf("ListFolders has %q, Folders has not", f.Path)
		}
		if f.NoMessages {
			continue
		}
		stored, err := r.Mailbox.Messages(f.Path)
		switch {
		case err != nil:
			r.Fatalf("messages of %q: %v", f.Path, err)
		case f.Counts == nil || f.Counts.Messages != int64(len(stored)):
			r.Errorf("%q is listed with %+v, want %d messages", f.Path, f.Counts, len(stored))
		}
	}
	if listed != len(plain) {
		r.Errorf("ListFolders has %d folders, Folders has %d", listed, len(plain))
	}
}

func quota(ctx context.Context, r *reading) {
	r.seed(2)
	quotas, err := r.session(session.ReadOnly).Quota(ctx, session.Inbox)
	if !r.facts(ctx).Quota {
		wantUnsupported(r, "Quota", err, "quota", "limit")
		return
	}
	if err != nil {
		r.Errorf("Quota: %v, and Facts say that it is told", err)
	}
	for _, q := range quotas {
		if q.Bytes.Limit < 0 && q.Messages.Limit < 0 {
			r.Errorf("the quota %+v limits nothing", q)
		}
		if q.Messages.Limit >= 0 && q.Messages.Used < 2 {
			r.Errorf("the quota %+v, want the 2 messages of the inbox to count", q)
		}
	}
}
