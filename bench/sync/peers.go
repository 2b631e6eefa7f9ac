package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/task"
)

// peers are the programs. The first is what the others are measured by.
func (b *bench) peers() map[string]compare.Peer {
	return map[string]compare.Peer{
		"ours":     {Name: "session over imapx", Command: b.after(compare.Built("ours")), Done: compare.Told},
		"mbsync":   {Name: "mbsync (stores at the first look, no fsync)", Command: mbsync, Done: stored},
		"imapflow": {Name: "ImapFlow", Command: compare.Script("node", "../imap/imapflow/sync.mjs"), Done: compare.Told},
		"watch":    {Name: "session over imapx", Command: b.watcher, Done: b.told},
	}
}

// after makes the changes first: the program whose turn is first in a round finds
// them new, as the others do.
func (b *bench) after(command func(*compare.Bench, task.Task) ([]string, error)) func(*compare.Bench, task.Task) ([]string, error) {
	return func(c *compare.Bench, t task.Task) ([]string, error) {
		if t.Kind == task.Again {
			if err := b.disturb(context.Background()); err != nil {
				return nil, fmt.Errorf("make changes: %w", err)
			}
		}
		return command(c, t)
	}
}

// watcher starts the fakes, and hands the program a file with where they are.
func (b *bench) watcher(c *compare.Bench, t task.Task) ([]string, error) {
	if err := b.serve(&t); err != nil {
		return nil, err
	}
	text, err := json.Marshal(t) //nolint:gosec // G117: there is no password in it.
	if err != nil {
		return nil, err
	}
	file := c.File("watch.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	return compare.Built("watch", file)(c, t)
}

// mbsync writes the settings for pulling everything, flags and removals too.
func mbsync(_ *compare.Bench, t task.Task) ([]string, error) {
	_, port, err := net.SplitHostPort(t.Address) // it does not know certificates for addresses
	if err != nil {
		return nil, err
	}
	config := filepath.Join(t.Dir, "mbsyncrc")
	text := fmt.Sprintf(`FSync no

IMAPAccount a
Host localhost
Port %s
User %s
Pass %s
AuthMechs PLAIN
SSLType IMAPS
CertificateFile %s

IMAPStore far
Account a

MaildirStore near
Path %s/
Inbox %[5]s/INBOX
SubFolders Verbatim

Channel all
Far :far:%[6]s
Near :near:%[6]s
Create Near
Sync Pull
Expunge Near
SyncState *
`, port, t.User, t.Password, t.CAFile, t.File, t.Folder)
	if err := os.MkdirAll(t.File, 0o700); err != nil {
		return nil, err
	}
	return []string{"mbsync", "-q", "-c", config, "all"}, os.WriteFile(config, []byte(text), 0o600)
}

// stored counts what mbsync has stored so far.
func stored(t task.Task, _ string) (messages int, bytes int64, err error) {
	for _, sub := range []string{"cur", "new"} {
		entries, err := os.ReadDir(filepath.Join(t.File, t.Folder, sub))
		if err != nil {
			return 0, 0, err
		}
		messages += len(entries)
	}
	if messages == 0 {
		return 0, 0, errors.New("mbsync stored nothing")
	}
	if t.Kind == task.Again {
		messages = 0 // they are all there are, not those that changed
	}
	return messages, 0, nil
}
