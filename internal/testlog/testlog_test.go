package testlog_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/testlog"
)

// A spy is a test whose output and end are looked at.
type spy struct {
	testing.TB

	out  strings.Builder
	ends []func()
}

func (s *spy) Helper()           {}
func (s *spy) Output() io.Writer { return &s.out }
func (s *spy) Cleanup(f func())  { s.ends = append(s.ends, f) }

func TestEverythingIsWrittenDownUntilTheTestEnds(t *testing.T) {
	t.Parallel()
	s := &spy{TB: t}
	w := testlog.New(s)
	testlog.Logger(w).Debug("asked", "host", "a.example")
	_, end := testlog.NewObserver(w).Start(t.Context(), "refresh")
	end(errors.New("no"))
	_, end = testlog.NewObserver(w).Start(t.Context(), "read")
	end(nil)
	for _, f := range s.ends {
		f()
	}
	testlog.Logger(w).Info("too late")

	want := `level=DEBUG msg=asked host=a.example
level=DEBUG msg=begins op=refresh
level=DEBUG msg=ends op=refresh v=no plus=no sharp="&errors.errorString{s:\"no\"}"
level=DEBUG msg=begins op=read
level=DEBUG msg=ends op=read
`
	if got := s.out.String(); got != want {
		t.Errorf("the test's output:\n%s\nwant:\n%s", got, want)
	}
}

func TestALongLogEnds(t *testing.T) {
	t.Parallel()
	s := &spy{TB: t}
	w := testlog.New(s)
	line := strings.Repeat("x", 1023) + "\n"
	for range 100 {
		if n, err := io.WriteString(w, line); n != len(line) || err != nil {
			t.Fatalf("Write = %d, %v, want %d, nil", n, err, len(line))
		}
	}
	want := strings.Repeat(line, 64) + "the log ends here: it is too long\n"
	if got := s.out.String(); got != want {
		t.Errorf("%d bytes of output, want %d", len(got), len(want))
	}
}

// TestLateGoroutinesMayWrite would panic if the writer did not stop: a test
// that is over takes no output.
func TestLateGoroutinesMayWrite(t *testing.T) {
	var w io.Writer
	t.Run("over", func(t *testing.T) { w = testlog.New(t) })
	if _, err := fmt.Fprintln(w, "late"); err != nil {
		t.Errorf("Write after the end: %v, want nil", err)
	}
}
