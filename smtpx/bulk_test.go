package smtpx_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/smtptest"
	"github.com/mailsession/mailsession/smtpx"
)

// circulars are n messages to bob, each with its number as its key and in its
// Message-ID.
func circulars(n int) iter.Seq[session.Mail] {
	return func(yield func(session.Mail) bool) {
		for i := range n {
			if !yield(circular(i, bob)) {
				return
			}
		}
	}
}

func circular(i int, to ...string) session.Mail {
	return session.Mail{
		Key:      strconv.Itoa(i),
		Envelope: session.Envelope{From: ann, To: to},
		Message:  source(fmt.Sprintf("Message-ID: <%d@example.com>\r\nSubject: circular\r\n\r\n.number %d\n..\r\nbye\r\n", i, i)),
	}
}

// outcomes are the results of a bulk by their keys.
type outcomes map[string]session.MailResult

// sendAll sends all messages and returns what became of them, and why that
// ended.
func sendAll(t *testing.T, c *smtpx.Client, messages iter.Seq[session.Mail], opts *session.BulkOptions) (all outcomes, why error) {
	t.Helper()
	all = outcomes{}
	for r, err := range c.SendAll(t.Context(), messages, opts) {
		if _, own := errors.AsType[*session.SendError](err); err != nil && !own {
			why = err
			continue
		}
		if _, twice := all[r.Key]; twice {
			t.Errorf("message %s has two results", r.Key)
		}
		if (err == nil) != (r.Receipt.Outcome == session.Accepted) {
			t.Errorf("message %s is %v with the error %v", r.Key, r.Receipt.Outcome, err)
		}
		all[r.Key] = r
	}
	return all, why
}

// checkTruth compares what the client says of n messages with what the server
// has: once what is accepted, never what is not sent, and once at most what
// nobody knows of.
func checkTruth(t *testing.T, s *smtptest.Server, all outcomes, n int) {
	t.Helper()
	if len(all) != n {
		t.Errorf("%d messages have a result, want %d", len(all), n)
	}
	got := map[string]int{}
	for _, m := range s.Messages() {
		id, _, _ := strings.Cut(strings.TrimPrefix(m.Raw, "Message-ID: <"), "@")
		got[id]++
	}
	for i := range n {
		key := strconv.Itoa(i)
		r, taken := all[key], got[key]
		switch o := r.Receipt.Outcome; {
		case taken > 1, (o == session.Accepted || o == session.Partial) && taken != 1, o == session.NotSent && taken != 0:
			t.Errorf("message %s is %v, and the server has it %d times", key, o, taken)
		}
	}
}

func count(all outcomes) map[session.SendOutcome]int {
	n := map[session.SendOutcome]int{}
	for _, r := range all {
		n[r.Receipt.Outcome]++
	}
	return n
}

// offers are servers that have more and less to offer, which changes how many
// messages are on their way at a time.
func offers() map[string][]string {
	return map[string][]string{
		"a window":            nil,
		"PIPELINING alone":    smtptest.Without("CHUNKING"),
		"one after the other": smtptest.Without("PIPELINING"),
	}
}

func TestEveryMessageArrivesOnce(t *testing.T) {
	for name, extensions := range offers() {
		for _, window := range []int{0, 1, 2, 1000} {
			t.Run(fmt.Sprintf("%s, window %d", name, window), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, &smtptest.Options{Extensions: extensions})
					c := newClient(t, inMemory(s), withPassword(), nil)
					all, err := sendAll(t, c, circulars(100), &session.BulkOptions{Window: window})
					if err != nil || count(all)[session.Accepted] != 100 {
						t.Errorf("SendAll = %v, %v, want all accepted", count(all), err)
					}
					checkTruth(t, s, all, 100)
					for _, m := range s.Messages() {
						if !strings.HasSuffix(m.Raw, "\r\n..\r\nbye\r\n") || !strings.Contains(m.Raw, "\r\n\r\n.number ") {
							t.Fatalf("the server has %q", m.Raw)
						}
					}
					if _, open := s.Connections(); open > smtpx.DefaultMaxConnections {
						t.Errorf("%d connections, want %d at most", open, smtpx.DefaultMaxConnections)
					}
					mustSend(t, c)
				})
			})
		}
	}
}

