package imapx

import (
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"

	"github.com/mailsession/mailsession/session"
)

// folderListing is what a server told of its folders. Its maps are by the names
// that [canonical] returns.
type folderListing struct {
	folders    []*imap.ListData
	counts     map[string]map[string]uint64 // of STATUS
	subscribed map[string]bool
	parents    map[string]bool // folders that have others below them
}

// canonical returns the one spelling of a name under which its folder is opened
// and kept: servers write that of the inbox in any case (RFC 9051 section 5.1).
func canonical(name string) string {
	if isInbox(name) {
		return "INBOX"
	}
	return name
}

// folders lists the folders and what the options ask for of each.
func (c *conn) folders(opts session.FolderOptions) ([]folder, spaces, error) {
	all, err := c.namespaces()
	if err != nil {
		return nil, nil, err
	}
	l, err := c.list(opts)
	if err == nil && opts.Foreign {
		err = c.listForeign(l, all, opts)
	}
	if err == nil && opts.Subscribed && !c.caps.has("LIST-EXTENDED") {
		err = c.listSubscribed(l)
	}
	if err != nil {
		return nil, nil, err
	}
	l.findParents()
	folders := withInbox(foldersOf(l, all))
	if opts.Counts {
		err = c.count(folders, l, opts)
	}
	return folders, all, err
}

// list asks for all folders. A server that knows of none when it is asked for
// more than the folders is asked for them alone.
func (c *conn) list(opts session.FolderOptions) (*folderListing, error) {
	const words = `LIST "" "*"`
	l := &folderListing{counts: map[string]map[string]uint64{}, subscribed: map[string]bool{}, parents: map[string]bool{}}
	extras := c.returned(opts)
	err := c.listInto(l, words+extras)
	if len(l.folders) == 0 && err == nil && extras != "" {
		err = c.listInto(l, words)
		if err == nil && opts.Subscribed {
			err = c.listSubscribed(l)
		}
	}
	return l, err
}

// returned returns what a LIST command asks for besides the folders.
func (c *conn) returned(opts session.FolderOptions) string {
	if !c.caps.has("LIST-EXTENDED") {
		return ""
	}
	var items []string
	if c.caps.has("SPECIAL-USE") {
		items = append(items, "SPECIAL-USE")
	}
	if opts.Subscribed {
		items = append(items, "SUBSCRIBED")
	}
	if opts.Counts && c.caps.has("LIST-STATUS") {
		items = append(items, "STATUS ("+strings.Join(c.countItems(), " ")+")")
	}
	if len(items) == 0 {
		return ""
	}
	return " RETURN (" + strings.Join(items, " ") + ")"
}

// listInto carries out a LIST or LSUB command. What is not a folder at all is
// left out, and so is what was listed before: some servers list a folder twice.
func (c *conn) listInto(l *folderListing, words string) error {
	known := map[string]bool{}
	for _, d := range l.folders {
		known[canonical(d.Mailbox)] = true
	}
	return c.run("list", words, func(response string, sc *scanner) error {
		var err error
		switch response {
		case "LIST", "LSUB":
			var d *imap.ListData
			if d, err = scanList(sc); err != nil || d.Mailbox == "" {
				break
			}
			d.Mailbox = c.knownName(d.Mailbox)
			switch name := canonical(d.Mailbox); {
			case response == "LSUB":
				l.subscribed[name] = !slices.Contains(d.Attrs, imap.MailboxAttrNoSelect)
			case !known[name]:
				known[name] = !slices.Contains(d.Attrs, imap.MailboxAttrNonExistent)
				l.folders = append(l.folders, d)
			}
		case "STATUS":
			var name []byte
			if name, err = sc.text(maxName); err == nil {
				told := map[string]uint64{}
				err = scanStatus(sc, told)
				l.counts[canonical(c.knownName(string(name)))] = told
			}
		}
		if itemError(err) {
			return nil
		}
		return err
	})
}

// listSubscribed asks for the folders that are subscribed to.
func (c *conn) listSubscribed(l *folderListing) error { return c.listInto(l, `LSUB "" "*"`) }

// listForeign asks for the namespaces of others of which nothing is listed: some
// servers hide them from a pattern that does not name them, and those that begin
// with "#" are to be hidden (RFC 2342 section 3).
func (c *conn) listForeign(l *folderListing, all spaces, opts session.FolderOptions) error {
	for _, s := range all {
		inside := func(d *imap.ListData) bool { return len(d.Mailbox) > len(s.prefix) && s.holds(d.Mailbox) }
		if s.kind == session.Personal || s.prefix == "" || slices.ContainsFunc(l.folders, inside) {
			continue
		}
		err := c.listInto(l, `LIST "" `+c.mailboxName(s.prefix+"*")+c.returned(opts))
		if e, refused := errors.AsType[*Error](err); refused && e.Type == "NO" && !e.Temporary() {
			continue // it has a namespace that it does not list
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// maxLevels is how many levels of a name are looked at for the folders above it.
const maxLevels = 100

// findParents notes which folders have others below them.
func (l *folderListing) findParents() {
	for _, d := range l.folders {
		if d.Delim == 0 || slices.Contains(d.Attrs, imap.MailboxAttrNonExistent) {
			continue
		}
		levels := 0
		for i, r := range d.Mailbox {
			if r != d.Delim {
				continue
			}
			if levels++; levels > maxLevels {
				break
			}
			l.parents[canonical(d.Mailbox[:i])] = true
		}
	}
}

// count fills in how much the folders hold: from the listing, and where it does
// not tell, by a question for each. A folder of which the server does not say it
// has none.
func (c *conn) count(folders []folder, l *folderListing, opts session.FolderOptions) error {
	for i := range folders {
		f := &folders[i]
		if f.NoMessages || !opts.Foreign && f.Namespace != session.Personal {
			continue
		}
		counts, err := c.countsOf(l.counts[f.name])
		if err != nil {
			counts, err = c.statusCounts(f.name)
		}
		if e, refused := errors.AsType[*Error](err); refused && e.Type == "NO" && !e.Temporary() {
			continue
		}
		if err != nil {
			return err
		}
		f.Counts = &counts
	}
	return nil
}
