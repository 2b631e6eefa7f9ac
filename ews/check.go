package ews

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/session"
)

// Check implements [session.Checker]. The stage "greeting" is a request without
// credentials: whether something answers by HTTP, and at this path. The mailbox is
// tried by asking for its folders, the folder by counting, the search for what came
// since yesterday.
//
// Details that are always called the same are "status" at [session.StageGreeting],
// "authentication" at [session.StageCapabilities], "mechanism" and "version" at
// [session.StageSignIn]; "folders" at [session.StageMailbox]; "path", "messages" and
// "unread" at [session.StageFolder]; "found" at [session.StageSearch].
func (c *Client) Check(ctx context.Context, opts *session.CheckOptions) session.Report {
	ctx, end := observe.Start(ctx, c.opts.Observer, "ews.check", slog.String("server", c.address))
	o := session.CheckOptions{}
	if opts != nil {
		o = *opts
	}
	o.Folder = cmp.Or(o.Folder, session.Inbox)
	report := backend.Checked{
		Backend: backendName, Server: c.server, Address: c.address, Credentials: c.setup.Credentials,
		After:  []session.Stage{session.StageMailbox, session.StageFolder, session.StageSearch},
		Remedy: remedy,
	}.Check(ctx, func(ctx context.Context) error { return c.check(ctx, o) })
	end(report.Err())
	c.report(ctx, "check", nil, report.Err())
	return report
}

// greet asks without credentials, to tell a web server that is not Exchange from one
// that refuses them.
func (c *Client) greet(ctx context.Context, cn *conn, stages *backend.Stages) error {
	stages.Enter(session.StageGreeting)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, strings.NewReader(""))
	if err != nil {
		return fmt.Errorf("%s: %w", c.address, err)
	}
	c.headers(req)
	resp, err := cn.RoundTrip(req)
	if err != nil {
		return cn.explain("greeting", err)
	}
	defer resp.Body.Close()
	stages.Detail(session.StageGreeting, "status", cn.said(resp.Status))
	if isNotEWS(resp) {
		e := &Error{Server: c.address, Op: "greeting", Status: resp.StatusCode}
		e.Remedy = e.ofAnswer(c, cn, resp.Header)
		return e
	}
	stages.Enter(session.StageCapabilities)
	stages.Detail(session.StageCapabilities, "authentication", cn.said(strings.Join(schemesOf(resp.Header), ", ")))
	stages.Detail(session.StageCapabilities, "server", cn.said(resp.Header.Get("X-FEServer")))
	if _, err := io.CopyN(io.Discard, resp.Body, drainLimit); err != nil && !errors.Is(err, io.EOF) {
		return cn.explain("greeting", err)
	}
	return nil
}

// isNotEWS reports whether an answer to a request without credentials is one that EWS
// never gives.
func isNotEWS(resp *http.Response) bool {
	switch resp.StatusCode {
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusProxyAuthRequired, loginTimeout:
		return true
	case http.StatusOK:
		return strings.Contains(resp.Header.Get("Content-Type"), "html")
	}
	return resp.StatusCode/100 == 3
}

// checkMailbox lists the folders, on a connection that served nobody before.
func (c *Client) checkMailbox(ctx context.Context) (*tree, error) {
	l, err := c.pool.Fresh(ctx)
	if err != nil {
		return nil, err //nolint:wrapcheck // the pool's errors say what they are about
	}
	l.Release() // the requests that follow find it at rest
	stages := backend.StagesOf(ctx)
	stages.Enter(session.StageMailbox)
	t, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	stages.Detail(session.StageMailbox, "folders", strconv.Itoa(len(t.folders)))
	return t, nil
}

// check does what real use does.
func (c *Client) check(ctx context.Context, o session.CheckOptions) error {
	t, err := c.checkMailbox(ctx)
	if err != nil {
		return err
	}
	stages := backend.StagesOf(ctx)
	stages.Enter(session.StageFolder)
	f := t.find(o.Folder)
	if f == nil {
		return backend.NoFolder(c.address, o.Folder, "")
	}
	stages.Detail(session.StageFolder, "path", f.Path)
	counts, err := c.Count(ctx, o.Folder)
	if err != nil {
		return err
	}
	stages.Detail(session.StageFolder, "messages", strconv.FormatInt(counts.Messages, 10))
	stages.Detail(session.StageFolder, "unread", strconv.FormatInt(counts.Unread, 10))
	stages.Enter(session.StageSearch)
	where := restrictions(session.Filter{Since: time.Now().Add(-24 * time.Hour)})
	found, _, err := c.findItem(ctx, search{folder: f, where: where, most: maxFound})
	if err != nil {
		return err
	}
	stages.Detail(session.StageSearch, "found", fmt.Sprintf("%d of the last day", len(found)))
	return nil
}
