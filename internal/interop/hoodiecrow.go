package interop

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mailsession/mailsession/secret"
)

// hoodiecrowProgram is the server, from the folder of this package; tests run
// there.
const hoodiecrowProgram = "hoodiecrow/server.cjs"

// Hoodiecrow is a running set of IMAP servers: the npm package hoodiecrow-imap,
// which knows Gmail's labels and names of messages. Each server holds one empty
// mailbox of the same user.
type Hoodiecrow struct {
	// User signs in at all of them.
	User User
	// Addresses are the servers', as host:port. They speak plain text.
	Addresses []string

	dir     string
	running *process
	ending  ending
}

// StartHoodiecrow starts so many servers, each with a mailbox of its own. Where
// they do not start, the error holds what was printed. The caller calls
// [Hoodiecrow.Stop]; the context is for starting only.
func StartHoodiecrow(ctx context.Context, mailboxes int) (*Hoodiecrow, error) {
	for try := 1; ; try++ {
		h, err := startHoodiecrow(ctx, mailboxes)
		// Node.js was seen to start and then to stand still, once in a while.
		if !errors.Is(err, context.DeadlineExceeded) || ctx.Err() != nil || try == oidcTries {
			return h, err
		}
	}
}

func startHoodiecrow(ctx context.Context, mailboxes int) (*Hoodiecrow, error) {
	node, err := findNode("the IMAP server hoodiecrow", hoodiecrowProgram, "hoodiecrow/node_modules/hoodiecrow-imap/package.json")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "mailsession-hoodiecrow-")
	if err != nil {
		return nil, fmt.Errorf("interop: make a folder for hoodiecrow: %w", err)
	}
	h := &Hoodiecrow{User: User{Address: "ann@example.test", Password: secret.New("horse-" + rand.Text())}, dir: dir}
	settings := filepath.Join(dir, "settings.json")
	text, err := json.Marshal(map[string]any{"user": h.User.Address, "password": h.User.Password.Reveal(), "count": mailboxes})
	if err == nil {
		err = os.WriteFile(settings, text, 0o600)
	}
	if err == nil {
		h.running, err = startProcess("hoodiecrow", []string{node, hoodiecrowProgram, settings})
	}
	if err == nil {
		err = h.awaitAddresses(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, h.Logs()), h.Stop())
	}
	return h, nil
}

// awaitAddresses waits until the program has printed where the servers listen.
func (h *Hoodiecrow) awaitAddresses(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, oidcTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if told, _, whole := strings.Cut(h.running.output.String(), "\n\n"); whole {
			for line := range strings.Lines(told) {
				if line = strings.TrimSpace(line); strings.HasPrefix(line, "127.0.0.1:") {
					h.Addresses = append(h.Addresses, line)
				}
			}
			return nil
		}
		select {
		case <-h.running.ended:
			return fmt.Errorf("interop: hoodiecrow has ended: %w", h.running.err)
		case <-ctx.Done():
			return fmt.Errorf("interop: hoodiecrow does not say where it listens: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Logs returns what the servers printed, for a test that failed.
func (h *Hoodiecrow) Logs() string {
	if h.running == nil {
		return ""
	}
	return h.running.name + " printed:\n" + lastLines(h.running.output.String(), 60)
}

// Stop ends the servers, waits until they have ended, and removes their folder.
// Further calls return what the first did.
func (h *Hoodiecrow) Stop() error {
	return h.ending.end(h.dir, h.running)
}
