package sessiontest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mailsession/mailsession/mailtest"
	"github.com/mailsession/mailsession/session"
)

// filterRules are about the filters of a Query.
func filterRules() []incomingRule {
	return []incomingRule{
		{"each part of a filter finds what it says", eachPart},
		{"parts of a filter hold together, in all, any and not", combinedParts},
		{"what is compared here is what the server finds", localEqualsServer},
		{"since and before are exact instants", instants},
		{"a scan limit ends in a ScanLimitError, never in silence", scanLimits},
		{"what only another server knows is refused", foreignParts},
	}
}

// post is one of the messages that filters are tried on. What is found in it
// is written down in the tables, by hand: nothing here evaluates a filter.
type post struct {
	from, to, cc, subject string
	fields                string // further ones, whole lines
	content               string // Content-Type and what follows; plain text where there is none
	text                  string
	flags                 session.Flags
}

// posts returns the messages, of which the first is number 1.
func posts() []post {
	return []post{
		{from: "Ann <ann@example.com>", to: "bob@example.com", subject: "Lunch on Friday", text: "Pizza or pasta?", flags: session.Flags{session.Seen}},
		{from: "Bob <bob@example.com>", to: "ann@example.com", cc: "Carol <carol@example.net>", subject: "Re: Lunch on Friday", text: "Pasta, with basil.", flags: session.Flags{session.Seen, session.Answered}},
		{from: "=?utf-8?q?J=C3=BCrgen?= <j@example.org>", to: "ann@example.com", subject: "=?utf-8?b?R3LDvMOfZSBhdXMgS8O2bG4=?=", text: "Viele Gruesse", flags: session.Flags{session.Flagged}},
		{
			from: "list@lists.example.org", to: "all@example.com", subject: "Digest 7", fields: "List-Id: <news.lists.example.org>\n",
			text: "Nothing of note.",
		},
		{
			from: "carol@example.net", to: "ann@example.com", subject: "The contract", text: "",
			content: "Content-Type: multipart/mixed; boundary=b7\n\n--b7\nContent-Type: text/plain\n\nSee the enclosed zebra.\n" +
				"--b7\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=contract.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n--b7--\n",
			flags: session.Flags{session.Draft},
		},
		{
			from: "dave@example.com", to: "ann@example.com", subject: "hidden words", text: "",
			content: "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\nVGhlIG1lcmN1cnkgaXMgcmlzaW5nLg==\n", // The mercury is rising.
		},
		{from: "eve@example.com", to: "ann@example.com, carol@example.net", subject: "large one", text: strings.Repeat("0123456789 padding\n", 500), flags: session.Flags{session.Deleted}},
		{from: "Ann <ann@example.com>", to: "frank@example.com", cc: "bob@example.com", subject: "pasta recipe", text: "Boil water.", flags: session.Flags{session.Seen, session.Flagged}},
	}
}

// raw writes a message; its number is in the Message-ID.
func (p post) raw(n int) string {
	head := fmt.Sprintf("From: %s\nTo: %s\n", p.from, p.to)
	if p.cc != "" {
		head += "Cc: " + p.cc + "\n"
	}
	head += fmt.Sprintf("Subject: %s\nMessage-ID: <sample-%d@example.org>\nMIME-Version: 1.0\n%s", p.subject, n, p.fields)
	if p.content != "" {
		return mailtest.CRLF(head + p.content)
	}
	return mailtest.CRLF(head + "Content-Type: text/plain\n\n" + p.text + "\n")
}

// seedPosts puts the messages into the inbox, with their flags where the
// server keeps any, and with a keyword where it keeps those.
func (r *reading) seedPosts(facts session.Facts) {
	r.Helper()
	for i, p := range posts() {
		m := Stored{Raw: p.raw(i + 1), Received: arrival(i + 1)}
		if !facts.NoFlags {
			m.Flags = slices.Clone(p.flags)
		}
		if facts.Keywords && i == 3 {
			m.Flags = append(m.Flags, "$Work")
		}
		r.put(inbox, m)
	}
}

// search is a filter and the numbers of the messages that it finds.
type search struct {
	where session.Filter
	want  string
}

