package main

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/leak"
)

// output returns the event of something that a test prints.
func output(t *testing.T, text string) string {
	t.Helper()
	line, err := json.Marshal(event{Action: "output", Package: "m/a", Test: "TestLoud", Output: text})
	if err != nil {
		t.Fatal(err)
	}
	return string(line) + "\n"
}

// TestALeakFailsTheRun plants secrets in what is printed, in the ways in which
// they could get there.
func TestALeakFailsTheRun(t *testing.T) {
	t.Parallel()
	token := "rt-" + rand.Text()
	const password = "pä ss" + leak.Marker
	inBase64 := base64.StdEncoding.EncodeToString([]byte("user=ann\x01auth=Bearer " + token + "\x01\x01"))
	for name, tt := range map[string]struct{ stream, want string }{
		"plain": {
			output(t, "quiet\n") + output(t, "    level=DEBUG msg=\"asked again\" err=\"no "+token+"\"\n"),
			`m/a TestLoud: random token, line 2 of its output (level=DEBUG msg="asked again")`,
		},
		"base64": {
			output(t, "    C: a1 AUTHENTICATE XOAUTH2 "+inBase64+"\n"),
			"m/a TestLoud: random token in base64, line 1 of its output (a transcript)",
		},
		"URL encoding": {
			output(t, "    a_test.go:7: got p="+url.QueryEscape("?>"+base64.StdEncoding.EncodeToString([]byte("?>"+password)))+"\n"),
			"m/a TestLoud: password or other fixed secret in base64 in URL encoding, line 1 of its output (a_test.go:7)",
		},
		"escapes": {
			output(t, strings.ReplaceAll(fmt.Sprintf("{\"p\":%q}\n", password), "ors", `\u006f\u0072\u0073`)),
			"m/a TestLoud: password or other fixed secret in string escapes, line 1 of its output",
		},
		"the message of a logger": {
			output(t, "    level=INFO msg="+token+"\n"),
			"m/a TestLoud: random token, line 1 of its output",
		},
		"two events of one line": {
			output(t, "    err="+token[:9]) + output(t, token[9:]+"\n"),
			"m/a TestLoud: random token, line 1 of its output",
		},
		"events of two tests in between": {
			output(t, token[:9]) + strings.Replace(output(t, "x\n"), "TestLoud", "TestOther", 1) + output(t, token[9:]+"\n"),
			"m/a TestLoud: random token, line 1 of its output",
		},
		"no end of the line": {output(t, token), "m/a TestLoud: random token, line 1 of its output"},
		"a very long line": {
			output(t, strings.Repeat("x ", maxLine/2)+token[:9]) + output(t, token[9:]+"\n"),
			"m/a TestLoud: random token, line 1 of its output",
		},
		"a panic":   {output(t, "panic: horse\n") + output(t, "panic: horse\n"), "m/a TestLoud: password or other fixed secret, line 1 of its output and 1 more"},
		"no test":   {"make: " + token + "\n", "outside of tests: random token, line 1 of its output"},
		"a build":   {`{"ImportPath":"m/c","Action":"build-output","Output":"c.go:1:1: ` + token + `\n"}` + "\n", "m/c: random token, line 1 of its output"},
		"a package": {`{"Action":"output","Package":"m/b","Output":"` + token + `\n"}` + "\n", "m/b: random token, line 1 of its output"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out strings.Builder
			if err := run(nil, strings.NewReader(tt.stream), &out); !errors.Is(err, errLeak) {
				t.Errorf("follow: %v, want %v", err, errLeak)
			}
			_, report, found := strings.Cut(out.String(), "leaked: ")
			if !found || !strings.Contains("leaked: "+report, "leaked: "+tt.want+"\n") {
				t.Fatalf("follow said:\n%s\nwant the leak: %s", out.String(), tt.want)
			}
			if strings.Contains(report, token) || strings.Contains(report, leak.Marker) {
				t.Errorf("follow prints the secret again:\n%s", report)
			}
		})
	}
}

func TestTheSearchCountsWhatItSaw(t *testing.T) {
	t.Parallel()
	stream := output(t, "    level=DEBUG msg=refreshed\n") + output(t, "    time=2000-01-01T00:00:00Z level=INFO msg=\"a b\"\n") +
		output(t, "    C: a1 NOOP\n") + output(t, "    S: a1 OK\n") + output(t, "--- PASS\n") + "== .: go test\n"
	var out strings.Builder
	if err := run(nil, strings.NewReader(stream), &out); err != nil {
		t.Fatal(err)
	}
	want := "secrets: searched 132 bytes in 6 lines, 2 of loggers and 2 of transcripts: no hit\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("follow:\n%s\nwant the line:\n%s", out.String(), want)
	}
}
