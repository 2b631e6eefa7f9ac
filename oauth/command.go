package oauth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/retry"
	"github.com/mailsession/mailsession/secret"
)

const (
	// maxOutput is the longest output of a command that is read.
	maxOutput = 1 << 20
	// maxComplaint is how much of its standard error is looked at.
	maxComplaint = 4 << 10
	// exitTempFail is the status of a program that failed for a passing reason
	// (EX_TEMPFAIL of sysexits.h).
	exitTempFail = 75
	// commandGrace is how long output is waited for after a program has ended
	// or was killed: a child of its may hold it open.
	commandGrace = time.Second
)

// FromCommand takes tokens from the output of a program: a JSON object as for
// FromURL, or a token alone on one line. The program is run directly, without a
// shell, and is found as [os/exec.LookPath] does. In an argument "{resource}"
// stands for the resource. It has this program's environment and an empty
// input, and is killed when two minutes are over.
//
// An exit status of 75 (EX_TEMPFAIL) is a temporary failure, any other but 0 is
// not. The last line of what the program says on its standard error is part of
// the error, without what looks like a secret; its arguments never are, though
// other users of the machine may see them in the list of processes.
func FromCommand(program string, args ...string) Supplier {
	name := filepath.Base(program)
	return Supplier{
		name: "the command " + name,
		supply: func(ctx context.Context, _ *Config, resource string) (*Token, error) {
			words := make([]string, len(args))
			for i, arg := range args {
				words[i] = strings.ReplaceAll(arg, resourceMark, resource)
			}
			return fromCommand(ctx, program, words)
		},
	}
}

// fromCommand runs a program once.
func fromCommand(ctx context.Context, program string, args []string) (*Token, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, complaint := &output{most: maxOutput, full: cancel}, &output{most: maxComplaint}
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // G204: the program is the caller's choice, and there is no shell.
	cmd.Stdout, cmd.Stderr = out, complaint
	cmd.WaitDelay = commandGrace
	name := filepath.Base(program)
	err := cmd.Run()
	if out.over {
		return nil, commandError(KindProtocol, name, fmt.Errorf("its output is longer than %d bytes", maxOutput))
	}
	if err != nil && !errors.Is(err, exec.ErrWaitDelay) {
		return nil, commandFailure(ctx, name, err, out, complaint)
	}
	var tok *Token
	if text := bytes.TrimSpace(out.text.Bytes()); bytes.HasPrefix(text, []byte("{")) {
		tok, err = parseSupplied(text, time.Now())
	} else {
		tok, err = parsePlain(text, time.Now())
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e
	}
	if err != nil {
		return nil, commandError(KindProtocol, name, err)
	}
	return tok, nil
}

// commandError says what went wrong with a program.
func commandError(kind Kind, name string, err error) *Error {
	return &Error{Kind: kind, Op: "get a token", Err: fmt.Errorf("the command %s: %w", name, err)}
}

// commandFailure says why a program gave no token.
func commandFailure(ctx context.Context, name string, err error, out, complaint *output) *Error {
	exit, ended := errors.AsType[*exec.ExitError](err)
	if e, ok := errors.AsType[*exec.Error](err); ok {
		err = e.Err // Its own text may be the whole path.
	}
	switch {
	case ctx.Err() != nil:
		return commandError(KindTemporary, name, fmt.Errorf("it was stopped: %w", retry.Ended(ctx)))
	case !ended:
		return commandError(KindClientConfig, name, fmt.Errorf("it cannot be run: %w", err))
	}
	kind := KindUnknown
	if exit.ExitCode() == exitTempFail {
		kind = KindTemporary
	}
	// What is on the way to this program must not be in its messages.
	secrets := []secret.Text{secret.New(strings.TrimSpace(out.text.String()))}
	tok, err := parseSupplied(out.text.Bytes(), time.Now())
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	if tok != nil {
		secrets = append(secrets, tok.AccessToken)
	}
	said := complaint.lastLine(secrets...)
	if said == "" {
		return commandError(kind, name, fmt.Errorf("it failed with status %d", exit.ExitCode()))
	}
	return commandError(kind, name, fmt.Errorf("it failed with status %d: %s", exit.ExitCode(), said))
}

// output is a buffer that takes no more than so much. It drops the rest, so
// that the program is not held up.
type output struct {
	text bytes.Buffer
	most int
	over bool
	full func() // called at the end of the room, may be nil
}

// Write implements [io.Writer].
func (o *output) Write(p []byte) (int, error) {
	room := o.most - o.text.Len()
	if len(p) > room {
		o.over = true
		o.text.Write(p[:room])
		if o.full != nil {
			o.full()
		}
		return len(p), nil
	}
	return o.text.Write(p)
}

// secretWord matches a word that a secret follows, and all after it.
var secretWord = regexp.MustCompile(`(?i)(passw(or)?d|pwd|passphrase|secret|token|bearer|authorization|cookie|credential|api[-_ ]?key|private[-_ ]?key|assertion|code)s?["']?\s*[:= ].*`)

// lastLine returns the last line that is not empty, without what may be secret:
// what follows a word that announces a secret, what looks like a token, and the
// given texts.
func (o *output) lastLine(secrets ...secret.Text) string {
	text := strings.TrimSpace(strings.ToValidUTF8(o.text.String(), ""))
	text = text[strings.LastIndexByte(text, '\n')+1:]
	text = clean(text, secrets...)
	return secretWord.ReplaceAllString(text, "$1 "+secret.Redacted)
}