func not(f session.Filter) session.Filter       { return session.Filter{Not: &f} }
func anyOf(fs ...session.Filter) session.Filter { return session.Filter{AnyOf: fs} }
func allOf(fs ...session.Filter) session.Filter { return session.Filter{All: fs} }
func from(s string) session.Filter              { return session.Filter{From: s} }
func subject(s string) session.Filter           { return session.Filter{Subject: s} }
func header(name, value string) session.HeaderMatch {
	return session.HeaderMatch{Name: name, Value: value}
}

// textSearches are about what is written in messages, and their sizes.
func textSearches() []search {
	return []search{
		{session.Filter{}, "1 2 3 4 5 6 7 8"},
		{from("ann@example.com"), "1 8"},
		{from("ANN"), "1 8"},
		{from("Jürgen"), "3"},
		{from("nobody"), ""},
		{session.Filter{To: "bob@"}, "1"},
		{session.Filter{To: "carol@example.net"}, "7"},
		{session.Filter{Cc: "bob"}, "8"},
		{session.Filter{Cc: "carol"}, "2"},
		{session.Filter{Bcc: "ann"}, ""},
		{subject("lunch on friday"), "1 2"},
		{subject("Grüße aus"), "3"},
		{subject("pasta"), "8"},
		{session.Filter{Body: "pasta"}, "1 2"},
		{session.Filter{Body: "zebra"}, "5"},
		{session.Filter{Body: "mercury"}, "6"},
		{session.Filter{Text: "pasta"}, "1 2 8"},
		{session.Filter{Text: "mercury"}, "6"},
		{session.Filter{Header: header("List-Id", "")}, "4"},
		{session.Filter{Header: header("list-id", "news.")}, "4"},
		{session.Filter{Header: header("List-Id", "other")}, ""},
		{session.Filter{Larger: 5000}, "7"},
		{session.Filter{Smaller: 5000}, "1 2 3 4 5 6 8"},
		{session.Filter{HasAttachment: session.Yes}, "5"},
		{session.Filter{HasAttachment: session.No}, "1 2 3 4 6 7 8"},
		{session.Filter{Since: arrival(6)}, "6 7 8"},
		{session.Filter{Before: arrival(6)}, "1 2 3 4 5"},
	}
}

// flagSearches are about flags, named is false where a keyword is.
func flagSearches() []search {
	return []search{
		{session.Filter{Unread: session.Yes}, "3 4 5 6 7"},
		{session.Filter{Unread: session.No}, "1 2 8"},
		{session.Filter{Answered: session.Yes}, "2"},
		{session.Filter{Flagged: session.Yes}, "3 8"},
		{session.Filter{Flagged: session.No}, "1 2 4 5 6 7"},
		{session.Filter{Draft: session.Yes}, "5"},
		{session.Filter{Draft: session.No}, "1 2 3 4 6 7 8"},
		{session.Filter{Deleted: session.Yes}, "7"},
		{session.Filter{Deleted: session.No}, "1 2 3 4 5 6 8"},
	}
}

// combinations are filters of several parts.
func combinations() []search {
	return []search{
		{session.Filter{From: "ann", Subject: "pasta"}, "8"},
		{session.Filter{From: "ann", Body: "pasta", Since: arrival(1), Before: arrival(3)}, "1"},
		{allOf(from("ann"), subject("lunch")), "1"},
		{anyOf(from("ann"), from("bob@")), "1 2 8"},
		{anyOf(from("nobody"), subject("nothing")), ""},
		{not(from("ann")), "2 3 4 5 6 7"},
		{not(not(from("ann"))), "1 8"},
		{not(anyOf(from("ann"), subject("lunch"))), "3 4 5 6 7"},
		{not(allOf(from("ann"), subject("lunch"))), "2 3 4 5 6 7 8"},
		{not(session.Filter{From: "ann", Subject: "lunch"}), "2 3 4 5 6 7 8"},
		{anyOf(session.Filter{From: "ann", Subject: "pasta"}, session.Filter{Header: header("List-Id", "")}), "4 8"},
		{allOf(anyOf(from("ann"), from("bob@")), anyOf(subject("pasta"), session.Filter{Body: "basil"})), "2 8"},
		{session.Filter{From: "ann", Not: &session.Filter{Cc: "bob"}}, "1"},
		{session.Filter{From: "example", AnyOf: []session.Filter{subject("lunch"), subject("pasta")}, Not: &session.Filter{From: "bob"}}, "1 8"},
		{anyOf(session.Filter{HasAttachment: session.Yes}, from("ann")), "1 5 8"},
		{not(session.Filter{HasAttachment: session.Yes, From: "carol"}), "1 2 3 4 6 7 8"},
		{anyOf(session.Filter{Since: arrival(8)}, session.Filter{Before: arrival(2)}, session.Filter{Larger: 5000}), "1 7 8"},
		{not(session.Filter{Since: arrival(2), Before: arrival(8)}), "1 8"},
		{anyOf(not(session.Filter{Text: "a"}), not(session.Filter{Smaller: 5000})), "7"},
	}
}

