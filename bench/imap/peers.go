package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/mailsession/mailsession/bench/imap/task"
)

// A peer is a program that does tasks.
type peer struct {
	name string
	// command returns the command line for a task, which some peers have to be
	// prepared for.
	command func(b *bench, t task.Task) ([]string, error)
	// done returns what was read where the program does not tell.
	done func(t task.Task, line string) (messages int, bytes int64, err error)
}

// The peers. The first is what the others are measured by.
func peers() map[string]peer {
	return map[string]peer{
		"raw":      {name: "raw Go reader (limit)", command: built("raw"), done: told},
		"ours":     {name: "session over imapx", command: built("ours"), done: told},
		"go-imap":  {name: "go-imap v2", command: built("goimap"), done: told},
		"imaplib":  {name: "imaplib, 100 a FETCH", command: script("python3", "peer.py"), done: told},
		"imapflow": {name: "ImapFlow", command: script("node", "imapflow/peer.mjs"), done: told},
		"mbsync":   {name: "mbsync (stores, no fsync)", command: mbsync, done: stored},
	}
}

// built is a program of this module.
func built(name string) func(*bench, task.Task) ([]string, error) {
	return func(b *bench, _ task.Task) ([]string, error) { return []string{b.program(name)}, nil }
}

// script is a program beside this one.
func script(interpreter, file string) func(*bench, task.Task) ([]string, error) {
	return func(b *bench, _ task.Task) ([]string, error) {
		return []string{interpreter, filepath.Join(b.source, filepath.FromSlash(file))}, nil
	}
}

// told reads what a program says that it has done.
func told(_ task.Task, line string) (messages int, bytes int64, err error) {
	if _, err := fmt.Sscan(line, &messages, &bytes); err != nil {
		return 0, 0, fmt.Errorf("the program says %q: %w", line, err)
	}
	return messages, bytes, nil
}

// mbsync writes the settings for one pull into an empty Maildir.
func mbsync(_ *bench, t task.Task) ([]string, error) {
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

// check refuses figures of a program that did not read everything. A raw reader
// does not know how many messages its bytes are, and mbsync leaves out the CRs.
func (s scenario) check(messages int, bytes int64) error {
	switch {
	case messages != 0 && messages != s.messages:
		return fmt.Errorf("it read %d messages of %d", messages, s.messages)
	case bytes < s.bytes*9/10:
		return fmt.Errorf("it read %d bytes of %d", bytes, s.bytes)
	}
	return nil
}

// runs does a scenario as often as was asked for, all of its programs in turns,
// and keeps what they took.
func (b *bench) runs(ctx context.Context, s scenario) (map[string]figure, error) {
	all := map[string][]figure{}
	known := peers()
	for n := range b.count + 1 {
		for _, e := range s.entries {
			f, err := b.once(ctx, s, known[e.peer], e.task)
			if err != nil {
				return nil, fmt.Errorf("%s: %s: %w", s.title, e.label(known), err)
			}
			if n > 0 || b.count == 1 { // the first one fills the caches of the server
				all[e.key()] = append(all[e.key()], f)
			}
		}
		if b.count == 1 {
			break
		}
	}
	medians := map[string]figure{}
	for name, figures := range all {
		medians[name] = median(figures)
	}
	return medians, nil
}

// once lets a program do a task and looks at whether it has.
func (b *bench) once(ctx context.Context, s scenario, p peer, t task.Task) (f figure, err error) {
	t.Dir, err = os.MkdirTemp(b.dir, "task-")
	if err != nil {
		return figure{}, err
	}
	defer os.RemoveAll(t.Dir)
	command, err := p.command(b, t)
	if err != nil {
		return figure{}, err
	}
	f, line, err := b.measure(ctx, command, t)
	if err != nil {
		return figure{}, err
	}
	messages, bytes, err := p.done(t, line)
	if err != nil {
		return figure{}, err
	}
	return f, s.check(messages, bytes)
}
