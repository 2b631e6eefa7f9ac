package sessiontest

import (
	"context"

	"github.com/mailsession/mailsession/session"
)

// miscount is a way in that counts wrong.
type miscount struct{ session.Incoming }

func (miscount) Count(context.Context, session.FolderRef) (session.Counts, error) {
	return session.Counts{Messages: 99, Bytes: -1}, nil
}

func brokenRoom() []brokenWay {
	return []brokenWay{
		{
			name: "counts what is not there", rules: []string{ruleListedCounts, ruleCount},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming { return miscount{in} },
		},
		{
			name: "tells no quota and says that it does", rules: []string{ruleQuota},
			in: func(_ *bed, _ Dial, in session.Incoming) session.Incoming {
				return lie{Incoming: in, facts: func(f *session.Facts) { f.Quota = true }}
			},
		},
	}
}