// flagCombinations mix flags and text.
func flagCombinations() []search {
	return []search{
		{session.Filter{Unread: session.Yes, From: "example.com"}, "6 7"},
		{anyOf(session.Filter{Flagged: session.Yes}, from("bob@")), "2 3 8"},
		{not(session.Filter{Unread: session.Yes, HasAttachment: session.Yes}), "1 2 3 4 6 7 8"},
		{allOf(session.Filter{Unread: session.No}, not(session.Filter{Answered: session.Yes})), "1 8"},
	}
}

// searches returns searches, with those about flags where there are any.
func searches(facts session.Facts, plain, flags []search) []search {
	if facts.NoFlags {
		return plain
	}
	return slices.Concat(plain, flags)
}

// wantFound compares what a query finds.
func (r *reading) wantFound(ctx context.Context, q session.Query, want string) {
	r.Helper()
	q.OldestFirst = true
	got, err := collect(ctx, r.in, q)
	if err != nil || numbers(got) != want {
		r.Errorf("Messages(%v) = %s, %v; want %s", q.Where, numbers(got), err, want)
	}
}

func eachPart(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedPosts(facts)
	for _, s := range searches(facts, textSearches(), flagSearches()) {
		r.wantFound(ctx, session.Query{Where: s.where}, s.want)
	}
	ids := idsOf(r.oldest(ctx))
	r.wantFound(ctx, session.Query{Where: session.Filter{IDs: []session.ID{ids[6], ids[1]}}}, "2 7")
	if facts.Keywords {
		r.wantFound(ctx, session.Query{Where: session.Filter{Keyword: "$Work"}}, "4")
		r.wantFound(ctx, session.Query{Where: not(session.Filter{Keyword: "$Work"})}, "1 2 3 5 6 7 8")
	}
	if facts.NoFlags {
		for _, s := range flagSearches() {
			_, err := collect(ctx, r.in, session.Query{Where: s.where})
			wantUnsupported(r, fmt.Sprintf("Messages(%v)", s.where), err, "flag")
		}
	}
}

func combinedParts(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedPosts(facts)
	for _, s := range searches(facts, combinations(), flagCombinations()) {
		r.wantFound(ctx, session.Query{Where: s.where}, s.want)
		newest := strings.Fields(s.want)
		slices.Reverse(newest)
		for _, limit := range []int{1, 2} {
			got, err := collect(ctx, r.in, session.Query{Where: s.where, Limit: limit})
			if want := strings.Join(newest[:min(limit, len(newest))], " "); err != nil || numbers(got) != want {
				r.Errorf("Messages(%v, limit %d) = %s, %v; want %s", s.where, limit, numbers(got), err, want)
			}
		}
	}
}

// localEqualsServer asks each filter in three ways: as it is, of the server
// alone, and beside a part that has to be compared here wherever a server
// cannot look for attachments.
func localEqualsServer(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedPosts(facts)
	either := []session.Filter{{HasAttachment: session.Yes}, {HasAttachment: session.No}}
	plain, flags := slices.Concat(textSearches(), combinations()), slices.Concat(flagSearches(), flagCombinations())
	for _, s := range searches(facts, plain, flags) {
		got, err := collect(ctx, r.in, session.Query{Where: s.where, ServerOnly: true, OldestFirst: true})
		if err == nil && numbers(got) != s.want || err != nil && !errors.Is(err, errors.ErrUnsupported) {
			r.Errorf("Messages(%v) by the server alone = %s, %v; want %s, or an error that wraps errors.ErrUnsupported", s.where, numbers(got), err, s.want)
		}
		r.wantPlan(ctx, s.where, err)
		r.wantFound(ctx, session.Query{Where: allOf(s.where, anyOf(either...))}, s.want)
		r.wantFound(ctx, session.Query{Where: anyOf(s.where, allOf(either...))}, s.want)
	}
}

