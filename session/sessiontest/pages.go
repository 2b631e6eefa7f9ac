package sessiontest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/mailsession/mailsession/session"
)

// pageRules are about Query.After.
func pageRules() []incomingRule {
	return []incomingRule{
		{"pages follow each other, whatever comes and goes between them", pages},
		{"a page goes on behind a message that is gone, or says that it cannot", pageBehindGone},
		{"a page does not go on behind a message of elsewhere", pageOfElsewhere},
	}
}

// pages lists the inbox page by page, each from another process: a message that
// was told goes and one comes meanwhile.
func pages(ctx context.Context, r *reading) {
	r.seed(many)
	if got := r.pageByPage(ctx, session.Query{Limit: 7}, many+1); got != sequence(many, 1) {
		r.Errorf("the pages, newest first, have %s, want %s", got, sequence(many, 1))
	}
	// The first page took sample 25 away, which was told, and put 26 there.
	want := strings.ReplaceAll(sequence(1, many+2), " 25", "")
	if got := r.pageByPage(ctx, session.Query{Limit: 7, OldestFirst: true}, many+2); got != want {
		r.Errorf("the pages, oldest first, have %s, want %s", got, want)
	}
	filtered := session.Query{Limit: 2, Where: session.Filter{AnyOf: []session.Filter{{Subject: "Sample 7"}, {Subject: "Sample 9"}, {Subject: "Sample 12"}}}}
	if got := r.pageByPage(ctx, filtered, 0); got != "12 9 7" {
		r.Errorf("the pages of a filter have %s, want 12 9 7", got)
	}
}

// pageByPage lists until a page is empty. After the first, the message that it
// told first goes, and the sample with the number comes, if there is one.
func (r *reading) pageByPage(ctx context.Context, q session.Query, comes int) string {
	r.Helper()
	var told []string
	for range 2 * many {
		page := r.list(ctx, q)
		if len(page) == 0 {
			break
		}
		told = append(told, numbers(page))
		q.After = page[len(page)-1].ID
		if comes > 0 {
			r.removeSample(numberOf(r.kept(inbox)[0].Raw), number(page[0]))
			r.put(inbox, Stored{Raw: sample(comes), Received: arrival(comes)})
			comes = 0
		}
		text, err := json.Marshal(q)
		if err != nil {
			r.Fatal(err)
		}
		q = session.Query{}
		if err := json.Unmarshal(text, &q); err != nil {
			r.Fatalf("the query %s does not read back: %v", text, err)
		}
		r.renew()
	}
	return strings.Join(told, " ")
}

// removeSample takes a message away, unless it is the first of the mailbox.
func (r *reading) removeSample(first, name string) {
	r.Helper()
	for i, m := range r.kept(inbox) {
		if numberOf(m.Raw) != name || name == first {
			continue
		}
		if err := r.Mailbox.Remove(inbox, i+1); err != nil {
			r.Fatal(err)
		}
		return
	}
}

func pageBehindGone(ctx context.Context, r *reading) {
	r.seed(5)
	after := idsOf(r.oldest(ctx))[2]
	if err := r.Mailbox.Remove(inbox, 3); err != nil {
		r.Fatal(err)
	}
	facts := r.facts(ctx)
	for _, oldest := range []bool{false, true} {
		q := session.Query{After: after, OldestFirst: oldest}
		got, err := collect(ctx, r.in, q)
		want := "2 1"
		if oldest {
			want = "4 5"
		}
		switch {
		case !facts.AfterGone && !errors.Is(err, session.ErrNoMessage):
			r.Errorf("Messages(%v) = %s, %v; want ErrNoMessage", q, numbers(got), err)
		case facts.AfterGone && (err != nil || numbers(got) != want):
			r.Errorf("Messages(%v) = %s, %v; want %s", q, numbers(got), err, want)
		}
	}
}

func pageOfElsewhere(ctx context.Context, r *reading) {
	r.seed(3)
	own, err := r.first(ctx, session.Query{}).ID.Parts()
	if err != nil {
		r.Fatal(err)
	}
	mailbox, backend, folder := own, own, own
	mailbox.Mailbox = session.Fingerprint("mail.example.net:993", "somebody.else@example.net")
	backend.Backend += "x"
	folder.Folder += "x"
	for _, tt := range []struct {
		what  string
		after session.IDParts
		want  error
	}{
		{"another mailbox", mailbox, session.ErrOtherMailbox},
		{"another protocol", backend, session.ErrOtherMailbox},
		{"another folder", folder, session.ErrOtherFolder},
	} {
		if got, err := collect(ctx, r.in, session.Query{After: session.NewID(tt.after)}); !errors.Is(err, tt.want) {
			r.Errorf("Messages behind one of %s = %s, %v; want %v", tt.what, numbers(got), err, tt.want)
		}
	}
	if err := r.Mailbox.Renumber(inbox); err != nil {
		// A real server may not let its inbox be renumbered; that ids are void
		// then is a rule of its own.
		return
	}
	if got, err := collect(ctx, r.in, session.Query{After: session.NewID(own)}); !errors.Is(err, r.renumbered()) {
		r.Errorf("Messages behind one from before the server renumbered = %s, %v; want %v", numbers(got), err, r.renumbered())
	}
}
