package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// first is a phase in which one test passes, one is skipped, one fails, one
// package does not build, and make says something in between.
const first = `== .: go test
{"Action":"start","Package":"m/a"}
{"Action":"run","Package":"m/a","Test":"TestGood"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"    a_test.go:7: data: ran 5 of 6 messages\n"}
{"Action":"output","Package":"m/a","Test":"TestGood","Output":"--- PASS: TestGood (0.00s)\n"}
{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestData","Output":"    a_test.go:9: DATA is not set\n"}
{"Action":"output","Package":"m/a","Test":"TestData","Output":"--- SKIP: TestData (0.00s)\n"}
{"Action":"skip","Package":"m/a","Test":"TestData","Elapsed":0}
{"Action":"pass","Package":"m/a","Elapsed":0.25}
{"Action":"output","Package":"m/b","Test":"TestBad","Output":"    b_test.go:3: got 1, want 2\n"}
{"Action":"fail","Package":"m/b","Test":"TestBad","Elapsed":0}
{"Action":"output","Package":"m/b","Output":"FAIL\n"}
{"Action":"fail","Package":"m/b","Elapsed":1.5}
{"ImportPath":"m/c","Action":"build-output","Output":"c.go:1:1: undefined: x\n"}
{"Action":"fail","Package":"m/c","Elapsed":0}
{"Action":"skip","Package":"m/d","Elapsed":0}
make: *** [Makefile:40: test] Error 1
`

// second is a phase that runs the skipped test, and the good one again.
const second = `{"Action":"pass","Package":"m/a","Test":"TestGood","Elapsed":0}
{"Action":"pass","Package":"m/a","Test":"TestData","Elapsed":0}
{"Action":"output","Package":"m/a","Test":"TestData/odd","Output":"    a_test.go:12: not on this system\n"}
{"Action":"skip","Package":"m/a","Test":"TestData/odd","Elapsed":0}
`

func TestFollowShowsPackagesAndFailures(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	if err := run(nil, strings.NewReader(first), &out); err != nil {
		t.Fatal(err)
	}
	want := `== .: go test
ok    m/a  0.2s
    b_test.go:3: got 1, want 2
FAIL
FAIL  m/b  1.5s
c.go:1:1: undefined: x
FAIL  m/c  0.0s
none  m/d
make: *** [Makefile:40: test] Error 1
secrets: searched 241 bytes in 9 lines, 0 of loggers and 0 of transcripts: no hit
`
	if out.String() != want {
		t.Errorf("follow printed:\n%s\nwant:\n%s", out.String(), want)
	}
}

func TestSummaryOfOnePhase(t *testing.T) {
	t.Parallel()
	want := `failed:
  m/b TestBad
  m/c
did not run:
  m/a TestData
      a_test.go:9: DATA is not set
ran of the data outside of the repository:
  m/a TestGood: ran 5 of 6 messages
tests: 1 passed, 2 failed, 1 skipped
`
	if got := summaryOf(t, first); got != want {
		t.Errorf("summary:\n%s\nwant:\n%s", got, want)
	}
}

func TestSummaryCountsATestOfTwoPhasesOnce(t *testing.T) {
	t.Parallel()
	want := `failed:
  m/b TestBad
  m/c
did not run:
  m/a TestData/odd
      a_test.go:12: not on this system
ran of the data outside of the repository:
  m/a TestGood: ran 5 of 6 messages
tests: 2 passed, 2 failed, 1 skipped
`
	for name, phases := range map[string][]string{
		"skipped first": {first, second},
		"skipped last":  {second, first},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := summaryOf(t, phases...); got != want {
				t.Errorf("summary:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestSummaryNamesTheFileItCannotRead(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "none.json")
	err := run([]string{missing}, strings.NewReader(""), &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("run of a missing file: %v, want an error that names it", err)
	}
}

// summaryOf returns what testsum says of streams.
func summaryOf(t *testing.T, streams ...string) string {
	t.Helper()
	var out strings.Builder
	if err := run(files(t, streams...), strings.NewReader(""), &out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// files writes each stream to a file.
func files(t *testing.T, streams ...string) []string {
	t.Helper()
	var names []string
	for _, stream := range streams {
		f, err := os.CreateTemp(t.TempDir(), "*.json")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteString(stream); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		names = append(names, f.Name())
	}
	return names
}
