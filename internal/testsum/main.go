// Testsum makes the JSON that `go test -json` writes readable, for runs of many
// modules and phases whose outcome has to fit on one screen.
//
// Without arguments it reads the stream on standard input and prints a line for
// each package, the whole output of each test that failed, and every line that
// is not JSON as it came. It searches all that was printed for the secrets of the
// tests, and fails where one is found, which is named by package, test, kind and
// place, and not printed. With files as arguments, each holding such a stream,
// it prints what the phases have to say together: which tests were skipped and
// why, which failed, and last a line of the form
//
//	tests: 120 passed, 0 failed, 3 skipped
//
// A test that several phases ran is counted once: it failed if it failed
// anywhere, and is skipped only if no phase ran it.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
)

func main() {
	if err := run(os.Args[1:], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testsum:", err)
		os.Exit(1)
	}
}

// errLeak says that a secret was printed; where is in the report.
var errLeak = errors.New("the output holds secrets of the tests")

// run follows the stream where no files are named, and sums up the files otherwise.
func run(files []string, stdin io.Reader, stdout io.Writer) error {
	if len(files) == 0 {
		found := newSearch()
		if err := follow(stdin, stdout, found); err != nil {
			return err
		}
		return found.print(stdout)
	}
	sum := newSummary()
	for _, name := range files {
		if err := addFile(sum, name); err != nil {
			return err
		}
	}
	return sum.print(stdout)
}

func addFile(sum *summary, name string) error {
	f, err := os.Open(name) //nolint:gosec // G304: reading the files it is given is the program's purpose.
	if err != nil {
		return err
	}
	defer f.Close()
	if err := events(f, sum.add, func(string) error { return nil }); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
