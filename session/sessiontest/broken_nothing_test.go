package sessiontest

import (
	"context"
	"io"
	"iter"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/session"
)

// nothing is what a backend is on the day that it is begun.
type nothing struct{}

func (nothing) Folders(context.Context) iter.Seq2[session.Folder, error] {
	return func(func(session.Folder, error) bool) {}
}

func (nothing) Messages(context.Context, session.Query) iter.Seq2[*session.Message, error] {
	return func(func(*session.Message, error) bool) {}
}

func (nothing) Open(context.Context, session.ID) (io.ReadCloser, error) {
	return io.NopCloser(strings.NewReader("")), nil
}

func (nothing) Apply(context.Context, session.Change, ...session.ID) ([]session.Result, error) {
	return nil, nil
}

func (nothing) Facts(context.Context) (session.Facts, error) { return session.Facts{}, nil }

func (nothing) Send(context.Context, session.Envelope, message.Source) (session.Receipt, error) {
	return session.Receipt{Outcome: session.Accepted}, nil
}

func (nothing) Close() error { return nil }

// TestBackendsThatAreBegun get to read in words what they lack: each rule ends,
// and none panics.
func TestBackendsThatAreBegun(t *testing.T) {
	t.Parallel()
	w := brokenWay{
		in:  func(*bed, Dial, session.Incoming) session.Incoming { return nothing{} },
		out: func(*bed, Dial, session.Outgoing) session.Outgoing { return nothing{} },
	}
	checks := map[string]func(tb testing.TB){}
	for _, rule := range incomingRules() {
		checks["in: "+rule.name] = func(tb testing.TB) {
			tb.Helper()
			checkIncoming(tb, rule, func(testing.TB) *Incoming { return w.incoming() }, &Options{Brief: true})
		}
	}
	for _, rule := range outgoingRules() {
		checks["out: "+rule.name] = func(tb testing.TB) {
			tb.Helper()
			checkOutgoing(tb, rule, func(testing.TB) *Outgoing { return w.outgoing() }, &Options{})
		}
	}
	kept := map[string]bool{ // by doing nothing
		"in: nothing is dialled before the first use": true, "out: nothing is dialled before the first use": true,
		"in: an empty folder has no messages": true, "in: break leaks nothing": true, "in: no ids are no work": true,
	}
	for _, rule := range []string{ // since the session tells that it lacks them
		ruleAppended, rulePlain, ruleNoAppend, ruleHalf, ruleCutAppend, ruleMade, ruleRenamed, ruleEdits, ruleSubscribed, rulePurge, ruleCount, rulePlan,
		ruleListedCounts, ruleQuota, ruleDraft, ruleConflict, ruleCutDraft,
		ruleFromZero, ruleSyncField, ruleNow, ruleNet, ruleByPage, ruleElsewhere, ruleExpired, ruleUnread, ruleCutSync,
		ruleNotices, ruleNoticeLost, ruleSilent, ruleNoticeEnds, ruleNoticeLeft,
		ruleWatch, ruleWatchOn, ruleWatchMany, ruleWatchReset, ruleWatchGone, ruleWatchCut, ruleDay, ruleWatchEnds, ruleWatchLeft, ruleWaitEnds, ruleProcess,
	} {
		kept["in: "+rule] = true
	}
	for name, check := range checks {
		if said := failures(t, check); kept[name] != (len(said) == 0) {
			t.Errorf("the rule %q says %q of a backend that does nothing", name, said)
		}
	}
}

// TestSuiteSaysWhatItNeeds where a field was left out.
func TestSuiteSaysWhatItNeeds(t *testing.T) {
	t.Parallel()
	for what, check := range map[string]func(tb testing.TB){
		"an Incoming needs Credentials, Mailbox, Backend and Spoil": func(tb testing.TB) {
			tb.Helper()
			checkIncoming(tb, incomingRules()[0], func(testing.TB) *Incoming { return &Incoming{} }, &Options{})
		},
		"an Outgoing needs Backend, From, three addresses in To, Refused, TooLarge and Arrived": func(tb testing.TB) {
			tb.Helper()
			checkOutgoing(tb, outgoingRules()[0], func(testing.TB) *Outgoing { return &Outgoing{} }, &Options{})
		},
	} {
		if said := failures(t, check); len(said) != 1 || !strings.Contains(said[0], what) {
			t.Errorf("the suite says %q, want that %s", said, what)
		}
	}
}
