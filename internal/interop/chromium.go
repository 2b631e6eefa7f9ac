package interop

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Chromium is a running browser without a window, with a profile of its own and
// one page. It is driven by the DevTools protocol over a pair of pipes. It is
// for one goroutine.
type Chromium struct {
	cmd     *exec.Cmd
	output  lockedBuffer
	to      *os.File
	answers chan devtoolsMessage // closed when the browser has ended
	dir     string
	next    int
	session string
	// requested are the URLs that the page asked for.
	requested []string
}

// A Page is what the browser shows.
type Page struct {
	// URL is what stands in the address bar, Title and Text are what is read.
	URL, Title, Text string
	// Ready tells that the page has been loaded whole.
	Ready bool
	// Width is how wide the page is, and Screen how wide the screen is, in CSS
	// pixels; Font is the size of the text.
	Width, Screen, Font int
}

// devtoolsMessage is a message of the DevTools protocol.
type devtoolsMessage struct {
	ID      int             `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Session string          `json:"sessionId,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *struct {
		Message string `json:"message"`
	} `json:"error,omitempty"`
}

// StartChromium starts the browser with a screen that is width CSS pixels wide.
// The caller calls [Chromium.Stop].
func StartChromium(ctx context.Context, width int) (*Chromium, error) {
	program, err := exec.LookPath("chromium")
	if err != nil {
		return nil, fmt.Errorf("interop: Chromium is not installed (%w); run internal/interop/install", err)
	}
	dir, err := os.MkdirTemp("", "mailsession-chromium-")
	if err != nil {
		return nil, fmt.Errorf("interop: make a folder for Chromium: %w", err)
	}
	c := &Chromium{dir: dir, answers: make(chan devtoolsMessage, 64)}
	if err := c.start(program); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if err := c.openPage(ctx, width); err != nil {
		return nil, errors.Join(fmt.Errorf("%w\n%s", err, lastLines(c.output.String(), 20)), c.Stop())
	}
	return c, nil
}

// start starts the process with the two pipes.
func (c *Chromium) start(program string) error {
	commands, to, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("interop: Chromium: %w", err)
	}
	from, answers, err := os.Pipe()
	if err != nil {
		return errors.Join(fmt.Errorf("interop: Chromium: %w", err), commands.Close(), to.Close())
	}
	// Root has no sandbox; what the browser would fetch for itself stays off.
	c.cmd = exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", //nolint:gosec,noctx // G204: the program is Chromium; Stop ends it.
		"--disable-component-update", "--disable-sync", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run", "--user-data-dir="+c.dir,
		"--remote-debugging-pipe", "about:blank")
	c.cmd.ExtraFiles = []*os.File{commands, answers} // 3 and 4
	c.cmd.Stdout, c.cmd.Stderr = &c.output, &c.output
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	c.cmd.WaitDelay = 10 * time.Second
	c.to = to
	err = c.cmd.Start()
	err = errors.Join(err, commands.Close(), answers.Close())
	if err != nil {
		return errors.Join(fmt.Errorf("interop: start Chromium: %w", err), to.Close(), from.Close())
	}
	go c.read(from)
	return nil
}

// read passes on what the browser says, message by message.
func (c *Chromium) read(from *os.File) {
	defer close(c.answers)
	defer from.Close()
	messages := bufio.NewReader(from)
	for {
		text, err := messages.ReadBytes(0)
		if err != nil {
			return // the browser has ended
		}
		var m devtoolsMessage
		if json.Unmarshal(bytes.TrimSuffix(text, []byte{0}), &m) == nil {
			c.answers <- m
		}
	}
}

// call has the browser do something and reads the answer.
func (c *Chromium) call(ctx context.Context, method string, params, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	raw, err := json.Marshal(params)
	if err != nil {
		return fmt.Errorf("interop: Chromium: %s: %w", method, err)
	}
	c.next++
	text, err := json.Marshal(devtoolsMessage{ID: c.next, Method: method, Params: raw, Session: c.session})
	if err == nil {
		_, err = c.to.Write(append(text, 0))
	}
	if err != nil {
		return fmt.Errorf("interop: Chromium: %s: %w", method, err)
	}
	for {
		select {
		case m, ok := <-c.answers:
			switch {
			case !ok:
				return fmt.Errorf("interop: Chromium has ended before it answered %s", method)
			case m.ID != c.next:
				c.event(m)
			case m.Error != nil:
				return fmt.Errorf("interop: Chromium: %s: %s", method, m.Error.Message)
			case answer == nil:
				return nil
			default:
				return json.Unmarshal(m.Result, answer)
			}
		case <-ctx.Done():
			return fmt.Errorf("interop: Chromium does not answer %s: %w", method, ctx.Err())
		}
	}
}

