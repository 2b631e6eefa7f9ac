package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailsession/mailsession/bench/internal/compare"
	"github.com/mailsession/mailsession/bench/internal/task"
)

// The peers. The first is what the others are measured by.
func peers() map[string]compare.Peer {
	return map[string]compare.Peer{
		"raw":      {Name: "raw Go reader (limit)", Command: compare.Built("raw"), Done: compare.Told},
		"ours":     {Name: "session over imapx", Command: compare.Built("ours"), Done: compare.Told},
		"go-imap":  {Name: "go-imap v2", Command: compare.Built("goimap"), Done: compare.Told},
		"imaplib":  {Name: "imaplib, 100 a FETCH", Command: compare.Script("python3", "peer.py"), Done: compare.Told},
		"imapflow": {Name: "ImapFlow", Command: compare.Script("node", "imapflow/peer.mjs"), Done: compare.Told},
		"mbsync":   {Name: "mbsync (stores, no fsync)", Command: mbsync, Done: stored},
	}
}

// mbsync writes the settings for one pull into an empty Maildir.
func mbsync(_ *compare.Bench, t task.Task) ([]string, error) {
	_, port, err := net.SplitHostPort(t.Address) // it does not know certificates for addresses
	if err != nil {
		return nil, err
	}
	protection := "SSLType None"
	if t.TLS {
		protection = "SSLType IMAPS\nCertificateFile " + t.CAFile
	}
	config := filepath.Join(t.Dir, "mbsyncrc")
	text := fmt.Sprintf(`FSync no

IMAPAccount a
Host localhost
Port %s
User %s
Pass %s
AuthMechs PLAIN
%s

IMAPStore far
Account a

MaildirStore near
Path %s/mail/
Inbox %[5]s/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:%[6]s
Near :near:%[6]s
Create Near
Sync Pull
SyncState *
`, port, t.User, t.Password, protection, t.Dir, t.Folder)
	if err := errors.Join(os.Mkdir(filepath.Join(t.Dir, "mail"), 0o700), os.WriteFile(config, []byte(text), 0o600)); err != nil {
		return nil, err
	}
	return []string{"mbsync", "-q", "-c", config, "all"}, nil
}

// stored counts what mbsync wrote.
func stored(t task.Task, _ string) (messages int, bytes int64, err error) {
	err = filepath.WalkDir(filepath.Join(t.Dir, "mail"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") || filepath.Base(filepath.Dir(path)) == "tmp" {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		messages++
		bytes += info.Size()
		return nil
	})
	return messages, bytes, err
}
