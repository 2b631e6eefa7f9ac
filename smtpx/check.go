package smtpx

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/session"
)

// Check implements [session.Checker]. The sender is tried by MAIL and taken
// back by RSET; no message is begun.
//
// Details that are always called the same are "greeting" at
// [session.StageGreeting], "capabilities" and "size limit", in bytes, at
// [session.StageCapabilities], "mechanism" at [session.StageSignIn] and
// "address" at [session.StageSender].
func (c *Client) Check(ctx context.Context, opts *session.CheckOptions) session.Report {
	ctx, end := observe.Start(ctx, c.observer, "smtp.check", slog.String("server", c.address))
	o := session.CheckOptions{}
	if opts != nil {
		o = *opts
	}
	report := backend.Checked{
		Backend: "smtp", Server: c.server, Address: c.address, Credentials: c.creds,
		After: []session.Stage{session.StageSender}, Remedy: checkRemedy,
	}.Check(ctx, func(ctx context.Context) error { return c.check(ctx, o) })
	end(report.Err())
	level := slog.LevelDebug
	if session.NeedsSignIn(report.Err()) {
		level = slog.LevelWarn
	}
	c.log.LogAttrs(ctx, level, "smtp: check", slog.String("server", c.address), slog.Any("error", report.Err()))
	return report
}

// check does what real use does, on a connection that served nobody before.
func (c *Client) check(ctx context.Context, o session.CheckOptions) error {
	l, err := c.pool.Fresh(ctx)
	if err != nil {
		return err
	}
	defer l.Release()
	stages := backend.StagesOf(ctx)
	if limit := l.Conn.ext.sizeLimit(); limit > 0 {
		stages.Detail(session.StageCapabilities, "size limit", strconv.FormatInt(limit, 10))
	}
	if o.From == "" {
		stages.Skip(session.StageSender, "no address to send as was given")
		return nil
	}
	stages.Enter(session.StageSender)
	stages.Detail(session.StageSender, "address", clean(o.From))
	return l.Conn.tryAs(o.From)
}

// tryAs asks whether mail from an address is taken, and takes it back.
func (c *conn) tryAs(from string) error {
	if err := checkAddress(from); err != nil {
		return err
	}
	t := &transaction{c: c, env: session.Envelope{From: from}, l: &letter{size: -1, onLine: -1}}
	if err := t.checkUTF8(); err != nil {
		return err
	}
	if err := c.commandOK(opMail, t.mailLine()); err != nil {
		return err
	}
	c.reset()
	return nil
}

// checkRemedy says what to do about what an SMTP server answers, or does not
// offer.
func checkRemedy(err error) string {
	if e, ok := errors.AsType[*ExtensionError](err); ok {
		return e.Remedy
	}
	if _, ok := errors.AsType[*AddressError](err); ok {
		return "write the address as user@example.com, without a name and angle brackets"
	}
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return ""
	case e.Remedy != "":
		return e.Remedy
	case e.Op == opGreeting && e.Code/100 == 5:
		return "the server takes no mail from here: it may refuse this machine's address (a block list, a dynamic address); check that host and port are those for submission, mostly 465 or 587"
	case e.Code == 0:
		return "this is not the answer of a mail server: check host and port"
	}
	return ""
}

// String returns the extensions with their parameters, in the order of the
// alphabet.
func (e extensions) String() string {
	var all []string
	for keyword, params := range e {
		all = append(all, strings.TrimSpace(keyword+" "+params))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}
