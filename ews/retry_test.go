package ews_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/ews"
	"github.com/mailsession/mailsession/ewstest"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/message"
	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/session"
)

// asked is an operation that a policy is tried at.
type asked struct {
	kind string // "read", "flags" for what may be done twice, "once" for what may not
	name string
	op   string
	act  func(ctx context.Context, b *bed, id session.ID) error
}

func askedFor() []asked {
	change := func(c session.Change) func(context.Context, *bed, session.ID) error {
		return func(ctx context.Context, b *bed, id session.ID) error { return b.one(ctx, c, id) }
	}
	return []asked{
		{"read", "a list", "FindItem", func(ctx context.Context, b *bed, _ session.ID) error {
			_, _, err := b.list(ctx, session.Query{})
			return err
		}},
		{"read", "a message", "GetItem", func(ctx context.Context, b *bed, id session.ID) error {
			body, err := b.Open(ctx, id)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, body)
			return errors.Join(err, body.Close())
		}},
		{"read", "changes", "SyncFolderItems", func(ctx context.Context, b *bed, _ session.ID) error {
			_, err := b.Cursor(ctx, session.Inbox)
			return err
		}},
		{"flags", "a flag", "UpdateItem", change(session.Change{Set: session.Flags{session.Flagged}})},
		{"once", "a keyword", "UpdateItem", change(session.Change{Set: session.Flags{"$Work"}})},
		{"once", "a copy", "CopyItem", change(session.Change{CopyTo: session.Archive})},
		{"once", "a move", "MoveItem", change(session.Change{MoveTo: session.Archive})},
		{"once", "a deletion", "DeleteItem", change(session.Change{Delete: true})},
		{"once", "a new message", "CreateItem", func(ctx context.Context, b *bed, _ session.ID) error {
			_, err := b.Append(ctx, session.Inbox, message.Bytes([]byte(mailtest.Sample(9))), nil)
			return err
		}},
		{"once", "a message sent", "CreateItem", func(ctx context.Context, b *bed, _ session.ID) error {
			_, err := b.sender.Send(ctx, session.Envelope{From: ann, To: []string{bob}}, message.Bytes([]byte(invoice)))
			return err
		}},
	}
}

// refusals are the answers, and how a table names them.
func refusals() (names []string, of map[string]func(op string) mailtest.Fault) {
	of = map[string]func(op string) mailtest.Fault{
		"busy":   func(op string) mailtest.Fault { return ewstest.Busy(op, 0) },
		"items":  func(op string) mailtest.Fault { return ewstest.BusyItems(op, 0) },
		"503":    func(op string) mailtest.Fault { return ewstest.Unavailable(op, 0) },
		"passes": func(op string) mailtest.Fault { return ewstest.FailingWhole(op, "ErrorMailboxStoreUnavailable") },
		"passing item": func(op string) mailtest.Fault {
			return ewstest.Failing(op, "ErrorMailboxStoreUnavailable")
		},
		"fault": func(op string) mailtest.Fault { return ewstest.FailingWhole(op, "ErrorInternalServerError") },
		"502":   func(op string) mailtest.Fault { return mailtest.Reply(op, "502 Bad Gateway") },
		"403":   ewstest.Forbidden,
		"413":   func(op string) mailtest.Fault { return mailtest.Reply(op, "413 Request Entity Too Large") },
	}
	return []string{"busy", "items", "503", "passes", "passing item", "fault", "502", "403", "413"}, of
}