// With CHUNKING a message leaves before the one ahead of it is answered; with
// PIPELINING alone it takes one round trip.
func TestRoundTrips(t *testing.T) {
	const delay = 100 * time.Millisecond
	for _, tt := range []struct {
		name       string
		extensions []string
		window     int
		messages   int
		most       time.Duration
	}{
		{"a window", nil, 16, 161, 8*delay + 10*delay},
		{"PIPELINING alone", smtptest.Without("CHUNKING"), 16, 101, 8*delay + 100*delay},
		{"a window of one", nil, 1, 10, 8*delay + 20*delay},
		{"one after the other", smtptest.Without("PIPELINING"), 16, 10, 8*delay + 40*delay},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: tt.extensions})
				server := inMemory(s)
				server.Dial = distant(s.Dial, delay)
				c := newClient(t, server, withPassword(), &smtpx.Options{MaxConnections: 1})
				start := time.Now()
				all, err := sendAll(t, c, circulars(tt.messages), &session.BulkOptions{Window: tt.window})
				if took := time.Since(start); err != nil || len(all) != tt.messages || took > tt.most {
					t.Errorf("%d messages took %v, %v, want %v at most", len(all), took, err, tt.most)
				}
				checkTruth(t, s, all, tt.messages)
			})
		})
	}
}

// The input is not taken faster than the loop keeps up with.
func TestBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1, Window: 4})
		taken, results := 0, 0
		endless := func(yield func(session.Mail) bool) {
			for i := 0; yield(circular(i, bob)); i++ {
				taken = i + 1
			}
		}
		for _, err := range c.SendAll(t.Context(), endless, nil) {
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			results++
			if ahead := taken - results; ahead > 6 {
				t.Fatalf("%d messages were taken for %d results", taken, results)
			}
			if results == 50 {
				break
			}
		}
		synctest.Wait()
		if _, open := s.Connections(); open > 1 {
			t.Errorf("%d connections, want one", open)
		}
		if got := len(s.Messages()); got < 50 || got > 56 {
			t.Errorf("the server has %d messages after a break at 50", got)
		}
		mustSend(t, c)
	})
}

// Break with messages under way waits for them, and leaves a connection that
// works.
func TestBreak(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				server := inMemory(s)
				server.Dial = distant(s.Dial, time.Second)
				c := newClient(t, server, withPassword(), nil)
				for _, err := range c.SendAll(t.Context(), circulars(100), nil) {
					if err != nil {
						t.Error(err)
					}
					break
				}
				n := len(s.Messages())
				synctest.Wait()
				pass(time.Minute / 3)
				if got := len(s.Messages()); got != n || got == 0 {
					t.Errorf("the server has %d messages when the loop is left, and %d later", n, got)
				}
				mustSend(t, c)
			})
		})
	}
}

// When the context ends, everything is cut at that moment, and every message that
// was taken has its result.
func TestCancelABulk(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), nil)
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				hold := smtptest.EndOfData
				if extensions == nil {
					hold = "BDAT"
				}
				f := mailtest.Delay(hold, time.Hour)
				f.Skip = 5
				s.Inject(f, f)
				start := time.Now()
				all, why, taken := outcomes{}, error(nil), 0
				opts := &session.BulkOptions{Progress: func(p session.BulkProgress) { taken = p.Taken }}
				for r, err := range c.SendAll(ctx, circulars(1000), opts) {
					if _, own := errors.AsType[*session.SendError](err); err != nil && !own {
						why = err
						continue
					}
					all[r.Key] = r
				}
				if took := time.Since(start); took != 10*time.Second {
					t.Errorf("SendAll ended after %v, want 10s", took)
				}
				if !errors.Is(why, context.DeadlineExceeded) {
					t.Errorf("SendAll ended in %v, want %v", why, context.DeadlineExceeded)
				}
				checkTruth(t, s, all, taken)
				s.Heal()
			})
		})
	}
}

// A context that ends when everything has its result changes nothing of that.
func TestEndInTheLastMoment(t *testing.T) {
	for range 100 {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t, nil)
			c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			opts := &session.BulkOptions{Progress: func(p session.BulkProgress) {
				if p.Accepted == 3 {
					cancel()
				}
			}}
			for r, err := range c.SendAll(ctx, circulars(3), opts) {
				if r.Receipt.Outcome != session.Accepted {
					t.Errorf("message %q is %v, %v, want it accepted, and nothing else told", r.Key, r.Receipt.Outcome, err)
				}
			}
		})
	}
}

// An input that blocks is left alone when the loop is over.
func TestInputThatBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		more := make(chan session.Mail, 3)
		for i := range 3 {
			more <- circular(i, bob)
		}
		blocking := func(yield func(session.Mail) bool) {
			for m := range more {
				if !yield(m) {
					return
				}
			}
		}
		n := 0
		for _, err := range c.SendAll(t.Context(), blocking, nil) {
			if n++; err != nil {
				t.Fatal(err)
			}
			if n == 3 {
				break
			}
		}
		mustSend(t, c)
		close(more)
	})
}

