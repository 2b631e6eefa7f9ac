package message_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/message"
)

func TestBaseSubjects(t *testing.T) {
	for _, test := range []struct{ subject, want string }{
		{"", ""},
		{"Hello", "Hello"},
		{"Re: Hello", "Hello"},
		{"RE: re:  Fwd:\tHello  you (fwd) (FWD)", "Hello you"},
		{"Re[2]: Hello", "Hello"},
		{"Re^3: Hello", "Hello"},
		{"[list] Re: [list] Hello", "Hello"},
		{"Re: [list]", "[list]"},
		{"[a] [b]", "[b]"},
		{"[Fwd: Re: Hello]", "Hello"},
		{"[fwd: [list] [Fwd: Hello (fwd)]]", "Hello"},
		{"[Fwd: Hello", "[Fwd: Hello"},
		{"AW: WG: Hallo", "Hallo"},
		{"SV: VS: Hej", "Hej"},
		{"TR : Bonjour", "Bonjour"},
		{"RV: RE: Hola", "Hola"},
		{"RIF: R: I: Ciao", "Ciao"},
		{"Odp: PD: Witam", "Witam"},
		{"回复：转发：你好", "你好"},
		{"YNT: İLT: Merhaba", "Merhaba"},
		{"Ref: 12", "Ref: 12"},
		{"Re-use: x", "Re-use: x"},
		{"10:30", "10:30"},
		{"Re: ", ""},
		{"Réunion: demain", "Réunion: demain"},
	} {
		if got := message.BaseSubject(test.subject); got != test.want {
			t.Errorf("BaseSubject(%q) = %q, want %q", test.subject, got, test.want)
		}
	}
}

// FuzzBaseSubject finds that a base subject has nothing more to take away.
func FuzzBaseSubject(f *testing.F) {
	f.Add("Re: [x] AW: [Fwd: y (fwd)] ")
	f.Add("Re[2] : [Fwd:[a]b]：")
	f.Fuzz(func(t *testing.T, subject string) {
		base := message.BaseSubject(subject)
		if again := message.BaseSubject(base); again != base {
			t.Errorf("BaseSubject(%q) = %q, whose base subject is %q", subject, base, again)
		}
		if got := message.BaseSubject("Re: " + subject); got != base {
			t.Errorf("BaseSubject of the answer to %q = %q, want %q", subject, got, base)
		}
	})
}

// entry returns an entry that was sent at that second, of "id refs... | subject".
func entry(second int, s string) message.ThreadEntry {
	ids, subject, _ := strings.Cut(s, "|")
	e := message.ThreadEntry{Subject: strings.TrimSpace(subject), Date: time.Unix(int64(second), 0)}
	for i, id := range strings.Fields(ids) {
		switch {
		case i > 0:
			e.References = append(e.References, id)
		case id != "-":
			e.ID = id
		}
	}
	return e
}

