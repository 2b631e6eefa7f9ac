package grantstory

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/mailsession/mailsession/oauth"
	"github.com/mailsession/mailsession/secret"
	"github.com/mailsession/mailsession/state"
)

// childVariable holds what a child is told: a task as JSON.
const childVariable = "GRANTSTORY_CHILD"

// task is what a child knows. The client is a public one.
type task struct {
	ClientID string
	Endpoint oauth.Endpoint
	Scopes   []string
	Folder   string // of the Store
	Leases   bool   // whether the Store has no locks
	Point    string // where the child is killed, "" for nowhere
}

// Main runs the tests of a TestMain, or, in a child, the child's work. It
// returns the code to exit with.
func Main(m *testing.M) int {
	text, isChild := os.LookupEnv(childVariable)
	if !isChild {
		return m.Run()
	}
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := t.serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// serve asks for a token for each line of in, like a program that starts, and
// answers in a line: the token behind "token ", or what went wrong.
func (k *task) serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		token, err := k.token()
		var said string
		if err == nil {
			said = tokenMark + token.AccessToken.Reveal()
		} else {
			said = strings.ReplaceAll(err.Error(), "\n", " ")
		}
		if _, err := fmt.Fprintln(out, said); err != nil {
			return err
		}
	}
	return lines.Err()
}

// tokenMark is what a child says before a token.
const tokenMark = "token "

// token opens the grant and returns a token of it.
func (k *task) token() (*oauth.Token, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return k.tokenIn(ctx)
}

// tokenIn is token within the time of a context.
func (k *task) tokenIn(ctx context.Context) (*oauth.Token, error) {
	// Connections that are kept for later would hold up a test's virtual time.
	transport := &http.Transport{DisableKeepAlives: true}
	cfg := &oauth.Config{
		ClientID: k.ClientID, Endpoint: k.Endpoint, Scopes: k.Scopes,
		HTTPClient: &http.Client{Transport: dyingTransport{transport, k.Point}},
	}
	store, err := k.store()
	if err != nil {
		return nil, err
	}
	grant, err := oauth.Open(ctx, cfg, oauth.Keep{Store: store, Key: key})
	if err != nil {
		return nil, err
	}
	return grant.For("").Token(ctx)
}

// store opens the Store as the task has it.
func (k *task) store() (state.Store, error) {
	dir, err := state.OpenDir(k.Folder)
	if err != nil {
		return nil, err
	}
	d := &dying{Store: dir, point: k.Point}
	if k.Leases {
		return d, nil
	}
	return struct {
		*dying
		state.Locker
	}{d, dir}, nil
}

// child is a process that asks for tokens.
type child struct {
	cmd       *exec.Cmd
	in        io.WriteCloser
	out       *bufio.Reader
	complaint *strings.Builder
}

// start starts a child. It ends with its standard input, and the test's context.
func (k *task) start(t *testing.T) *child {
	t.Helper()
	text, err := json.Marshal(k)
	if err != nil {
		t.Fatalf("Marshal: %v", err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatalf("Executable: %v", err)
	}
	c := &child{cmd: exec.CommandContext(t.Context(), self), complaint: &strings.Builder{}} //nolint:gosec // G204: it is this very program.
	c.cmd.Env = append(os.Environ(), childVariable+"="+string(text), "GORACE=atexit_sleep_ms=0")
	c.cmd.Stderr = c.complaint
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatalf("StdinPipe: %v", err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatalf("StdoutPipe: %v", err)
	}
	c.out = bufio.NewReader(out)
	if err := c.cmd.Start(); err != nil {
		t.Fatalf("start a child: %v", err)
	}
	return c
}

// token has the child ask for a token.
func (c *child) token() (secret.Text, error) {
	if _, err := fmt.Fprintln(c.in, "next"); err != nil {
		return secret.Text{}, err
	}
	line, err := c.out.ReadString('\n')
	if err != nil {
		return secret.Text{}, err
	}
	token, ok := strings.CutPrefix(strings.TrimSpace(line), tokenMark)
	if !ok {
		return secret.Text{}, fmt.Errorf("the child said: %s", strings.TrimSpace(line))
	}
	return secret.New(token), nil
}

// end lets the child end and returns how it did.
func (c *child) end() error {
	_ = c.in.Close() // A child that is dead has closed it already.
	if err := c.cmd.Wait(); err != nil {
		return fmt.Errorf("%w: %s", err, c.complaint.String())
	}
	return nil
}