// An input may use the slice of its recipients for the next message.
func TestRecipientsOfTheInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, nil)
		c := newClient(t, inMemory(s), withPassword(), nil)
		to := make([]string, 1)
		for _, err := range c.SendAll(t.Context(), func(yield func(session.Mail) bool) {
			for i := range 20 {
				to[0] = strconv.Itoa(i) + "@else.example"
				m := circular(i)
				if m.Envelope.To = to; !yield(m) {
					return
				}
			}
		}, nil) {
			if err != nil {
				t.Error(err)
			}
		}
		for _, m := range s.Messages() {
			if number, _, _ := strings.Cut(m.To[0], "@"); !strings.Contains(m.Raw, "<"+number+"@example.com>") {
				t.Errorf("%s got\n%s", m.To[0], m.Raw)
			}
		}
	})
}

// An answer that says that the server is there, or leaves, says nothing of a message that
// it comes behind.
func TestNoVerdictInABulk(t *testing.T) {
	for name, extensions := range offers() {
		for _, answer := range []string{"221 2.7.0 Goodbye", "220 mail.example.com ESMTP"} {
			t.Run(name+" "+answer[:3], func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newServer(t, &smtptest.Options{Extensions: extensions})
					f := mailtest.Reply(smtptest.EndOfData, answer)
					if extensions == nil {
						f = mailtest.Reply("BDAT", answer).Containing("LAST")
					}
					f.Skip = 4
					s.Inject(f)
					c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1})
					all, err := sendAll(t, c, circulars(20), nil)
					if n := count(all); err != nil || n[session.SentUnknown] == 0 || n[session.NotSent] > 0 || len(all) != 20 {
						t.Errorf("SendAll = %v, %v, want what was on its way unknown, and the others accepted", n, err)
					}
					checkTruth(t, s, all, 20)
				})
			})
		}
	}
}

// An input that panics does so out of the loop over the results, and one that ends its
// goroutine ends the loop: what was taken has its result before.
func TestInputThatDoesNotReturn(t *testing.T) {
	for name, leave := range map[string]func(){"panic": func() { panic("no more") }, "Goexit": runtime.Goexit} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, nil)
				c := newClient(t, inMemory(s), withPassword(), nil)
				input := func(yield func(session.Mail) bool) {
					for i := range 5 {
						if !yield(circular(i, bob)) {
							return
						}
					}
					leave()
				}
				results, why := 0, error(nil)
				thrown := func() (thrown any) {
					defer func() { thrown = recover() }()
					for r, err := range c.SendAll(t.Context(), input, nil) {
						if r.Key != "" {
							results++
						}
						why = err
					}
					return nil
				}()
				if name == "panic" && thrown != "no more" || name == "Goexit" && (thrown != nil || why == nil) {
					t.Errorf("the loop ended with the panic %v and the error %v", thrown, why)
				}
				if results != 5 {
					t.Errorf("%d messages have a result, want 5", results)
				}
				mustSend(t, c)
			})
		})
	}
}

