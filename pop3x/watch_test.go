package pop3x_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/pop3test"
	"github.com/mailsession/mailsession/pop3x"
	"github.com/mailsession/mailsession/session"
	"github.com/mailsession/mailsession/state"
)

// TestWaitForFindsWhatIsThereAndWhatComes: a code that is there already, and one
// that comes ten minutes later.
func TestWaitForFindsWhatIsThereAndWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil, nil)
		m, err := w.client.WaitFor(t.Context(), session.Query{Where: session.Filter{Subject: "Sample 2"}}, nil)
		if err != nil || m.Header.Subject() != "Sample 2" {
			t.Fatalf("WaitFor = %v, %v, want what is there", m, err)
		}
		go func() {
			pass(10 * time.Minute)
			w.put(mailtest.Sample(7))
			w.put(mailtest.Sample(8))
		}()
		start := time.Now()
		m, err = w.client.WaitFor(t.Context(), session.Query{Where: session.Filter{Subject: "Sample 8"}}, &pop3x.WatchOptions{Interval: 40 * time.Second})
		if err != nil || m.Header.Subject() != "Sample 8" {
			t.Fatalf("WaitFor = %v, %v, want what comes", m, err)
		}
		if took := time.Since(start); took < 10*time.Minute || took > 10*time.Minute+40*time.Second {
			t.Errorf("WaitFor took %v, want the next look after 10 minutes", took)
		}
	})
}

func TestWaitForEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, nil, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		m, err := w.client.WaitFor(ctx, session.Query{Where: session.Filter{Subject: "never"}}, nil)
		if m != nil || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Hour {
			t.Errorf("WaitFor = %v, %v after %v, want the context's error after an hour", m, err, time.Since(start))
		}
	})
}

// TestWatchTellsWhatComesOnce: over an hour with trouble on the line and a locked
// maildrop, every message that comes is told once.
func TestWatchTellsWhatComesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 3, nil, &pop3x.Options{LockWait: -1})
		go func() {
			for n := 4; n <= 20; n++ {
				pass(97 * time.Second)
				w.put(mailtest.Sample(n))
				switch n % 3 {
				case 0:
					w.server.Inject(mailtest.Drop("UIDL", 20))
				case 1:
					w.server.Inject(mailtest.Reply("AUTH", "-ERR [IN-USE] another session"))
				}
			}
		}()
		var told []string
		for m, err := range w.client.Watch(t.Context(), session.Query{}, nil) {
			if err != nil {
				t.Fatalf("Watch: %v", err)
			}
			if told = append(told, strings.TrimPrefix(m.Header.Subject(), "Sample ")); len(told) == 17 {
				break
			}
		}
		if got, want := strings.Join(told, " "), "4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"; got != want {
			t.Errorf("Watch told %s, want %s", got, want)
		}
	})
}

// TestWatchGoesOnWhereItEnded: with a Store, a later program tells what came
// while nobody watched, and what the former was handed last.
func TestWatchGoesOnWhereItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := state.NewMemory()
		w := newWorld(t, 2, nil, nil)
		watch := func(until string) (told []string) {
			c := w.connect(withPassword(), &pop3x.Options{Store: store})
			defer func() { _ = c.Close() }()
			for m, err := range c.Watch(t.Context(), session.Query{}, nil) {
				if err != nil {
					t.Fatalf("Watch: %v", err)
				}
				if told = append(told, m.Header.Subject()); m.Header.Subject() == until {
					break
				}
			}
			return told
		}
		go func() {
			pass(90 * time.Second)
			w.put(mailtest.Sample(3))
			w.put(mailtest.Sample(4))
		}()
		if got, want := strings.Join(watch("Sample 4"), ", "), "Sample 3, Sample 4"; got != want {
			t.Errorf("Watch told %s, want %s", got, want)
		}
		w.put(mailtest.Sample(5))
		if got, want := strings.Join(watch("Sample 5"), ", "), "Sample 4, Sample 5"; got != want {
			t.Errorf("a later Watch told %s, want %s", got, want)
		}
	})
}

// TestWatchKeepsToTheServersDelay: no sign-in comes sooner than the server wants.
func TestWatchKeepsToTheServersDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1, &pop3test.Options{
			LoginDelay: 5 * time.Minute, Capabilities: append(pop3test.DefaultCapabilities(), "LOGIN-DELAY"),
		}, nil)
		ctx, cancel := context.WithTimeout(t.Context(), 59*time.Minute)
		defer cancel()
		for _, err := range w.client.Watch(ctx, session.Query{}, &pop3x.WatchOptions{Interval: time.Second}) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Watch: %v", err)
			}
		}
		if made, _ := w.server.Connections(); made != 12 {
			t.Errorf("%d sign-ins in an hour, want 12", made)
		}
	})
}

func TestAWatchThatIsRefusedEnds(t *testing.T) {
	w := newWorld(t, 1, nil, nil)
	creds := withPassword()
	creds.Password = password()
	w.server.Inject(mailtest.Refuse("AUTH"))
	for m, err := range w.client.Watch(t.Context(), session.Query{}, nil) {
		if !session.NeedsSignIn(err) {
			t.Fatalf("Watch = %v, %v, want an AuthError", m, err)
		}
	}
}
