package sessiontest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/session"
)

// What happens in a day of watching: something every so often, and the line is
// lost every few minutes.
const (
	dayLength     = 22 * time.Hour
	dayDeliveries = 1000
)

// watchDay has a mailbox change all day long.
func watchDay(ctx context.Context, r *reading) {
	if !r.watches(ctx) {
		return
	}
	d := day{r: r, facts: r.facts(ctx), chance: rand.New(rand.NewPCG(7, 11))} //nolint:gosec // the same day each time
	r.seed(5)
	w := r.watch(ctx, fromBeginning(), func(n int) {
		if n%97 == 0 && !r.realTime {
			d.r.pause(ctx, 3*time.Minute) // a slow loop
		}
	})
	w.heard(session.EventListening, 1)
	deliveries, length := dayDeliveries, dayLength
	switch {
	case r.realTime:
		deliveries = 60
	case r.brief:
		deliveries, length = deliveries/10, length/10
	}
	for n := range deliveries {
		d.step(ctx, n)
		if n%300 == 2 { // the line has been cut, and nothing happens after that
			w.settled(ctx, fmt.Sprintf("after %d messages", n+1), session.Inbox)
		}
		d.r.pause(ctx, length/time.Duration(deliveries))
	}
	r.line.refuse(false)
	d.r.pause(ctx, 10*time.Minute)
	r.put(inbox, Stored{Raw: sample(999)}) // on a line that is not lost after it
	w.settled(ctx, "after a day", session.Inbox)
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Logf("a day: %v", w.kinds)
}

type day struct {
	r      *reading
	facts  session.Facts
	chance *rand.Rand
	down   bool
}

// pause lets virtual time go by.
func (r *reading) pause(ctx context.Context, t time.Duration) {
	if !r.realTime {
		_ = retry.Sleep(ctx, t) // what follows sees that ctx has ended
	}
}

// step delivers a message, and mostly removes another one or changes one.
func (d *day) step(ctx context.Context, n int) {
	r := d.r
	r.Helper()
	r.put(inbox, Stored{Raw: sample(1000 + n)})
	if there := len(r.kept(inbox)); there > 3 && d.chance.IntN(10) < 9 {
		if err := r.Mailbox.Remove(inbox, 1+d.chance.IntN(there)); err != nil {
			r.Fatal(err)
		}
	}
	if n%3 == 0 && d.down {
		d.down = false
		r.line.refuse(false)
	}
	if n%3 == 1 && !d.facts.NoFlags && !d.down {
		d.flag(ctx)
	}
	if n%4 == 2 {
		r.line.cutAll()
	}
	if n%50 == 49 {
		d.down = true
		r.line.refuse(true)
		r.line.cutAll()
	}
}

// flag sets or takes away flags of some message.
func (d *day) flag(ctx context.Context) {
	r := d.r
	r.Helper()
	listed := r.list(ctx, session.Query{Limit: 10})
	if len(listed) == 0 {
		return
	}
	m := listed[d.chance.IntN(len(listed))]
	change := session.Change{Set: session.Flags{session.Flagged}}
	if m.Flags.Has(session.Flagged) {
		change = session.Change{Clear: session.Flags{session.Flagged}, Set: session.Flags{session.Seen}}
	}
	r.done(ctx, change, m.ID)
}