// outline writes threads as nested lists of indexes; "?" is a message that is
// missing.
func outline(threads []*message.Thread) string {
	all := make([]string, 0, len(threads))
	for _, th := range threads {
		s := "?"
		if th.Entry >= 0 {
			s = strconv.Itoa(th.Entry)
		}
		if len(th.Children) > 0 {
			s += "(" + outline(th.Children) + ")"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func TestConversationsArePutTogether(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries []string
		want    string
	}{
		{"nothing", nil, ""},
		{"an answer and one to it", []string{"a", "b a", "c a b", "d"}, "0(1(2)) 3"},
		{"answers come first", []string{"c a b", "b a", "a"}, "2(1(0))"},
		{"the middle is missing", []string{"a", "c a b"}, "0(1)"},
		{"the origin is missing", []string{"b a", "c a"}, "?(0 1)"},
		{"one answer to what is missing", []string{"b a x"}, "0"},
		{"several levels are missing", []string{"d a b c", "e a b"}, "?(0 1)"},
		{"a circle", []string{"a b", "b a"}, "1(0)"},
		{"a circle in what others say", []string{"x a b", "y b a"}, "?(0 1)"},
		{"oneself", []string{"a a"}, "0"},
		{"one identifier twice", []string{"a", "a", "b a"}, "0(2) 1"},
		{"no identifiers", []string{"-", "- a", "a"}, "0 2(1)"},
		{"one's own word counts", []string{"x a b c", "c a", "a", "b a"}, "2(1(0) 3)"},
		{"one's own word counts in another thread", []string{"x a b c", "c d", "d", "b"}, "2(1(0)) 3"},
		{"subjects", []string{"a | Hello", "b | Re: hello", "c | AW: Hello"}, "0(1 2)"},
		{"the answer is older", []string{"b | Re: Hello", "a | Hello"}, "1(0)"},
		{"two origins of one subject", []string{"a | Hello", "b | Hello", "c | Re: Hello"}, "?(0 1 2)"},
		{"two answers without their origin", []string{"a | Re: Hello", "b | Re: Hello"}, "?(0 1)"},
		{"a missing origin and a subject", []string{"a x | Re: Hello", "b x | Re: Hello", "c | Hello"}, "?(0 1 2)"},
		{"two missing origins and a subject", []string{"a x | Re: Hello", "b x | Re: Hello", "c y | Re: Hello", "d y | Re: Hello"}, "?(0 1 2 3)"},
		{"empty subjects", []string{"a | Re:", "b | Re:"}, "0 1"},
	} {
		entries := make([]message.ThreadEntry, 0, len(test.entries))
		for i, s := range test.entries {
			entries = append(entries, entry(i+1, s))
		}
		if got := outline(message.Threads(entries, nil)); got != test.want {
			t.Errorf("%s: Threads(%q) are %s, want %s", test.name, test.entries, got, test.want)
		}
	}
}

func TestSubjectsCanBeLeftApart(t *testing.T) {
	entries := []message.ThreadEntry{entry(1, "a | Invoice"), entry(2, "b | Invoice"), entry(3, "c a | Re: Invoice")}
	if got, want := outline(message.Threads(entries, &message.ThreadOptions{ReferencesOnly: true})), "0(2) 1"; got != want {
		t.Errorf("Threads() are %s, want %s", got, want)
	}
}

func TestThreadsAreSortedByDate(t *testing.T) {
	entries := []message.ThreadEntry{entry(9, "a"), entry(5, "b a"), entry(3, "c a"), entry(2, "d"), entry(1, "y x"), entry(4, "z x"), {ID: "undated"}}
	if got, want := outline(message.Threads(entries, nil)), "6 ?(4 5) 3 0(2 1)"; got != want {
		t.Errorf("Threads() are %s, want %s", got, want)
	}
}

// TestThreadsDoNotDependOnTheOrder shuffles a mailbox whose dates all differ.
func TestThreadsDoNotDependOnTheOrder(t *testing.T) {
	entries := mailbox(300)
	want := dates(entries, message.Threads(entries, nil))
	for seed := range uint64(5) {
		r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // G404: the same shuffle every time
		r.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		if got := dates(entries, message.Threads(entries, nil)); got != want {
			t.Fatalf("shuffled by %d the threads are\n%s\nwant\n%s", seed, got, want)
		}
	}
}

// dates writes threads as nested lists of the seconds of their messages.
func dates(entries []message.ThreadEntry, threads []*message.Thread) string {
	var b strings.Builder
	for _, th := range threads {
		b.WriteString(" ?")
		if th.Entry >= 0 {
			b.WriteString(strconv.FormatInt(entries[th.Entry].Date.Unix(), 10))
		}
		b.WriteString("(" + dates(entries, th.Children) + ")")
	}
	return b.String()
}

// mailbox makes a mailbox of threads of up to eight messages, some missing.
func mailbox(n int) []message.ThreadEntry {
	entries := make([]message.ThreadEntry, 0, n)
	for i := range n {
		e := message.ThreadEntry{ID: fmt.Sprintf("%d@example.com", i), Subject: fmt.Sprintf("Subject %d", i/8), Date: time.Unix(int64(i), 0)}
		for j := i - i%8; j < i; j += 1 + i%3 {
			e.References = append(e.References, fmt.Sprintf("%d@example.com", j))
			e.Subject = "Re: " + e.Subject
		}
		if i%11 != 0 {
			entries = append(entries, e)
		}
	}
	return entries
}

// checkThreads finds that every message is in one thread once.
func checkThreads(t *testing.T, entries []message.ThreadEntry, threads []*message.Thread) {
	t.Helper()
	seen := make([]int, len(entries))
	todo := slices.Clone(threads)
	for len(todo) > 0 {
		th := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], th.Children...)
		switch {
		case th.Entry >= 0:
			seen[th.Entry]++
		case len(th.Children) < 2 || !slices.Contains(threads, th):
			t.Errorf("a missing message holds %d threads together, or is inside of one", len(th.Children))
		}
	}
	for i, n := range seen {
		if n != 1 {
			t.Errorf("message %d is in threads %d times, want once", i, n)
		}
	}
}

