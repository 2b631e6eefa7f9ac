package pop3x

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/session"
)

// Check implements [session.Checker]. The mailbox is tried by STAT, UIDL and
// LIST, and the search by the header of the newest message. There is no folder but
// the inbox.
//
// Details that are always called the same are "greeting" at
// [session.StageGreeting]; "capabilities"; "mechanism"; "messages" and "bytes" at
// [session.StageMailbox]; "path" at [session.StageFolder].
func (c *Client) Check(ctx context.Context, opts *session.CheckOptions) session.Report {
	ctx, end := observe.Start(ctx, c.opts.Observer, "pop3.check", slog.String("server", c.address))
	o := session.CheckOptions{}
	if opts != nil {
		o = *opts
	}
	report := backend.Checked{
		Backend: backendName, Server: c.server, Address: c.address, Credentials: c.setup.Credentials,
		After:  []session.Stage{session.StageMailbox, session.StageFolder, session.StageSearch},
		Remedy: checkRemedy,
	}.Check(ctx, func(ctx context.Context) error { return c.check(ctx, o) })
	end(report.Err())
	c.report(ctx, "check", nil, report.Err())
	return report
}

// check does what real use does, on a connection that served nobody before.
func (c *Client) check(ctx context.Context, o session.CheckOptions) error {
	l, err := c.lease(ctx, c.pool.Fresh)
	if err != nil {
		return err
	}
	defer l.Release()
	stages := backend.StagesOf(ctx)
	stages.Detail(session.StageCapabilities, "capabilities", l.Conn.caps.String())
	drop, err := l.Conn.survey()
	if err != nil {
		return err
	}
	stages.Detail(session.StageMailbox, "messages", strconv.Itoa(len(drop.entries)))
	stages.Detail(session.StageMailbox, "bytes", strconv.FormatInt(drop.bytes, 10))
	if drop.byHeader {
		stages.Warn(session.StageMailbox, "The server has no UIDL: messages are known by their headers, and none can be deleted.")
	}
	stages.Enter(session.StageFolder)
	if err := checkFolder(o.Folder); err != nil {
		return err
	}
	stages.Detail(session.StageFolder, "path", inboxPath)
	stages.Enter(session.StageSearch)
	return l.Conn.tryHeader(drop)
}

// tryHeader reads what every search looks at, of the newest message.
func (c *conn) tryHeader(drop *maildrop) error {
	if len(drop.entries) == 0 {
		return nil
	}
	newest := []int{drop.entries[len(drop.entries)-1].number}
	var refused error
	err := c.tops(newest, func(int, io.Reader) error { return nil }, func(_ int, err error) { refused = err })
	if err == nil {
		err = refused
	}
	return err
}

// checkRemedy says what to do about what a POP3 server answers.
func checkRemedy(err error) string {
	e, is := errors.AsType[*Error](err)
	switch {
	case !is:
		return ""
	case e.Remedy != "":
		return e.Remedy
	case e.Code == codeSysTemp:
		return "the server has a trouble of its own that will pass: try again later"
	}
	return ""
}

// String returns the capabilities in the order of the alphabet, with their
// arguments.
func (c capabilities) String() string {
	var all []string
	for keyword, args := range c {
		all = append(all, strings.Join(append([]string{keyword}, args...), " "))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
