package sessiontest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// processRules are about Process, which every backend that tells changes gets from
// its Session.
func processRules() []incomingRule {
	return []incomingRule{
		{"a processor hands out each message once, over lost lines, oldest first", processCut},
	}
}

// processCut cuts the line in one call of Process, and has further ones go on.
func processCut(ctx context.Context, r *reading) {
	s := r.over()
	var handed []string
	handle := func(ctx context.Context, t session.Task) error {
		handed = append(handed, number(t.Message))
		return ctx.Err()
	}
	if _, ok := session.As[session.Syncer](r.in); !ok {
		_, err := s.Process(ctx, session.Progress{Store: state.NewMemory(), Name: "x"}, session.Query{}, handle, nil)
		wantUnsupported(r, "Process", err, "process")
		return
	}
	r.seed(many)
	opts := &session.ProcessOptions{WatchOptions: session.WatchOptions{PageSize: 4}} // so that much happens between pages
	story := func(when string) {
		progress := session.Progress{Store: state.NewMemory(), Name: "rule"}
		handed = handed[:0]
		for try := 1; ; try++ {
			if _, err := r.over().Process(ctx, progress, session.Query{}, handle, opts); err == nil {
				break
			} else if try == 3 {
				r.Errorf("%s: Process: %v", when, err)
				break
			}
		}
		if got, want := strings.Join(handed, " "), sequence(1, many); got != want {
			r.Errorf("%s: Process hands out %s, want %s", when, got, want)
		}
	}
	r.renew()
	r.line.arm(nil)
	story("with a good line")
	sent, received, _, _ := r.line.counts()
	for _, f := range slices.Concat(places(receiving, received, cuts), places(sending, sent, cuts)) {
		r.renew()
		r.line.arm(&f)
		story(fmt.Sprintf("cut after %d bytes %v", f.after, f.dir))
	}
}
