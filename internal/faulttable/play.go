package faulttable

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/mailsession/mailsession/mailtest"
)

// Where a client's package has its table and the files of the test that plays it,
// and where the vocabulary of faults is.
const (
	tableFile  = "testdata/faults.txt"
	testFiles  = "faulttable*_test.go"
	vocabulary = "../mailtest/fault.go"
)

// Play holds a client to the table of its package, testdata/faults.txt.
type Play struct {
	// Rows are the commands, in the table's order.
	Rows []Row
	// Faults are the columns, in the table's order.
	Faults []string
	// Unused are the functions of package mailtest that return a fault and that the
	// files of the test do not call, since no column needs them; in the order of the
	// alphabet.
	Unused []string
	// Cases returns the cases of a row and a column, given by their numbers. All of
	// them come to the same word.
	Cases func(row, column int) []Case
}

// Row is a command of a table.
type Row struct {
	Name    string // in the table
	Command string // as fake servers call it
}

// Case is one form of a fault at a command.
type Case struct {
	Name string
	// Play plays it, in virtual time. It returns the word for what it came to, and
	// what the server heard.
	Play func(t *testing.T) (word string, heard []mailtest.Command)
}

// Run plays the whole table. Besides what it comes to, the table has to be about
// all that the client says and all that a fake server can do wrong.
func (p Play) Run(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.check(table); err != nil {
		t.Error(err)
	}
	said := map[string]bool{mailtest.Greeting: true, mailtest.Handshake: true} // which a client does not say
	for i, row := range p.Rows {
		for j, fault := range p.Faults {
			want, can := table.Cell(row.Name, fault)
			if !can {
				continue
			}
			for _, c := range p.Cases(i, j) {
				t.Run(fmt.Sprintf("%s/%s/%s", row.Name, fault, c.Name), func(t *testing.T) { c.play(t, want, said) })
			}
		}
	}
	if err := Compare(p.commands(), said); err != nil {
		t.Error(err)
	}
}

// play plays one case and takes note of what the client said.
func (c Case) play(t *testing.T, want string, said map[string]bool) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		got, heard := c.Play(t)
		if got != want {
			t.Errorf("it comes to %q, the table says %q", got, want)
		}
		for _, command := range heard {
			said[command.Name] = true
		}
	})
}

// check returns an error unless the table has the rows and columns of the test,
// and the columns are all that a fake server can do wrong.
func (p Play) check(table *Table) error {
	var names []string
	for _, row := range p.Rows {
		names = append(names, row.Name)
	}
	files, err := filepath.Glob(testFiles)
	if err != nil {
		return err
	}
	unused, err := Unused(vocabulary, "Fault", "mailtest", files...)
	if err == nil && !slices.Equal(unused, p.Unused) {
		err = fmt.Errorf("the faults %q are in no column, want only %q to be in none", unused, p.Unused)
	}
	return errors.Join(table.Is(names, p.Faults), err)
}

func (p Play) commands() []string {
	var all []string
	for _, row := range p.Rows {
		all = append(all, row.Command)
	}
	return all
}