// wantPlan checks that the plan of a backend that can explain itself is what it
// does: where it would compare here, the server alone is not enough, and the plan
// of such a query says why. The reverse is not to be had, since a server may refuse
// what it says it can.
func (r *reading) wantPlan(ctx context.Context, where session.Filter, serverOnly error) {
	r.Helper()
	explainer, ok := session.As[session.Explainer](r.in)
	if !ok {
		return
	}
	plan, err := explainer.Explain(ctx, session.Query{Where: where})
	if err != nil || !plan.Local.IsZero() && serverOnly == nil || plan.Local.IsZero() != (len(plan.Why) == 0) {
		r.Errorf("Explain(%v) = %v, %v; by the server alone the error is %v", where, plan, err, serverOnly)
	}
	alone, err := explainer.Explain(ctx, session.Query{Where: where, ServerOnly: true})
	if err != nil || alone.Local.String() != plan.Local.String() {
		r.Errorf("Explain(%v) for the server alone = %v, %v; want what is left to compare as for any query: %v", where, alone, err, plan.Local)
	}
}

// instants looks for messages that came a second apart, around the midnight of
// several time zones.
func instants(ctx context.Context, r *reading) {
	var times []time.Time
	for _, midnight := range []time.Time{
		time.Date(2024, time.March, 1, 0, 0, 0, 0, time.UTC),
		time.Date(2024, time.March, 1, 0, 0, 0, 0, time.FixedZone("", -8*3600)),
		time.Date(2024, time.March, 1, 0, 0, 0, 0, time.FixedZone("", 5*3600+1800)),
	} {
		for _, d := range []time.Duration{-time.Second, 0, time.Second} {
			times = append(times, midnight.Add(d))
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	zones := []*time.Location{time.UTC, time.FixedZone("", -8*3600), time.FixedZone("", 5*3600+1800)}
	for i, t := range times {
		r.put(inbox, Stored{Raw: sample(i + 1), Received: t.In(zones[i%3])})
	}
	for i, t := range times {
		r.wantFound(ctx, session.Query{Where: session.Filter{Since: t}}, sequence(i+1, len(times)))
		r.wantFound(ctx, session.Query{Where: session.Filter{Since: t, Before: t.Add(time.Second)}}, sequence(i+1, i+1))
		if i > 0 {
			r.wantFound(ctx, session.Query{Where: session.Filter{Before: t}}, sequence(1, i))
			r.wantFound(ctx, session.Query{Where: not(session.Filter{Since: t})}, sequence(1, i))
		}
	}
}

func scanLimits(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedPosts(facts)
	for limit := 1; limit <= len(posts()); limit++ {
		q := session.Query{Where: session.Filter{HasAttachment: session.Yes}, ScanLimit: limit, OldestFirst: true}
		got, err := collect(ctx, r.in, q)
		e, reached := errors.AsType[*session.ScanLimitError](err)
		switch {
		case err == nil && numbers(got) != "5":
			r.Errorf("Messages with the scan limit %d = %s without an error, want 5", limit, numbers(got))
		case err != nil && (!reached || e.Limit != limit || limit >= len(posts())-1):
			r.Errorf("Messages with the scan limit %d = %s, %v; want a ScanLimitError, where a message is left to look at", limit, numbers(got), err)
		case reached && limit >= 5 && numbers(got) != "5", reached && limit < 4 && numbers(got) != "":
			r.Errorf("Messages with the scan limit %d = %s, %v; want what was found before it", limit, numbers(got), err)
		}
	}
}

// foreignParts: a part of a filter that this server cannot know is refused,
// and never taken for one that holds.
func foreignParts(ctx context.Context, r *reading) {
	facts := r.facts(ctx)
	r.seedPosts(facts)
	foreign := map[string]session.Filter{}
	if facts.Native == "" {
		foreign["native"] = session.Filter{Native: "has:userlabels"}
	}
	if !facts.Labels {
		foreign["label"] = session.Filter{Label: "Work"}
	}
	for name, where := range foreign {
		for _, f := range []session.Filter{where, not(where), anyOf(where, from("ann")), allOf(from("ann"), where)} {
			got, err := collect(ctx, r.in, session.Query{Where: f})
			if len(got) > 0 {
				r.Errorf("Messages(%v) = %s, want none before the refusal", f, numbers(got))
			}
			wantUnsupported(r, fmt.Sprintf("Messages(%v)", f), err, name)
		}
	}
}
