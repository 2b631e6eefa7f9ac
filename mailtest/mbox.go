package mailtest

import (
	"bufio"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"
)

// Mbox is how an mbox file tells a line of text from the line that starts a
// message: both begin with "From ".
type Mbox int

// The forms of mbox.
const (
	// Mboxrd puts ">" before lines that begin with "From " or with ">" and then
	// that, and reading takes one ">" away.
	Mboxrd Mbox = iota
	// Mboxo puts ">" before lines that begin with "From " alone. Reading takes it
	// away; a line that was written with one loses it, which the form is known
	// for.
	Mboxo
)

// SeedMbox appends the messages of an mbox file (RFC 4155) to a folder and
// returns their UIDs. A message starts at a line "From sender date" at the
// beginning of the file or behind an empty line. The time of arrival is the date
// of that line, read as UTC, or that of the Date field. The fields Status and
// X-Status give flags, and stay in the message. Line ends become CRLF. The error
// wraps [ErrNoFolder], [ErrOverQuota] or what the file system said; a file that
// is no mbox is an error too.
func (a *Account) SeedMbox(folder string, files fs.FS, name string, form Mbox) ([]UID, error) {
	data, err := fs.ReadFile(files, name)
	if err != nil {
		return nil, fmt.Errorf("mailtest: seed %q: %w", folder, err)
	}
	messages, err := splitMbox(string(data), form)
	if err != nil {
		return nil, fmt.Errorf("mailtest: seed %q from %s: %w", folder, name, err)
	}
	var uids []UID
	for _, m := range messages {
		o := AppendOptions{Received: m.received, Flags: statusFlags(m.raw)}
		if o.Received.IsZero() {
			o.Received = dateOf(m.raw)
		}
		uid, err := a.Append(folder, m.raw, &o)
		if err != nil {
			return uids, err
		}
		uids = append(uids, uid)
	}
	return uids, nil
}

// boxed is one message of an mbox file.
type boxed struct {
	raw      string
	received time.Time // zero where the file does not tell
}

// splitMbox takes an mbox file apart.
func splitMbox(text string, form Mbox) ([]boxed, error) {
	var all []boxed
	var body strings.Builder
	empty := true // whether the last line was
	finish := func() {
		if len(all) > 0 {
			raw := body.String()
			if empty { // the line before the next message is not the message's
				raw = strings.TrimSuffix(raw, "\r\n")
			}
			all[len(all)-1].raw = raw
		}
		body.Reset()
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(strings.TrimSuffix(line, "\n"), "\r")
		if from, starts := strings.CutPrefix(line, "From "); starts && empty {
			finish()
			all = append(all, boxed{received: fromDate(from)})
			empty = false
			continue
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("mbox starts with %d bytes that are no From line", len(line))
		}
		body.WriteString(form.unquote(line) + "\r\n")
		empty = line == ""
	}
	finish()
	return all, nil
}

// unquote takes away the ">" that keeps a line from starting a message.
func (f Mbox) unquote(line string) string {
	rest, quoted := strings.CutPrefix(line, ">")
	if !quoted {
		return line
	}
	bare := rest
	if f == Mboxrd {
		bare = strings.TrimLeft(rest, ">")
	}
	if strings.HasPrefix(bare, "From ") {
		return rest
	}
	return line
}

// fromDate reads the date of a From line, which stands behind the sender in the
// form of asctime, sometimes with a zone.
func fromDate(from string) time.Time {
	words := strings.Fields(from)
	for i := range words {
		for _, layout := range []string{time.ANSIC, time.UnixDate, time.RubyDate, "Mon Jan _2 15:04 2006"} {
			if date, err := time.Parse(layout, strings.Join(words[i:], " ")); err == nil {
				return date
			}
		}
	}
	return time.Time{}
}

// statusFlags returns the flags that the fields Status and X-Status of mail
// programs of Unix tell.
func statusFlags(raw string) []string {
	letters := map[string]map[rune]string{
		"status":   {'R': Seen},
		"x-status": {'A': Answered, 'F': Flagged, 'T': Draft, 'D': Deleted},
	}
	var flags []string
	lines := bufio.NewScanner(strings.NewReader(raw))
	for lines.Scan() && lines.Text() != "" {
		name, value, _ := strings.Cut(lines.Text(), ":")
		for _, c := range value {
			if flag := letters[strings.ToLower(name)][c]; flag != "" {
				flags = append(flags, flag)
			}
		}
	}
	return flags
}

// SeedTree fills folders from a tree of files: each directory is the folder of
// its path, the top one is INBOX, and missing folders are made. Files named
// "*.eml" are messages as [Account.Seed] takes them, "*.mbox" files hold several
// (in the form [Mboxrd]); other files are passed over. It returns how many
// messages there were.
func (a *Account) SeedTree(files fs.FS) (int, error) {
	count := 0
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("mailtest: seed from %q: %w", name, err)
		}
		folder := path.Dir(name)
		if d.IsDir() {
			folder = name
		}
		if folder == "." {
			folder = "INBOX"
		}
		uids, err := a.seedFile(folder, files, name, d)
		count += len(uids)
		return err
	})
	return count, err
}

func (a *Account) seedFile(folder string, files fs.FS, name string, d fs.DirEntry) ([]UID, error) {
	switch {
	case d.IsDir():
		if _, err := a.Folder(folder); err != nil {
			return nil, a.CreateFolder(folder, "")
		}
		return nil, nil
	case path.Ext(name) == ".eml":
		uid, err := a.seedMessage(folder, files, name)
		if err != nil {
			return nil, err
		}
		return []UID{uid}, nil
	case path.Ext(name) == ".mbox":
		return a.SeedMbox(folder, files, name, Mboxrd)
	default:
		return nil, nil
	}
}