// FuzzThreads finds that every message is in one thread once, whatever the
// references say.
func FuzzThreads(f *testing.F) {
	f.Add("a\nb a\nc b | Re: x\n- c | x\na\nd e f d")
	f.Add("a b c\nb c a\nc a b")
	f.Fuzz(func(t *testing.T, in string) {
		var entries []message.ThreadEntry
		for line := range strings.Lines(in) {
			entries = append(entries, entry(len(entries)%3, line))
		}
		checkThreads(t, entries, message.Threads(entries, nil))
		checkThreads(t, entries, message.Threads(entries, &message.ThreadOptions{ReferencesOnly: true}))
	})
}

// TestTheCorpusFallsIntoThreads puts all messages together.
func TestTheCorpusFallsIntoThreads(t *testing.T) {
	var entries []message.ThreadEntry
	add := func(_ string, data []byte) {
		m, err := message.Parse(bytes.NewReader(data), nil)
		if err == nil && m.Header.Has("From") {
			entries = append(entries, m.Header.ThreadEntry())
		}
	}
	eachFile(t, "testdata", add)
	eachFile(t, corpus(t), add)
	threads := message.Threads(entries, nil)
	checkThreads(t, entries, threads)
	t.Logf("%d messages in %d threads", len(entries), len(threads))
}

// shapes are mailboxes that cost some algorithms quadratic time.
func shapes(n int) map[string][]message.ThreadEntry {
	all := map[string][]message.ThreadEntry{"usual": mailbox(n)}
	long := make([]string, n)
	for i := range n {
		id := strconv.Itoa(i)
		long[i] = "x" + id
		chain := message.ThreadEntry{ID: id, References: []string{strconv.Itoa(i + 1)}}
		all["chain"] = append(all["chain"], chain)
		all["star"] = append(all["star"], message.ThreadEntry{ID: id, References: []string{"x", "y"}})
		all["same-subject"] = append(all["same-subject"], message.ThreadEntry{ID: id, Subject: "Invoice"})
		all["same-identifier"] = append(all["same-identifier"], message.ThreadEntry{ID: "x", References: []string{"x"}})
		all["missing-in-between"] = append(all["missing-in-between"], message.ThreadEntry{ID: id, References: []string{"y" + id, "x" + strconv.Itoa(n-1)}})
	}
	all["missing-in-between"][0].References = long
	return all
}

func TestOddMailboxesHoldTogether(t *testing.T) {
	for name, entries := range shapes(5000) {
		t.Run(name, func(t *testing.T) { checkThreads(t, entries, message.Threads(entries, nil)) })
	}
}

// BenchmarkThreads puts 100,000 messages together.
func BenchmarkThreads(b *testing.B) {
	for name, entries := range shapes(100_000) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(message.Threads(entries, nil)) == 0 {
					b.Fatal("no threads")
				}
			}
		})
	}
}