// A refused recipient, a refused message and a source that breaks are each the
// matter of one message alone.
func TestOneBadMessageAmongMany(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions, MaxMessage: 300_000})
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{MaxConnections: 1})
				large := strings.Repeat("x\r\n", 100_000)
				bad := map[int]session.Mail{
					10: {Envelope: session.Envelope{From: ann, To: []string{"nobody@example.com"}}},
					20: {Envelope: session.Envelope{From: ann, To: []string{bob, "nobody@example.com", carol}}},
					30: {Envelope: session.Envelope{From: ann, To: []string{bob, "nobody@example.com", carol}, AllOrNone: true}},
					40: {Message: brokenSource{text: letter, size: -1, err: errors.New("the disk is gone")}},
					41: {Message: brokenSource{text: letter + large[:200_000], size: -1, err: errors.New("the disk is gone")}},
					50: {Message: brokenSource{text: letter, size: 5}},
					60: {Message: brokenSource{text: letter + large, size: -1}},
					61: {Message: brokenSource{text: letter + large, size: int64(len(letter + large))}},
					70: {Envelope: session.Envelope{From: ann, To: []string{"bob@example.com\r\nDATA"}}},
					71: {Envelope: session.Envelope{From: ann}},
					72: {Envelope: session.Envelope{From: ann, To: []string{"nobody@example.com"}}, Message: brokenSource{text: letter + large[:250_000], size: -1}},
				}
				input := func(yield func(session.Mail) bool) {
					for i := range 100 {
						m := circular(i, bob)
						if b, ok := bad[i]; ok {
							if b.Envelope.To != nil || b.Envelope.From != "" {
								m.Envelope = b.Envelope
							}
							if b.Message != nil {
								m.Message = b.Message
							}
						}
						if !yield(m) {
							return
						}
					}
				}
				all, err := sendAll(t, c, input, nil)
				if err != nil {
					t.Error(err)
				}
				checkTruth(t, s, all, 100)
				for i := range 100 {
					want := session.Accepted
					if _, ok := bad[i]; ok {
						want = session.NotSent
					}
					if i == 20 {
						want = session.Partial
					}
					if got := all[strconv.Itoa(i)].Receipt; got.Outcome != want {
						t.Errorf("message %d is %v, want %v: %+v", i, got.Outcome, want, got)
					}
				}
				if r := all["30"].Receipt.Recipients; len(r) != 3 || !errors.Is(r[0].Err, session.ErrNotAll) || r[1].Err == nil || errors.Is(r[1].Err, session.ErrNotAll) {
					t.Errorf("the receipt of what is for all or nobody: %+v", r)
				}
				mustSend(t, c)
			})
		})
	}
}

// What is refused for the moment is tried again after a while, and others go on
// meanwhile.
func TestAgainAfterAWhile(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), nil)
				grey := mailtest.Reply("RCPT", "450 4.2.0 Greylisted, come back in 00:02:00")
				s.Inject(grey.Containing(carol), mailtest.Reply("RCPT", "450 4.2.0 busy").Containing("dora").Repeating(-1))
				input := func(yield func(session.Mail) bool) {
					_ = yield(circular(0, carol)) && yield(circular(1, "dora@elsewhere.example")) && yield(circular(2, bob)) &&
						yield(circular(3, bob))
				}
				waiting := 0
				opts := &session.BulkOptions{Progress: func(p session.BulkProgress) { waiting = max(waiting, p.Waiting) }}
				start := time.Now()
				at := map[string]time.Duration{}
				all := outcomes{}
				for r, err := range c.SendAll(t.Context(), input, opts) {
					if r.Key == "" {
						t.Fatal(err)
					}
					at[r.Key], all[r.Key] = time.Since(start), r
				}
				if at["2"] != 0 || at["3"] != 0 || waiting != 2 {
					t.Errorf("results came after %v, %d were waiting; want the others at once", at, waiting)
				}
				if r := all["0"]; r.Receipt.Outcome != session.Accepted || r.Tries != 2 || at["0"] < 2*time.Minute || at["0"] > 3*time.Minute {
					t.Errorf("the greylisted one after %v: %+v", at["0"], r)
				}
				if r := all["1"]; r.Receipt.Outcome != session.NotSent || r.Tries != 4 || at["1"] < 40*time.Second || at["1"] > 2*time.Minute {
					t.Errorf("the one that is never taken after %v: %+v", at["1"], r)
				}
				checkTruth(t, s, all, 4)
				s.Heal()
			})
		})
	}
}

// Only those who were refused for the moment get the message again.
func TestAgainToTheRest(t *testing.T) {
	for name, extensions := range offers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newServer(t, &smtptest.Options{Extensions: extensions})
				c := newClient(t, inMemory(s), withPassword(), &smtpx.Options{Retry: smtpx.Retry{Recipients: true}})
				s.Inject(mailtest.Reply("RCPT", "452 4.2.2 full").Containing(carol))
				e := session.Envelope{From: ann, To: []string{bob, carol, "nobody@example.com"}}
				m := circular(0)
				m.Envelope = e
				all, err := sendAll(t, c, slices.Values([]session.Mail{m}), nil)
				r := all["0"]
				if err != nil || r.Tries != 2 || r.Receipt.Outcome != session.Partial {
					t.Fatalf("SendAll = %+v, %v", all, err)
				}
				if rs := r.Receipt.Recipients; !rs[0].Accepted || !rs[1].Accepted || rs[2].Accepted || rs[2].Err == nil || rs[1].Err != nil {
					t.Errorf("recipients %+v", rs)
				}
				got := s.Messages()
				if len(got) != 2 || !slices.Equal(got[0].To, []string{bob}) || !slices.Equal(got[1].To, []string{carol}) {
					t.Errorf("the server has %+v", got)
				}
			})
		})
	}
}
