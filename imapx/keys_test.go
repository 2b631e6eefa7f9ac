package imapx

import (
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/session"
)

// TestSearchKeys states how filters are written for servers with Gmail's
// extensions.
func TestSearchKeys(t *testing.T) {
	c := &conn{caps: parseCapabilities("IMAP4rev1 X-GM-EXT-1")}
	for text, want := range map[string]string{
		`native:"older_than:1y has:drive"`:     `UID SEARCH X-GM-RAW "older_than:1y has:drive"`,
		"native:größer":                        `UID SEARCH CHARSET UTF-8 X-GM-RAW "größer"`,
		`label:"Büro & Heim" -label:a`:         `UID SEARCH X-GM-LABELS "B&APw-ro &- Heim" NOT X-GM-LABELS "a"`,
		`subject:"a \"b\" \\c"`:                `UID SEARCH SUBJECT "a \"b\" \\c"`,
		`keyword:\Answered -keyword:$Junk`:     "UID SEARCH ANSWERED NOT KEYWORD $Junk",
		"header:X-A=b larger:1K smaller:2K":    `UID SEARCH HEADER "X-A" "b" LARGER 1024 SMALLER 2048`,
		"-(from:a to:b)":                       `UID SEARCH OR NOT FROM "a" NOT TO "b"`,
		"{(from:a is:read) (is:draft) (cc:c)}": `UID SEARCH OR (FROM "a" SEEN) OR DRAFT CC "c"`,
		"-()":                                  "UID SEARCH NOT ALL",
	} {
		f, err := session.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := c.plan(session.Query{Where: f}, true)
		if err != nil || p.local != nil {
			t.Errorf("plan(%s): %v, the rest is %v, want none", text, err, p)
			continue
		}
		if got := shown(searchCommand(strings.Join(keys(p.Server, session.IDParts{}), " "))); got != want {
			t.Errorf("%s is asked as\n%s, want\n%s", text, got, want)
		}
	}
}

// TestDaysAreWide: the day that a server compares may be the one before or the
// one after the day in UTC.
func TestDaysAreWide(t *testing.T) {
	for text, want := range map[string]string{
		"since:2026-03-01T00:00:00Z":                                  "SINCE 28-Feb-2026",
		"since:2026-03-01T23:59:59Z":                                  "SINCE 28-Feb-2026",
		"before:2026-02-28T23:59:59Z":                                 "BEFORE 2-Mar-2026",
		"-before:2026-03-01":                                          "SINCE 28-Feb-2026",
		"since:2026-03-01T01:00:00+02:00 before:2026-03-01T00:00:01Z": "SINCE 27-Feb-2026 BEFORE 3-Mar-2026",
		"before:9999-12-31":                                           "", // a day that IMAP cannot write
	} {
		f, err := session.ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := (&conn{}).plan(session.Query{Where: f}, true)
		if err != nil || p.local == nil {
			t.Errorf("plan(%s) leaves nothing to compare here: %v", text, err)
			continue
		}
		if got := strings.Join(keys(p.Server, session.IDParts{}), " "); got != want {
			t.Errorf("%s is asked as %q, want %q", text, got, want)
		}
	}
}

// TestPieces: literals go along with the command only where the server says so.
func TestPieces(t *testing.T) {
	long := strings.Repeat("ü", 3000)
	for _, tt := range []struct {
		caps, words string
		want        []string
	}{
		{"LITERAL+", "A \x00ü\x00 B \x00öö\x00", []string{"A {2+}\r\nü B {4+}\r\nöö"}},
		{"LITERAL-", "A \x00ü\x00 B", []string{"A {2+}\r\nü B"}},
		{"LITERAL-", "A \x00" + long + "\x00", []string{"A {6000}", long}},
		{"IMAP4rev2", "A \x00ü\x00", []string{"A {2+}\r\nü"}},
		{"", "A \x00ü\x00 B \x00öö\x00 C", []string{"A {2}", "ü B {4}", "öö C"}},
		{"", "ALL", []string{"ALL"}},
	} {
		c := &conn{caps: parseCapabilities(tt.caps)}
		if got := c.pieces(tt.words); !slices.Equal(got, tt.want) {
			t.Errorf("with %s: %q, want %q", tt.caps, got, tt.want)
		}
	}
}

// TestSetsFitIntoLines: no number is lost or doubled, and each set is short.
func TestSetsFitIntoLines(t *testing.T) {
	for name, step := range map[string]uint32{"a run": 1, "scattered": 7} {
		var uids []uint32
		for i := range uint32(20_000) {
			uids = append(uids, 4_000_000_000+i*step)
		}
		var joined []uint32
		parts := sets(uids)
		for _, part := range parts {
			if n := len(formatSet(part)); n > maxSet {
				t.Errorf("%s: a set of %d bytes", name, n)
			}
			joined = append(joined, part...)
		}
		if !slices.Equal(joined, uids) || step == 1 && len(parts) != 1 {
			t.Errorf("%s: %d numbers in %d sets", name, len(joined), len(parts))
		}
	}
}
