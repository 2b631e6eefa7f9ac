package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// TestStory runs the whole program on its fake provider.
func TestStory(t *testing.T) {
	var out bytes.Buffer
	if err := run(t.Context(), nil, &out); err != nil {
		t.Fatalf("run: %v\n%s", err, out.String())
	}
	t.Log(out.String())
	rest := out.String()
	for _, want := range []string{
		`provider  a fake one runs`,
		`sign in   as ann@contoso\.example`,
		`folders   6`,
		`Archive +archive`,
		`send      a note to oneself: accepted`,
		`unread    3, newest first`,
		`ann@contoso\.example +A note to myself`,
		`Carla +Invoice n° 7`,
		`Bob +Lunch on Friday\?`,
		`answer    "Re: A note to myself": accepted`,
		`mark      answered and read: done`,
		`move      to the archive: done`,
		`arrived   "Re: A note to myself"`,
	} {
		at := regexp.MustCompile(want).FindStringIndex(rest)
		if at == nil {
			t.Fatalf("the report lacks %q in its place:\n%s", want, out.String())
		}
		rest = rest[at[1]:]
	}
	for line := range strings.Lines(out.String()) {
		if len(line) > 140 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
}

func TestMistakesAreExplained(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"-provider", "yahooo"}, `did you mean "yahoo"?`},
		{[]string{"-provider", "microsoft"}, "needs -client-id and -account"},
	} {
		var out bytes.Buffer
		err := run(t.Context(), tt.args, &out)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("run(%q) error %v, want %q", tt.args, err, tt.want)
		}
	}
}
