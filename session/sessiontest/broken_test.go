package sessiontest

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/internal/racing"
	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/session"
)

const (
	ann     = "ann@example.com"
	bob     = "bob@example.com"
	carol   = "carol@example.com"
	correct = "correct horse battery"
)

// recorder stands for the test of a rule: that it fails is what is wanted.
type recorder struct {
	testing.TB

	mu       sync.Mutex
	said     []string
	cleanups []func()
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.said = append(r.said, fmt.Sprintf(format, args...))
}

func (r *recorder) Error(args ...any) { r.Errorf("%s", fmt.Sprintln(args...)) }

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprintln(args...)) }

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.said) > 0
}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

// failures returns what went wrong in a rule.
func failures(t *testing.T, check func(tb testing.TB)) (said []string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		t.Helper()
		r := &recorder{TB: t}
		var done sync.WaitGroup
		done.Go(func() { check(r) })
		done.Wait()
		for _, f := range slices.Backward(r.cleanups) {
			f()
		}
		said = r.said
	})
	return said
}

// wantFailures checks which rules fail.
func wantFailures(t *testing.T, failed map[string][]string, want []string) {
	t.Helper()
	for _, name := range want {
		if len(failed[name]) == 0 {
			t.Errorf("the rule %q holds, want it to be broken", name)
		}
	}
	for name, said := range failed {
		if !slices.Contains(want, name) {
			t.Errorf("the rule %q is broken as well: %s", name, strings.Join(said, "\n"))
		}
	}
}

// bed is a reference server with one account, and what it is told to do.
type bed struct {
	server  *Reference
	account *mailtest.Account
}

func newBed() *bed {
	b := &bed{server: &Reference{Box: mailtest.New(), Facts: ReferenceFacts()}}
	b.account = b.server.Box.Add(ann, secret.New(correct))
	b.server.Box.Add(bob, secret.New(correct))
	b.server.Box.Add(carol, secret.New(correct))
	return b
}

// oneInSo is how many of the rules that a broken way keeps are tried: every rule
// against every way takes minutes. That a rule finds nothing is no matter for the
// race detector.
func oneInSo() int {
	if racing.Enabled {
		return 24
	}
	return 6
}

// tried reports whether a rule is tried against a broken way: one that it breaks
// always, of the others one in so many, others for each way. Where nothing is
// broken all are.
func (w brokenWay) tried(way, number int, rule string) bool {
	if slices.Contains(w.sometimes, rule) {
		return false
	}
	return len(w.rules) == 0 || slices.Contains(w.rules, rule) || (way+number)%oneInSo() == 0
}

// TestSuiteFindsBrokenWaysIn: each way of breaking the reference backend
// breaks the rules that are about it, and no others.
func TestSuiteFindsBrokenWaysIn(t *testing.T) {
	t.Parallel()
	for way, broken := range brokenWaysIn() {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			failed := map[string][]string{}
			for i, rule := range incomingRules() {
				if !broken.tried(way, i, rule.name) {
					continue
				}
				said := failures(t, func(tb testing.TB) {
					tb.Helper()
					checkIncoming(tb, rule, func(testing.TB) *Incoming { return broken.incoming() }, &Options{Brief: !slices.Contains(broken.rules, rule.name)})
				})
				if len(said) > 0 {
					failed[rule.name] = said
				}
			}
			wantFailures(t, failed, broken.rules)
		})
	}
}

// TestSuiteFindsBrokenWaysOut does the same for ways out.
func TestSuiteFindsBrokenWaysOut(t *testing.T) {
	t.Parallel()
	for _, broken := range brokenWaysOut() {
		t.Run(broken.name, func(t *testing.T) {
			t.Parallel()
			failed := map[string][]string{}
			for _, rule := range slices.Concat(outgoingRules(), senderCheckRules()) {
				said := failures(t, func(tb testing.TB) {
					tb.Helper()
					checkOutgoing(tb, rule, func(testing.TB) *Outgoing { return broken.outgoing() }, &Options{})
				})
				if len(said) > 0 {
					failed[rule.name] = said
				}
			}
			wantFailures(t, failed, broken.rules)
		})
	}
}

// TestEveryRuleCanBeBroken: no rule holds for every backend, but those that
// package session keeps by itself.
func TestEveryRuleCanBeBroken(t *testing.T) {
	var rules []string
	broken := []string{"a mode that forbids a call is a ModeError before any I/O", "a mode that forbids to send is a ModeError before any I/O"}
	for _, r := range incomingRules() {
		rules = append(rules, r.name)
	}
	for _, r := range outgoingRules() {
		rules = append(rules, r.name)
	}
	for _, w := range slices.Concat(brokenWaysIn(), brokenWaysOut()) {
		broken = append(broken, w.rules...)
	}
	for _, name := range rules {
		if !slices.Contains(broken, name) {
			t.Errorf("the rule %q is broken by none of the broken backends", name)
		}
	}
}

// brokenWay is a way of breaking a backend, and the rules that it breaks.
type brokenWay struct {
	name      string
	rules     []string
	sometimes []string // rules that it breaks or keeps as the goroutines happen to run
	in        func(b *bed, dial Dial, in session.Incoming) session.Incoming
	out       func(b *bed, dial Dial, out session.Outgoing) session.Outgoing
	alter     func(b *bed)
}

func (w brokenWay) bed() *bed {
	b := newBed()
	if w.alter != nil {
		w.alter(b)
	}
	return b
}

func (w brokenWay) incoming() *Incoming {
	b := w.bed()
	return &Incoming{
		Credentials: session.Credentials{User: ann, Password: secret.New(correct)},
		Mailbox:     Account(b.account), Dial: b.server.Dial, Spoil: SpoilReference,
		Backend: func(dial Dial) session.IncomingBackend {
			return func(s session.Setup) (session.Incoming, error) {
				in, err := b.server.Incoming(dial)(s)
				if err == nil && w.in != nil {
					in = w.in(b, dial, in)
				}
				return in, err
			}
		},
	}
}

func (w brokenWay) outgoing() *Outgoing {
	b := w.bed()
	return &Outgoing{
		Credentials: session.Credentials{User: ann, Password: secret.New(correct)},
		Dial:        b.server.Dial, From: ann, To: []string{ann, bob, carol},
		Refused: "nobody@example.com", TooLarge: 2 << 20, Arrived: Inboxes(b.server.Box),
		Backend: func(dial Dial) session.OutgoingBackend {
			return func(s session.Setup) (session.Outgoing, error) {
				out, err := b.server.Outgoing(dial)(s)
				if err == nil && w.out != nil {
					out = w.out(b, dial, out)
				}
				return out, err
			}
		},
	}
}
