// Package faulttable reads the tables that state what a client does about each
// fault of a server at each command, so that a test can hold the client to
// them and people can read them.
//
// A table is a text. Lines without indentation are prose, except those that end
// in a colon and begin a section: "Words:", "Faults:", "Cannot be:" or "Table:".
// The lines of the first three are a name and, after two spaces or more, what it
// stands for; deeper lines go on with the one before. There may be several
// sections "Table:", one below the other; each begins with a line of faults, and
// the others are a command and a word for each fault. Columns are parted by two
// spaces or more. A cell that begins with "-" is a case that cannot be, for the
// reason of that name.
package faulttable

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Table is what each command comes to under each fault.
type Table struct {
	// Commands and Faults are the rows and columns in their order.
	Commands, Faults []string

	words, faults, reasons map[string]string // what they stand for
	cells                  map[cell]string
}

type cell struct{ command, fault string }

// Parse reads a table. It fails unless every word, fault and reason of a cell is
// explained, every explanation is used, and there is a word for each command
// under each fault.
func Parse(text string) (*Table, error) {
	t := &Table{
		words: map[string]string{}, faults: map[string]string{}, reasons: map[string]string{},
		cells: map[cell]string{},
	}
	p := reader{table: t}
	for i, line := range strings.Split(text, "\n") {
		if err := p.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	return t, t.check()
}

// Cell returns the word for a command under a fault; can is false where the
// case cannot be.
func (t *Table) Cell(command, fault string) (word string, can bool) {
	word = t.cells[cell{command, fault}]
	return word, !strings.HasPrefix(word, "-")
}

// Is returns an error unless the table is about these commands and faults, in
// this order.
func (t *Table) Is(commands, faults []string) error {
	var wrong []error
	if !slices.Equal(t.Commands, commands) {
		wrong = append(wrong, fmt.Errorf("the table is about the commands %q, the test about %q", t.Commands, commands))
	}
	if !slices.Equal(t.Faults, faults) {
		wrong = append(wrong, fmt.Errorf("the table is about the faults %q, the test about %q", t.Faults, faults))
	}
	return errors.Join(wrong...)
}

// Compare returns an error unless what a client has said is what the rows are
// about: each command of a row, and no other.
func Compare(rows []string, said map[string]bool) error {
	var wrong []error
	stated := map[string]bool{}
	for _, name := range rows {
		if !stated[name] && !said[name] {
			wrong = append(wrong, fmt.Errorf("the client did not say %s", name))
		}
		stated[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !stated[name] {
			wrong = append(wrong, fmt.Errorf("the client says %s, for which the table has no row", name))
		}
	}
	return errors.Join(wrong...)
}

// reader is the state of reading.
type reader struct {
	table   *Table
	legend  map[string]string // of the section, nil in a table and in prose
	inTable bool
	columns []string // of the table, nil before its first line
}

func (p *reader) line(line string) error {
	text := strings.TrimSpace(line)
	switch {
	case text == "":
		return nil
	case text == line:
		p.begin(text)
		return nil
	case p.inTable:
		return p.row(split(text))
	case p.legend != nil && !strings.HasPrefix(line, "   "):
		return p.explain(split(text))
	}
	return nil
}

// begin begins a section, or prose.
func (p *reader) begin(title string) {
	sections := map[string]map[string]string{
		"Words:": p.table.words, "Faults:": p.table.faults, "Cannot be:": p.table.reasons,
	}
	p.legend, p.inTable, p.columns = sections[title], title == "Table:", nil
}

// split parts a line at two spaces and more.
func split(text string) []string {
	fields := strings.Split(text, "  ")
	fields = slices.DeleteFunc(fields, func(f string) bool { return strings.TrimSpace(f) == "" })
	for i := range fields {
		fields[i] = strings.TrimSpace(fields[i])
	}
	return fields
}

func (p *reader) explain(fields []string) error {
	if len(fields) < 2 {
		return fmt.Errorf("%q is not explained", fields[0])
	}
	if _, twice := p.legend[fields[0]]; twice {
		return fmt.Errorf("%q is explained twice", fields[0])
	}
	p.legend[fields[0]] = strings.Join(fields[1:], " ")
	return nil
}

func (p *reader) row(fields []string) error {
	t := p.table
	if p.columns == nil {
		p.columns = fields
		t.Faults = append(t.Faults, fields...)
		return nil
	}
	if len(fields) != len(p.columns)+1 {
		return fmt.Errorf("%s has %d words for %d faults", fields[0], len(fields)-1, len(p.columns))
	}
	if !slices.Contains(t.Commands, fields[0]) {
		t.Commands = append(t.Commands, fields[0])
	}
	for i, fault := range p.columns {
		at := cell{fields[0], fault}
		if _, twice := t.cells[at]; twice {
			return fmt.Errorf("%s under %s is stated twice", fields[0], fault)
		}
		t.cells[at] = fields[i+1]
	}
	return nil
}

// check finds what is not explained, not used or not stated.
func (t *Table) check() error {
	used := map[string]bool{}
	for _, command := range t.Commands {
		for _, fault := range t.Faults {
			word, can := t.Cell(command, fault)
			legend := t.words
			if !can {
				legend = t.reasons
			}
			switch _, explained := legend[word]; {
			case word == "":
				return fmt.Errorf("%s under %s is not stated", command, fault)
			case !explained:
				return fmt.Errorf("%s under %s: the word %q is not explained", command, fault, word)
			}
			used[word] = true
		}
	}
	for _, fault := range t.Faults {
		if t.faults[fault] == "" {
			return fmt.Errorf("the fault %q is not explained", fault)
		}
		used[fault] = true
	}
	for _, legend := range []map[string]string{t.words, t.reasons, t.faults} {
		for _, name := range slices.Sorted(maps.Keys(legend)) {
			if !used[name] {
				return fmt.Errorf("%q is explained and does not occur", name)
			}
		}
	}
	return nil
}
