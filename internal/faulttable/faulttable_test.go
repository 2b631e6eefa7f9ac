package faulttable_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailsession/mailsession/internal/faulttable"
)

const small = `Whatever is said here is prose.

Words:
  ok    nothing is seen
  lost  the line is lost,
        and so is the rest

Faults:
  cut      the line is cut
  literal  of the wrong length

Cannot be:
  -a  there is none

Table:
             cut
  NOOP       lost
  UID FETCH  ok

Table:
             literal
  UID FETCH  lost
  NOOP       -a
`

func TestParse(t *testing.T) {
	table, err := faulttable.Parse(small)
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	if got, want := table.Commands, []string{"NOOP", "UID FETCH"}; !slices.Equal(got, want) {
		t.Errorf("Commands = %q, want %q", got, want)
	}
	if got, want := table.Faults, []string{"cut", "literal"}; !slices.Equal(got, want) {
		t.Errorf("Faults = %q, want %q", got, want)
	}
	for _, tt := range []struct {
		command, fault, word string
		can                  bool
	}{
		{"NOOP", "cut", "lost", true},
		{"NOOP", "literal", "-a", false},
		{"UID FETCH", "cut", "ok", true},
		{"UID FETCH", "literal", "lost", true},
	} {
		if word, can := table.Cell(tt.command, tt.fault); word != tt.word || can != tt.can {
			t.Errorf("Cell(%s, %s) = %q, %t, want %q, %t", tt.command, tt.fault, word, can, tt.word, tt.can)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tt := range []struct{ name, old, replacement, want string }{
		{"a word that is not explained", "  ok    nothing is seen\n", "", `UID FETCH under cut: the word "ok"`},
		{"an explanation without words", "  ok    nothing is seen\n", "  ok\n", `line 4: "ok" is not explained`},
		{"a word explained twice", "  ok    nothing", "  lost  twice\n  ok    nothing", "explained twice"},
		{"a word that does not occur", "  ok    nothing", "  odd   never\n  ok    nothing", `"odd" is explained and does not occur`},
		{"a reason that is not given", "  -a  there is none\n", "", `the word "-a" is not explained`},
		{"a fault that is not explained", "  literal  of the wrong length\n", "", `the fault "literal"`},
		{"a fault that does not occur", "  literal  of", "  odd  of\n  literal  of", `"odd" is explained and does not occur`},
		{"a cell too few", "  NOOP       lost\n", "  NOOP\n", "NOOP has 0 words for 1 faults"},
		{"a cell too many", "  NOOP       lost\n", "  NOOP       lost  ok\n", "NOOP has 2 words for 1 faults"},
		{"a cell stated twice", "  NOOP       lost\n", "  NOOP       lost\n  NOOP       ok\n", "NOOP under cut is stated twice"},
		{"a row that is missing", "  NOOP       -a\n", "", "NOOP under literal is not stated"},
	} {
		_, err := faulttable.Parse(strings.Replace(small, tt.old, tt.replacement, 1))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Parse of %s: %v, want an error with %q", tt.name, err, tt.want)
		}
	}
}

// TestATableIsHeldToItsTest: what the one has and the other lacks is named.
func TestATableIsHeldToItsTest(t *testing.T) {
	table := &faulttable.Table{Commands: []string{"EHLO", "MAIL"}, Faults: []string{"silence"}}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{table.Is([]string{"EHLO", "MAIL"}, []string{"silence"}), ""},
		{table.Is([]string{"MAIL", "EHLO"}, []string{"silence"}), `commands ["EHLO" "MAIL"], the test about ["MAIL" "EHLO"]`},
		{table.Is([]string{"EHLO", "MAIL"}, []string{"silence", "cut"}), `faults ["silence"], the test about ["silence" "cut"]`},
		{faulttable.Compare([]string{"EHLO", "MAIL", "MAIL"}, map[string]bool{"EHLO": true, "MAIL": true}), ""},
		{faulttable.Compare([]string{"EHLO", "MAIL"}, map[string]bool{"EHLO": true}), "did not say MAIL"},
		{faulttable.Compare([]string{"EHLO"}, map[string]bool{"EHLO": true, "VRFY": true}), "says VRFY, for which the table has no row"},
	} {
		if tt.want == "" && tt.err != nil || tt.want != "" && (tt.err == nil || !strings.Contains(tt.err.Error(), tt.want)) {
			t.Errorf("error %v, want %q", tt.err, tt.want)
		}
	}
}

// FuzzParse: a table that was read has a word for every case.
func FuzzParse(f *testing.F) {
	f.Add(small)
	f.Fuzz(func(t *testing.T, text string) {
		table, err := faulttable.Parse(text)
		if err != nil {
			return
		}
		for _, c := range table.Commands {
			for _, fault := range table.Faults {
				if word, can := table.Cell(c, fault); word == "" || can == (word[0] == '-') {
					t.Errorf("Cell(%q, %q) = %q, %t", c, fault, word, can)
				}
			}
		}
	})
}

func TestUnused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	vocabulary := write("fault.go", `package mail
type Fault struct{}
func Silence() Fault { return Fault{} }
func Cut() Fault     { return Fault{} }
func Drip() Fault    { return Fault{} }
func hidden() Fault  { return Fault{} }
func Other() int     { return 0 }
func (f Fault) Skipping() Fault { return f }
`)
	one := write("one_test.go", "package x\nvar a = mail.Cut()\nvar b = other.Silence()\n")
	two := write("two_test.go", "package x\nvar c = mail.Drip\n")
	got, err := faulttable.Unused(vocabulary, "Fault", "mail", one, two)
	if err != nil || !slices.Equal(got, []string{"Silence"}) {
		t.Errorf("Unused = %q, %v, want Silence", got, err)
	}
	if _, err := faulttable.Unused(vocabulary, "Fault", "mail", filepath.Join(dir, "none.go")); err == nil {
		t.Error("Unused without the file: no error")
	}
	if _, err := faulttable.Unused(filepath.Join(dir, "none.go"), "Fault", "mail"); err == nil {
		t.Error("Unused without the vocabulary: no error")
	}
}
