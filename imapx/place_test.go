package imapx

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// TestPlaces: a place comes back from its text as it was.
func TestPlaces(t *testing.T) {
	for _, p := range []place{
		{keeps: keepsNothing},
		{
			keeps: keepsNothing, last: math.MaxUint32, next: 7, count: 3,
			spans:  []span{{last: 9, modSeq: math.MaxUint64}, {last: math.MaxUint32}},
			passed: uidRanges{{1, 1}, {5, math.MaxUint32}},
		},
		{keeps: keepsMessages, last: 90, count: 89, spans: []span{{90, 1}}, known: []run{{uidRange{1, 40}, 0}, {uidRange{42, 90}, 0}}},
		{
			keeps: keepsFlags, last: 5, count: 4, spans: []span{{5, 0}}, known: []run{{uidRange{1, 2}, 0}, {uidRange{3, 3}, 1}, {uidRange{5, 5}, 0}},
			flags: dictionary{keys: []string{"", `$work \seen`}, index: map[string]int{"": 0, `$work \seen`: 1}},
		},
	} {
		got, err := parsePlace(p.String())
		if err != nil || !reflect.DeepEqual(*got, p) {
			t.Errorf("%+v comes back as %+v, %v", p, got, err)
		}
	}
}

// TestAPlaceIsShort: a hundred thousand messages, most of them read, take few
// bytes.
func TestAPlaceIsShort(t *testing.T) {
	p := place{keeps: keepsFlags, last: 100_000, spans: []span{{100_000, 0}}}
	read, unread := p.flags.number(session.Flags{session.Seen}), p.flags.number(nil)
	p.known = []run{{uidRange{1, 50_000}, read}, {uidRange{50_001, 50_001}, unread}, {uidRange{50_003, 100_000}, read}}
	if n := len(p.String()); n > 60 {
		t.Errorf("%d bytes, want at most 60", n)
	}
}

func FuzzPlace(f *testing.F) {
	p := place{keeps: keepsMessages, last: 9, spans: []span{{9, 4}}, known: []run{{uidRange{1, 9}, 0}}}
	f.Add(p.String())
	f.Add("dgEBAQEBAQA")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePlace(text)
		if err != nil {
			return
		}
		again, err := parsePlace(p.String())
		if err != nil || again.String() != p.String() || again.last != p.last || !slices.Equal(again.spans, p.spans) {
			t.Errorf("%q is %+v, and comes back as %+v, %v", text, p, again, err)
		}
		for i := 1; i < len(p.known); i++ {
			if p.known[i].first <= p.known[i-1].last {
				t.Errorf("runs %v", p.known)
			}
		}
	})
}

func FuzzVanished(f *testing.F) {
	f.Add("* VANISHED (EARLIER) 300:310,405,411\r\nM1 OK done\r\n")
	f.Add("* VANISHED 5:1,1:3,4294967295\r\n* 1 FETCH (UID 9 FLAGS (\\Seen) MODSEQ (5))\r\nM1 OK\r\n")
	f.Add("* VANISHED (EARLIER) 1:*\r\n* VANISHED {3}\r\n1:2\r\nM1 NO\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := connected(t, text)
		c.resyncs = true
		within := uidRange{2, 1000}
		got, _ := c.since(within, 4, sharedFlags{})
		for i, r := range got.gone {
			if r.first > r.last || r.first < within.first || r.last > within.last || i > 0 && uint64(got.gone[i-1].last)+1 >= uint64(r.first) {
				t.Errorf("ranges %v within %v", got.gone, within)
			}
		}
		for i, x := range got.changed {
			if x.uid < within.first || x.uid > within.last || i > 0 && x.uid <= got.changed[i-1].uid {
				t.Errorf("messages %v within %v", got.changed, within)
			}
		}
	})
}

// TestRanges compares sets of numbers with sets of numbers.
func TestRanges(t *testing.T) {
	chance := rand.New(rand.NewPCG(3, 4)) //nolint:gosec // the same each time
	some := func() (rs uidRanges, set map[uint32]bool) {
		var raw [][2]uint32
		set = map[uint32]bool{}
		for range chance.IntN(5) {
			first := uint32(1 + chance.IntN(30))   //nolint:gosec // small
			last := first + uint32(chance.IntN(5)) //nolint:gosec // small
			raw = append(raw, [2]uint32{first, last})
			for n := first; n <= last; n++ {
				set[n] = true
			}
		}
		return rangesOf(raw...), set
	}
	for range 2000 {
		a, as := some()
		b, bs := some()
		for name, tt := range map[string]struct {
			got  uidRanges
			want func(n uint32) bool
		}{
			"as they are": {a, func(n uint32) bool { return as[n] }},
			"without":     {a.without(b), func(n uint32) bool { return as[n] && !bs[n] }},
			"union":       {a.union(b), func(n uint32) bool { return as[n] || bs[n] }},
			"within":      {a.within(uidRange{5, 12}), func(n uint32) bool { return as[n] && n >= 5 && n <= 12 }},
		} {
			var count uint64
			for n := range uint32(40) {
				if tt.got.has(n) != tt.want(n) {
					t.Fatalf("%s of %v and %v: %v has %d: %t", name, a, b, tt.got, n, tt.got.has(n))
				}
				if tt.want(n) {
					count++
				}
			}
			if tt.got.count() != count {
				t.Fatalf("%s of %v and %v: %v counts %d, want %d", name, a, b, tt.got, tt.got.count(), count)
			}
		}
	}
	edge := uidRanges{{1, math.MaxUint32}}
	if got := fmt.Sprint(edge.without(uidRanges{{2, math.MaxUint32}}), edge.count()); got != "[1] 4294967295" {
		t.Errorf("at the edge: %s", got)
	}
}
