package oauth

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"

	"github.com/mailsession/mailsession/internal/retry"
)

// maxPastes is how often the user may paste something else.
const maxPastes = 10

// listenForPaste has the user paste the address that the browser ends on, until
// it is the answer to this sign-in or the function it returns is called. Where
// there is no listener beside it, its failure is sent to failed.
func (a *attempt) listenForPaste(ctx context.Context, failed chan<- error) (stop func()) {
	if a.options.Paste == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		err := a.paste(ctx)
		switch {
		case err == nil || ctx.Err() != nil:
		case a.redirect.remote:
			failed <- fmt.Errorf("oauth: sign in: the address was not pasted: %w", err)
		default:
			a.log.LogAttrs(ctx, slog.LevelDebug, "nothing is pasted any more", slog.String("error", clean(err.Error(), a.state)))
		}
	}()
	return cancel
}

// paste sends what the user has pasted to a.pasted.
func (a *attempt) paste(ctx context.Context) error {
	var err error
	for range maxPastes {
		var text string
		if text, err = a.options.Paste(ctx); err != nil {
			return err
		}
		var c callback
		if c, err = a.parsePasted(text); err == nil {
			a.pasted <- c
			return nil
		}
		if a.options.Prompt != nil {
			if _, err := io.WriteString(a.options.Prompt, "This is not it: "+err.Error()+". Paste the whole address.\n\n"); err != nil {
				return err
			}
		}
	}
	return fmt.Errorf("after %d tries: %w", maxPastes, err)
}

// parsePasted reads an address that the user has pasted. It has to be the
// redirect URI of this sign-in, with an answer that has its state.
func (a *attempt) parsePasted(text string) (callback, error) {
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Scheme == "" || len(text) > maxCallback {
		return callback{}, errors.New("it is not an address") // the cause would quote the code
	}
	want, err := url.Parse(a.uri)
	if err != nil {
		return callback{}, errors.New("the redirect cannot be parsed")
	}
	samePath := strings.TrimSuffix(u.Path, "/") == strings.TrimSuffix(want.Path, "/") && u.Opaque == want.Opaque
	if !strings.EqualFold(u.Scheme, want.Scheme) || !strings.EqualFold(u.Host, want.Host) || !samePath {
		return callback{}, fmt.Errorf("it does not begin with %s", a.uri)
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return callback{}, errors.New("its query cannot be read")
	}
	c, err := parseCallback(values)
	if err != nil {
		return callback{}, err
	}
	if !c.state.Equal(a.state) {
		return callback{}, errors.New("it is the answer to another sign-in")
	}
	return c, nil
}

// PasteFrom returns a function for SignInOptions.Paste that reads one line from
// r, such as os.Stdin, for each call. Where a context ends first the line that
// is being read is kept for the next call.
func PasteFrom(r io.Reader) func(ctx context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	input := bufio.NewReaderSize(r, maxCallback)
	lines := make(chan line, 1)
	idle := make(chan struct{}, 1) // holds an element while nobody reads
	idle <- struct{}{}
	return func(ctx context.Context) (string, error) {
		select {
		case <-idle:
			go func() {
				text, err := input.ReadSlice('\n')
				if err == io.EOF && len(text) > 0 {
					err = nil // a last line without an end
				}
				lines <- line{string(text), err}
			}()
		default: // an earlier call still reads
		}
		select {
		case l := <-lines:
			idle <- struct{}{}
			return strings.TrimRight(l.text, "\r\n"), l.err
		case <-ctx.Done():
			return "", retry.Ended(ctx)
		}
	}
}

// prompt is what the user reads.
type prompt struct {
	address string
	port    string // of the listener, "" where there is none
	paste   bool
	where   whereabout
}

// whereabout is what is known of how far the user's browser is away.
type whereabout struct {
	ssh       string // the arguments for ssh to come here, "" where nobody did
	container bool
}

// whereabouts looks around.
func whereabouts(getenv func(string) string) whereabout {
	w := whereabout{ssh: sshTarget(getenv)}
	for _, mark := range []string{"/.dockerenv", "/run/.containerenv"} {
		if _, err := os.Stat(mark); err == nil {
			w.container = true
		}
	}
	return w
}

// sshTarget returns how to come to this machine again: SSH_CONNECTION holds the
// addresses and ports of both ends.
func sshTarget(getenv func(string) string) string {
	connection := getenv("SSH_CONNECTION")
	if connection == "" {
		return ""
	}
	ends := strings.Fields(connection)
	if len(ends) != 4 {
		return "THIS-HOST"
	}
	target := ends[2]
	if user := getenv("USER"); user != "" {
		target = user + "@" + target
	}
	if ends[3] != "22" {
		target = "-p " + ends[3] + " " + target
	}
	return target
}

// String returns the text. In a session from elsewhere the browser is on
// another machine, whose loopback address has to lead here.
func (p prompt) String() string {
	text := "Open this address in a browser to sign in:\n\n" + p.address + "\n\n"
	if p.port != "" && p.where.ssh != "" {
		text += "If the browser is on another machine, first run there:\n\n" +
			"ssh -L " + p.port + ":127.0.0.1:" + p.port + " " + p.where.ssh + "\n\n"
	}
	switch {
	case p.paste && p.port == "":
		text += "Then copy the address that the browser ends on, and paste it here.\n\n"
	case p.paste:
		text += "If the browser ends on a page that cannot be reached, copy its address and paste it here.\n\n"
	case p.where.container && p.port != "" && p.where.ssh == "":
		text += "This program runs in a container: the browser has to reach port " + p.port + " of the container's own loopback\n" +
			"interface, as with the host's network.\n\n"
	}
	return text
}
