package smtptest

import (
	"strconv"
	"strings"
	"testing"
)

func TestParsePath(t *testing.T) {
	for args, want := range map[string]string{
		"FROM:<ann@example.com>": "ann@example.com|",
		"from:<>":                "|",
		"From:<a.b+c@[192.0.2.1]> SIZE=1 BODY=7BIT": "a.b+c@[192.0.2.1]|SIZE=1 BODY=7BIT",
		`FROM:<"a >b\""@example.com>`:               `"a >b\""@example.com|`,
		"FROM:<Postmaster>":                         "Postmaster|",
		"FROM:<änn@bücher.example> SMTPUTF8":        "änn@bücher.example|SMTPUTF8",
	} {
		address, params, ok := parsePath(args, "FROM:")
		if got := address + "|" + params; !ok || got != want {
			t.Errorf("parsePath(%q) = %q, %v, want %q", args, got, ok, want)
		}
	}
	for _, args := range []string{
		"", "FROM", "FROM:", "FROM:a@b", "FROM: <a@b>", "FROM:<a@b", "FROM:<a@b>SIZE=1", "FROM:<a>", "FROM:<a@>",
		"FROM:<@b>", "FROM:<@x:a@b>", "FROM:<a..b@c>", "FROM:<a b@c>", "FROM:<a@b..c>", "FROM:<a@-b>", "FROM:<a@b c>",
		`FROM:<"a@b>`, `FROM:<"a"b@c>`, "FROM:<a@[]>", "TO:<a@b>", "FROM:<" + strings.Repeat("a", 300) + "@b>",
	} {
		if address, _, ok := parsePath(args, "FROM:"); ok {
			t.Errorf("parsePath(%q) = %q, want it refused", args, address)
		}
	}
}

func TestParseParams(t *testing.T) {
	for in, want := range map[string]int{"": 0, "SIZE=1": 1, "body=8bitmime SMTPUTF8": 2, "X-A=b": 1} {
		if got, ok := parseParams(in); !ok || len(got) != want {
			t.Errorf("parseParams(%q) = %v, %v, want %d of them", in, got, ok, want)
		}
	}
	for _, in := range []string{" ", "SIZE=", "A  B", "=1", "-A", "A=b=c", "Ä=1", "A "} {
		if got, ok := parseParams(in); ok {
			t.Errorf("parseParams(%q) = %v, want it refused", in, got)
		}
	}
}

// What the parser takes is one clean line, and what it found in it, written
// out again, is found again.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"MAIL FROM:<ann@example.com> SIZE=10 BODY=8BITMIME", `RCPT TO:<"a >\" b"@example.com> NOTIFY=NEVER`,
		"mail from:<>", "EHLO [127.0.0.1]", "BDAT 5 LAST", "\x00", "MAIL FROM:<a@b>\r\nDATA", "RCPT TO:<ü@ä.example>",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		verb, args, ok := parseCommand(line)
		if !ok {
			return
		}
		if strings.ContainsAny(verb+args, "\r\n\x00") || verb == "" {
			t.Fatalf("%q was taken as %q %q", line, verb, args)
		}
		address, params, ok := parsePath(args, "FROM:")
		if !ok {
			return
		}
		again, p, ok := parsePath(strings.TrimSuffix("FROM:<"+address+"> "+params, " "), "FROM:")
		if !ok || again != address || p != strings.TrimSuffix(params, " ") && p != params {
			t.Errorf("%q is %q %q, and then %q %q, %v", args, address, params, again, p, ok)
		}
		if quoteless := !strings.Contains(address, `"`); quoteless && strings.ContainsAny(address, "<> ") {
			t.Errorf("%q was taken as the address %q", args, address)
		}
		list, ok := parseParams(params)
		if !ok {
			return
		}
		var words []string
		for _, q := range list {
			w := q.name
			if q.hasValue {
				w += "=" + q.value
			}
			words = append(words, w)
		}
		if got := strings.Join(words, " "); !strings.EqualFold(got, params) {
			t.Errorf("parameters %q were read as %q", params, got)
		}
	})
}

// A chunk has a length that is not negative, and what was read can be written
// again.
func FuzzBDAT(f *testing.F) {
	for _, s := range []string{"5", "5 LAST", "0 last", "", "5 ", "5  LAST", "-1", "+1", "2147483648", "1 LAST LAST", "5 L", "0x1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, args string) {
		n, last, ok := parseBDAT(args)
		if !ok {
			return
		}
		want := strconv.Itoa(n)
		if last {
			want += " LAST"
		}
		if got := strings.ToUpper(args); n < 0 || strings.TrimLeft(got, "0") != strings.TrimLeft(want, "0") {
			t.Errorf("parseBDAT(%q) = %d, %v", args, n, last)
		}
	})
}

func TestParseBDAT(t *testing.T) {
	for args, want := range map[string]int{"0": 0, "5 LAST": 5, "2147483647 last": 1<<31 - 1} {
		if n, last, ok := parseBDAT(args); !ok || n != want || last != strings.Contains(args, " ") {
			t.Errorf("parseBDAT(%q) = %d, %v, %v, want %d", args, n, last, ok, want)
		}
	}
	for _, args := range []string{"", "5 ", "5  LAST", "-1", "+1", "2147483648", "1 LAST LAST", "5 L", "0x1", " 5"} {
		if n, _, ok := parseBDAT(args); ok {
			t.Errorf("parseBDAT(%q) = %d, want it refused", args, n)
		}
	}
}