// TestPoliciesOfTryingAgain: how many requests a server gets that never answers in
// another way, by policy, by answer, and by what is asked for.
func TestPoliciesOfTryingAgain(t *testing.T) {
	listed := func(statuses ...int) oauth.Retry {
		return oauth.Retry{On: oauth.RetryStatus, Statuses: statuses, Count: 2}
	}
	for name, tt := range map[string]struct {
		retry oauth.Retry
		want  map[string]string // kind -> requests:   busy, items, 503, passes, passing item, fault, 502, 403, 413
	}{
		"as it is":    {oauth.Retry{}, map[string]string{"read": "6 6 6 6 6 1 6 1 1", "flags": "6 6 6 6 1 1 6 1 1", "once": "6 6 6 1 1 1 1 1 1"}},
		"none":        {oauth.Retry{On: oauth.RetryNever}, map[string]string{"read": "1 1 1 1 1 1 1 1 1", "flags": "1 1 1 1 1 1 1 1 1", "once": "1 1 1 1 1 1 1 1 1"}},
		"no count":    {oauth.Retry{Count: -1}, map[string]string{"read": "1 1 1 1 1 1 1 1 1", "flags": "1 1 1 1 1 1 1 1 1", "once": "1 1 1 1 1 1 1 1 1"}},
		"any, twice":  {oauth.Retry{Count: 2}, map[string]string{"read": "3 3 3 3 3 1 3 1 1", "flags": "3 3 3 3 1 1 3 1 1", "once": "3 3 3 1 1 1 1 1 1"}},
		"429 and 503": {listed(), map[string]string{"read": "3 3 3 1 3 1 1 1 1", "flags": "3 3 3 1 1 1 1 1 1", "once": "3 3 3 1 1 1 1 1 1"}},
		"500":         {listed(500), map[string]string{"read": "1 1 1 3 1 3 1 1 1", "flags": "1 1 1 3 1 3 1 1 1", "once": "1 1 1 1 1 1 1 1 1"}},
		"much": {listed(403, 413, 500, 502, 503), map[string]string{
			"read": "3 3 3 3 3 3 3 3 3", "flags": "3 3 3 3 1 3 3 3 3", "once": "3 3 3 1 1 1 1 1 1",
		}},
	} {
		for _, a := range askedFor() {
			t.Run(name+"/"+a.name, func(t *testing.T) {
				if got := requestsUnder(t, tt.retry, a); got != tt.want[a.kind] {
					names, _ := refusals()
					t.Errorf("%s is asked for so often: %s, want %s\nunder %s", a.op, got, tt.want[a.kind], strings.Join(names, ", "))
				}
			})
		}
	}
}

// requestsUnder returns how often an operation is asked for under each answer.
func requestsUnder(t *testing.T, policy oauth.Retry, a asked) string {
	t.Helper()
	var got []string
	synctest.Test(t, func(t *testing.T) {
		b := newRetrying(t, policy)
		_, ids, err := b.list(t.Context(), session.Query{})
		if err != nil {
			t.Fatal(err)
		}
		names, of := refusals()
		for _, answer := range names {
			before := b.requests(a.op)
			b.server.Inject(of[answer](a.op).Repeating(-1))
			if err := a.act(t.Context(), b, ids[0]); err == nil {
				t.Errorf("%s is done under %q", a.op, answer)
			}
			b.server.Heal()
			got = append(got, strconv.Itoa(b.requests(a.op)-before))
		}
	})
	return strings.Join(got, " ")
}

// newRetrying returns a bed with two messages and a Sender, of the same policy.
func newRetrying(t *testing.T, policy oauth.Retry) *bed {
	t.Helper()
	b := newBed(t, settings{client: ews.Options{Retry: policy}})
	b.fill(t, 2)
	b.box.Add(bob, password())
	at := session.Server{Host: "localhost", Security: session.None, AllowPlainAuth: true, Dial: b.server.Dial}
	var err error
	if b.sender, err = ews.NewSender(at, session.Credentials{User: ann, Password: password()}, &ews.Options{Retry: policy}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.sender.Close() })
	return b
}

// requests returns how often the server was asked for an operation.
func (b *bed) requests(op string) int {
	n := 0
	for _, r := range b.server.Requests() {
		if r.Operation == op {
			n++
		}
	}
	return n
}

