package imapx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailsession/mailsession/internal/backend"
	"github.com/mailsession/mailsession/internal/observe"
	"github.com/mailsession/mailsession/session"
)

// Check implements [session.Checker]. The mailbox is tried by listing its
// folders, the folder by EXAMINE, the search for what came since yesterday.
//
// Details that are always called the same are "greeting" and "server" at
// [session.StageGreeting], the server's words and what it answers to ID;
// "capabilities"; "mechanism"; "folders" at [session.StageMailbox];
// "path", "messages" and "unread" at [session.StageFolder]; "found" at
// [session.StageSearch].
func (c *Client) Check(ctx context.Context, opts *session.CheckOptions) session.Report {
	ctx, end := observe.Start(ctx, c.opts.Observer, "imap.check", slog.String("server", c.address))
	o := session.CheckOptions{}
	if opts != nil {
		o = *opts
	}
	o.Folder = cmp.Or(o.Folder, session.Inbox)
	report := backend.Checked{
		Backend: "imap", Server: c.server, Address: c.address, Credentials: c.setup.Credentials,
		After:  []session.Stage{session.StageMailbox, session.StageFolder, session.StageSearch},
		Remedy: checkRemedy,
	}.Check(ctx, func(ctx context.Context) error { return c.check(ctx, o) })
	end(report.Err())
	c.report(ctx, "check", nil, report.Err())
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
	stages.Detail(session.StageCapabilities, "capabilities", l.Conn.caps.String())
	name, err := c.checkMailbox(l.Conn, stages, o.Folder)
	if err != nil {
		return l.Conn.explain("check", err)
	}
	return l.Conn.explain("check", c.checkFolder(l.Conn, stages, name))
}

// checkMailbox lists the folders and returns the server's name of one.
func (c *Client) checkMailbox(cn *conn, stages *backend.Stages, ref session.FolderRef) (string, error) {
	stages.Enter(session.StageMailbox)
	_, byPath := ref.Path()
	folders, all, err := cn.folders(session.FolderOptions{Foreign: byPath})
	if err != nil {
		return "", err
	}
	stages.Detail(session.StageMailbox, "folders", strconv.Itoa(len(folders)))
	stages.Enter(session.StageFolder)
	name, ok := nameOf(folders, all, ref)
	if !ok {
		return "", backend.NoFolder(c.address, ref, "")
	}
	return name, nil
}

// checkFolder opens a folder for reading, and searches in it.
func (c *Client) checkFolder(cn *conn, stages *backend.Stages, name string) error {
	stages.Detail(session.StageFolder, "path", shownName(name))
	s, err := c.enter(cn, name, true)
	if err != nil {
		return err
	}
	told, err := cn.folderStatus(name, "MESSAGES", "UNSEEN")
	if err != nil {
		return noFolder(err)
	}
	stages.Detail(session.StageFolder, "messages", strconv.FormatUint(told["MESSAGES"], 10))
	stages.Detail(session.StageFolder, "unread", strconv.FormatUint(told["UNSEEN"], 10))
	stages.Enter(session.StageSearch)
	recent := session.Query{Where: session.Filter{Since: time.Now().Add(-24 * time.Hour)}}
	_, uids, err := c.planned(cn, recent, c.scope(s))
	if err != nil {
		return err
	}
	stages.Detail(session.StageSearch, "found", fmt.Sprintf("%d of about the last day", len(uids)))
	return nil
}

// checkRemedy says what to do about what an IMAP server answers.
func checkRemedy(err error) string {
	e, ok := errors.AsType[*Error](err)
	switch {
	case !ok:
		return ""
	case unsafeLogin(err):
		return "the server wants to know the program first: set Options.ID with name, version and vendor, and look into the provider's settings whether it blocks unknown programs"
	case e.Code == "ALERT":
		return "the server's words are meant for the user: do what they say"
	case e.Code == "WEBALERT":
		return "the provider wants the user to sign in with a browser first: do that, then check again"
	case e.Code == "CONTACTADMIN":
		return "the server asks the user to contact its administrator"
	case e.Code == "PRIVACYREQUIRED":
		return "the server lets nobody in without encryption: set Security to TLS or STARTTLS"
	case e.Code == "NOPERM":
		return "the user may not do that in this folder: its owner has to grant the right"
	case e.Type == "BYE":
		return "the server ends the connection and says why: too many connections and maintenance pass, so try again later"
	}
	return ""
}

// String returns the capabilities in the order of the alphabet.
func (c capabilities) String() string {
	var names []string
	for name := range c {
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
