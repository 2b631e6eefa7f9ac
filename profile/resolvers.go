package profile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/userfile"
	"github.com/mailsession/mailsession/secret"
)

const (
	// maxValue is the largest value of a reference that is read, in bytes.
	maxValue = 1 << 20
	// commandTime is how long a program may take.
	commandTime = 2 * time.Minute
	// commandGrace is how long output is waited for after a program has ended or
	// was killed: a child of its may hold it open.
	commandGrace = time.Second
)

// Env is the resolver of "env:". A variable that is not set is an error; one that
// is empty is empty.
func Env(_ context.Context, name string) (secret.Text, error) {
	value, ok := os.LookupEnv(name)
	if !ok {
		return secret.Text{}, errors.New("the variable is not set")
	}
	return secret.New(value), nil
}

// Files is the resolver of "file:". It reads a regular file of at most 1 MiB; "~/"
// is the user's home.
func Files(_ context.Context, path string) (secret.Text, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return secret.Text{}, errors.New("this user's home is not known")
		}
		path = filepath.Join(home, rest)
	}
	return readFile(path)
}

// Systemd is the resolver of "systemd:": a credential of the service that the
// program is, the file of that name in $CREDENTIALS_DIRECTORY.
func Systemd(_ context.Context, name string) (secret.Text, error) {
	path, err := userfile.Credential(name)
	if err != nil {
		return secret.Text{}, err
	}
	return readFile(path)
}

// readFile reads a file. Its errors do not name it, since the reference does.
func readFile(path string) (secret.Text, error) {
	value, err := userfile.Read(path, maxValue)
	return secret.New(string(value)), err
}

// Commands is the resolver of "cmd:". It runs a program directly, without a
// shell, and gives what the program writes to its standard output. Arguments are
// divided at spaces; quotes, single or double, hold one together. The program has
// this program's environment and an empty input, and is killed when two minutes
// are over.
//
// What the program says on its standard error is not part of the error: it might
// be secret.
func Commands(ctx context.Context, line string) (secret.Text, error) {
	words, err := commandWords(line)
	if err != nil {
		return secret.Text{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	out := &limited{full: cancel}
	cmd := exec.CommandContext(ctx, words[0], words[1:]...) //nolint:gosec // G204: the program has allowed it, and there is no shell.
	cmd.Stdout = out
	cmd.WaitDelay = commandGrace
	err = cmd.Run()
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case out.over:
		return secret.Text{}, fmt.Errorf("its output is larger than %d KiB", maxValue>>10)
	case ctx.Err() != nil:
		return secret.Text{}, fmt.Errorf("the program was stopped: %w", context.Cause(ctx))
	case failed:
		return secret.Text{}, fmt.Errorf("the program failed with status %d", exit.ExitCode())
	case err != nil && !errors.Is(err, exec.ErrWaitDelay):
		return secret.Text{}, fmt.Errorf("the program cannot be run: %w", err)
	}
	return secret.New(out.text.String()), nil
}

// limited is an output of at most maxValue bytes.
type limited struct {
	text bytes.Buffer
	over bool
	full func()
}

// Write implements [io.Writer].
func (l *limited) Write(p []byte) (int, error) {
	if l.text.Len()+len(p) > maxValue {
		l.over = true
		l.full()
		return len(p), nil
	}
	return l.text.Write(p)
}

// commandWords divides a line at spaces that are not within quotes.
func commandWords(line string) ([]string, error) {
	var words []string
	var word strings.Builder
	quote, inside := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, inside = r, true
		case quote == 0 && r == ' ':
			if inside {
				words = append(words, word.String())
				word.Reset()
			}
			inside = false
		default:
			word.WriteRune(r)
			inside = true
		}
	}
	if inside {
		words = append(words, word.String())
	}
	switch {
	case quote != 0:
		return nil, errors.New("a quote is not closed")
	case len(words) == 0:
		return nil, errors.New("no program is named")
	}
	return words, nil
}