// TestWaitsOfTryingAgain: waits multiply up to the longest, a pause that the server
// states lengthens them, and none goes past the deadline of the context. Chance takes
// off, or puts on, a fifth of a wait at most.
func TestWaitsOfTryingAgain(t *testing.T) {
	slow := oauth.Retry{Count: 3, Initial: 10 * time.Second, Factor: 3, Max: time.Minute}
	for name, tt := range map[string]struct {
		retry       oauth.Retry
		fault       mailtest.Fault
		within      time.Duration
		requests    int
		least, most time.Duration
	}{
		"its own":                  {slow, ewstest.Unavailable("FindItem", 0), 0, 4, 80 * time.Second, 100 * time.Second},
		"its own, of items":        {slow, ewstest.BusyItems("UpdateItem", 0), 0, 4, 80 * time.Second, 100 * time.Second},
		"the server's":             {slow, ewstest.Busy("FindItem", 2*time.Minute), 0, 4, 6 * time.Minute, 6*time.Minute + 20*time.Second},
		"the server's, of items":   {slow, ewstest.BusyItems("UpdateItem", 2*time.Minute), 0, 4, 6 * time.Minute, 6*time.Minute + 20*time.Second},
		"the server's, at a 502":   {slow, mailtest.Reply("FindItem", "HTTP/1.1 502 Bad Gateway\r\nRetry-After: 120\r\n\r\n"), 0, 4, 6 * time.Minute, 6*time.Minute + 20*time.Second},
		"none":                     {oauth.Retry{On: oauth.RetryNever}, ewstest.Busy("FindItem", 2*time.Minute), 0, 1, 0, 0},
		"not past the deadline":    {slow, ewstest.Unavailable("FindItem", 0), 5 * time.Second, 1, 0, 0},
		"two before the deadline":  {slow, ewstest.Unavailable("FindItem", 0), 45 * time.Second, 3, 32 * time.Second, 40 * time.Second},
		"a stated one and the end": {slow, ewstest.Busy("FindItem", 2*time.Minute), time.Minute, 1, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newRetrying(t, tt.retry)
				_, ids, err := b.list(t.Context(), session.Query{})
				if err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if tt.within > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, tt.within)
					defer cancel()
				}
				op, act := "FindItem", askedFor()[0].act
				if tt.fault.Command == "UpdateItem" {
					op, act = "UpdateItem", askedFor()[3].act
				}
				before := b.requests(op)
				b.server.Inject(tt.fault.Repeating(-1))
				began := time.Now()
				err = act(ctx, b, ids[0])
				took := time.Since(began)
				if got := b.requests(op) - before; err == nil || !session.Temporary(err) || got != tt.requests || took < tt.least || took > tt.most {
					t.Errorf("%d requests, %v after %v; want %d, and a temporary error after %v to %v", got, err, took, tt.requests, tt.least, tt.most)
				}
			})
		})
	}
}

// TestPausesHoldWhoeverDoesNotTryAgain: what the server states is for the next request
// too, of whatever kind, also where nothing is sent again.
func TestPausesHoldWhoeverDoesNotTryAgain(t *testing.T) {
	const pause = 40 * time.Second
	for name, fault := range map[string]mailtest.Fault{
		"fault": ewstest.Busy("UpdateItem", pause), "items": ewstest.BusyItems("UpdateItem", pause), "503": ewstest.Unavailable("UpdateItem", pause),
	} {
		for policy, retry := range map[string]oauth.Retry{
			"none": {On: oauth.RetryNever}, "another status": {On: oauth.RetryStatus, Statuses: []int{502}},
		} {
			t.Run(name+"/"+policy, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					b := newRetrying(t, retry)
					_, ids, err := b.list(t.Context(), session.Query{})
					if err != nil {
						t.Fatal(err)
					}
					b.server.Inject(fault)
					began := time.Now()
					err = b.one(t.Context(), session.Change{Set: session.Flags{session.Seen}}, ids[0])
					if took := time.Since(began); err == nil || took != 0 || session.RetryAfter(err) != pause {
						t.Errorf("the change: %v after %v, asking for %v; want the server's wish at once", err, took, session.RetryAfter(err))
					}
					_, _, err = b.list(t.Context(), session.Query{})
					if took := time.Since(began); err != nil || took != pause {
						t.Errorf("the next request: %v after %v, want it after %v", err, took, pause)
					}
				})
			})
		}
	}
}

// TestNoPolicyShowsCredentialsAgain: a password that is refused is not shown again for a
// status that is listed; and a request that lost its line goes over another one even
// where nothing is sent again.
func TestNoPolicyShowsCredentialsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRetrying(t, oauth.Retry{On: oauth.RetryStatus, Statuses: []int{401, 403}})
		b.server.Inject(mailtest.Reply("GetFolder", "401 Unauthorized").Repeating(-1))
		began := time.Now()
		_, _, err := b.list(t.Context(), session.Query{})
		if got := b.requests("GetFolder"); !session.NeedsSignIn(err) || got != 1 || time.Since(began) != 0 {
			t.Errorf("%d requests to sign in, %v after %v; want 1 and an error about the credentials at once", got, err, time.Since(began))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		b := newRetrying(t, oauth.Retry{On: oauth.RetryNever})
		b.server.Inject(mailtest.Drop("FindItem", 0))
		if subjects, _, err := b.list(t.Context(), session.Query{}); err != nil || len(subjects) != 2 {
			t.Errorf("a list whose line was cut: %q, %v; want both messages over another one", subjects, err)
		}
	})
}
