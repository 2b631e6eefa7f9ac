package pop3test

import (
	"strings"
	"testing"

	"github.com/mailsession/mailsession/mailtest"
)

func TestParseCommand(t *testing.T) {
	for line, want := range map[string]string{
		"QUIT": "QUIT|", "retr 1": "RETR|1", "Top 1 10": "TOP|1 10", "UTF8": "UTF8|", "PASS two  words ": "PASS|two  words ",
		"USER änn": "USER|änn",
	} {
		keyword, args, ok := parseCommand(line)
		if got := keyword + "|" + args; !ok || got != want {
			t.Errorf("parseCommand(%q) = %q, %v, want %q", line, got, ok, want)
		}
	}
	for _, line := range []string{
		"", " ", "QUIT ", " QUIT", "NO", "QUITS", "QU-T", "ÄÖ", "PASS a\tb", "PASS a\x00b", "USER a\rSTAT", "RETR\x7f 1",
	} {
		if keyword, args, ok := parseCommand(line); ok {
			t.Errorf("parseCommand(%q) = %q %q, want it refused", line, keyword, args)
		}
	}
}

func TestParseNumber(t *testing.T) {
	for s, want := range map[string]int{"0": 0, "1": 1, "007": 7, "999999999": 999999999} {
		if got, ok := parseNumber(s); !ok || got != want {
			t.Errorf("parseNumber(%q) = %d, %v, want %d", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "+1", "-1", "1 ", " 1", "1.0", "0x1", "٣", "1000000000"} {
		if got, ok := parseNumber(s); ok {
			t.Errorf("parseNumber(%q) = %d, want it refused", s, got)
		}
	}
}

func TestHeadOfAMessage(t *testing.T) {
	for _, tt := range []struct {
		raw   string
		lines int
		want  string
	}{
		{"A: b\r\n\r\none\r\ntwo\r\n", 0, "A: b\r\n\r\n"},
		{"A: b\r\n\r\none\r\ntwo\r\n", 1, "A: b\r\n\r\none\r\n"},
		{"A: b\r\n\r\none\r\ntwo", 9, "A: b\r\n\r\none\r\ntwo"},
		{"A: b\n\none\ntwo\n", 1, "A: b\n\none\n"},
		{"A: b", 3, "A: b"},
		{"\r\nbody", 0, "\r\n"},
		{"", 5, ""},
	} {
		if got := head(tt.raw, tt.lines); got != tt.want {
			t.Errorf("head(%q, %d) = %q, want %q", tt.raw, tt.lines, got, tt.want)
		}
	}
}

// What is taken as a command is one clean line, and written out again it is
// the same command. What is recorded of it holds no secret.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"PASS correct horse", "apop ann c4c9334bac560ecc979e58001b3e22fb", "AUTH PLAIN AGFubg==", "auth c2VjcmV0",
		"RETR 1", "TOP 1 0", "\x00", "USER a\r\nDELE 1", "QUIT ", "UTF8",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		keyword, args, ok := parseCommand(line)
		if !ok {
			return
		}
		if strings.ContainsAny(args, "\r\n\x00") || keyword != strings.ToUpper(line[:len(keyword)]) {
			t.Fatalf("%q was taken as %q %q", line, keyword, args)
		}
		whole := strings.TrimSuffix(keyword+" "+args, " ")
		if again, a, ok := parseCommand(whole); args != "" && !strings.HasSuffix(args, " ") && (!ok || again != keyword || a != args) {
			t.Errorf("%q is %q %q, and then %q %q, %v", line, keyword, args, again, a, ok)
		}
		_, hidden, _ := strings.Cut(args, " ")
		shown := record(keyword, args)
		switch {
		case keyword == "PASS" && args != "" && shown != "PASS [redacted]",
			(keyword == "APOP" || keyword == "AUTH") && len(hidden) > len("[redacted]") && strings.HasSuffix(shown, hidden):
			t.Errorf("%q is recorded as %q", line, shown)
		case keyword != "PASS" && keyword != "APOP" && keyword != "AUTH" && shown != whole:
			t.Errorf("%q is recorded as %q, want all of it", line, shown)
		}
	})
}

// A client that takes the dots of the protocol away gets the message back, and
// nothing in it ends the answer early.
func FuzzBody(f *testing.F) {
	for _, s := range []string{"", ".", "..", ".\r\n.\r\n..\r\n", "a\n.\nb", "a\r.\rb", "\r\n.\r", "a\r\n\r\n.", "\x00\xff\r\n.\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var sent strings.Builder
		if err := writeBody(&sent, raw); err != nil {
			t.Fatal(err)
		}
		body, ended := strings.CutSuffix(sent.String(), ".\r\n")
		if early := strings.HasPrefix(body, ".\r\n") || strings.Contains(body, "\r\n.\r\n"); !ended || early {
			t.Fatalf("%q is sent as %q", raw, sent.String())
		}
		var got strings.Builder
		for i, line := range strings.Split(body, "\r\n") {
			if i > 0 {
				got.WriteString("\r\n")
			}
			got.WriteString(strings.TrimPrefix(line, "."))
		}
		want := raw
		if raw != "" && !strings.HasSuffix(raw, "\r\n") {
			want += "\r\n"
		}
		if got.String() != want || got.Len() != wireSize(raw) {
			t.Errorf("%q is read as %q, want %q", raw, got.String(), want)
		}
	})
}

// Options that come from a function are the caller's own.
func TestProvidersShareNothing(t *testing.T) {
	ExchangeOptions().Capabilities[0] = "X"
	GmailOptions(Keep).Capabilities[0] = "X"
	DefaultCapabilities()[0] = "X"
	if a, b, c := ExchangeOptions().Capabilities[0], GmailOptions(Keep).Capabilities[0], DefaultCapabilities()[0]; a == "X" || b == "X" || c == "X" {
		t.Errorf("capabilities %q, %q and %q after a change to others", a, b, c)
	}
	o := &Options{}
	New(mailtest.New(), o)
	if o.Capabilities != nil || o.Idle != 0 {
		t.Error("New changed the caller's options")
	}
}