// event notes what the page asks for.
func (c *Chromium) event(m devtoolsMessage) {
	var params struct {
		Request struct {
			URL string `json:"url"`
		} `json:"request"`
	}
	if m.Method == "Network.requestWillBeSent" && json.Unmarshal(m.Params, &params) == nil {
		c.requested = append(c.requested, params.Request.URL)
	}
}

// openPage makes the page.
func (c *Chromium) openPage(ctx context.Context, width int) error {
	var target struct {
		ID string `json:"targetId"`
	}
	if err := c.call(ctx, "Target.createTarget", map[string]any{"url": "about:blank"}, &target); err != nil {
		return err
	}
	var attached struct {
		Session string `json:"sessionId"`
	}
	if err := c.call(ctx, "Target.attachToTarget", map[string]any{"targetId": target.ID, "flatten": true}, &attached); err != nil {
		return err
	}
	c.session = attached.Session
	for _, method := range []string{"Page.enable", "Network.enable"} {
		if err := c.call(ctx, method, struct{}{}, nil); err != nil {
			return err
		}
	}
	return c.call(ctx, "Emulation.setDeviceMetricsOverride", map[string]any{
		"width": width, "height": 640, "deviceScaleFactor": 2, "mobile": true,
	}, nil)
}

// Open has the browser go to an address. It returns when an answer has come. Its
// signature is that of the function with which a program opens a browser.
func (c *Chromium) Open(ctx context.Context, address string) error {
	c.requested = nil
	var answer struct {
		Error string `json:"errorText"`
	}
	if err := c.call(ctx, "Page.navigate", map[string]any{"url": address}, &answer); err != nil {
		return err
	}
	if answer.Error != "" {
		return fmt.Errorf("interop: Chromium: %s", answer.Error)
	}
	return nil
}

// Page returns what the browser shows now.
func (c *Chromium) Page(ctx context.Context) (Page, error) {
	const script = `({URL: location.href, Title: document.title, Text: document.body ? document.body.innerText : "",
		Ready: document.readyState === "complete", Width: document.documentElement.scrollWidth, Screen: innerWidth,
		Font: Math.floor(parseFloat(getComputedStyle(document.querySelector("p") || document.documentElement).fontSize))})`
	var answer struct {
		Result struct {
			Value Page `json:"value"`
		} `json:"result"`
	}
	err := c.call(ctx, "Runtime.evaluate", map[string]any{"expression": script, "returnByValue": true}, &answer)
	return answer.Result.Value, err
}

// Await waits until the browser shows a page whose URL contains text.
func (c *Chromium) Await(ctx context.Context, text string) (Page, error) {
	ctx, cancel := context.WithTimeout(ctx, stageTimeout)
	defer cancel()
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		page, err := c.Page(ctx)
		if err == nil && page.Ready && strings.Contains(page.URL, text) {
			return page, nil
		}
		select {
		case <-ctx.Done():
			return page, fmt.Errorf("interop: Chromium shows %q and no page with %q: %w", page.Title, text, errors.Join(ctx.Err(), err))
		case <-tick.C:
		}
	}
}

// History returns the addresses that the back button leads to, and the present
// one.
func (c *Chromium) History(ctx context.Context) ([]string, error) {
	var answer struct {
		Entries []struct {
			URL string `json:"url"`
		} `json:"entries"`
	}
	err := c.call(ctx, "Page.getNavigationHistory", struct{}{}, &answer)
	addresses := make([]string, len(answer.Entries))
	for i, e := range answer.Entries {
		addresses[i] = e.URL
	}
	return addresses, err
}

// Requested returns what the browser asked for since Open.
func (c *Chromium) Requested() []string { return c.requested }

// Screenshot returns a picture of the page (PNG).
func (c *Chromium) Screenshot(ctx context.Context) ([]byte, error) {
	var answer struct {
		Data string `json:"data"`
	}
	if err := c.call(ctx, "Page.captureScreenshot", map[string]any{"format": "png"}, &answer); err != nil {
		return nil, err
	}
	return base64.StdEncoding.DecodeString(answer.Data)
}

// Stop ends the browser and all its processes, and removes its profile.
func (c *Chromium) Stop() error {
	_ = c.to.Close()
	// The group is the browser's own; it may have ended by itself.
	if err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("interop: end Chromium, process %s: %w", strconv.Itoa(c.cmd.Process.Pid), err)
	}
	_ = c.cmd.Wait() // it was killed, and says so
	for range c.answers {
		continue // until the reader has ended
	}
	return os.RemoveAll(c.dir)
}
